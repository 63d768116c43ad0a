from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from sharp_policies import make_prompt, sharp

from reelgym.data.trajectory import Turn
from reelgym.errors import RequestError
from reelgym.models.base import Policy, Prompt
from reelgym.rollout import local
from reelgym.rollout.local import LocalSampler, SamplingParams
from reelgym.rollout.streams import Streams
from reelgym.training.packing import PackItem, group_logprobs

Sampled = list[list[Turn]]


def make_prompts(policy: Policy) -> list[Prompt]:
    """Return prompts of four lengths, the longest more than `WASTE` times the shortest."""
    return [make_prompt(policy, "what " * n, seen=seen) for n, seen in ((1, True), (1, False), (9, True), (3, True))]


def sample(policy: Policy, prompts: list[Prompt], *, n: int = 4, max_rows: int = 256, **settings: object) -> Sampled:
    params = SamplingParams(**{"max_tokens": 24, **settings})  # type: ignore[arg-type]
    streams = Streams(1, 2, [f"prompt {len(prompt.ids)}" for prompt in prompts])
    return LocalSampler(policy, max_rows=max_rows).sample(prompts, n=n, params=params, streams=streams)


def ending_early(policy: Policy, count: int = 40) -> Policy:
    """Return the policy with `count` more end ids, so that rows leave at different steps."""
    other = replace(policy)
    other.__dict__["eos_ids"] = policy.eos_ids | set(range(30, 30 + count * 20, 20))
    return other


def tokens(sampled: Sampled) -> list[list[list[int]]]:
    return [[turn.ids.tolist() for turn in group] for group in sampled]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_read_while_decoding_are_those_of_training(policy: Policy, temperature: float) -> None:
    prompts = make_prompts(policy)
    sampled = sample(ending_early(policy), prompts, temperature=temperature)
    features = policy.features(prompts)
    items = [
        PackItem(prompt, seen, [torch.from_numpy(turn.ids) for turn in group])
        for prompt, seen, group in zip(prompts, features, sampled, strict=True)
    ]
    with torch.no_grad():
        trained = group_logprobs(policy, items, temperature=temperature)
    lengths = {len(turn.ids) for group in sampled for turn in group}
    assert len(lengths) > 3
    for group, found in zip(sampled, trained, strict=True):
        for turn, right in zip(group, found, strict=True):
            np.testing.assert_allclose(turn.logprobs, right.numpy(), atol=1e-4, rtol=0)


def test_tokens_do_not_depend_on_batch_composition_in_float64(policy: Policy) -> None:
    double = ending_early(sharp(policy.family.name))
    double.model.double()
    prompts = make_prompts(double)
    together = tokens(sample(double, prompts))
    assert tokens(sample(double, prompts, max_rows=1)) == together
    assert tokens(sample(double, prompts, max_rows=8)) == together
    assert tokens(sample(double, prompts[::-1]))[::-1] == together
    assert [group[:2] for group in together] == tokens(sample(double, prompts, n=2))
    assert len({tuple(ids) for group in together for ids in group}) == 16


