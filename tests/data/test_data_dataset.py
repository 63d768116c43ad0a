"""Dataset folders: what is written is read, and what is not whole is never read in silence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reelgym.data.dataset import FORMAT_VERSION, Source, read_dataset, write_dataset
from reelgym.data.files import replacing
from reelgym.data.media import Media
from reelgym.data.messages import GREY, Clip, Image, Message, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError, WorkError
from reelgym.video import FrameSpec, Store, identify, write_mp4

SPEC = FrameSpec(fps=2.0, size=(16, 24))


def make_sample(index: int, source: str = "full:a") -> Sample:
    parts = (
        Text("Before \u2192 \u00e9:"),
        Clip(video=source, spec=SPEC, times=(0.0, 0.5), shown_seconds=(1.0, 1.5)),
        Image(video=source, spec=SPEC, time=1.0),
    )
    return Sample(
        id=f"mvp-train-{index}",
        task="mvp",
        messages=(Message("system", (Text("s"),)), Message("user", parts)),
        answer=[2, 1],
        split="train",
        evidence={"pool": 3, "hidden_times": [0.1]},
        facets={"hidden": 2},
        provenance={"source": source, "kappa": 0.95},
    )


def make_source(path: str = "a.mp4", identity: str = "full:a", size: int = 10) -> Source:
    return Source(
        identity=identity,
        path=path,
        split="train",
        size_bytes=size,
        duration_seconds=2.5,
        height=16,
        width=24,
        frame_rate=8.0,
        codec="h264",
        warnings=("one frame is damaged",),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [{"path": "x.mp4", "boundary": "open", "reason": "empty"}]
    write_dataset(tmp_path / "ds", [make_sample(0), make_sample(1)], [make_source()], lines, {"seed": 3})
    return tmp_path / "ds"


def test_a_dataset_comes_back_as_it_was_written(folder: Path) -> None:
    found = read_dataset(folder)
    assert found.samples == (make_sample(0), make_sample(1))
    assert found.sources == (make_source(),)
    assert found.quarantine == ({"path": "x.mp4", "boundary": "open", "reason": "empty"},)
    assert found.manifest["seed"] == 3
    assert found.manifest["counts"] == {"samples": 2, "train": 2, "test": 0, "sources": 1, "quarantined": 1}
    assert found.split("test") == ()
    assert sorted(p.name for p in folder.iterdir()) == [
        "dataset.json",
        "quarantine.jsonl",
        "samples-00000.parquet",
        "sources.parquet",
    ]


def test_the_digest_follows_content_and_not_paths(tmp_path: Path, folder: Path) -> None:
    def digest_of(samples: list[Sample], source: Source, name: str) -> str:
        return str(write_dataset(tmp_path / name, samples, [source])["digest"])

    first = read_dataset(folder).digest
    both = [make_sample(0), make_sample(1)]
    assert digest_of(both, make_source("elsewhere/b.mp4"), "moved") == first
    assert digest_of(both[::-1], make_source(), "turned") != first
    assert digest_of([both[0], replace(both[1], answer=[1, 2])], make_source(), "answered") != first
    assert digest_of(both, make_source(size=11), "grown") != first


def test_an_empty_dataset_round_trips(tmp_path: Path) -> None:
    write_dataset(tmp_path / "none", [], [])
    assert read_dataset(tmp_path / "none").samples == ()


def test_a_dataset_is_never_overwritten(folder: Path) -> None:
    with pytest.raises(RequestError, match="holds a dataset already"):
        write_dataset(folder, [], [])


def test_another_format_version_is_refused_with_what_to_do(folder: Path) -> None:
    about = json.loads((folder / "dataset.json").read_text())
    for version, remedy in ((FORMAT_VERSION + 1, "update reelgym"), (0, "make the dataset again")):
        (folder / "dataset.json").write_text(json.dumps(about | {"format_version": version}))
        with pytest.raises(RequestError, match=f"format {version}, this reelgym reads {FORMAT_VERSION}: {remedy}"):
            read_dataset(folder)


@pytest.mark.parametrize(
    ("file", "words"),
    [(None, "no dataset.json"), ("metrics.jsonl", "training run"), ("results.json", "evaluation")],
)
def test_a_folder_of_another_kind_is_named(tmp_path: Path, file: str | None, words: str) -> None:
    if file:
        (tmp_path / file).write_text("{}")
    with pytest.raises(RequestError, match=f"is not a dataset: .*{words}"):
        read_dataset(tmp_path)
    with pytest.raises(RequestError, match="no such folder"):
        read_dataset(tmp_path / "absent")


@pytest.mark.parametrize("text", ["", "[]", "{}", "{broken", '{"format": "other"}'])
def test_a_foreign_or_broken_manifest_is_one_line(folder: Path, text: str) -> None:
    (folder / "dataset.json").write_text(text)
    with pytest.raises(RequestError, match=r"dataset\.json (is damaged|was not written by reelgym)"):
        read_dataset(folder)


@pytest.mark.parametrize("name", ["samples-00000.parquet", "sources.parquet", "quarantine.jsonl"])
@pytest.mark.parametrize("harm", ["gone", "cut", "garbage"])
def test_a_damaged_file_is_one_line(folder: Path, name: str, harm: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    if harm != "gone":
        (folder / name).write_bytes(content[: len(content) // 2] if harm == "cut" else b"\x00garbage" + content[8:])
    with pytest.raises(RequestError, match="damaged dataset") as caught:
        read_dataset(folder)
    assert "\n" not in str(caught.value)


def test_content_that_differs_from_the_digest_is_damage(tmp_path: Path, folder: Path) -> None:
    write_dataset(tmp_path / "other", [make_sample(0), make_sample(7)], [make_source()])
    (folder / "samples-00000.parquet").write_bytes((tmp_path / "other" / "samples-00000.parquet").read_bytes())
    with pytest.raises(RequestError, match=r"damaged dataset \(digest"):
        read_dataset(folder)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("old")
    with pytest.raises(WorkError, match=r"cannot write .*file \(No space left"), replacing(place) as temporary:
        temporary.write_text("ne")
        raise OSError(28, "No space left on device")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert place.read_text() == "old"


# Media


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    levels = np.linspace(0, 240, 20).astype(np.uint8)
    write_mp4(str(tmp_path / "a.mp4"), [np.full((32, 48, 3), level, np.uint8) for level in levels], 10)
    return tmp_path / "a.mp4"


def test_media_gives_the_frames_of_the_times_named_in_their_order(tmp_path: Path, clip: Path) -> None:
    name = identify(str(clip))
    media = Media(Store(tmp_path / "store"), {name: clip}, {name: clip.stat().st_size})
    forward = media(Clip(video=name, spec=SPEC, times=(0.0, 0.5, 1.5)))
    assert forward.shape == (3, 16, 24, 3)
    assert [round(float(f.mean()) / 12.63) for f in forward] == [0, 5, 15]  # 240 / 19 grey levels a frame
    assert np.array_equal(media(Clip(video=name, spec=SPEC, times=(1.5, 0.0, 0.5))), forward[[2, 0, 1]])
    assert np.array_equal(media(Image(video=name, spec=SPEC, time=0.5)), forward[1:2])
    with pytest.raises(RequestError, match=r"no frame at 0\.25 s"):
        media(Image(video=name, spec=SPEC, time=0.25))


def test_grey_needs_no_file() -> None:
    media = Media(None, {})  # type: ignore[arg-type]
    pixels = media(Clip(video=GREY, spec=SPEC, times=(0.0, 9.0)))
    assert pixels.shape == (2, 16, 24, 3)
    assert set(np.unique(pixels)) == {128}
    with pytest.raises(RequestError, match="needs a spec with a size"):
        media(Image(video=GREY, spec=FrameSpec(fps=1), time=0.0))


def test_sources_are_found_under_another_root_and_checked(tmp_path: Path, clip: Path) -> None:
    name, size = identify(str(clip)), clip.stat().st_size
    write_dataset(tmp_path / "d", [], [make_source("a.mp4", name, size)], (), {"media_root": str(tmp_path / "old")})
    found, part = read_dataset(tmp_path / "d"), Image(video=name, spec=SPEC, time=0.0)
    store = Store(tmp_path / "store")
    with pytest.raises(RequestError, match=f"a.mp4 is missing, wanted as {name}: .*--videos"):
        found.media(store)(part)
    assert found.media(store, tmp_path)(part).shape == (1, 16, 24, 3)
    clip.write_bytes(clip.read_bytes() + b"\0")
    with pytest.raises(RequestError, match=f"has changed: wanted {name}, found {identify(str(clip))}"):
        found.media(store, tmp_path)(part)
    with pytest.raises(RequestError, match="full:other is not listed"):
        found.media(store, tmp_path)(Image(video="full:other", spec=SPEC, time=0.0))
