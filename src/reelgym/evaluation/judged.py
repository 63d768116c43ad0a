"""Free answers and lines of reasoning decided by a judge: failed judgements are wrong and counted apart, never guessed.

An answer that is the right one by rule (`tasks.benchmark`, kind `open`) is right without asking, one that cannot be
read is wrong without asking. Without a judge such questions are not asked at all, and the result says so. Steps of
reasoning are judged where the benchmark has reference steps and the prompt leaves room to reason.

What a judge reads and writes is counted in its own columns of a row, and paid from the same purse as the models.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from reelgym.data.sample import Sample
from reelgym.errors import WorkError
from reelgym.evaluation.purse import Metered, NotPaid, PaidChat
from reelgym.evaluation.results import Evaluation, Row
from reelgym.evaluation.runner import OutOfBudget
from reelgym.evaluation.speakers import Manners, endpoint_of
from reelgym.evaluation.spec import Benchmark
from reelgym.judges.answers import AnswerJudge
from reelgym.judges.steps import Chain, StepJudge
from reelgym.rewards.perception import Case, Verdict
from reelgym.rollout.paid import Journal
from reelgym.scoring.steps import PARTS, step_parts
from reelgym.tasks.benchmark import JUDGED

FAILED, STEPS_FAILED = "judge_failed", "steps_failed"
"""The parts of a score that are 1 where the judge gave no verdict, on the answer and on the steps."""

Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class Judges:
    """One endpoint in its offices.

    Attributes:
        chat: Its client.
        answers: Decides on free answers.
        steps: Judges lines of reasoning; None where the benchmark has no reference steps.
    """

    chat: PaidChat
    answers: AnswerJudge
    steps: StepJudge | None = None


@contextmanager
def opened(name: str, benchmark: Benchmark, manners: Manners) -> Iterator[Judges]:
    """Yield the judge `openai:NAME@URL` on a benchmark's scale; its replies are kept and never asked for twice.

    Raises:
        RequestError: The name is none of an endpoint, another run writes its journal, or a budget lacks its price.
    """
    endpoint = endpoint_of(name, manners)
    journal = Journal(manners.folder / f"judged-{hashlib.sha256(name.encode()).hexdigest()[:12]}.jsonl")
    try:
        chat = PaidChat(endpoint, journal, purse=manners.purse)
        steps = StepJudge(chat) if benchmark.steps else None
        yield Judges(chat=chat, answers=AnswerJudge(chat, scale=benchmark.judge), steps=steps)
    finally:
        journal.close()


def is_judged(sample: Sample) -> bool:
    """Return whether a judge decides on the answers to a question."""
    return sample.evidence.get("kind") in JUDGED


def without(samples: Sequence[Sample]) -> tuple[list[Sample], str]:
    """Return the samples that need no judge, and what is missing then; nothing where none needs one."""
    kept = [sample for sample in samples if not is_judged(sample)]
    left = len(samples) - len(kept)
    return (
        kept,
        f"{left} of {len(samples)} questions have free answers and were not asked: give --judge" if left else "",
    )


def judged(
    evaluation: Evaluation,
    samples: Sequence[Sample],
    judges: Judges,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Return the evaluation with free answers and steps decided by a judge; everything else is unchanged.

    The parts `judged` (what was decided) and `judge_failed` are added to rows with free answers; those of
    `scoring.steps` and `steps_failed` to rows with reference steps, under every prompt but `direct`. Rows that the
    purse pays no judgement for are left out, and the result is partial.

    Raises:
        WorkError: Not one verdict came.
        OutOfBudget: No row is left.
    """
    by_id = {sample.id: sample for sample in samples}
    free = [row for row in evaluation.rows if is_judged(by_id[row.id])]
    asked = [row for row in free if row.valid and row.parts["exact"] < 1]
    chained = _chained(evaluation, by_id, judges)
    told = _Told(progress, len(asked) + sum(bool(row.reply.strip()) for row in chained))
    answers = [Case(by_id[row.id], str(row.parsed["lenient"]), row.id) for row in asked]
    verdicts = _all(judges.chat, answers, judges.answers.one, told)
    _refuse_none(judges, [verdict for verdict, _ in verdicts.values()])
    chains: dict[str, tuple[Chain | None, Metered]] = {}
    if judges.steps is not None:
        replies = [Case(by_id[row.id], row.reply, row.id) for row in chained if row.reply.strip()]
        chains = _all(judges.chat, replies, judges.steps.one, told)
    unpaid = {case.key for case in answers} - set(verdicts)
    unpaid |= {row.id for row in chained if row.reply.strip()} - set(chains)
    rows = [row for row in evaluation.rows if row.id not in unpaid]
    if not rows:
        raise OutOfBudget(f"the budget pays for none of {len(evaluation)} judgements")
    rows = _each(rows, free, lambda row: _decided(row, verdicts.get(row.id)))
    rows = _each(rows, chained, lambda row: _with_steps(row, chains.get(row.id)))
    settings = evaluation.settings | (_about(judges) if free or chained else {})
    return replace(evaluation, rows=tuple(rows), settings=settings | _cut(evaluation, len(unpaid)))


