"""Django under uvicorn, with a synchronous view in a thread."""

from __future__ import annotations

from typing import Any

from partners import serve_asgi

KIND = "Servers and frameworks"
PACKAGES = ("django", "uvicorn")
ROLES = "server"
PORT = 80


def echo(request: Any) -> Any:
    from django.http import HttpResponse

    return HttpResponse(request.body)


async def serve() -> None:
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.urls import path

    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATA_UPLOAD_MAX_MEMORY_SIZE=None,
        ROOT_URLCONF=type("urls", (), {"urlpatterns": [path("echo", echo)]}),
    )
    await serve_asgi(get_asgi_application(), PORT)
