"""The control API over a Unix socket, and the client for it."""
