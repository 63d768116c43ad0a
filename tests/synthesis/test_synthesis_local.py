"""From files to a dataset: the same bytes however it is made, resumable, nothing lost in silence."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from synthesis_runs import SETTINGS, scene

from reelgym import tasks
from reelgym.data.dataset import read_dataset
from reelgym.data.messages import Clip, Image
from reelgym.errors import RequestError, WorkError
from reelgym.synthesis import inspect, synthesize, table
from reelgym.tasks.mvp import MVPConfig
from reelgym.video import Store

CONFIG = MVPConfig(**SETTINGS["config"])


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    (folder / "deep").mkdir()
    for seed, name in enumerate(["a.mp4", "b.mp4", "deep/c.mp4"]):
        scene(folder / name, seed)
    shutil.copy(folder / "a.mp4", folder / "z copy.mp4")
    scene(folder / "short.mp4", 7, seconds=2)
    (folder / "text.mp4").write_text("not a video")
    (folder / "notes.txt").write_text("no video either")
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_bytes_depend_on_content_and_seed_alone(videos: Path, tmp_path: Path) -> None:
    one = synthesize([videos], tmp_path / "one", config=CONFIG, per_video=3, workers=1)
    inputs = [videos / "z copy.mp4", videos / "text.mp4", videos / "short.mp4", videos / "deep", videos / "b.mp4"]
    two = synthesize([*inputs, videos / "a.mp4"], tmp_path / "two", config=CONFIG, per_video=3, workers=2)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    assert one.digest == two.digest and one.fresh and two.fresh
    other = synthesize([videos], tmp_path / "other", config=CONFIG, per_video=3, workers=2, seed=1)
    assert other.digest != one.digest


@pytest.fixture(scope="module")
def made(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "ds"
    synthesize([videos], out, config=CONFIG, per_video=3, workers=2, store=out.parent / "store", split_share=0.5)
    return out


def test_copies_count_once_and_what_is_left_out_has_its_reason(made: Path, videos: Path) -> None:
    found = read_dataset(made)
    counts = found.manifest["counts"]
    assert (counts["files"], counts["sources"], counts["duplicates"], counts["quarantined"]) == (6, 3, 1, 2)
    assert counts["samples"] == 9 == len(found.samples)
    assert sorted(source.path for source in found.sources) == ["a.mp4", "b.mp4", "deep/c.mp4"]
    reasons = {Path(line["path"]).name: (line["boundary"], line["reason"]) for line in found.quarantine}
    assert reasons["text.mp4"][0] == "open"
    assert reasons["short.mp4"] == ("task", "too short: 2 frames at 1 fps, a puzzle takes 8; --fps auto reads it at 8")
    assert [Path(line["path"]).name for line in found.quarantine] == ["short.mp4", "text.mp4"]
    assert found.manifest["media_root"] == str(videos)


def test_samples_stand_in_the_order_of_their_sources_and_splits_never_share_one(made: Path) -> None:
    found = read_dataset(made)
    assert [sample.source for sample in found.samples] == sorted(sample.source for sample in found.samples)
    assert not {s.source for s in found.split("train")} & {s.source for s in found.split("test")}
    assert {s.source: s.split for s in found.samples} == {s.identity: s.split for s in found.sources}


def test_prompts_can_be_shown_from_the_store_filled_on_the_way(made: Path) -> None:
    found, store = read_dataset(made), Store(made.parent / "store")
    media = found.media(store)
    shown = [part for part in found.samples[0].messages[0].parts if isinstance(part, Clip | Image)]
    assert {media(part).shape[1:] for part in shown} == {(28, 28, 3)}
    assert store.stats().misses == 0


def test_repeating_a_finished_run_says_so_and_a_changed_setting_is_listed(made: Path, videos: Path) -> None:
    before = bytes_of(made)
    same = {"config": CONFIG, "per_video": 3, "split_share": 0.5}
    assert not synthesize([videos], made, **same).fresh  # type: ignore[arg-type]
    with pytest.raises(RequestError, match=r"was made with other settings \(per_video: 3 then, 4 now\)"):
        synthesize([videos], made, **same | {"per_video": 4})  # type: ignore[arg-type]
    with pytest.raises(RequestError, match=r"seed: 0 then, 5 now; tasks\.mvp\.config\.kappa: None then, 0\.9"):
        synthesize([videos], made, **same | {"config": SETTINGS["config"] | {"kappa": 0.9}, "seed": 5})  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="inputs: '6 files"):
        synthesize([videos / "deep"], made, **same)  # type: ignore[arg-type]
    assert bytes_of(made) == before


@pytest.mark.soak
def test_a_run_that_is_stopped_goes_on_where_it_was_and_ends_the_same(videos: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        if done == total - 2:  # the third of five contents; the sixth file is a copy
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize([videos], tmp_path / "ds", config=CONFIG, workers=1, progress=stop)
    with pytest.raises(RequestError, match=r"is not a dataset"):
        read_dataset(tmp_path / "ds")
    with pytest.raises(RequestError, match=r"was begun with other settings \(seed: 0 then, 1 now\)"):
        synthesize([videos], tmp_path / "ds", config=CONFIG, seed=1)
    notes = sorted((tmp_path / "ds" / ".synth").glob("[0-9a-f]*/*.json"))
    assert len(notes) == 3
    notes[0].write_text("")  # as after a power cut
    synthesize([videos], tmp_path / "ds", config=CONFIG, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 12) for done in (6, 9, 10, 11, 12)]  # all six looks and two of five cuts were kept
    synthesize([videos], tmp_path / "whole", config=CONFIG)
    assert bytes_of(tmp_path / "ds") == bytes_of(tmp_path / "whole")


def test_a_split_can_be_forced(videos: Path, tmp_path: Path) -> None:
    made = synthesize([videos / "deep"], tmp_path / "ds", config=CONFIG, split="test", fps="auto")
    assert made.counts["test"] == made.counts["samples"] > 0
    assert {sample.provenance["fps"] for sample in read_dataset(made.path).samples} == {2.0}


def test_wrong_requests_are_told_in_one_line(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "ds"
    (tmp_path / "empty").mkdir()
    for wrong, words in (
        ({"task": "mpv"}, "unknown task 'mpv'"),
        ({"config": {"hiden": 2}}, "unknown setting of task mvp 'hiden'"),
        ({"fps": "fast"}, "fps='fast'"),
        ({"fps": 0}, "fps=0"),
        ({"per_video": 0}, "per_video=0"),
        ({"split_share": 2.0}, "split_share=2.0"),
        ({"split": "val"}, "split='val'"),
    ):
        with pytest.raises(RequestError, match=words):
            synthesize([videos], out, **wrong)  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="empty: holds no files"):
        synthesize([tmp_path / "empty"], out)
    with pytest.raises(RequestError, match="no such file or folder"):
        synthesize([tmp_path / "absent"], out)
    with pytest.raises(RequestError, match=r"cannot make the folder .*text\.mp4"):
        synthesize([videos / "deep"], videos / "text.mp4" / "ds")
    with pytest.raises(WorkError, match=r"none of 1 files gave a sample; the first: .*short\.mp4: task: too short"):
        synthesize([videos / "short.mp4"], out)
    assert not (out / "dataset.json").exists()


def test_inspect_reports_counts_chance_shortcuts_and_reasons(made: Path) -> None:
    found = read_dataset(made)
    report = inspect(found, found.media(Store(made.parent / "store")), limit=5)
    assert json.loads(json.dumps(report)) == report
    assert report["counts"]["samples"] == 9 and report["baseline_samples"] == 5
    assert report["facets"]["hidden"] == {"2": 9}
    assert report["chance"]["mvp"]["exact"] == pytest.approx(1 / 12)
    assert {"order_by_similarity", "context_free"} <= set(report["baselines"]["mvp"])
    assert report["quarantine"]["task: too short"] == 1 and sum(report["quarantine"].values()) == 2
    rows = table(report)
    assert rows[0] == ("", "value", "exact", "selection", "order", "position")
    assert rows[1] == ("mvp: chance", "0.104", "0.083", "0.500", "0.083", "0.250")
    assert len(rows) == 2 + len(report["baselines"]["mvp"])
    blind = inspect(found)
    assert blind["baselines"] == {} and len(table(blind)) == 2


# Real clips: one of each size and rhythm, so that the whole room stays quick; all of them on request.

SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".ts")
SOME = ("animal_kitten_h264.mp4", "cooking_pancake_flip_h264.mkv", "people_webcam_vfr_h264.mov")


def test_real_clips_give_samples_and_the_same_digest_twice(shared_videos: Path, tmp_path: Path) -> None:
    inputs = [shared_videos / name for name in SOME]
    first = synthesize(inputs, tmp_path / "one", fps="auto", workers=2)
    second = synthesize(inputs[::-1], tmp_path / "two", fps="auto", workers=1)
    assert first.digest == second.digest
    assert first.counts["sources"] == len(SOME) and first.counts["quarantined"] == 0
    assert first.counts["samples"] == 4 * len(SOME)


def test_no_shortcut_goes_half_way_on_real_clips_with_the_defaults_of_mvp(shared_videos: Path, tmp_path: Path) -> None:
    small = sorted(
        path for path in shared_videos.iterdir() if path.stat().st_size < 800_000 and path.suffix in SUFFIXES
    )
    made = read_dataset(synthesize(small, tmp_path / "ds", fps="auto", workers=2).path)
    assert len(made.sources) >= 8 and len(made.samples) >= 32
    task = tasks.get("mvp")
    half = (1 + np.mean([task.chance(sample)["value"] for sample in made.samples])) / 2
    earned = [sample.provenance["audit"]["values"] for sample in made.samples]
    assert {"order_by_similarity", "boundary_matching", "context_free", "by_brightness", "by_noise"} <= set(earned[0])
    means = {name: np.mean([values[name] for values in earned]) for name in earned[0]}
    assert max(means.values()) < half, means


@pytest.mark.soak
@pytest.mark.skipif("REELGYM_SOAK" not in os.environ, reason="minutes of decoding; `make soak` runs it")
@pytest.mark.timeout(600)
def test_every_real_clip_of_eight_seconds_gives_samples(shared_videos: Path, tmp_path: Path) -> None:
    made = synthesize([shared_videos], tmp_path / "ds", fps="auto")
    with_samples = {source.path for source in read_dataset(made.path).sources}
    assert all(line["boundary"] == "task" for line in read_dataset(made.path).quarantine)
    assert len(with_samples) == made.counts["files"] == 32
