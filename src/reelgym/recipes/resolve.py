"""From a recipe's name and `KEY=VALUE` overrides to the run they describe, with the origin of every value."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

from reelgym import registry
from reelgym.errors import RequestError, unknown
from reelgym.recipes import tree, values, words

PACKAGE = "reelgym.recipes"


@dataclass(frozen=True)
class Resolved:
    """A run, and where each of its settings comes from.

    Attributes:
        name: What the user called the recipe.
        run: The run, as the recipe returned it and the overrides changed it.
        origins: Dotted key of every setting to `default` (of its class), `recipe`, `override`, or
            `derived from ARGUMENT, ...`.
        arguments: What the recipe function was given, by name.
    """

    name: str
    run: Any
    origins: dict[str, str]
    arguments: dict[str, Any]

    def table(self) -> list[tuple[str, str, str]]:
        """Return one (key, value, origin) per setting, in order of declaration: what `--show` prints."""
        return [(key, _shown(leaf.value), self.origins[key]) for key, leaf in tree.leaves(self.run).items()]


def names() -> dict[str, str]:
    """Return {name: one line} of every recipe in the package, without importing any."""
    return {name: line for name, (_, line) in registry.decorated(PACKAGE, "recipe").items()}


def resolve(name: str, overrides: Sequence[str] = ()) -> Resolved:
    """Return the run that a recipe and overrides describe.

    Args:
        name: The name of a recipe, `path.py:function`, or a `.json` or `.yaml` file: a saved run, or a mapping with the
            name under `recipe` and settings beside it.
        overrides: `KEY=VALUE` each. A key that is an argument of the recipe is given to it, so that derived values
            follow; any other is a dotted key of the run, or its unambiguous last part.

    Raises:
        RequestError: No such recipe, key or value, a key given twice, or one that changes nothing.
    """
    given = pairs(overrides)
    if Path(name).suffix in (".json", ".yaml", ".yml"):
        content = _read_config(Path(name))
        if tree.TYPE in content:
            return _finish(name, from_config(content), {}, given, "config file")
        named = str(content.pop("recipe", ""))
        if not named:
            raise RequestError(f"{name} is neither a saved run nor names a recipe: add recipe: NAME to it")
        return _from_function(name, find(named), _flat(content) | given)
    return _from_function(name, find(name), given)


def pairs(overrides: Sequence[str]) -> dict[str, str]:
    """Return {key: text} of `KEY=VALUE` arguments; a leading `--` is forgiven."""
    found: dict[str, str] = {}
    for item in overrides:
        key, equals, text = item.partition("=")
        key = key.strip().removeprefix("--").replace("-", "_")
        if not equals or not key:
            raise RequestError(f"{item!r} is not KEY=VALUE: write settings as in lr=1e-4")
        if key in found:
            raise RequestError(f"{key} is given twice: {key}={found[key]} and {item}; keep one")
        found[key] = text
    return found


def find(name: str) -> Callable[..., Any]:
    """Return the recipe function of a name or of `path.py:function`."""
    path, colon, function = name.rpartition(":")
    if colon and path.endswith(".py"):
        return _from_file(Path(path), function)
    known = registry.decorated(PACKAGE, "recipe")
    if name not in known:
        raise unknown("recipe", name, known)
    found: Callable[..., Any] = getattr(importlib.import_module(known[name][0]), name)
    return found


def to_config(run: Any) -> dict[str, Any]:
    """Return a run as JSON values: the content of `config.json`."""
    config: dict[str, Any] = tree.to_json(run)
    return config


def from_config(config: Mapping[str, Any]) -> Any:
    """Return the run saved by `to_config`; a config of other settings than this version's is an error naming them."""
    return tree.from_json(dict(config))


def _from_function(name: str, function: Callable[..., Any], given: dict[str, str]) -> Resolved:
    hints = get_type_hints(function)
    parameters = inspect.signature(function).parameters
    arguments = {key: values.parse(key, text, hints.get(key, str)) for key, text in given.items() if key in parameters}
    missing = [p.name for p in parameters.values() if p.default is p.empty and p.name not in arguments]
    if missing:
        raise RequestError(f"recipe {name!r} needs {', '.join(missing)}: give {missing[0]}=VALUE")
    run = function(**arguments)
    _refuse_ineffective(name, function, arguments, run)
    rest = {key: text for key, text in given.items() if key not in parameters}
    return _finish(name, run, arguments, rest, "recipe", function)


def _refuse_ineffective(name: str, function: Callable[..., Any], arguments: dict[str, Any], run: Any) -> None:
    defaults = {p.name: p.default for p in inspect.signature(function).parameters.values() if p.default is not p.empty}
    for key, value in arguments.items():
        if key not in defaults or value == defaults[key]:
            continue
        without = function(**{k: v for k, v in arguments.items() if k != key})
        if without == run:
            raise RequestError(
                f"{key}={value} changes nothing in recipe {name!r} beside its other settings; leave it out"
            )


