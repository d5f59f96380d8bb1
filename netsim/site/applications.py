"""What a service is made of: the object that `"module:attr"` names, and by what it is recognised.

Frameworks are known by the module of their classes, which are not imported for that, other
applications by how they are called (PEP 3333, ASGI 3).
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import traceback
from typing import Any, Final, Literal

from aiohttp import web

from netsim.core.errors import NetsimError
from netsim.site.users_lines import lines_of, users_line
from netsim.topology.plan import ServicePlan

Interface = Literal["aiohttp", "asgi", "wsgi"]
"""How a server talks to an application."""

_FRAMEWORKS: Final[dict[str, tuple[str, Interface]]] = {
    "bottle": ("Bottle", "wsgi"),
    "django.core.handlers.asgi": ("Django", "asgi"),
    "django.core.handlers.wsgi": ("Django", "wsgi"),
    "falcon.app": ("Falcon", "wsgi"),
    "falcon.asgi.app": ("Falcon", "asgi"),
    "fastapi.applications": ("FastAPI", "asgi"),
    "flask.app": ("Flask", "wsgi"),
    "litestar.app": ("Litestar", "asgi"),
    "pyramid.router": ("Pyramid", "wsgi"),
    "quart.app": ("Quart", "asgi"),
    "sanic.app": ("Sanic", "asgi"),
    "starlette.applications": ("Starlette", "asgi"),
}
"""Modules of the classes of applications."""
_ARGUMENTS: Final[dict[Interface, int]] = {"asgi": 3, "wsgi": 2}
"""With how many an application is called."""
_NEEDS: Final[dict[Interface, tuple[str, ...]]] = {
    "asgi": ("uvicorn",),
    "wsgi": ("uvicorn", "a2wsgi"),
}
"""Packages that serve it, beyond what netsim always has."""
_WORDS: Final[dict[Interface, str]] = {
    "aiohttp": "an application of aiohttp",
    "asgi": "an ASGI application",
    "wsgi": "a WSGI application",
}
START: Final = 20.0
"""Seconds that a coroutine function has to make an application, and an application to start: fewer
than a whole network has (`fleet.START_TIMEOUT`), which could not say what they were spent on."""


class StartLimit(asyncio.Timeout):  # type: ignore[misc]  # for a type checker it is final
    """`asyncio.timeout(START)`, which is netsim's: a search of faults goes by those of programs."""

    of_program = False

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop().time() + START)


class ProgramError(NetsimError):
    """A `module:attr` of the topology file cannot be used; the text says why."""


def look_up(reference: str) -> Any:
    """The object that `"module:attr"` names; ProgramError when it cannot be had."""
    module_name, _, attribute = reference.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except AttributeError:
        raise ProgramError(f"{reference}: module {module_name} has no {attribute!r}") from None
    except (Exception, SystemExit) as error:
        raise ProgramError(raised(reference, error)) from error
    return found


def raised(reference: str, error: BaseException) -> str:
    """What a user's code raised, and the line of theirs at which it did."""
    line = users_line_of(error)
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{reference}: {text} ({line})" if line else f"{reference}: {text}"


def unfinished(reference: str, stopped: BaseException) -> str:
    """That an application does not end its start, and the line at which it was stopped."""
    line = users_line_of(stopped)
    place = f": it waits at {line}" if line else ""
    return (
        f"{reference} did not end its start within {START:g} s{place}; what lasts longer belongs "
        "in a task of its own"
    )


def users_line_of(error: BaseException) -> str:
    """The innermost line of a user's through which an exception came; empty where none is."""
    return users_line(lines_of(reversed(list(traceback.walk_tb(error.__traceback__)))))


def interface_of(found: Any) -> Interface | None:
    """By which interface an application is called; None for what is not known to be one."""
    if isinstance(found, web.Application):
        return "aiohttp"
    if not callable(found) or inspect.isclass(found):
        return None
    if (framework := _framework(found)) is not None:
        return framework[1]
    try:
        parameters = list(inspect.signature(found).parameters)
    except (TypeError, ValueError):  # some that are written in C tell nothing
        return None
    if parameters[:3] == ["scope", "receive", "send"]:
        return "asgi"
    return "wsgi" if parameters[1:2] == ["start_response"] else None


