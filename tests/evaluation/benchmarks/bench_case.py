"""What every benchmark's test needs: rows on disk in the published layout, small videos, and stored replies scored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reelgym.data.dataset import Dataset
from reelgym.data.messages import Text
from reelgym.data.sample import Sample
from reelgym.evaluation import benchmarks
from reelgym.evaluation.judged import Judges, judged
from reelgym.evaluation.metrics import measure
from reelgym.evaluation.purse import Metered
from reelgym.evaluation.questions import build
from reelgym.evaluation.results import Evaluation
from reelgym.evaluation.runner import grade
from reelgym.judges.steps import Chain
from reelgym.rewards.perception import Case, Verdict
from reelgym.video import write_mp4


def video(path: Path, seconds: int = 10, seed: int = 0) -> None:
    """Write a video of its own content, two frames a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, *path.name.encode()])
    write_mp4(path, rng.integers(0, 255, (2 * seconds, 56, 56, 3), np.uint8), fps=2)


def rows(path: Path, held: Sequence[Mapping[str, Any]] | Any) -> None:
    """Write rows as the file's name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(held)), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in held))
    elif path.suffix == ".csv":
        header = list(held[0])
        lines = [header, *([str(row[name]) for name in header] for row in held)]
        path.write_text("".join(",".join(line) + "\n" for line in lines))
    else:
        path.write_text(json.dumps(held))


def made(name: str, folder: Path) -> Dataset:
    """Return the questions of a benchmark whose rows lie in `folder/data` and videos in `folder/videos`."""
    return build(benchmarks.get(name), folder / "data", folder / "videos", folder / "questions", workers=1)


def prompt(sample: Sample) -> str:
    """Return the text of a prompt."""
    return "".join(part.text for message in sample.messages for part in message.parts if isinstance(part, Text))


def left_out(dataset: Dataset) -> list[tuple[str, str]]:
    """Return (file and row, reason) of every row that made no question."""
    return [(line["path"], line["reason"]) for line in dataset.quarantine]


def scored(dataset: Dataset, replies: Mapping[str, str]) -> Evaluation:
    """Return the evaluation of stored replies, by sample id, with its benchmark's metrics."""
    assert set(replies) == {sample.id for sample in dataset.samples}
    graded = tuple(grade(sample, replies[sample.id]) for sample in dataset.samples)
    plain = Evaluation(model="stored", position_rule="", variant="direct", probe=None, max_tokens=0, rows=graded)
    return replace(plain, metrics=measure(benchmarks.get(dataset.manifest["settings"]["benchmark"]), plain))


class Verdicts:
    """A judge that says what it is told: whether a text is right, None where it gives no verdict."""

    name = "told"

    def __init__(self, says: Callable[[str], bool | None]) -> None:
        self.says, self.asked = says, list[str]()
        self.endpoint = SimpleNamespace(price=(1.0, 2.0))

    def each(self, cases: Sequence[Case], work: Callable[[Case], Any]) -> Iterator[tuple[int, Any]]:
        yield from ((place, work(case)) for place, case in enumerate(cases))

    @contextmanager
    def metered(self) -> Iterator[Metered]:
        yield Metered(100, 10)

    def one(self, case: Case) -> Verdict:
        self.asked.append(str(case.observation))
        said = self.says(str(case.observation))
        return Verdict(None if said is None else float(said), "as told")


def decided(
    dataset: Dataset,
    evaluation: Evaluation,
    judge: Verdicts,
    steps: Callable[[Case], Chain | None] | None = None,
) -> Evaluation:
    """Return an evaluation with its free answers, and its steps, judged, and its benchmark's metrics."""
    told: Any = judge
    chains: Any = None if steps is None else SimpleNamespace(one=steps)
    found = judged(evaluation, dataset.samples, Judges(chat=told, answers=told, steps=chains))
    return replace(found, metrics=measure(benchmarks.get(dataset.manifest["settings"]["benchmark"]), found))


def values(evaluation: Evaluation) -> dict[str, float]:
    """Return the score of every row by id."""
    return {row.id: row.value for row in evaluation.rows}


def means(evaluation: Evaluation) -> dict[str, float]:
    """Return the mean of every metric, to four decimals."""
    return {name: round(metric["mean"], 4) for name, metric in evaluation.metrics.items()}
