"""Programs that run on a computer; plain asyncio, nothing of the simulator."""
