"""Each node in a process of its own, in real time."""
