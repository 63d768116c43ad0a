"""The vLLM sampler against a local HTTP server that speaks its protocol, and against an engine of our own making."""

from __future__ import annotations

import base64
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image as Picture
from sharp_policies import make_prompt, sharp
from vllm_stub import Stub, serving

from reelgym.data.trajectory import Turn
from reelgym.errors import RequestError, WorkError
from reelgym.models.base import Policy, Prompt
from reelgym.rollout import vllm_server
from reelgym.rollout.base import Publishable, SamplingParams
from reelgym.rollout.streams import Streams
from reelgym.rollout.vllm import VLLMSampler
from reelgym.rollout.vllm_engine import Colocated
from reelgym.rollout.vllm_server import Server

STREAMS = Streams(7, 3, ["a", "b"])
PARAMS = SamplingParams(max_tokens=8, temperature=0.7, stop=("</answer>",))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_server, "time", SimpleNamespace(sleep=lambda seconds: None))


@pytest.fixture(scope="module")
def prompts(qwen_once: Policy) -> list[Prompt]:
    return [make_prompt(qwen_once, "what", seen=True), make_prompt(qwen_once, "and then what", seen=False)]


@pytest.fixture(scope="module")
def qwen_once() -> Policy:
    return sharp("qwen2_5_vl")


def speaking(policy: Policy, prompts: list[Prompt], **changes: Any) -> Callable[[dict[str, Any]], tuple[int, Any]]:
    """Return a chat route: member i of a group is `i + 1` letters and an end; `changes` replace fields of a choice."""
    end = min(policy.eos_ids)

    def route(body: dict[str, Any]) -> tuple[int, Any]:
        shown = any(isinstance(message["content"], list) for message in body["messages"])
        prompt = prompts[0] if shown else prompts[1]
        choices = [choice(i) | {k: v(i) for k, v in changes.items()} for i in range(body["n"])]
        return 200, {"prompt_token_ids": prompt.ids.tolist(), "choices": choices[::-1]}

    def choice(i: int) -> dict[str, Any]:
        ids = [*policy.tokenize("abcdefgh"[: i + 1]), end]
        content = [{"token": "?", "logprob": -0.25 * (t + 1)} for t in range(len(ids))]
        return {"index": i, "token_ids": ids, "logprobs": {"content": content}, "finish_reason": "stop"}

    return route


def ask(policy: Policy, prompts: list[Prompt], stub: Stub, n: int = 3, **settings: Any) -> list[list[Turn]]:
    params = SamplingParams(**{"max_tokens": 12, "temperature": 0.7} | settings)
    sampler = VLLMSampler(policy, Server(stub.url, tries=3))
    return sampler.sample(prompts, n=n, params=params, streams=STREAMS)


def test_groups_come_back_as_turns_with_their_tokens_and_logprobs(qwen_once: Policy, prompts: list[Prompt]) -> None:
    with serving(Stub(speaking(qwen_once, prompts))) as stub:
        found = ask(qwen_once, prompts, stub)
    assert [len(group) for group in found] == [3, 3]
    for group in found:
        assert [turn.text for turn in group] == ["a", "ab", "abc"]
        for turn in group:
            assert turn.stop == "eos" and turn.ids[-1] in qwen_once.eos_ids and turn.loss_mask.all()
            np.testing.assert_array_equal(turn.logprobs, -0.25 * np.arange(1, len(turn.ids) + 1, dtype=np.float32))


def test_a_request_says_all_that_decides_and_overrules_the_servers_defaults(
    qwen_once: Policy, prompts: list[Prompt]
) -> None:
    with serving(Stub(speaking(qwen_once, prompts))) as stub:
        ask(qwen_once, prompts, stub, stop=("</answer>",))
        ask(qwen_once, prompts, stub, temperature=0.0)
        bodies = stub.bodies("/v1/chat/completions")
    body = next(b for b in bodies if isinstance(b["messages"][-1]["content"], str) and b["temperature"])
    assert body["n"] == 3 and body["model"] == "base" and body["max_tokens"] == 12 and body["temperature"] == 0.7
    assert (body["top_p"], body["top_k"], body["min_p"], body["repetition_penalty"]) == (1.0, 0, 0.0, 1.0)
    assert body["logprobs"] is True and body["return_token_ids"] is True
    assert body["stop"] == ["</answer>"] and body["include_stop_str_in_output"] is True
    assert body["stop_token_ids"] == sorted(qwen_once.eos_ids)
    assert body["logit_bias"] == {str(barred): -100.0 for barred in qwen_once.forbidden_ids.tolist()}
    # A group's seed follows from its stream, and members share the request.
    seeds = {b["seed"] for b in bodies if b["temperature"]}
    assert seeds == {STREAMS.number(0), STREAMS.number(1)} and max(seeds) < 2**63
    assert STREAMS.number(0) != Streams(7, 4, ["a", "b"]).number(0)


