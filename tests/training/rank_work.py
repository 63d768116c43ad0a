"""What a rank of a distributed test does: one run with SGD in Adam's place, its gradient and parameters kept."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors.torch import save_file
from training_runs import load, media, question, rl_run, sft_run

from reelgym.data.messages import Message, Text
from reelgym.data.sample import Sample
from reelgym.training import Data, optim, rl, sft
from reelgym.training.sharding import full, is_sharded


class Plain(torch.optim.SGD):
    """SGD without state, so that an update is the gradient times the rate."""

    def __init__(self, groups: Any, lr: float, foreach: bool) -> None:
        super().__init__([{"params": group["params"]} for group in groups], lr=lr, foreach=foreach)


def mixed() -> list[Sample]:
    """Five questions of different lengths; every other one shows nothing."""
    spoken = [(Message("user", (Text("what is it? " * (1 + 3 * i)),)),) for i in range(5)]
    shown = [question(i) if i % 2 else spoken[i] for i in range(5)]
    return [Sample(id=f"s{i}", task="none", messages=shown[i], answer=0, split="train") for i in range(5)]


def watched(kept: dict[str, torch.Tensor]) -> Any:
    """Return `Optimizer._gradients` that also keeps the first gradient of a run, and which parameters are sharded."""
    plain = optim.Optimizer._gradients

    def gradients(self: optim.Optimizer, count: float) -> list[torch.Tensor]:
        found = plain(self, count)
        for (name, parameter), gradient in zip(self._params.items(), found, strict=True):
            kept.setdefault(f"gradient/{name}", full(gradient).clone())
            kept.setdefault(f"sharded/{name}", torch.tensor(is_sharded(parameter)))
        return found

    return gradients


def work(kind: str, settings: dict[str, Any], out: Path) -> None:
    """Do one run; `sgd` takes plain steps on mixed samples, `rl` and `sft` are runs as they are."""
    if kind == "sft":
        sft.train(sft_run(**settings), out, load=load)
    elif kind == "sgd":
        rl.train(replace(rl_run(**settings), data=Data(mixed(), media)), out, load=load)
    else:
        rl.train(rl_run(**settings), out, load=load)


def main(jobs: list[tuple[str, dict[str, Any], str]], rank: int) -> None:
    """Do one run after the other, in one process group."""
    kept: dict[str, torch.Tensor] = {}
    optim.Optimizer._gradients = watched(kept)  # type: ignore[method-assign]
    # It would close the process group, which the next run needs.
    Accelerator.end_training = lambda self: None  # type: ignore[method-assign]
    adam = torch.optim.AdamW
    for kind, settings, out in jobs:
        kept.clear()
        torch.optim.AdamW = Plain if kind == "sgd" else adam  # type: ignore[misc, assignment]
        work(kind, settings, Path(out))
        if rank == 0:
            save_file(kept, Path(out) / "kept.safetensors")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), int(os.environ.get("RANK", "0")))
