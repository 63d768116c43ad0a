"""Labelled records: a question of one's own about a video, with its answer.

What it does. Scores replies to samples that `reelgym import` made from records with answers; it cuts none itself.
Why. Labelled questions stand beside puzzles in the same dataset form, with the same scorers for training, evaluation
and export.
Example. `Which animal is it?` with the options a cat and a dog; answer `B`.
How it is scored. By the kind of answer, in `evidence.kind`: `choice` (the right letter), `number` (the same two
decimals), `regression` (1 - relative error), `ocr` (1 - word error rate), `text` (mean of three ROUGE measures), `span`
(intersection over union). Every other measure of the kind is a part; `published` is what the papers' own code gives.
Limits. Numbers and texts have no finite set of answers: their chance is 0, which says that none was enumerated. Free
text is compared by words; a right answer in other words scores low.
References. The kinds and their rewards are those of Video-R1 (arXiv 2503.21776) and VideoP2R (arXiv 2511.11113); spans
are Charades-STA's (arXiv 1705.02101). Where we differ is said in `scoring.number` and `scoring.words`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from reelgym.data.sample import Sample
from reelgym.scoring import Score, answer_text, corrected
from reelgym.scoring import published as papers
from reelgym.scoring.choice import LETTERS, choice_chance, choice_parts, parse_choice
from reelgym.scoring.graded import graded_chance
from reelgym.scoring.number import number_parts, parse_number
from reelgym.scoring.span import parse_span, span_chance, span_parts
from reelgym.scoring.words import parse_words, word_parts
from reelgym.tasks.base import MediaReader
from reelgym.tasks.recorded import Recorded

Parts = dict[str, float]


@dataclass(frozen=True)
class Kind:
    """How one kind of answer is read and scored.

    Attributes:
        parse: From the text of an answer and the sample to the answer, None where it cannot be read.
        parts: From what was read and the sample to every raw measure.
        chance: From the sample to the chance of every measure.
        value: Name of the measure that is the value.
        gold: From the sample to the right answer as text.
    """

    parse: Callable[[str, Sample], Any]
    parts: Callable[[Any, Sample], Parts]
    chance: Callable[[Sample], Parts]
    value: str
    gold: Callable[[Sample], str]


def _choice_truth(sample: Sample) -> int:
    return LETTERS.index(sample.answer)


def _number_truth(sample: Sample) -> float:
    truth = parse_number(sample.answer)
    assert truth is not None, f"{sample.id}: {sample.answer!r} is no number"
    return truth


def _span_truth(sample: Sample) -> tuple[float, float]:
    start, stop = sample.answer
    return float(start), float(stop)


def _text(sample: Sample) -> str:
    return str(sample.answer)


def _none_of(parts: Parts) -> Callable[[Sample], Parts]:
    return lambda sample: dict.fromkeys(parts, 0.0)


def _numeric(value: str) -> Kind:
    return Kind(
        parse=lambda text, sample: parse_number(text),
        parts=lambda reply, sample: number_parts(reply, _number_truth(sample)),
        chance=_none_of(number_parts(1, 1)),
        value=value,
        gold=_text,
    )


def _worded(value: str) -> Kind:
    return Kind(
        parse=lambda text, sample: parse_words(text),
        parts=lambda reply, sample: word_parts(reply, _text(sample)),
        chance=_none_of(word_parts("a", "a")),
        value=value,
        gold=_text,
    )


KINDS: dict[str, Kind] = {
    "choice": Kind(
        parse=lambda text, sample: parse_choice(text, sample.evidence["options"]),
        parts=lambda reply, sample: choice_parts(reply, _choice_truth(sample)),
        chance=lambda sample: choice_chance(len(sample.evidence["options"])),
        value="exact",
        gold=_text,
    ),
    "number": _numeric("exact"),
    "regression": _numeric("relative"),
    "ocr": _worded("word_accuracy"),
    "text": _worded("rouge"),
    "span": Kind(
        parse=lambda text, sample: parse_span(text),
        parts=lambda reply, sample: span_parts(reply, _span_truth(sample)),
        chance=lambda sample: span_chance(_span_truth(sample), sample.evidence["duration_seconds"]),
        value="iou",
        gold=lambda sample: "{:.6g} - {:.6g}".format(*_span_truth(sample)),
    ),
}
"""Kinds of answers by name."""


class Labelled(Recorded):
    """Answer a labelled question about a video; made by `reelgym import`, not by `synth` (arXiv 2511.11113)."""

    name: ClassVar[str] = "labelled"
    version: ClassVar[int] = 1
    refusal: ClassVar[str] = (
        "labelled samples are not cut from video: make them with `reelgym import FILE --videos DIR`"
    )

    def score(self, reply: str, sample: Sample) -> Score:
        """Return the score of a reply by the sample's kind of answer; an invalid one has 0 in every raw part."""
        kind = KINDS[sample.evidence["kind"]]
        text = answer_text(reply)
        parsed = None if text is None else kind.parse(text, sample)
        chances = _chances(sample)
        parts = dict.fromkeys(chances, 0.0) if parsed is None else kind.parts(parsed, sample)
        if "published" in chances:
            parts["published"] = papers.published(sample.evidence["kind"], text or "", _text(sample))
        skill = {f"{name}_corrected": corrected(part, chances[name]) for name, part in parts.items()}
        return Score(value=parts[kind.value], parts=parts | skill, valid=parsed is not None, parsed=parsed)

    def chance(self, sample: Sample) -> dict[str, float]:
        """Return the chance of every part and of `value`; 0 for numbers and texts, of which none is enumerated."""
        return graded_chance(_chances(sample), KINDS[sample.evidence["kind"]].value)

    def gold(self, sample: Sample) -> str:
        """Return the right answer as text, such as `B`, `3.5` or `4.2 - 10`."""
        return KINDS[sample.evidence["kind"]].gold(sample)

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return shortcuts that see nothing: the longest option, and the whole video as the interval."""
        if sample.evidence["kind"] == "choice":
            options = sample.evidence["options"]
            longest = max(range(len(options)), key=lambda place: len(options[place]))
            return {"longest_option": LETTERS[longest]}
        if sample.evidence["kind"] == "span":
            return {"whole_video": f"0 - {sample.evidence['duration_seconds']:.6f}"}
        return {}


def _chances(sample: Sample) -> Parts:
    """Return the chance of every measure; that of `published` is the value's."""
    name = sample.evidence["kind"]
    chances = KINDS[name].chance(sample)
    return chances | ({"published": chances[KINDS[name].value]} if name in papers.KINDS else {})