class _Told:
    """Counts what is done."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)


def _chained(evaluation: Evaluation, by_id: Mapping[str, Sample], judges: Judges) -> list[Row]:
    """Return the rows whose reasoning is judged; a direct prompt asks for none."""
    if judges.steps is None or evaluation.variant == "direct":
        return []
    return [row for row in evaluation.rows if by_id[row.id].evidence.get("facts")]


def _all(
    chat: PaidChat, cases: Sequence[Case], one: Callable[[Case], Made], told: Callable[[], None]
) -> dict[str, tuple[Made, Metered]]:
    """Return what was said of each case, with its tokens; without those that the purse does not pay for."""

    def work(case: Case) -> tuple[Made, Metered] | None:
        with chat.metered() as used:
            try:
                return one(case), used
            except NotPaid:
                return None

    found = {}
    for place, made in chat.each(cases, work):
        told()
        if made is not None:
            found[cases[place].key] = made
    return found


def _refuse_none(judges: Judges, verdicts: Sequence[Verdict]) -> None:
    failed = [verdict for verdict in verdicts if verdict.score is None]
    if failed and len(failed) == len(verdicts):
        who = judges.answers.name
        raise WorkError(f"the judge {who} decided on none of {len(verdicts)} answers: {failed[0].reason[:200]}")


def _each(rows: Sequence[Row], meant: Sequence[Row], change: Callable[[Row], Row]) -> list[Row]:
    ids = {row.id for row in meant}
    return [change(row) if row.id in ids else row for row in rows]


def _decided(row: Row, found: tuple[Verdict, Metered] | None) -> Row:
    verdict, used = found or (None, Metered())
    score = row.parts.get("exact", 0.0) if verdict is None else verdict.score
    value = float(score or 0.0)
    parts = {"judged": value, FAILED: float(score is None), "strict": value * row.parts["read_strictly"]}
    reason = row.reason or (verdict.reason if verdict else "")
    return replace(_charged(row, used), value=value, parts=row.parts | parts, reason=reason)


def _with_steps(row: Row, found: tuple[Chain | None, Metered] | None) -> Row:
    """Return the row with the measures of its steps; all 0 where it is empty, and where no verdict came."""
    chain, used = found or (None, Metered())
    parts = dict.fromkeys(PARTS, 0.0) if chain is None else step_parts(chain.reference, chain.written)
    failed = {STEPS_FAILED: float(found is not None and chain is None)}
    return replace(_charged(row, used), parts=row.parts | parts | failed)


def _charged(row: Row, used: Metered) -> Row:
    return replace(
        row,
        judge_prompt_tokens=row.judge_prompt_tokens + used.prompt_tokens,
        judge_tokens=row.judge_tokens + used.completion_tokens,
    )


def _about(judges: Judges) -> dict[str, Any]:
    price = judges.chat.endpoint.price
    return {"judge": judges.answers.name} | ({"judge_price": list(price)} if price else {})


def _cut(evaluation: Evaluation, unpaid: int) -> dict[str, str]:
    """Return what says that the purse did not pay for all judgements."""
    if not unpaid:
        return {}
    why = f"the budget ended before {unpaid} of {len(evaluation)} replies were judged"
    return {"partial": ", ".join(filter(None, (str(evaluation.settings.get("partial") or ""), why)))}
