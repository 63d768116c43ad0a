"""How often a policy solves each sample of a dataset, stored beside it: `DATASET/difficulty-NAME.parquet`.

A file holds one row per measured sample, and in its metadata what was asked how (`About`). It is no part of the
dataset: the digest stays. While a measurement goes on, its rows are lines of `difficulty-NAME.jsonl`, so that a killed
one goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reelgym.data import settings
from reelgym.data.files import replacing
from reelgym.errors import RequestError, unknown

BINS = 10
"""Bars of a histogram between never and always."""

_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("rollouts", pa.int32()),
        ("passed", pa.int32()),
        ("mean_reward", pa.float64()),
        ("pass_rate", pa.float64()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class About:
    """What a measurement asked how; two with another value here are never mixed.

    Attributes:
        model: The policy's name, as given.
        fingerprint: Of its weights.
        dataset: Digest of the dataset.
        rollouts: Replies per sample.
        threshold: A reply passes if its task's score is at least this.
        variant: Instruction appended to each question.
        temperature: Of sampling.
        max_tokens: Cap of a reply.
        seed: Of sampling.
    """

    model: str
    fingerprint: str
    dataset: str
    rollouts: int
    threshold: float
    variant: str
    temperature: float
    max_tokens: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Difficulty:
    """One sample: how many of its replies passed, and what they earned on average by their task's score, 0 to 1."""

    id: str
    rollouts: int
    passed: int
    mean_reward: float

    @property
    def pass_rate(self) -> float:
        """Share of replies that passed, from 0 to 1."""
        return self.passed / self.rollouts


@dataclass(frozen=True)
class Measured:
    """A measurement as stored: its name, what was asked how, and the samples in the order of the dataset."""

    name: str
    about: About
    rows: tuple[Difficulty, ...]

    @property
    def pass_rates(self) -> dict[str, float]:
        """Pass rate by sample id."""
        return {row.id: row.pass_rate for row in self.rows}


def histogram(rates: Sequence[float]) -> list[int]:
    """Return how many rates are 0, lie in each of BINS equal parts between, and are 1: BINS + 2 counts.

    >>> histogram([0.0, 0.05, 0.5, 1.0])
    [1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    """
    counts = [0] * (BINS + 2)
    for rate in rates:
        place = 0 if rate <= 0 else BINS + 1 if rate >= 1 else 1 + int(rate * BINS)
        counts[place] += 1
    return counts


def labels() -> list[str]:
    """Return the names of the parts of a histogram."""
    inner = [f"{place / BINS:.1f} to {(place + 1) / BINS:.1f}" for place in range(BINS)]
    return ["never", *inner, "always"]


def slug(name: str) -> str:
    """Return the part of a file name that a model's name stands for.

    >>> slug("runs/mvp@step-4"), slug("../x y")
    ('runs-mvp-step-4', 'x-y')
    """
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).strip("-.") or "model"


def path_of(folder: str | Path, name: str) -> Path:
    """Return the file of a measurement."""
    return Path(folder) / f"difficulty-{name}.parquet"


def write(folder: str | Path, measured: Measured) -> Path:
    """Write a measurement, replacing an earlier one of its name."""
    rows = [asdict(row) | {"pass_rate": row.pass_rate} for row in measured.rows]
    about = json.dumps(asdict(measured.about), sort_keys=True)
    table = pa.Table.from_pylist(rows, schema=_SCHEMA.with_metadata({"reelgym": about}))
    path = path_of(folder, measured.name)
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return path


def read(folder: str | Path, name: str) -> Measured:
    """Return a measurement.

    Raises:
        RequestError: There is none of this name, or its file is damaged.
    """
    path = path_of(folder, name)
    if not path.is_file():
        raise unknown("measurement of difficulty", name, names(folder))
    try:
        table = pq.read_table(path, memory_map=False)
        about = About(**json.loads((table.schema.metadata or {})[b"reelgym"]))
        kept = [field.name for field in fields(Difficulty)]
        return Measured(name, about, tuple(Difficulty(**row) for row in table.select(kept).to_pylist()))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise RequestError(f"{path} is damaged ({error}): remove it and measure again") from error


def names(folder: str | Path) -> list[str]:
    """Return the names of a dataset's measurements, sorted."""
    return sorted(path.stem.removeprefix("difficulty-") for path in Path(folder).glob("difficulty-*.parquet"))


def only(folder: str | Path, name: str, digest: str) -> Measured:
    """Return the named measurement of a dataset, or without a name the only one.

    Raises:
        RequestError: There is none, several to choose from, or it is of another content of the dataset.
    """
    known = names(folder)
    if not known:
        raise RequestError(f"{folder}: no difficulty was measured: run `reelgym difficulty {folder} --model MODEL`")
    if not name and len(known) > 1:
        raise RequestError(f"{folder} has several measurements of difficulty: give difficulty={'|'.join(known)}")
    found = read(folder, name or known[0])
    if found.about.dataset != digest:
        path = path_of(folder, found.name)
        raise RequestError(f"{path} was measured on other content of the dataset: remove it and measure again")
    return found


def refuse_changes(path: Path, before: About, now: About) -> None:
    """Raise RequestError that lists in what two measurements of one name differ."""
    settings.refuse_changes(path, asdict(before), asdict(now), "was measured", "give another --name, or remove it")


class Journal:
    """The rows of a measurement that goes on: lines that survive a kill at any moment."""

    def __init__(self, folder: str | Path, name: str, about: About) -> None:
        """Take up what is there; a torn last line is dropped.

        Raises:
            RequestError: What is there was asked otherwise.
        """
        self._path = Path(folder) / f"difficulty-{name}.jsonl"
        self.rows: dict[str, Difficulty] = {}
        if self._path.is_file():
            self._read(about)
        with replacing(self._path) as temporary:
            lines = [asdict(about), *(asdict(row) for row in self.rows.values())]
            temporary.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    def add(self, rows: Iterable[Difficulty]) -> None:
        """Append rows."""
        with self._path.open("a", encoding="utf-8") as file:
            for row in rows:
                self.rows[row.id] = row
                file.write(json.dumps(asdict(row)) + "\n")

    def close(self) -> None:
        """Remove the file: its rows are in the measurement now."""
        self._path.unlink(missing_ok=True)

    def _read(self, about: About) -> None:
        head, *lines = self._path.read_text(encoding="utf-8").split("\n")
        try:
            before = About(**json.loads(head))
        except (ValueError, TypeError):
            return  # Killed before its first line was whole: nothing was measured.
        refuse_changes(self._path, before, about)
        for line in lines:
            try:
                row = Difficulty(**json.loads(line))
            except (ValueError, TypeError):
                break
            self.rows[row.id] = row
