"""What a page shows, as plain values: whoever has results fills these, `page.write_page` draws them.

Images are encoded bytes, all else is text, numbers and tuples. Empty tuples and Nones leave their part of the page out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["before", "after", "blind", "floor", "plain"]


@dataclass(frozen=True, kw_only=True)
class Number:
    """A mean, with the limits of its interval where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One row of the headline table: the same quantity before and after, beside chance and the blind probe.

    Attributes:
        name: What is measured, in words.
        before: The untouched model.
        after: The trained one.
        difference: after - before over the same samples, paired.
        chance: What guessing earns; None where chance has no meaning (rates).
        blind: The trained model shown grey frames.
        corrected: Before and after as (s - c) / (1 - c): 0 is guessing, 1 perfect; None where chance has no meaning.
        good: Whether more of it is better (`up`), worse (`down`), or neither.
        note: A word of explanation under the name.
    """

    name: str
    before: Number | None = None
    after: Number | None = None
    difference: Number | None = None
    chance: float | None = None
    blind: Number | None = None
    corrected: tuple[float | None, float] | None = None
    good: Literal["up", "down", "none"] = "up"
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar of the before/after picture; `role` decides how it is drawn."""

    label: str
    number: Number
    role: Role = "plain"


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Bars from 0 with intervals, chance as a line across them."""

    title: str
    bars: tuple[Bar, ...]
    chance: float | None = None
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One number in a row of a plot; `series` is its place in the plot's legend and decides its colour."""

    number: Number
    series: int = 0


@dataclass(frozen=True, kw_only=True)
class DotRow:
    """One row of a plot.

    Attributes:
        label: What it is.
        kind: `model`, `probe` (drawn hollow, set in), `floor` (drawn as a square) or `part` (a value of a facet).
        dots: One per series that has it.
        note: A word after the label, such as how many questions.
        chance: Of this row alone; the plot's own is drawn across all rows.
        warning: A word that may not be missed, such as `partial`.
    """

    label: str
    kind: Literal["model", "probe", "floor", "part"] = "model"
    dots: tuple[Dot, ...] = ()
    note: str = ""
    chance: float | None = None
    warning: str = ""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Dots with their intervals, one row each, on a scale of shares from 0; chance as a dashed line.

    `signed` plots are of differences: in percentage points, to both sides of 0.
    """

    title: str
    rows: tuple[DotRow, ...]
    chance: float | None = None
    series: tuple[str, ...] = ()
    caption: str = ""
    signed: bool = False


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a chart: (x, y) points in the order of x. `marked` draws the points too (sparse measurements)."""

    label: str
    points: tuple[tuple[float, float], ...]
    marked: bool = False


@dataclass(frozen=True, kw_only=True)
class Curves:
    """One chart: lines over training steps, a chance level as a dashed line, `marks` (x, words) as upright ones."""

    title: str
    series: tuple[Series, ...]
    x: str = "step"
    chance: float | None = None
    share: bool = False
    caption: str = ""
    marks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Something that went wrong in training: since when, what was seen, why it happens, what to do."""

    step: int
    name: str
    seen: str
    cause: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """Any other table: seeds, floors, counts. The first column names the row; further lines of a cell are small."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One picture, with its time in the video where it may be shown.

    Attributes:
        image: PNG, JPEG or WebP bytes (`images.encode` makes them); empty where `address` says where they are.
        seconds: Its time in the video.
        address: Where a served page fetches it.
        shape: Height and width of the picture behind an address, where they are known.
    """

    image: bytes = b""
    seconds: float | None = None
    address: str = ""
    shape: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of a reply. `name` is `observation`, `think`, `answer` or empty."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Term:
    """One reward term of one reply; `segment` says what it was paid on."""

    name: str
    value: float
    segment: str = "completion"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a policy wrote about a puzzle and what it earned.

    Attributes:
        label: Who wrote it and when, in words ("before", "step 40, rollout 3 of 8").
        role: `before`, `after`, `blind`, `floor`, or `plain` (training rollouts).
        spans: The whole reply, cut into segments.
        answer: The answer read out of it; None where none could be read.
        score: Its score, None where unknown.
        valid: Whether an answer could be read.
        solved: Whether the answer is exactly right.
        stop: Why it ended: `eos`, `length` (cut off), `stop_string`, or empty.
        verdict: What became of it, in a word and how it is drawn (`good`, `bad` or empty); empty where nobody said.
        read: What a scorer read out of it, as (way of reading, answer).
        note: What else is told of it: why it was refused, its tokens.
        rewards: Reward terms; empty outside training.
        advantages: Advantage by segment name; empty outside training.
        tokens: Length of each segment, by its name; empty where nobody cut the tokens.
    """

    label: str
    spans: tuple[Span, ...]
    role: Role = "plain"
    answer: tuple[int, ...] | None = None
    score: float | None = None
    valid: bool = True
    solved: bool = False
    stop: str = ""
    verdict: tuple[str, str] = ("", "")
    read: tuple[tuple[str, str], ...] = ()
    note: str = ""
    rewards: tuple[Term, ...] = ()
    advantages: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)

    @property
    def segments(self) -> tuple[str, ...]:
        """What was paid apart (`think+answer` is one) and other segments, as written; none where only the whole was."""
        if not (self.rewards or self.advantages):
            return ()
        paid = dict.fromkeys(term.segment for term in self.rewards)
        held = {part for name in paid for part in name.split("+")}
        names = (*paid, *(name for name in {**self.tokens, **self.advantages} if name not in held | {"completion"}))
        place = {name: at for at, name in enumerate(self.tokens)}
        names = tuple(sorted(names, key=lambda name: place.get(name.split("+")[0], len(place))))
        return names if {*paid, *self.advantages} - {"completion"} else ()

    @property
    def credit(self) -> tuple[tuple[str, ...], tuple[tuple[str, tuple[float | None, ...]], ...]]:
        """The names of the reward terms, and of each segment its tokens, its reward terms and its advantage."""
        terms = tuple(dict.fromkeys(term.name for term in self.rewards))
        paid = {(term.name, term.segment): term.value for term in self.rewards}

        def row(name: str) -> tuple[float | None, ...]:
            parts = name.split("+")
            tokens = sum(self.tokens.get(part, 0) for part in parts) or None
            given = [self.advantages[part] for part in (*parts, "completion") if part in self.advantages]
            return (tokens, *(paid.get((term, name)) for term in terms), given[0] if given else None)

        return terms, tuple((name, row(name)) for name in self.segments)


