"""aiohttp."""

from __future__ import annotations

KIND = "HTTP"
PACKAGES = ("aiohttp",)
ROLES = "both"
PORT = 80
