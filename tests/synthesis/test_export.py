"""Exports: the very frames, in order, as files; rows that peers read; rewards by their own signatures."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image as PILImage

from reelgym import tasks
from reelgym.data.dataset import Dataset, Source
from reelgym.data.edits import Edit
from reelgym.data.media import Media
from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.synthesis.export import Exported, export, names, plan
from reelgym.synthesis.export.base import Shown
from reelgym.synthesis.export.frames import Encoding, frame_names
from reelgym.synthesis.export.rewards import score
from reelgym.video import FrameSpec, Store, probe, write_mp4

SPEC = FrameSpec(fps=2.0, size=(56, 84))
TIMES = (0.0, 0.5, 1.0, 2.0)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    """One video of plainly different pictures, four a second."""
    folder = tmp_path_factory.mktemp("video")
    blocks = np.random.default_rng(0).integers(0, 256, (16, 4, 4, 3)).astype(np.uint8)
    write_mp4(str(folder / "v.mp4"), blocks.repeat(16, 1).repeat(16, 2), 4)
    video = probe(str(folder / "v.mp4"))
    return Media(Store(folder / "store"), {video.identity: folder / "v.mp4"}, {video.identity: video.size_bytes})


def puzzle(media: Media, name: str = "p", split: Any = "train") -> Sample:
    (video,) = media.paths
    parts = (
        Text("Before:\n"),
        Clip(video=video, spec=SPEC, times=TIMES),
        Text("\nCandidate 1: "),
        Image(video=video, spec=SPEC, time=3.0),
        Text("\nCandidate 2: "),
        Image(video=video, spec=SPEC, time=2.5),
        Text("\nWhich come next?"),
    )
    return Sample(
        id=name,
        task="mvp",
        split=split,
        messages=(Message("user", parts),),
        answer=[2, 1],
        evidence={"pool": 2},
        provenance={"source": video},
    )


def question(media: Media) -> Sample:
    (video,) = media.paths
    parts = (Clip(video=video, spec=SPEC, times=TIMES), Text("\nHow many?"))
    evidence = {"kind": "number", "gold": "<observation>o</observation><think>t</think><answer>3</answer>"}
    return Sample(
        id="q",
        task="labelled",
        split="test",
        messages=(Message("user", parts),),
        answer="3",
        evidence=evidence,
        provenance={"source": video},
    )


def dataset_of(*samples: Sample) -> Dataset:
    source = Source(
        identity=samples[0].source,
        path="v.mp4",
        split="train",
        size_bytes=1,
        duration_seconds=4.0,
        height=64,
        width=64,
        frame_rate=4.0,
        codec="h264",
    )
    return Dataset(Path("ds"), samples, (source,), {"digest": "sha256:0"}, ())


Make = Callable[..., tuple[Path, Exported]]


@pytest.fixture
def make(media: Media, tmp_path: Path) -> Make:
    """Exports samples to a peer."""

    def call(peer: str, *samples: Sample, **settings: Any) -> tuple[Path, Exported]:
        dataset = dataset_of(*samples)
        shared = {name: value for name, value in settings.items() if name != "root"}
        out = tmp_path / peer
        return out, export(dataset, media, out, peer=peer, planned=plan(dataset, media, **shared), **settings)

    return call


def loaded(folder: Path, suffix: str, split: str = "train") -> list[dict[str, Any]]:
    path = folder / f"{split}.{suffix}"
    if suffix == "parquet":
        return list(pq.read_table(path).to_pylist())
    text = path.read_text(encoding="utf-8")
    return list(json.loads(text)) if suffix == "json" else [json.loads(line) for line in text.splitlines()]


def reward_of(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("reward", folder / "reward.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def clip_files(peer: str, row: dict[str, Any]) -> list[str]:
    """The frames of the first clip by the peer's own columns."""
    if peer == "verl":
        return list(row["videos"][0]["video"])
    if peer == "trl":
        return [image["path"] for image in row["images"]][: len(TIMES)]
    return list(row["images"][: len(TIMES)] if peer == "easyr1" else row["videos"][0])


SUFFIX = {"trl": "parquet", "verl": "parquet", "easyr1": "parquet", "ms-swift": "jsonl", "llamafactory": "json"}


def test_there_is_a_suffix_here_for_every_format() -> None:
    assert names() == sorted(SUFFIX)


@pytest.mark.parametrize("peer", SUFFIX)
def test_frames_are_the_samples_own_pixels_in_order_and_no_source_is_named(peer: str, make: Make, media: Media) -> None:
    sample = puzzle(media)
    folder, _ = make(peer, sample)
    (row,) = loaded(folder, SUFFIX[peer])
    files = clip_files(peer, row)
    clip = sample.messages[0].parts[1]
    assert isinstance(clip, Clip)
    kept = np.stack([np.asarray(PILImage.open(file)) for file in files])
    assert np.array_equal(kept, media(clip))
    assert len({frame.tobytes() for frame in kept}) == len(TIMES)  # So that order can be seen.
    assert "v.mp4" not in json.dumps(row, default=str)
    assert len(list((folder / "frames").rglob("*.png"))) == len(TIMES) + 2


