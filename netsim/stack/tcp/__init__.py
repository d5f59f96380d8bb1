"""TCP (RFC 9293), cut by role: sender, receiver, timers, congestion control."""
