"""What a training run is, as frozen values: data, settings, and the run that names them all."""

from __future__ import annotations

import hashlib
import json
from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reelgym.algorithms import GRPO, Algorithm
from reelgym.data import messages as message_forms
from reelgym.data.messages import Clip, Image, Message
from reelgym.data.sample import Sample
from reelgym.errors import RequestError, unknown
from reelgym.rewards import Accuracy, Format, Gate, JudgeConfig, Rubric, Sum

Media = Callable[[Image | Clip], NDArray[np.uint8]]
Schedule = Literal["constant", "linear", "cosine"]


@dataclass(frozen=True)
class Example:
    """One supervised pair: a prompt as the policy will see it, instruction included, and the reply to learn."""

    messages: tuple[Message, ...]
    reply: str


@dataclass(frozen=True, eq=False)
class Data:
    """What a run learns from or is measured on, media within reach.

    Attributes:
        items: Samples (RL, evaluation) or examples (SFT), at least one.
        media: Turns a named image or clip into pixels, (F, H, W, 3) uint8.
        digest: Names the content in `config.json`; computed from the items where empty. Pixels are named by content
            in the messages, so it covers them.
        folders: Dataset folders the items come from, where they do; told to reports, never compared.
        pass_rates: From the name of a stored measurement of difficulty (empty: the only one) to pass rates by sample
            id; None where the items have no place to store any.
    """

    items: Sequence[Any]
    media: Media
    digest: str = ""
    folders: tuple[str, ...] = ()
    pass_rates: Callable[[str], Mapping[str, float]] | None = None

    def __post_init__(self) -> None:
        """Refuse empty data; compute the digest."""
        if not self.items:
            raise RequestError("no samples to train on: give a dataset whose split holds at least one")
        if not self.digest:
            object.__setattr__(self, "digest", _digest(self.items))


