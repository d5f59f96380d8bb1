"""`python -m netsim` is the `netsim` command."""

from __future__ import annotations

from netsim.cli import main

if __name__ == "__main__":
    main()
