"""PA-GRPO inside verl 0.9.1: an advantage estimator, a reward manager, and the one function of verl's that is replaced.

    VERL_USE_EXTERNAL_MODULES=reelgym.peers.verl_plugin python -m verl.trainer.main_ppo \
        algorithm.adv_estimator=pa_grpo ...

The plugin, imported wherever verl is, calls `register`. That registers the estimator `pa_grpo` and replaces
`AgentLoopOutput.as_dict`, which writes a completion's one score to its last token: where the score is a row
(`carried.carry`), the row is written instead. verl hands an estimator token-level rewards, a mask, group names and its
configuration; segments and totals travel in the first. `scripts/peers/verl_pa_grpo.sh` is a whole launch.

Settings stand under `+algorithm.reelgym.`: those of `Settings`. Token means per segment need
`actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-mean`, the divergence `actor.use_kl_loss=True`.

Limits: replies of one turn; verl's own trainer (`trainer.use_v1=True`, its default); never run on GPUs by us.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from reelgym import tasks
from reelgym.algorithms import PAGRPO
from reelgym.data.form import contents
from reelgym.data.messages import Clip, Message, Part, Text
from reelgym.data.sample import Sample
from reelgym.data.segments import segment
from reelgym.data.trajectory import Group, Trajectory, Turn
from reelgym.errors import RequestError, WorkError, unknown
from reelgym.judges import TextMatchJudge
from reelgym.judges.endpoint import Asked
from reelgym.models import pieces
from reelgym.peers.carried import carry, read
from reelgym.recipes.process import OBSERVATION, REASONING, process_rubric
from reelgym.rewards import Case, Judge, Lent, Rubric
from reelgym.rewards.perception import LEDGER
from reelgym.training.credit import segment_index
from reelgym.video import FrameSpec

NAME = "pa_grpo"
_MEDIA = re.compile(r"<(?:image|video)>")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What stands under `algorithm.reelgym`.

    Attributes:
        perception: Whether the observation has a reward of its own; without it use verl's `grpo`.
        reasoning: Whether think and answer have one.
        length: Whether lengths within VideoP2R's windows are paid.
        metric: What an answer is paid by, as for the recipe `videop2r`.
        judge_url: Base address of the judge's endpoint; empty: an observation suffices where it holds the answer's
            words (`TextMatchJudge`), which is for trying out.
        judge_model: The model there.
        blind_judge: Whether it judges without the right answer. With a frozen copy of the policy behind the endpoint
            this is the frozen reader.
        average: How tokens are averaged; this and the rest as in `PAGRPO`.
        credit: Whose tokens take which advantage.
        cross: Share of the reasoning's advantage that observation tokens take too.
        elsewhere: What a completion without segments takes.
        missing: Who takes the advantage of a segment that was not written.
        eps: Added to the deviation of a group.
    """

    perception: bool = True
    reasoning: bool = True
    length: bool = True
    metric: str = "auto"
    judge_url: str = ""
    judge_model: str = ""
    blind_judge: bool = False
    average: Literal["segment", "completion"] = "segment"
    credit: Literal["own", "all"] = "own"
    cross: float = 0.0
    elsewhere: Literal["last", "none"] = "last"
    missing: Literal["none", "all"] = "none"
    eps: float = 1e-4

    def __post_init__(self) -> None:
        """Refuse what has no segments."""
        if not self.perception:
            raise RequestError("algorithm.reelgym.perception=false leaves one reward on all tokens: use verl's grpo")

    @staticmethod
    def of(algorithm: Any) -> Settings:
        """Return what verl's configuration of the algorithm says, under `reelgym`; defaults where it says nothing."""
        given = dict((algorithm.get("reelgym") if algorithm is not None else None) or {})
        known = [field.name for field in fields(Settings)]
        for name in given:
            if name not in known:
                raise unknown("setting algorithm.reelgym.", str(name), known)
        return Settings(**given)

    @property
    def columns(self) -> tuple[str, ...]:
        """The segments with a reward of their own."""
        return (OBSERVATION, REASONING) if self.reasoning else (OBSERVATION,)

    def rubric(self) -> Rubric:
        """Return what is paid."""
        return process_rubric(reasoning=self.reasoning, length=self.length, metric=self.metric)

    def algorithm(self) -> PAGRPO:
        """Return the credit."""
        shared = ("average", "credit", "cross", "elsewhere", "missing", "eps")
        return PAGRPO(**{name: getattr(self, name) for name in shared})

    def judge(self) -> Judge:
        """Return who decides what observations are worth."""
        if not self.judge_url:
            return TextMatchJudge()
        return Asked(self.judge_url, self.judge_model, blind=self.blind_judge).open(Lent())


def pa_grpo(
    token_level_rewards: Tensor, response_mask: Tensor, index: Sequence[Any], config: Any = None, **others: Any
) -> tuple[Tensor, Tensor]:
    """Return advantages and returns, (N, T) float32 and the same, as verl wants them of an estimator.

    Args:
        token_level_rewards: (N, T) rows that `Manager` wrote.
        response_mask: (N, T), 1 where the policy is trained.
        index: (N,) the name of each completion's group.
        config: verl's configuration of the algorithm.
        others: What else verl passes; not used.

    Raises:
        RequestError: A setting is unknown, the divergence is in the reward, or a row was not written by `Manager`.
    """
    if config is not None and config.get("use_kl_in_reward", False):
        raise RequestError(
            "algorithm.use_kl_in_reward changes the rows that carry segments: set actor.use_kl_loss=True"
        )
    settings = Settings.of(config)
    scores, segments = read(token_level_rewards, len(settings.columns))
    mask = response_mask.detach().cpu().bool()
    algorithm = settings.algorithm()
    found = torch.zeros(mask.shape, dtype=torch.float32)
    names = np.asarray(index)
    for name in dict.fromkeys(names.tolist()):
        rows = torch.from_numpy(np.flatnonzero(names == name))
        found[rows] = algorithm.advantages(scores[rows], segments[rows], mask[rows])
    found = found.to(token_level_rewards.device)
    return found, found


