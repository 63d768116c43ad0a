"""A run as a tree of settings: its leaves by dotted key, changing some of them, and its form in config.json."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from reelgym.errors import RequestError

TYPE = "type"
"""The key under which config.json names the class of a group of settings: `module:Class`."""


@dataclass(frozen=True)
class Leaf:
    """One setting: its value, the annotation it was declared with, and whether it still is its class's default."""

    value: Any
    annotation: Any
    is_default: bool


def leaves(node: Any, prefix: str = "") -> dict[str, Leaf]:
    """Return every setting of a tree of dataclasses by dotted key, in order of declaration.

    Elements of a tuple that are groups of settings are numbered from 0: `rubric.expression.terms.1.part`.
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
    """Return the annotation of every key that holds a group of settings, or could: `algorithm` is one."""
    found: dict[str, Any] = {}
    for name, value, annotation, _ in _children(node):
        if is_group(value):
            found[f"{prefix}{name}"] = annotation
            found |= groups(value, f"{prefix}{name}.")
        elif value is None and _group_class(annotation):
            found[f"{prefix}{name}"] = annotation
    return found


def is_group(value: Any) -> bool:
    """Say whether a value is a dataclass instance, or a tuple of nothing else."""
    if isinstance(value, tuple):
        return bool(value) and all(is_group(v) for v in value)
    return is_dataclass(value) and not isinstance(value, type)


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
        return tuple(change(child, inner.get(str(i), {})) if str(i) in inner else child for i, child in enumerate(node))
    for name, deeper in inner.items():
        child = own.get(name, getattr(node, name))
        made = _group_class(get_type_hints(type(node))[name]) if child is None else None
        own[name] = made(**deeper) if made else change(child, deeper)
    return replace(node, **own)


def element(node: Any, key: str) -> Any:
    """Return the value at a dotted key."""
    for name in key.split("."):
        node = node[int(name)] if isinstance(node, tuple) else getattr(node, name)
    return node


def inside(annotation: Any) -> dict[str, Leaf]:
    """Return the settings of the group that an optional annotation would hold, at their defaults."""
    made = _group_class(annotation)
    if made is None:
        return {}
    hints = get_type_hints(made)
    return {f.name: Leaf(f.default, hints[f.name], True) for f in fields(made)}


def to_json(value: Any) -> Any:
    """Return a tree as JSON values, every group with its class under `type`; `from_json` undoes it.

    Raises:
        RequestError: A value is neither a dataclass nor plain: it could not be replayed.
    """
    if is_dataclass(value) and not isinstance(value, type):
        kind = f"{type(value).__module__}:{type(value).__qualname__}"
        return {TYPE: kind} | {f.name: to_json(getattr(value, f.name)) for f in fields(value) if f.init}
    if isinstance(value, (tuple, list)):
        return [to_json(v) for v in value]
    if isinstance(value, dict):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise RequestError(f"a run cannot hold {value!r}: config.json takes dataclasses, numbers, texts, lists and none")


def from_json(value: Any, annotation: Any = Any) -> Any:
    """Return the tree written by `to_json`.

    Only dataclasses of this package are made: a config file can name no other code.
    """
    if isinstance(value, dict) and TYPE in value:
        return _make(value)
    if isinstance(value, list):
        inner = [a for a in _options(annotation) if get_origin(a) in (tuple, list)]
        made = [from_json(v, (get_args(inner[0]) or (Any,))[0] if inner else Any) for v in value]
        return made if inner and get_origin(inner[0]) is list else tuple(made)
    if isinstance(value, dict):
        return {k: from_json(v) for k, v in value.items()}
    if isinstance(value, str) and Path in _options(annotation):
        return Path(value)
    return value


def _make(value: dict[str, Any]) -> Any:
    kind = str(value[TYPE])
    module, _, name = kind.partition(":")
    if not module.startswith("reelgym."):
        raise RequestError(f"{TYPE}={kind!r} is no class of this package; give the recipe itself as path.py:function")
    try:
        made = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        raise RequestError(f"{TYPE}={kind!r} does not exist in this version of reelgym") from None
    if not (isinstance(made, type) and is_dataclass(made)):
        raise RequestError(f"{TYPE}={kind!r} is no group of settings")
    hints = get_type_hints(made)
    given = {key: item for key, item in value.items() if key != TYPE}
    if strange := sorted(set(given) - set(hints)):
        raise RequestError(f"{kind} has no setting {strange[0]!r}; it has {', '.join(f.name for f in fields(made))}")
    return made(**{key: from_json(item, hints[key]) for key, item in given.items()})


def _children(node: Any) -> Iterator[tuple[str, Any, Any, Any]]:
    """Yield name, value, annotation and default of what is directly below a group."""
    if isinstance(node, tuple):
        for index, child in enumerate(node):
            yield str(index), child, type(child), MISSING
        return
    hints = get_type_hints(type(node))
    for field in fields(node):
        if field.init:
            default = field.default_factory() if field.default_factory is not MISSING else field.default
            yield field.name, getattr(node, field.name), hints[field.name], default


def _options(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _group_class(annotation: Any) -> Any:
    """Return the one dataclass an optional annotation allows, or None."""
    found = [a for a in _options(annotation) if a is not NoneType and isinstance(a, type) and is_dataclass(a)]
    return found[0] if len(found) == 1 else None
