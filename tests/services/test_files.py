"""The folder service over loopback."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from netsim.services.files import create_app

pytestmark = pytest.mark.asyncio

Client = TestClient[web.Request, web.Application]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "pages").mkdir(parents=True)
    (root / "plain").mkdir()
    (root / "hello.txt").write_text("hello\n")
    (root / "pages" / "index.html").write_text("<p>index</p>")
    (root / "plain" / "a <b>&?#.txt").write_text("odd")
    (root / "plain" / "sub").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "site-2").mkdir()
    (tmp_path / "site-2" / "secret.txt").write_text("secret")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "loop").symlink_to(root / "loop")
    os.mkfifo(root / "pipe")
    return root


def client_of(site: Path) -> Client:
    return TestClient(TestServer(create_app(str(site))))


async def test_files_are_served_with_ranges(site: Path) -> None:
    async with client_of(site) as client:
        answer = await client.get("/hello.txt")
        assert (answer.status, await answer.text()) == (200, "hello\n")
        assert answer.content_type == "text/plain"
        part = await client.get("/hello.txt", headers={"Range": "bytes=1-2"})
        assert (part.status, await part.read()) == (206, b"el")


async def test_a_folder_shows_its_index_or_a_listing(site: Path) -> None:
    async with client_of(site) as client:
        assert await (await client.get("/pages/")).text() == "<p>index</p>"
        listing = await (await client.get("/")).text()
        assert "hello.txt" in listing
        assert "6 bytes" in listing
        assert 'href="./pages/"' in listing
        assert "../" not in listing
        assert 'href="../"' in await (await client.get("/plain/")).text()


async def test_odd_names_are_escaped_and_lead_to_the_file(site: Path) -> None:
    async with client_of(site) as client:
        listing = await (await client.get("/plain/")).text()
        assert "<b>" not in listing
        link = listing.split('href="./')[2].split('"')[0]
        assert await (await client.get("/plain/" + link)).text() == "odd"


async def test_a_folder_without_its_slash_is_redirected(site: Path) -> None:
    async with client_of(site) as client:
        answer = await client.get("/pages", allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (301, "/pages/")


async def ask_raw(client: Client, target: str) -> tuple[int, bytes]:
    """Without the clean-up that HTTP clients do to a path."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(answer.split()[1]), answer


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/pages/../../secret.txt",
        "/../site-2/secret.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/link.txt",
        "/loop",
        "/pipe",
        "/%00",
        "/" + "x" * 300,
        "/hello.txt/",
        "/nothing",
    ],
)
async def test_nothing_else_is_served(site: Path, target: str) -> None:
    async with client_of(site) as client:
        status, answer = await ask_raw(client, target)
        assert status in (400, 404)
        assert b"secret" not in answer.split(b"\r\n\r\n", 1)[1]
        assert b"root:" not in answer


async def test_a_redirect_never_names_another_host(site: Path) -> None:
    async with client_of(site) as client:
        status, answer = await ask_raw(client, "//pages")
        assert status in (301, 404)
        assert b"Location: //" not in answer


async def test_what_is_no_folder_is_refused_at_once(site: Path) -> None:
    with pytest.raises(NotADirectoryError, match=r"hello\.txt is not a folder"):
        create_app(str(site / "hello.txt"))
