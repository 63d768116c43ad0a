"""Text to typed values: what `KEY=VALUE` means is decided by the annotation of what it sets, never by its look."""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import is_dataclass
from inspect import isabstract
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from reelgym import registry
from reelgym.errors import RequestError, nearest

TRUE, FALSE, NOTHING = ("true", "yes", "on", "1"), ("false", "no", "off", "0"), ("none", "null")


def parse(key: str, text: str, annotation: Any) -> Any:
    """Return `text` as a value of type `annotation`.

    Args:
        key: What is set; only for the message.
        text: What the user wrote after the `=`.
        annotation: bool, int, float, str, Path, None, Literal, a union of them, tuples and sequences of them written
            `1,2,3`, or a protocol class (Algorithm, ...) whose entries are named.

    Raises:
        RequestError: It is no such value; the message says what is allowed.

    >>> parse("lr", "1e-5", float), parse("steps", "none", int | None), parse("size", "3,4", tuple[int, ...])
    (1e-05, None, (3, 4))
    """
    try:
        return _parse(text.strip(), annotation)
    except ValueError as error:
        if isinstance(error, RequestError):
            raise RequestError(f"{key}: {error}") from None
        raise RequestError(f"{key}={text} is not {describe(annotation)}{_near(text, annotation)}") from None


def describe(annotation: Any) -> str:
    """Return in words what an annotation allows.

    >>> describe(int | None), describe(Literal["a", "b"]), describe(tuple[float, ...])
    ('a whole number or none', 'one of a, b', 'a list of numbers, separated by commas')
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "one of " + ", ".join(str(a) for a in args)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(a) for a in args)
    if origin in (tuple, list, Sequence) or annotation in (tuple, list):
        word = describe(args[0]).removeprefix("a ") + "s" if args else "values"
        return f"a list of {word}, separated by commas"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Path: "a path"}
    if annotation in (None, types.NoneType):
        return "none"
    if annotation in words:
        return words[annotation]
    name = getattr(annotation, "__name__", str(annotation))
    return f"a name of {name}" if isabstract(annotation) else name


def _parse(text: str, annotation: Any) -> Any:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return _literal(text, args)
    if origin in (Union, types.UnionType):
        return _first(text, args)
    if origin in (tuple, list, Sequence) or annotation in (tuple, list):
        return _several(text, args)
    if annotation in (None, types.NoneType):
        return _none(text)
    if annotation in _PLAIN:
        return _PLAIN[annotation](text)
    return _entry(text, annotation)


def _first(text: str, options: tuple[Any, ...]) -> Any:
    # Text takes anything, so it is asked last; a true or false that could be a number is a number.
    order: list[Any] = [None, types.NoneType, Literal, int, float, bool, Path, str]
    kinds: list[tuple[Any, Any]] = [(get_origin(option) or option, option) for option in options]
    for _, option in sorted(kinds, key=lambda pair: order.index(pair[0]) if pair[0] in order else 3):
        try:
            return _parse(text, option)
        except ValueError:
            continue
    raise ValueError(text)


def _several(text: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
    pieces = [piece.strip() for piece in text.strip("()[] ").split(",") if piece.strip()]
    if not args or args[-1] is Ellipsis or len(args) == 1:
        return tuple(_parse(piece, args[0] if args else str) for piece in pieces)
    if len(pieces) != len(args):
        raise ValueError(text)
    return tuple(_parse(piece, arg) for piece, arg in zip(pieces, args, strict=True))


def _literal(text: str, allowed: tuple[Any, ...]) -> Any:
    for value in allowed:
        if str(value) == text:
            return value
    raise ValueError(text)


def _none(text: str) -> None:
    if text.lower() not in NOTHING:
        raise ValueError(text)


def _bool(text: str) -> bool:
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise ValueError(text)


def _int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        number = float(text)  # 1e6 is a whole number, 1.5 is not.
    if not number.is_integer():
        raise ValueError(text)
    return int(number)


def _float(text: str) -> float:
    number = float(text)
    if number != number:
        raise ValueError(text)
    return number


def _entry(text: str, annotation: Any) -> Any:
    """Return an entry of the room whose protocol the annotation is, with its default settings."""
    if isabstract(annotation):
        room = ".".join(annotation.__module__.split(".")[:2])
        return registry.lookup(room, annotation, annotation.__name__.lower(), text)()
    if is_dataclass(annotation):
        raise RequestError(
            f"{getattr(annotation, '__name__', annotation)} is a group of settings; set one of its fields"
        )
    raise RequestError(f"a value of type {annotation} cannot be given on the command line")


def _near(text: str, annotation: Any) -> str:
    if get_origin(annotation) is not Literal:
        return ""
    close = nearest(text, [str(a) for a in get_args(annotation)])
    return f"; did you mean {close!r}?" if close else ""


_PLAIN: dict[Any, Any] = {bool: _bool, int: _int, float: _float, str: str, Path: Path, Any: str, object: str}