def test_pictures_travel_without_loss_at_the_size_the_policy_sees(qwen_once: Policy, prompts: list[Prompt]) -> None:
    with serving(Stub(speaking(qwen_once, prompts))) as stub:
        ask(qwen_once, prompts[:1], stub)
        body = stub.bodies("/v1/chat/completions")[0]
    parts = [part for message in body["messages"] for part in message["content"] if part["type"] != "text"]
    sent: list[np.ndarray[Any, Any]] = []
    for part in parts:
        url = part[part["type"]]["url"].split(",", 1)[1]
        raw = [base64.b64decode(one) for one in url.split(",")]
        sent.append(np.stack([np.asarray(Picture.open(io.BytesIO(one))) for one in raw]))
    prompt = prompts[0]
    named = [part for message in prompt.messages for part in message.parts if not hasattr(part, "text")]
    assert prompt.media is not None and len(sent) == len(named) > 0
    for pixels, part in zip(sent, named, strict=True):
        np.testing.assert_array_equal(pixels, qwen_once.resized(part, prompt.media(part)))  # type: ignore[arg-type]
        assert pixels.shape[1] % 28 == 0 and pixels.shape[2] % 28 == 0
    if any(part["type"] == "video_url" for part in parts):
        assert body["mm_processor_kwargs"]["do_sample_frames"] is False and body["mm_processor_kwargs"]["fps"]


FAULTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"logprobs": lambda i: None}, WorkError, r"tokens with no log-probs: start it with --logprobs-mode"),
    ({"logprobs": lambda i: {"content": [{"logprob": -1.0}]}}, WorkError, r"2 tokens with 1 log-probs"),
    ({"finish_reason": lambda i: "abort"}, WorkError, r"ended a completion with 'abort'"),
    ({"token_ids": lambda i: [1] * (2 + i) if i else ["x"]}, WorkError, r"a reply without"),
    ({"index": lambda i: None}, WorkError, r"a reply without"),
]


@pytest.mark.parametrize(("changes", "error", "message"), FAULTS, ids=range(len(FAULTS)))
def test_a_reply_that_cannot_be_trained_on_is_refused(
    changes: dict[str, Any], error: type[Exception], message: str, qwen_once: Policy, prompts: list[Prompt]
) -> None:
    with serving(Stub(speaking(qwen_once, prompts, **changes))) as stub, pytest.raises(error, match=message):
        ask(qwen_once, prompts, stub)


def test_a_barred_token_in_a_reply_is_refused(qwen_once: Policy, prompts: list[Prompt]) -> None:
    barred = int(qwen_once.forbidden_ids[0])
    ids: dict[str, Any] = {"token_ids": lambda i: [barred] * (i + 2)}
    with (
        serving(Stub(speaking(qwen_once, prompts, **ids))) as stub,
        pytest.raises(WorkError, match=rf"drew the vision placeholder {barred}, which logit_bias barred"),
    ):
        ask(qwen_once, prompts, stub)


def test_another_number_of_completions_is_refused(qwen_once: Policy, prompts: list[Prompt]) -> None:
    route = speaking(qwen_once, prompts)
    with (
        serving(Stub(lambda body: route(body | {"n": 2}))) as stub,
        pytest.raises(WorkError, match="returned 2 completions, 3 were asked for"),
    ):
        ask(qwen_once, prompts, stub)


def test_other_prompt_ids_are_refused_with_the_place_where_they_part(qwen_once: Policy, prompts: list[Prompt]) -> None:
    with (
        serving(Stub(speaking(qwen_once, prompts[::-1]))) as stub,
        pytest.raises(RequestError, match=r"vLLM reads a prompt of \d+ tokens where ours has \d+, first unlike at \d+"),
    ):
        ask(qwen_once, prompts, stub)


