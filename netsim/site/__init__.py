"""Hosting nodes: any number of them on one agenda, whoever keeps the time."""
