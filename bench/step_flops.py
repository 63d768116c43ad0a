"""Multiply-adds of a step, from token and attention-pair counts: what the best implementation of each way must do.

A weight costs one multiply-add per token, an attention pair two per head width and layer. A backward pass costs two
forward passes of a matrix product and two and a half of attention (its scores are computed again); gradient
checkpointing adds one forward of everything. The tower is frozen: forward only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from step_job import FRAMES, frame_tokens

from reelgym.models.base import Policy


@dataclass(frozen=True)
class Cost:
    """Multiply-adds in matrix products and in attention."""

    products: float
    attention: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        """Return both together."""
        return Cost(self.products + other.products, self.attention + other.attention)

    def times(self, factor: float) -> Cost:
        """Return so many of it."""
        return Cost(self.products * factor, self.attention * factor)

    @property
    def total(self) -> float:
        """Multiply-adds."""
        return self.products + self.attention


class Counter:
    """Counts the costs of one job on one model."""

    def __init__(self, policy: Policy, job: dict[str, Any]) -> None:
        """Take the model's shapes."""
        self.prompt, self.completion, self.group = job["prompt"], job["completion"], job["group"]
        self.again = 1 if job["checkpointing"] else 0
        core, config = policy.model.model, policy.model.config.get_text_config()
        self.weights = matrices(core.language_model.layers)
        self.width = (
            config.num_hidden_layers * config.num_attention_heads * core.language_model.layers[0].self_attn.head_dim
        )
        self.head = config.vocab_size * config.hidden_size
        self.visual = core.visual

    def text(self, tokens: float, pairs: float) -> Cost:
        """Return the cost of the layers forward."""
        return Cost(tokens * self.weights, 2 * pairs * self.width)

    def tower(self) -> Cost:
        """Return the cost of the tower for one prompt, forward: windows and whole frames counted pair by pair."""
        rows, columns = frame_tokens(self.prompt)
        config, visual = self.visual.config, self.visual
        patches = 4 * rows * columns
        side = config.window_size // config.spatial_merge_size // config.patch_size
        windows = sum(
            (4 * min(side, rows - top) * min(side, columns - left)) ** 2
            for top in range(0, rows, side)
            for left in range(0, columns, side)
        )
        whole = len(config.fullatt_block_indexes)
        pairs = whole * patches**2 + (config.depth - whole) * windows
        per_patch = matrices(visual.blocks) + visual.patch_embed.proj.weight.numel()
        products = patches * per_patch + patches / 4 * matrices(visual.merger)
        return Cost(products, 2 * pairs * config.hidden_size).times(FRAMES)

    def _prompt(self) -> Cost:
        return self.text(self.prompt, self.prompt**2 / 2)

    def _decode(self) -> Cost:
        steps = self.completion - 1
        one = self.text(steps, steps * (self.prompt + self.completion / 2))
        return (one + Cost(self.completion * self.head)).times(self.group)

    def sample(self) -> tuple[Cost, Cost]:
        """Return (ours, peer's): tower and prompt once, or once per completion; then the same decoding."""
        begin = self.tower() + self._prompt()
        return begin + self._decode(), begin.times(self.group) + self._decode()

    def update(self) -> tuple[Cost, Cost]:
        """Return (ours, peer's): ours has the tower's features already, and leaves out each completion's last token."""
        row, inner = self.prompt + self.completion, self.completion - 1
        head = Cost(self.group * self.completion * self.head)
        ours = self._prompt() + self.text(inner, inner * (self.prompt + inner / 2)).times(self.group)
        theirs = self.text(row, row**2 / 2).times(self.group)
        return self._trained(ours + head), self._trained(theirs + head) + self.tower().times(self.group)

    def _trained(self, cost: Cost) -> Cost:
        return Cost(cost.products * (3 + self.again), cost.attention * (3.5 + self.again))

    def bounds(self) -> dict[str, float]:
        """Return the peer's cost over ours, by phase, and the tower's share of a prompt's text."""
        sample, update = self.sample(), self.update()
        total = sample[0] + update[0], sample[1] + update[1]
        pairs = {"sample": sample, "update": update, "total": total}
        found = {name: theirs.total / ours.total for name, (ours, theirs) in pairs.items()}
        return found | {"tower_over_text": self.tower().total / self._prompt().total}


def matrices(module: Any) -> int:
    """Return the weights of a module that multiply every token."""
    return sum(weight.numel() for weight in module.parameters() if weight.dim() > 1)
