"""Fixtures of all tests. One file: a type checker knows a module by its bare name only."""

from __future__ import annotations

from networks import curl, start_network

pytest_plugins = ["pytester"]
__all__ = ["curl", "start_network"]
