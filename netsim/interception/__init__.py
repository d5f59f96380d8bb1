"""What unmodified programs read of the interpreter: clocks, entropy, order, environment."""
