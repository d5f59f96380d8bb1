"""A computer's asyncio face: event loop, transports, servers, datagrams."""
