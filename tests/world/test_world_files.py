"""Videos on disk: equal bytes for equal seeds, resume, disjoint splits, facts beside their own video."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from reelgym import video, world
from reelgym.errors import RequestError, WorkError


def make(folder: Path, count: int = 4, **changes: object) -> list[world.WorldVideo]:
    wanted: dict[str, object] = {"seed": 7, "seconds": (1, 2), "fps": (8, 10), "side": 48}
    return world.make(folder, count=count, **(wanted | changes))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[world.WorldVideo]]:
    folder = tmp_path_factory.mktemp("made")
    return folder, make(folder)


def test_kinds_take_turns_and_lengths_lie_in_their_ranges(made: tuple[Path, list[world.WorldVideo]]) -> None:
    folder, videos = made
    assert [v.facts.kind for v in videos] == sorted(world.kinds())[: len(videos)]
    assert [Path(v.path).name for v in videos[:2]] == ["counter-train-7-00000.mp4", "cups-train-7-00001.mp4"]
    assert all(8 <= v.facts.fps <= 10 and 0.9 <= v.facts.seconds <= 2.1 and v.facts.side == 48 for v in videos)
    assert len(list(folder.iterdir())) == 8  # a video and its facts each, nothing temporary


def test_the_file_shows_the_scene(made: tuple[Path, list[world.WorldVideo]]) -> None:
    written = made[1][1]
    facts = written.facts
    scene = world.render(facts.kind, facts.seed, seconds=facts.seconds, fps=facts.fps, side=48)
    assert scene.facts == facts
    found = video.probe(written.path)
    assert found.identity == written.identity
    frames = video.read(found, video.FrameSpec(fps=facts.fps))
    want = np.stack(list(scene.frames())).astype(int)
    assert frames.pixels.shape == want.shape
    assert np.abs(frames.pixels - want).mean() < 5
    assert frames.times == pytest.approx(np.arange(facts.frames) / facts.fps, abs=1e-3)
    assert [facts.frame_at(t) for t in frames.times] == list(range(facts.frames))


def test_equal_seeds_give_equal_bytes_whatever_the_count(
    made: tuple[Path, list[world.WorldVideo]], tmp_path: Path
) -> None:
    fewer = make(tmp_path, 2)
    assert fewer == [world.WorldVideo(path=v.path, identity=v.identity, facts=v.facts) for v in fewer]
    whole = contents(made[0])
    assert contents(tmp_path) == {name: whole[name] for name in contents(tmp_path)}


def test_workers_do_not_change_the_bytes(made: tuple[Path, list[world.WorldVideo]], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    videos = make(tmp_path, workers=2, progress=lambda done, total: told.append((done, total)))
    assert contents(tmp_path) == contents(made[0])
    assert [v.identity for v in videos] == [v.identity for v in made[1]]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_what_is_there_and_right_is_kept_and_the_rest_is_made_again(tmp_path: Path) -> None:
    videos = make(tmp_path)
    before = contents(tmp_path)
    cut, edited, gone, kept = (Path(v.path) for v in videos)
    cut.write_bytes(cut.read_bytes()[:100])
    edited.with_suffix(".json").write_text("{")
    gone.with_suffix(".json").unlink()
    stamp = kept.stat().st_mtime_ns
    assert make(tmp_path) == videos
    assert contents(tmp_path) == before
    assert kept.stat().st_mtime_ns == stamp


def test_other_settings_under_the_same_name_are_made_again(tmp_path: Path) -> None:
    first = make(tmp_path, 1)
    second = make(tmp_path, 1, settings=world.Settings(light=(0.3, 0.3)))
    assert first[0].identity != second[0].identity and first[0].path == second[0].path
    assert world.load_facts(second[0].path).settings["light"] == [0.3, 0.3]


def test_splits_seeds_and_indices_share_no_scene(made: tuple[Path, list[world.WorldVideo]], tmp_path: Path) -> None:
    seeds = [
        world.scene_seed(kind, split, seed, index)
        for kind in world.kinds()
        for split in ("train", "test")
        for seed in range(3)
        for index in range(50)
    ]
    assert len(set(seeds)) == len(seeds)
    test = make(tmp_path, split="test")
    assert not {v.identity for v in made[1]} & {v.identity for v in test}


def test_a_copy_under_another_split_is_found_by_content(tmp_path: Path) -> None:
    video_path = Path(make(tmp_path, 1, kinds=["cups"])[0].path)
    for suffix in (".mp4", ".json"):
        copy = tmp_path / f"cups-test-7-00000{suffix}"
        copy.write_bytes(video_path.with_suffix(suffix).read_bytes())
    with pytest.raises(WorkError, match=r"cups-train-7-00000 and cups-test-7-00000 in .* have the same content"):
        make(tmp_path, 1, kinds=["cups"])


def test_facts_lie_beside_their_own_video(made: tuple[Path, list[world.WorldVideo]], tmp_path: Path) -> None:
    written = made[1][0]
    assert world.load_facts(written.path) == written.facts
    stray = tmp_path / "stray.mp4"
    with pytest.raises(RequestError, match=r"cannot read .*stray.json: No such file or directory; make the video with"):
        world.load_facts(stray)
    stray.write_bytes(b"other")
    stray.with_suffix(".json").write_bytes(Path(written.path).with_suffix(".json").read_bytes())
    with pytest.raises(RequestError, match=r"stray.json belongs to another video than .*stray.mp4; render it again"):
        world.load_facts(stray)
    stray.with_suffix(".json").write_text(json.dumps({"a": 1}))
    with pytest.raises(RequestError, match="holds no facts of a rendered video"):
        world.load_facts(stray)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": 0}, "count=0, workers=1, .* give a count and workers from 1"),
        ({"split": "a/b"}, "split='a/b': give .* a split of letters and digits"),
        ({"kinds": ["moving", "cps"]}, "unknown kind of scene 'cps'; did you mean 'cups'"),
        ({"kinds": []}, "at least one kind of counter, cups, moving, process, tower"),
        ({"fps": (10, 8)}, r"fps=\(10, 8\): give \(low, high\)"),
        ({"side": 47}, "an even side from 32"),
    ],
)
def test_wrong_requests_cost_one_line(tmp_path: Path, wrong: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        make(tmp_path, **wrong)


def test_a_full_disk_is_told_and_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(world.files, "write_mp4", full)
    with pytest.raises(WorkError, match="No space left on device; free space, then repeat to resume"):
        make(tmp_path, 1)
    assert list(tmp_path.iterdir()) == []
