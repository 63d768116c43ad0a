"""Out of memory on a GPU: the step is done again with half the token budget, and the budget stays lower.

A group above the budget is then split: its prompt runs once for each part. Losses are sums with counts, so that the
gradient of the step is the same. Shapes: P tokens of a prompt, C of a completion.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch.distributed.tensor import DTensor

from reelgym.algorithms.base import LossSum
from reelgym.errors import WorkError
from reelgym.training import packing
from reelgym.training.config import TrainConfig
from reelgym.training.metrics import Tally
from reelgym.training.packing import PackItem

if TYPE_CHECKING:
    from reelgym.models.base import Policy

T = TypeVar("T")
GIB = 1 << 30

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """Some completions of an item: its place, and which [start, stop)."""

    place: int
    start: int
    stop: int

    @property
    def members(self) -> slice:
        """The completions, as a slice."""
        return slice(self.start, self.stop)


class Budget:
    """The packed tokens of a micro-batch: as configured, until a step runs out of memory.

    Attributes:
        tokens: What a micro-batch may hold now.
        split: Whether a group above it is split; only after memory ran out.
    """

    def __init__(self, policy: Policy, config: TrainConfig, *, reference: bool = False) -> None:
        """Begin with the configured budget; `reference` tells that a copy of the weights is held for it."""
        self.tokens, self.split = config.micro_batch_tokens, False
        self._policy, self._config, self._reference = policy, config, reference
        self._largest, self._smallest_plan, self._heaviest = 0, False, (0, 0)

    def runs(self, items: Sequence[PackItem]) -> list[list[Part]]:
        """Return the micro-batches of items: in order, each of at most `tokens`, or of one part that is larger."""
        parts = [part for place, item in enumerate(items) for part in self._parts(place, item)]
        cut = [replace(items[part.place], completions=items[part.place].completions[part.members]) for part in parts]
        runs = packing.micro_batches(cut, self.tokens)
        self._largest = max((sum(cut[i].num_tokens for i in run) for run in runs), default=0)
        self._smallest_plan = all(len(run) == 1 and len(cut[run[0]].completions) <= 1 for run in runs)
        sizes = [(len(item.prompt), max(map(len, item.completions), default=0)) for item in cut]
        self._heaviest = max(sizes, key=sum, default=(0, 0))
        return [[parts[i] for i in run] for run in runs]

    def run(self, attempt: Callable[[], T], tally: Tally) -> T:
        """Return what `attempt` returns; where it runs out of memory, clear gradients, halve the budget and repeat.

        It must ask `runs` for its micro-batches, begin with cleared gradients, and keep nothing of a broken attempt.

        Raises:
            WorkError: Memory runs out with one completion at a time, or the weights are sharded over ranks, where the
                others already wait for this one.
        """
        redone = 0
        while True:
            try:
                found = attempt()
                break
            except torch.OutOfMemoryError as error:
                told = str(error).split(". ")[0]
            # Out of the handler: only now are the frames of the attempt, and the tensors they held, gone.
            self._policy.model.zero_grad(set_to_none=True)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self._halve(told)
            redone += 1
        tally.count("optim/out_of_memory", redone)
        if self.split:
            tally.add("optim/micro_batch_tokens", self.tokens)
        return found

    def backward(self, losses: Callable[[], Iterable[LossSum]], tally: Tally) -> list[LossSum]:
        """Add up the gradients of losses, micro-batch by micro-batch, and return them without their graphs; see `run`.

        Args:
            losses: Yields the loss of one micro-batch after the other; called again for every attempt.
            tally: Of the step.
        """

        def attempt() -> list[LossSum]:
            found: list[LossSum] = []
            for loss in losses():
                if loss.total.requires_grad:
                    loss.total.backward()  # type: ignore[no-untyped-call]
                found.append(loss.detach())
            return found

        return self.run(attempt, tally)

    def _parts(self, place: int, item: PackItem) -> list[Part]:
        if not self.split or item.num_tokens <= self.tokens:
            return [Part(place, 0, len(item.completions))]
        parts: list[Part] = []
        spent = 0
        for member, completion in enumerate(item.completions):
            if not parts or spent + len(completion) > self.tokens:
                parts.append(Part(place, member, member))
                spent = len(item.prompt)
            parts[-1] = Part(place, parts[-1].start, member + 1)
            spent += len(completion)
        return parts

    def _halve(self, told: str) -> None:
        if any(isinstance(parameter, DTensor) for parameter in self._policy.model.parameters()):
            raise WorkError(
                f"{told}: under sharded weights a step cannot be done again on one rank alone. "
                f"Set micro_batch_tokens below {self._largest} (it is {self._config.micro_batch_tokens}) and resume"
            )
        if self.split and self._smallest_plan:
            raise WorkError(f"{told}: {self._floor()}")
        # Half of what was tried, which may be above the budget (one large group) or below it (little data).
        self.tokens, self.split = max(1, self._largest // 2), True
        logger.warning("out of memory: the step is done again with micro-batches of %d tokens", self.tokens)

    def _floor(self) -> str:
        prompt, completion = self._heaviest
        parts = sizes(self._policy, self._config, prompt + completion, reference=self._reference)
        name, (size, advice) = max(parts.items(), key=lambda part: part[1][0])
        return (
            f"one prompt of {prompt} tokens with one completion of {completion} is the least a step can do. "
            f"The largest part is {name}, about {size / GIB:.1f} of {sum(s for s, _ in parts.values()) / GIB:.1f} GiB: "
            f"{advice}"
        )


def sizes(policy: Policy, config: TrainConfig, tokens: int, *, reference: bool) -> dict[str, tuple[float, str]]:
    """Return (bytes, settings that shrink it) of each part of an update of one row of `tokens`; an estimate, ours."""
    parameters = list(policy.model.parameters())
    trained = sum(p.numel() * p.element_size() for p in parameters if p.requires_grad)
    whole = sum(p.numel() * p.element_size() for p in parameters)
    text = policy.model.config.get_text_config()
    # Under autocast a GPU keeps activations in 16 bits.
    bytes_each = 2 if policy.device.type == "cuda" else parameters[0].element_size()
    kept = kept_per_token(text, bytes_each, recompute=config.gradient_checkpointing)
    shorter = "lower max_prompt_tokens (fewer or smaller frames) or the cap of completions"
    again = shorter if config.gradient_checkpointing else f"set gradient_checkpointing=true, or {shorter}"
    smaller = "take a smaller model" if config.lora_rank else "set lora_rank=16 (the base is then kept in bf16)"
    return {
        "the weights": (float(whole), smaller),
        "gradients and optimiser state": (3.0 * trained, "set lora_rank=16" if not config.lora_rank else smaller),
        "the reference": (float(whole * reference), "set kl_coef=0, or lora_rank=16 (adapters off are the reference)"),
        "activations": (float(tokens * kept), again),
        "logits": (3.0 * 4 * packing.LOGIT_CELLS, "take a model with a smaller vocabulary"),
    }


def kept_per_token(text: Any, bytes_each: int, *, recompute: bool) -> int:
    """Return the bytes that the layers keep of a token for their backward pass; a count of tensors, ours.

    A layer keeps 11 of the model's width and 4 of the inner one. With checkpointing one of the width is kept for every
    layer, and for one layer all of them with two of each for its gradients.

    Args:
        text: The config of the language model.
        bytes_each: Of a number.
        recompute: Whether layers are run again in the backward pass.
    """
    width, layers = text.hidden_size, text.num_hidden_layers
    layer, inner = layer_per_token(text, bytes_each), getattr(text, "intermediate_size", 4 * width)
    return int(bytes_each * (layers * width + 2 * width + 2 * inner) + layer if recompute else layers * layer)


def layer_per_token(text: Any, bytes_each: int) -> int:
    """Return the bytes that one layer keeps of a token; see `kept_per_token`."""
    inner: int = getattr(text, "intermediate_size", 4 * text.hidden_size)
    return int(bytes_each * (11 * text.hidden_size + 4 * inner))
