from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_prompts import triangle_wave
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil, smart_resize

from reelgym.errors import RequestError
from reelgym.models.patches import PixelFormat, fit_image, fit_volume, patchify
from reelgym.models.tiny import FAMILIES

GOLDEN = json.loads((Path(__file__).parent / "golden" / "video_patches.json").read_text())
TWO_LEVELS = 2 / 255
FORM = PixelFormat(patch=2, merge=2, temporal=2, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
@pytest.mark.parametrize("height, width", [(56, 56), (100, 150), (31, 200), (300, 41), (640, 480)])
def test_images_equal_the_official_pil_processor_bit_for_bit(family: str, height: int, width: int) -> None:
    adapter = FAMILIES[family]()
    form, sizing = adapter.pixels, adapter.sizing
    official = Qwen2VLImageProcessorPil(
        patch_size=form.patch,
        merge_size=form.merge,
        temporal_patch_size=form.temporal,
        image_mean=list(form.mean),
        image_std=list(form.std),
        size={"shortest_edge": sizing.image_min_pixels, "longest_edge": sizing.image_max_pixels},
    )
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    made = official(images=[frame], return_tensors="np", input_data_format="channels_last")
    budget = {"min_pixels": sizing.image_min_pixels, "max_pixels": sizing.image_max_pixels}
    patches, grid, repeated = patchify(frame[None], fit_image(height, width, factor=form.factor, **budget), form)
    assert [list(grid)] == made["image_grid_thw"].tolist()
    assert patches.dtype == np.float32 and repeated == 1
    np.testing.assert_array_equal(patches, made["pixel_values"])


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['family']}-{case['clip']}")
def test_clips_equal_the_official_video_processors_to_two_levels(case: dict) -> None:
    # The official path filters with torchvision, ours with PIL: they round the same filter differently.
    family = FAMILIES[case["family"]]()
    frames, height, width = case["clip"]
    clip = np.stack([triangle_wave(height, width, phase=40 * k) for k in range(frames)])
    size = family.clip_size(frames, height, width, family.sizing)
    patches, grid, repeated = patchify(clip, size, family.pixels)
    assert list(grid) == case["grid"] and repeated == frames % 2
    ours, official = patches.ravel()[:: GOLDEN["stride"]], np.asarray(case["values"])
    resized = size != (height, width)
    tolerance = TWO_LEVELS / min(family.pixels.std) + 1e-5 if resized else 2e-6
    np.testing.assert_allclose(ours, official, atol=tolerance, rtol=0)
    assert np.abs(ours - official).mean() < (0.01 if resized else 1e-6)


def test_patches_hold_each_pixel_where_a_plain_loop_puts_it() -> None:
    frames = np.random.default_rng(1).integers(0, 256, (3, 8, 12, 3)).astype(np.uint8)
    patches, grid, repeated = patchify(frames, (8, 12), FORM)
    assert grid == (2, 4, 6) and repeated == 1
    expected = np.zeros((48, 24))
    row = 0
    for step in range(2):
        for block_row in range(2):
            for block_column in range(3):
                for inner_row in range(2):
                    for inner_column in range(2):
                        at = 0
                        for channel in range(3):
                            for frame in (2 * step, min(2 * step + 1, 2)):
                                for y in range(2):
                                    for x in range(2):
                                        pixel_row = 4 * block_row + 2 * inner_row + y
                                        pixel_column = 4 * block_column + 2 * inner_column + x
                                        level = frames[frame, pixel_row, pixel_column, channel] / 255
                                        expected[row, at] = (level - FORM.mean[channel]) / FORM.std[channel]
                                        at += 1
                        row += 1
    np.testing.assert_allclose(patches, expected, atol=1e-6)


def test_a_clip_of_identical_pairs_equals_its_images() -> None:
    frame = triangle_wave(8, 8, 3)
    image, _, _ = patchify(frame[None], (8, 8), FORM)
    clip, grid, repeated = patchify(np.stack([frame] * 4), (8, 8), FORM)
    assert grid == (2, 4, 4) and repeated == 0
    np.testing.assert_array_equal(clip, np.concatenate([image, image]))


def test_a_frame_of_one_tokens_side_is_one_token_in_the_tiny_models(policies: dict) -> None:
    for policy in (policies[family] for family in ("qwen2_5_vl", "qwen3_vl")):
        form, sizing = policy.family.pixels, policy.sizing
        side, budget = form.factor, {"min_pixels": sizing.image_min_pixels, "max_pixels": sizing.image_max_pixels}
        assert fit_image(side, side, factor=side, **budget) == (side, side)
        assert policy.family.clip_size(4, side, side, sizing) == (side, side)
        # Larger frames are shrunk to four tokens.
        assert fit_image(480, 480, factor=side, **budget) == (2 * side, 2 * side)
        assert policy.family.clip_size(4, 480, 480, sizing) == (2 * side, 2 * side)


@settings(max_examples=200, deadline=None)
@given(st.integers(8, 2000), st.integers(8, 2000), st.integers(1, 40), st.integers(2, 64))
def test_sizes_equal_the_official_ones(height: int, width: int, low: int, wide: int) -> None:
    budget = {"factor": 28, "min_pixels": low * 28**2, "max_pixels": low * wide * 28**2}
    if max(height, width) > 200 * min(height, width):
        return
    fitted = fit_image(height, width, **budget)
    assert fitted == smart_resize(height, width, **budget)
    assert fitted[0] % 28 == 0 and fitted[1] % 28 == 0 and min(fitted) >= 28


def test_more_frames_of_a_clip_mean_smaller_frames_in_qwen3() -> None:
    budget = {"factor": 32, "temporal": 2, "min_pixels": 4096, "max_pixels": 64 * 1024}
    # 8 frames of 64 x 128 are exactly 64 * 1024 pixels.
    assert fit_volume(8, 64, 128, **budget) == (64, 128)
    # 16 frames: sqrt(2) smaller sides, rounded down to 32: (45, 90) -> (32, 64).
    assert fit_volume(16, 64, 128, **budget) == (32, 64)


def test_frames_of_another_form_are_refused() -> None:
    with pytest.raises(RequestError, match=r"\(F, H, W, 3\) uint8 with F > 0, not \(8, 8, 3\) uint8"):
        patchify(np.zeros((8, 8, 3), np.uint8), (8, 8), FORM)
    with pytest.raises(RequestError, match="200-fold"):
        fit_image(4, 4000, factor=28, min_pixels=784, max_pixels=3136)
