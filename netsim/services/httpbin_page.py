"""The page at `/` of httpbin: who asked, and which way the packets came."""

from __future__ import annotations

from html import escape
from typing import Final

from aiohttp import web

from netsim.services.httpbin_echo import origin

_ABSENT: Final = object()

_ENDPOINTS: Final = (
    ("/ip", "the address your connection comes from"),
    ("/headers", "the headers you sent"),
    ("/get?colour=blue", "your request as JSON; also POST /post, PUT /put, DELETE /delete"),
    ("/status/418", "an answer with that status"),
    ("/delay/1", "an answer after so many seconds"),
    ("/bytes/1024?seed=1", "random bytes, as many as you like; the same for the same seed"),
    ("/stream/5", "lines of JSON"),
    ("/drip?numbytes=10&duration=2", "a body that trickles in"),
)

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #5c6b7a; --paper: #f6f8fa;
  --card: #fff; --line: #d8dfe6; --accent: #0b6bcb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa7b4; --paper: #10161d;
  --card: #18212b; --line: #2c3947; --accent: #6cb2ff; } }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 3rem 1.25rem; }
h1 { font-size: 1.75rem; margin: 0 0 .25rem; }
h2 { font-size: 1rem; margin: 0 0 .75rem; color: var(--soft); font-weight: 600; }
p { margin: 0 0 1rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  padding: 1.25rem 1.5rem; margin-top: 1.25rem; }
code { font: .95em ui-monospace, monospace; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
ol.path { list-style: none; display: flex; flex-wrap: wrap; align-items: center;
  gap: .5rem; margin: 0; padding: 0; }
ol.path li { border: 1px solid var(--line); border-radius: 999px; padding: .2rem .9rem;
  font-family: ui-monospace, monospace; }
ol.path li:first-child, ol.path li:last-child { background: var(--accent);
  border-color: var(--accent); color: var(--card); }
ol.path li.arrow { border: 0; padding: 0; color: var(--soft); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .4rem 1.25rem; margin: 0; }
dd { margin: 0; color: var(--soft); }
"""


def front_page(request: web.Request) -> str:
    """The HTML document; it needs nothing else from the network."""
    transport = request.transport
    path = transport.get_extra_info("netsim.path", _ABSENT) if transport else None
    endpoints = "\n".join(
        f'<dt><a href="{escape(link)}"><code>{escape(link)}</code></a></dt><dd>{escape(what)}</dd>'
        for link, what in _ENDPOINTS
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>httpbin at {escape(request.host)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>It works.</h1>
<p>This is <code>{escape(request.host)}</code>. {_who_asked(request, path)}</p>
<section>
<h2>How your packets came</h2>
{_way(path)}
</section>
<section>
<h2>What you can ask for</h2>
<dl>
{endpoints}
</dl>
</section>
</main>
</body>
</html>
"""


def _who_asked(request: web.Request, path: object) -> str:
    address = f"<code>{escape(origin(request))}</code>"
    if isinstance(path, list) and path:
        return f"You are <strong>{escape(str(path[0]))}</strong>, and your address is {address}."
    return f"Your address is {address}."


def _way(path: object) -> str:
    if path is _ABSENT:
        return "<p>Over an ordinary network: this server does not run inside netsim.</p>"
    if not isinstance(path, list) or not path:
        return "<p>Unknown: no path from you to here is up at this moment.</p>"
    arrow = '\n<li class="arrow" aria-hidden="true">→</li>\n'
    names = arrow.join(f"<li>{escape(str(name))}</li>" for name in path)
    return f'<ol class="path">\n{names}\n</ol>'
