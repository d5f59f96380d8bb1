"""The list of users of the lessons, asked by aiohttp's own client."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from http import HTTPStatus
from io import BytesIO

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from netsim.services.users import LONGEST, create_app

pytestmark = pytest.mark.asyncio
Client = TestClient[web.Request, web.Application]

ADA = {"name": "ada", "password": "engine"}


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async with TestClient(TestServer(create_app(most=2))) as client:
        yield client


async def test_a_user_comes_and_goes(client: Client) -> None:
    assert await (await client.get("/users")).json() == []
    created = await client.post("/users", json=ADA)
    assert (created.status, created.headers["Location"]) == (201, "/users/ada")
    ada = await created.json()
    assert ada["name"] == "ada"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", ada["since"])
    assert await (await client.get("/users")).json() == [ada]
    assert await (await client.get("/users/ada")).json() == ada
    gone = await client.delete("/users/ada")
    assert (gone.status, await gone.read()) == (204, b"")
    assert await (await client.get("/users")).json() == []


async def test_no_answer_holds_a_password(client: Client) -> None:
    created = await client.post("/users", json=ADA)
    assert "engine" not in await created.text()
    assert "engine" not in await (await client.get("/users")).text()


async def test_the_same_put_twice_is_as_one(client: Client) -> None:
    """RFC 9110, section 9.3.4."""
    statuses = []
    for _ in range(2):
        response = await client.put("/users/ada", json={"password": "engine"})
        statuses.append(response.status)
        assert (await response.json())["name"] == "ada"
    assert statuses == [201, 200]
    assert len(await (await client.get("/users")).json()) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("POST", "/users", '{"name": "ada"}', 400, "no password"),
        ("POST", "/users", '{"password": "x"}', 400, "no name"),
        ("POST", "/users", '{"name": "", "password": "x"}', 400, "name is no text"),
        ("POST", "/users", '{"name": "ada", "password": 7}', 400, "password is no text"),
        ("POST", "/users", '["ada"]', 400, "the body is no JSON object"),
        ("POST", "/users", '{"name"', 400, "the body is no JSON"),
        ("POST", "/users", "", 400, "the body is no JSON"),
        ("POST", "/users", b"\xff\xfe{}", 400, "the body is no JSON"),
        ("POST", "/users", "[" * 100_000, 400, "the body is no JSON"),
        ("PUT", "/users/ada", "{}", 400, "no password"),
        (
            "PUT",
            "/users/ada",
            '{"name": "eve", "password": "x"}',
            400,
            "the URL says ada, the body another name",
        ),
        ("GET", "/users/ada", None, 404, "no user ada"),
        ("DELETE", "/users/ada", None, 404, "no user ada"),
        ("GET", "/", None, 404, "not found"),
        ("DELETE", "/users", None, 405, "method not allowed"),
    ],
)
async def test_what_is_wrong_is_said_as_json(
    client: Client, method: str, path: str, body: str | bytes | None, status: int, text: str
) -> None:
    response = await client.request(method, path, data=body)
    assert (response.status, await response.json()) == (status, {"msg": text})


async def test_a_body_has_an_end(client: Client) -> None:
    response = await client.post("/users", data=BytesIO(b"x" * 2_000_000))
    # In the words of the interpreter, which RFC 9110 changed in 3.13.
    words = HTTPStatus.REQUEST_ENTITY_TOO_LARGE.phrase.lower()
    assert (response.status, await response.json()) == (413, {"msg": words})


async def test_405_says_what_is_allowed(client: Client) -> None:
    response = await client.delete("/users")
    assert set(response.headers["Allow"].split(",")) == {"GET", "HEAD", "POST"}


async def test_a_name_is_there_once(client: Client) -> None:
    await client.post("/users", json=ADA)
    again = await client.post("/users", json=ADA)
    assert (again.status, await again.json()) == (409, {"msg": "there is a user ada"})


async def test_the_list_has_an_end(client: Client) -> None:
    for name in ("ada", "grace"):
        assert (await client.put(f"/users/{name}", json={"password": "x"})).status == 201
    full = await client.put("/users/eve", json={"password": "x"})
    assert (full.status, await full.json()) == (507, {"msg": "too many users"})
    assert (await client.put("/users/ada", json={"password": "y"})).status == 200


async def test_a_name_has_an_end_and_may_hold_any_letter(client: Client) -> None:
    long = await client.post("/users", json={"name": "x" * (LONGEST + 1), "password": "x"})
    assert (long.status, await long.json()) == (
        400,
        {"msg": f"a name has at most {LONGEST} characters"},
    )
    odd = await client.post("/users", json={"name": "a/b ö\r\nX: 1", "password": "x"})
    assert odd.status == 201
    assert (await client.get(URL(odd.headers["Location"], encoded=True))).status == 200
    assert "X" not in odd.headers
