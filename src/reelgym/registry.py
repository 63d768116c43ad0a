"""Finding what a room holds: a new task, reward, algorithm, tool or benchmark is one new file and no list to edit."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import pkgutil
from pathlib import Path
from typing import TypeVar

from reelgym.errors import unknown

T = TypeVar("T")


def modules(package: str) -> list[str]:
    """Return the full names of the package's public modules, sorted; nothing of it is imported. No package, none.

    >>> "reelgym.video.types" in modules("reelgym.video")
    True
    """
    found = pkgutil.iter_modules(_folders(package))
    return sorted(f"{package}.{module.name}" for module in found if not module.name.startswith("_"))


def _is_entry(value: object, base: type, module_name: str) -> bool:
    if not inspect.isclass(value) or not issubclass(value, base) or value.__module__ != module_name:
        return False
    return not inspect.isabstract(value) and isinstance(vars(value).get("name"), str)


def discover(package: str, base: type[T]) -> dict[str, type[T]]:
    """Import every module of a package and return its entries by name.

    Args:
        package: Full name of a package, such as `reelgym.tasks`.
        base: The protocol class. An entry is a concrete subclass of it, defined in the package, with a class
            attribute `name: str` of its own.

    Returns:
        Entries by `name`, sorted.
    """
    found: dict[str, type[T]] = {}
    for module_name in modules(package):
        for value in vars(importlib.import_module(module_name)).values():
            if not _is_entry(value, base, module_name):
                continue
            name = value.name
            assert found.get(name, value) is value, f"{found[name]} and {value} share the name {name!r}"
            found[name] = value
    return dict(sorted(found.items()))


def lookup(package: str, base: type[T], kind: str, name: str) -> type[T]:
    """Return one entry of `discover` by its name.

    Raises:
        RequestError: No such name; the message says the nearest one and all that exist. `kind` is the word for it.
    """
    found = discover(package, base)
    if name not in found:
        raise unknown(kind, name, found)
    return found[name]


def catalogue(package: str, decorator: str = "") -> dict[str, str]:
    """Return {name: first line of the docstring} of the package's entries, read from the source and not imported.

    So that listing needs no optional package. An entry is a public class with a class attribute `name` that is a plain
    string, or a function under `@decorator`.
    """
    found = {name: line for name, (_, line) in decorated(package, decorator).items()}
    for module_name in modules(package):
        for node in _parse(module_name).body:
            if isinstance(node, ast.ClassDef) and (name := _class_name(node)) and not node.name.startswith("_"):
                found[name] = _first_line(node)
    return dict(sorted(found.items()))


def decorated(package: str, decorator: str) -> dict[str, tuple[str, str]]:
    """Return {function: (module, first line of its docstring)} of functions under `@decorator`, without importing."""
    found: dict[str, tuple[str, str]] = {}
    for module_name in modules(package):
        for node in _parse(module_name).body:
            if isinstance(node, ast.FunctionDef) and any(_is_named(d, decorator) for d in node.decorator_list):
                found[node.name] = (module_name, _first_line(node))
    return dict(sorted(found.items()))


def _first_line(node: ast.ClassDef | ast.FunctionDef) -> str:
    return (ast.get_docstring(node) or "").partition("\n")[0]


def _folders(package: str) -> list[str]:
    spec = importlib.util.find_spec(package)
    return list(spec.submodule_search_locations or ()) if spec else []


def _parse(module_name: str) -> ast.Module:
    parent, _, leaf = module_name.rpartition(".")
    for root in _folders(parent):
        for path in (Path(root, f"{leaf}.py"), Path(root, leaf, "__init__.py")):
            if path.is_file():
                return ast.parse(path.read_text(encoding="utf-8"))
    return ast.Module(body=[], type_ignores=[])


def _class_name(node: ast.ClassDef) -> str | None:
    for statement in node.body:
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        value = statement.value
        if isinstance(targets[0], ast.Name) and targets[0].id == "name" and isinstance(value, ast.Constant):
            return value.value if isinstance(value.value, str) else None
    return None


def _is_named(decorator: ast.expr, name: str) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return (isinstance(target, ast.Name) and target.id == name) or (
        isinstance(target, ast.Attribute) and target.attr == name
    )
