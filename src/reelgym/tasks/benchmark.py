"""Questions of benchmarks: one scorer for every kind of answer that a benchmark's spec can declare.

What it does. Scores replies to samples made from a benchmark's rows (`evaluation.benchmarks`); it cuts none itself.
Why. The number of an evaluation and the reward of a training run come from the same object.
Example. `What falls?` with the options a cup and a ball; the reply `The answer is (B).` earns 1.
How it is scored. By `evidence.kind`: `choice`, `number` (mean relative accuracy), `span` and `spans` (intersection over
union), `order` (all places right; `step` is the share of places), `grounded` (a letter and an interval; the value is
whether the letter is right), `short` (the same number or the same words), `open` (as `short`; in an evaluation a judge
decides on what is not the same), `boxes` (intersection over union of one box per second), `operations` (1 where they
lead a simulated state to the goal). The value is that of the lenient reading (`scoring.lenient`), which keeps the
strict one wherever there is one; the part `strict` is the same measure of the strict reading alone, and `parsed` holds
both.
Limits. A reply that cannot be read earns 0 and is counted as invalid; nothing is ever guessed in its place. Numbers,
words, boxes and operations have no finite set of answers: their chance is 0. Of operations no right ones are known.
References. VSI-Bench (arXiv 2412.14171), Charades-STA (arXiv 1705.02101), NExT-GQA (arXiv 2309.01327), VCRBench
(arXiv 2505.08455), CG-Bench (arXiv 2412.12075), V-STaR (arXiv 2503.11495), VideoReasonBench (arXiv 2505.23359).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from reelgym.data.sample import Sample
from reelgym.scoring import Score, answer_text
from reelgym.scoring import intervals as several
from reelgym.scoring.boxes import Track, box_parts, find_boxes, parse_boxes
from reelgym.scoring.boxes import written as boxes_written
from reelgym.scoring.choice import LETTERS, choice_parts, parse_choice
from reelgym.scoring.graded import graded_chance, graded_score
from reelgym.scoring.lenient import final_text, find_choice, find_number, find_order, find_spans
from reelgym.scoring.number import parse_number
from reelgym.scoring.parse import parse_indices
from reelgym.scoring.short import bare, is_right, right_texts, stated
from reelgym.scoring.simulated import Moves, find_moves, parse_moves, reached
from reelgym.scoring.span import Span, parse_span, span_chance, span_parts
from reelgym.tasks.base import MediaReader
from reelgym.tasks.labelled import KINDS as LABELLED
from reelgym.tasks.recorded import Recorded

Parts = dict[str, float]
Grounded = tuple[int, Span | None]

READINGS = ("strict", "read_strictly")
"""Parts that every kind has: the value of the strict reading, and whether there was one."""

_BOTH = re.compile(r"\(?([A-Za-z])\)?\s*[.,:;]?\s+(.+)", re.DOTALL)


@dataclass(frozen=True)
class Kind:
    """How one kind of answer is read, strictly and leniently, and scored.

    Attributes:
        strict: From the text of an answer to the answer; None where it is not the answer and nothing else.
        lenient: From a whole reply to the one answer that it states, or None.
        parts: From what was read to every raw measure.
        chance: The chance of every measure.
        value: Name of the measure that is the value.
        gold: The right answer as text.
    """

    strict: Callable[[str, Sample], Any]
    lenient: Callable[[str, Sample], Any]
    parts: Callable[[Any, Sample], Parts]
    chance: Callable[[Sample], Parts]
    value: str
    gold: Callable[[Sample], str]


def _options(sample: Sample) -> Sequence[str]:
    return list(sample.evidence["options"])


def _truths(sample: Sample) -> tuple[Span, ...]:
    return tuple((float(start), float(stop)) for start, stop in sample.evidence["spans"])


def _seconds(sample: Sample) -> float:
    return float(sample.evidence["duration_seconds"])


def _one_span(reply: str) -> Span | None:
    found = find_spans(reply)
    return found[0] if found and len(found) == 1 else None


def _strict_spans(text: str) -> tuple[Span, ...] | None:
    """Return one to five intervals, a line or a semicolon apart and nothing else, or None."""
    pieces = [piece for piece in re.split(r"[;\n]+", text) if piece.strip()]
    spans = tuple(span for piece in pieces if (span := parse_span(piece)) is not None)
    return spans if spans and len(spans) == len(pieces) <= 5 else None


def _order_parts(reply: Sequence[int], sample: Sample) -> Parts:
    truth = list(sample.answer)
    right = sum(a == b for a, b in zip(reply, truth, strict=True))
    return {"exact": float(right == len(truth)), "step": right / len(truth)}


def _order_chance(sample: Sample) -> Parts:
    return {"exact": 1 / math.factorial(len(sample.answer)), "step": 1 / len(sample.answer)}


def _strict_grounded(text: str, sample: Sample) -> Grounded | None:
    found = _BOTH.fullmatch(text.strip())
    span = parse_span(found[2]) if found else None
    place = LETTERS.find(found[1].upper()) if found else -1
    return (place, span) if span is not None and 0 <= place < len(_options(sample)) else None


def _lenient_grounded(reply: str, sample: Sample) -> Grounded | None:
    """Return the letter with the interval; a letter alone is an answer without grounding."""
    text = final_text(reply) or ""
    head = re.split(r"[,;:\s]\s*(?=[(\[]?\d)", text, maxsplit=1)[0]
    for said in (text, head):
        if (place := find_choice(said, _options(sample))) is not None:
            return place, _one_span(reply)
    return None


def _grounded_parts(reply: Grounded, sample: Sample) -> Parts:
    exact = choice_parts(reply[0], LETTERS.index(sample.answer))["exact"]
    found = several.best_parts(reply[1] or (0.0, 0.0), _truths(sample))
    return {"exact": exact, **found, "acc_gqa": exact * float(found["iop"] >= several.GROUNDED_AT)}


def _grounded_chance(sample: Sample) -> Parts:
    exact = 1 / len(_options(sample))
    found = several.interval_chance(several.best_parts, _truths(sample), _seconds(sample))
    return {"exact": exact, **found, "acc_gqa": exact * found["iop_0.5"]}


def _clue_parts(reply: Span, truth: tuple[Span, ...]) -> Parts:
    return several.clue_parts([reply], truth)


def _track(sample: Sample) -> Track:
    return [(int(second), (box[0], box[1], box[2], box[3])) for second, box in sample.evidence["facts"]["boxes"]]


def _found_moves(reply: str, sample: Sample) -> Moves | None:
    text = stated(reply)
    return find_moves(sample.evidence["facts"]["demo"], text) if text else None


def _written(span: Sequence[float]) -> str:
    return f"{float(span[0]):.6g} - {float(span[1]):.6g}"


_SHORT = Kind(
    strict=lambda text, sample: bare(text),
    lenient=lambda reply, sample: stated(reply),
    parts=lambda reply, sample: {"exact": float(is_right(reply, right_texts(sample.answer)))},
    chance=lambda sample: {"exact": 0.0},
    value="exact",
    gold=lambda sample: right_texts(sample.answer)[0],
)

JUDGED = ("open",)
"""Kinds of which rules know only what is the same: a judge decides the rest."""

KINDS: dict[str, Kind] = {
    "choice": Kind(
        strict=lambda text, sample: parse_choice(text, _options(sample)),
        lenient=lambda reply, sample: find_choice(reply, _options(sample)),
        parts=LABELLED["choice"].parts,
        chance=LABELLED["choice"].chance,
        value="exact",
        gold=LABELLED["choice"].gold,
    ),
    "number": Kind(
        strict=lambda text, sample: parse_number(text),
        lenient=lambda reply, sample: find_number(reply),
        parts=LABELLED["number"].parts,
        chance=LABELLED["number"].chance,
        value="mean_relative",
        gold=LABELLED["number"].gold,
    ),
    "span": Kind(
        strict=lambda text, sample: parse_span(text),
        lenient=lambda reply, sample: _one_span(reply),
        parts=lambda reply, sample: span_parts(reply, _truths(sample)[0]),
        chance=lambda sample: span_chance(_truths(sample)[0], _seconds(sample)),
        value="iou",
        gold=lambda sample: _written(_truths(sample)[0]),
    ),
    "spans": Kind(
        strict=lambda text, sample: _strict_spans(text),
        lenient=lambda reply, sample: find_spans(reply),
        parts=lambda reply, sample: several.clue_parts(reply, _truths(sample)),
        chance=lambda sample: several.interval_chance(_clue_parts, _truths(sample), _seconds(sample)),
        value="iou",
        gold=lambda sample: "; ".join(map(_written, _truths(sample))),
    ),
    "order": Kind(
        strict=lambda text, sample: parse_indices(text, len(sample.answer), len(sample.answer)),
        lenient=lambda reply, sample: find_order(reply, len(sample.answer)),
        parts=_order_parts,
        chance=_order_chance,
        value="exact",
        gold=lambda sample: ", ".join(map(str, sample.answer)),
    ),
    "boxes": Kind(
        strict=lambda text, sample: parse_boxes(text),
        lenient=lambda reply, sample: find_boxes(reply),
        parts=lambda reply, sample: box_parts(reply, _track(sample)),
        chance=lambda sample: dict.fromkeys(box_parts([], _track(sample)), 0.0),
        value="viou",
        gold=lambda sample: boxes_written(_track(sample)),
    ),
    "operations": Kind(
        strict=lambda text, sample: parse_moves(sample.evidence["facts"]["demo"], text),
        lenient=_found_moves,
        parts=lambda reply, sample: {"exact": float(reached(sample.evidence["facts"], reply))},
        chance=lambda sample: {"exact": 0.0},
        value="exact",
        gold=lambda sample: "",
    ),
    "short": _SHORT,
    "open": _SHORT,
    "grounded": Kind(
        strict=_strict_grounded,
        lenient=_lenient_grounded,
        parts=_grounded_parts,
        chance=_grounded_chance,
        value="exact",
        gold=lambda sample: f"{sample.answer} {_written(_truths(sample)[0])}",
    ),
}
"""Kinds of answers by name."""


class BenchmarkQuestion(Recorded):
    """Answer a question of a benchmark; made by `reelgym eval NAME --data FOLDER`, not by `synth`."""

    name: ClassVar[str] = "benchmark"
    version: ClassVar[int] = 1
    refusal: ClassVar[str] = (
        "questions of benchmarks are not cut from video: read them with `reelgym eval NAME --data FOLDER`"
    )

    def score(self, reply: str, sample: Sample) -> Score:
        """Return the score of the lenient reading, with the strict one beside it; unreadable earns 0 in every part."""
        kind = KINDS[sample.evidence["kind"]]
        text = answer_text(reply)
        strict = None if text is None else kind.strict(text, sample)
        lenient = strict if strict is not None else kind.lenient(reply, sample)
        parts = None
        if lenient is not None:
            parts, read = kind.parts(lenient, sample), float(strict is not None)
            parts |= {"strict": read * parts[kind.value], "read_strictly": read}
        return graded_score(parts, _chances(kind, sample), kind.value, {"strict": strict, "lenient": lenient})

    def chance(self, sample: Sample) -> dict[str, float]:
        """Return the chance of every part and of `value`; 0 for numbers, of which none is enumerated."""
        kind = KINDS[sample.evidence["kind"]]
        return graded_chance(_chances(kind, sample), kind.value)

    def gold(self, sample: Sample) -> str:
        """Return the right answer as text, such as `B`, `3.5`, `4.2 - 10`, `2, 1, 3` or `B 4.2 - 10`."""
        return KINDS[sample.evidence["kind"]].gold(sample)

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return shortcuts that see nothing: the longest option, and the whole video as the interval."""
        kind, found = sample.evidence["kind"], {}
        longest = LETTERS[max(range(len(o)), key=lambda p: len(o[p]))] if (o := sample.evidence.get("options")) else ""
        whole = f"0 - {_seconds(sample):.6f}"
        if kind == "choice":
            found["longest_option"] = longest
        elif kind in ("span", "spans"):
            found["whole_video"] = whole
        elif kind == "grounded":
            found["longest_option"] = f"{longest} {whole}"
        return found


def _chances(kind: Kind, sample: Sample) -> Parts:
    """Return the chance of every measure; that of `strict` is the value's, and every valid answer can be read."""
    chances = kind.chance(sample)
    return chances | {"strict": chances[kind.value], "read_strictly": 1.0}
