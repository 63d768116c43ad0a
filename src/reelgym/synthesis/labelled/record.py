"""The protocol of a reader: from one row of a file to drafts of samples; and what readers share."""

from __future__ import annotations

import ast
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from reelgym.errors import RequestError
from reelgym.registry import discover, lookup
from reelgym.scoring.choice import LETTERS, parse_choice
from reelgym.scoring.number import parse_number
from reelgym.scoring.words import parse_words

Row = Mapping[str, Any]

_PACKAGE = "reelgym.synthesis.labelled"
_LETTER = re.compile(r"\s*\(?([A-Za-z])\s*[.):\uff0e\uff1a]\)?\s*(.*)", re.DOTALL)
_LINE = re.compile(r"\s*\(?([A-Z])[.)]\)?\s+(.+?)\s*")
SPECIAL = re.compile(r"<\|[^<>|\s]{1,40}\|>|<(?:image|video|audio)>")


_MARK = re.compile(r"^\s*(?:<(?:image|video)>\s*)+")


class BadRecord(Exception):
    """A row that makes no sample; the text is the reason on its quarantine line."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One question as a record tells it, before its video is looked at.

    Attributes:
        video: Name of the video or picture file, relative to the folder of videos; its extension may be missing.
        question: Without its options and without an instruction on the form of the reply.
        kind: A key of `tasks.labelled.KINDS`.
        answer: A letter (`choice`), (start, stop) in seconds (`span`), else text.
        options: Without their letters; for `choice` only.
        observation: What the record says is seen; empty where it says nothing.
        think: How the record reasons; empty where it does not.
        given_id: The record's own id; empty where it has none.
        origin: The data set that the record says it is from.
        facet: What results are broken down by; empty where the record names nothing.
        evidence: (start, stop) in seconds where the evidence of an answer lies; None where nobody says.
        medium: `video`, or `image` where the file is one picture.
        given: What else the record says and nothing here reads, such as a reward.
    """

    video: str
    question: str
    kind: str
    answer: Any
    options: tuple[str, ...] = ()
    observation: str = ""
    think: str = ""
    given_id: str = ""
    origin: str = ""
    facet: str = ""
    evidence: tuple[float, float] | None = None
    medium: Literal["video", "image"] = "video"
    given: Mapping[str, str] = field(default_factory=dict)

    def checked(self) -> Draft:
        """Return the draft with its answer in one form.

        Raises:
            BadRecord: It has no video, no question, or no answer of its kind; or its text could pass for a medium.
        """
        if not self.video.strip():
            raise BadRecord("names no video")
        if not self.question.strip():
            raise BadRecord("asks no question")
        if self.evidence is not None and not 0 <= self.evidence[0] < self.evidence[1]:
            start, stop = self.evidence
            raise BadRecord(f"its evidence from {start:g} to {stop:g} s needs 0 <= start < end")
        for text in (self.question, *self.options):
            if found := SPECIAL.search(text):
                raise BadRecord(f"its text holds {found[0]}, which models read as a token of their own")
        return replace(self, question=self.question.strip(), answer=_answer(self))


class Reader(ABC):
    """One kind of record. A concrete reader sets `name` and is found by it."""

    name: ClassVar[str]

    @abstractmethod
    def fits(self, row: Row) -> bool:
        """Say whether the first row of a file looks like this kind."""

    @abstractmethod
    def drafts(self, row: Row) -> Sequence[Draft]:
        """Return the questions of one row, at least one.

        Raises:
            BadRecord: With the reason where the row cannot be used.
        """


def names() -> list[str]:
    """Return the names of all readers, sorted."""
    return sorted(discover(_PACKAGE, Reader))


def reader_of(name: str, first: Row) -> Reader:
    """Return the reader of a name; `auto` is the one that the first row of the file fits.

    Raises:
        RequestError: No such reader, or none fits.
    """
    if name != "auto":
        return lookup(_PACKAGE, Reader, "record format", name)()
    fitting = [made for kind in discover(_PACKAGE, Reader).values() if (made := kind()).fits(first)]
    if len(fitting) == 1:
        return fitting[0]
    columns = ", ".join(map(str, list(first)[:20]))
    raise RequestError(
        f"records with the columns {columns} are of no known format ({', '.join(names())}): "
        "say what the columns mean with --map COLUMN=FIELD,..."
    )


