"""What the facts say is what the pixels show: the focus by its colour, every visible thing, readable at 28 pixels."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from reelgym import world
from reelgym.world.sprites import COLOURS, SHAPES, Look, draw, mix
from reelgym.world.stage import act, seen

KINDS = sorted(world.kinds())
SIDE = 112


def centroid(image: NDArray[np.uint8], colour: str) -> tuple[float, float]:
    """Return the centre (x, y in pixels) of what has a saturated colour, whatever the light."""
    want, pixels = np.asarray(COLOURS[colour], float), image.astype(float)
    length = np.linalg.norm(pixels, axis=2) + 1e-9
    likeness = (pixels @ want) / length / np.linalg.norm(want)
    rows, columns = np.nonzero((likeness > 0.983) & (length > 0.7 * np.linalg.norm(want)))
    assert len(rows) > 100, f"no {colour} focus to be seen"
    return columns.mean() + 0.5, rows.mean() + 0.5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_the_focus_is_where_the_facts_say(kind: str, seed: int) -> None:
    scene = world.render(kind, seed, seconds=8, fps=8, side=SIDE)
    colour = scene.facts.thing(scene.facts.focus).colour
    track = scene.facts.tracks[scene.facts.focus]
    for k in range(0, scene.facts.frames, 7):
        x, y = centroid(scene.painter.frame(k), colour)
        assert math.dist((x, y), (track.x[k] * SIDE, track.y[k] * SIDE)) < 1.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_a_thing_changes_the_pixels_at_its_place_if_and_only_if_it_is_visible(kind: str, seed: int) -> None:
    scene = world.render(kind, seed, seconds=8, fps=8, side=SIDE)
    actors = list(scene.painter.actors)
    clear = 0
    for index, actor in enumerate(actors):
        if not actor.thing or actor.shape == "ring":  # a ring has nothing at its centre
            continue
        for k in range(3, scene.facts.frames, 10):
            if _on_an_edge(actors, index, k):
                continue
            state = scene.facts.state(actor.thing, k / scene.facts.fps)
            row, column = int(state.y * SIDE), int(state.x * SIDE)
            shown = scene.painter.frame(k)[row, column].astype(int)
            scene.painter.actors = [replace(a, painted=a.painted & (a is not actor)) for a in actors]
            without = scene.painter.frame(k)[row, column].astype(int)
            scene.painter.actors = actors
            assert (np.abs(shown - without).max() > 8) == state.visible, (actor.thing, k)
            clear += 1
    assert clear >= 4


def _on_an_edge(actors: list[world.base.Actor], index: int, k: int) -> bool:
    """Return whether another thing's outline passes within two pixels of a thing's centre."""
    for other_index, other in enumerate(actors):
        if other_index != index and other.painted[k]:
            off = np.abs(other.path[k] - actors[index].path[k]) - other.halves[k]
            turned = math.dist(other.path[k], actors[index].path[k]) - max(other.halves[k])
            if abs(off.max()) < 2.5 / SIDE or abs(turned) < 6 / SIDE or other.shape == "stroke":
                return True
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_the_square_of_the_focus_can_be_read_at_28_pixels(kind: str) -> None:
    right = total = 0
    for seed in range(5):
        scene = world.render(kind, 100 + seed, seconds=8, fps=8, side=SIDE)
        want = np.asarray(COLOURS[scene.facts.thing(scene.facts.focus).colour], float)
        for k in range(0, 64, 6):
            small = Image.fromarray(scene.painter.frame(k)).resize((28, 28), Image.Resampling.BOX)
            pixels = np.asarray(small, float)
            likeness = np.clip(1 - np.linalg.norm(pixels - want, axis=2) / 75, 0, None)
            rows, columns = np.indices((28, 28)) + 0.5
            x, y = ((axis * likeness).sum() / likeness.sum() / 28 for axis in (columns, rows))
            state = scene.facts.state(scene.facts.focus, k / 8)
            assert math.dist((x, y), (state.x, state.y)) < 1 / 16, "off by half a square"
            right += world.square(x, y) == scene.facts.word(k / 8)
            total += 1
    assert right / total > 0.85


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(12))
def test_the_focus_never_rests_for_more_than_a_second(kind: str, seed: int) -> None:
    facts = world.render(kind, seed, seconds=20, fps=10, side=32).facts
    track = facts.tracks[facts.focus]
    for k in range(0, facts.frames - 10):
        reach = max(math.dist((track.x[k], track.y[k]), (track.x[j], track.y[j])) for j in range(k, k + 11))
        assert reach > 0.3 / 8, f"moves less than 0.3 squares in the second from {k / 10} s"


@pytest.mark.parametrize("seed", range(10))
def test_the_moving_focus_keeps_its_speed_and_stays_in_the_image(seed: int) -> None:
    hard = world.Settings(pan=(0.0, 0.0), speed=(1.5, 1.5))
    facts = world.render("moving", seed, seconds=20, fps=10, side=32, settings=hard).facts
    track, size = facts.tracks[facts.focus], facts.thing(facts.focus).size
    points = list(zip(track.x, track.y, strict=True))
    steps = [math.dist(a, b) for a, b in itertools.pairwise(points)]
    assert np.median(steps) == pytest.approx(1.5 / 8 / 10, rel=0.02)  # 1.5 squares a second, ten frames a second
    assert max(steps) < 1.3 * 1.5 / 80  # a collision moves the heavy focus hardly at all
    assert all(size <= value <= 1 - size for point in points for value in point)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_give_equal_pixels_and_others_do_not(kind: str) -> None:
    first, again, other = (list(world.render(kind, seed, seconds=1, fps=8, side=64).frames()) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first[0].shape == (64, 64, 3) and first[0].dtype == np.uint8 and len(first) == 8


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("degrees", [0, 37])
def test_a_shape_lies_around_its_centre_and_inside_its_half_sizes(shape: str, degrees: int) -> None:
    look = Look(shape, 12.0, 12.0, degrees, (255, 255, 255), shadow=0.0, gloss=0.0)
    sprite = draw(look, (0, 0))
    cover = 1 - sprite.keep[:, ::3]
    rows, columns = (np.indices(cover.shape).T + sprite.origin).T
    area = cover.sum()
    if shape != "cup":  # a cup is wider below
        assert abs((rows * cover).sum() / area) < 0.6 and abs((columns * cover).sum() / area) < 0.6
    assert np.hypot(rows, columns)[cover > 0.5].max() <= 12 * math.sqrt(2) + 1
    assert 100 < area <= 24 * 24


def test_the_area_of_a_disc_is_pi_r_squared() -> None:
    cover = 1 - draw(Look("disc", 10.0, 10.0, 0, (0, 0, 0), shadow=0.0), (1, 0)).keep[:, ::3]
    assert cover.sum() == pytest.approx(math.pi * 100, rel=0.01)


@pytest.mark.parametrize("gloss", [0.0, 0.14])
def test_a_shape_is_painted_in_its_colour(gloss: float) -> None:
    sprite = draw(Look("square", 9.0, 9.0, 0, (40, 100, 200), gloss=gloss), (0, 0))
    middle = sprite.paint[-sprite.origin[0], -3 * sprite.origin[1] : -3 * sprite.origin[1] + 3]
    assert middle == pytest.approx([40, 100, 200], rel=0.02)


def test_half_a_pixel_moves_the_picture_by_half_a_pixel() -> None:
    def centre(phase: int) -> float:
        sprite = draw(Look("square", 8.0, 8.0, 0, (0, 0, 0), shadow=0.0), (phase, 0))
        cover = 1 - sprite.keep[:, ::3]
        return float((cover.sum(axis=0) * np.arange(cover.shape[1])).sum() / cover.sum()) + sprite.origin[1]

    assert centre(1) - centre(0) == pytest.approx(0.5, abs=0.02)


def test_what_lies_behind_is_not_seen() -> None:
    path = np.zeros((1, 2)) + 0.5
    near, far = act("near", "disc", (0, 0, 0), path, 0.1, depth=2.0), act("far", "disc", (0, 0, 0), path, 0.2)
    aside = act("aside", "disc", (0, 0, 0), path + 0.3, 0.1)
    assert [bool(shown[0]) for shown in seen([near, far, aside])] == [True, False, True]


def test_a_mixed_colour_lies_between() -> None:
    assert mix((0, 0, 0), (100, 200, 50), 0.25) == (25, 50, 12)