@dataclass(frozen=True, kw_only=True)
class Puzzle:
    """One masked-video puzzle with the replies to it.

    Attributes:
        id: The sample's id.
        kind: What it may be filtered by (kind of scene, `real video`).
        question: The text of the prompt, media left out.
        before: Context frames before the gap.
        after: Context frames after the gap.
        candidates: The pool, in the order in which it is numbered from 1.
        answer: Right numbers in true time order.
        replies: What was written about it.
        note: One line under the title.
        strips: What else is shown, clip by clip and picture by picture, each with its label: of puzzles without a gap.
    """

    id: str
    kind: str = ""
    question: str = ""
    before: tuple[Frame, ...] = ()
    after: tuple[Frame, ...] = ()
    candidates: tuple[Frame, ...] = ()
    answer: tuple[int, ...] = ()
    replies: tuple[Reply, ...] = ()
    note: str = ""
    strips: tuple[tuple[str, tuple[Frame, ...]], ...] = ()

    @property
    def solved(self) -> bool | None:
        """Whether the last-trained reply is exactly right: the `after` one, else any; None where nobody can say."""
        judged = [reply for reply in self.replies if reply.role == "after"] or list(self.replies)
        return any(reply.solved for reply in judged) if judged and self.answer else None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the rows of a book are filtered by: one code per row, the place of its value, -1 for none."""

    name: str
    label: str
    values: tuple[str, ...]
    codes: tuple[int, ...]
    is_minor: bool = False


@dataclass(frozen=True, kw_only=True)
class Book:
    """Any number of questions to look through in the page itself: what is not looked at stays packed.

    Attributes:
        rows: JSON values of each row: `key`, `title`, `note`, `tags`, `figure`.
        texts: What a search of each row looks into.
        items: HTML of each row's item, escaped by its template; pictures are named by `data-frame`.
        choices: Filters.
        sorts: Label to the order of all rows, None for their own; the first is the usual one.
        frames: Pictures by name, encoded.
        note: How many questions are shown with pictures, and where the others are.
    """

    rows: tuple[Mapping[str, Any], ...]
    texts: tuple[str, ...]
    items: tuple[str, ...]
    choices: tuple[Choice, ...] = ()
    sorts: Mapping[str, tuple[int, ...] | None] = field(default_factory=dict)
    frames: Mapping[str, bytes] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Payload:
    """A whole page.

    Attributes:
        title: Of the document, a few words.
        headline: The result in one sentence.
        lead: A paragraph under it: what was done, on what.
        facts: Short (label, value) pairs shown under the headline.
        measures: The headline table.
        measures_caption: What its numbers are (rows, videos, level of the intervals).
        bars: The before/after picture.
        audits: What shortcuts solve, one picture per task.
        audits_caption: What they show.
        tables: Other tables, in order.
        curves: Learning curves, in order.
        puzzles: The browser of puzzles.
        book: The browser of questions.
        warnings: What may not be missed, a sentence each; the first thing on the page.
        decision: Which of several models to take; before the picture.
        plot: Scores beside floors and probes, one picture.
        differences: Between every two, one picture.
        readings: What the picture says, a sentence each.
        facets: Scores by facet, one picture each.
        facets_caption: What they show.
        limits: What the page does not show, a sentence each.
        provenance: (name, value) pairs: config digest, commit, versions, seconds.
        alarms: Of a run, oldest first.
        refresh_seconds: After how long a browser loads the page again; 0 for a page that stays.
    """

    title: str
    headline: str
    lead: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    measures: tuple[Measure, ...] = ()
    measures_caption: str = ""
    bars: Bars | None = None
    audits: tuple[Bars, ...] = ()
    audits_caption: str = ""
    tables: tuple[Table, ...] = ()
    curves: tuple[Curves, ...] = ()
    puzzles: tuple[Puzzle, ...] = ()
    book: Book | None = None
    warnings: tuple[str, ...] = ()
    decision: Table | None = None
    plot: Plot | None = None
    differences: Plot | None = None
    readings: tuple[str, ...] = ()
    facets: tuple[Plot, ...] = ()
    facets_caption: str = ""
    limits: tuple[str, ...] = ()
    provenance: tuple[tuple[str, str], ...] = ()
    alarms: tuple[Alarm, ...] = ()
    refresh_seconds: int = 0
