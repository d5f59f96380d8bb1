"""Programs that run at a node: ping, traceroute, curl, ip."""
