"""From a recipe's name and `KEY=VALUE` overrides to the run they describe, with the origin of every value."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
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
        name: The name of the recipe.
        run: The run, as the recipe returned it and the overrides changed it; its `origin` names recipe and settings.
        origins: Dotted key of every setting to `default` (of its class), `recipe`, `override`, `saved run`, or
            `derived from ARGUMENT, ...`.
        arguments: Names of the recipe's own arguments.
    """

    name: str
    run: Any
    origins: dict[str, str]
    arguments: tuple[str, ...] = ()

    def table(self) -> list[tuple[str, str, str]]:
        """Return one (key, value, origin) per setting, in order of declaration: what `--show` prints."""
        return [(key, _shown(leaf.value), self.origins[key]) for key, leaf in tree.leaves(self.run).items()]

    def key(self, key: str) -> str:
        """Return the full key of the setting that the user's key stands for; an argument is itself.

        Raises:
            RequestError: There is none, or several; the message names the nearest one.
        """
        known = [*tree.leaves(self.run), *tree.groups(self.run)]
        if key in known or key in self.arguments:
            return key
        ends = [k for k in known if k.endswith(f".{key}")]
        if len(ends) > 1:
            raise RequestError(f"{key} could be {' or '.join(ends)}: give one of them in full")
        if ends:
            return ends[0]
        close = words.suggest(key, [*self.arguments, *known])
        hint = f"did you mean {close!r}? " if close else ""
        raise RequestError(
            f"unknown setting {key!r} of recipe {self.name!r}; {hint}`reelgym train {self.name} --show` lists all"
        )


def resolve(name: str, overrides: Sequence[str] = ()) -> Resolved:
    """Return the run that a recipe and overrides describe.

    Args:
        name: The name of a recipe, `path.py:function`, or a `.json` or `.yaml` file: the `config.json` of a run, or a
            mapping with the name under `recipe` and settings beside it.
        overrides: `KEY=VALUE` each. A key that is an argument of the recipe is given to it, so that derived values
            follow; any other is a dotted key of the run, or its unambiguous last part.

    Raises:
        RequestError: No such recipe, key or value, a key given twice, or one that changes nothing.
    """
    given = pairs(overrides)
    if Path(name).suffix not in (".json", ".yaml", ".yml"):
        return _from_function(name, find(name), given)
    content = _read_config(Path(name))
    if tree.ORIGIN in content:
        return replay(content, given)
    named = str(content.pop("recipe", ""))
    if not named:
        raise RequestError(f"{name} is neither a saved run nor names a recipe: add recipe: NAME to it")
    return _from_function(named, find(named), _flat(content) | given)


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


def replay(config: Mapping[str, Any], given: Mapping[str, str] | None = None) -> Resolved:
    """Return the run that `config.json` describes: its recipe with the settings it was given, and new ones on top.

    Values that this version of the recipe would choose otherwise are taken as they were saved.

    Raises:
        RequestError: The config names no recipe, or holds data or a method that the recipe no longer leads to.
    """
    from reelgym.training.describe import describe

    origin = config[tree.ORIGIN]
    name, settings = str(origin.get("recipe", "")), {str(k): str(v) for k, v in origin.get("settings", {}).items()}
    if not name:
        raise RequestError("this config.json names no recipe, so it cannot be replayed: give the recipe by name")
    function = find(name)
    plain = found = _from_function(name, function, settings)
    if given:
        new = {plain.key(key) for key in given}
        found = _from_function(
            name, function, {k: t for k, t in settings.items() if plain.key(k) not in new} | dict(given)
        )
    was, now = _flat(config), _flat(describe(plain.run))
    drift = {key for key in was.keys() & now.keys() if was[key] != now[key] and not key.startswith(f"{tree.ORIGIN}.")}
    known = tree.leaves(found.run)
    if strange := sorted(drift - known.keys()):
        key = strange[0]
        raise RequestError(
            f"{key} was {was[key]} in the saved run, recipe {name!r} leads to {now[key]}: not the same run"
        )
    before = tree.leaves(plain.run)
    kept = [key for key in drift if key in before and before[key].value == known[key].value]
    saved = {key: values.parse(key, was[key], known[key].annotation) for key in kept}
    run = tree.change(found.run, saved) if saved else found.run
    return replace(found, run=run, origins=found.origins | dict.fromkeys(kept, "saved run"))


