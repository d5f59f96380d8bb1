"""Flask under werkzeug's server, in threads."""

from __future__ import annotations

import flask
from partners import ALL
from werkzeug.serving import make_server

KIND = "Servers and frameworks"
PACKAGES = ("flask", "werkzeug")
ROLES = "server"
PORT = 80
app = flask.Flask(__name__)


@app.post("/echo")
def echo() -> bytes:
    return flask.request.get_data()


def serve() -> None:
    make_server(ALL, PORT, app, threaded=True).serve_forever()
