"""Virtual time: the whole network in one memory, and time that jumps to the next event."""
