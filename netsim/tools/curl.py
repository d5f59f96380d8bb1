"""`curl`: HTTP from a node, with the options, the messages and the exit codes of curl."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from netsim.tools.context import Context
from netsim.tools.curl_options import CurlError, Options, parse, with_scheme
from netsim.tools.curl_output import File, Memory, Output, Terminal
from netsim.tools.curl_report import Transfer, write_out

if TYPE_CHECKING:
    from netsim.tools.curl_transfer import Client


async def curl(argv: Sequence[str], context: Context) -> int:
    """Exit code as curl's; that of the last URL where there are several."""
    try:
        options = parse(argv, context)
    except CurlError as error:
        context.print_error(f"curl: ({error.code}) {error}")
        return error.code
    return await context.until_interrupted(_transfer_all(options, context))


async def _transfer_all(options: Options, context: Context) -> int:
    # aiohttp takes a quarter of a second to import, which only curl should pay.
    from netsim.tools.curl_transfer import Client

    client = Client(options, context)
    code = 0
    documents = []
    try:
        for index, url in enumerate(options.urls):
            transfer = Transfer(url, options.request_method(), context.loop.network_now())
            body = Memory() if context.json else None
            await _transfer(client, options, context, transfer, index, body)
            code = transfer.exit_code
            if body is not None:
                documents.append(transfer.document() | body.document())
    finally:
        await client.close()
    if context.json:
        answer = documents[0] if len(documents) == 1 else documents
        context.print_line(json.dumps(answer, indent=2))
    return code


async def _transfer(
    client: Client,
    options: Options,
    context: Context,
    transfer: Transfer,
    index: int,
    body: Memory | None,
) -> None:
    """One URL: its body to where it belongs, then what `-w` asks for, then the complaint."""
    output: Output = Terminal(context.stdout)
    try:
        path = _destination(options, index, transfer.url)
        if path is not None:
            transfer.filename = str(path)
            output = File(context.cwd / path)
        elif body is not None:
            output = body
        await client.run(transfer, output)
    except CurlError as error:
        transfer.exit_code, transfer.error = error.code, str(error)
    finally:
        output.close()
    if options.write_out and body is None:
        text, unknown = write_out(options.write_out, transfer)
        context.stdout(text.encode(errors="replace"))
        for name in unknown:
            context.print_error(f"curl: unknown --write-out variable: '{name}'")
    if transfer.error and (options.show_error or not options.silent):
        context.print_error(f"curl: ({transfer.exit_code}) {transfer.error}")


def _destination(options: Options, index: int, url: str) -> Path | None:
    """The file for the body of URL number `index`; None is the terminal."""
    if index < len(options.outputs):
        name = options.outputs[index]
        return None if name == "-" else Path(name)
    if not options.remote_name:
        return None
    path = urlsplit(with_scheme(url)).path
    name = PurePosixPath(path).name
    if path.endswith("/") or not name:
        raise CurlError(23, "Remote file name has no length")
    return Path(name)
