"""The RL loop with vLLM as its sampler: a server of our own that loads what the run publishes, and samples from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from training_runs import load, media, numbers, question, rl_run, samples
from vllm_stub import Stub, serving

from reelgym.data.templates import with_instruction
from reelgym.errors import RequestError
from reelgym.rollout.local import LocalSampler, SamplingParams
from reelgym.rollout.streams import Streams
from reelgym.training import Data, RLConfig, rl


class Held(Stub):
    """A server that samples, by the local sampler, from the weights it was told to load last."""

    def __init__(self) -> None:
        super().__init__(self.chat)
        self.folders: list[str] = []
        self.routes["/collective_rpc"] = self.reload

    def reload(self, body: dict[str, Any]) -> tuple[int, Any]:
        self.folders.append(body["kwargs"]["weights_path"])
        self.policy = load(self.folders[-1])
        return 200, {"results": [None]}

    def chat(self, body: dict[str, Any]) -> tuple[int, Any]:
        prompt = self.policy.encode(with_instruction(question(0), "direct"), media)
        params = SamplingParams(max_tokens=body["max_tokens"], temperature=body["temperature"])
        streams = Streams(body["seed"], 0, ["a"]) if "seed" in body else None
        turns = LocalSampler(self.policy).sample([prompt], n=body["n"], params=params, streams=streams)[0]
        choices = [
            {
                "index": place,
                "token_ids": turn.ids.tolist(),
                "logprobs": {"content": [{"logprob": value} for value in turn.logprobs.tolist()]},
                "finish_reason": "length" if turn.stop == "length" else "stop",
            }
            for place, turn in enumerate(turns)
        ]
        return 200, {"prompt_token_ids": prompt.ids.tolist(), "choices": choices}


def test_a_run_publishes_its_weights_before_it_samples_and_stays_on_policy(tmp_path: Path) -> None:
    with serving(Held()) as stub:
        run = rl_run(steps=2, prompts_per_step=1, sampler="vllm", vllm_url=stub.url, temperature=0.8, lr=3e-2)
        data = Data(samples(1), media)
        rl.train(replace(run, data=data, eval_data=data), tmp_path, load=load)
        folders = stub.folders  # type: ignore[attr-defined]
    # Once at the start and once per step that moved weights: what is held serves evaluation and sampling alike.
    assert [Path(folder).name.split("-")[0] for folder in folders] == ["0", "1", "2"]
    rows = numbers(tmp_path)
    assert [row["step"] for row in rows] == [0, 1, 2]
    for row in rows[1:]:
        assert row["loss/log_ratio"] < 1e-5 and row["optim/grad_norm"] > 0


def test_a_sampler_is_named_and_its_settings_have_an_effect_or_are_refused() -> None:
    with pytest.raises(RequestError, match="unknown sampler 'vlm'"):
        RLConfig(sampler="vlm")  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="vllm_url and vllm_sleep have no effect with sampler=local"):
        RLConfig(vllm_url="http://127.0.0.1:8000/v1")
