from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from reelgym import registry
from reelgym.errors import RequestError


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with one protocol, two entries, and things that are no entry."""
    package = tmp_path / "zoo_for_test"
    package.mkdir()
    files = {
        "__init__": "",
        "base": """
            from abc import ABC, abstractmethod
            class Animal(ABC):
                '''The protocol.'''
                name: str
                @abstractmethod
                def sound(self) -> str: ...
            """,
        "cat": """
            from zoo_for_test.base import Animal
            class Cat(Animal):
                '''Says meow.

                At night.
                '''
                name = "cat"
                def sound(self) -> str: return "meow"
            """,
        "dog": """
            from typing import ClassVar
            from zoo_for_test.base import Animal
            from zoo_for_test.cat import Cat
            class Halfway(Animal):
                '''Still abstract: no entry.'''
            class Dog(Animal):
                '''Says woof.'''
                name: ClassVar[str] = "dog"
                def sound(self) -> str: return "woof"
            """,
    }
    for name, text in files.items():
        (package / f"{name}.py").write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [m for m in sys.modules if m.startswith("zoo_for_test")]:
        monkeypatch.delitem(sys.modules, name)
    return "zoo_for_test"


def _animal() -> type:
    from zoo_for_test.base import Animal  # type: ignore[import-not-found]

    assert isinstance(Animal, type)
    return Animal


def test_entries_are_the_concrete_subclasses_by_name_and_each_counts_once(zoo: str) -> None:
    found = registry.discover(zoo, _animal())
    assert list(found) == ["cat", "dog"]
    assert found["dog"]().sound() == "woof"


def test_an_unknown_name_says_the_nearest_and_all(zoo: str) -> None:
    with pytest.raises(RequestError) as caught:
        registry.lookup(zoo, _animal(), "animal", "cst")
    assert str(caught.value) == "unknown animal 'cst'; did you mean 'cat'? Known: cat, dog"


def test_the_catalogue_is_read_and_not_imported(zoo: str) -> None:
    sys.modules.pop("zoo_for_test.cat", None)
    assert registry.catalogue(zoo) == {"cat": "Says meow.", "dog": "Says woof."}
    assert "zoo_for_test.cat" not in sys.modules


def test_catalogue_and_discover_agree_on_names(zoo: str) -> None:
    assert list(registry.catalogue(zoo)) == list(registry.discover(zoo, _animal()))