def test_what_may_pass_is_tried_again_and_what_may_not_is_told(qwen_once: Policy, prompts: list[Prompt]) -> None:
    route, left = speaking(qwen_once, prompts), [2]

    def failing(body: dict[str, Any]) -> tuple[int, Any]:
        left[0] -= 1
        return (500, {"error": "out of cheese"}) if left[0] >= 0 else route(body)

    with serving(Stub(failing)) as stub:
        assert len(ask(qwen_once, prompts[1:], stub)[0]) == 3
        left[0] = 99
        with pytest.raises(WorkError, match=r"chat/completions: status 500: .*out of cheese.* \(3 attempts\)"):
            ask(qwen_once, prompts[1:], stub)
        asked = len(stub.asked)
        stub.routes["/v1/chat/completions"] = lambda body: (400, {"error": "n is too large"})
        with pytest.raises(WorkError, match=r"status 400: .*n is too large"):
            ask(qwen_once, prompts[1:], stub)
        assert len(stub.asked) == asked + 3  # Two questions of the start, one attempt.
        stub.routes["/v1/chat/completions"] = lambda body: (200, b"<html>")
        with pytest.raises(WorkError, match="a reply that is no JSON: <html>"):
            ask(qwen_once, prompts[1:], stub)


def test_a_server_that_hangs_or_is_gone_is_one_line(qwen_once: Policy, prompts: list[Prompt]) -> None:
    def hanging(body: dict[str, Any]) -> tuple[int, Any]:
        time.sleep(3.0)
        return 200, {}

    with serving(Stub(hanging)) as stub:
        server = Server(stub.url, tries=2)
        server._client.timeout = httpx.Timeout(0.2)
        with pytest.raises(WorkError, match=r"ReadTimeout.*\(2 attempts\)\. Is it up\?"):
            VLLMSampler(qwen_once, server).sample(prompts[1:], n=1, params=PARAMS, streams=STREAMS)
    with pytest.raises(WorkError, match=r"ConnectError.*VLLM_SERVER_DEV_MODE=1 vllm serve"):
        Server(stub.url, tries=2)


def test_a_server_in_another_mode_is_refused(qwen_once: Policy) -> None:
    with serving(Stub(lambda body: (200, {}))) as stub:
        stub.routes["/server_info"] = lambda body: (200, {"vllm_config": "ModelConfig(logprobs_mode='raw_logprobs')"})
        with pytest.raises(
            RequestError, match="returns raw_logprobs: start it with --logprobs-mode processed_logprobs"
        ):
            Server(stub.url)
        del stub.routes["/server_info"]
        with pytest.raises(RequestError, match="has no /server_info: start it as VLLM_SERVER_DEV_MODE=1"):
            Server(stub.url)


@pytest.mark.parametrize("settings", [{"top_p": 0.9}, {"top_k": 5}, {"min_p": 0.1}], ids=str)
def test_narrowed_sampling_is_refused(settings: dict[str, Any], qwen_once: Policy, prompts: list[Prompt]) -> None:
    with serving(Stub(speaking(qwen_once, prompts))) as stub, pytest.raises(RequestError, match="come after narrowing"):
        ask(qwen_once, prompts, stub, **settings)


def test_weights_are_loaded_while_nothing_runs_and_caches_forget_the_old_ones(qwen_once: Policy) -> None:
    with serving(Stub(lambda body: (200, {}))) as stub:
        sampler = VLLMSampler(qwen_once, Server(stub.url))
        assert isinstance(sampler, Publishable) and sampler.shared
        sampler.load(Path("/run/published/4"), adapter=False, tower=False)
        assert stub.paths() == ["/pause?mode=wait", "/collective_rpc", "/reset_prefix_cache", "/resume"]
        told = {"method": "reload_weights", "kwargs": {"weights_path": "/run/published/4"}}
        assert stub.bodies("/collective_rpc") == [told]
        stub.asked[2:] = []
        sampler.load(Path("/run/published/5"), adapter=False, tower=True)
        assert stub.paths()[2:-1] == ["/reset_prefix_cache", "/reset_mm_cache", "/reset_encoder_cache"]
        stub.asked[2:] = []
        stub.routes["/collective_rpc"] = lambda body: (400, {"error": "no such folder"})
        with pytest.raises(WorkError, match="no such folder"):
            sampler.load(Path("/run/published/6"), adapter=False, tower=True)
        assert stub.paths()[-1] == "/resume"  # Others may go on.