def _finish(
    name: str,
    run: Any,
    arguments: dict[str, Any],
    given: dict[str, str],
    source: str,
    function: Callable[..., Any] | None = None,
) -> Resolved:
    plain = function(**_required(function, arguments)) if function and arguments else run
    changed = {_key(name, key, run, function, given): text for key, text in given.items()}
    typed = _typed(run, changed)
    final = tree.change(run, typed) if typed else run
    before = tree.leaves(plain)
    origins: dict[str, str] = {}
    for key, leaf in tree.leaves(final).items():
        if any(key == k or key.startswith(f"{k}.") for k in typed):
            origins[key] = "override"
        elif arguments and (key not in before or before[key].value != leaf.value):
            last = key.rpartition(".")[2]
            same = last in arguments and arguments[last] == leaf.value
            origins[key] = "override" if same else "derived from " + ", ".join(arguments)
        else:
            origins[key] = "default" if leaf.is_default else source
    return Resolved(name, final, origins, arguments)


def _typed(run: Any, changed: Mapping[str, str]) -> dict[str, Any]:
    """Return the overrides as values; whole groups are set before the settings inside them are looked up."""
    holders = tree.groups(run)
    whole = {key: values.parse(key, text, holders[key]) for key, text in changed.items() if key in holders}
    known = _settings(tree.change(run, whole) if whole else run)
    inner = {k: values.parse(k, t, known[k].annotation) for k, t in changed.items() if k not in holders and k in known}
    if lost := [key for key in changed if key not in whole and key not in inner]:
        raise RequestError(f"{lost[0]} does not exist beside {', '.join(f'{k}={changed[k]}' for k in whole)}")
    return whole | inner


def _settings(run: Any) -> dict[str, tree.Leaf]:
    """Return every setting that may be overridden, those of groups that are absent so far included."""
    found = dict(tree.leaves(run))
    for holder, annotation in tree.groups(run).items():
        if tree.element(run, holder) is None:
            found |= {f"{holder}.{name}": leaf for name, leaf in tree.inside(annotation).items()}
    return found


def _key(name: str, key: str, run: Any, function: Callable[..., Any] | None, given: Mapping[str, str]) -> str:
    """Return the full key that the user's key stands for."""
    holders = tree.groups(run)
    known = [*_settings(run), *holders]
    if key in known:
        return key
    ends = [k for k in known if k.endswith(f".{key}")]
    if len(ends) > 1:
        raise RequestError(f"{key} could be {' or '.join(ends)}: give one of them in full")
    if ends:
        return ends[0]
    if any(key.startswith(f"{holder}.") for holder in holders if holder in given):
        return key  # The group itself is replaced; its new settings are checked after that.
    arguments = list(inspect.signature(function).parameters) if function else []
    close = words.suggest(key, [*arguments, *known])
    hint = f"did you mean {close!r}? " if close else ""
    raise RequestError(f"unknown setting {key!r} of recipe {name!r}; {hint}`reelgym train {name} --show` lists all")


def _required(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: arguments[p.name] for p in parameters if p.default is p.empty}


def _read_config(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}") from None
    try:
        content = json.loads(text) if path.suffix == ".json" else _yaml(path).safe_load(text)
    except ValueError as error:
        raise RequestError(f"{path} is not {path.suffix[1:].upper()}: {error}".replace("\n", " ")) from None
    if not isinstance(content, dict):
        raise RequestError(f"{path} holds no settings: a recipe file is a mapping of keys to values")
    return content


def _yaml(path: Path) -> ModuleType:
    try:
        import yaml
    except ImportError:
        raise RequestError(f"{path} needs PyYAML, which comes with reelgym[train]; or write it as JSON") from None
    module: ModuleType = yaml
    return module


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested settings as dotted keys and texts, as on the command line."""
    found: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = _text(value)
    return found


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(_text(v) for v in value)
    return "none" if value is None else str(value)


def _shown(value: Any) -> str:
    return ",".join(_shown(v) for v in value) if isinstance(value, (tuple, list)) else _text(value)


def _from_file(path: Path, function: str) -> Callable[..., Any]:
    if not path.is_file():
        raise RequestError(f"{path} does not exist; a recipe of your own is given as path.py:function")
    spec = importlib.util.spec_from_file_location(f"reelgym_recipe_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, function, None)
    if not callable(found):
        raise unknown(f"recipe in {path}", function, [k for k, v in vars(module).items() if inspect.isfunction(v)])
    made: Callable[..., Any] = found
    return made
