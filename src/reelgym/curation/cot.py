"""Chains of thought by an endpoint, each verified: generation, the answer and its form, sufficiency of the observation.

Reference: the three steps are VideoP2R's (Jiang et al., arXiv 2511.11113): generation at temperature 0, the task's own
metric from 0.6 on with the template, and a text-only judge of the observation. Where we differ: observations that state
the answer are refused before anyone is paid to judge them, and a second judge answers without the key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from reelgym import tasks
from reelgym.data.form import contents, faults
from reelgym.data.sample import Sample
from reelgym.data.templates import INSTRUCTIONS, TAGS, segments_of, with_instruction
from reelgym.errors import RequestError, unknown
from reelgym.judges.endpoint import EndpointJudge
from reelgym.judges.leaks import leak
from reelgym.judges.match import TextMatchJudge
from reelgym.rewards.perception import Case
from reelgym.rollout.chat import Chat, ChatRequest, Reply

STEPS = ("generate", "verify", "leak", "sufficiency", "blind")
"""The checks, in order; a sample that fails one is asked for nothing more."""

FALLBACKS = ("none", "text-match")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class CotConfig:
    """How chains are written and what they must pass.

    Attributes:
        variant: The instruction: one of `data.templates.INSTRUCTIONS` that asks for an observation.
        metric: The part of the task's score that counts: `auto` is `published` where the task has it, else `value`.
        threshold: What it must reach at least. 0.6 is VideoP2R's; a measure of 0.6 itself is kept.
        max_tokens: Cap of a chain. Ours.
        judge_tokens: Cap of a judge's reply. Ours.
        leaks: Whether observations that state the answer are refused.
        sufficiency: Whether a judge that knows the key decides on the observation.
        blind: Whether one that does not must answer from it.
        fallback: Who judges where an endpoint gives no verdict: `none` (the sample is rejected for it) or `text-match`.
    """

    variant: str = "videop2r"
    metric: str = "auto"
    threshold: float = 0.6
    max_tokens: int = 2048
    judge_tokens: int = 512
    leaks: bool = True
    sufficiency: bool = True
    blind: bool = True
    fallback: str = "none"

    def __post_init__(self) -> None:
        """Refuse settings outside their range."""
        tagged = [name for name in INSTRUCTIONS if segments_of(name) == TAGS]
        if self.variant not in tagged:
            raise unknown("prompt of a chain of thought", self.variant, tagged)
        if self.fallback not in FALLBACKS:
            raise unknown("fallback of a judge", self.fallback, FALLBACKS)
        if not 0 <= self.threshold <= 1 or self.max_tokens < 1 or self.judge_tokens < 1:
            raise RequestError(
                f"threshold={self.threshold}, max_tokens={self.max_tokens}, judge_tokens={self.judge_tokens}: give a "
                "threshold in [0, 1] and caps of at least 1"
            )


@dataclass(frozen=True, kw_only=True)
class Check:
    """What one step said of one sample: whether it passed, why or why not, and the number behind it where there is one.

    Attributes:
        step: One of `STEPS`.
        passed: Whether the next step follows.
        kind: A word for the outcome, to count by: `kept`, `wrong answer`, `template`, ...
        reason: In full.
        score: The measure or verdict; None where there is none.
        judge: Who decided; empty where the task did.
    """

    step: str
    passed: bool
    kind: str
    reason: str = ""
    score: float | None = None
    judge: str = ""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """What became of one sample.

    Attributes:
        sample: The question.
        reply: What the model wrote, as it came.
        checks: Of every step up to the one that failed.
        is_pending: Whether it has no reply for a reason that may pass: the run is to be repeated.
    """

    sample: Sample
    reply: str
    checks: tuple[Check, ...]
    is_pending: bool = False

    @property
    def kept(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return the row of the file of verdicts."""
        checks = [asdict(check) for check in self.checks]
        return {"id": self.sample.id, "kept": self.kept, "reply": self.reply, "checks": checks}


