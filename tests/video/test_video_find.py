from __future__ import annotations

import os
from pathlib import Path

import pytest
from video_clips import numbered

from reelgym.errors import RequestError
from reelgym.video import find_videos, search, write_mp4
from reelgym.video.sniff import container_of, refusal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "clips"
    (root / "b" / "deep").mkdir(parents=True)
    write_mp4(str(root / "z.mp4"), [numbered(0)], 5)
    data = (root / "z.mp4").read_bytes()
    (root / "b" / "no_extension").write_bytes(data)
    (root / "b" / "deep" / "-dash %03d\nline.MOV").write_bytes(data)
    (root / "b" / ".hidden.webm").write_bytes(data)
    (root / "b" / "text.MP4").write_text("not a video")
    (root / "b" / "notes.txt").write_text("not a video")
    (root / "b" / "empty").write_bytes(b"")
    return root


def test_a_folder_gives_videos_by_extension_or_content_sorted(folder: Path) -> None:
    found = search([str(folder)])
    names = [os.path.relpath(path, folder) for path in found.paths]
    assert names == ["b/.hidden.webm", "b/deep/-dash %03d\nline.MOV", "b/no_extension", "b/text.MP4", "z.mp4"]
    assert found.ignored == 2


def test_a_file_named_directly_is_always_passed_on(folder: Path) -> None:
    assert find_videos([str(folder / "b" / "notes.txt")]) == [str(folder / "b" / "notes.txt")]


def test_a_file_reached_twice_counts_once_and_loops_end(folder: Path) -> None:
    (folder / "b" / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "a_link.mp4").symlink_to(folder / "z.mp4")
    assert search([str(folder)]).ignored == 2  # counted once, though the loop leads to them again and again
    paths = find_videos([str(folder), str(folder / "z.mp4"), str(folder / "b")])
    assert len(paths) == 5
    assert paths == sorted(paths)
    assert str(folder / "a_link.mp4") in paths and str(folder / "z.mp4") not in paths


def test_a_pipe_is_never_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe.mp4")
    assert str(folder / "pipe.mp4") not in find_videos([str(folder)])


def test_what_is_missing_or_empty_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"absent: no such file or folder; give video files or folders"):
        find_videos([str(tmp_path / "absent")])
    with pytest.raises(RequestError, match="holds no files; give video files"):
        find_videos([str(tmp_path)])
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(RequestError, match="holds 1 files that are no videos"):
        find_videos([str(tmp_path)])
    with pytest.raises(RequestError, match="no videos given"):
        find_videos([])


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x20ftypisom", "mov"),
        (b"\x1a\x45\xdf\xa3", "matroska"),
        (b"RIFF\0\0\0\0AVI LIST", "avi"),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        ((b"G" + b"\0" * 187) * 3, "mpegts"),
        ((b"\0\0\0\0G" + b"\0" * 187) * 3, "mpegts"),
        (b"G" + b"\0" * 400, None),
        (b"G", None),
        (b"\0\0\1\xba", "mpeg"),
        (b"\0\0\0\1\x67\x42", "h264"),
        (b"\0\0\0\1\x40\x01", "hevc"),
        (b"\0\0\1", None),
        (b"#EXTM3U\n", None),
        (b"ffconcat version 1.0", None),
        (b"v=0\r\no=- sdp", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"", None),
    ],
)
def test_the_demuxer_follows_from_the_first_bytes(head: bytes, name: str | None) -> None:
    assert container_of(head) == name


def test_what_is_no_video_is_called_by_its_name() -> None:
    assert refusal(b"") == "the file is empty (0 bytes)"
    assert "still picture (PNG)" in refusal(b"\x89PNG\r\n")
    assert "points to other files" in refusal(b"#EXTM3U\n#EXT-X")
    assert "no known video container" in refusal(b"hello")
