"""Debian's Prometheus reads the metrics of a running network, and says what inspect says.

`apt-get install prometheus` has it. promtool finds nothing to complain of; Prometheus scrapes the
control API over TCP, with its token, and its answers are compared with `netsim inspect`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NETSIM = str(ROOT / "scripts" / "netsim")
PATIENCE = 60.0
"""Seconds until the first scrape has been read."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        print("there is no prometheus here; apt-get install prometheus")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        target = f"127.0.0.1:{free_port()}"
        netsim("up", "-d", "--control", target, str(ROOT / "topologies" / "home.yaml"))
        try:
            netsim("exec", "laptop", "ping", "-q", "-c", "3", "-i", "0.1", "desktop")
            return compare(Path(folder), target)
        finally:
            netsim("down", "--all")


def compare(folder: Path, target: str) -> int:
    """Exit code."""
    subprocess.run(["promtool", "check", "metrics"], input=netsim("metrics").encode(), check=True)
    scrape = {
        "job_name": "netsim",
        "authorization": {"credentials_file": str(folder / "netsim" / "home" / "token")},
        "static_configs": [{"targets": [target]}],
    }
    configuration = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
    (folder / "prometheus.yml").write_text(json.dumps(configuration))
    address = f"127.0.0.1:{free_port()}"
    prometheus = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address={address}",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        return agree(address)
    finally:
        prometheus.terminate()
        prometheus.wait()


def agree(address: str) -> int:
    """Whether Prometheus has what inspect has; nothing is sent meanwhile."""
    deadline = time.monotonic() + PATIENCE
    while not (read := query(address, "netsim_interface_tx_frames_total")):
        if time.monotonic() > deadline:
            print(f"Prometheus has read nothing within {PATIENCE:g} s")
            return 1
        time.sleep(0.5)
    told = {
        (node["name"], each["name"]): each["tx"]["frames"]
        for node in json.loads(netsim("inspect", "--json"))["nodes"]
        for each in node["interfaces"]
    }
    scraped = {
        (each["metric"]["node"], each["metric"]["interface"]): int(each["value"][1])
        for each in read
    }
    up = query(address, 'up{job="netsim"}')[0]["value"][1]
    if scraped != told or up != "1":
        print(f"inspect says {told}, Prometheus {scraped}, up {up}")
        return 1
    names = {each["metric"]["__name__"] for each in query(address, '{job="netsim"}')}
    print(f"Prometheus reads {len([name for name in names if name.startswith('netsim_')])} metrics")
    return 0


def query(address: str, expression: str) -> list[dict[str, Any]]:
    """What Prometheus answers; nothing while it starts."""
    url = f"http://{address}/api/v1/query?query={urllib.parse.quote(expression)}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found
    except OSError:
        return []


def netsim(*arguments: str) -> str:
    """What a command prints."""
    done = subprocess.run([NETSIM, *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
