"""What every room stands on: time, random streams, units, errors."""
