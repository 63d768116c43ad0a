"""Families of tiles: pixels against their own PIL processors, text against their own processors, the stock forward."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from model_prompts import FORMS, clip, media, messages, triangle_wave
from transformers import AutoConfig, InternVLProcessor
from transformers.models.got_ocr2 import image_processing_pil_got_ocr2 as got

from reelgym import models
from reelgym.data.messages import Message, Text
from reelgym.errors import RequestError
from reelgym.models import official, tiny, vision
from reelgym.models.base import Policy, Prompt
from reelgym.models.internvl import arrangement
from reelgym.models.patches import patchify, unpatchify
from reelgym.models.prompts import render
from reelgym.models.tiles import Tiled

TILED = [name for name, family in tiny.FAMILIES.items() if issubclass(family, Tiled)]
SIZES = [(56, 56), (100, 150), (31, 200), (300, 41), (240, 320)]


@pytest.fixture(params=TILED)
def tiled(request: pytest.FixtureRequest, policies: dict[str, Policy]) -> Policy:
    return policies[request.param]


@pytest.fixture(scope="module")
def saved(policies: dict[str, Policy], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("tiled")
    for name in TILED:
        policies[name].save(root / name)
    return {name: root / name for name in TILED}


@pytest.fixture
def folder(tiled: Policy, saved: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved[tiled.family.name], tmp_path / "folder"))


def wider(policy: Policy) -> Policy:
    """Return the policy with images of several tiles."""
    return replace(policy, sizing=replace(policy.sizing, image_max_pixels=6 * policy.family.tile**2))


def stock(policy: Policy, prompt: Prompt) -> torch.Tensor:
    """Return the logits of the stock model, tower included, with the positions it makes by itself."""
    given: dict[str, Any] = {}
    if "image" in prompt.patches:
        (given["pixel_values"],) = policy.family.tower_inputs(prompt.patches["image"], prompt.grids["image"])
    return policy.model(input_ids=prompt.ids[None], **given).logits


def ours(policy: Policy, prompt: Prompt) -> torch.Tensor:
    found = policy.hidden(prompt.ids[None], prompt.positions[:, None], features=policy.features([prompt]))
    return policy.logits(found.last_hidden_state)


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_logits_equal_the_stock_models_left_to_itself(tiled: Policy, form: str) -> None:
    prompt = wider(tiled).encode(messages(form), media(tiled, 3))
    torch.testing.assert_close(ours(tiled, prompt), stock(tiled, prompt), atol=1e-5, rtol=0)


@pytest.mark.parametrize("form", FORMS)
def test_a_token_stands_one_after_the_token_before_it(tiled: Policy, form: str) -> None:
    prompt = tiled.encode(messages(form), media(tiled))
    assert prompt.positions.tolist() == [list(range(len(prompt)))] * 3
    assert prompt.next_position == len(prompt)


@torch.no_grad()
def test_placing_by_hand_equals_mm_encoder_outputs(tiled: Policy) -> None:
    prompt = tiled.encode(messages("mixed"), media(tiled))
    features = tiled.features([prompt])
    by_hand = vision.place_and_run(tiled, prompt.ids[None], prompt.positions[:1], features[0], {"use_cache": False})
    whole = tiled.hidden(prompt.ids[None], prompt.positions[:, None], features=features)
    assert torch.equal(by_hand.last_hidden_state, whole.last_hidden_state)


@torch.no_grad()
def test_a_wrong_number_of_features_is_an_error_before_the_forward(tiled: Policy) -> None:
    mixed, picture = (tiled.encode(messages(form), media(tiled)) for form in ("mixed", "image"))
    with pytest.raises(RequestError, match="24 image placeholders and 4 image features"):
        tiled.hidden(mixed.ids[None], mixed.positions[:, None], features=tiled.features([picture]))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("most", [1, 4, 12])
def test_pictures_equal_the_official_pil_processor_bit_for_bit(
    tiled: Policy, folder: Path, size: tuple[int, int], most: int
) -> None:
    policy = replace(tiled, sizing=replace(tiled.sizing, image_max_pixels=most * tiled.family.tile**2))
    policy.save_processor(folder)
    frame = np.random.default_rng(most).integers(0, 256, (*size, 3)).astype(np.uint8)
    theirs = official.images(policy, str(folder))
    cut = policy.family.image(frame[None], policy.sizing)
    patches, grid = theirs.patches(frame)
    assert cut.grid == grid and len(cut.patches) == theirs.count(*size) == policy.family.image_patches(
        *size, policy.sizing
    )
    np.testing.assert_array_equal(cut.patches, patches.numpy())


def test_frames_equal_the_official_pil_processor_bit_for_bit(tiled: Policy, folder: Path) -> None:
    frames = np.stack([triangle_wave(100, 150, phase) for phase in (0, 40, 80)])
    cut = tiled.family.clip(frames, None, tiled.sizing)
    theirs = torch.cat(official.images(tiled, str(folder)).frames(frames))
    assert cut.grid[0] == 3 and cut.repeated == 0
    np.testing.assert_array_equal(cut.patches, theirs.numpy())


def test_tiles_are_put_together_as_they_were_cut(tiled: Policy) -> None:
    form, side = tiled.family.pixels, tiled.family.tile
    tiles = np.random.default_rng(0).integers(0, 256, (3, side, side, 3)).astype(np.uint8)
    patches, grid, _ = patchify(tiles, (side, side), form)
    back = unpatchify(torch.from_numpy(patches), grid[1:], form).numpy()
    mean, std = np.array(form.mean)[:, None, None], np.array(form.std)[:, None, None]
    np.testing.assert_allclose(back * std + mean, tiles.transpose(0, 3, 1, 2) / 255, atol=1e-6)


def test_a_saved_policy_loads_as_the_same_policy(tiled: Policy, folder: Path) -> None:
    wide = wider(tiled)
    wide.save(folder)
    again = models.load(folder)
    assert (again.sizing, again.position_rule, again.eos_ids) == (wide.sizing, wide.position_rule, wide.eos_ids)
    assert again.family.pixels == tiled.family.pixels and again.family.tile == tiled.family.tile
    prompt = again.encode(messages("mixed"), media(tiled, 3))
    assert torch.equal(prompt.ids, wide.encode(messages("mixed"), media(tiled, 3)).ids)
    with torch.no_grad():
        assert torch.equal(ours(again, prompt), ours(tiled, prompt))


def test_times_that_are_hidden_are_not_shown(tiled: Policy) -> None:
    turns = [(Message("user", (clip(*times), Text("?"))),) for times in ((0.0, 1.0), (0.0, 70.0))]
    fast, slow = (replace(tiled, timestamps="none").encode(turn, media(tiled)).ids for turn in turns)
    assert torch.equal(fast, slow)


@pytest.mark.parametrize("token", ["<img>", "</img>", "<IMG_CONTEXT>", "<video>", "<|im_end|>"])
def test_internvl_refuses_text_that_would_be_read_as_a_special_token(policies: dict[str, Policy], token: str) -> None:
    with pytest.raises(RequestError, match="holds the special token"):
        policies["internvl"].tokenize(f"a{token}b")


# InternVL3 alone.

INTERNVL = {
    "text": "<|im_start|>user\nWhat is at c4?<|im_end|>\n",
    "system": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is at c4?<|im_end|>\n",
    "image": "<|im_start|>user\n<IMG_CONTEXT>\nWhat is at c4?<|im_end|>\n",
    "mixed": "<|im_start|>user\nBefore: <video>\n\nCandidate 1: <IMG_CONTEXT>\n\nCandidate 2: <IMG_CONTEXT>\n\nWhich?"
    "<|im_end|>\n",
    "turns": "<|im_start|>user\n<video>\nWhere is it?<|im_end|>\n<|im_start|>assistant\nAt c4.<|im_end|>\n"
    "<|im_start|>user\nAnd then?<|im_end|>\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_internvls_template_says_each_form_as_the_family_does(policies: dict[str, Policy], form: str) -> None:
    tokenizer = policies["internvl"].tokenizer
    assert render(tokenizer, messages(form), generate=False) == INTERNVL[form]
    assert render(tokenizer, messages(form), generate=True) == INTERNVL[form] + "<|im_start|>assistant\n"


def test_internvls_images_and_clips_read_as_its_own_processor_writes_them(policies: dict[str, Policy]) -> None:
    policy = wider(policies["internvl"])
    spoken = SimpleNamespace(
        start_image_token="<img>", end_image_token="</img>", image_token="<IMG_CONTEXT>", image_seq_length=4
    )
    image = InternVLProcessor.replace_image_token(spoken, {"num_patches": [5]}, 0)  # 2 x 2 tiles and the whole.
    video = InternVLProcessor.replace_video_token(spoken, {"pixel_values_videos": [torch.zeros(4, 3, 56, 56)]}, 0)
    text = INTERNVL["mixed"].replace("<IMG_CONTEXT>", image).replace("<video>", video) + "<|im_start|>assistant\n"
    prompt = policy.encode(messages("mixed"), media(policy, 4))
    assert prompt.grids["image"][:, 0].tolist() == [4, 5, 5]
    assert prompt.ids.tolist() == policy.tokenizer(text, add_special_tokens=False)["input_ids"]


def test_arrangements_of_tiles_equal_the_official_ones() -> None:
    rng = np.random.default_rng(0)
    for height, width in [*rng.integers(8, 2000, (400, 2)).tolist(), (448, 448), (600, 600), (700, 700), (300, 600)]:
        for tiles in ((1, 12), (1, 6), (2, 9)):
            columns, rows = got.get_optimal_tiled_canvas((height, width), (448, 448), *tiles)
            assert arrangement(height, width, 448, tiles) == (rows, columns)


def test_a_published_internvl_has_256_tokens_a_tile() -> None:
    stock_config = AutoConfig.for_model("internvl")
    family = tiny.FAMILIES["internvl"]().configured(stock_config)
    assert isinstance(family, Tiled)
    assert (family.tile, family.tokens, family.pixels.patch, family.pixels.merge) == (448, 256, 14, 2)
    # 1080 x 1920 is nearest to 4 x 2 of the arrangements of at most 12: 8 tiles and the whole.
    assert family.image_patches(1080, 1920, family.sizing) == 9 * 1024
