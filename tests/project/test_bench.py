"""The benchmark's own arithmetic, and that its arms do the same step."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

OPTIONS = argparse.Namespace(completion=3, steps=1, threads=1, checkpointing=False)


@pytest.fixture
def group_step(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(repository / "bench"))
    import group_step

    return group_step


@pytest.fixture
def job(group_step: Any, tmp_path: Path) -> tuple[Any, dict[str, Any]]:
    policy = group_step.make_model(tmp_path / "model")
    return policy, group_step.make_job(policy, OPTIONS, 512, 2)


def test_both_ways_give_the_same_log_probs_on_a_prompt_of_the_length_asked_for(
    job: tuple[Any, dict[str, Any]], group_step: Any
) -> None:
    import step_ours

    policy, given = job
    assert len(given["ids"]) == 512
    policy.__dict__["forbidden_ids"] = torch.tensor(given["barred"])
    arms = [step_ours.Arm(policy, given, copies=copies) for copies in (False, True)]
    prompt = step_ours.encode(policy, given, 0)
    features, completions, old = arms[0].sample(prompt, 0)
    packed, padded = (torch.stack(arm.logprobs(prompt, features, completions)) for arm in arms)
    torch.testing.assert_close(packed, padded, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(packed.detach(), old, rtol=1e-5, atol=1e-5)
    assert not torch.isin(torch.stack(completions), torch.tensor(given["barred"])).any()


def test_the_bound_by_hand(job: tuple[Any, dict[str, Any]]) -> None:
    from step_flops import Counter

    counter = Counter(*job)
    # A layer: q and o 128 x 128, k and v 128 x 32, three MLP matrices 128 x 688, four layers; D = 128.
    weights = 4 * (2 * 128 * 128 + 2 * 128 * 32 + 3 * 128 * 688)
    assert counter.weights == weights and counter.width == 4 * 128
    # G = 2, P = 512, C = 3. Ours: 512 prompt tokens and 2 * 2 of completions, which see 513 keys on average.
    head = 2 * 3 * counter.head
    ours = 3 * ((512 + 4) * weights + head) + 3.5 * 2 * 512 * (512**2 / 2 + 2 * 2 * 513)
    theirs = 3 * (2 * 515 * weights + head) + 3.5 * 2 * 512 * 2 * 515**2 / 2 + 2 * counter.tower().total
    found = counter.update()
    assert (found[0].total, found[1].total) == pytest.approx((ours, theirs))
    assert counter.bounds()["update"] == pytest.approx(theirs / ours)


@pytest.mark.parametrize("prompt", [512, 1024, 2048, 4096, 8192])
def test_the_tower_keeps_the_proportion_of_the_real_models(group_step: Any, prompt: int, tmp_path: Path) -> None:
    from step_flops import Counter

    policy = group_step.make_model(tmp_path / "model")
    given = {"prompt": prompt, "completion": 128, "group": 8, "checkpointing": False}
    assert 0.4 <= Counter(policy, given).bounds()["tower_over_text"] <= 0.9


def test_a_phase_inside_another_is_taken_off_it(group_step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import step_job

    # The outer phase runs from 0 to 10 s, the inner one from 2 to 5.
    ticks = iter([0.0, 2.0, 5.0, 10.0])
    monkeypatch.setattr(step_job.time, "perf_counter", lambda: next(ticks))
    clock = step_job.Clock()
    with clock.phase("outer"), clock.phase("inner"):
        pass
    clock.end_step()
    assert clock.steps == [{"inner": 3.0, "outer": 7.0}]
