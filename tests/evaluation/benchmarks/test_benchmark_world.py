from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bench_case import left_out, made, means, scored

from reelgym.errors import RequestError
from reelgym.evaluation import benchmarks
from reelgym.evaluation.floors import benchmark_floors
from reelgym.evaluation.metrics import measure
from reelgym.evaluation.rows import read_rows
from reelgym.tasks import get
from reelgym.world.files import load_facts


def test_questions_by_kind_with_facts_from_gold_to_floor(world_videos: Path, tmp_path: Path) -> None:
    for name in ("data", "videos"):
        shutil.copytree(world_videos, tmp_path / name)
    (tmp_path / "data" / "strange.mp4").write_bytes(b"no facts beside it")
    dataset = made("world", tmp_path)
    assert [path for path, _ in left_out(dataset)] == ["strange.mp4 row 1"]
    asked = sum(len(load_facts(path).questions()) for path in world_videos.glob("*.mp4"))
    assert len(dataset.samples) == asked > 0
    assert all(sample.evidence["facts"]["scene"] == "moving" for sample in dataset.samples)
    gold = {sample.id: get("benchmark").gold(sample) for sample in dataset.samples}
    assert set(means(scored(dataset, gold)).values()) == {1.0}
    # A model that always names the first option is at chance, within the interval of its own score.
    first = scored(dataset, dict.fromkeys(gold, "A")).metrics["accuracy"]
    assert first["low"] <= first["chance"] <= first["high"]
    low = benchmark_floors(dataset.samples, "asks")
    fitted = measure(benchmarks.get("world"), low["most_frequent_letter"])["accuracy"]["mean"]
    assert fitted >= first["mean"]  # The best letter is no worse than any one letter.


def test_a_hub_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("the hub cannot be reached\nand more")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(
        RequestError, match=r"lmms-lab/Video-MME cannot be read from the hub \(the hub cannot be reached\)"
    ):
        read_rows(benchmarks.get("video-mme"), Path("hub"))
    with pytest.raises(RequestError, match="mvbench is several files: download OpenGVLab/MVBench"):
        read_rows(benchmarks.get("mvbench"), Path("hub"))


def test_rows_of_the_hub_are_read_like_those_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    from test_benchmark_video_mme import row

    monkeypatch.setattr(datasets, "load_dataset", lambda name, config, split: [row(1, "A"), row(2, "Z")])
    questions, bad, count = read_rows(benchmarks.get("video-mme"), Path("hub"))
    assert (len(questions), len(bad), count) == (1, 1, 2)
    assert bad[0]["path"] == "lmms-lab/Video-MME row 2"
