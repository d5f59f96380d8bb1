"""Python functions behind C functions, for every way in which those take arguments."""

from __future__ import annotations

import binascii
import gc
import math
import os
import select
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from netsim.core.errors import NetsimError, UnsupportedInterpreterError
from netsim.interception import c_functions
from netsim.interception.c_functions import (
    ClassMethodReplacement,
    FunctionReplacement,
    check_interpreter,
)

BUILTINS: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = [
    (time.process_time, (), {}),  # METH_NOARGS
    (sys.intern, ("x",), {}),  # METH_O
    (time.mktime, (time.gmtime(0),), {}),  # METH_O
    (time.asctime, (), {}),  # METH_VARARGS
    (time.asctime, (time.gmtime(0),), {}),
    (os.getrandom, (3,), {}),  # METH_FASTCALL | METH_KEYWORDS
    (os.getrandom, (), {"size": 3, "flags": 0}),
    (binascii.b2a_base64, (b"x",), {"newline": False}),
    (select.select, ([], [], [], 0), {}),  # METH_FASTCALL
    (math.gcd, (), {}),
    (math.gcd, (6, 4, 2), {}),
]


@pytest.mark.parametrize(("builtin", "args", "kwargs"), BUILTINS)
def test_arguments_and_results_pass(
    builtin: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    calls: list[Any] = []
    result = object()

    def replacement(*args: Any, **kwargs: Any) -> object:
        calls.append((args, kwargs))
        return result

    before = builtin.__self__, type(builtin(*args, **kwargs))
    behind = FunctionReplacement(builtin, replacement)
    assert type(builtin(*args, **kwargs)) is before[1], "nothing has been installed"
    behind.install()
    try:
        assert builtin(*args, **kwargs) is result
        assert type(behind.original(*args, **kwargs)) is before[1]
        gc.collect()
        assert builtin(*args, **kwargs) is result
    finally:
        behind.uninstall()
    assert calls == [(args, kwargs)] * 2
    assert builtin.__self__ is before[0]
    assert type(builtin(*args, **kwargs)) is before[1]


def test_errors_reach_the_caller() -> None:
    def replacement() -> None:
        raise LookupError("mine")

    behind = FunctionReplacement(time.process_time, replacement)
    behind.install()
    try:
        with pytest.raises(LookupError, match="mine"):
            time.process_time()
    finally:
        behind.uninstall()


def test_calls_that_the_interpreter_has_specialised_follow() -> None:
    def read() -> float:
        for _ in range(100):
            found = time.process_time()
        return found

    read()
    behind = FunctionReplacement(time.process_time, lambda: -1.0)
    behind.install()
    try:
        assert read() == -1.0
    finally:
        behind.uninstall()
    assert read() >= 0


def test_references_are_kept_and_given_back() -> None:
    result = object()
    behind = FunctionReplacement(time.process_time, lambda: result)
    before = sys.getrefcount(result), sys.getrefcount(time)
    for _ in range(100):
        behind.install()
        time.process_time()
        behind.uninstall()
    assert (sys.getrefcount(result), sys.getrefcount(time)) == before


def test_a_class_method() -> None:
    def lookup(owner: Any) -> Callable[..., object]:
        method: Callable[..., object] = owner.from_bytes
        return method

    bound = lookup(int)
    with pytest.raises(UnsupportedInterpreterError, match="unknown way"):
        ClassMethodReplacement(float, "__getformat__", lambda *args: None)
    behind = ClassMethodReplacement(int, "from_bytes", lambda cls, *args, **kw: (cls, args, kw))
    behind.install()
    try:
        for method in (lookup(int), bound):
            found = method(b"\x01", byteorder="big", signed=True)
            assert found == (int, (b"\x01",), {"byteorder": "big", "signed": True})
            found = method(b"\x01", "big")
            assert found == (int, (b"\x01", "big"), {})
        assert lookup(bool)(b"") == (bool, (b"",), {})
        assert behind.original(int)(b"\x01\x00", "big") == 256
        assert behind.original(bool)(b"\x01", "big") is True
    finally:
        behind.uninstall()
    assert lookup(int)(b"\x02", "big") == bound(b"\x02", "big") == 2


def test_unknown_ways_to_take_arguments_are_refused() -> None:
    with pytest.raises(UnsupportedInterpreterError, match="unknown way"):
        FunctionReplacement(int.from_bytes, lambda *args: None)


@pytest.mark.parametrize(
    ("owner", "name", "value", "text"),
    [
        (sys.implementation, "name", "pypy", "needs CPython of 64 bits"),
        (c_functions, "_POINTER", 4, "needs CPython of 64 bits"),
        (c_functions, "_M_ML", 32, "global lock"),
        (sys, "gettotalrefcount", lambda: 0, "debug build"),
        (c_functions, "_BUILTIN_SIZE", 64, "cannot be replaced"),
        (c_functions, "_replacement_works", lambda: False, "cannot be replaced"),
    ],
)
def test_interpreters_that_do_not_allow_it_are_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, value: Any, text: str
) -> None:
    monkeypatch.setattr(owner, name, value, raising=False)
    with pytest.raises(UnsupportedInterpreterError, match=f"{text}.*this is 3"):
        check_interpreter.__wrapped__()


def test_an_unknown_layout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c_functions, "_M_SELF", 8)
    with pytest.raises(NetsimError, match="not laid out"):
        FunctionReplacement(time.process_time, lambda: 0)
