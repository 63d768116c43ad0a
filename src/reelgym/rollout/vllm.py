"""The sampler that asks vLLM: a server, or an engine in this process. NOT RUN against a live vLLM: see docs/vllm.md.

Prompts go out as messages with the pixels the policy sees, already resized; vLLM must come to the same prompt ids, and
its log-probs must be those of design: after temperature and bar, before narrowing (`processed_logprobs`). What comes
back is checked, never mended. Weights reach it as a folder: `load`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reelgym.data.messages import Clip, Image
from reelgym.data.segments import segment
from reelgym.data.trajectory import Stop, Turn
from reelgym.errors import RequestError, WorkError
from reelgym.rollout.base import SamplingParams
from reelgym.rollout.chat_form import to_chat
from reelgym.rollout.streams import Streams

if TYPE_CHECKING:
    from reelgym.models.base import Features, Policy, Prompt

BAR = -100.0
"""Bias of an id that may not be sampled, the lowest that the protocol takes: e^-100 of its chance is left."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One group, as an engine is asked for it.

    Attributes:
        messages: The prompt in the chat protocol, pictures as PNG.
        n: Completions.
        seed: Of all n; vLLM gives each its own from it. None where nothing is drawn.
        params: How to draw.
        barred: Ids that may not be drawn.
        ends: Ids that end a completion.
        media: `mm_processor_kwargs`: the frame rates of clips.
    """

    messages: list[dict[str, Any]]
    n: int
    seed: int | None
    params: SamplingParams
    barred: tuple[int, ...]
    ends: tuple[int, ...]
    media: dict[str, Any]

    def settings(self) -> dict[str, Any]:
        """Return what both forms of vLLM call the same; defaults of a model's folder are overruled."""
        params = self.params
        found: dict[str, Any] = {
            "n": self.n,
            "max_tokens": params.max_tokens,
            "temperature": params.temperature,
            "top_p": 1.0,
            "top_k": 0,
            "min_p": 0.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "repetition_penalty": 1.0,
            "stop": list(params.stop),
            "include_stop_str_in_output": True,
            "stop_token_ids": list(self.ends),
            "skip_special_tokens": False,
        }
        return found if self.seed is None else found | {"seed": self.seed}


@dataclass(frozen=True, kw_only=True)
class Member:
    """One completion as an engine returned it; `logprobs` None where it gave none, `reason` what `finish` does not say.

    `finish` is `stop`, `length` or what else vLLM calls it; `reason` the stop string, an id, or None.
    """

    ids: list[int]
    logprobs: list[float] | None
    finish: str
    reason: str | int | None


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One group as an engine returned it: the ids it took the prompt for, and its completions."""

    prompt_ids: list[int]
    members: list[Member]


class Engine(Protocol):
    """A form of vLLM."""

    shared: bool
    """Whether all ranks speak to the same one, so that one rank loads weights for all."""

    def ask(self, groups: Sequence[Ask]) -> list[Answered]:
        """Return the groups in order."""
        ...

    def load(self, folder: Path, *, adapter: bool, tower: bool) -> None:
        """Take the weights in a folder, or the adapter; forget what older ones left in caches, the tower's too."""
        ...

    def sleep(self) -> None:
        """Give back memory until `wake`."""
        ...

    def wake(self) -> None:
        """Take the memory back."""
        ...