def test_an_adapter_gets_a_new_name_each_time_and_the_old_one_leaves(qwen_once: Policy, prompts: list[Prompt]) -> None:
    with serving(Stub(speaking(qwen_once, prompts))) as stub:
        sampler = VLLMSampler(qwen_once, Server(stub.url))
        for step in (1, 2):
            sampler.load(Path(f"/run/published/{step}"), adapter=True, tower=False)
        assert stub.bodies("/v1/unload_lora_adapter") == [{"lora_name": "reelgym-1"}]
        sampler.sample(prompts[1:], n=1, params=PARAMS, streams=STREAMS)
        assert stub.bodies("/v1/chat/completions")[0]["model"] == "reelgym-2"


def test_a_server_that_shares_the_gpu_sleeps_between_calls(qwen_once: Policy, prompts: list[Prompt]) -> None:
    with serving(Stub(speaking(qwen_once, prompts))) as stub:
        sampler = VLLMSampler(qwen_once, Server(stub.url), sleeps=True)
        sampler.sample(prompts[1:], n=1, params=PARAMS, streams=STREAMS)
        assert stub.paths() == ["/sleep?level=1", "/wake_up", "/v1/chat/completions", "/sleep?level=1"]


def test_clips_for_a_family_that_is_told_every_time_are_refused() -> None:
    policy = sharp("qwen3_vl")
    prompt = make_prompt(policy, "what", seen=True)
    with (
        serving(Stub(lambda body: (200, {}))) as stub,
        pytest.raises(RequestError, match="told the time of every frame"),
    ):
        VLLMSampler(policy, Server(stub.url)).sample([prompt], n=1, params=PARAMS, streams=STREAMS)


class Said:
    """A module in vLLM's place that remembers what it was told."""

    def __init__(self, prompt: Prompt, end: int) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.prompt, self.end, self.llm_engine = prompt, end, self

    def __call__(self, **settings: Any) -> Said:
        self.calls.append(("LLM", settings))
        return self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: self.calls.append((name, kwargs or args))

    def chat(self, messages: Any, params: Any, **how: Any) -> Any:
        self.calls.append(("chat", params))
        chances = [{self.end: SimpleNamespace(logprob=-0.5), 3: SimpleNamespace(logprob=-0.1)}]
        one = SimpleNamespace(token_ids=(self.end,), logprobs=chances, finish_reason="stop", stop_reason=None)
        return [SimpleNamespace(prompt_token_ids=self.prompt.ids.tolist(), outputs=[one] * params["n"])]


def test_an_engine_in_this_process_is_asked_the_same_and_sleeps_while_weights_train(
    qwen_once: Policy, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("vllm")
    said = Said(prompts[1], min(qwen_once.eos_ids))
    module.LLM, module.SamplingParams = said, dict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", module)
    sampler = VLLMSampler(qwen_once, Colocated("folder", lora_rank=0), sleeps=True)
    assert said.calls[0][1]["logprobs_mode"] == "processed_logprobs" and said.calls[0][1]["model"] == "folder"
    found = sampler.sample(prompts[1:], n=2, params=PARAMS, streams=STREAMS)
    assert [turn.logprobs.tolist() for turn in found[0]] == [[-0.5], [-0.5]]
    params = next(call for name, call in said.calls if name == "chat")
    assert params["seed"] == STREAMS.number(0) and params["logit_bias"][int(qwen_once.forbidden_ids[0])] == -100.0
    sampler.load(Path("weights"), adapter=False, tower=True)
    assert not sampler.shared
    names = [name for name, _ in said.calls]
    assert names[1:5] == ["sleep", "wake_up", "chat", "sleep"]
    assert names[5:7] == ["wake_up", "collective_rpc"] and "reset_prefix_cache" in names and "reset_mm_cache" in names
    assert said.calls[6][1]["kwargs"] == {"weights_path": "weights"}


def test_without_vllm_a_line_says_what_to_do(qwen_once: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(RequestError, match="pip install vllm, or give the address of a server"):
        Colocated("folder", lora_rank=0)
