"""Metrics reach the trackers of accelerate that are asked for; a missing one is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from accelerate import tracking
from accelerate.utils import LoggerType
from training_runs import load, numbers, rl_run

from reelgym.errors import RequestError
from reelgym.training import rl


class Fake(tracking.GeneralTracker):
    """Stands for a service: remembers what it is told."""

    name = "wandb"
    requires_logging_directory = False
    opened: ClassVar[list[Fake]] = []

    def __init__(self, project: str, **about: Any) -> None:
        super().__init__()
        self.project, self.about, self.done = project, about, False
        self.settings: dict[str, Any] = {}
        self.rows: list[tuple[int | None, dict[str, float]]] = []
        self.opened.append(self)

    @property
    def tracker(self) -> Fake:
        return self

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self.settings = values

    def log(self, values: dict[str, float], step: int | None = None, **kwargs: Any) -> None:
        self.rows.append((step, values))

    def finish(self) -> None:
        self.done = True


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> list[Fake]:
    """Put the fake in the place of Weights & Biases, installed; what is opened is listed."""
    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "wandb", Fake)
    monkeypatch.setattr(tracking, "_available_trackers", [LoggerType.WANDB])
    monkeypatch.setattr(Fake, "opened", [])
    return Fake.opened


def test_every_row_of_metrics_reaches_the_tracker(fake: list[Fake], tmp_path: Path) -> None:
    run = rl_run(steps=2, evaluated=True, trackers=("wandb",))
    rl.train(run, tmp_path / "mine", load=load)
    (tracker,) = fake
    assert tracker.project == "reelgym" and tracker.done
    assert tracker.about == {"name": "mine", "dir": str(tmp_path / "mine")}
    assert tracker.settings["lr"] == run.config.lr and tracker.settings["group_size"] == 3
    told = [{"step": step} | row for step, row in tracker.rows]
    assert [{k: v for k, v in row.items() if not k.startswith("time/")} for row in told] == numbers(tmp_path / "mine")
    assert [row["step"] for row in told] == [0, 1, 2]


def test_a_finished_run_and_a_refused_one_open_no_tracker(fake: list[Fake], tmp_path: Path) -> None:
    rl.train(rl_run(steps=1), tmp_path, load=load)
    rl.train(rl_run(steps=1, trackers=("wandb",)), tmp_path, load=load)
    with pytest.raises(RequestError, match=r"config\.lr was"):
        rl.train(rl_run(steps=2, lr=1.0, trackers=("wandb",)), tmp_path, load=load)
    assert fake == []


def test_a_missing_package_and_an_unknown_name_are_one_line_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "_available_trackers", [])
    with pytest.raises(
        RequestError, match=r"^trackers=wandb: the package of wandb is not installed: pip install wandb"
    ):
        rl.train(rl_run(trackers=("wandb",)), tmp_path, load=load)
    with pytest.raises(RequestError, match=r"^unknown tracker 'tensorbord'; did you mean 'tensorboard'\? Known: "):
        rl.train(rl_run(trackers=("tensorbord",)), tmp_path, load=load)
    assert not list(tmp_path.iterdir())


def test_tensorboard_files_hold_the_metrics(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboardX.proto.event_pb2", reason="tensorboardX comes with reelgym[dev]")
    rl.train(rl_run(steps=2, trackers=("tensorboard",)), tmp_path, load=load)
    (file,) = (tmp_path / "reelgym").glob("events.out.tfevents.*")
    found: dict[tuple[str, int], float] = {}
    for record in _records(file.read_bytes()):
        event = events.Event.FromString(record)
        found |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
    for row in numbers(tmp_path):
        for name in row.keys() - {"step"}:
            assert found[name, int(row["step"])] == pytest.approx(row[name], rel=1e-6)


def _records(data: bytes) -> list[bytes]:
    """Return the records of a TFRecord file: length (8 bytes), its checksum (4), the record, its checksum (4)."""
    found = []
    while data:
        size = int.from_bytes(data[:8], "little")
        found.append(data[12 : 12 + size])
        data = data[16 + size :]
    return found