class VLLMSampler:
    """Samples from a vLLM engine that holds the policy's weights. Satisfies `rollout.base.Sampler`.

    A request's randomness follows from the names of its stream, and its tokens from vLLM's own generator: they are not
    those of the local sampler, and depend on vLLM's batching.

    Args:
        policy: For tokens, text and sizes; its weights are not read.
        engine: What is asked.
        sleeps: Whether the engine gives its memory back between calls: for one on the trainer's own GPUs.
    """

    def __init__(self, policy: Policy, engine: Engine, *, sleeps: bool = False) -> None:
        """Take a policy and an engine; see the class."""
        self.policy, self.engine, self._sleeps = policy, engine, sleeps
        if sleeps:
            engine.sleep()

    def sample(
        self,
        prompts: Sequence[Prompt],
        *,
        n: int,
        params: SamplingParams,
        streams: Streams | None,
        features: Sequence[Features] | None = None,
    ) -> list[list[Turn]]:
        """Return for every prompt its n completions; see `rollout.base.Sampler.sample`. `features` are not used.

        Raises:
            RequestError: Settings that narrow the choice, a prompt not made of messages, or other prompt ids at vLLM.
            WorkError: vLLM failed, or returned what cannot be trained on.
        """
        _refuse_narrowing(params)
        if streams is None and params.temperature > 0:
            raise RequestError(f"temperature={params.temperature} needs streams; only greedy decoding goes without")
        seeds = [None if streams is None else streams.number(place) for place in range(len(prompts))]
        groups = [self._group(prompt, n, params, seed) for prompt, seed in zip(prompts, seeds, strict=True)]
        if not groups:
            return []
        if self._sleeps:
            self.engine.wake()
        answered = self.engine.ask(groups)
        if self._sleeps:
            self.engine.sleep()
        return [self._turns(prompt, group, n) for prompt, group in zip(prompts, answered, strict=True)]

    @property
    def shared(self) -> bool:
        """Whether all ranks sample from the same engine."""
        return self.engine.shared

    def load(self, folder: Path, *, adapter: bool, tower: bool) -> None:
        """Give the engine the weights in a folder; see `Engine.load`."""
        if self._sleeps:
            self.engine.wake()
        self.engine.load(folder, adapter=adapter, tower=tower)
        if self._sleeps:
            self.engine.sleep()

    def _group(self, prompt: Prompt, n: int, params: SamplingParams, seed: int | None) -> Ask:
        if prompt.media is None:
            raise RequestError("vLLM is asked with messages, and a prompt has none: a later turn needs sampler=local")
        rates = [_frames_per_second(part) for m in prompt.messages for part in m.parts if isinstance(part, Clip)]
        if rates and not self.policy.family.times_are_spaced:
            name, spaced = self.policy.family.name, self.policy.family.axes > 1
            why = "is told the time of every frame" if spaced else "is shown a clip as frames with text between them"
            raise RequestError(
                f"{name} {why}, which vLLM does not take with frames: use sampler=local, or samples of images"
            )
        return Ask(
            messages=to_chat(prompt.messages, self._pixels(prompt), encoding="png", clips="video"),
            n=n,
            seed=seed,
            params=params,
            barred=tuple(self.policy.forbidden_ids.tolist()),
            ends=tuple(sorted(self.policy.eos_ids)),
            media={"fps": rates if len(rates) > 1 else rates[0], "do_sample_frames": False} if rates else {},
        )

    def _pixels(self, prompt: Prompt) -> Any:
        def pixels(part: Image | Clip) -> NDArray[np.uint8]:
            assert prompt.media is not None
            return self.policy.resized(part, prompt.media(part))

        return pixels

    def _turns(self, prompt: Prompt, answered: Answered, n: int) -> list[Turn]:
        ours, theirs = prompt.ids.tolist(), answered.prompt_ids
        if ours != theirs:
            first = next(i for i, (a, b) in enumerate(zip_longest(ours, theirs)) if a != b)
            raise RequestError(
                f"vLLM reads a prompt of {len(theirs)} tokens where ours has {len(ours)}, first unlike at {first}: "
                "serve the same model folder, with its own chat template and pixel budgets"
            )
        if len(answered.members) != n:
            raise WorkError(f"vLLM returned {len(answered.members)} completions, {n} were asked for")
        return [self._turn(member) for member in answered.members]

    def _turn(self, member: Member) -> Turn:
        ids, given = np.array(member.ids, dtype=np.int64), member.logprobs
        if given is None or len(given) != len(ids):
            raise WorkError(
                f"vLLM returned {len(ids)} tokens with {'no' if given is None else len(given)} log-probs: start it "
                "with --logprobs-mode processed_logprobs"
            )
        barred = np.isin(ids, self.policy.forbidden_ids.numpy())
        if barred.any():
            raise WorkError(f"vLLM drew the vision placeholder {ids[barred][0]}, which logit_bias barred")
        pieces = self.policy.pieces(member.ids)
        return Turn(
            ids=ids,
            logprobs=np.array(given, dtype=np.float32),
            loss_mask=np.ones(len(ids), dtype=np.bool_),
            text="".join(pieces),
            stop=self._stop(member),
            segments=segment(pieces),
        )

    def _stop(self, member: Member) -> Stop:
        if member.finish == "length":
            return "length"
        if member.finish != "stop":
            raise WorkError(f"vLLM ended a completion with {member.finish!r}: look into its log")
        return "stop_string" if isinstance(member.reason, str) else "eos"


def _refuse_narrowing(params: SamplingParams) -> None:
    for name, plain in (("top_p", 1.0), ("top_k", 0), ("min_p", 0.0)):
        if getattr(params, name) != plain:
            raise RequestError(
                f"{name}={getattr(params, name)}: vLLM's log-probs come after narrowing, ours before; set "
                f"{name}={plain} or sampler=local"
            )


def _frames_per_second(clip: Clip) -> float:
    """Return the mean rate of the frames of a clip as it is told; 1 where there is one frame."""
    times = clip.times if clip.shown_seconds is None else clip.shown_seconds
    span = times[-1] - times[0] if times else 0.0
    return (len(times) - 1) / span if span > 0 else 1.0
