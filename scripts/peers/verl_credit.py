"""Inside of verl's environment: PA-GRPO through verl's own registry, reward manager, completion record and loss.

One group of four goes from token ids to the loss: our reward manager as verl loads it by its configuration, verl's
`AgentLoopOutput` with its one replaced function, `compute_advantage` with the registered estimator, and verl's clipped
loss. Advantages and loss must be those of our `PAGRPO` on the same tensors.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import common

common.torchvision()
# As a launch does it: verl imports the plugin, in every process.
os.environ["VERL_USE_EXTERNAL_MODULES"] = "reelgym.peers.verl_plugin"

import numpy as np  # noqa: E402
import torch  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402
from tensordict import TensorDict  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402
from verl import DataProto  # noqa: E402
from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics, AgentLoopOutput  # noqa: E402
from verl.trainer.ppo import core_algos  # noqa: E402
from verl.trainer.ppo.ray_trainer import compute_advantage  # noqa: E402
from verl.trainer.ppo.reward import load_reward_manager  # noqa: E402

from reelgym.algorithms import PAGRPO  # noqa: E402
from reelgym.data.segments import segment  # noqa: E402
from reelgym.models import pieces  # noqa: E402
from reelgym.models.tiny import ASSETS  # noqa: E402
from reelgym.peers.verl import NAME  # noqa: E402

REPLIES = {
    "<observation>a dog</observation><think>so</think><answer>B</answer>": (2.0, 2.0),
    "<observation>a cat</observation><think>so it is</think><answer>B</answer>": (1.0, 2.0),
    "<observation>a dog and much else</observation><think>so": (2.0, 0.0),
    "A": (0.0, 0.0),
}
"""Replies to a question whose answer is B, a dog; with what each segment earns by words matched and tags."""
CARRIED = '{"id":"q","task":"labelled","answer":"B","evidence":{"kind":"choice","options":["a cat","a dog"]}}'
CONFIG = OmegaConf.create(
    {
        "algorithm": {"adv_estimator": NAME, "use_kl_in_reward": False, "reelgym": {"length": False, "cross": 0.25}},
        "reward": {
            "custom_reward_function": {"path": None, "name": None},
            "reward_manager": {
                "source": "importlib",
                "name": "Manager",
                "module": {"path": "pkg://reelgym.peers.verl", "name": None},
            },
        },
    }
)


def main() -> None:
    """Check the whole way."""
    tokenizer = AutoTokenizer.from_pretrained(ASSETS / "tiny")
    manager = load_reward_manager(CONFIG, tokenizer)
    written = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in REPLIES]
    scores = torch.tensor(list(REPLIES.values()), dtype=torch.float64)
    width = max(map(len, written))
    data = batch([record(manager, ids)["rm_scores"] for ids in written], width)
    found = compute_advantage(data, adv_estimator=NAME, config=CONFIG.algorithm).batch["advantages"]
    mask = data.batch["response_mask"].bool()
    ours = PAGRPO(cross=0.25)
    wanted = ours.advantages(scores, columns(tokenizer, written, width), mask)
    common.same("pa_grpo: advantages within 1e-6 of ours", float((found - wanted).abs().max()) < 1e-6, True)
    common.same("pa_grpo: credit on tokens outside", bool(found[~mask].any()), False)
    loss(ours, found, mask)


def record(manager: object, ids: list[int]) -> dict[str, torch.Tensor]:
    """Return what verl stores of a completion that our manager scored."""
    told = {"reward_model": {"ground_truth": CARRIED}, "raw_prompt": [{"role": "user", "content": "Which?"}]}
    tensors = {"prompts": torch.tensor([[1]]), "responses": torch.tensor([ids])}
    tensors["attention_mask"] = torch.ones(1, 1 + len(ids), dtype=torch.int64)
    others = {key: np.array([value], dtype=object) for key, value in told.items()}
    scored = asyncio.run(manager.run_single(DataProto(TensorDict(tensors, batch_size=1), others)))  # type: ignore[attr-defined]
    output = AgentLoopOutput(
        prompt_ids=[1], response_ids=ids, response_mask=[1] * len(ids), metrics=AgentLoopMetrics(), num_turns=2
    )
    output.reward_score = scored["reward_score"]
    output.extra_fields["reward_extra_info"] = scored["reward_extra_info"]
    return output.as_dict()  # type: ignore[no-any-return]


def batch(rows: list[torch.Tensor], width: int) -> DataProto:
    """Return the batch that verl's trainer hands to its advantage call."""
    padded = torch.stack([torch.nn.functional.pad(row, (0, width - len(row))) for row in rows])
    mask = torch.stack([(torch.arange(width) < len(row)).long() for row in rows])
    data = DataProto(TensorDict({"token_level_rewards": padded, "response_mask": mask}, batch_size=len(rows)))
    data.non_tensor_batch["uid"] = np.array(["q"] * len(rows), dtype=object)
    return data


def columns(tokenizer: object, written: list[list[int]], width: int) -> torch.Tensor:
    """Return the segment of each token, by our segmenter."""
    found = torch.full((len(written), width), -1, dtype=torch.int64)
    for row, ids in enumerate(written):
        for one in segment(pieces.joined(pieces.token_bytes(tokenizer, token) for token in ids)):
            found[row, one.start : one.stop] = 0 if one.name == "observation" else 1
    return found


def loss(ours: PAGRPO, advantages: torch.Tensor, mask: torch.Tensor) -> None:
    """Compare verl's clipped loss under `seq-mean-token-mean` with ours, on random log-probs."""
    stream = torch.Generator().manual_seed(0)
    old = -torch.rand(mask.shape, generator=stream)
    new = old + 0.4 * torch.randn(mask.shape, generator=stream)
    part = ours.loss(new, old, None, advantages, mask)
    ratio = core_algos.agg_loss(
        torch.maximum(
            -advantages * (new - old).exp(),
            -advantages * (new - old).exp().clamp(1 - ours.clip_low, 1 + ours.clip_high),
        ),
        mask.long(),
        "seq-mean-token-mean",
    )
    common.same("pa_grpo: loss within 1e-6 of ours", abs(float(part.total / part.count - ratio)) < 1e-6, True)


main()
