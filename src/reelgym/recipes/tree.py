"""A run as a tree of settings: its leaves by dotted key, and the same tree with some of them changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from typing import Any, get_type_hints

ORIGIN = "origin"
"""The field of a run that names the recipe it came from; no setting."""


@dataclass(frozen=True)
class Leaf:
    """One setting: its value, the annotation it was declared with, and whether it still is its class's default."""

    value: Any
    annotation: Any
    is_default: bool


def leaves(node: Any, prefix: str = "") -> dict[str, Leaf]:
    """Return every setting of a tree of dataclasses by dotted key, in order of declaration.

    Elements of a tuple of groups are numbered from 0: `rubric.expression.term.terms.1.part`.
    """
    found: dict[str, Leaf] = {}
    for name, value, annotation, default in _children(node):
        key = f"{prefix}{name}"
        if is_group(value):
            found |= leaves(value, f"{key}.")
        else:
            found[key] = Leaf(value, annotation, default is not MISSING and bool(value == default))
    return found


def groups(node: Any, prefix: str = "") -> dict[str, Any]:
    """Return the annotation of every key that holds a group of settings: `algorithm` is one."""
    found: dict[str, Any] = {}
    for name, value, annotation, _ in _children(node):
        if is_group(value):
            found[f"{prefix}{name}"] = annotation
            found |= groups(value, f"{prefix}{name}.")
    return found


def is_group(value: Any) -> bool:
    """Say whether a value is a group of settings: a dataclass compared by value, or a tuple of nothing else.

    A dataclass without equality (loaded data) is one thing, and no group.
    """
    if isinstance(value, tuple):
        return bool(value) and all(is_group(v) for v in value)
    parameters = getattr(type(value), "__dataclass_params__", None)
    return is_dataclass(value) and bool(parameters and parameters.eq)


def is_loaded(value: Any) -> bool:
    """Say whether a value is loaded data: a dataclass that is no group and is not made later (`inputs.Later`)."""
    return is_dataclass(value) and not is_group(value) and not getattr(type(value), "later", False)


def change(node: Any, changes: Mapping[str, Any]) -> Any:
    """Return the tree with the values at some dotted keys replaced; whole groups first, then what is inside them.

    All changes of one group are applied at once, so that its own validation sees the final values only.
    """
    own = {key: value for key, value in changes.items() if "." not in key}
    inner: dict[str, dict[str, Any]] = {}
    for key, value in changes.items():
        head, dot, rest = key.partition(".")
        if dot:
            inner.setdefault(head, {})[rest] = value
    if isinstance(node, tuple):
        own = {str(i): child for i, child in enumerate(node)} | own
        return tuple(change(child, inner[i]) if i in inner else child for i, child in own.items())
    for name, deeper in inner.items():
        own[name] = change(own.get(name, getattr(node, name)), deeper)
    return replace(node, **own)


def _children(node: Any) -> Iterator[tuple[str, Any, Any, Any]]:
    """Yield name, value, annotation and default of what is directly below a group."""
    if isinstance(node, tuple):
        for index, child in enumerate(node):
            yield str(index), child, type(child), MISSING
        return
    hints = get_type_hints(type(node))
    for field in fields(node):
        if field.init and field.name != ORIGIN:
            default = field.default_factory() if field.default_factory is not MISSING else field.default
            yield field.name, getattr(node, field.name), hints[field.name], default