def application_words(found: Any) -> str:
    """What to call an application: `an application of Flask`, `an ASGI application`."""
    if (framework := _framework(found)) is not None:
        return f"an application of {framework[0]}"
    interface = interface_of(found)
    assert interface is not None, "it was found to be one"
    return _WORDS[interface]


def _framework(found: Any) -> tuple[str, Interface] | None:
    for cls in type(found).__mro__:
        if cls.__module__ in _FRAMEWORKS:
            return _FRAMEWORKS[cls.__module__]
    return None


def _may_be_given(found: Any, arguments: int) -> bool:
    """Whether it can be called with so many; not where it does not tell."""
    try:
        inspect.signature(found).bind(*range(arguments))
    except (TypeError, ValueError):
        return False
    return True


def is_factory(found: Any, service: ServicePlan) -> bool:
    """Whether what the file names makes the application, and is not the application itself."""
    if not callable(found) or interface_of(found) is not None:
        return False
    if service.interface is None or service.args:
        return True
    return not _may_be_given(found, _ARGUMENTS[service.interface]) or _may_be_given(found, 0)


def named_mistake(found: Any, service: ServicePlan) -> str | None:
    """Why what the file names cannot be served; None where it can, or makes what can."""
    if is_factory(found, service):
        return service.interface and missing_packages(service.interface)
    if service.args and interface_of(found) is not None:
        return f"{application_words(found)}, and `args` are for a factory; remove them"
    return application_mistake(found, service)


def application_mistake(found: Any, service: ServicePlan) -> str | None:
    """Why an object cannot be served as the file has it; None where it can."""
    interface, wanted, reference = interface_of(found), service.interface, service.reference
    if interface is None and (wanted is None or not callable(found)):
        kind = type(found).__name__
        if not callable(found):
            return (
                f"an object of type {kind}, no application of aiohttp, ASGI or WSGI; write the "
                "name of one, or of a function that makes one"
            )
        return (
            f"an object of type {kind}, and nothing tells how it is called; write "
            f'`{{asgi: "{reference}"}}` or `{{wsgi: "{reference}"}}`'
        )
    if wanted is not None and interface not in (None, wanted):
        right = "app" if interface == "aiohttp" else interface
        return f'{application_words(found)}; write `{{{right}: "{reference}"}}`'
    return missing_packages(interface or wanted or "aiohttp")


def missing_packages(interface: Interface) -> str | None:
    """What has to be installed to serve it, in words; None where all is there."""
    missing = [each for each in _NEEDS.get(interface, ()) if importlib.util.find_spec(each) is None]
    if not missing:
        return None
    names = " and ".join(missing)
    serve, are = ("serves", "is") if len(missing) == 1 else ("serve", "are")
    install = " ".join(("pip", "install", *missing))
    return f"an application that {names} {serve}, which {are} missing; {install}"


async def application_of(service: ServicePlan) -> tuple[Interface, Any]:
    """The application of a service, made by its factory where that is named; ProgramError."""
    reference = service.reference
    assert reference is not None, "a folder and a place outside are no applications"
    found = look_up(reference)
    if is_factory(found, service):
        limit: asyncio.Timeout | None = None
        try:
            found = found(**service.args)
            if inspect.isawaitable(found):
                async with StartLimit() as limit:
                    found = await found
        except TimeoutError as error:
            if limit is None or not limit.expired():
                raise ProgramError(raised(reference, error)) from error
            raise ProgramError(
                f"{reference} made no application within {START:g} s; what serves by itself "
                "goes under `run`"
            ) from None
        except (Exception, SystemExit) as error:
            raise ProgramError(raised(reference, error)) from error
    elif (mistake := named_mistake(found, service)) is not None:
        raise ProgramError(f"{reference} is {mistake}")
    if (mistake := application_mistake(found, service)) is not None:
        raise ProgramError(f"{reference} gave {mistake}")
    interface = interface_of(found) or service.interface
    assert interface is not None, "one that is not known has been refused"
    return interface, found