@dataclass(frozen=True, kw_only=True)
class TrainConfig(ABC):  # noqa: B024 - abstract because only SFTConfig and RLConfig are runs
    """Settings that every loop shares.

    Attributes:
        steps: Optimisation steps of SFT, rollout steps of RL.
        lr: Peak learning rate.
        warmup_steps: Steps over which the rate rises from 0.
        schedule: What it does afterwards: `constant`, or `linear` or `cosine` down to 0 at the last step.
        weight_decay: AdamW's, on matrices only.
        max_grad_norm: Gradients of larger norm are scaled down to it.
        micro_batch_tokens: Most tokens of one forward; one item may exceed it, and is then alone.
        gradient_checkpointing: Whether layers keep their inputs alone and run again in the backward pass: far less
            memory for about a third more time, same gradients.
        max_prompt_tokens: A longer prompt is an error that names its sample.
        train_tower: Whether the vision tower learns. If not, its features are computed once per prompt and kept.
        feature_cache_prompts: Prompts whose encoding and features are kept in memory, least recently used first out.
        feature_cache_gib: What they may take there together, in GiB of 2^30 bytes; those of one batch always stay.
        shard: Whether weights, gradients and moments are spread over the ranks (FSDP2) instead of copied to each.
        lora_rank: 0 trains all weights, else rank of LoRA on the linear layers of the language model.
        lora_alpha: LoRA's scale.
        seed: Of order, sampling and initial adapters.
        eval_every: Steps between evaluations; 0 for none between first and last.
        eval_tokens: Cap of a reply in evaluation.
        patience: Evaluations without a gain after which the run stops; 0 never.
        save_every: Steps between checkpoints; the last step is always saved.
        store_rollouts: Whether rollouts are written to `rollouts-*.parquet`.
        time_budget_seconds: The run ends at the first step after this much training time; 0 for no limit.
        trackers: Where metrics go beside `metrics.jsonl`: names accelerate knows, `tensorboard` or `wandb` among them.
    """

    steps: int = 100
    lr: float = 1e-6
    warmup_steps: int = 0
    schedule: Schedule = "constant"
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    micro_batch_tokens: int = 8192
    gradient_checkpointing: bool = False
    max_prompt_tokens: int = 16384
    train_tower: bool = False
    feature_cache_prompts: int = 1024
    feature_cache_gib: float = 8.0
    shard: bool = False
    lora_rank: int = 0
    lora_alpha: int = 32
    seed: int = 0
    eval_every: int = 0
    eval_tokens: int = 256
    patience: int = 0
    save_every: int = 50
    store_rollouts: bool = True
    time_budget_seconds: float = 0.0
    trackers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse settings outside their range."""
        if self.schedule not in ("constant", "linear", "cosine"):
            raise unknown("schedule", self.schedule, ["constant", "linear", "cosine"])
        at_least(self, 1, "steps", "micro_batch_tokens", "max_prompt_tokens", "save_every", "eval_tokens")
        at_least(self, 0, "warmup_steps", "weight_decay", "lora_rank", "eval_every", "patience", "time_budget_seconds")
        at_least(self, 0, "feature_cache_prompts", "feature_cache_gib")
        for name in ("lr", "max_grad_norm", "lora_alpha"):
            if not getattr(self, name) > 0:
                raise RequestError(f"{name}={getattr(self, name)} must be above 0")


@dataclass(frozen=True, kw_only=True)
class SFTConfig(TrainConfig):
    """Settings of supervised fine-tuning.

    Attributes:
        examples_per_step: Examples of one optimisation step, over all ranks.
        max_reply_tokens: A longer reply is an error that names its example.
    """

    lr: float = 1e-5
    examples_per_step: int = 32
    max_reply_tokens: int = 1024

    def __post_init__(self) -> None:
        """Refuse settings outside their range."""
        TrainConfig.__post_init__(self)
        at_least(self, 1, "examples_per_step", "max_reply_tokens")


@dataclass(frozen=True, kw_only=True)
class RLConfig(TrainConfig):
    """Settings of reinforcement learning. Batch sizes are over all ranks: their number never changes a step.

    Attributes:
        prompts_per_step: Prompts of one rollout step.
        group_size: Completions per prompt.
        inner_steps: Passes over the rollouts of a step.
        minibatches: Optimisation steps per pass, each on an equal share of the prompts.
        kl_coef: Weight of the k3 divergence from the starting policy; 0 keeps no reference.
        max_completion_tokens: Cap of a completion.
        temperature: Of sampling, and of the log-probs trained on.
        mask_truncated: Whether completions cut at the cap are left out of the loss. They are scored either way.
        sampler: `local` samples in this process; `vllm` asks vLLM, which gets the weights before it samples.
        vllm_url: Address of a vLLM server that sees the run's folder; empty runs vLLM in this process.
        vllm_sleep: Whether that server gives its memory back while weights train; one in this process always does.
        groups: What becomes of groups without signal: `keep` counts them, `drop` leaves them out, `resample` draws
            other prompts, `replay` takes earlier groups, `ease` asks in an easier form what nobody solved.
        rounds: Most times that a step draws, the first included; of `resample` and `ease`.
        replay_groups: Groups with signal that `replay` holds.
        order: Which prompts come when: `shuffled` epochs, or by running pass rates `learnable` (by p (1 - p)) or
            `climb` (easy kinds first).
        band: Only samples whose measured pass rate lies from the first to the second number, 0 to 1; None for all.
        difficulty: Name of the measurement (`reelgym difficulty`) that the band reads and running rates begin from;
            empty: the only one for a band, none for the rates.
        pass_score: A member passes where its task's score is at least this.
        health_every: Steps between rows of health (`training.health`), and alarms; 0 for none. Trains nothing.
        health_samples: Held-out samples that such a row asks, seen and blind.
    """

    prompts_per_step: int = 16
    group_size: int = 8
    inner_steps: int = 1
    minibatches: int = 1
    kl_coef: float = 0.0
    max_completion_tokens: int = 512
    temperature: float = 1.0
    mask_truncated: bool = False
    sampler: Literal["local", "vllm"] = "local"
    vllm_url: str = ""
    vllm_sleep: bool = False
    groups: str = "keep"
    rounds: int = 3
    replay_groups: int = 64
    order: str = "shuffled"
    band: tuple[float, float] | None = None
    difficulty: str = ""
    pass_score: float = 1.0
    health_every: int = 25
    health_samples: int = 32

    def __post_init__(self) -> None:
        """Refuse settings outside their range."""
        TrainConfig.__post_init__(self)
        at_least(self, 1, "prompts_per_step", "inner_steps", "minibatches", "max_completion_tokens")
        if self.group_size < 2:
            raise RequestError(
                f"group_size={self.group_size} must be at least 2: a group of one has nothing to compare"
            )
        at_least(self, 0, "kl_coef")
        if not self.temperature > 0:
            raise RequestError(f"temperature={self.temperature} must be above 0: a greedy group has no variance")
        if self.minibatches > self.prompts_per_step:
            raise RequestError(f"minibatches={self.minibatches} is above prompts_per_step={self.prompts_per_step}")
        if self.sampler not in ("local", "vllm"):
            raise unknown("sampler", self.sampler, ["local", "vllm"])
        if self.sampler == "local" and (self.vllm_url or self.vllm_sleep):
            raise RequestError("vllm_url and vllm_sleep have no effect with sampler=local: give sampler=vllm as well")
        at_least(self, 1, "rounds", "replay_groups", "health_samples")
        at_least(self, 0, "health_every")
        if self.band is not None and not 0 <= self.band[0] <= self.band[1] <= 1:
            raise RequestError(f"band={self.band[0]:g},{self.band[1]:g} must be two pass rates, low to high, 0 to 1")

    def checks(self, step: int) -> bool:
        """Return whether a step ends with a row of health."""
        return self.health_every > 0 and (step % self.health_every == 0 or step == self.steps)


def mvp_rubric(variant: str = "tagged") -> Rubric:
    """Return accuracy + 0.2 format, and 0 when the format is wrong: our default for MVP, whose own is not published."""
    form = Format(variant)  # type: ignore[arg-type]
    return Rubric(expression=Gate(Sum((Accuracy(), form), (1.0, 0.2)), form))


@dataclass(frozen=True, kw_only=True, eq=False)
class SFTRun:
    """A supervised run.

    Attributes:
        policy: What to start from, as `models.load` takes it.
        data: Examples.
        config: Settings.
        eval_data: Held-out examples whose loss is measured, or None.
        origin: Recipe and arguments it came from; saved, never compared.
    """

    policy: str
    data: Data
    config: SFTConfig = field(default_factory=SFTConfig)
    eval_data: Data | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class RLRun:
    """A reinforcement run.

    Attributes:
        policy: What to start from, as `models.load` takes it.
        data: Samples.
        variant: Instruction appended to each question: `tagged` or `direct`.
        rubric: What is paid.
        algorithm: How scores become credit and loss.
        config: Settings.
        eval_data: Held-out samples, the same at every evaluation, answered greedily; or None.
        judge: What says what observations are worth, for the reward `perception`; or None.
        gold: Gold observations (`training.judging.Observed`) that the judge is tried on before the first step; or None.
        origin: Recipe and arguments it came from; saved, never compared.
    """

    policy: str
    data: Data
    variant: str = "tagged"
    rubric: Rubric = field(default_factory=mvp_rubric)
    algorithm: Algorithm = field(default_factory=GRPO)
    config: RLConfig = field(default_factory=RLConfig)
    eval_data: Data | None = None
    judge: JudgeConfig | None = None
    gold: Data | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def needs_reference(self) -> bool:
        """Whether the loss or the judge reads the starting policy."""
        judging = self.judge is not None and self.judge.needs_reference
        return self.config.kl_coef > 0 or self.algorithm.needs_reference or judging


def at_least(config: object, low: float, *names: str) -> None:
    """Raise RequestError for the first named field whose value is below `low`."""
    for name in names:
        if not getattr(config, name) >= low:
            raise RequestError(f"{name}={getattr(config, name)} must be at least {low}")


def _digest(items: Sequence[Any]) -> str:
    total = hashlib.sha256()
    for item in items:
        plain: list[Any] = [message_forms.to_json(item.messages)]
        plain += [item.id, item.task, item.answer] if isinstance(item, Sample) else [item.reply]
        total.update(json.dumps(plain, sort_keys=True).encode())
    return total.hexdigest()
