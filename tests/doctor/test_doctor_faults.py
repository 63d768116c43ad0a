"""Every fault that doctor promises to find, planted one at a time; what is healthy beside it stays so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sharp_policies import merged_twice

from reelgym import models
from reelgym.doctor import local
from reelgym.models import merging, prompts
from reelgym.models.base import Policy
from reelgym.models.positions import Block
from reelgym.rollout.local import LocalSampler


def failed(name: Path | str, **how: Any) -> dict[str, str]:
    """Return what a model fails, by check."""
    return {check.name: check.found for check in local.checks(str(name), **how) if check.passed is False}


def test_healthy_models_pass_everything(folder: Path) -> None:
    found = list(local.checks(str(folder)))
    assert [check for check in found if check.passed is False] == []
    assert {"positions", "sampler", "GRPO step", "LoRA merged"} <= {check.name for check in found if check.passed}


def larger_side(blocks: list[Block]) -> torch.Tensor:
    """Place blocks as transformers from 5.3 on does: what follows a clip goes on from its larger side."""
    placed, start = [], 0
    for block in blocks:
        if block.tokens:
            placed.append(right([block]) + start)
            sides = block.grid[1:] if block.grid else (block.tokens,)
            start += max(sides)
    return torch.cat(placed, 1)


right = prompts.place


def test_a_wrong_position_rule_is_found(saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "place", larger_side)
    found = failed(saved["qwen2_5_vl"], quick=True)
    assert list(found) == ["positions"]
    assert found["positions"].startswith("wrong position rule: token ")
    assert "by qwen2.5-vl:largest-plus-one belongs at" in found["positions"]


def test_weights_of_another_position_rule_are_found(folder: Path) -> None:
    facts = json.loads((folder / "reelgym.json").read_text())
    (folder / "reelgym.json").write_text(json.dumps(facts | {"position_rule": "other"}))
    assert "was trained with positions 'other'" in failed(folder, quick=True)["model"]


def test_a_swapped_order_of_candidates_is_found(saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    encode = Policy.encode

    def swapped(self: Policy, *args: Any, **how: Any) -> Any:
        prompt = encode(self, *args, **how)
        if "image" not in prompt.patches:
            return prompt
        first, second, third = torch.split(prompt.patches["image"], prompt.grids["image"].prod(1).tolist())
        return replace(prompt, patches=prompt.patches | {"image": torch.cat([second, first, third])})

    monkeypatch.setattr(Policy, "encode", swapped)
    found = failed(saved["qwen3_vl"], quick=True)
    assert found["order of pictures"] == "swapped: candidates 1 to 3 are seen as 2, 1, 3"
    assert set(found) <= {"order of pictures", "patches", "stock forward"}


def test_a_template_that_drops_an_image_is_found(folder: Path) -> None:
    path = folder / "chat_template.jinja"
    shown = "{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}"
    once = "{%- if loop.index < 5 -%}" + shown + "{%- endif -%}"
    assert shown in path.read_text()
    path.write_text(path.read_text().replace(shown, once))
    assert "shows 1 of 3 image parts" in failed(folder, quick=True)["pictures shown"]


def test_an_image_dropped_on_the_way_is_found(saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    encode = Policy.encode

    def dropping(self: Policy, messages: Any, media: Any, **how: Any) -> Any:
        *kept, _, last = messages[0].parts
        return encode(self, (replace(messages[0], parts=(*kept, last)),), media, **how)

    monkeypatch.setattr(Policy, "encode", dropping)
    found = failed(saved["qwen2_5_vl"], quick=True)
    assert found["pictures shown"] == "dropped: only 2 of 3 images, 1 of 1 videos reach the model"


def test_a_wrong_pixel_limit_is_found(saved: dict[str, Path]) -> None:
    def load(name: str) -> Policy:
        policy = models.load(name)
        return replace(policy, sizing=replace(policy.sizing, image_max_pixels=policy.sizing.image_max_pixels // 2))

    found = failed(saved["qwen3_vl"], quick=True, load=load)
    assert "becomes 8 patches" in found["pixel limits"] or "by preprocessor_config.json" in found["pixel limits"]


def test_a_template_without_the_generation_prompt_is_found(folder: Path) -> None:
    path = folder / "chat_template.jinja"
    before, _, _ = path.read_text().partition("{%- if add_generation_prompt -%}")
    path.write_text(before)
    found = failed(folder, quick=True)
    assert list(found) == ["chat template"]
    assert found["chat template"].startswith("no generation prompt: ")


def test_an_adapter_merged_twice_is_found(saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "merge", merged_twice)
    found = failed(saved["qwen2_5_vl"])
    assert list(found) == ["LoRA merged"]
    assert found["LoRA merged"].startswith("merged twice: the adapter is 2.00 times in the weights of ")


class Colder(LocalSampler):
    """Draws at half of the temperature that was asked for."""

    honest = True

    def sample(self, prompts: Any, *, n: int, params: Any, streams: Any, features: Any = None) -> Any:
        wrong = replace(params, temperature=params.temperature / 2)
        return super().sample(prompts, n=n, params=wrong, streams=streams, features=features)


def test_a_sampler_with_another_temperature_is_found(saved: dict[str, Path]) -> None:
    found = failed(saved["qwen2_5_vl"], quick=True, sampler=Colder)
    assert found["sampler"].startswith(
        "another temperature: its log-probs are those of temperature 0.5 and 1 was asked"
    )
    assert found["draws"].startswith("another temperature: drawn as at a temperature below 1")
    assert set(found) == {"sampler", "draws"}


def test_wrong_times_of_a_clip_are_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = prompts.clock
    monkeypatch.setattr(prompts, "clock", lambda times, temporal: right([2 * time for time in times], temporal))
    found = failed(folder, quick=True)
    assert found["times of a clip"].startswith("frames at 0, 1, 2, 3, 4, 5 s are told as ")
    assert set(found) <= {"times of a clip", "positions"}


def test_a_name_that_is_no_model_is_a_mistake_and_no_finding(tmp_path: Path) -> None:
    with pytest.raises(models.loading.RequestError, match="no model"):
        list(local.checks(str(tmp_path / "nothing")))
