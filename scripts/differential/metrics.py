"""The same scored rows summed up by lmms-eval and by us."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from published import Published

from reelgym.evaluation import benchmarks
from reelgym.evaluation.metrics import measure
from reelgym.evaluation.results import Evaluation, Row
from reelgym.scoring.number import number_parts
from reelgym.scoring.span import iou

DRAWS = 1000
SETS = 20
Line = tuple[str, int, int, str]


def rows(published: Published) -> Iterator[Line]:
    """Yield a line per metric: its name, how many were drawn, how many differ by more than 1e-6, and why."""
    vsi, charades = published.task("vsibench"), published.task("charades_sta")
    random = Random(0)

    def relative(factor: float) -> bool:
        truth = random.randint(1, 40)
        said = truth * factor
        theirs = vsi.mean_relative_accuracy(said, float(truth), 0.5, 0.95, 0.05)
        return abs(theirs - number_parts(said, truth)["mean_relative"]) > 1e-6

    def overlap() -> bool:
        one, other = (sorted((random.uniform(0, 30), random.uniform(0, 30))) for _ in range(2))
        return abs(charades.iou(one, other) - iou((one[0], one[1]), (other[0], other[1]))) > 1e-6

    free = sum(relative(random.uniform(0.2, 2)) for _ in range(DRAWS))
    edges = sum(relative(random.choice((0.5, 0.75, 0.8, 1.25))) for _ in range(DRAWS))
    edge = "theirs counts an error of exactly 1 - theta (<=), the formula of VSI-Bench's paper and ours do not (<)"
    yield "mean relative accuracy (vsibench), any error", DRAWS, free, ""
    yield "the same, errors of 20, 25 and 50 %", DRAWS, edges, edge
    yield "intersection over union (charades_sta)", DRAWS, sum(overlap() for _ in range(DRAWS)), ""
    for name, why, differs in (
        ("mean of tasks (vsibench)", "", _vsi),
        ("M-avg (mlvu)", "", _mlvu),
        ("MBin (videomathqa)", "", _binary),
        ("accuracy (longvideobench)", "", _long),
        ("accuracy of a task (mvbench)", "empty replies leave its denominator", _mvbench),
    ):
        yield name, SETS, sum(differs(published, random) for _ in range(SETS)), why


def _row(at: int, value: float, facets: dict[str, str | int | float]) -> Row:
    plain = {"parsed": None, "valid": True, "parts": {}, "chance": {}, "stop": "eos", "tokens": 0}
    return Row(id=str(at), source=f"v{at % 7}", reply="", value=value, facets=facets, **plain)  # type: ignore[arg-type]


def _ours(name: str, metric: str, rows: Sequence[Row]) -> float:
    held = Evaluation(model="", position_rule="", variant="", probe=None, max_tokens=0, rows=tuple(rows))
    return float(measure(benchmarks.get(name), held)[metric]["mean"])


def _vsi(published: Published, random: Random) -> bool:
    vsi = published.task("vsibench")
    choices, numbers = list(vsi.MCA_QUESTION_TYPES), list(vsi.NA_QUESTION_TYPES)
    drawn = [(kind, random.choice((0.0, 1.0))) for kind in choices for _ in range(random.randint(2, 9))]
    drawn += [(kind, random.randint(0, 10) / 10) for kind in numbers for _ in range(random.randint(2, 9))]
    docs = [{"question_type": kind, "accuracy": value, "MRA:.5:.95:.05": value} for kind, value in drawn]
    renamed = benchmarks.get("vsi-bench").columns.renamed["task"]
    mine = [
        _row(
            at,
            value,
            {"type": kind, "task": renamed.get(kind, kind), "kind": "choice" if kind in choices else "number"},
        )
        for at, (kind, value) in enumerate(drawn)
    ]
    return abs(vsi.vsibench_aggregate_overall(docs) - _ours("vsi-bench", "mean of tasks", mine)) > 1e-5


def _mlvu(published: Published, random: Random) -> bool:
    kinds = ("anomaly_reco", "count", "ego", "needle", "order", "plotQA", "topic_reasoning")
    drawn = [(kind, random.choice("AB")) for kind in kinds for _ in range(random.randint(2, 9))]
    theirs = published.task("mlvu").mlvu_aggregate_results_dev(
        [{"task_type": kind, "pred_answer": letter, "answer": "A"} for kind, letter in drawn]
    )
    mine = [_row(at, float(letter == "A"), {"task": kind}) for at, (kind, letter) in enumerate(drawn)]
    return abs(theirs / 100 - _ours("mlvu-dev", "M-avg", mine)) > 1e-6


def _binary(published: Published, random: Random) -> bool:
    task = published.task("videomathqa")
    about = {"duration": task.VIDEO_LENGTH[0], "category": task.CATEGORIES[0]}
    drawn = [(f"q{at}", random.choice("AAAB")) for at in range(20) for _ in range(4)]
    theirs = task.videomathqa_multi_binary_aggregate_results(
        [{"question_id": name, "pred_answer": letter, "answer": "A", **about} for name, letter in drawn]
    )
    mine = [_row(at, float(letter == "A"), {"question": name}) for at, (name, letter) in enumerate(drawn)]
    return abs(theirs / 100 - _ours("videomathqa-binary", "MBin", mine)) > 1e-6


def _long(published: Published, random: Random) -> bool:
    drawn = [(random.choice((15, 60, 600)), random.choice(("S2E", "T3E")), random.choice("AB")) for _ in range(60)]
    theirs = published.task("longvideobench").longvideobench_aggregate_results(
        [
            {"id": str(at), "duration_group": group, "question_category": kind, "answer": "A", "parsed_pred": letter}
            for at, (group, kind, letter) in enumerate(drawn)
        ]
    )
    mine = [
        _row(at, float(letter == "A"), {"duration": group, "category": kind})
        for at, (group, kind, letter) in enumerate(drawn)
    ]
    return abs(theirs - _ours("longvideobench", "accuracy", mine)) > 1e-5


def _mvbench(published: Published, random: Random) -> bool:
    drawn = [random.choice(("A", "B", "")) for _ in range(60)]
    scored = [{"pred_answer": reply, "gt_answer": "A", "score": int(reply == "A")} for reply in drawn]
    theirs = published.task("mvbench").mvbench_aggregate_results(scored)
    mine = [_row(at, float(reply == "A"), {"task": "action_count"}) for at, reply in enumerate(drawn)]
    return abs(theirs / 100 - _ours("mvbench", "accuracy", mine)) > 1e-6
