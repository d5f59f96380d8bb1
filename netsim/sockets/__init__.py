"""What a computer's kernel keeps behind the sockets of programs."""
