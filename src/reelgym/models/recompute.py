"""Gradient checkpointing: a layer keeps its input alone and is run again in the backward pass.

Activations of a step then grow with one layer instead of all of them, at the cost of about one more forward. Reference:
Chen et al., Training deep nets with sublinear memory cost, arXiv 1604.06174; here a segment is one layer. transformers'
own switch works in training mode only, which would turn dropout on; ours leaves modes and cached decoding alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from reelgym.models.parts import blocks_of, text_of


@contextmanager
def recomputed(model: Any, *, on: bool = True) -> Iterator[None]:
    """Let text layers and tower blocks called inside keep their inputs alone; nothing changes without gradients.

    Only the forward pass has to lie inside. Values and gradients are those of the plain pass.

    Args:
        model: A transformers model of one of our families.
        on: False leaves everything as it is.
    """
    with ExitStack() as undo:
        if on and torch.is_grad_enabled():
            for layer in (*text_of(model).layers, *blocks_of(model)):
                undo.callback(_restore, layer, vars(layer).get("forward"))
                layer.forward = partial(_again, layer.forward)
        yield


def _again(forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    # Nothing in a layer draws random numbers: models train in evaluation mode.
    return checkpoint(forward, *args, use_reentrant=False, preserve_rng_state=False, **kwargs)


def _restore(layer: nn.Module, forward: Callable[..., Any] | None) -> None:
    if forward is None:
        del layer.forward
    else:
        layer.forward = forward
