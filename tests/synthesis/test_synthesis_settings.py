"""What decides the content: mixtures are shared out exactly, and wrong values are told in one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthesis_runs import SETTINGS

from reelgym.data.dataset import read_dataset
from reelgym.errors import RequestError
from reelgym.synthesis import synthesize, worker
from reelgym.synthesis.settings import allocation, mixture, resolve
from reelgym.tasks import base
from reelgym.tasks.mvp import MVP, MVPConfig
from reelgym.video import FrameSpec

WEIGHTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 9), min_size=1)


@given(WEIGHTS, st.integers(1, 20), st.integers(0, 99))
def test_a_videos_samples_are_all_shared_out_each_share_rounded_down_or_up(
    weights: dict[str, int], per_video: int, number: int
) -> None:
    counts = allocation(weights, per_video, seed=0, identity=f"full:{number}")
    assert sum(counts.values()) == per_video and list(counts) == list(weights)
    for name, count in counts.items():
        assert abs(count - per_video * weights[name] / sum(weights.values())) < 1


def test_over_many_videos_every_task_gets_its_share() -> None:
    # One sample per video at weights 3 and 1: 400 videos give b 100, with a standard deviation of 8.7.
    drawn = [allocation({"a": 3, "b": 1}, 1, seed=0, identity=f"full:{number}")["b"] for number in range(400)]
    assert 70 <= sum(drawn) <= 130
    other = [allocation({"a": 3, "b": 1}, 1, seed=1, identity=f"full:{number}")["b"] for number in range(400)]
    assert drawn != other


def test_mixtures_are_read_from_text_and_from_mappings() -> None:
    assert mixture("mvp") == {"mvp": 1}
    assert mixture("b=0.5, a") == {"a": 1, "b": 0.5} == mixture({"b": 0.5, "a": 1})
    for wrong, words in (
        ("", "names no task"),
        ("a,a=2", "'a' is named twice"),
        ("a=0", "a number above 0"),
        ("a=x", "a number above 0"),
        ("a=-1", "a number above 0"),
        ("a=1/0", "a number above 0"),
    ):
        with pytest.raises(RequestError, match=words):
            mixture(wrong)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"sample": 0.0}, "sample=0.0 is outside"),
        ({"sample": 1.5}, "sample=1.5 is outside"),
        ({"max_hours": 0.0}, "max_hours=0.0: give hours of video above 0"),
        ({"limit": 0}, "limit=0: ask for at least 1"),
        ({"shard": "3/2"}, "shard='3/2': give I/N"),
        ({"shard": "0/2"}, "shard='0/2': give I/N"),
        ({"shard": "half"}, "shard='half': give I/N"),
        ({"shard": "1/2", "limit": 5}, "limit counts samples of the whole run"),
        ({"task": "mvp=1,mpv=2"}, "unknown task 'mpv'"),
    ],
)
def test_a_wrong_choice_is_told_in_one_line(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        resolve(**wrong)


def test_an_unknown_engine_is_told_in_one_line(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="engine='slurm': local or ray"):
        synthesize([clips], tmp_path / "ds", engine="slurm")


class Other(MVP):
    """A second task for mixtures."""

    name: ClassVar[str] = "other"


@pytest.fixture
def two_tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(base, "lookup", lambda _room, _base, _kind, name: {"mvp": MVP, "other": Other}[name])
    base.get.cache_clear()
    yield
    base.get.cache_clear()


@pytest.mark.usefixtures("inline", "two_tasks")
def test_a_mixture_decodes_every_video_once_and_notes_every_task(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, list[FrameSpec]]] = []
    real = worker.read_many

    def counting(video: Any, specs: Any, **more: Any) -> Any:
        read.append((video.path, specs))
        return real(video, specs, **more)

    monkeypatch.setattr(worker, "read_many", counting)
    config = {name: SETTINGS["config"] for name in ("mvp", "other")}
    made = synthesize([clips], tmp_path / "ds", task="other=1,mvp=3", config=config, per_video=4)
    found = read_dataset(made.path)
    assert len(read) == len({path for path, _ in read}) == 6
    assert all(specs.count(MVP().spec(1.0)) == 1 and len(set(specs)) == len(specs) for _, specs in read)
    assert sorted(found.manifest["tasks"]) == ["mvp", "other"]
    assert found.manifest["tasks"]["other"]["config"]["frames"] == 6
    assert [found.manifest["tasks"][name]["weight"] for name in ("mvp", "other")] == [3, 1]
    for source in found.sources:
        assert [s.task for s in found.samples if s.source == source.identity] == ["mvp", "mvp", "mvp", "other"]
    assert len({sample.id for sample in found.samples}) == len(found.samples) == 20


@pytest.mark.usefixtures("inline", "two_tasks")
def test_a_task_that_finds_nothing_leaves_a_warning_and_the_others_their_samples(clips: Path, tmp_path: Path) -> None:
    config = {"other": SETTINGS["config"] | {"frames": 100}, "mvp": SETTINGS["config"]}
    made = synthesize([clips], tmp_path / "ds", task="other=1,mvp=1", config=config, per_video=2)
    found = read_dataset(made.path)
    assert {sample.task for sample in found.samples} == {"mvp"} and len(found.samples) == 5
    assert all(source.warnings[-1].startswith("no sample (task): too short") for source in found.sources)


def test_settings_of_a_mixture_are_given_by_task() -> None:
    with pytest.raises(RequestError, match="for several tasks give settings by task"):
        resolve("mvp,labelled", {"frames": 8})
    assert MVPConfig().fps == resolve("mvp")["tasks"]["mvp"]["fps"]