class ChainWriter:
    """Takes one sample after the other through the steps; threads may share it.

    All that lasts is in the clients' journals: the same samples give the same chains, asked for or remembered.
    """

    def __init__(self, generator: Chat, judge: Chat, config: CotConfig) -> None:
        """Name who writes, who judges, and the settings."""
        self.generator, self.config = generator, config
        fallback = TextMatchJudge() if config.fallback == "text-match" else None
        settings: dict[str, Any] = {"max_tokens": config.judge_tokens, "fallback": fallback}
        self.judges: list[EndpointJudge] = []
        if config.sufficiency:
            self.judges.append(EndpointJudge(judge, **settings))
        if config.blind:
            self.judges.append(EndpointJudge(judge, blind=True, threshold=config.threshold, **settings))

    def each(self, samples: Sequence[Sample], progress: Progress | None = None) -> list[Chain]:
        """Return what became of every sample, in order."""
        found = dict(self.generator.each(samples, self.one, progress))
        return [found[place] for place in range(len(samples))]

    def request(self, sample: Sample) -> ChatRequest:
        """Return what the writer is asked."""
        messages = with_instruction(sample.messages, self.config.variant)
        return ChatRequest(messages=messages, max_tokens=self.config.max_tokens)

    def one(self, sample: Sample) -> Chain:
        """Return what became of one sample."""
        reply = self.generator.ask(self.request(sample), "generate")
        checks = [_came(reply)]
        if checks[-1].passed:
            checks.append(self._verify(sample, reply.text))
        observation = contents(reply.text).get("observation", "")
        if checks[-1].passed and self.config.leaks:
            stated = leak(observation, sample)
            checks.append(
                Check(step="leak", passed=not stated, kind="states the answer" if stated else "kept", reason=stated)
            )
        for judge in self.judges:
            if checks[-1].passed:
                checks.append(_judged(judge, Case(sample, observation, sample.id)))
        is_pending = reply.transient or checks[-1].kind == "no reply yet"
        return Chain(sample=sample, reply=reply.text, checks=tuple(checks), is_pending=is_pending)

    def _verify(self, sample: Sample, text: str) -> Check:
        """Hold a reply to the template, and its answer to the task's own measure."""
        if found := faults(text, opened=self.config.variant == "videop2r_opened"):
            return Check(step="verify", passed=False, kind="template", reason="; ".join(found))
        score = tasks.get(sample.task).score(text, sample)
        answer = contents(text)["answer"]
        if not score.valid:
            return Check(
                step="verify",
                passed=False,
                kind="unreadable answer",
                reason=f"{answer[:200]!r} is no answer of its kind",
            )
        named = "published" if "published" in score.parts else "value"
        part = named if self.config.metric == "auto" else self.config.metric
        if part != "value" and part not in score.parts:
            raise unknown(f"part of task {sample.task!r}", part, ["auto", "value", *score.parts])
        value = score.value if part == "value" else score.parts[part]
        passed = value >= self.config.threshold
        return Check(
            step="verify",
            passed=passed,
            kind="kept" if passed else "wrong answer",
            reason=f"{part} {value:.3g} of {answer[:200]!r}, wanted {self.config.threshold:g}",
            score=value,
        )


def _came(reply: Reply) -> Check:
    """Return whether a whole reply came."""
    if reply.outcome != "ok":
        kind = "no reply yet" if reply.transient else reply.outcome.replace("_", " ")
        return Check(step="generate", passed=False, kind=kind, reason=reply.reason)
    if not reply.intact:
        return Check(step="generate", passed=False, kind="not UTF-8", reason="its bytes are no UTF-8")
    return Check(step="generate", passed=True, kind="kept")


def _judged(judge: EndpointJudge, case: Case) -> Check:
    verdict = judge.one(case)
    if verdict.score is None:
        kind = "no reply yet" if verdict.counts["unanswered"] else "no verdict"
    else:
        kind = "kept" if verdict.score >= 0.5 else "insufficient"
    return Check(
        step=judge.step,
        passed=kind == "kept",
        kind=kind,
        reason=verdict.reason,
        score=verdict.score,
        judge=f"{judge.name}, fallback" if verdict.counts["fallback"] else judge.name,
    )
