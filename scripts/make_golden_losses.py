"""Write tests/algorithms/golden/trl_losses.json: what TRL 1.16 makes of given log-probs, token by token and summed.

    python scripts/make_golden_losses.py        # in an environment of its own: pip install trl==1.16.0 torch==2.13.0

It runs TRL's own `GRPOTrainer._compute_loss` on a stand-in for the trainer, whose model pass returns the given
log-probs. The loss of each token is the local variable of that function, read as it returns. Nothing of reelgym is
imported.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import torch
import trl
from torch import Tensor
from trl import GRPOTrainer

OUT = Path(__file__).parents[1] / "tests" / "algorithms" / "golden" / "trl_losses.json"
MAX_COMPLETION = 11
CASES: dict[str, dict[str, Any]] = {
    "grpo": {"loss_type": "grpo", "clip_low": 0.2, "clip_high": 0.2},
    "bnpo": {"loss_type": "bnpo", "clip_low": 0.2, "clip_high": 0.2},
    "dr_grpo": {"loss_type": "dr_grpo", "clip_low": 0.2, "clip_high": 0.2},
    "dapo": {"loss_type": "dapo", "clip_low": 0.2, "clip_high": 0.28},
    "cispo": {"loss_type": "cispo", "clip_low": 1.0, "clip_high": 0.5},
    "gspo": {"loss_type": "grpo", "clip_low": 0.03, "clip_high": 0.04},
}
"""`clip_high` is what is added to 1; TRL's cispo wants the bound itself."""


def inputs(seed: int) -> dict[str, Tensor]:
    """Return float64 log-probs, advantages and masks of a group of completions, some tokens of it not trained."""
    generator = torch.Generator().manual_seed(seed)
    members, tokens = 6, 9
    lengths = torch.tensor([9, 1, 4, 7, 2, 9])[:, None]
    mask = torch.arange(tokens)[None] < lengths
    mask &= (torch.rand(members, tokens, generator=generator) > 0.15) | (torch.arange(tokens)[None] == 0)

    def draw() -> Tensor:
        return torch.randn(members, tokens, generator=generator, dtype=torch.float64)

    logprobs = -2 * draw().abs()
    scores = torch.rand(members, generator=generator, dtype=torch.float64)
    return {
        "logprobs": logprobs,
        "old_logprobs": logprobs + 0.3 * draw(),
        "ref_logprobs": logprobs + 0.3 * draw(),
        "advantages": (scores - scores.mean()) / (scores.std() + 1e-4),
        "mask": mask,
    }


def stand_in(case: dict[str, Any], name: str, logprobs: Tensor, kl_coef: float) -> Any:
    """Return what `_compute_loss` reads of a trainer."""
    high = case["clip_high"] + (1 if name == "cispo" else 0)
    return SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *args, **kwargs: (logprobs, torch.zeros_like(logprobs), None),
        _entropy_bonus_enabled=False,
        _metrics=defaultdict(lambda: defaultdict(list)),
        accelerator=SimpleNamespace(num_processes=1, gather=lambda x: x, reduce=lambda x, reduction: x),
        args=SimpleNamespace(use_bias_correction_kl=False, delta=None, steps_per_generation=1),
        aux_loss_enabled=False,
        beta=kl_coef,
        current_gradient_accumulation_steps=1,
        epsilon_high=high,
        epsilon_low=case["clip_low"],
        importance_sampling_level="sequence" if name == "gspo" else "token",
        loss_type=case["loss_type"],
        max_completion_length=MAX_COMPLETION,
        model=SimpleNamespace(training=True),
        off_policy_mask_threshold=None,
        top_entropy_quantile=1.0,
        use_vllm=False,
    )


def run(name: str, given: dict[str, Tensor], kl_coef: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return TRL's loss (), its losses per token (members, tokens), and the gradient of the log-probs."""
    logprobs = given["logprobs"].clone().requires_grad_()
    mask = given["mask"].to(logprobs.dtype)
    batch = {
        "prompt_ids": torch.zeros(len(mask), 1, dtype=torch.int64),
        "prompt_mask": torch.ones(len(mask), 1),
        "completion_ids": torch.zeros(mask.shape, dtype=torch.int64),
        "completion_mask": mask,
        "advantages": given["advantages"],
        "num_items_in_batch": mask.sum(),
        "old_per_token_logps": given["old_logprobs"],
        "ref_per_token_logps": given["ref_logprobs"],
    }
    seen: list[Tensor] = []

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code is GRPOTrainer._compute_loss.__code__:
            seen.append(frame.f_locals["per_token_loss"].detach())

    sys.setprofile(look)
    loss = GRPOTrainer._compute_loss(stand_in(CASES[name], name, logprobs, kl_coef), None, batch)
    sys.setprofile(None)
    loss.backward()
    assert logprobs.grad is not None
    return loss.detach(), (seen[0] * mask).expand_as(mask), logprobs.grad


def main() -> None:
    """Write the file."""
    given = inputs(0)
    narrow = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in given.items()}
    found: list[dict[str, Any]] = []
    for name, case in CASES.items():
        for kl_coef in (0.0, 0.04):
            loss, tokens, gradient = run(name, given, kl_coef)
            values = {"loss": loss.item(), "tokens": tokens.tolist(), "gradient": gradient.tolist()}
            values["loss_float32"] = run(name, narrow, kl_coef)[0].item()
            clip = {"clip_low": case["clip_low"], "clip_high": case["clip_high"]}
            found.append({"algorithm": name, "kl_coef": kl_coef, **clip, **values})
    whole = {
        "made_by": {"trl": trl.__version__, "torch": torch.__version__},
        "max_completion_tokens": MAX_COMPLETION,
        "inputs": {name: tensor.tolist() for name, tensor in given.items()},
        "cases": found,
    }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(whole) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
