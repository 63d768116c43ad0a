"""The parsers and metrics of lmms-eval, imported in place from a folder that holds it; nothing of it is copied here.

What it imports and we do not need (readers of videos, frameworks, clients) is replaced by objects that do nothing. A
parser that draws a random letter is stopped instead, as is one that would ask a hosted judge.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas  # noqa: F401  (before the stands: what it looks for and does not find must stay missing)
from replies import LETTERS

DRAWN, ASKED = "a random letter", "a hosted judge"
Read = Callable[[str, Sequence[str]], frozenset[str]]
"""From a reply and options to the letters that would be scored as right, or to `DRAWN` or `ASKED` alone."""

_NEVER = ("torch", "datasets", "transformers", "decord", "cv2", "openai", "accelerate", "requests", "av")
TAGS = [["<think>", "</think>"], ["<analysis>", "</analysis>"]]
"""What its command line takes out of replies before they are parsed, unless told otherwise."""


class _Anything:
    """Stands for whatever is imported and not used."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *given: Any, **named: Any) -> Any:
        return self

    def __or__(self, other: Any) -> Any:
        return self

    def __ror__(self, other: Any) -> Any:
        return self

    def __getitem__(self, key: Any) -> Any:
        return self

    def __mro_entries__(self, bases: Any) -> tuple[type, ...]:
        return (object,)


class _Empty(ModuleType):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything()