@pytest.mark.parametrize("peer", SUFFIX)
def test_as_many_marks_as_media_stand_in_a_prompt(peer: str, make: Make, media: Media) -> None:
    folder, made = make(peer, puzzle(media))
    (row,) = loaded(folder, SUFFIX[peer])
    as_images = peer in ("trl", "easyr1")
    assert made.manifest["clips_as_images"] == as_images
    if peer == "trl":
        content = row["prompt"][0]["content"]
        assert [part["type"] for part in content].count("image") == len(row["images"]) == 6
        assert content[1] == {"type": "text", "text": "\n0.0 s: "}
        return
    text = row["prompt"] if peer == "easyr1" else (row.get("prompt") or row["messages"])[0]["content"]
    images, videos = text.count("<image>"), text.count("<video>")
    assert (images, videos) == ((6, 0) if as_images else (2, 1))
    assert images == len(row["images"]) and videos == len(row.get("videos") or [])
    assert text.endswith("<answer>the answer only</answer>")


def test_verl_rows_state_rate_and_size(make: Make, media: Media) -> None:
    folder, _ = make("verl", puzzle(media))
    (row,) = loaded(folder, "parquet")
    (video,) = row["videos"]
    # Four frames over two seconds: three steps in 2 s. The third lies at 1.0, even spacing says 4/3.
    assert (video["sample_fps"], video["resized_height"], video["resized_width"]) == (1.5, 56, 84)
    clip = json.loads(row["extra_info"]["media"])[0]
    assert clip["seconds"] == list(TIMES)
    assert clip["error_seconds"] == pytest.approx(1 / 3, abs=1e-6)
    assert row["data_source"] == "reelgym/mvp"


def test_a_clip_of_one_frame_has_a_rate() -> None:
    one = Shown(kind="clip", files=("a",), seconds=(3.0,), size=(28, 28))
    assert (one.rate, one.error_seconds) == (1.0, 0.0)


def test_llamafactory_rows_end_with_the_right_reply_and_are_listed(make: Make, media: Media) -> None:
    folder, _ = make("llamafactory", puzzle(media), question(media))
    assert loaded(folder, "json")[0]["messages"][-1] == {"role": "assistant", "content": "<answer>2, 1</answer>"}
    (row,) = loaded(folder, "json", "test")
    assert row["messages"][-1]["content"] == question(media).evidence["gold"]
    listed = json.loads((folder / "dataset_info.json").read_text())
    assert listed["reelgym_test"]["file_name"] == "test.json"


def test_rewards_score_by_each_peers_own_signature(make: Make, media: Media) -> None:
    sample = puzzle(media)
    right, wrong = "<answer>2, 1</answer>", "<answer>1, 2</answer>"
    worth = [tasks.get("mvp").score(reply, sample).value for reply in (right, wrong)]
    assert worth[0] == 1.0 > worth[1] >= 0

    folder, _ = make("trl", sample)
    carried = loaded(folder, "parquet")[0]["sample"]
    replies = [[{"role": "assistant", "content": right}], [{"role": "assistant", "content": [{"text": wrong}]}]]
    found = reward_of(folder).reelgym_reward(
        prompts=["", ""], completions=replies, sample=[carried] * 2, trainer_state=None
    )
    assert found == worth

    folder, _ = make("verl", sample)
    truth = loaded(folder, "parquet")[0]["reward_model"]["ground_truth"]
    compute = reward_of(folder).compute_score
    assert [
        compute(data_source="reelgym/mvp", solution_str=r, ground_truth=truth, extra_info={})["score"]
        for r in (right, wrong)
    ] == worth
    assert compute("reelgym/mvp", "no idea", truth) == {"score": 0.0, "acc": 0.0, "valid": 0.0}

    folder, _ = make("easyr1", sample)
    truth = loaded(folder, "parquet")[0]["answer"]
    module = reward_of(folder)
    inputs = [{"response": r, "response_length": 3, "ground_truth": truth} for r in (right, wrong)]
    assert module.REWARD_TYPE == "batch"
    assert [one["overall"] for one in module.compute_score(inputs)] == worth

    folder, _ = make("llamafactory", sample, replace(sample, id="p2"))
    lines = [json.dumps({"prompt": "", "predict": reply, "label": ""}) for reply in (right, wrong)]
    (folder / "predictions.jsonl").write_text("\n".join(lines) + "\n")
    printed = reward_of(folder).main([str(folder / "predictions.jsonl"), str(folder / "train.json")])
    assert printed == f"mean value {sum(worth) / 2:.4f} of 2"


def test_ms_swift_calls_an_object_with_columns(make: Make, media: Media) -> None:
    from reelgym.synthesis.export.rewards_ms_swift import ReelgymReward

    folder, _ = make("ms-swift", puzzle(media))
    (row,) = loaded(folder, "jsonl")
    found = ReelgymReward(args=None)(["<answer>2, 1</answer>"], sample=[row["sample"]], trainer_state=None)
    assert found == [1.0]
    ast.parse((folder / "reward.py").read_text())  # It imports swift, which is not here.


