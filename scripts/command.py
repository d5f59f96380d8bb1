#!/usr/bin/env python
"""The `netsim` command, as it is installed: one that is interrupted prints no traceback."""

if __name__ == "__main__":  # multiprocessing's spawn imports it once more in every child
    import _signal

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        # Ctrl-C ends what is still being imported as the system does. `main` takes over.
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    if _signal.SIGINT in _signal.pthread_sigmask(_signal.SIG_BLOCK, ()):
        # scripts/netsim lets it wait while the interpreter itself starts.
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGINT,))

    from netsim.cli import main

    main()
