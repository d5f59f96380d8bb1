"""Puts Python functions behind functions written in C, and takes them away again.

`from time import monotonic` and `default_factory=time.time` hold the C function itself; a new
value for the attribute `time.monotonic` does not reach them. So the object is changed in place.
In CPython it is (3.11 to 3.15; `check_interpreter` tries it)

    builtin (PyCFunctionObject)                 method (PyMethodDef)
     0  ob_refcnt                             0  ml_name   the name, ASCII
     8  ob_type                               8  ml_meth   the C function
    16  m_ml     ---------------------->     16  ml_flags  how it takes its arguments
    24  m_self   the module or class         24  ml_doc
    32  m_module, m_weakreflist
    48  vectorcall   what calls a method of these flags; NULL where it takes a tuple

and a call is `m_ml->ml_meth(m_self, arguments)`. Python's C API has for each way to take
arguments a function of the very shape that calls an object with them, so that nothing needs to
be compiled: `m_ml` is set to a method with that function, and `m_self` to the replacement.
Errors that it raises reach the caller as any.

    METH_NOARGS                    ml_meth(self, NULL)                 PyObject_CallObject
    METH_VARARGS                   ml_meth(self, args)                 PyObject_CallObject
    METH_VARARGS | METH_KEYWORDS   ml_meth(self, args, names)          PyObject_Call
    METH_O                         ml_meth(self, argument)             PyObject_CallOneArg
    METH_FASTCALL | METH_KEYWORDS  ml_meth(self, args, count, names)   PyObject_Vectorcall
    METH_FASTCALL                  ml_meth(self, args, count)          none: see below

`select.select` and `os.read` are of the last way. Their replacement takes names as well, and so
`vectorcall` is set to that of such methods, first: it passes one argument more than the C function
looks at.

The self of a class method is the class, and a new builtin is made whenever it is looked up. The
replacement stands in the dictionary of the class. Those that were looked up before go through a
callback of ctypes; only there an error becomes a SystemError, and is printed.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import time
import traceback
from collections.abc import Callable
from functools import cache
from inspect import getattr_static
from types import BuiltinFunctionType, ModuleType
from typing import Any, Final, Protocol

from netsim.core.errors import UnsupportedInterpreterError

_VARARGS: Final = 0x01
_KEYWORDS: Final = 0x02
_NOARGS: Final = 0x04
_O: Final = 0x08
_CLASS: Final = 0x10
_FASTCALL: Final = 0x80

_CALLERS: Final = {
    _NOARGS: "PyObject_CallObject",
    _VARARGS: "PyObject_CallObject",
    _VARARGS | _KEYWORDS: "PyObject_Call",
    _O: "PyObject_CallOneArg",
    _FASTCALL | _KEYWORDS: "PyObject_Vectorcall",
}
_M_ML: Final = 16
_M_SELF: Final = 24
_VECTORCALL: Final = 48
_POINTER: Final = 8
_BUILTIN_SIZE: Final = 56
_PROBED: Final = object()


class _Method(ctypes.Structure):
    """PyMethodDef."""

    _fields_ = (
        ("ml_name", ctypes.c_char_p),
        ("ml_meth", ctypes.c_void_p),
        ("ml_flags", ctypes.c_int),
        ("ml_doc", ctypes.c_char_p),
    )


_increment = ctypes.pythonapi.Py_IncRef
_increment.argtypes = [ctypes.py_object]
_increment.restype = None
_decrement = ctypes.pythonapi.Py_DecRef
_decrement.argtypes = [ctypes.py_object]
_decrement.restype = None
_type_modified = ctypes.pythonapi.PyType_Modified
_type_modified.argtypes = [ctypes.py_object]
_type_modified.restype = None
_new_builtin = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.py_object
)(("PyCFunction_NewEx", ctypes.pythonapi))


def memory_of(thing: object, size: int, offset: int = 0) -> memoryview:
    """`size` bytes of the C structure of an object, to be read and written."""
    return memoryview((ctypes.c_ubyte * size).from_address(id(thing) + offset)).cast("B")


def _pointer_at(thing: object, offset: int) -> int:
    return int.from_bytes(memory_of(thing, _POINTER, offset), sys.byteorder)


@cache
def check_interpreter() -> None:
    """UnsupportedInterpreterError unless C functions can be replaced here.

    What is needed is tried, on a builtin made for it; no version is asked for.
    """
    this = f"; this is {sys.version.split()[0]} ({sys.implementation.name})"
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != _POINTER:
        raise UnsupportedInterpreterError(f"virtual time needs CPython of 64 bits{this}")
    if object.__basicsize__ != _M_ML:
        raise UnsupportedInterpreterError(
            "virtual time needs CPython as usually built, with its global lock and no tracing of "
            f"references{this}"
        )
    if hasattr(sys, "gettotalrefcount"):
        raise UnsupportedInterpreterError(
            "virtual time does not run on a debug build of CPython, which aborts when a type "
            f"written in C is changed{this}"
        )
    if BuiltinFunctionType.__basicsize__ != _BUILTIN_SIZE or not _replacement_works():
        raise UnsupportedInterpreterError(f"functions written in C cannot be replaced here{this}")


def _replacement_works() -> bool:
    address, method = _method_of(time.monotonic)
    probe = _new_builtin(address, time, "time")
    if method.ml_flags not in _CALLERS:
        return False
    replacement = FunctionReplacement(probe, lambda: _PROBED)
    replacement.install()
    found = probe()
    replacement.uninstall()
    return found is _PROBED and isinstance(probe(), float)


def _method_of(builtin: Any) -> tuple[int, _Method]:
    """Where the method of a builtin is, and what it says, after checks that it is one."""
    if _pointer_at(builtin, _M_SELF) != id(builtin.__self__):
        raise UnsupportedInterpreterError(f"{builtin!r} is not laid out as was expected")
    address = _pointer_at(builtin, _M_ML)
    method = _Method.from_address(address)
    if method.ml_name != builtin.__name__.encode():
        raise UnsupportedInterpreterError(f"{builtin!r} has the method {method.ml_name!r}")
    return address, method


def set_in_type(owner: type, name: str, value: Any) -> None:
    """Set an attribute of a class that is written in C and may be immutable."""
    dictionary: dict[str, Any] = gc.get_referents(owner.__dict__)[0]
    dictionary[name] = value
    _type_modified(owner)
    if getattr_static(owner, name) is not value:
        raise UnsupportedInterpreterError(f"{owner.__name__}.{name} cannot be replaced here")


class Replacement(Protocol):
    """Something that takes the place of something else, for a time."""

    def install(self) -> None:
        """Take it."""

    def uninstall(self) -> None:
        """Put back exactly what was; nothing happens if it is not installed."""


class FunctionReplacement:
    """A Python function behind a C function of a module, from `install` until `uninstall`."""

    def __init__(self, builtin: Any, replacement: Callable[..., Any]) -> None:
        address, method = _method_of(builtin)
        flags = _FASTCALL | _KEYWORDS if method.ml_flags == _FASTCALL else method.ml_flags
        caller = _CALLERS.get(flags)
        if caller is None:
            raise UnsupportedInterpreterError(
                f"{builtin!r} takes its arguments in an unknown way ({method.ml_flags:#x})"
            )
        self.original: Callable[..., Any] = _new_builtin(
            address, builtin.__self__, builtin.__module__
        )
        """What the C function does without the replacement."""
        # The self of what is in a module is a module: the builtin's repr and pickle ask for it.
        stand_in = type("Replacement", (ModuleType,), {"__call__": staticmethod(replacement)})
        self._callable = stand_in(builtin.__self__.__name__)
        function = ctypes.cast(getattr(ctypes.pythonapi, caller), ctypes.c_void_p).value
        self._method = _Method(method.ml_name, function, flags, method.ml_doc)
        self._vectorcall = memory_of(builtin, _POINTER, _VECTORCALL)
        self._vectorcall_before = bytes(self._vectorcall)
        model = _new_builtin(ctypes.addressof(self._method), self._callable, None)
        self._vectorcall_after = bytes(memory_of(model, _POINTER, _VECTORCALL))
        # Both pointers are set by one copy: no thread sees only one of them changed.
        self._pointers = memory_of(builtin, 2 * _POINTER, _M_ML)
        self._before = bytes(self._pointers)
        self._after = b"".join(
            pointer.to_bytes(_POINTER, sys.byteorder)
            for pointer in (ctypes.addressof(self._method), id(self._callable))
        )

    def install(self) -> None:
        """From now on calls go to the replacement."""
        # The builtin refers to both; the process may end before it is put back.
        _increment(self._callable)
        _increment(self._method)
        self._vectorcall[:] = self._vectorcall_after
        self._pointers[:] = self._after

    def uninstall(self) -> None:
        """Put back exactly what was; nothing happens if it is not installed."""
        if self._pointers == self._before:
            return
        self._pointers[:] = self._before
        self._vectorcall[:] = self._vectorcall_before
        _decrement(self._callable)
        _decrement(self._method)


class MethodReplacement:
    """A Python function behind a method of a class, which may be written in C."""

    def __init__(self, owner: type, name: str, replacement: Callable[..., Any]) -> None:
        self._owner = owner
        self._name = name
        self._replacement = replacement
        self.original: Any = vars(owner)[name]
        """What the method does without the replacement."""

    def install(self) -> None:
        """From now on calls go to the replacement."""
        set_in_type(self._owner, self._name, self._replacement)

    def uninstall(self) -> None:
        """Put back exactly what was."""
        set_in_type(self._owner, self._name, self.original)


_FastCallback = ctypes.PYFUNCTYPE(
    ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_void_p
)
_NoArgsCallback = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)


class ClassMethodReplacement:
    """A Python function behind a class method that is written in C; it is given the class first."""

    def __init__(self, owner: type, name: str, replacement: Callable[..., Any]) -> None:
        builtin = getattr(owner, name)
        _, method = _method_of(builtin)
        if method.ml_flags == _CLASS | _NOARGS:
            self._callback: Any = _NoArgsCallback(
                lambda cls, _: _reference(lambda: replacement(cls))
            )
        elif method.ml_flags == _CLASS | _FASTCALL | _KEYWORDS:
            self._callback = _FastCallback(
                lambda cls, arguments, count, names: _reference(
                    lambda: _call(replacement, cls, arguments, count, names)
                )
            )
        else:
            raise UnsupportedInterpreterError(
                f"{builtin!r} takes its arguments in an unknown way ({method.ml_flags:#x})"
            )
        self._owner = owner
        self._name = name
        self._replacement = classmethod(replacement)
        self._descriptor = owner.__dict__[name]
        self._live = method
        self._original = _Method(method.ml_name, method.ml_meth, method.ml_flags, method.ml_doc)
        # Builtins of `original` may outlive this object, and so may calls that are under way.
        _increment(self._original)
        _increment(self._callback)

    def original(self, owner: type) -> Callable[..., Any]:
        """What the method of `owner`, a subclass perhaps, does without the replacement."""
        builtin: Callable[..., Any] = _new_builtin(
            ctypes.addressof(self._original), owner, owner.__module__
        )
        return builtin

    def install(self) -> None:
        """From now on calls go to the replacement."""
        self._live.ml_meth = ctypes.cast(self._callback, ctypes.c_void_p).value
        set_in_type(self._owner, self._name, self._replacement)

    def uninstall(self) -> None:
        """Put back exactly what was."""
        set_in_type(self._owner, self._name, self._descriptor)
        self._live.ml_meth = self._original.ml_meth


def _reference(function: Callable[[], Any]) -> int | None:
    """Call; a new reference to the result, as C functions return it, or NULL.

    NULL means an error. There is no way to say from here which one: Python makes it a SystemError.
    """
    try:
        result = function()
    except BaseException:  # noqa: BLE001  # ctypes would return whatever the memory holds
        traceback.print_exc()
        return None
    _increment(result)
    return id(result)


def _call(
    function: Callable[..., Any], first: Any, arguments: int, count: int, names: int | None
) -> Any:
    """Call with what a vector call passes: all values in a row, and a tuple of the last's names."""
    named: tuple[str, ...] = ()
    if names:
        named = ctypes.cast(names, ctypes.py_object).value
    total = count + len(named)
    values = list((ctypes.py_object * total).from_address(arguments)) if total else []
    return function(first, *values[:count], **dict(zip(named, values[count:], strict=True)))
