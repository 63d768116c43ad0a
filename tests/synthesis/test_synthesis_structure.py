"""Structure on its way through synthesis: facets, what is avoided, and splits by what a video shows."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from reelgym.data.dataset import read_dataset, sample_to_row
from reelgym.data.messages import Clip, Image, Message
from reelgym.data.sample import Sample
from reelgym.errors import RequestError, WorkError
from reelgym.synthesis import inspect, merge, synthesize
from reelgym.synthesis.run import side, sides
from reelgym.synthesis.structure import checked, leaders, moved, read_structure, survey_specs, times_of, told
from reelgym.tasks.mvp import MVPConfig
from reelgym.video import FrameSpec, write_mp4
from reelgym.video.overlays import Overlay
from reelgym.video.structure import Structure

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "video"))
from world_scenes import clocked, resized, scene

CONFIG = MVPConfig(fps=2.0, frames=6, hidden=2, distractors=2, margin=0, min_before=1, min_after=1, short_side=28)
SPEC = FrameSpec(fps=1.0, size=(28, 28))
CUT_AND_STILL = Structure(
    spacing=1.0,
    cuts=(2.5, 9.0),
    black=((0.0, 1.0),),
    static=((4.0, 7.0),),
    overlays=(Overlay("clock", (0.0, 0.0, 0.2, 0.1), 1.0), Overlay("logo", (0.8, 0.0, 1.0, 0.1))),
    light=0.5,
)


def sample(*times: float) -> Sample:
    parts = (Clip(video="full:0", spec=SPEC, times=times[:-1]), Image(video="full:0", spec=SPEC, time=times[-1]))
    other = Image(video="full:1", spec=SPEC, time=99.0)
    return Sample(
        id="mvp-train-00ff",
        task="mvp",
        messages=(Message("user", (*parts, other)),),
        answer=[1],
        split="train",
        facets={"hidden": 1},
        provenance={"source": "full:0"},
    )


def test_a_question_is_told_what_it_runs_into() -> None:
    assert times_of(sample(2.0, 3.0, 5.0)) == [2.0, 3.0, 5.0]
    assert CUT_AND_STILL.facets([2.0, 3.0, 5.0]) == {"crosses_cut": 1, "static": 0, "black": 0, "clock": 1}
    assert CUT_AND_STILL.facets([0.0, 4.0, 5.0, 6.0, 9.0]) == {"crosses_cut": 2, "static": 2, "black": 1, "clock": 1}
    assert CUT_AND_STILL.facets([2.5, 3.0])["crosses_cut"] == 0  # The cut's own frame begins the shot.
    (found,) = told([sample(2.0, 3.0, 5.0)], CUT_AND_STILL, [])
    assert found.facets == {"hidden": 1, "crosses_cut": 1, "clock": 1}
    assert Structure.from_json(json.loads(json.dumps(CUT_AND_STILL.to_json()))) == CUT_AND_STILL


def test_what_is_to_be_avoided_is_left_out_and_must_have_a_name() -> None:
    clean, cut = sample(3.0, 3.5), sample(2.0, 3.0, 5.0)
    plain = Structure(spacing=1.0, cuts=CUT_AND_STILL.cuts)
    assert list(told([clean, cut], plain, ["crosses_cut"])) == [clean]
    assert checked(["static", "clock", "static"]) == ["clock", "static"]
    with pytest.raises(RequestError, match="unknown thing to avoid 'crosses_cuts'; did you mean 'crosses_cut'"):
        checked(["crosses_cuts"])


def test_frames_for_the_structure_lie_among_those_of_the_task() -> None:
    many, some = survey_specs(30.0, 2.0)
    assert many.fps == some.fps == 2.0
    many, some = survey_specs(5000.0, 1.0)
    assert many.fps is not None and some.fps is not None
    assert 1 / many.fps == pytest.approx(3) and 1 / some.fps == pytest.approx(53)


def test_a_row_that_moves_changes_its_side_and_its_name_only() -> None:
    row = sample_to_row(sample(2.0, 3.0))
    found = moved(row, "test")
    assert found == row | {"split": "test", "id": "mvp-test-00ff"} and moved(found, "train") == row


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes, each with a copy of another size and bit rate."""
    folder = tmp_path_factory.mktemp("copies")
    for number in range(3):
        pixels = scene(10 + number, seconds=7.0, side=96)
        write_mp4(str(folder / f"a{number}.mp4"), pixels, 4, crf=18)
        write_mp4(str(folder / f"b{number}.mp4"), resized(pixels, 80, 80), 4, crf=34, key_every=9)
    return folder


