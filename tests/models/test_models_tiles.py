"""Families of tiles: pixels against their own PIL processors, text against their own processors, the stock forward."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from model_prompts import FORMS, clip, media, messages, triangle_wave
from model_prompts import image as picture
from transformers import AutoConfig, InternVLProcessor, SmolVLMProcessor
from transformers.models.got_ocr2 import image_processing_pil_got_ocr2 as got
from transformers.models.smolvlm import processing_smolvlm
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from reelgym import models
from reelgym.data.messages import Message, Text
from reelgym.errors import RequestError
from reelgym.models import official, tiny, vision
from reelgym.models.base import Policy, Prompt
from reelgym.models.internvl import arrangement
from reelgym.models.patches import patchify, unpatchify
from reelgym.models.prompts import render
from reelgym.models.smolvlm import words
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
    tile = policy.family.tile
    most = 6 * tile**2 if policy.family.name == "internvl" else int(2.5 * tile) ** 2
    fewest = policy.sizing.image_min_pixels if policy.family.name == "internvl" else most
    return replace(policy, sizing=replace(policy.sizing, image_min_pixels=fewest, image_max_pixels=most))


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


@torch.no_grad()
def test_a_tower_whose_patches_do_not_fill_the_tile_sees_what_the_stock_one_sees(policies: dict[str, Policy]) -> None:
    # As SmolVLM2 2.2B: 384 = 27 * 14 + 6. Here 64 = 4 * 14 + 8.
    config = copy.deepcopy(policies["smolvlm"].model.config)
    config.vision_config.image_size, config.vision_config.patch_size, config.scale_factor = 64, 14, 2
    model = type(policies["smolvlm"].model)._from_config(config, dtype=torch.float32).eval()
    family = policies["smolvlm"].family.configured(config)
    policy = wider(replace(policies["smolvlm"], model=model, family=family, sizing=family.sizing))
    frame = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    prompt = policy.encode(messages("image"), lambda part: frame[None])
    made = SmolVLMImageProcessorPil(size={"longest_edge": 160}, max_image_size={"longest_edge": 64})
    tiles = made(images=[frame], return_tensors="pt", input_data_format="channels_last")["pixel_values"]
    assert tiles.shape[-1] == 64 and family.tokens == 4
    stock_logits = policy.model(input_ids=prompt.ids[None], pixel_values=tiles).logits
    torch.testing.assert_close(ours(policy, prompt), stock_logits, atol=1e-5, rtol=0)


# SmolVLM2 alone.


@pytest.mark.parametrize("form", FORMS)
def test_smolvlms_template_says_each_form_as_its_processor_does(policies: dict[str, Policy], form: str) -> None:
    tokenizer = policies["smolvlm"].tokenizer
    for generate in (True, False):
        theirs = render(tokenizer, messages(form), generate=generate, template=processing_smolvlm.DEFAULT_CHAT_TEMPLATE)
        assert render(tokenizer, messages(form), generate=generate) == theirs
    assert theirs.startswith("<|im_start|>") and theirs.endswith("<end_of_utterance>\n")


def test_a_folders_template_that_knows_no_clips_gives_way_where_there_is_one(policies: dict[str, Policy]) -> None:
    policy = tiny.build("smolvlm")
    policy.tokenizer.chat_template = "{% for m in messages %}{{ m['content'][0]['text'] }}{% endfor %}"
    clips = policy.encode(messages("turns"), media(policy))
    assert torch.equal(clips.ids, policies["smolvlm"].encode(messages("turns"), media(policy)).ids)
    assert policy.tokenizer.decode(policy.encode(messages("text"), media(policy)).ids) == "What is at c4?"


def test_smolvlms_images_and_clips_read_as_its_own_processor_writes_them(
    policies: dict[str, Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, times = policies["smolvlm"], (0.0, 1.5, 61.9, 3599.5, 3725.0)
    sizing = replace(policy.sizing, image_max_pixels=300**2)
    around = {"fake_image_token": "<fake_token_around_image>", "global_image_token": "<global-img>"}
    spoken = SimpleNamespace(**around, image_token="<image>", image_seq_len=4)
    monkeypatch.setattr(processing_smolvlm, "num2words", words)
    told = SimpleNamespace(fps=1.0, timestamps=list(times), duration=None)
    given = {"pixel_values": torch.zeros(1, 5), "video_metadata": [told]}
    video = SmolVLMProcessor.replace_video_token(spoken, given, 0)
    # 60 x 120 to 150 x 300, then 3 tiles of 128 and int(384 / 2) = 192, two rows of three.
    image = SmolVLMProcessor.replace_image_token(spoken, {"rows": [[2]], "cols": [[3]]}, 0)
    turn = (Message("user", (Text("See "), clip(*times), picture(2.0), Text("?"))),)
    theirs = render(policy.tokenizer, turn, generate=True).replace("<image>", image).replace("<video>", video)
    frame = np.zeros((60, 120, 3), np.uint8)
    prompt = replace(policy, sizing=sizing).encode(
        turn, lambda part: np.stack([frame] * len(getattr(part, "times", "1")))
    )
    assert prompt.grids["image"][:, 0].tolist() == [5, 7]
    assert prompt.ids.tolist() == policy.tokenizer(theirs, add_special_tokens=False)["input_ids"]


def test_numbers_are_spelled_as_num2words_spells_them() -> None:
    # By num2words 0.5.14.
    known = {0: "zero", 13: "thirteen", 21: "twenty-one", 40: "forty", 100: "one hundred"}
    known |= {101: "one hundred and one", 999: "nine hundred and ninety-nine", 1000: "one thousand"}
    known |= {1001: "one thousand and one", 1999: "one thousand, nine hundred and ninety-nine"}
    known |= {12345: "twelve thousand, three hundred and forty-five"}
    assert {number: words(number) for number in known} == known


def test_a_text_that_would_be_read_as_a_clip_is_refused(policies: dict[str, Policy]) -> None:
    turn = (Message("user", (Text("What does <video> mean?"),)),)
    with pytest.raises(RequestError, match="a text holds <video>, which stands for an image or a clip"):
        policies["smolvlm"].encode(turn, media(policies["smolvlm"]))


@pytest.mark.parametrize(("shape", "tokens"), [((512, 16, 4), 64), ((384, 14, 3), 81)])
def test_published_smolvlms_have_the_tokens_their_cards_state(shape: tuple[int, int, int], tokens: int) -> None:
    side, patch, scale = shape
    vision = {"image_size": side, "patch_size": patch}
    family = tiny.FAMILIES["smolvlm"]().configured(
        AutoConfig.for_model("smolvlm", vision_config=vision, scale_factor=scale)
    )
    assert isinstance(family, Tiled) and family.tokens == tokens
    # Four tiles along the longer edge of 16:9: three rows of four, and the whole.
    assert family.image_patches(1080, 1920, family.sizing) == 13 * (side // patch) ** 2


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
