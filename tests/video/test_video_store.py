from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from video_clips import number_of, numbered

from reelgym.errors import MediaError, RequestError, WorkError
from reelgym.video import Frames, FrameSpec, Store, Video, identify, packed, probe, probing, read, store, write_mp4
from reelgym.video.packed import Encoding, Packed
from reelgym.video.places import stamp
from reelgym.video.probing import Scheme, identify_once, vouch
from reelgym.video.store import parse_size

SPEC = FrameSpec(fps=5, short_side=32)


@pytest.fixture
def video(tmp_path: Path) -> Video:
    write_mp4(str(tmp_path / "a.mp4"), map(numbered, range(20)), 10)
    return probe(str(tmp_path / "a.mp4"))


def _entries(root: Path) -> list[Path]:
    return sorted(root.rglob("*.frames"))


def _same(a: Frames, b: Frames) -> None:
    np.testing.assert_array_equal(a.pixels, b.pixels)
    np.testing.assert_array_equal(a.times, b.times)
    assert a.spec == b.spec and a.warnings == b.warnings


def test_a_second_request_is_answered_without_the_file(tmp_path: Path, video: Video) -> None:
    assert not Store(tmp_path / "s").holds(video.identity, SPEC)
    first = Store(tmp_path / "s").frames(video.identity, video.path, SPEC)
    assert Store(tmp_path / "s").holds(video.identity, SPEC)
    _same(first, read(video, SPEC))
    os.unlink(video.path)
    again = Store(tmp_path / "s")
    _same(again.frames(video.identity, None, SPEC), first)
    stats = again.stats()
    assert (stats.entries, stats.hits, stats.misses, stats.rebuilt) == (1, 1, 0, 0)
    assert stats.size_bytes == _entries(tmp_path / "s")[0].stat().st_size


def test_the_same_content_under_another_name_is_one_entry(tmp_path: Path, video: Video) -> None:
    shutil.copy(video.path, tmp_path / "b.mp4")
    kept = Store(tmp_path / "s")
    for path in (video.path, str(tmp_path / "b.mp4")):
        kept.frames(video.identity, path, SPEC)
    assert len(_entries(tmp_path / "s")) == 1


def test_several_specs_are_decoded_in_one_pass_and_only_the_missing(
    tmp_path: Path, video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Store(tmp_path / "s")
    specs = [SPEC, SPEC.resized((20, 30)), FrameSpec(times=(0.3,))]
    kept.frames(video.identity, video.path, specs[1])
    asked: list[list[FrameSpec]] = []

    def watched(path: str, wanted: list[FrameSpec]) -> list[Frames]:
        asked.append(list(wanted))
        return [read(path, spec) for spec in wanted]

    monkeypatch.setattr(store, "read_many", watched)
    for spec, frames in zip(specs, kept.frames_many(video.identity, video.path, specs), strict=True):
        _same(frames, read(video, spec))
    assert asked == [[specs[0], specs[2]]]


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "header", "grown"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, video: Video, damage: str) -> None:
    good = Store(tmp_path / "s").frames(video.identity, video.path, SPEC)
    entry = _entries(tmp_path / "s")[0]
    data = entry.read_bytes()
    middle = len(data) - 100
    changed = {
        "cut": data[:-10],
        "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "emptied": b"",
        "header": data[:20] + b"\xff" * 20 + data[40:],
        "grown": data + b"x",
    }[damage]
    entry.write_bytes(changed)
    kept = Store(tmp_path / "s")
    _same(kept.frames(video.identity, video.path, SPEC), good)
    assert kept.stats().rebuilt == 1 and entry.read_bytes() == data


