"""A folder as a web site: files with ranges and caching, `index.html`, else a listing."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path
from urllib.parse import quote

from aiohttp import web


def create_app(root: str) -> web.Application:
    """Serve the folder `root`; NotADirectoryError when it is none.

    Nothing outside it is served, neither through `..` nor through symbolic links.
    """
    folder = Path(root).resolve()
    if not folder.is_dir():
        raise NotADirectoryError(f"{root} is not a folder")
    app = web.Application()
    app.router.add_get("/{path:.*}", _serve_from(folder))
    return app


def _serve_from(folder: Path) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        try:
            wanted = (folder / request.match_info["path"].lstrip("/")).resolve()
            if not wanted.is_relative_to(folder):
                raise web.HTTPNotFound
            if wanted.is_dir():
                return _serve_folder(request, wanted, is_root=wanted == folder)
            # Opening a pipe or a device could wait for ever.
            if wanted.is_file() and not request.path.endswith("/"):
                return web.FileResponse(wanted)
        except PermissionError:
            raise web.HTTPForbidden from None
        except (OSError, ValueError, RuntimeError):
            # A name that is too long, has a NUL byte, or is a symbolic link in a circle.
            raise web.HTTPNotFound from None
        raise web.HTTPNotFound

    return serve


def _serve_folder(request: web.Request, folder: Path, *, is_root: bool) -> web.StreamResponse:
    if not request.path.endswith("/"):
        # Relative links of the page only work below a path with a slash. One leading slash:
        # a Location that starts with two would name another host.
        raise web.HTTPMovedPermanently("/" + request.rel_url.raw_path.lstrip("/") + "/")
    index = folder / "index.html"
    if index.is_file():
        return web.FileResponse(index)
    return web.Response(
        text=_listing(request.path, folder, is_root=is_root), content_type="text/html"
    )


def _listing(path: str, folder: Path, *, is_root: bool) -> str:
    with os.scandir(folder) as entries:
        rows = sorted(_row(entry) for entry in entries)
    items = [] if is_root else ['<li><a href="../">../</a></li>']
    for is_file, name, size in rows:
        shown = name.encode(errors="replace").decode() + ("" if is_file else "/")
        link = "./" + quote(os.fsencode(name)) + ("" if is_file else "/")
        items.append(f'<li><a href="{link}">{escape(shown)}</a> <small>{size}</small></li>')
    title = f"Index of {escape(path.encode(errors='replace').decode())}"
    body = "\n".join(items)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 16px/1.6 system-ui, sans-serif; margin: 2rem; }}
small {{ color: #777; }}
</style>
</head>
<body>
<h1>{title}</h1>
<ul>
{body}
</ul>
</body>
</html>
"""


def _row(entry: os.DirEntry[str]) -> tuple[bool, str, str]:
    """Whether it is no folder, its name, its size: folders sort first."""
    try:
        if entry.is_dir():
            return False, entry.name, ""
        return True, entry.name, f"{entry.stat().st_size} bytes" if entry.is_file() else ""
    except OSError:
        # A symbolic link in a circle, or a file that has just been removed.
        return True, entry.name, ""
