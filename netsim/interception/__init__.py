"""What unmodified programs read of the interpreter, and wait in: clocks, order, locks and more."""
