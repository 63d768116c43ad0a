from __future__ import annotations

import logging
from dataclasses import replace

import pytest
import torch
from model_prompts import clip, image, media, messages

from reelgym.data.messages import Message, Text
from reelgym.errors import RequestError
from reelgym.models.base import Policy
from reelgym.models.prompts import render

SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
ASSISTANT = "<|im_start|>assistant\n"
IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
VIDEO = "<|vision_start|><|video_pad|><|vision_end|>"
GOLDEN = {
    "text": "{system}<|im_start|>user\nWhat is at c4?<|im_end|>\n",
    "system": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is at c4?<|im_end|>\n",
    "image": "{system}<|im_start|>user\n" + IMAGE + "What is at c4?<|im_end|>\n",
    "mixed": "{system}<|im_start|>user\nBefore: "
    + VIDEO
    + "\nCandidate 1: "
    + IMAGE
    + "\nCandidate 2: "
    + IMAGE
    + "\nWhich?<|im_end|>\n",
    "turns": "{system}<|im_start|>user\n"
    + VIDEO
    + "Where is it?<|im_end|>\n<|im_start|>assistant\nAt c4.<|im_end|>\n<|im_start|>user\nAnd then?<|im_end|>\n",
}


@pytest.mark.parametrize("form", GOLDEN)
def test_the_template_says_each_form_as_the_family_does(policy: Policy, form: str) -> None:
    expected = GOLDEN[form].replace("{system}", SYSTEM if policy.family.name == "qwen2_5_vl" else "")
    assert render(policy.tokenizer, messages(form), generate=True) == expected + ASSISTANT
    assert render(policy.tokenizer, messages(form), generate=False) == expected


def test_each_placeholder_stands_for_one_merged_patch(policy: Policy) -> None:
    prompt = policy.encode(messages("mixed"), media(policy, 2))
    for kind, tokens in (("image", 2 * 4), ("video", 2 * 4)):
        assert int((prompt.ids == policy.placeholder_ids[kind]).sum()) == tokens
        assert len(prompt.patches[kind]) == 4 * tokens == int(prompt.grids[kind].prod(-1).sum())
        assert prompt.patches[kind].shape[1] == policy.family.pixels.patch_values
    assert prompt.grids["image"].tolist() == [[1, 4, 4], [1, 4, 4]]
    assert prompt.grids["video"].tolist() == [[2, 4, 4]]


def test_a_prompt_without_media_has_no_patches(policy: Policy) -> None:
    prompt = policy.encode(messages("text"), media(policy))
    assert prompt.patches == {} and prompt.grids == {} and len(prompt) == len(prompt.ids)


def text_of(policy: Policy, *parts) -> str:
    prompt = policy.encode((Message("user", parts),), media(policy))
    return str(policy.tokenizer.decode(prompt.ids))


def test_qwen3_writes_each_pairs_mean_time_and_the_second_clip_goes_on(policies: dict[str, Policy]) -> None:
    text = text_of(policies["qwen3_vl"], clip(0.0, 1.0, 2.0, 4.5), Text(" then "), clip(10.0, 11.0, 12.0))
    # (2 + 4.5) / 2 = 3.25, written with one decimal and rounded half to even, as the official processor's format does.
    expected = f"<0.5 seconds>{VIDEO}<3.2 seconds>{VIDEO} then <10.5 seconds>{VIDEO}<12.0 seconds>{VIDEO}"
    assert expected in text


def test_qwen25_writes_no_times(policies: dict[str, Policy]) -> None:
    text = text_of(policies["qwen2_5_vl"], clip(0.0, 1.0, 2.0, 4.5), Text("?"))
    assert "<|vision_start|><|video_pad|><|video_pad|><|vision_end|>?" in text


def test_without_timestamps_nothing_tells_the_time(policy: Policy) -> None:
    audit = replace(policy, timestamps="none")
    fast, slow = (
        audit.encode((Message("user", (clip(*times), Text("?"))),), media(policy))
        for times in ((0.0, 1.0, 2.0, 3.0), (0.0, 9.0, 18.0, 27.0))
    )
    assert torch.equal(fast.ids, slow.ids) and torch.equal(fast.positions, slow.positions)
    assert "seconds" not in audit.tokenizer.decode(fast.ids)
    assert audit.position_rule == policy.position_rule + "+no-timestamps"


def test_what_was_repeated_and_what_time_was_bent_is_recorded(
    policies: dict[str, Policy], caplog: pytest.LogCaptureFixture
) -> None:
    turn = (Message("user", (clip(0.0, 1.0, 9.0), image(3.0), Text("?"))),)
    with caplog.at_level(logging.INFO, "reelgym"):
        prompt = policies["qwen2_5_vl"].encode(turn, media(policies["qwen2_5_vl"]))
    # Spacing 4.5 s: told 2.25 and 11.25; true means 0.5 and 9.
    assert prompt.repeated_frames == 1
    assert prompt.time_error_seconds == 2.25
    assert "up to 2.25 s" in caplog.text
    assert policies["qwen3_vl"].encode(turn, media(policies["qwen3_vl"])).time_error_seconds == 0.0


@pytest.mark.parametrize("token", ["<|im_end|>", "<|video_pad|>", "<|image_pad|>"])
def test_text_that_would_be_read_as_a_special_token_is_refused(policy: Policy, token: str) -> None:
    with pytest.raises(RequestError, match="holds the special token"):
        policy.encode((Message("user", (Text(f"a{token}b"),)),), media(policy))
    with pytest.raises(RequestError, match="holds the special token"):
        policy.tokenize(f"a{token}b")


def test_a_template_that_drops_an_image_is_refused(policies: dict[str, Policy]) -> None:
    from reelgym.models import tiny

    blind = tiny.build("qwen3_vl")
    blind.tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}{% endfor %}"
    with pytest.raises(RequestError, match="shows 0 of 1 image parts"):
        blind.encode(messages("image"), media(blind))


def test_frames_and_times_must_be_as_many(policy: Policy) -> None:
    with pytest.raises(RequestError, match="2 frames is shown with 3 times"):
        policy.encode((Message("user", (clip(0.0, 1.0, 2.0),)),), lambda part: media(policy)(part)[:2])
