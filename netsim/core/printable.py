"""Text of strangers, fit for a terminal."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    r"""`text` with what does not print as in a Python string: `\x1b[31m`, `\x9b`, `\u202e`.

    What a program prints, or a file is called, can hold commands to a terminal: escape sequences
    and C1, a carriage return that hides what stands before it, marks that turn the direction of
    writing. `keep` names those that stay, `"\n"` for text of several lines.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else repr(each)[1:-1] for each in text
    )
