"""Reads the same replies with lmms-eval's published parsers and with ours, and lists every disagreement with its cause.

    pip download lmms-eval==0.7.3 --no-deps -d /tmp/lmms && unzip -q /tmp/lmms/*.whl -d /tmp/lmms
    python scripts/differential/compare.py /tmp/lmms

For development only. Prints Markdown, which docs/lmms-eval.md holds; a disagreement without a cause is an error.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import causes
import metrics
import replies
from causes import Answer, Case
from published import Published
from replies import LETTERS, Reply, Stated

from reelgym import tasks
from reelgym.data.sample import Sample

TORTURE = Path(__file__).parents[2] / "tests" / "scoring" / "test_scoring_torture.py"
Cause = Mapping[str, Callable[[Any], bool]]


@dataclass
class Tally:
    """One parser on one set of replies.

    Attributes:
        name: Of the parser.
        replies: How many there were.
        agree: On how many both read the same.
        ours: Disagreements in which ours reads what is stated.
        theirs: In which theirs does.
        causes: Disagreements of theirs with what is stated, by cause.
        examples: By cause, one reply and what was read in it.
    """

    name: str
    replies: int = 0
    agree: int = 0
    ours: int = 0
    theirs: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, cause: str, example: tuple[str, str], *, same: bool, right: tuple[bool, bool]) -> None:
        """Count one reply; `right` is whether ours and theirs read what is stated."""
        self.replies += 1
        self.agree += same
        self.ours += not same and right[0]
        self.theirs += not same and right[1]
        if not same:
            self.causes[cause] += 1
            self.examples.setdefault(cause, example)


def read(kind: str, reply: str, **evidence: Any) -> Any:
    """Return what our scorer reads in a reply."""
    held = {"kind": kind, "duration_seconds": 200.0, **evidence}
    sample = Sample(id="x", task="benchmark", messages=(), answer=held.pop("answer", ""), split="test", evidence=held)
    score = tasks.get("benchmark").score(reply, sample)
    return score if kind == "short" else None if score.parsed is None else score.parsed["lenient"]


def cause_of(known: Cause, case: Any, is_theirs_wrong: bool) -> str:
    """Return the first cause that fits; one of ours where theirs reads what is stated."""
    if not is_theirs_wrong:
        return causes.OURS if known is causes.PHRASE_CAUSES else "UNEXPLAINED"
    return next((name for name, fits in known.items() if fits(case)), "UNEXPLAINED")


def letters(published: Published, torture: Sequence[Reply] | None) -> Iterator[Tally]:
    """Yield the tally of every parser of letters, on 1,000 replies of its own or on the given ones."""
    for name, (counts, parse) in published.parsers().items():
        tally = Tally(name)
        for one in replies.letters(name, counts) if torture is None else torture:
            place = read("choice", one.text, options=list(one.options), answer="A")
            mine = frozenset() if place is None else frozenset(LETTERS[place])
            theirs, stated = parse(one.text, one.options), frozenset(one.stated or "")
            case = Case(one.text, one.options, one.stated, theirs)
            cause = cause_of(causes.LETTER_CAUSES, case, theirs != stated)
            seen = " or ".join(sorted(theirs)) or "nothing"
            tally.add(cause, (one.text, seen), same=mine == theirs, right=(mine == stated, theirs == stated))
        yield tally


def others(published: Published, name: str, said: Iterable[Stated], *, known: Cause, pair: Any) -> Tally:
    """Return the tally of a parser of something else; `pair` returns (ours, theirs, stated) of a reply."""
    tally = Tally(name)
    for one in said:
        mine, theirs, stated = pair(one)
        cause = cause_of(known, Answer(one, theirs), theirs != stated)
        tally.add(cause, (one.text, str(theirs)), same=mine == theirs, right=(mine == stated, theirs == stated))
    return tally


def rest(published: Published) -> Iterator[Tally]:
    """Yield the tallies of numbers, intervals, orders and free answers, on 1,000 replies each."""
    vsi, charades, order = map(published.task, ("vsibench", "charades_sta", "vcrbench"))
    mmmu, mmvu = map(published.task, ("videommmu", "mmvu"))

    def number(one: Stated) -> tuple[Any, Any, Any]:
        return read("number", one.text, answer="1"), vsi.extract_number(published.seen(one.text)), one.stated

    def span(one: Stated) -> tuple[Any, Any, Any]:
        found = charades.extract_time(published.seen(one.text))
        mine = read("span", one.text, spans=[[0, 1]])
        return mine, tuple(found[0]) if found else None, one.stated

    def ordered(one: Stated) -> tuple[Any, Any, Any]:
        count = len(one.truth)  # type: ignore[arg-type]
        found = order.extract_predicted_order(published.seen(one.text), count)
        return (
            read("order", one.text, answer=list(range(1, count + 1))),
            tuple(found) if any(found) else None,
            one.stated,
        )

    def free(theirs: Callable[[str, str], bool]) -> Callable[[Stated], tuple[Any, Any, Any]]:
        def pair(one: Stated) -> tuple[Any, Any, Any]:
            mine = read("short", one.text, answer=str(one.truth)).value == 1
            return mine, bool(theirs(published.seen(one.text), str(one.truth))), one.stated == one.truth

        return pair

    def rule(reply: str, truth: str) -> bool:
        return bool(mmvu.evaluate_with_rule_based({"question_type": "open-ended", "answer": truth}, reply))

    def opened(reply: str, truth: str) -> bool:
        return bool(mmmu.eval_open(truth, mmmu.parse_open_response(reply)))

    phrases = causes.PHRASE_CAUSES
    yield others(published, "vsibench, numbers", replies.numbers("n"), known=causes.NUMBER_CAUSES, pair=number)
    yield others(published, "charades_sta, intervals", replies.spans("s"), known=causes.SPAN_CAUSES, pair=span)
    yield others(published, "vcrbench, orders", replies.orders("o"), known=causes.ORDER_CAUSES, pair=ordered)
    yield others(published, "mmvu, free answers by rule", replies.phrases("f"), known=phrases, pair=free(rule))
    yield others(published, "videommmu, free answers", replies.phrases("g"), known=phrases, pair=free(opened))


def torture() -> list[Reply]:
    """Return the torture set of letters, as the tests hold it."""
    spec = importlib.util.spec_from_file_location("torture", TORTURE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [Reply(text, tuple(options), stated) for text, options, stated in module.LENIENT]


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def shown(text: str) -> str:
    """Return a reply as code in a cell."""
    short = text.encode("ascii", "backslashreplace").decode().replace("\n", "\\n").replace("|", "\\|")
    return f"`{short}`" if short.strip() else "(nothing)"


def report(title: str, tallies: Sequence[Tally]) -> None:
    """Print who read what, and why."""
    print(f"## {title}\n")
    columns = ("Parser", "Replies", "Read alike", "Ours as stated", "Theirs as stated", "Neither")
    print(
        table(
            columns,
            (
                (
                    one.name,
                    one.replies,
                    one.agree,
                    one.ours,
                    one.theirs,
                    one.replies - one.agree - one.ours - one.theirs,
                )
                for one in tallies
            ),
        )
    )
    by_cause: dict[str, list[Tally]] = defaultdict(list)
    for one in tallies:
        for cause in one.causes:
            by_cause[cause].append(one)
    rows = []
    for cause, having in sorted(by_cause.items(), key=lambda pair: -sum(one.causes[pair[0]] for one in pair[1])):
        reply, seen = having[0].examples[cause]
        names = ", ".join(f"{one.name} {one.causes[cause]}" for one in having)
        rows.append((cause, sum(one.causes[cause] for one in having), names, f"{shown(reply)}: {seen}"))
    print("\n" + table(("Cause: the published parser ...", "Replies", "Where", "For example"), rows) + "\n")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("root", type=Path, help="folder that holds lmms_eval")
    published = Published(parser.parse_args().root)
    print(f"lmms-eval {published.version}\n")
    generated, tortured, rest_of = (
        list(letters(published, None)),
        list(letters(published, torture())),
        list(rest(published)),
    )
    report("Letters, generated replies", generated)
    report("Letters, the torture set", tortured)
    report("Numbers, intervals, orders, free answers", rest_of)
    print("## Metrics\n\n" + table(("Metric", "Drawn", "Differ", "Why"), metrics.rows(published)))
    if any("UNEXPLAINED" in one.causes for one in [*generated, *tortured, *rest_of]):
        sys.exit("some disagreements have no cause: see UNEXPLAINED above")


if __name__ == "__main__":
    main()
