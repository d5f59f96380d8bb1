"""pymodbus."""

from __future__ import annotations

from partners import ALL, text_of
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus.server import StartAsyncTcpServer

KIND = "IoT"
PACKAGES = ("pymodbus",)
ROLES = "both"
PORT = 502
AT_ONCE = 100
"""Registers, of two bytes."""


async def serve() -> None:
    device = ModbusDeviceContext(hr=ModbusSequentialDataBlock(1, [0] * 200))
    await StartAsyncTcpServer(ModbusServerContext(device, single=True), address=(ALL, PORT))


async def exchange(host: str, size: int) -> None:
    """A twentieth: every question waits for its answer."""
    async with AsyncModbusTcpClient(host, port=PORT, timeout=3, reconnect_delay=0) as client:
        values = list(text_of(AT_ONCE))
        for _ in range(max(1, size // 20 // (2 * AT_ONCE))):
            await client.write_registers(1, values)
            assert (await client.read_holding_registers(1, count=AT_ONCE)).registers == values