def test_pixels_from_the_store_cannot_be_changed_small_or_mapped(
    tmp_path: Path, video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Store(tmp_path / "s")
    plain = kept.frames(video.identity, video.path, SPEC)
    for limit in (10**9, 1):
        monkeypatch.setattr(packed, "MAP_BYTES", limit)
        frames = Store(tmp_path / "s").frames(video.identity, None, SPEC)
        _same(frames, plain)
        with pytest.raises(ValueError, match="read-only"):
            frames.pixels[0] = 0


def test_the_entry_used_longest_ago_goes_first(tmp_path: Path, video: Video) -> None:
    kept = Store(tmp_path / "s")
    specs = [FrameSpec(times=(k / 10,)) for k in range(6)]
    places: list[Path] = []
    for age, spec in enumerate(specs):
        kept.frames(video.identity, video.path, spec)
        (new,) = set(_entries(tmp_path / "s")) - set(places)
        places.append(new)
        os.utime(new, (1000 + age, 1000 + age))
    kept.frames(video.identity, None, specs[0])  # used now: the youngest
    size = places[0].stat().st_size
    assert Store(tmp_path / "s").prune(3 * size + 100) == 3
    assert set(_entries(tmp_path / "s")) == {places[0], places[4], places[5]}


def test_writing_past_the_limit_makes_room_and_the_newest_stays(tmp_path: Path, video: Video) -> None:
    size = 64 * 128 * 3
    kept = Store(tmp_path / "s", limit_bytes=3 * size)
    for k in range(10):
        frames = kept.frames(video.identity, video.path, FrameSpec(times=(k / 10,)))
        assert len(frames) == 1
        assert kept.stats().size_bytes <= 3 * size
    kept.frames(video.identity, None, FrameSpec(times=(0.9,)))
    assert kept.stats().hits == 1
    tiny = Store(tmp_path / "t", limit_bytes=1)
    tiny.frames(video.identity, video.path, SPEC)
    assert tiny.stats().entries == 1


def test_a_note_lies_beside_its_entry_is_checked_and_goes_with_it(tmp_path: Path, video: Video) -> None:
    kept = Store(tmp_path / "s")
    kept.keep_note(video.identity, SPEC, "shots", b"nothing to lie beside")
    assert kept.stats().entries == 0
    kept.frames(video.identity, video.path, SPEC)
    kept.keep_note(video.identity, SPEC, "shots", b"three")
    assert Store(tmp_path / "s").note(video.identity, SPEC, "shots") == b"three"
    assert kept.note(video.identity, SPEC, "bars") is kept.note("full:other", SPEC, "shots") is None
    (note,) = (tmp_path / "s").rglob("*.note")
    assert (kept.contents().entries, kept.contents().unreadable) == (2, 0)
    note.write_bytes(note.read_bytes().replace(b"three", b"seven"))
    assert kept.note(video.identity, SPEC, "shots") is None and not note.exists()
    kept.keep_note(video.identity, SPEC, "shots", b"three")
    os.utime(_entries(tmp_path / "s")[0], (1000, 1000))
    kept.prune(note.stat().st_size)
    assert kept.stats().entries == 0


def test_a_damaged_entry_takes_its_notes_along(tmp_path: Path, video: Video) -> None:
    kept = Store(tmp_path / "s")
    kept.frames(video.identity, video.path, SPEC)
    kept.keep_note(video.identity, SPEC, "shots", b"three")
    _entries(tmp_path / "s")[0].write_bytes(b"")
    assert kept.note(video.identity, SPEC, "shots") is None
    assert not list((tmp_path / "s").rglob("*.note"))


def test_a_source_with_another_content_is_an_error_naming_both(tmp_path: Path, video: Video) -> None:
    write_mp4(video.path, map(numbered, range(5)), 10)
    with pytest.raises(MediaError, match=f"file has changed: its content is full:.*asked for is {video.identity}"):
        Store(tmp_path / "s").frames(video.identity, video.path, SPEC)
    with pytest.raises(MediaError, match=f"No such file or directory; the content {video.identity} is needed"):
        Store(tmp_path / "s").frames(video.identity, str(tmp_path / "absent"), SPEC)
    with pytest.raises(MediaError, match="no file is known that holds it"):
        Store(tmp_path / "s").frames(video.identity, None, SPEC)


def test_a_source_is_hashed_once_while_it_stays_the_same(
    tmp_path: Path, video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    count: list[str] = []
    plain = identify

    def counted(path: str, scheme: Scheme) -> str:
        count.append(path)
        return plain(path, scheme)

    monkeypatch.setattr(probing, "identify", counted)
    for k in range(3):  # A worker opens a store for every file it cuts.
        Store(tmp_path / "s").frames(video.identity, video.path, FrameSpec(times=(k / 10,)))
    assert len(count) == 1
    os.utime(video.path, ns=(0, 0))
    Store(tmp_path / "s").frames(video.identity, video.path, FrameSpec(times=(0.3,)))
    assert len(count) == 2


def test_what_is_vouched_for_is_not_hashed_unless_it_has_changed_since(
    tmp_path: Path, video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = stamp(video.path)
    vouch(video.path, "full:told", noted)
    assert identify_once(video.path) == "full:told"
    Path(video.path).write_bytes(Path(video.path).read_bytes() + b"x")
    vouch(video.path, "full:told", noted)
    assert identify_once(video.path) == identify(video.path)


def test_a_full_disk_is_one_clear_error_and_leaves_no_half_entry(
    tmp_path: Path, video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Store(tmp_path / "s")

    def full(path: str, identity: str, frames: Frames, encoding: Encoding) -> int:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(packed, "write", full)
    with pytest.raises(WorkError, match=r"cannot write to the frame store .*No space left on device; free some space"):
        kept.frames(video.identity, video.path, SPEC)
    assert [p for p in (tmp_path / "s").rglob("*") if p.is_file()] == []


def test_a_root_that_is_a_file_is_one_clear_error(video: Video) -> None:
    with pytest.raises(WorkError, match="cannot make the frame store"):
        Store(video.path)


def _hammer(root: str, path: str, identity: str, seed: int, report: multiprocessing.queues.Queue[object]) -> None:
    """Ask for twelve specs in another order per process, damaging an entry now and then; report what differed."""
    try:
        kept = Store(root, limit_bytes=7 * 64 * 128 * 3)
        order = np.random.default_rng(seed).integers(0, 12, 60)
        wrong = 0
        for turn, k in enumerate(order):
            frames = kept.frames(identity, path, FrameSpec(times=(k / 10,)))
            wrong += int(round(frames.times[0] * 10) != k or number_of(frames.pixels[0]) != k)
            if turn % 20 == 19:
                for entry in list(Path(root).rglob("*.frames"))[:1]:
                    entry.unlink(missing_ok=True)
        report.put(wrong)
    except Exception as error:  # whatever happens in the child is the result
        report.put(repr(error))


def test_two_processes_at_once_agree(tmp_path: Path, video: Video) -> None:
    context = multiprocessing.get_context("fork")
    report: multiprocessing.queues.Queue[object] = context.Queue()
    arguments = (str(tmp_path / "s"), video.path, video.identity)
    children = [context.Process(target=_hammer, args=(*arguments, seed, report)) for seed in (1, 2)]
    for child in children:
        child.start()
    results = [report.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert results == [0, 0]
    assert not list((tmp_path / "s").glob("*.tmp"))


@pytest.mark.parametrize(("encoding", "error"), [("jpeg-90", 3.0), ("webp-80", 6.0)])
def test_a_compressed_entry_states_its_loss_and_answers_the_same_every_time(
    tmp_path: Path, video: Video, encoding: str, error: float
) -> None:
    plain = read(video, SPEC)
    first = Store(tmp_path / "s", encoding=encoding).frames(video.identity, video.path, SPEC)
    again = Store(tmp_path / "s", encoding=encoding).frames(video.identity, None, SPEC)
    _same(first, again)
    real = np.abs(first.pixels.astype(int) - plain.pixels).mean()
    assert 0 < real < error
    assert again.warnings[0].startswith(f"kept as {encoding}: mean error {real:.2f} of 255, PSNR ")
    assert _entries(tmp_path / "s")[0].stat().st_size < plain.pixels.nbytes / 2


def test_a_raw_entry_is_taken_before_a_compressed_one_and_never_the_other_way(tmp_path: Path, video: Video) -> None:
    Store(tmp_path / "s", encoding="jpeg-50").frames(video.identity, video.path, SPEC)
    plain = Store(tmp_path / "s").frames(video.identity, video.path, SPEC)
    _same(plain, read(video, SPEC))
    _same(Store(tmp_path / "s", encoding="jpeg-50").frames(video.identity, None, SPEC), plain)


@pytest.mark.parametrize("encoding", ["raw", "jpeg-90"])
def test_a_stream_gives_the_frames_of_the_entry_one_by_one(tmp_path: Path, video: Video, encoding: str) -> None:
    kept = Store(tmp_path / "s", encoding=encoding)
    streamed = list(kept.stream(video.identity, video.path, SPEC))
    whole = kept.frames(video.identity, None, SPEC)
    assert [time for time, _ in streamed] == whole.times.tolist()
    np.testing.assert_array_equal(np.stack([picture for _, picture in streamed]), whole.pixels)
    assert not streamed[0][1].flags.writeable


@pytest.mark.parametrize("encoding", ["raw", "jpeg-90"])
def test_a_frame_damaged_under_a_stream_is_made_again_and_none_is_lost(
    tmp_path: Path, video: Video, encoding: str
) -> None:
    kept = Store(tmp_path / "s", encoding=encoding)
    whole = kept.frames(video.identity, video.path, SPEC)
    entry = _entries(tmp_path / "s")[0]
    data = bytearray(entry.read_bytes())
    data[-5] ^= 1
    entry.write_bytes(data)
    streamed = list(kept.stream(video.identity, video.path, SPEC))
    np.testing.assert_array_equal(np.stack([picture for _, picture in streamed]), whole.pixels)
    assert kept.stats().rebuilt == 1


def test_a_flipped_digit_in_the_header_is_noticed(tmp_path: Path, video: Video) -> None:
    good = Store(tmp_path / "s").frames(video.identity, video.path, SPEC)
    entry = _entries(tmp_path / "s")[0]
    data = entry.read_bytes()
    at = data.index(b'"times": [0, ') + len(b'"times": [0, ')
    entry.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with pytest.raises(ValueError, match="damaged header"):
        Packed(str(entry))
    _same(Store(tmp_path / "s").frames(video.identity, video.path, SPEC), good)


def test_the_way_of_reading_is_kept(tmp_path: Path, video: Video) -> None:
    spec = FrameSpec(fps=2, snapped=True)
    for _ in range(2):
        assert Store(tmp_path / "s").frames(video.identity, video.path, spec).way == "keyframes"


def test_contents_count_videos_frames_and_what_cannot_be_read(tmp_path: Path, video: Video) -> None:
    kept = Store(tmp_path / "s")
    assert kept.contents().oldest is None
    kept.frames(video.identity, video.path, SPEC)
    Store(tmp_path / "s", encoding="webp-70").frames(video.identity, video.path, FrameSpec(times=(0.1, 0.2)))
    (tmp_path / "s" / "00").mkdir(exist_ok=True)
    (tmp_path / "s" / "00" / "old.frames").write_bytes(b"reelgym-frames-1 and more")
    found = kept.contents()
    assert (found.entries, found.videos, found.frames, found.unreadable) == (3, 1, 12, 1)
    assert set(found.encodings) == {"raw", "webp-70"}
    assert kept.prune(10**9) == 1 and kept.contents().unreadable == 0
    assert kept.prune(0) == 2 and kept.contents().entries == 0


def test_limit_and_encoding_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELGYM_STORE_LIMIT", "1.5GiB")
    monkeypatch.setenv("REELGYM_STORE_ENCODING", "jpeg-95")
    kept = Store(tmp_path / "s")
    assert (kept.limit_bytes, str(kept.encoding)) == (3 * 512 * 1024**2, "jpeg-95")
    assert str(Store(tmp_path / "s", 5, encoding="raw").encoding) == "raw"
    for text in ("png", "jpeg-0", "jpeg-101", "webp"):
        with pytest.raises(RequestError, match="give raw, jpeg-Q or webp-Q"):
            Store(tmp_path / "s", encoding=text)
    for text in ("many", "10 XB", "-1", ""):
        with pytest.raises(RequestError, match="give a number of bytes"):
            parse_size(text)
