"""What makes a switch: the MAC table."""
