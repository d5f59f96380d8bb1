"""A host's protocol machines without I/O: interfaces, neighbours, routes, IP, ICMP, UDP, TCP."""
