#!/usr/bin/env python
"""The `netsim` command, as it is installed: one that is interrupted prints no traceback."""

import _signal

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    # Ctrl-C ends what is still being imported as the system does. `main` takes over.
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

from netsim.cli import main

main()
