"""Whoever does the work, and in however many parts: the same bytes; what is missing or wrong is one line."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
from synthesis_runs import SETTINGS, became, files_of

from reelgym.data.dataset import read_dataset
from reelgym.errors import RequestError
from reelgym.synthesis import merge, synthesize

pytestmark = pytest.mark.usefixtures("inline")


def cut_shards(clips: Path, place: Path, count: int, **more: object) -> list[Path]:
    folders = [place / f"shard-{number}" for number in range(1, count + 1)]
    for number, folder in enumerate(folders, 1):
        synthesize([clips], folder, shard=f"{number}/{count}", **SETTINGS | more)  # type: ignore[arg-type]
    return folders


@pytest.fixture(scope="module")
def three(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    with pytest.MonkeyPatch.context() as patch:
        from synthesis_runs import Inline

        from reelgym.synthesis import local

        patch.setattr(local, "_engine", lambda *_: Inline())
        return cut_shards(clips, tmp_path_factory.mktemp("shards"), 3)


def test_an_engine_that_answers_in_another_order_gives_the_same_bytes(clips: Path, whole: Path, tmp_path: Path) -> None:
    inputs = [*clips.glob("*.mp4"), clips / "deep"]
    random.Random(0).shuffle(inputs)
    made = synthesize(inputs, tmp_path / "ds", **SETTINGS)
    assert files_of(tmp_path / "ds") == files_of(whole)
    assert made.tally is not None and (made.tally.cut, made.tally.resumed, made.tally.samples) == (7, 0, 10)
    assert made.tally.video_seconds > 70  # five videos of 12 to 20 s; what no puzzle came out of is not counted


def test_shards_join_into_the_bytes_of_one_run_in_any_order(three: list[Path], whole: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    made = merge(three[::-1], tmp_path / "ds", lambda done, total: told.append((done, total)))
    assert files_of(tmp_path / "ds") == files_of(whole)
    assert told[-1] == (10, 10) and made.fresh
    assert not merge(three, tmp_path / "ds").fresh
    parts = [set(became(folder)) for folder in three]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 8


def test_more_shards_than_videos_leave_empty_ones_that_join_too(clips: Path, whole: Path, tmp_path: Path) -> None:
    folders = cut_shards(clips, tmp_path, 9)
    counts = [json.loads((folder / "dataset.json").read_text())["counts"]["samples"] for folder in folders]
    assert 0 in counts
    merge(folders, tmp_path / "ds")
    assert files_of(tmp_path / "ds") == files_of(whole)


def test_inputs_count_the_samples_that_the_audit_leaves(clips: Path, tmp_path: Path) -> None:
    synthesize([clips], tmp_path / "one", audit="thin", **SETTINGS)
    lines = map(json.loads, (tmp_path / "one" / "inputs.jsonl").read_text().splitlines())
    told = {line["identity"]: line["samples"] for line in lines if line["became"] == "used"}
    left = Counter(sample.source for sample in read_dataset(tmp_path / "one").samples)
    assert told == {identity: left[identity] for identity in told}
    assert sum(told.values()) < 10  # Something went.
    merge(cut_shards(clips, tmp_path, 2, audit="thin"), tmp_path / "ds")
    assert files_of(tmp_path / "ds") == files_of(tmp_path / "one")


def test_shards_of_a_budget_of_hours_join_into_the_one_run(clips: Path, tmp_path: Path) -> None:
    synthesize([clips], tmp_path / "one", max_hours=45 / 3600, **SETTINGS)
    folders = cut_shards(clips, tmp_path, 2, max_hours=45 / 3600)
    merge(folders, tmp_path / "ds")
    assert files_of(tmp_path / "ds") == files_of(tmp_path / "one")


def test_wrong_shards_are_one_line(three: list[Path], whole: Path, clips: Path, tmp_path: Path) -> None:
    one, two, three_ = three
    other = tmp_path / "other"
    synthesize([clips], other, shard="2/3", **SETTINGS | {"seed": 1})
    copy = shutil.copytree(two, tmp_path / "copy")
    for folders, words in (
        ([], "no shards given"),
        ([one], "shards 2/3, 3/3 are missing: give all 3"),
        ([one, two, copy, three_], "shard 2/3 is given twice"),
        ([one, two, two, three_], "shard 2/3 is given twice"),
        ([one, two, whole], "is a whole dataset and no shard"),
        ([one, other, three_], r"is of another run than .*shard-1 \(seed: 0 then, 1 now\)"),
        ([one, two, tmp_path], "is not a dataset"),
    ):
        with pytest.raises(RequestError, match=words):
            merge(folders, tmp_path / "ds")
    with pytest.raises(RequestError, match="was made with other settings"):
        merge(three, other)
    assert not (tmp_path / "ds").exists()


def test_a_damaged_shard_leaves_no_dataset(three: list[Path], whole: Path, tmp_path: Path) -> None:
    copies = [Path(shutil.copytree(folder, tmp_path / folder.name)) for folder in three]
    full = max(copies, key=lambda folder: (folder / "samples-00000.parquet").stat().st_size)
    manifest = json.loads((full / "dataset.json").read_text())
    (full / "dataset.json").write_text(json.dumps(manifest | {"digest": "sha256:0"}))
    with pytest.raises(RequestError, match=r"is a damaged dataset \(its digest differs\): make that shard again"):
        merge(copies, tmp_path / "ds")
    assert not (tmp_path / "ds" / "dataset.json").exists()
    (full / "dataset.json").write_text(json.dumps(manifest))
    (full / "samples-00000.parquet").write_bytes(b"PAR1")
    with pytest.raises(RequestError, match="is a damaged dataset"):
        merge(copies, tmp_path / "ds")
    shutil.copy(three[copies.index(full)] / "samples-00000.parquet", full)
    merge(copies, tmp_path / "ds")
    assert files_of(tmp_path / "ds") == files_of(whole)