def test_a_broken_reward_is_an_error_and_never_a_0() -> None:
    for carried in ("", "{}", "[1]", "B"):
        with pytest.raises(ValueError):
            score("<answer>1</answer>", carried)


def test_frames_that_two_samples_share_are_one_file_and_edits_make_others(media: Media) -> None:
    (video,) = media.paths
    png, clip = Encoding(None), Clip(video=video, spec=SPEC, times=TIMES)
    image = Image(video=video, spec=SPEC, time=1.0)
    assert frame_names(image, png)[0] == frame_names(clip, png)[2]
    assert frame_names(image, png) != frame_names(image, Encoding(90))
    turned = replace(clip, edits=(Edit("rotate", (90,)),))
    assert not set(frame_names(turned, png)) & set(frame_names(clip, png))


def test_an_edit_that_turns_a_frame_turns_its_size(make: Make, media: Media) -> None:
    (video,) = media.paths
    clip = Clip(video=video, spec=SPEC, times=TIMES, edits=(Edit("rotate", (90,)),))
    sample = replace(question(media), split="train", messages=(Message("user", (clip, Text("\nHow many?"))),))
    folder, _ = make("verl", sample)
    (found,) = loaded(folder, "parquet")[0]["videos"]
    assert (found["resized_height"], found["resized_width"]) == (84, 56)


def test_the_estimate_is_of_what_is_written_and_states_the_loss(make: Make, media: Media, tmp_path: Path) -> None:
    samples = (puzzle(media), replace(question(media), split="train"))
    dataset = dataset_of(*samples)
    exact, lossy = plan(dataset, media), plan(dataset, media, quality=60)
    assert (exact.frames_shown, exact.frames_written, exact.psnr_db) == (10, 6, None)  # The clip is in both.
    assert lossy.psnr_db is not None and 20 < lossy.psnr_db < 60
    assert list(tmp_path.iterdir()) == []
    folder, _ = make("verl", *samples)
    frames = sum(path.stat().st_size for path in (folder / "frames").rglob("*.png"))
    assert abs(exact.bytes_in_all - frames) < 0.5 * frames + 4000


def test_repeating_an_export_says_so_and_other_settings_are_refused(make: Make, media: Media) -> None:
    folder, first = make("verl", puzzle(media))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    _, again = make("verl", puzzle(media))
    assert (first.fresh, again.fresh) == (True, False)
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(RequestError, match=r"was exported with other settings \(quality: None then, 90 now\)"):
        make("verl", puzzle(media), quality=90)


def test_a_killed_export_goes_on_and_ends_with_the_same_bytes(
    make: Make, media: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = make("ms-swift", puzzle(media))
    whole = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (folder / "export.json").unlink()
    (folder / "train.jsonl").unlink()
    gone = next((folder / "frames").rglob("*.png"))
    gone.unlink()
    make("ms-swift", puzzle(media))
    assert whole == {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_root_names_where_the_export_will_lie(make: Make, media: Media) -> None:
    folder, _ = make("ms-swift", puzzle(media), root="/elsewhere/x")
    (row,) = loaded(folder, "jsonl")
    assert all(file.startswith("/elsewhere/x/frames/") for file in row["videos"][0] + row["images"])
    assert "--dataset /elsewhere/x/train.jsonl" in (folder / "README.md").read_text()


def test_text_that_would_pass_for_a_medium_is_left_out_and_counted(make: Make, media: Media) -> None:
    bad = replace(question(media), id="bad", messages=(Message("user", (Text("an <image> of"),)),))
    _, made = make("verl", puzzle(media), bad)
    assert made.manifest["plan"]["left_out"] == {"bad": "its text holds <image>"}
    assert made.manifest["files"] == {"train.parquet": 1, "test.parquet": 0}


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"quality": 0}, "quality=0: give a JPEG quality from 1 to 100"),
        ({"prompt": "taged"}, "unknown prompt 'taged'; did you mean 'tagged'?"),
        ({"limit": 0}, "limit=0: export at least 1 sample"),
    ],
)
def test_a_wrong_setting_is_one_line(settings: dict[str, Any], text: str, media: Media) -> None:
    with pytest.raises(RequestError) as caught:
        plan(dataset_of(puzzle(media)), media, **settings)
    assert text in str(caught.value)


def test_a_missing_source_is_told_before_anything_is_written(media: Media, tmp_path: Path) -> None:
    (video,) = media.paths
    moved = Media(media.store, {video: tmp_path / "gone.mp4"}, media.sizes)
    with pytest.raises(RequestError, match=r"gone\.mp4 is missing, wanted as full:"):
        plan(dataset_of(puzzle(media)), moved)
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_folder_is_no_place_for_an_export(make: Make, media: Media, tmp_path: Path) -> None:
    (tmp_path / "verl").mkdir()
    (tmp_path / "verl" / "dataset.json").write_text("{}")
    with pytest.raises(RequestError, match="is a dataset: choose another --out"):
        make("verl", puzzle(media))
