"""The memory that a reinforcement run will take, by part, from shapes alone: nothing is loaded for it.

The model is built on PyTorch's meta device, which holds shapes and no numbers, so weights, adapter, gradients and
moments are exact; activations, logits and caches are counted from widths (ours). Rollout and update take turns, so the
peak is that of the greater of them. Shapes: P tokens of the longest prompt, C of a completion at its cap, G of them to
a prompt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from reelgym.models.parts import tower_of
from reelgym.training import packing
from reelgym.training.config import RLConfig, RLRun, SFTConfig, SFTRun
from reelgym.training.memory import GIB, kept_per_token, layer_per_token
from reelgym.training.weights import language_linears

ROWS = 256
"""Completions that the local sampler decodes at once (`rollout.local.LocalSampler`)."""


@dataclass(frozen=True)
class Estimate:
    """Bytes by part, and what the two phases of a step hold at once.

    Attributes:
        parts: Name of the part to bytes.
        rollout: Most bytes held while completions are sampled.
        update: Most bytes held while weights are updated.
    """

    parts: dict[str, int]
    rollout: int
    update: int

    @property
    def checkpoint(self) -> int:
        """Bytes of one checkpoint: the moments, and what is trained or, without an adapter, all weights."""
        return self.parts["optimizer"] + (self.parts["adapter"] or self.parts["weights"])

    @property
    def peak(self) -> int:
        """The greater of the two phases."""
        return max(self.rollout, self.update)

    def rows(self) -> list[tuple[str, str]]:
        """Return part and size as text, the peak last."""
        found = [(name, _spoken(size)) for name, size in self.parts.items() if size]
        held = "the update" if self.update >= self.rollout else "the rollout"
        return [*found, (f"peak (of {held})", _spoken(self.peak))]


def estimate(model: nn.Module, run: RLRun | SFTRun, prompt_tokens: int, *, cuda: bool) -> Estimate:
    """Return what a run takes, with the local sampler where it samples.

    Args:
        model: The model, on any device; `models.shape_of` gives one without weights.
        run: What is to be trained.
        prompt_tokens: P.
        cuda: Whether it is to be trained on a GPU: bf16 compute there, float32 on a CPU.
    """
    config: RLConfig | SFTConfig = run.config
    if isinstance(config, RLConfig):
        asked, members, cap = config.prompts_per_step, config.group_size, config.max_completion_tokens
    else:
        asked, members, cap = 0, 1, config.max_reply_tokens
    any_model: Any = model
    text = any_model.config.get_text_config()
    whole, tower = _count(model), tower_of(any_model)
    adapter = _adapter(model, tower, config.lora_rank)
    frozen_tower = 0 if config.train_tower or tower is None else _count(tower)
    trained = adapter if config.lora_rank else whole - frozen_tower
    weight_bytes = 2 if cuda and config.lora_rank else 4
    compute_bytes = 2 if cuda else 4
    group = prompt_tokens + members * cap
    tokens = max(config.micro_batch_tokens // group, 1) * group
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    key_bytes = 2 * text.num_hidden_layers * (text.num_key_value_heads or text.num_attention_heads) * head
    prompts = min(asked, max(1, ROWS // members))
    cached = prompts * group * key_bytes * compute_bytes
    parts = {
        "weights": whole * weight_bytes,
        "adapter": adapter * 4,
        "reference": whole * weight_bytes
        if isinstance(run, RLRun) and run.needs_reference and not config.lora_rank
        else 0,
        "optimizer": 8 * trained,
        "gradients": 4 * trained,
        "activations": int(tokens * kept_per_token(text, compute_bytes, recompute=config.gradient_checkpointing)),
        "logits": 3 * 4 * min(packing.LOGIT_CELLS, tokens * text.vocab_size),
        "KV cache": cached,
        "features": prompts * prompt_tokens * text.hidden_size * compute_bytes,
    }
    always = sum(parts[name] for name in ("weights", "adapter", "reference", "optimizer"))
    scores = 2 * 4 * prompts * members * text.vocab_size
    rollout = always + parts["KV cache"] + parts["features"] + scores if asked else 0
    update = always + parts["gradients"] + parts["activations"] + parts["logits"]
    if config.gradient_checkpointing:
        # Logits are gone when the first layer runs again.
        update -= min(parts["logits"], tokens * layer_per_token(text, compute_bytes))
    return Estimate(parts, rollout, update)


def _spoken(size: int) -> str:
    return f"{size / GIB:.2f} GiB" if size >= GIB // 10 else f"{size / (GIB >> 10):.1f} MiB"


def _count(module: nn.Module) -> int:
    return sum(one.numel() for one in module.parameters())


def _adapter(model: nn.Module, tower: nn.Module | None, rank: int) -> int:
    """Return the parameters of LoRA on the language model's linear layers: two thin matrices for each."""
    if not rank:
        return 0
    layers = dict(model.named_modules())
    linears = [layers[name] for name in language_linears(model, tower)]
    return sum(rank * (one.in_features + one.out_features) for one in linears if isinstance(one, nn.Linear))
