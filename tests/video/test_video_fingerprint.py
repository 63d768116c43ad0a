"""Copies are known through another size, bit rate, crop or bars; other videos are not taken for them."""

from __future__ import annotations

import random
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from world_scenes import at, resized, scene

from reelgym.video import FrameSpec, read, write_mp4
from reelgym.video.fingerprint import MOST_FRAMES, Fingerprint, clusters, fingerprint, same

COUNT = 12


def of(pixels: np.ndarray, fps: float = 4.0) -> Fingerprint:
    return fingerprint(at(pixels, fps))


@pytest.fixture(scope="module")
def scenes() -> list[Fingerprint]:
    made = [scene(n, kind=kind, seconds=8.0, fps=2, side=96) for kind in ("moving", "process") for n in range(COUNT)]
    return [of(pixels, 2.0) for pixels in made]


def test_another_size_bit_rate_and_codec_settings_keep_the_fingerprint(tmp_path: Path) -> None:
    pixels = scene(4, seconds=9.0)
    write_mp4(str(tmp_path / "fine.mp4"), pixels, 4, crf=14)
    write_mp4(str(tmp_path / "poor.mp4"), resized(pixels, 96, 96), 4, crf=36, key_every=7)
    fine, poor = (
        fingerprint(read(str(tmp_path / name), FrameSpec(fps=fps, short_side=64)))
        for name, fps in (("fine.mp4", 4.0), ("poor.mp4", 1.0))  # Another rate of sampling, too.
    )
    assert same(fine, poor) and clusters({"b": fine, "a": poor}) == {"a": "a", "b": "a"}


def test_a_small_crop_bars_and_a_shift_in_time_keep_it_and_a_mirror_does_not() -> None:
    pixels = scene(6, kind="process", seconds=14.0)
    whole, height = of(pixels), pixels.shape[1]
    cut = round(0.03 * height)
    barred = np.pad(pixels, ((0, 0), (18, 18), (0, 0), (0, 0)), constant_values=16)
    assert same(whole, of(pixels[:, cut : height - cut, cut : height - cut]))
    assert same(whole, of(barred))
    assert same(whole, of(pixels[8:]))  # The first two seconds are gone.
    assert same(whole, of(np.clip(pixels * 0.95 + 4, 0, 255).astype(np.uint8)))


def test_no_two_scenes_of_one_kind_are_taken_for_each_other(scenes: list[Fingerprint]) -> None:
    assert [(a, b) for a, b in combinations(range(len(scenes)), 2) if same(scenes[a], scenes[b])] == []
    assert all(same(one, one) for one in scenes)


def test_clusters_do_not_depend_on_the_order_and_name_the_smallest(scenes: list[Fingerprint]) -> None:
    copy = Fingerprint(scenes[3].times, scenes[3].bits, scenes[3].colours)
    named = {f"v{n:02d}": one for n, one in enumerate(scenes)} | {"z1": copy, "a9": copy}
    found = clusters(named)
    assert found["v03"] == found["z1"] == found["a9"] == "a9"
    assert all(leader == name for name, leader in found.items() if name not in ("v03", "z1"))
    for seed in range(5):
        order = list(named)
        random.Random(seed).shuffle(order)
        assert clusters({name: named[name] for name in order}) == found


def test_a_crowd_of_copies_is_one_cluster_without_comparing_all_pairs(
    scenes: list[Fingerprint], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    plain = same

    def counted(one: Fingerprint, other: Fingerprint) -> bool:
        compared.append(1)
        return plain(one, other)

    monkeypatch.setattr("reelgym.video.fingerprint.same", counted)
    crowd = {f"c{n:03d}": scenes[0] for n in range(120)}
    assert set(clusters(crowd).values()) == {"c000"}
    assert len(compared) <= 4 * len(crowd)


def test_flat_pictures_are_nobodys_copies() -> None:
    flat = of(np.full((8, 48, 48, 3), 200, np.uint8))
    assert len(flat.times) == 0 and not same(flat, flat)
    assert clusters({"a": flat, "b": flat}) == {"a": "a", "b": "b"}


def test_long_videos_keep_whole_seconds_and_a_bounded_size() -> None:
    pixels = np.repeat(scene(0, seconds=4.0, fps=1, side=48), 60, axis=0)
    found = fingerprint(at(pixels, 1.0))
    assert len(found.times) <= MOST_FRAMES and set(np.diff(found.times)) == {8.0}


def test_a_fingerprint_survives_the_trip_to_text_and_damage_is_noticed(scenes: list[Fingerprint]) -> None:
    text = scenes[0].to_json()
    again = Fingerprint.from_json(text)
    assert all(np.array_equal(getattr(again, n), getattr(scenes[0], n)) for n in ("times", "bits", "colours"))
    assert len(Fingerprint.from_json("").times) == 0
    with pytest.raises(ValueError, match="is damaged"):
        Fingerprint.from_json(text[:-8])


def test_real_clips_in_two_encodings_pair_up_and_others_do_not(shared_videos: Path) -> None:
    names = ["coffee_pouring_av1.mkv", "coffee_pouring_h264.mp4", "cups_shell_game_h264.mp4"]
    names += ["cups_shell_game_vp9.webm", "dog_play_garden_h264.mp4"]
    read_ = {name: read(str(shared_videos / name), FrameSpec(fps=1.0, short_side=64)) for name in names}
    found = clusters({name: fingerprint(frames) for name, frames in read_.items()})
    assert [found[name] for name in names] == [names[0], names[0], names[2], names[2], names[4]]
