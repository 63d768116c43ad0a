from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_runs import SPEC, load, media, numbers, question, rl_run, weights_of

from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.models import tiny
from reelgym.models.base import Policy, Prompt
from reelgym.models.features import KeptFeatures
from reelgym.training import Data, RLConfig, rl
from reelgym.training.inputs import Inputs
from reelgym.video import Store

SMALL = tiny.Size(width=32, layers=1, mlp=48, vision_width=32, vision_mlp=48)


class Stored:
    """Noise for pixels, and a store beside it, as `data.media.Media` has one."""

    def __init__(self, root: Path, limit_bytes: int = 1 << 30) -> None:
        self.store = Store(root, limit_bytes)

    def __call__(self, part: Image | Clip) -> np.ndarray:
        return media(part)


@pytest.fixture
def tower(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the number of prompts of every call of the tower from now on."""
    calls: list[int] = []
    plain = Policy.features

    def counted(self: Policy, given: Sequence[Prompt]) -> Any:
        calls.append(len(given))
        return plain(self, given)

    monkeypatch.setattr(Policy, "features", counted)
    return calls


def features_of(policy: Policy, root: Path, messages: tuple[Message, ...], **settings: Any) -> Any:
    inputs = Inputs(policy, Stored(root), RLConfig(**settings))
    inputs.prompt("a", lambda: messages)
    return inputs.features(["a"])[0]


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_another_process_finds_the_same_features_without_the_tower(
    family: str, tmp_path: Path, tower: list[int]
) -> None:
    policy = tiny.build(family, seed=0, size=SMALL)
    first = features_of(policy, tmp_path, question(0))
    again = features_of(policy, tmp_path, question(0))
    assert tower == [1]
    assert first.pooled.keys() == again.pooled.keys() == {"image", "video"}
    for kind, value in first.pooled.items():
        assert torch.equal(again.pooled[kind], value) and again.pooled[kind].dtype == value.dtype
        levels = zip(again.deepstack.get(kind, ()), first.deepstack.get(kind, ()), strict=True)
        assert all(torch.equal(one, other) for one, other in levels)
    assert bool(first.deepstack) is (family == "qwen3_vl")
    assert first.deepstack.keys() == again.deepstack.keys()


def test_each_clip_is_kept_by_itself_and_its_shown_times_do_not_matter(tmp_path: Path, tower: list[int]) -> None:
    policy = tiny.build("qwen3_vl", seed=0, size=SMALL)
    features_of(policy, tmp_path, question(0))
    clip = next(part for part in question(0)[0].parts if isinstance(part, Clip))
    other = replace(clip, shown_seconds=(7.0, 9.0))
    features_of(policy, tmp_path, (Message("user", (other, Text("another question"))),))
    assert tower == [1]


def test_other_weights_frames_pixels_and_sizes_are_not_mistaken_for_these(tmp_path: Path, tower: list[int]) -> None:
    policy = tiny.build("qwen2_5_vl", seed=0, size=SMALL)
    clip = Clip(video="v0", spec=SPEC, times=(0.0, 1.0))
    asked = (Message("user", (clip,)),)
    features_of(policy, tmp_path, asked)
    with torch.no_grad():
        next(policy.model.model.visual.parameters()).add_(1e-3)
    changed = replace(policy)
    features_of(changed, tmp_path, asked)
    for part in (replace(clip, times=(0.0, 2.0)), replace(clip, video="v1"), replace(clip, spec=replace(SPEC, fps=2))):
        features_of(changed, tmp_path, (Message("user", (part,)),))
    larger = replace(changed, sizing=replace(changed.sizing, video_min_pixels=16 * 28 * 28))
    features_of(larger, tmp_path, asked)
    assert tower == [1] * 6


def test_a_tower_that_learns_is_never_answered_from_the_store(tmp_path: Path, tower: list[int]) -> None:
    policy = tiny.build("qwen2_5_vl", seed=0, size=SMALL)
    features_of(policy, tmp_path, question(0))
    found = features_of(policy, tmp_path, question(0), train_tower=True)
    assert tower == [1, 1] and found.pooled["video"].requires_grad


def test_damaged_and_cut_entries_are_made_again(tmp_path: Path, tower: list[int]) -> None:
    policy = tiny.build("qwen2_5_vl", seed=0, size=SMALL)
    first = features_of(policy, tmp_path, question(0))
    for damage in (
        lambda data: data[:-7],
        lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
        lambda data: b"",
    ):
        for file in tmp_path.glob("*/*.features"):
            file.write_bytes(damage(file.read_bytes()))
        again = features_of(policy, tmp_path, question(0))
        assert all(torch.equal(again.pooled[kind], value) for kind, value in first.pooled.items())
    assert tower == [1] * 4


def test_the_store_stays_within_its_limit_and_tells_what_features_take(tmp_path: Path) -> None:
    policy = tiny.build("qwen2_5_vl", seed=0, size=SMALL)
    store = Store(tmp_path, 4096)
    kept = KeptFeatures(policy, store)
    prompts = [
        policy.encode((Message("user", (Image(video=f"v{i}", spec=SPEC, time=0.0),)),), media) for i in range(30)
    ]
    for prompt, features in zip(prompts, policy.features(prompts), strict=True):
        kept.save(prompt, features)
    held = store.contents()
    assert 0 < held.size_bytes == held.feature_bytes <= 4096 and held.unreadable == 0
    assert kept.load(prompts[-1]) is not None and kept.load(prompts[0]) is None
    assert store.prune(4096) == 0 and store.contents().entries == held.entries
    store.keep_blob("large", bytes(600))
    assert store.blob("large") is None
    assert store.prune(0) == held.entries


def test_host_memory_is_bounded_by_bytes_as_well_as_by_prompts(tower: list[int]) -> None:
    policy = tiny.build("qwen2_5_vl", seed=0, size=SMALL)
    one = policy.features([policy.encode(question(0), media)])[0]
    size = sum(value.numel() * 4 for value in one.pooled.values())
    inputs = Inputs(policy, media, RLConfig(feature_cache_gib=2.5 * size / (1 << 30)))
    for turn in range(2):
        for i in (0, 1):
            inputs.prompt(str(i), lambda i=i: question(i))
            inputs.features([str(i)])
        assert len(tower) == 3 + 4 * turn
        for i in (2, 3):
            inputs.prompt(str(i), lambda i=i: question(i))
        assert len(inputs.features(["2", "3"])) == 2
        tower.append(0)


def test_a_second_run_over_the_same_store_takes_the_same_steps_without_the_tower(
    tmp_path: Path, tower: list[int]
) -> None:
    run = rl_run(steps=2)
    run = replace(run, data=Data(run.data.items, Stored(tmp_path / "store")))
    for name in ("first", "second"):
        rl.train(run, tmp_path / name, load=load)
        calls, tower[:] = sum(tower), []
        assert (calls > 0) is (name == "first")
    assert numbers(tmp_path / "first") == numbers(tmp_path / "second")
    first, second = weights_of(tmp_path / "first", 2), weights_of(tmp_path / "second", 2)
    assert all(torch.equal(second[name], value) for name, value in first.items())
