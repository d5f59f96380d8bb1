"""Functions that a test calls on a computer in virtual time: whose modules they mean.

What a module beside the topology file defines at its top level is looked up by its name, as another
process would: the computer has its own copy. All else, such as a function of the test's module, is
called as it is. Arguments and results are copied, and so are errors of classes that the computer
has of its own: the test gets instances of the classes that it knows by the same names.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from netsim.core.errors import CopyError
from netsim.interception.own_modules import OwnModules
from netsim.site.calls import name_of, pack, unpack
from netsim.site.plain_functions import run_function
from netsim.virtual.computer import VirtualComputer
from netsim.virtual.computer_loop import ComputerLoop
from netsim.virtual.modules import ModulesBeside, own_function


async def call_on(
    computer: VirtualComputer,
    beside: ModulesBeside,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Its result, or what it raised; errors as of `pack`."""
    loop = computer.loop
    reference = beside.reference(function)
    arguments = pack("an argument", (args, kwargs))

    # These stay in memory where the computer crashes meanwhile, and all that they refer to.

    async def run() -> bytes:
        called = function
        if reference is None:
            with _as_the_test(loop):
                args, kwargs = unpack(arguments)
        else:
            called = own_function(*reference)
            args, kwargs = unpack(arguments)
        result = await run_function(name_of(function), called, args, kwargs)
        try:
            return pack("the result", result)
        except CopyError:
            with _as_the_test(loop):
                return pack("the result", result)

    async def told() -> bytes:
        try:
            return await run()
        except Exception as error:
            theirs = _translated(error, loop)
            if theirs is error:
                raise
            raise theirs.with_traceback(error.__traceback__) from error.__cause__

    return unpack(await computer.spawn(told()))


def _own(loop: ComputerLoop) -> OwnModules:
    own = loop.environment.modules
    assert own is not None, "a computer has modules"
    return own


def _as_the_test(loop: ComputerLoop) -> AbstractContextManager[None]:
    return loop.timeline.interception.modules_of_test()


def _translated(error: Exception, loop: ComputerLoop) -> Exception:
    """As the test knows it."""
    if _own(loop).loaded.keys().isdisjoint(each.__module__ for each in type(error).__mro__):
        return error
    try:
        copy = pickle.dumps(error, 5)
        with _as_the_test(loop):
            theirs: Exception = pickle.loads(copy)  # noqa: S301  # only ever our own
    except Exception:  # noqa: BLE001  # pickle runs code of the exception's class
        return error
    return theirs