class Manager:
    """verl's reward manager: judges the observation, scores both segments, and returns one row for each completion.

    Name it by `reward.reward_manager.source=importlib name=Manager module.path=pkg://reelgym.peers.verl`.
    """

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any = None, **others: Any) -> None:
        """Take verl's whole configuration and the policy's tokenizer; the rest is not used."""
        del compute_score, others
        self.tokenizer = tokenizer
        self.settings = Settings.of(config.algorithm)

    @cached_property
    def _judge(self) -> Judge:
        return self.settings.judge()

    async def run_single(self, data: Any) -> dict[str, Any]:
        """Return `reward_score`, the completion's row, and what verl logs of it; see verl's `RewardManagerBase`."""
        item = data[-1]
        ids = item.batch["responses"]
        length = int(item.batch["attention_mask"][-len(ids) :].sum())
        told = item.non_tensor_batch
        sample = asked(told["reward_model"]["ground_truth"], told.get("raw_prompt"))
        key = f"{sample.id} {hash(tuple(ids[:length].tolist()))}"
        # Judges wait for their endpoint: other completions are scored meanwhile.
        return await asyncio.get_running_loop().run_in_executor(None, self.score, ids[:length].tolist(), sample, key)

    def score(self, ids: Sequence[int], sample: Sample, key: str) -> dict[str, Any]:
        """Return the same for the ids of one completion; `key` names it."""
        written = pieces.joined(pieces.token_bytes(self.tokenizer, token) for token in ids)
        turn = Turn(
            ids=np.array(ids, dtype=np.int64),
            logprobs=np.zeros(len(ids), np.float32),
            loss_mask=np.ones(len(ids), np.bool_),
            text="".join(written),
            stop="eos",
            segments=segment(written),
        )
        (verdict,) = self._judge.judge([Case(sample, contents(turn.text).get(OBSERVATION), key)])
        member = Trajectory(turns=(turn,), ledger={LEDGER: verdict.to_json()})
        totals = self.settings.rubric().score(Group(sample=sample, trajectories=(member,)))[0].tolist()
        found = tasks.get(sample.task).score(turn.text, sample)
        logged = {f"reward_{name}": total for name, total in zip(self.settings.columns, totals, strict=True)}
        logged |= {"acc": float(found.value), "valid": float(found.valid), "score": float(np.nansum(totals))}
        row = carry(totals, segment_index([turn], self.settings.columns)[0].tolist())
        return {"reward_score": row, "reward_extra_info": logged}

    @classmethod
    def assemble_rm_scores(cls, data: Any, scores: Sequence[Sequence[float]]) -> Tensor:
        """Return (N, T) float32: the rows, zeros at their end; verl calls it where rewards are not streamed."""
        found = torch.zeros_like(data.batch["responses"], dtype=torch.float32)
        for place, row in enumerate(scores):
            found[place, : len(row)] = torch.tensor(row)
        return found


def asked(carried: str, prompt: Any = None) -> Sample:
    """Return the sample of an export's row: what scoring needs, and the text of its prompt for judges.

    Args:
        carried: `reward_model.ground_truth`.
        prompt: verl's `raw_prompt`: messages whose content is text or a list of pieces; None where it is not known.
    """
    try:
        told = json.loads(carried)
        about = {name: told[name] for name in ("id", "task", "answer", "evidence")}
    except (ValueError, KeyError, TypeError) as error:
        raise WorkError(
            f"reward_model.ground_truth was not written by `reelgym export --format verl`: {error}"
        ) from None
    return Sample(messages=tuple(_message(one) for one in prompt or ()), split="train", **about)


def _message(told: Mapping[str, Any]) -> Message:
    content = told["content"]
    listed = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    parts: list[Part] = [Text(_MEDIA.sub("", piece.get("text") or "")) for piece in listed if piece["type"] == "text"]
    if any(piece["type"] == "video" for piece in listed) or "<video>" in str(content):
        # Judges see no pixels; they are told that there was a video.
        parts.append(Clip(video="shown", spec=FrameSpec(fps=1.0), times=(0.0,)))
    return Message(told["role"], tuple(parts))


def as_dict(output: Any, original: Any) -> dict[str, Any]:
    """Return what verl's own `AgentLoopOutput.as_dict` does, with the row in the place of one score.

    Raises:
        WorkError: The row is not as long as the completion: an agent loop of several turns, which is not supported.
    """
    row = output.reward_score
    if not isinstance(row, list):
        return dict(original(output))
    if len(row) != len(output.response_ids):
        raise WorkError(
            f"a row of {len(row)} token-level rewards for {len(output.response_ids)} tokens: pa_grpo takes replies of "
            "one turn"
        )
    output.reward_score = math.fsum(row)
    try:
        return {**original(output), "rm_scores": torch.tensor(row, dtype=torch.float32)}
    finally:
        output.reward_score = row


def register() -> None:
    """Register the estimator with verl, and replace `AgentLoopOutput.as_dict`; doing it again changes nothing."""
    from verl.experimental.agent_loop.agent_loop import AgentLoopOutput
    from verl.trainer.ppo.core_algos import register_adv_est

    register_adv_est(NAME)(pa_grpo)
    original = AgentLoopOutput.as_dict
    if getattr(original, "carries_segments", False):
        return

    def replaced(output: Any) -> dict[str, Any]:
        return as_dict(output, original)

    replaced.carries_segments = True  # type: ignore[attr-defined]
    AgentLoopOutput.as_dict = replaced