def _from_function(name: str, function: Callable[..., Any], given: dict[str, str]) -> Resolved:
    hints, parameters = get_type_hints(function), inspect.signature(function).parameters
    given = _model_or_policy(given, parameters)
    arguments = {key: values.parse(key, text, hints.get(key, str)) for key, text in given.items() if key in parameters}
    required = [p.name for p in parameters.values() if p.default is p.empty]
    if missing := [key for key in required if key not in arguments]:
        raise RequestError(f"recipe {name!r} needs {', '.join(missing)}: give {missing[0]}=VALUE")
    run = function(**arguments)
    causes = _causes(name, function, arguments, run)
    bare = Resolved(name, run, {}, tuple(parameters))
    typed = _typed(run, _full_keys(bare, given))
    final = tree.change(run, typed) if typed else run
    origins = {key: _origin(key, leaf, causes, typed, arguments) for key, leaf in tree.leaves(final).items()}
    if any(f.name == tree.ORIGIN for f in fields(final)):
        final = replace(final, **{tree.ORIGIN: {"recipe": name, "settings": given}})
    return replace(bare, run=final, origins=origins)


def _model_or_policy(given: dict[str, str], parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings with `model` and `policy` under the one the recipe takes: both mean what to start from."""
    ours = "model" if "model" in parameters else "policy"
    names = [key for key in ("model", "policy") if key in given]
    if len(names) > 1:
        raise RequestError(f"model={given['model']} and policy={given['policy']} are one setting; keep one")
    return {ours if key in names else key: text for key, text in given.items()}


def _full_keys(bare: Resolved, given: Mapping[str, str]) -> dict[str, str]:
    """Return the overrides that are no arguments of the recipe under their full keys."""
    found: dict[str, str] = {}
    for key, text in given.items():
        if key in bare.arguments:
            continue
        full = bare.key(key)
        if full in found:
            raise RequestError(f"{full} is given twice: {found[full]} and {text}; keep one")
        found[full] = text
    return found


def _causes(name: str, function: Callable[..., Any], arguments: dict[str, Any], run: Any) -> dict[str, list[str]]:
    """Return which arguments changed each setting of the run; one that changed none is an error.

    Found by leaving each one out. A recipe that loads data at once is too dear to call again.
    """
    parameters = inspect.signature(function).parameters
    now = tree.leaves(run)
    causes: dict[str, list[str]] = {}
    if any(tree.is_loaded(leaf.value) for leaf in now.values()):
        return causes
    for key, value in arguments.items():
        default = parameters[key].default
        if default is inspect.Parameter.empty or value == default:
            continue
        try:
            before = tree.leaves(function(**{k: v for k, v in arguments.items() if k != key}))
        except RequestError:  # The other settings need this one: it is no idle setting.
            causes.setdefault(key, []).append(key)
            continue
        changed = [k for k, leaf in now.items() if k not in before or before[k].value != leaf.value]
        # To name what would be chosen anyway is no mistake.
        if not changed and before.keys() <= now.keys() and default != "auto":
            raise RequestError(
                f"{key}={value} changes nothing in recipe {name!r} beside its other settings; leave it out"
            )
        for leaf_key in changed:
            causes.setdefault(leaf_key, []).append(key)
    return causes


def _origin(
    key: str, leaf: tree.Leaf, causes: dict[str, list[str]], typed: dict[str, Any], arguments: dict[str, Any]
) -> str:
    if any(key == k or key.startswith(f"{k}.") for k in typed):
        return "override"
    by = causes.get(key, [])
    last = key.rpartition(".")[2]
    if last in arguments and arguments[last] == leaf.value:
        return "override"
    if by:
        return "derived from " + ", ".join(by)
    return "default" if leaf.is_default else "recipe"


def _typed(run: Any, changed: Mapping[str, str]) -> dict[str, Any]:
    """Return the overrides as values; whole groups are set before the settings inside them are looked up."""
    holders = tree.groups(run)
    whole = {key: values.parse(key, text, holders[key]) for key, text in changed.items() if key in holders}
    known = tree.leaves(tree.change(run, whole) if whole else run)
    found = dict(whole)
    for key, text in changed.items():
        if key in holders:
            continue
        if key not in known:
            raise RequestError(f"{key} does not exist beside {', '.join(f'{k}={changed[k]}' for k in whole)}")
        found[key] = values.parse(key, text, known[key].annotation)
    return found


def _read_config(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}; give RUN/config.json, or a YAML file") from None
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
        elif isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            found |= _flat({str(i): v for i, v in enumerate(value)}, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = _text(value)
    return found


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(_text(v) for v in value)
    return "none" if value is None else str(value)


def _shown(value: Any) -> str:
    if tree.is_loaded(value) and (digest := getattr(value, "digest", "")):
        return f"{len(value.items)} items, digest {str(digest).removeprefix('sha256:')[:12]}"
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
