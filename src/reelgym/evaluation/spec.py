"""What a benchmark is: a declaration of where its rows are, what their columns mean, and which numbers it reports.

One file in `evaluation/benchmarks/` holds one `Benchmark` (or a few of one paper); none holds code. What every
benchmark shares is read by `evaluation.rows`, made into samples by `evaluation.questions`, scored by the task
`benchmark` and summed up by `evaluation.metrics`.

A column is named, or is a template of names in braces: `{dataset}/{scene_name}`. `{@file}` is the stem of the row's
file, `{@dir}` the name of its folder, `{a.b}` a field of a column that is a record, `{a:file}` the last part of a path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Access = Literal["open", "gated", "agreement", "hidden labels", "embedded"]
Form = Literal["letter", "index", "text", "number", "span", "spans", "places"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the rows are.

    Attributes:
        hub: The dataset's id on the Hugging Face hub, or the repository that publishes it.
        files: Patterns below the folder of the data; the first that matches any file gives the files.
        config: The hub's name of the part; empty for the only one. Of the rendered world, the kind of scene.
        split: The hub's name of the split.
        inside: Column that holds the list of questions of a row; each takes over the columns around it.
        folders: Stem of a file to the folder of its videos, which templates name `{@folder}`.
        gathered: New column, a list, to the columns of its members, for files that hold those in its place.
        joined: New column to `FILE:PATH`, a path of templates into a JSON file beside the rows.
        keyed: Whether a file is one JSON object from ids, which templates name `{@key}`, to rows.
        adds: Names the code that adds columns to a row (`evaluation.sources.ADDED`).
        plugin: Names the code that makes rows of something that is no table (`evaluation.sources.PLUGINS`).
    """

    hub: str
    files: tuple[str, ...]
    config: str = ""
    split: str = "test"
    inside: str = ""
    folders: Mapping[str, str] = field(default_factory=dict)
    gathered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    joined: Mapping[str, str] = field(default_factory=dict)
    keyed: bool = False
    adds: str = ""
    plugin: str = ""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What the columns of a row mean.

    Attributes:
        video: Templates of the video's path below the folder of videos; the first that is a file counts.
        question: Template of what is asked, without options.
        answer: Column of the right answer.
        form: How it is written: a letter, a place from 0, the text of an option, a number, one interval, several, or
            the places (from 0) that the shown things have in the right order.
        id: Template of the row's own id; empty makes it of file and row.
        options: Column of all options (list, JSON, or letters to texts), columns of one option each, or `in question`.
        bounds: Columns of start and end in seconds where only that part of the video is shown; a row without them
            shows the whole.
        spans: Column of the evidence's intervals [[start, end], ...] in seconds.
        facts: Column of what is known of the video, kept as evidence of every question.
        facets: Name to template: what results are broken down by.
        renamed: Facet to {value: other value}: values that count as one.
    """

    video: tuple[str, ...]
    question: str = "{question}"
    answer: str = "answer"
    form: Form = "letter"
    id: str = ""
    options: str | tuple[str, ...] = ""
    bounds: tuple[str, str] | None = None
    spans: str = ""
    facts: str = ""
    facets: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class View:
    """One way to ask a row; most benchmarks have one.

    Attributes:
        name: Facet `view` of its samples; empty for the only one.
        kind: A key of `tasks.benchmark.KINDS`, or `choice or KIND`: the other kind where a row has no options.
        shows: The whole video (or its bounds), or the evidence alone, its intervals one after the other.
        ask: What is said about the answer; None says what `rows.ASKS` says of the kind.
        question: Template of what is asked, in place of the columns' own.
        answer: Column of the right answer, in place of the columns' own.
        where: Columns and the values that a row needs for this view; empty asks every row.
        ending: Whether the last two frames shown are those of the video's end and a second before, whatever the rate.
        parts: Templates of the videos that are shown one after the other, in place of the columns' own.
    """

    name: str = ""
    kind: str = "choice"
    shows: Literal["whole", "evidence"] = "whole"
    ask: str | None = None
    question: str = ""
    answer: str = ""
    where: Mapping[str, str] = field(default_factory=dict)
    ending: bool = False
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One reported number: a mean over rows, or a mean of means.

    Attributes:
        name: What it is called.
        part: The score's part that is averaged.
        by: Facets from the outermost in: the mean over the groups of the first of the means over the groups of the
            next, ..., of the mean over rows. Empty is the mean over all rows.
        where: Facets that rows must have to be counted.
        weight: Facet that rows are weighted by; empty weights all alike.
        all_of: Facet whose rows count as one: their least score.
        formula: Names the code that makes the number of others (`evaluation.metrics.FORMULAS`).
        of: Names of the metrics that the formula takes.
    """

    name: str
    part: str = "value"
    by: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    weight: str = ""
    all_of: str = ""
    formula: str = ""
    of: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A published number, with the setting without which it says nothing."""

    model: str
    metric: str
    score: float
    setting: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A benchmark as data.

    Attributes:
        name: What the command line calls it; unique, also without case and punctuation.
        title: As its authors write it.
        about: One line.
        version: Raised whenever the same rows would give other samples.
        paper: Where it was published.
        access: What it takes to get the data.
        licence: As its page says; `unknown` where that was not found.
        source: Where the rows are.
        columns: What they mean.
        views: The ways each row is asked.
        metrics: What is reported; the first is the headline.
        questions: How many rows the published set has; 0 where unknown.
        broken: How many of them make no question: so many may be left out of a whole result.
        videos: How many videos.
        type_facet: The facet of the best constant per type (`evaluation.floors`).
        frames: Frames of a clip at most.
        fps: Frames per second of a clip at most.
        max_pixels: Largest area of a frame.
        judge: Of free answers: the highest grade of the judge, and the least that is right; (1, 1) is yes or no.
        steps: Whether its facts are the steps of a right line of reasoning, by which a judge measures that of a reply.
        references: Published numbers.
        checked: What its numbers were compared with; empty where the spec never saw the real files.
        notes: What a reader of its numbers must know.
    """

    name: str
    title: str
    about: str
    version: int = 1
    paper: str
    access: Access
    licence: str
    source: Source
    columns: Columns
    views: tuple[View, ...] = (View(),)
    metrics: tuple[Metric, ...] = (Metric(name="accuracy"),)
    questions: int
    broken: int = 0
    videos: int
    type_facet: str = ""
    frames: int = 32
    fps: float = 2.0
    max_pixels: int = 128 * 28 * 28
    judge: tuple[int, int] = (1, 1)
    steps: bool = False
    references: tuple[Reference, ...] = ()
    checked: str = ""
    notes: tuple[str, ...] = ()

    def about_line(self) -> dict[str, Any]:
        """Return what `reelgym list benchmarks` shows."""
        return {
            "about": self.about,
            "source": self.source.hub,
            "access": self.access,
            "licence": self.licence,
            "questions": self.questions,
            "videos": self.videos,
            "metric": self.metrics[0].name,
            "checked": self.checked or "schema from the card, never run on the real files",
        }
