"""curl at a computer in memory, against real servers on another one."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import ssl
import subprocess
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import resets
from aiohttp import web
from plans import chain
from tool_lab import Lab, MakeLab, Outcome, make_lab

from netsim.core.time import SECOND
from netsim.services.httpbin import create_app

__all__ = ["make_lab"]

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    """alice, and httpbin at web:80 with a few redirects."""
    lab = make_lab(chain("delay=1ms"))

    async def redirect(request: web.Request) -> web.Response:
        status, target = int(request.match_info["status"]), request.query.get("to", "/get")
        return web.Response(status=status, headers={"Location": target}, text="moved\n")

    async def anything(request: web.Request) -> web.Response:
        document = {
            "method": request.method,
            "headers": dict(request.headers),
            "body": (await request.read()).decode(),
        }
        return web.json_response(document)

    async def empty(request: web.Request) -> web.Response:
        return web.Response()

    async def serve() -> None:
        app = create_app()
        app.router.add_route("*", "/redirect/{status}", redirect)
        app.router.add_route("*", "/anything", anything)
        app.router.add_get("/empty", empty)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", 80).start()

    lab.call("web", serve())
    return lab


def curl(lab: Lab, *argv: str, **options: Any) -> Outcome:
    return lab.run("alice", "curl", *argv, **options)


def serve_raw(lab: Lab, answer: Answer, port: int = 8000) -> None:
    """A server that does not keep to HTTP."""

    async def serve() -> None:
        await asyncio.start_server(answer, "0.0.0.0", port)

    lab.call("web", serve())


async def read_request(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n")


def test_the_body_goes_to_stdout_and_nothing_else(lab: Lab) -> None:
    outcome = curl(lab, "http://web/ip")
    assert outcome.document == {"origin": "10.0.1.10"}
    assert (outcome.code, outcome.stderr) == (0, "")


def test_the_front_page_knows_the_way(lab: Lab) -> None:
    text = curl(lab, "web").stdout.decode()
    way = ["alice", "s1", "r1", "r2", "s2", "web"]
    assert re.findall(r"<li>(.*)</li>", text) == way
    assert "You are <strong>alice</strong>" in text


def test_what_is_sent_by_default(lab: Lab) -> None:
    document = curl(lab, "http://web/anything").document
    assert document["method"] == "GET"
    assert document["headers"] == {
        "Host": "web",
        "User-Agent": "curl/8.5.0 (netsim)",
        "Accept": "*/*",
    }


def test_headers_are_added_replaced_removed_and_sent_empty(lab: Lab) -> None:
    argv = ("-H", "X-One: 1", "-H", "Accept: text/x", "-H", "User-Agent:", "-H", "X-Empty;")
    headers = curl(lab, *argv, "web/anything").document["headers"]
    assert headers == {"Host": "web", "X-One": "1", "Accept": "text/x", "X-Empty": ""}


def test_credentials_and_agent(lab: Lab) -> None:
    headers = curl(lab, "-u", "user:secret", "-A", "me/1", "web/anything").document["headers"]
    assert headers["Authorization"] == "Basic dXNlcjpzZWNyZXQ="
    assert headers["User-Agent"] == "me/1"


def test_data_is_posted_as_a_form(lab: Lab) -> None:
    document = curl(lab, "-d", "a=1", "-d", "b=grüße", "web/anything").document
    assert (document["method"], document["body"]) == ("POST", "a=1&b=grüße")
    assert document["headers"]["Content-Type"] == "application/x-www-form-urlencoded"
    assert document["headers"]["Content-Length"] == "13"


def test_json_is_posted_as_such(lab: Lab) -> None:
    (lab.cwd / "rest.json").write_text(' "b": 2}')
    document = curl(lab, "--json", '{"a": 1,', "--json", "@rest.json", "web/anything").document
    assert (document["method"], document["body"]) == ("POST", '{"a": 1, "b": 2}')
    assert document["headers"]["Content-Type"] == "application/json"
    assert document["headers"]["Accept"] == "application/json"


def test_data_from_files(lab: Lab) -> None:
    (lab.cwd / "body.txt").write_bytes(b"one\r\ntwo\n")
    for option, body in (
        ("-d", "onetwo"),
        ("--data-binary", "one\r\ntwo\n"),
        ("--data-raw", "@body.txt"),
    ):
        document = curl(lab, option, "@body.txt", "-X", "PUT", "web/anything").document
        assert (document["method"], document["body"]) == ("PUT", body)
    outcome = curl(lab, "-d", "@missing.txt", "web/anything")
    assert outcome.code == 26
    assert outcome.stderr.startswith("curl: (26) Failed to open missing.txt")
    for words in (("-T", "-"), ("-d", "@-"), ("-F", "x=@-")):
        outcome = curl(lab, *words, "web/put")
        assert (outcome.code, outcome.stderr) == (
            26,
            "curl: (26) standard input does not reach a node; write the name of a file\n",
        )


def test_an_upload_streams_the_file(lab: Lab) -> None:
    (lab.cwd / "big.bin").write_bytes(bytes(300_000))
    outcome = curl(lab, "-T", "big.bin", "web/upload", "-w", "%{size_upload}")
    assert json.loads(outcome.stdout.split(b"}")[0] + b"}")["size"] == 300_000
    assert outcome.stdout.endswith(b"}\n300000")
    assert curl(lab, "-T", "missing", "web/upload").code == 26


def test_an_upload_in_chunks(lab: Lab) -> None:
    (lab.cwd / "big.bin").write_bytes(bytes(300_000))
    chunked = ("-H", "Transfer-Encoding: chunked")
    outcome = curl(lab, "-v", "-T", "big.bin", *chunked, "web/upload")
    assert json.loads(outcome.stdout)["size"] == 300_000
    assert "> Transfer-Encoding: chunked" in outcome.stderr
    assert "> Content-Length" not in outcome.stderr


def test_a_form_in_parts(lab: Lab) -> None:
    (lab.cwd / "notes.txt").write_text("two\nlines")
    parts = ("-F", "name=Alice", "-F", "file=@notes.txt", "-F", "text=<notes.txt")
    sent = curl(lab, *parts, "-F", "x=@notes.txt;type=a/b;filename=y", "web/anything").document
    assert sent["method"] == "POST"
    kind, _, boundary = sent["headers"]["Content-Type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    first, *bodies, last = sent["body"].split(f"--{boundary}")
    assert (first, last) == ("", "--\r\n")
    disposition = "\r\nContent-Disposition: form-data; name="
    assert bodies == [
        f'{disposition}"name"\r\n\r\nAlice\r\n',
        f'{disposition}"file"; filename="notes.txt"\r\nContent-Type: text/plain'
        "\r\n\r\ntwo\nlines\r\n",
        f'{disposition}"text"\r\n\r\ntwo\nlines\r\n',
        f'{disposition}"x"; filename="y"\r\nContent-Type: a/b\r\n\r\ntwo\nlines\r\n',
    ]
    assert curl(lab, "-F", "file=@missing", "web/anything").code == 26
    assert curl(lab, "-F", "name", "web/anything").code == 2
    assert curl(lab, "-F", "a=b", "-d", "c", "web/anything").code == 2


@pytest.mark.parametrize(
    ("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("", bytes)]
)
def test_what_comes_compressed_is_unpacked(
    lab: Lab, coding: str, pack: Callable[[bytes], bytes]
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        assert b"Accept-Encoding: deflate, gzip\r\n" in request
        body = pack(b"hello " * 1000)
        header = f"Content-Encoding: {coding}\r\n" if coding else ""
        writer.write(f"HTTP/1.1 200 OK\r\n{header}Content-Length: {len(body)}\r\n\r\n".encode())
        writer.write(body)
        writer.close()

    serve_raw(lab, answer)
    assert curl(lab, "--compressed", "web:8000").stdout == b"hello " * 1000


def test_what_is_not_compressed_as_it_says(lab: Lab) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
        writer.close()

    serve_raw(lab, answer)
    outcome = curl(lab, "--compressed", "web:8000")
    assert (outcome.code, outcome.stderr) == (
        61,
        "curl: (61) Error while processing content unencoding\n",
    )


def test_a_range_and_an_address_that_is_given(lab: Lab) -> None:
    headers = curl(lab, "-r", "0-99", "web/anything").document["headers"]
    assert headers["Range"] == "bytes=0-99"
    given = ("--resolve", "shop.test:80:10.0.3.10")
    outcome = curl(lab, *given, "http://shop.test/anything")
    assert outcome.document["headers"]["Host"] == "shop.test"
    assert curl(lab, *given, "http://shop.test:81/anything").code == 6
    assert curl(lab, "--resolve", "shop.test:80", "http://shop.test/").code == 2


def test_include_and_head(lab: Lab) -> None:
    head, _, body = curl(lab, "-i", "web/ip").stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/json")
    assert json.loads(body) == {"origin": "10.0.1.10"}
    outcome = curl(lab, "-I", "web/bytes/1000")
    assert b"Content-Length: 1000\r\n" in outcome.stdout
    assert outcome.stdout.endswith(b"\r\n\r\n")


def test_verbose_tells_the_story(lab: Lab) -> None:
    outcome = curl(lab, "-v", "web/ip")
    lines = outcome.stderr.splitlines()
    for line in (
        "* Host web:80 was resolved.",
        "*   Trying 10.0.3.10:80...",
        "* Connected to web (10.0.3.10) port 80",
        "> GET /ip HTTP/1.1",
        "> Host: web",
        "> ",
        "< HTTP/1.1 200 OK",
        "< Content-Length: 28",
        "< ",
        "* Connection #0 to host web left intact",
    ):
        assert line in lines
        del lines[: lines.index(line)]
    assert outcome.document == {"origin": "10.0.1.10"}


def test_verbose_with_an_address_and_without_a_server(lab: Lab) -> None:
    lines = curl(lab, "-v", "http://10.0.3.10:81/").stderr.splitlines()
    assert lines[0] == "*   Trying 10.0.3.10:81..."
    assert lines[1].startswith("* Failed to connect to 10.0.3.10 port 81 after ")


def test_several_urls_share_a_connection(lab: Lab) -> None:
    outcome = curl(lab, "-v", "web/ip", "web/ip", "-w", "%{num_connects}\n")
    assert "* Re-using existing connection with host web" in outcome.stderr
    assert [line for line in outcome.lines if line in "01"] == ["1", "0"]


def test_output_to_files(lab: Lab) -> None:
    assert curl(lab, "-o", "out.json", "web/ip", "-s").stdout == b""
    assert json.loads((lab.cwd / "out.json").read_text()) == {"origin": "10.0.1.10"}
    curl(lab, "-O", "web/bytes/7?seed=1")
    assert len((lab.cwd / "7").read_bytes()) == 7
    curl(lab, "-o", "empty", "web/empty")
    assert (lab.cwd / "empty").read_bytes() == b""
    outcome = curl(lab, "-o", "no/such/folder", "web/ip")
    assert outcome.code == 23
    assert outcome.stderr.startswith("curl: (23) ")
    assert curl(lab, "-O", "web/").code == 23
    outcome = curl(lab, "-o", "/dev/full", "web/ip")
    assert (outcome.code, outcome.stderr) == (
        23,
        "curl: (23) Failed writing to /dev/full: No space left on device\n",
    )
    outcome = curl(lab, "-o", "a", "-o", "-", "web/ip", "web/ip")
    assert (lab.cwd / "a").read_bytes() == outcome.stdout


def test_a_file_is_not_made_for_a_transfer_that_fails(lab: Lab) -> None:
    assert curl(lab, "-o", "out", "web:81").code == 7
    assert curl(lab, "-f", "-o", "out", "web/status/404").code == 22
    assert not (lab.cwd / "out").exists()


def test_write_out(lab: Lab) -> None:
    template = (
        r"%{http_code} %{response_code} %{method} %{remote_ip}:%{remote_port} %{local_ip} "
        r"%{size_download} %{content_type} %{url_effective} %{num_connects} %{scheme} 100%%\t|\n"
    )
    outcome = curl(lab, "-o", "/dev/null", "-w", template, "web/bytes/10")
    assert outcome.stdout.decode() == (
        "200 200 GET 10.0.3.10:80 10.0.1.10 10 application/octet-stream "
        "http://web/bytes/10 1 http 100%\t|\n"
    )
    times = "%{time_namelookup} %{time_connect} %{time_pretransfer} %{time_starttransfer}"
    outcome = curl(lab, "-s", "-o", "/dev/null", "-w", times + " %{time_total}", "web/delay/0.5")
    lookup, connect, pretransfer, start, total = map(float, outcome.stdout.split())
    assert lookup == 0
    # Neighbours are known by now: one round trip, then another and the delay.
    assert connect == pretransfer == 0.01
    assert start == pytest.approx(0.52)
    assert total >= start
    outcome = curl(lab, "-w", "%{nonsense}", "web/empty")
    assert outcome.stderr == "curl: unknown --write-out variable: 'nonsense'\n"


def test_write_out_of_a_failure(lab: Lab) -> None:
    outcome = curl(lab, "-s", "-w", "%{http_code} %{exitcode}", "web:81")
    assert (outcome.stdout, outcome.stderr, outcome.code) == (b"000 7", "", 7)


def test_fail_hides_the_body_of_an_error(lab: Lab) -> None:
    outcome = curl(lab, "-f", "web/status/503")
    assert (outcome.code, outcome.stdout) == (22, b"")
    assert outcome.stderr == "curl: (22) The requested URL returned error: 503\n"
    assert curl(lab, "web/status/503").code == 0


def test_silence(lab: Lab) -> None:
    assert curl(lab, "-s", "web:81").stderr == ""
    assert curl(lab, "-sS", "web:81").stderr.startswith("curl: (7) ")


def test_redirects_are_followed_when_asked(lab: Lab) -> None:
    outcome = curl(lab, "-w", "%{redirect_url}", "web/redirect/302?to=/ip")
    assert outcome.stdout == b"moved\nhttp://web/ip"
    outcome = curl(lab, "-L", "web/redirect/302?to=/ip")
    assert outcome.document == {"origin": "10.0.1.10"}
    blocks = curl(lab, "-L", "-i", "web/redirect/301?to=ip/../../headers").stdout.split(b"\r\n\r\n")
    assert blocks[0].startswith(b"HTTP/1.1 301")
    assert blocks[1].startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [(301, "GET", ""), (302, "GET", ""), (303, "GET", ""), (307, "POST", "x"), (308, "POST", "x")],
)
def test_a_post_that_is_redirected(lab: Lab, status: int, method: str, body: str) -> None:
    document = curl(lab, "-L", "-d", "x", f"web/redirect/{status}?to=/anything").document
    assert (document["method"], document["body"]) == (method, body)
    assert ("Content-Type" in document["headers"]) == bool(body)


def test_credentials_stay_with_their_host(lab: Lab) -> None:
    to = "http://10.0.3.10/anything"
    headers = curl(lab, "-L", "-u", "a:b", f"web/redirect/302?to={to}").document["headers"]
    assert "Authorization" not in headers
    headers = curl(lab, "-L", "-u", "a:b", "web/redirect/302?to=/anything").document["headers"]
    assert "Authorization" in headers


def test_redirects_in_a_circle(lab: Lab) -> None:
    outcome = curl(lab, "-L", "web/redirect/302?to=/redirect/302?to=x")
    assert outcome.code == 0, "one that leads to a 404 is none"
    serve_raw(lab, redirect_to_itself)
    outcome = curl(lab, "-L", "web:8000")
    assert (outcome.code, outcome.stderr) == (
        47,
        "curl: (47) Maximum (50) redirects followed\n",
    )


async def redirect_to_itself(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 302 Found\r\nLocation: /\r\nConnection: close\r\n")
    writer.write(b"Content-Length: 0\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("url", "code", "message"),
    [
        ("http://nowhere/", 6, "Could not resolve host: nowhere"),
        ("ftp://web/", 1, 'Protocol "ftp" not supported'),
        ("http://", 3, "URL rejected: "),
        ("http://web:99999/", 3, "URL rejected: "),
        ("http://web:81/", 7, "Failed to connect to web port 81 after 10 ms: Connection refused"),
    ],
)
def test_failures_before_a_connection(lab: Lab, url: str, code: int, message: str) -> None:
    curl(lab, "web/ip")
    outcome = curl(lab, url)
    assert (outcome.code, outcome.stdout) == (code, b"")
    assert outcome.stderr.startswith(f"curl: ({code}) {message}")


def test_a_host_that_is_not_there(lab: Lab) -> None:
    outcome = curl(lab, "http://10.0.1.77/")
    assert outcome.code == 7
    assert outcome.stderr.endswith(" after 3000 ms: No route to host\n")


def test_time_limits(lab: Lab) -> None:
    started = lab.network.now
    outcome = curl(lab, "-m", "1.5", "web/delay/10")
    assert (outcome.code, outcome.stderr) == (
        28,
        "curl: (28) Operation timed out after 1500 milliseconds with 0 bytes received\n",
    )
    assert lab.network.now - started == pytest.approx(1.5 * SECOND, rel=1e-6)
    outcome = curl(lab, "-m", "2", "web/drip?numbytes=10&duration=10")
    assert outcome.stdout == b"**"
    assert "with 2 out of 10 bytes received" in outcome.stderr
    outcome = curl(lab, "--connect-timeout", "0.75", "http://10.0.1.78/")
    assert (outcome.code, outcome.stderr) == (
        28,
        "curl: (28) Connection timed out after 750 milliseconds\n",
    )
    assert curl(lab, "-m", "0", "--connect-timeout", "0", "web/delay/1").code == 0


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.close()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    resets.reset(writer.transport)


async def say_half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
    writer.close()


async def half_a_chunk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n")
    writer.close()


async def reset_in_the_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
    await asyncio.sleep(1)
    resets.reset(writer.transport)


async def speak_another_language(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await read_request(reader)
    writer.write(b"220 mail.example ESMTP\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("server", "code", "message", "body"),
    [
        (say_nothing, 52, "Empty reply from server", b""),
        (reset, 56, "Recv failure: Connection reset by peer", b""),
        (say_half, 18, "transfer closed with 5 bytes remaining to read", b"12345"),
        (half_a_chunk, 18, "transfer closed with outstanding read data remaining", b"12345"),
        (reset_in_the_body, 56, "Recv failure: Connection reset by peer", b"12345"),
        (speak_another_language, 8, "Weird server reply: ", b""),
    ],
)
def test_servers_that_break_off(
    lab: Lab, server: Answer, code: int, message: str, body: bytes
) -> None:
    serve_raw(lab, server)
    outcome = curl(lab, "web:8000")
    assert (outcome.code, outcome.stdout) == (code, body)
    assert outcome.stderr.startswith(f"curl: ({code}) {message}")


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """Signed by nobody else."""
    key, chain_file = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-subj", "/CN=web", "-keyout", str(key), "-out", str(chain_file)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain_file, key)
    return context


def test_a_certificate_that_nobody_vouches_for(lab: Lab, certificate: ssl.SSLContext) -> None:
    async def serve() -> None:
        runner = web.AppRunner(create_app(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", 443, ssl_context=certificate).start()

    lab.call("web", serve())
    outcome = curl(lab, "https://web/ip")
    assert (outcome.code, outcome.stdout) == (60, b"")
    assert outcome.stderr.startswith("curl: (60) SSL certificate problem: self-signed certificate")
    assert curl(lab, "-k", "https://web/ip").document == {"origin": "10.0.1.10"}
    assert curl(lab, "https://web:80/ip").code == 35


def test_compressed_bodies_are_passed_on_as_they_are(lab: Lab) -> None:
    async def compressed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
        writer.close()

    serve_raw(lab, compressed)
    assert curl(lab, "web:8000").stdout == b"abc"


def test_a_large_body(lab: Lab) -> None:
    outcome = curl(lab, "web/bytes/3000000?seed=1")
    assert len(outcome.stdout) == 3_000_000


def test_interruption(lab: Lab) -> None:
    started = lab.network.now
    outcome = curl(lab, "web/delay/100", interrupt_after=2)
    assert (outcome.code, outcome.stdout) == (130, b"")
    assert lab.network.now - started == pytest.approx(2 * SECOND)


def test_json_document(lab: Lab) -> None:
    document = curl(lab, "web/ip", json=True).document
    assert (document["url"], document["status"], document["exit_code"]) == ("http://web/ip", 200, 0)
    assert json.loads(document["body"]) == {"origin": "10.0.1.10"}
    assert ["Content-Length", "28"] in document["headers"]
    assert document["remote"] == "10.0.3.10:80"
    assert 0 < document["times_ms"]["connect"] < document["times_ms"]["total"]
    assert "body_base64" in curl(lab, "web/bytes/100?seed=1", json=True).document
    first, second = curl(lab, "web/ip", "web:81", json=True).document
    assert (first["exit_code"], second["exit_code"]) == (0, 7)
    assert second["error"].startswith("Failed to connect")


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ([], "curl: (2) no URL specified"),
        (["-I", "-d", "x", "web"], "only select one"),
        (["--json", "{}", "-d", "x", "web"], "only select one"),
        (["--nonsense", "web"], "--nonsense"),
        (["-m", "soon", "web"], "is not a time"),
    ],
)
def test_wrong_usage(lab: Lab, argv: list[str], complaint: str) -> None:
    outcome = curl(lab, *argv)
    assert (outcome.code, outcome.stdout) == (2, b"")
    assert complaint in outcome.stderr


def test_options_that_change_nothing_are_accepted(lab: Lab) -> None:
    assert curl(lab, "--http1.1", "-N", "-k", "--no-progress-meter", "web/ip").code == 0