class _Stand(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds an empty module for heavy packages, and for those that nobody else finds."""

    def __init__(self, names: Sequence[str] | None) -> None:
        self._names = names

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        top = name.partition(".")[0]
        wanted = (
            top in self._names if self._names is not None else name == top or isinstance(sys.modules.get(top), _Empty)
        )
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if wanted else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Empty(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        return


class _Stopped(Exception):
    """A parser wanted a random letter or a judge."""


class _Dice:
    def choice(self, options: Any) -> Any:
        raise _Stopped(DRAWN)


def _no_judge(*given: Any, **named: Any) -> Any:
    raise _Stopped(ASKED)


class Published:
    """lmms-eval as it lies in a folder."""

    def __init__(self, root: Path) -> None:
        """Make it importable."""
        if not (root / "lmms_eval" / "tasks").is_dir():
            raise SystemExit(f"{root} holds no lmms_eval: give the folder that `pip download` was unpacked to")
        os.environ.setdefault("HF_HOME", "/nowhere")
        sys.path.insert(0, str(root))
        sys.meta_path[:] = [_Stand(_NEVER), *sys.meta_path, _Stand(None)]
        package = ModuleType("lmms_eval.tasks")  # Its own code registers every task there is.
        package.__path__ = [str(root / "lmms_eval" / "tasks")]
        importlib.import_module("lmms_eval")
        sys.modules["lmms_eval.tasks"] = package
        about = sorted(root.glob("lmms_eval-*.dist-info"))
        self.version = about[0].name.split("-")[1].removesuffix(".dist") if about else "of unknown version"
        self._stripped = importlib.import_module("lmms_eval.api.reasoning").strip_reasoning_tags

    def task(self, name: str) -> Any:
        """Return a task's module."""
        module = importlib.import_module(f"lmms_eval.tasks.{name}.utils")
        if hasattr(module, "random"):
            module.random = _Dice()  # type: ignore[attr-defined]
        return module

    def seen(self, reply: str) -> str:
        """Return what a parser is given of a reply."""
        return str(self._stripped(reply, TAGS))

    def parsers(self) -> dict[str, tuple[tuple[int, ...], Read]]:
        """Return, by task, how many options its questions have and what its parser reads."""
        holmes, next_qa, ego, mmmu = map(self.task, ("video_holmes", "nextqa", "egoschema", "videommmu"))
        mv, tv, vsi, mmvu = map(self.task, ("mvbench", "tvbench", "vsibench", "mmvu"))
        temporal, long = map(self.task, ("tempcompass", "longvideobench"))
        temporal.get_eval_result = _no_judge
        return {
            "videomme, lvbench, mlvu": ((4,), self._shared(("videomme", "lvbench", "mlvu"))),
            "cgbench": ((5, 6, 7, 8), self._one(self.task("cgbench").extract_characters_regex)),
            "videommmu": ((4, 10), self._indexed(lambda *a: mmmu.parse_multi_choice_response(*a))),
            "mvbench": ((2, 3, 4, 5), self._scored(lambda reply, one, _: mv.mcq_acc(one, reply) == 1)),
            "tvbench": (
                (2, 3, 4),
                self._wrap(lambda reply, options: {tv._extract_choice_letter(reply, list(options))}),
            ),
            "tempcompass": ((3, 4), self._scored(_tempcompass(temporal))),
            "vsibench": ((2, 4), self._scored(lambda r, one, _: vsi.exact_match(vsi.fuzzy_matching(r), one) == 1)),
            "video_holmes": ((6,), self._indexed(holmes.parse_multi_choice_response)),
            "nextqa": ((5,), self._indexed(next_qa.parse_multi_choice_response)),
            "egoschema": ((5,), self._indexed(lambda *a: ego.parse_multi_choice_response(*a)[0])),
            "longvideobench": ((3, 4, 5), self._indexed(long.parse_multi_choice_response)),
            "scivideobench": ((10,), self._drawing(self.task("scivideobench").extract_answer_letter)),
            "videomathqa": ((5,), self._one(self.task("videomathqa").extract_characters_regex)),
            "mmvu (rules)": ((5,), self._scored(_mmvu(mmvu))),
        }

    def _wrap(self, read: Callable[[str, Sequence[str]], set[str]]) -> Read:
        def letters(reply: str, options: Sequence[str]) -> frozenset[str]:
            try:
                return frozenset(read(self.seen(reply), options)) - {"", "No Answer Found.", "API Error"}
            except _Stopped as stopped:
                return frozenset({str(stopped)})

        return letters

    def _one(self, parse: Callable[[str], str]) -> Read:
        return self._wrap(lambda reply, options: {parse(reply)})

    def _drawing(self, parse: Callable[[str], str]) -> Read:
        """Where nothing is read the caller draws a letter."""
        return self._wrap(lambda reply, options: {parse(reply) or DRAWN})

    def _indexed(self, parse: Callable[..., str]) -> Read:
        def read(reply: str, options: Sequence[str]) -> set[str]:
            index = dict(zip(LETTERS, options, strict=False))
            return {parse(reply, list(index), index)}

        return self._wrap(read)

    def _scored(self, is_right: Callable[[str, str, Sequence[str]], bool]) -> Read:
        """Letters that the task's own scorer takes as right, tried one by one."""
        return self._wrap(
            lambda reply, options: {one for one in LETTERS[: len(options)] if is_right(reply, one, options)}
        )

    def _shared(self, names: Sequence[str]) -> Read:
        modules = [self.task(name) for name in names]

        def read(reply: str, options: Sequence[str]) -> set[str]:
            found = {module.extract_characters_regex(reply) for module in modules}
            assert len(found) == 1, f"{names} read {reply!r} differently"
            return found

        return self._wrap(read)


def _tempcompass(module: Any) -> Callable[[str, str, Sequence[str]], bool]:
    def is_right(reply: str, one: str, options: Sequence[str]) -> bool:
        text = options[LETTERS.index(one)]
        doc = {"answer": f"{one}. {text}", "question": "", "video_id": "", "dim": "x"}
        return bool(module.tempcompass_process_results_multi_choice(doc, [reply])["avg_accuracy"]["rating"] == 1)

    return is_right


def _mmvu(module: Any) -> Callable[[str, str, Sequence[str]], bool]:
    def is_right(reply: str, one: str, options: Sequence[str]) -> bool:
        doc = {
            "question_type": "multiple-choice",
            "answer": one,
            "choices": dict(zip(LETTERS, options, strict=False)),
        }
        return bool(module.evaluate_with_rule_based(doc, reply))

    return is_right
