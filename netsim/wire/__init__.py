"""Wire formats: one module for each protocol, bytes to header and back; nothing above it."""
