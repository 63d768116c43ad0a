"""What an evaluation leaves behind: every reply with its score, the numbers over them, and the files that hold both.

`EVAL/results.json` holds settings and numbers of one or more evaluations of the same samples (the plain one, the other
prompt, probes, floors), `EVAL/replies-NAME.parquet` every reply of each. Model-free: read and compared without torch.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reelgym.data.files import replacing
from reelgym.errors import RequestError, WorkError
from reelgym.scoring.statistics import Interval, clustered_mean

FORMAT_VERSION = 1
"""Of results.json and the replies beside it."""

OUTCOMES = ("ok", "refusal", "filtered", "cut_off", "empty", "failed")
"""What may become of asking; of a failed one no reply came."""

RATES = ("invalid", "cut_off")
"""What is counted over all rows beside the scores."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One reply and what it earned.

    Attributes:
        id: The sample's id; pairs rows of different evaluations.
        source: Identity of its source video; the cluster of every interval.
        reply: What the policy wrote.
        parsed: What the scorer read out of it, as JSON; None where it could read nothing.
        valid: Whether the reply could be read. An unreadable reply scores 0 and is counted apart.
        value: The score.
        parts: The score's parts, raw, by name.
        chance: What guessing earns, for `value` and for parts, by name.
        stop: Why the reply ended: `eos`, `length` (cut off) or `stop_string`.
        tokens: Length of the reply; 0 where nothing was generated (floors).
        facets: What results are broken down by.
        outcome: What became of asking, one of `OUTCOMES`.
        reason: Why an endpoint refused or failed, as it says; of a judged answer what the judge said.
        prompt_tokens: Tokens read; 0 where nobody counts.
        frames: Shown, images among them.
        turns: How often the model wrote; 0 where nobody was asked (floors).
        judge_prompt_tokens: Read by a judge of this reply; 0 where none was asked.
        judge_tokens: Written by it.
        seconds: What the reply took, of a batch an equal share; 0 where nobody measured. Equal rows may differ in it.
    """

    id: str
    source: str
    reply: str
    parsed: Any
    valid: bool
    value: float
    parts: dict[str, float]
    chance: dict[str, float]
    stop: str
    tokens: int
    facets: dict[str, str | int | float] = field(default_factory=dict)
    outcome: str = "ok"
    reason: str = ""
    prompt_tokens: int = 0
    frames: int = 0
    turns: int = 0
    judge_prompt_tokens: int = 0
    judge_tokens: int = 0
    seconds: float = field(default=0.0, compare=False)

    def number(self, part: str) -> float:
        """Return `value`, a rate as 0 or 1, or a part of the score; NaN where the row has no such part."""
        if part == "value":
            return self.value
        if part == "invalid":
            return float(not self.valid)
        if part == "cut_off":
            return float(self.stop == "length")
        return self.parts.get(part, math.nan)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All replies of one policy to one set of samples, under one prompt and at most one probe.

    Attributes:
        model: What was asked: a model's name, or `floor:NAME`.
        position_rule: The adapter's rule of positions, empty for floors; results under different rules never compare.
        variant: The prompt: `direct` or `tagged`; `none` for floors.
        probe: What was taken away, or None.
        max_tokens: Cap of a reply.
        rows: One per sample, in the samples' order.
        seconds: What all replies took together, those of an earlier run included; where nobody measures single ones,
            the wall clock of asking and scoring.
        settings: Whatever else the numbers depend on (dataset digest, commit, versions), JSON.
        metrics: What a benchmark reports of these rows, by name (`metrics.measure`), JSON.
    """

    model: str
    position_rule: str
    variant: str
    probe: str | None
    max_tokens: int
    rows: tuple[Row, ...]
    seconds: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    @property
    def clusters(self) -> list[str]:
        """The source video of each row."""
        return [row.source for row in self.rows]

    def parts(self) -> list[str]:
        """Return `value` and the name of every part of the score that some row has."""
        return ["value", *dict.fromkeys(name for row in self.rows for name in row.parts)]

    def numbers(self, part: str) -> NDArray[np.float64]:
        """Return (R,) one number per row; NaN where a row has no such part."""
        return np.array([row.number(part) for row in self.rows], dtype=np.float64)

    def mean(self, part: str = "value", *, level: float = 0.95, seed: int = 0) -> Interval:
        """Return the mean of a part, or of a rate, with its video-clustered interval; rows without it are left out."""
        numbers = self.numbers(part)
        there = ~np.isnan(numbers)
        if not there.any():
            raise RequestError(f"no row has the part {part!r}; there are {', '.join([*self.parts(), *RATES])}")
        kept = [cluster for cluster, keep in zip(self.clusters, there, strict=True) if keep]
        return clustered_mean(numbers[there], kept, level=level, seed=seed)

    def usage(self) -> dict[str, Any]:
        """Return how asking went: rows by outcome, frames, turns, tokens, and money where a price is stored.

        What a judge took is told apart, under `judge`, where there was one.
        """
        counts = Counter(row.outcome for row in self.rows)
        read, written = (sum(row.prompt_tokens for row in self.rows), sum(row.tokens for row in self.rows))
        judge: dict[str, Any] = {}
        if self.settings.get("judge"):
            judge["prompt_tokens"] = sum(row.judge_prompt_tokens for row in self.rows)
            judge["completion_tokens"] = sum(row.judge_tokens for row in self.rows)
            judge["money"] = _money(self.settings.get("judge_price"), *judge.values())
        return {
            "outcomes": {name: counts[name] for name in OUTCOMES if counts[name]},
            "frames": sum(row.frames for row in self.rows),
            "turns": sum(row.turns for row in self.rows),
            "prompt_tokens": read,
            "completion_tokens": written,
            "money": _money(self.settings.get("price"), read, written),
            **({"judge": judge} if judge else {}),
        }

    def chance(self, part: str = "value") -> float | None:
        """Return what guessing earns on these rows, or None where no row states it."""
        stated = [row.chance[part] for row in self.rows if part in row.chance]
        return float(np.mean(stated)) if stated else None

    def corrected(self, part: str = "value", *, level: float = 0.95, seed: int = 0) -> Interval | None:
        """Return the mean of (s - c) / (1 - c) with its interval, c the row's own chance; None where none is stated.

        0 is guessing, 1 is perfect, below 0 is worse than guessing; nothing is clipped.
        """
        rows = [row for row in self.rows if row.chance.get(part, 1.0) < 1.0 and not math.isnan(row.number(part))]
        if not rows:
            return None
        numbers = [(row.number(part) - row.chance[part]) / (1.0 - row.chance[part]) for row in rows]
        return clustered_mean(numbers, [row.source for row in rows], level=level, seed=seed)

    def summary(self, *, level: float = 0.95) -> dict[str, Any]:
        """Return the settings and all numbers as JSON values: what results.json holds."""
        scores = {part: self._score(part, level) for part in self.parts()}
        return {
            "model": self.model,
            "position_rule": self.position_rule,
            "variant": self.variant,
            "probe": self.probe,
            "max_tokens": self.max_tokens,
            "rows": len(self),
            "videos": len(set(self.clusters)),
            "seconds": round(self.seconds, 3),
            "settings": self.settings,
            "scores": scores,
            **{f"{rate}_rate": self.mean(rate, level=level).to_json() for rate in RATES},
            "usage": self.usage(),
            **({"metrics": self.metrics} if self.metrics else {}),
        }

    def _score(self, part: str, level: float) -> dict[str, Any]:
        corrected = self.corrected(part, level=level)
        return {
            **self.mean(part, level=level).to_json(),
            "chance": self.chance(part),
            "corrected": None if corrected is None else corrected.to_json(),
        }


