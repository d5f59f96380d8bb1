"""What runs the nodes: a process for each, or one memory."""