def test_rows_that_left_the_batch_do_not_change_the_others(qwen: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    early, prompts = ending_early(qwen), make_prompts(qwen)
    found = []
    for share in (0.0, 0.85, 1.0):
        monkeypatch.setattr(local, "LEAVE", share)
        found.append(tokens(sample(early, prompts, n=6)))
    assert found[0] == found[1] == found[2]


def test_cached_decoding_is_greedy_search_without_a_cache(policy: Policy) -> None:
    prompts = [make_prompt(policy), make_prompt(policy, "why", seen=False)]
    features = policy.features(prompts)
    sampler, params = LocalSampler(policy), SamplingParams(max_tokens=8, temperature=0)
    sampled = sampler.sample(prompts, n=1, params=params, streams=None)
    for prompt, seen, (turn,) in zip(prompts, features, sampled, strict=True):
        written: list[int] = []
        while len(written) < 8 and not (written and written[-1] in policy.eos_ids):
            after = prompt.next_position + torch.arange(len(written))
            hidden = policy.hidden(
                torch.cat([prompt.ids, torch.tensor(written, dtype=torch.int64)])[None],
                torch.cat([prompt.positions, after.expand(3, -1)], 1)[:, None],
                features=[seen],
            ).last_hidden_state[0, -1]
            logits = policy.logits(hidden)
            logits[policy.forbidden_ids] = -torch.inf
            written.append(int(logits.argmax()))
        assert turn.ids.tolist() == written


def test_a_completion_ends_with_its_first_end_id_and_keeps_it(qwen: Policy) -> None:
    early = ending_early(qwen)
    turns = [turn for group in sample(early, make_prompts(qwen), n=8) for turn in group]
    assert {turn.stop for turn in turns} == {"eos", "length"}
    for turn in turns:
        ends = [place for place, token in enumerate(turn.ids) if token in early.eos_ids]
        assert ends == ([len(turn.ids) - 1] if turn.stop == "eos" else [])
        assert len(turn.ids) == 24 or turn.stop == "eos"
        assert turn.loss_mask.all()
        assert len(turn.loss_mask) == len(turn.logprobs) == len(turn.ids)


def test_forbidden_ids_are_never_sampled(qwen: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = type(qwen).logits

    def tempting(policy: Policy, hidden: torch.Tensor) -> torch.Tensor:
        logits = plain(policy, hidden)
        logits[..., policy.forbidden_ids] += 1000
        return logits

    monkeypatch.setattr(type(qwen), "logits", tempting)
    for settings in ({"temperature": 0.0}, {}, {"top_k": 3}, {"top_p": 0.5, "min_p": 0.1}):
        drawn = np.concatenate([turn.ids for group in sample(qwen, make_prompts(qwen), **settings) for turn in group])
        assert not np.isin(drawn, qwen.forbidden_ids.numpy()).any()


def test_a_stop_string_ends_a_completion_after_the_token_that_completes_it(qwen: Policy) -> None:
    free = sample(qwen, make_prompts(qwen), n=4)
    text = free[0][0].text
    stop = text[5:8]
    stopped = sample(qwen, make_prompts(qwen), n=4, stop=(stop,))
    ended = 0
    for before, after in zip(chain(*free), chain(*stopped), strict=True):
        if stop not in before.text:
            assert after.ids.tolist() == before.ids.tolist()
            continue
        ended += 1
        assert after.stop == "stop_string"
        assert stop in after.text
        assert stop not in qwen.decode(after.ids[:-1].tolist())
        assert before.ids[: len(after.ids)].tolist() == after.ids.tolist()
    assert ended >= 1


def test_text_and_segments_are_decoded_from_the_ids(qwen: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    script = qwen.tokenize("<think>a</think><answer>2</answer>")
    scripted: Callable[..., torch.Tensor] = _script(script)
    monkeypatch.setattr(local, "choose", scripted)
    turn = sample(qwen, make_prompts(qwen)[:1], n=1, max_tokens=len(script))[0][0]
    assert turn.text == "<think>a</think><answer>2</answer>"
    assert turn.stop == "length"
    spans = {part.name: qwen.decode(turn.ids[part.start : part.stop].tolist()) for part in turn.segments}
    assert spans.keys() == {"think", "answer"}
    assert "2" in spans["answer"]


def _script(ids: list[int]) -> Callable[..., torch.Tensor]:
    left = iter(ids)
    return lambda scores, numbers, params: torch.full((len(scores),), next(left))


def test_sampling_leaves_the_model_as_it_was(qwen: Policy) -> None:
    before = torch.random.get_rng_state()
    qwen.model.train()
    sample(qwen, make_prompts(qwen)[:1], n=2)
    assert qwen.model.training
    qwen.model.eval()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_policy_that_sampled_can_be_trained_at_once() -> None:
    fresh = sharp("qwen2_5_vl")
    prompts = make_prompts(fresh)[:1]
    turn = sample(fresh, prompts, n=1, max_tokens=3)[0][0]
    found = group_logprobs(fresh, [PackItem(prompts[0], fresh.features(prompts)[0], [torch.from_numpy(turn.ids)])])
    found[0][0].sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in fresh.model.parameters() if p.grad is not None)


def test_given_features_replace_the_tower(qwen: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = make_prompts(qwen)
    features = qwen.features(prompts)
    right = tokens(sample(qwen, prompts))
    monkeypatch.setattr(type(qwen), "features", None)
    streams = Streams(1, 2, [f"prompt {len(prompt.ids)}" for prompt in prompts])
    params = SamplingParams(max_tokens=24)
    found = LocalSampler(qwen).sample(prompts, n=4, params=params, streams=streams, features=features)
    assert tokens(found) == right


def test_requests_that_cannot_be_met_are_refused(qwen: Policy) -> None:
    prompts, sampler = make_prompts(qwen), LocalSampler(qwen)
    with pytest.raises(RequestError, match="n=0"):
        sampler.sample(prompts, n=0, params=SamplingParams(), streams=None)
    with pytest.raises(RequestError, match="needs streams"):
        sampler.sample(prompts, n=1, params=SamplingParams(), streams=None)
    with pytest.raises(RequestError, match="1 streams for 4 prompts"):
        sampler.sample(prompts, n=1, params=SamplingParams(), streams=Streams(0, 0, ["a"]))
    with pytest.raises(RequestError, match="max_rows=0"):
        LocalSampler(qwen, max_rows=0)
