"""Watching a network: interface taps, pcapng, reassembly of captures."""