def text_of(row: Row, *keys: str) -> str:
    """Return the first of these columns that holds something, as text; empty where none does."""
    for key in keys:
        value = row.get(key)
        if value is not None and value != "" and value == value:
            return str(value)
    return ""


def untagged(text: str) -> str:
    """Return what stands between the tags of a field such as `<think>...</think>`, or the text where it has none.

    >>> untagged("<answer> B </answer>")
    'B'
    """
    found = re.fullmatch(r"\s*<(\w+)>(.*?)(?:</\1>)?\s*", text, re.DOTALL)
    return (found[2] if found else text).strip()


def unmarked(question: str) -> str:
    """Return a question without the marks of where its medium stood, at its start.

    >>> unmarked("<image>What is it?")
    'What is it?'
    """
    return _MARK.sub("", question)


def options_of(value: Any) -> tuple[str, ...]:
    """Return options without their letters from a list, or from text: JSON, a Python list, lines, or split at `|`.

    >>> options_of(["A. a cat", "B. a dog"]), options_of("a cat|a dog"), options_of("['a', 'b']")
    (('a cat', 'a dog'), ('a cat', 'a dog'), ('a', 'b'))
    """
    if value is None or (isinstance(value, float) and value != value):
        return ()
    if isinstance(value, Mapping):  # Letter to text.
        value = [value[key] for key in sorted(value)]
    found = _listed(value) if isinstance(value, str) else list(value)
    texts = [str(option).strip() for option in found if option is not None]
    lettered = [_LETTER.fullmatch(text) for text in texts]
    if texts and all(m is not None and m[1].upper() == LETTERS[at % 26] for at, m in enumerate(lettered)):
        texts = [m[2].strip() for m in lettered if m is not None]
    return tuple(text for text in texts if text)


def lettered(text: str) -> tuple[str, tuple[str, ...]]:
    r"""Return (question, options) of a text whose options stand on lettered lines; no options where fewer than two do.

    What follows the options is an instruction on the form of the reply, and is left out.

    >>> lettered("What is it?\n(A) a cat\n(B) a dog\nReply with a letter.")
    ('What is it?', ('a cat', 'a dog'))
    """
    lines = text.splitlines()
    options: list[str] = []
    first = len(lines)
    for place, line in enumerate(lines):
        found = _LINE.fullmatch(line)
        if found and len(options) < len(LETTERS) and found[1] == LETTERS[len(options)]:
            first = min(first, place)
            options.append(found[2])
    return ("\n".join(lines[:first]), tuple(options)) if len(options) > 1 else (text, ())


def _listed(text: str) -> list[Any]:
    if text.strip().startswith("["):
        for parse in (json.loads, ast.literal_eval):
            try:
                return list(parse(text.strip()))
            except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
                continue
    return text.strip().split("\n" if "\n" in text.strip() else "|") if text.strip() else []


def _answer(draft: Draft) -> Any:
    """Return the answer in the form of its kind."""
    if draft.kind == "choice":
        return _letter(draft)
    if draft.kind == "span":
        start, stop = draft.answer
        if not 0 <= start < stop < float("inf"):
            raise BadRecord(f"its span from {start:g} to {stop:g} s is none: it needs 0 <= start < end")
        return [float(start), float(stop)]
    text = str(draft.answer).strip()
    if not text:
        raise BadRecord("has no answer")
    if draft.kind in ("number", "regression") and parse_number(text) is None:
        raise BadRecord(f"its answer {text[:60]!r} is no number")
    if draft.kind in ("ocr", "text") and parse_words(text) is None:
        raise BadRecord("its answer has more than 2,000 words")
    return text


def _letter(draft: Draft) -> str:
    if not 2 <= len(draft.options) <= len(LETTERS):
        raise BadRecord(f"a choice needs 2 to {len(LETTERS)} options, it has {len(draft.options)}")
    if len({" ".join(option.casefold().split()) for option in draft.options}) < len(draft.options):
        raise BadRecord("two of its options are equal")
    place = parse_choice(str(draft.answer), draft.options)
    if place is None:
        raise BadRecord(f"its answer {str(draft.answer)[:60]!r} is none of its {len(draft.options)} options")
    return LETTERS[place]
