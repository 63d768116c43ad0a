"""Clocks, progress bars, logos and captions drawn on rendered scenes; nothing where nothing was drawn."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from world_scenes import at, clocked, scene

from reelgym.video import write_mp4
from reelgym.video.decode import read
from reelgym.video.overlays import FEWEST, SIDE, Overlay, overlays
from reelgym.video.types import FrameSpec


def kinds(pixels: np.ndarray, fps: float = 4.0) -> list[str]:
    return [overlay.kind for overlay in overlays(at(pixels, fps))]


@pytest.mark.parametrize("kind", ["moving", "cups", "process", "tower"])
def test_scenes_without_overlays_have_none(kind: str) -> None:
    assert [k for k in kinds(scene(0, kind=kind, seconds=12.0)) if k != "logo"] == []


def test_a_burned_in_clock_is_found_where_it_is_and_how_it_ticks(tmp_path: object) -> None:
    path = f"{tmp_path}/clock.mp4"
    write_mp4(path, clocked(scene(1, seconds=14.0)), 4)
    (found,) = overlays(read(path, FrameSpec(fps=4.0, short_side=SIDE)))
    assert found.kind == "clock" and found.leaks_order and found.beat_seconds == pytest.approx(1.0, abs=0.05)
    left, top, right, bottom = found.box
    assert left < 0.12 and top < 0.12 and right < 0.5 and bottom < 0.25
    assert Overlay.from_json(found.to_json()) == found


def test_a_clock_seen_once_a_second_is_known_by_its_digits_coming_back() -> None:
    pixels = scene(2, seconds=30.0, fps=1)
    assert kinds(clocked(pixels, 1.0), 1.0) == ["clock"]
    assert kinds(clocked(pixels, 1.0)[: FEWEST - 1], 1.0) == []


def test_a_progress_bar_is_found_and_a_growing_scene_is_not_one() -> None:
    pixels = scene(3, seconds=10.0).copy()
    for number, picture in enumerate(pixels):
        picture[-6:] = 60
        picture[-6:, : round(SIDE * number / len(pixels))] = (230, 30, 30)
    found = overlays(at(pixels))
    assert [overlay.kind for overlay in found] == ["progress"]
    assert found[0].box[1] > 0.9 and found[0].box[2] - found[0].box[0] > 0.8


def words(pixels: np.ndarray, lines: list[str], place: tuple[int, int]) -> np.ndarray:
    font, out = ImageFont.load_default(13), []
    for picture, line in zip(pixels, lines, strict=True):
        image = Image.fromarray(picture)
        ImageDraw.Draw(image).text(place, line, fill=(255, 255, 255), font=font, stroke_width=1, stroke_fill=(0, 0, 0))
        out.append(np.asarray(image))
    return np.stack(out)


def busy(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    small = rng.integers(20, 190, (count, 9, 9, 3)).astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(p).resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for p in small])


def test_a_logo_stays_while_all_else_changes_and_leaks_no_order() -> None:
    found = overlays(at(words(busy(24), ["LIVE"] * 24, (100, 6))))
    assert [overlay.kind for overlay in found] == ["logo"] and not found[0].leaks_order
    assert found[0].box[0] > 0.6 and found[0].box[3] < 0.25


def test_captions_hold_and_then_are_others() -> None:
    said = ["the first words", "something longer", "and a third line", "now it ends here"]
    lines = [said[number // 8] for number in range(32)]
    assert "caption" in kinds(words(busy(32), lines, (14, 118)))
