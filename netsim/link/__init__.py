"""One direction of a cable, owned by its sender: queue, serialisation, impairment, delay."""