@pytest.fixture(scope="module")
def made(copies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "ds"
    synthesize([copies], out, config=CONFIG, per_video=2, split_share=0.5, workers=1)
    return out


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_copies_in_other_sizes_and_bit_rates_lie_on_one_side(made: Path) -> None:
    found = read_dataset(made)
    sides = {source.path: source.split for source in found.sources}
    assert len(sides) == 6 and {sides[f"a{n}.mp4"] == sides[f"b{n}.mp4"] for n in range(3)} == {True}
    led = leaders({source.identity: source.fingerprint for source in found.sources})
    assert sum(leader != name for name, leader in led.items()) == 3
    for source in found.sources:
        assert source.split == side(found.manifest["settings"], led[source.identity])
    own = [side(found.manifest["settings"], source.identity) for source in found.sources]
    assert own != [source.split for source in found.sources]  # Else the test would show nothing.
    for one in found.samples:
        assert one.id.startswith(f"mvp-{one.split}-")
        assert one.split == next(source.split for source in found.sources if source.identity == one.source)
    assert found.manifest["counts"]["train"] == len(found.split("train"))


def test_one_run_two_workers_and_merged_shards_give_the_same_bytes(made: Path, copies: Path) -> None:
    names = [made.parent / f"s{number}" for number in (1, 2)]
    for number, folder in enumerate(names, 1):
        synthesize([copies], folder, config=CONFIG, per_video=2, split_share=0.5, workers=1, shard=f"{number}/2")
    merge(names, made.parent / "merged")
    synthesize([copies], made.parent / "two", config=CONFIG, per_video=2, split_share=0.5, workers=2)
    assert bytes_of(made.parent / "merged") == bytes_of(made) == bytes_of(made.parent / "two")


def test_so_many_contents_are_held_out_whatever_their_order_and_copies_with_them() -> None:
    leaders = {name: name for name in "abcdef"} | {"copy": "b"}
    for count in (1, 2, 5):
        found = sides(settings := {"split": None, "split_share": 0.2, "holdout": count}, leaders)
        assert len({leaders[name] for name, where in found.items() if where == "test"}) == count
        assert found["copy"] == found["b"]
        assert found == sides(settings, dict(reversed(leaders.items())))
    assert set(sides(settings | {"holdout": 9}, leaders).values()) == {"test"}
    # The next one held out joins those before it.
    held = [
        {name for name, where in sides(settings | {"holdout": n}, leaders).items() if where == "test"}
        for n in range(1, 7)
    ]
    assert all(a < b for a, b in pairwise(held))


def test_shards_hold_out_what_one_run_does(copies: Path, tmp_path: Path) -> None:
    same = {"config": CONFIG, "per_video": 2, "workers": 1, "holdout": 1}
    names = [tmp_path / f"s{number}" for number in (1, 2)]
    for number, folder in enumerate(names, 1):
        synthesize([copies], folder, **same, shard=f"{number}/2")
    merge(names, tmp_path / "merged")
    synthesize([copies], tmp_path / "whole", **same)
    assert bytes_of(tmp_path / "merged") == bytes_of(tmp_path / "whole")
    found = read_dataset(tmp_path / "whole")
    assert len([one for one in found.sources if one.split == "test"]) == 2  # A video and its copy.
    assert found.split("train") and all(one.id.startswith("mvp-test-") for one in found.split("test"))


def test_the_audit_stands_in_the_manifest_and_structure_with_the_sources(made: Path) -> None:
    found = read_dataset(made)
    audit = found.manifest["audit"]
    assert audit["rule"] == "mark" and audit["tasks"]["mvp"]["samples"] == len(found.samples)
    assert {"order_by_similarity", "boundary_matching", "by_noise"} <= set(audit["tasks"]["mvp"]["baselines"])
    assert all(set(one.provenance["audit"]["values"]) for one in found.samples)
    structure = read_structure(found.sources[0].structure)
    assert structure is not None and structure.spacing == 0.5 and structure.cuts == ()
    report = inspect(found)
    assert report["stored_audit"] == audit and report["audit"] == {}
    assert report["structure"]["near-duplicates of another"] == 3 and report["structure"]["videos looked at"] == 6


def test_a_rule_leaves_out_the_same_samples_in_one_run_and_in_merged_shards(copies: Path, tmp_path: Path) -> None:
    few = [copies / name for name in ("a0.mp4", "a1.mp4", "b2.mp4")]
    settings = {"config": CONFIG, "per_video": 2, "workers": 1, "audit": "drop"}
    whole = synthesize(few, tmp_path / "whole", **settings)  # type: ignore[arg-type]
    for number in (1, 2):
        synthesize(few, tmp_path / f"s{number}", shard=f"{number}/2", **settings)  # type: ignore[arg-type]
    merge([tmp_path / "s2", tmp_path / "s1"], tmp_path / "merged")
    assert bytes_of(tmp_path / "whole") == bytes_of(tmp_path / "merged")
    told_ = whole.manifest["audit"]["tasks"]["mvp"]
    assert told_["samples"] - told_["removed"] == whole.counts["samples"]


def test_videos_with_a_burned_in_clock_are_marked_or_avoided(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_mp4(str(tmp_path / "in" / "clock.mp4"), clocked(scene(3, seconds=14.0)), 4)
    write_mp4(str(tmp_path / "in" / "plain.mp4"), scene(4, seconds=14.0), 4)
    config = {"fps": 4.0, "frames": 6, "hidden": 2, "distractors": 2, "margin": 0, "short_side": 28}
    synthesize([tmp_path / "in"], tmp_path / "marked", config=config, workers=1)
    found = read_dataset(tmp_path / "marked")
    paths = {source.identity: source.path for source in found.sources}
    assert {paths[one.source]: one.facets.get("clock", 0) for one in found.samples} == {"clock.mp4": 1, "plain.mp4": 0}
    synthesize([tmp_path / "in"], tmp_path / "avoided", config=config, workers=1, avoid=["clock"], audit="off")
    left = read_dataset(tmp_path / "avoided")
    assert [source.path for source in left.sources] == ["plain.mp4"] and "audit" not in left.samples[0].provenance
    assert left.quarantine[0]["reason"] == "every sample of it runs into what is avoided: clock"
    with pytest.raises(WorkError, match="every sample of it runs into"):
        synthesize([tmp_path / "in" / "clock.mp4"], tmp_path / "none", config=config, workers=1, avoid=["clock"])


def test_a_wrong_rule_is_refused_with_those_there_are(tmp_path: Path) -> None:
    write_mp4(str(tmp_path / "a.mp4"), np.zeros((4, 32, 32, 3), np.uint8), 4)
    with pytest.raises(RequestError, match="audit='trim': one of mark, thin, drop, off"):
        synthesize([tmp_path / "a.mp4"], tmp_path / "out", audit="trim")
