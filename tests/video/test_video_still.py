"""Files that are one picture: read as a camera and a page mean them, or refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reelgym.errors import MediaError, RequestError
from reelgym.video import FrameSpec, probe, probe_still, read

SPEC = FrameSpec(times=(0.0,), reader="still")
RED, BLUE = (255, 0, 0), (0, 0, 255)


def halves(left: tuple[int, ...], right: tuple[int, ...], mode: str = "RGB") -> Image.Image:
    """Return a picture of 64 x 32 pixels, one colour on either side."""
    picture = Image.new(mode, (64, 32), left)
    picture.paste(right, (32, 0, 64, 32))
    return picture


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "a.gif"])
def test_every_form_gives_its_pixels(name: str, tmp_path: Path) -> None:
    halves(RED, BLUE).save(tmp_path / name)
    found = read(str(tmp_path / name), SPEC)
    assert found.pixels.shape == (1, 32, 64, 3)
    assert found.times.tolist() == [0.0]
    assert np.abs(found.pixels[0, 16, 8].astype(int) - RED).max() < 12
    assert np.abs(found.pixels[0, 16, 56].astype(int) - BLUE).max() < 12


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (halves((0, 0, 0, 0), (*BLUE, 255), "RGBA"), [(255, 255, 255), BLUE]),  # What is transparent lies on white.
        (halves((0, 255), (255, 255), "LA"), [(0, 0, 0), (255, 255, 255)]),
        (
            Image.fromarray(np.repeat([[0x1234, 0xFF00]], 32, 1).repeat(32, 0).astype(np.uint16)),
            [(18,) * 3, (255,) * 3],
        ),
        (halves((1,), (0,), "1"), [(255, 255, 255), (0, 0, 0)]),
    ],
)
def test_pictures_of_other_depths_become_plain_colours(
    picture: Image.Image, expected: list[tuple[int, ...]], tmp_path: Path
) -> None:
    picture.save(tmp_path / "a.png")
    found = read(str(tmp_path / "a.png"), SPEC).pixels[0]
    assert [tuple(found[16, 8]), tuple(found[16, 56])] == expected


def test_a_picture_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    about = Image.Exif()
    about[0x112] = 6  # To be turned clockwise: left comes to the top.
    halves(RED, BLUE).save(tmp_path / "a.jpg", exif=about, quality=100)
    found = probe_still(str(tmp_path / "a.jpg"))
    assert (found.height, found.width, found.codec, found.duration_seconds) == (64, 32, "jpeg", 0.0)
    top = read(found, SPEC).pixels[0, 8, 16]
    assert np.abs(top.astype(int) - RED).max() < 12


def test_a_picture_is_resized_as_asked(tmp_path: Path) -> None:
    halves(RED, BLUE).save(tmp_path / "a.png")
    spec = FrameSpec(times=(0.0,), reader="still", size=(28, 56))
    assert read(str(tmp_path / "a.png"), spec).pixels.shape == (1, 28, 56, 3)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


def tiny(path: Path) -> None:
    Image.new("RGB", (16, 16)).save(path)


def huge(path: Path) -> None:
    Image.new("1", (9000, 9000)).save(path)


@pytest.mark.parametrize(
    ("spoil", "boundary", "words"),
    [
        (cut_short, "decode", "the picture is damaged: "),
        (tiny, "probe", "16 x 16 pixels: each side must be at least 28"),
        (huge, "probe", "9000 x 9000 pixels: each side must be at least 28, the area at most"),
        (lambda path: path.write_text("#EXTM3U"), "open", "no picture of the forms PNG, JPEG, WEBP, BMP, GIF"),
        (lambda path: path.unlink(), "open", "No such file"),
    ],
)
def test_what_is_no_picture_is_one_line(
    spoil: Callable[[Path], object], boundary: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    noise = np.random.default_rng(0).integers(0, 256, (32, 64, 3)).astype(np.uint8)
    Image.fromarray(noise).save(path)
    spoil(path)
    with pytest.raises(MediaError) as caught:
        probe_still(str(path))
    assert caught.value.boundary == boundary
    assert words in caught.value.reason and "\n" not in caught.value.reason


def test_a_picture_is_no_video_and_has_no_other_time(tmp_path: Path) -> None:
    halves(RED, BLUE).save(tmp_path / "a.png")
    path = str(tmp_path / "a.png")
    with pytest.raises(MediaError, match="still picture"):
        probe(path)
    with pytest.raises(RequestError, match=r"fps=2: a picture has the one time 0"):
        read(path, FrameSpec(fps=2, reader="still"))