def write(folder: str | Path, evaluations: dict[str, Evaluation], findings: Mapping[str, Any] | None = None) -> Path:
    """Write named evaluations into a folder, each file to a temporary name first, results.json last; return the folder.

    Args:
        folder: Made where it is not there.
        evaluations: By name.
        findings: What floors and probes say together (`findings.findings`), JSON; kept under that key.

    Raises:
        RequestError: A name that cannot be part of a file name.
        WorkError: The disk refused.
    """
    for name in evaluations:
        if not name or not all(letter.isalnum() or letter in "-_." for letter in name):
            raise RequestError(f"evaluation name {name!r}: use letters, digits, '-', '_' and '.'")
    place = Path(folder)
    results = {
        "format_version": FORMAT_VERSION,
        "evaluations": {name: evaluation.summary() for name, evaluation in evaluations.items()},
        **({} if findings is None else {"findings": dict(findings)}),
    }
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, evaluation in evaluations.items():
            with replacing(place / f"replies-{name}.parquet") as temporary:
                pq.write_table(_table(evaluation.rows), temporary, compression="zstd")
        text = json.dumps(results, indent=2, allow_nan=False, ensure_ascii=False)
        with replacing(place / "results.json") as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise WorkError(f"{place}: could not write the evaluation: {error.strerror or error}") from error
    return place


