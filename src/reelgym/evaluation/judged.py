"""Free answers of an evaluation, decided by a judge: failed judgements are wrong and counted apart, never guessed.

An answer that is the right one by rule (`tasks.benchmark`, kind `open`) is right without asking, one that cannot be
read is wrong without asking. Without a judge such questions are not asked at all, and the result says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from reelgym.data.sample import Sample
from reelgym.errors import WorkError
from reelgym.evaluation.results import Evaluation, Row
from reelgym.evaluation.speakers import Manners, endpoint_of
from reelgym.evaluation.spec import Benchmark
from reelgym.judges.answers import AnswerJudge
from reelgym.rewards.perception import Case, Verdict
from reelgym.rollout.chat import Chat
from reelgym.rollout.paid import Journal
from reelgym.tasks.benchmark import JUDGED

FAILED = "judge_failed"
"""The part of a score that is 1 where the judge gave no verdict."""


@contextmanager
def opened(name: str, benchmark: Benchmark, manners: Manners) -> Iterator[AnswerJudge]:
    """Yield the judge `openai:NAME@URL` on a benchmark's scale; its replies are kept and never asked for twice.

    Raises:
        RequestError: The name is none of an endpoint, or another run writes its journal.
    """
    endpoint = endpoint_of(name, manners)
    journal = Journal(manners.folder / f"judged-{hashlib.sha256(name.encode()).hexdigest()[:12]}.jsonl")
    try:
        yield AnswerJudge(Chat(endpoint, journal), scale=benchmark.judge)
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
    judge: AnswerJudge,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Return the evaluation with free answers decided by a judge; everything else is unchanged.

    The parts `judged` (what was decided) and `judge_failed` are added to rows with free answers.

    Raises:
        WorkError: Not one verdict came.
    """
    by_id = {sample.id: sample for sample in samples if is_judged(sample)}
    asked = [row for row in evaluation.rows if row.id in by_id and row.valid and row.parts["exact"] < 1]
    cases = [Case(by_id[row.id], _answer(row), row.id) for row in asked]
    verdicts: dict[str, Verdict] = {}
    for place, verdict in judge.chat.each(cases, judge.one):
        verdicts[asked[place].id] = verdict
        if progress is not None:
            progress(len(verdicts), len(cases))
    failed = [verdict for verdict in verdicts.values() if verdict.score is None]
    if failed and len(failed) == len(verdicts):
        raise WorkError(f"the judge {judge.name} decided on none of {len(verdicts)} answers: {failed[0].reason[:200]}")
    rows = tuple(_decided(row, verdicts) if row.id in by_id else row for row in evaluation.rows)
    return replace(evaluation, rows=rows, settings=evaluation.settings | ({"judge": judge.name} if by_id else {}))


def _answer(row: Row) -> str:
    return str(row.parsed["lenient"])


def _decided(row: Row, verdicts: Mapping[str, Verdict]) -> Row:
    verdict = verdicts.get(row.id)
    score = row.parts.get("exact", 0.0) if verdict is None else verdict.score
    value = float(score or 0.0)
    parts = {"judged": value, FAILED: float(score is None), "strict": value * row.parts["read_strictly"]}
    return replace(row, value=value, parts=row.parts | parts, reason=row.reason or (verdict.reason if verdict else ""))
