"""Families of tiles under `doctor`: healthy ones pass with images of several tiles, planted faults are found."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reelgym import models
from reelgym.doctor import local
from reelgym.models import prompts, tiny
from reelgym.models.base import Policy

WIDER = {"internvl": 6 * 56**2, "smolvlm": 256**2}


@pytest.fixture(params=WIDER)
def folder(request: pytest.FixtureRequest, saved: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved[request.param], tmp_path / request.param))


def failed(folder: Path, **how: Any) -> dict[str, str]:
    return {check.name: check.found for check in local.checks(str(folder), quick=True, **how) if check.passed is False}


def test_healthy_models_pass_everything_with_several_tiles_an_image(folder: Path) -> None:
    policy = tiny.build(folder.name, seed=1)
    replace(policy, sizing=replace(policy.sizing, image_max_pixels=WIDER[folder.name])).save(folder)
    found = list(local.checks(str(folder)))
    assert [check for check in found if check.passed is False] == []
    wanted = {
        "patches",
        "frames of a clip",
        "tokens",
        "positions",
        "times of a clip",
        "stock forward",
        "packed log-probs",
    }
    assert wanted | {"sampler", "packed gradients", "GRPO step", "LoRA merged"} <= {c.name for c in found if c.passed}


def test_a_wrong_pixel_limit_is_found(folder: Path) -> None:
    def load(name: str) -> Policy:
        policy = models.load(name)
        return replace(policy, sizing=replace(policy.sizing, image_max_pixels=WIDER[folder.name]))

    found = failed(folder, load=load)
    assert "by preprocessor_config.json: correct the limits" in found["pixel limits"]


def test_a_template_that_drops_an_image_is_found(folder: Path) -> None:
    path = folder / "chat_template.jinja"
    path.write_text(path.read_text().replace("content['type'] == 'image'", "content['type'] == 'picture'"))
    checks = failed(folder)
    assert "image parts" in " ".join(checks.values())


def test_a_template_without_the_generation_prompt_is_found(folder: Path) -> None:
    path = folder / "chat_template.jinja"
    before, _, _ = path.read_text().partition("{%- if add_generation_prompt -%}")
    path.write_text(before)
    assert failed(folder)["chat template"].startswith("no generation prompt: ")


def test_frames_in_another_order_are_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = tiny.FAMILIES[folder.name].clip_pixels
    monkeypatch.setattr(
        tiny.FAMILIES[folder.name], "clip_pixels", lambda self, pixels, sizing: right(self, pixels[::-1], sizing)
    )
    assert set(failed(folder)) == {"frames of a clip"}


def test_wrong_times_of_a_clip_are_found_where_they_are_told(saved: dict[str, Path], monkeypatch: Any) -> None:
    right = prompts.clock
    monkeypatch.setattr(prompts, "clock", lambda times, temporal: right([2 * time for time in times], temporal))
    assert set(failed(saved["smolvlm"])) == {"times of a clip"}