def read(folder: str | Path) -> dict[str, Evaluation]:
    """Return the named evaluations of a folder written by `write`.

    Raises:
        RequestError: The folder holds no evaluation, or one of another format version, or its files do not fit.
    """
    place = Path(folder)
    try:
        results = json.loads((place / "results.json").read_text("utf-8"))
        version = results["format_version"]
        stored = results["evaluations"]
    except OSError:
        raise RequestError(f"{place} holds no evaluation (no results.json): give the --out of `reelgym eval`") from None
    except (ValueError, KeyError, TypeError) as error:
        raise RequestError(f"{place / 'results.json'} is not an evaluation's results: {error}") from None
    if version != FORMAT_VERSION:
        raise RequestError(f"{place}: results of format version {version}; this reelgym reads {FORMAT_VERSION}")
    return {name: _evaluation(place / f"replies-{name}.parquet", about) for name, about in stored.items()}


def _evaluation(path: Path, about: dict[str, Any]) -> Evaluation:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise RequestError(f"{path}: the replies cannot be read ({error}): run the evaluation again") from None
    rows = tuple(row_from_record(record) for record in table.to_pylist())
    if len(rows) != about["rows"]:
        raise RequestError(f"{path} holds {len(rows)} replies, results.json says {about['rows']}: run it again")
    plain = ("model", "position_rule", "variant", "probe", "max_tokens", "seconds", "settings")
    return Evaluation(rows=rows, metrics=about.get("metrics", {}), **{name: about[name] for name in plain})


def _money(price: Sequence[float] | None, read: int, written: int) -> float | None:
    return (read * price[0] + written * price[1]) / 1e6 if price else None


_JSON = ("parsed", "parts", "chance", "facets")
_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("id", "source", "reply", "parsed")]
    + [("valid", pa.bool_()), ("value", pa.float64()), ("parts", pa.string()), ("chance", pa.string())]
    + [("stop", pa.string()), ("tokens", pa.int64()), ("facets", pa.string())]
    + [("outcome", pa.string()), ("reason", pa.string()), ("prompt_tokens", pa.int64())]
    + [("frames", pa.int64()), ("turns", pa.int64()), ("seconds", pa.float64())]
    + [("judge_prompt_tokens", pa.int64()), ("judge_tokens", pa.int64())]
)


def _table(rows: Sequence[Row]) -> pa.Table:
    records = [
        {name: json.dumps(getattr(row, name)) if name in _JSON else getattr(row, name) for name in _SCHEMA.names}
        for row in rows
    ]
    return pa.Table.from_pylist(records, schema=_SCHEMA)


def row_from_record(record: dict[str, Any]) -> Row:
    """Return the reply in a record of a file of replies."""
    return Row(**{name: json.loads(value) if name in _JSON else value for name, value in record.items()})


def by_id(rows: Iterable[Row]) -> dict[str, Row]:
    """Return rows by id; two rows of one id are an error."""
    found: dict[str, Row] = {}
    for row in rows:
        if row.id in found:
            raise RequestError(f"two replies to sample {row.id}: an evaluation holds each sample once")
        found[row.id] = row
    return found
