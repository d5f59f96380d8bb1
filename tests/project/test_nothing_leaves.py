"""scripts/nothing_leaves sees an attempt; programs on computers make none, in both times."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "nothing_leaves.py"
ATTEMPTS = """\
import socket
for family, host in ((socket.AF_INET, "203.0.113.5"), (socket.AF_INET6, "2001:db8:5::1")):
    with socket.socket(family) as sock:
        sock.setblocking(False)
        sock.connect_ex((host, 81))
with socket.socket(type=socket.SOCK_DGRAM) as sock:
    sock.sendto(b"?", ("203.0.113.9", 53))
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
    sock.sendto(b"?", ("ff02::fb", 5353, 0, socket.if_nametoindex("outside")))
"""
LAN = """\
name: lan
nodes: {alice: {kind: computer}, web: {kind: computer}}
links: [[alice, web]]
"""
PROGRAMS = """\
import asyncio, socket, subprocess, sys, urllib.request
import aiohttp
import netsim

OUTSIDE = "203.0.113.5"
URLS = f"http://{OUTSIDE}/", "http://example.com/"

def datagram(to):
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendto(b"?", (to, 53))

def asked(url):
    urllib.request.urlopen(url, timeout=1).close()

async def with_aiohttp(url):
    async with aiohttp.ClientSession() as session:
        await session.get(url, timeout=aiohttp.ClientTimeout(1))

async def leave(time):
    loop = asyncio.get_running_loop()
    ways = [
        *(asyncio.to_thread(asked, url) for url in URLS),
        *(with_aiohttp(url) for url in URLS),
        asyncio.to_thread(socket.create_connection, (OUTSIDE, 81), 1),
        asyncio.to_thread(datagram, OUTSIDE),
        asyncio.to_thread(datagram, "224.0.0.251"),
        asyncio.to_thread(socket.gethostbyname, "example.com"),
        asyncio.to_thread(socket.gethostbyaddr, OUTSIDE),
        loop.getaddrinfo("example.com", 80),
        asyncio.wait_for(asyncio.open_connection(OUTSIDE, 81), 1),
    ]
    if time == "real":
        curl = ["curl", "-s", "-m", "1", URLS[0]]
        ways.append(asyncio.to_thread(subprocess.run, curl, check=True))
    return [type(each).__name__ for each in await asyncio.gather(*ways, return_exceptions=True)]

async def main():
    async with netsim.Network("lan.yaml", time=sys.argv[1]) as network:
        print(*await network["alice"].run(leave, sys.argv[1]))

if __name__ == "__main__":
    netsim.run(main()) if sys.argv[1] == "virtual" else asyncio.run(main())
"""


def watched(*command: str | Path, folder: Path) -> tuple[int, str, str]:
    """A Python program where an attempt is seen; how it ended, and what it and the watch said."""
    done = subprocess.run(
        [sys.executable, SCRIPT, sys.executable, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if "no namespace with a TUN device can be made here" in done.stderr:
        pytest.skip("no namespace with a TUN device can be made here")
    return done.returncode, done.stdout, done.stderr


def test_an_attempt_is_seen(tmp_path: Path) -> None:
    code, _, said = watched("-c", ATTEMPTS, folder=tmp_path)
    assert code == 1
    title, *seen = said.splitlines()
    assert title == "tried to leave the machine, and must not:"
    assert sorted(re.sub(r"^ +\d+ x ", "", each) for each in seen) == [
        "TCP to 2001:db8:5::1 port 81",
        "TCP to 203.0.113.5 port 81",
        "UDP to 203.0.113.9 port 53",
        "UDP to ff02::fb port 5353",
    ]
    assert watched("-c", "raise SystemExit(3)", folder=tmp_path) == (3, "", "")


@pytest.mark.parametrize(
    ("packet", "told"),
    [
        ("45", "1 octets that are no IP: 45"),
        ("60", "1 octets that are no IP: 60"),
        (f"45{'00' * 8}06{'00' * 6}cb007105", "TCP to 203.0.113.5"),
        (f"60{'00' * 5}3a{'00' * 17}ff02{'00' * 13}02", ""),
    ],
)
def test_whatever_leaves_has_words(packet: str, told: str) -> None:
    described = runpy.run_path(str(SCRIPT))["described"]
    assert described(bytes.fromhex(packet)) == told


@pytest.mark.parametrize("time", ["virtual", "real"])
def test_programs_on_computers_do_not_try(time: str, tmp_path: Path) -> None:
    (tmp_path / "leaving.py").write_text(PROGRAMS)
    (tmp_path / "lan.yaml").write_text(LAN)
    code, said, seen = watched("leaving.py", time, folder=tmp_path)
    assert (code, seen) == (0, "")
    assert "NoneType" not in said.split(), said
