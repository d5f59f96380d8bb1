"""Scripted tests: a scenario file's steps, done and checked on a network."""
