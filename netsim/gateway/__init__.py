"""Real sockets in and out of the network."""
