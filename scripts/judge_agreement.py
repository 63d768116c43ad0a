"""Prints how judges that need no model agree with what is known, on observations spoilt in known ways.

No video is rendered: scenes are drawn for their facts alone. docs/judges.md holds what it printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from reelgym import world
from reelgym.curation import gold_reply
from reelgym.data.form import contents
from reelgym.data.sample import Sample
from reelgym.judges import RuleJudge, TextMatchJudge, agreement
from reelgym.judges.agreement import markdown
from reelgym.rewards.perception import Case
from reelgym.scoring.choice import LETTERS

SCENES = 200
Known = tuple[Case, bool]


def facts(seed: int) -> world.Facts:
    """Return the facts of one scene."""
    kind = ("moving", "cups", "counter")[seed % 3]
    return world.render(kind, seed, seconds=10, fps=10, side=64).facts


def puzzles(random: Random) -> Iterator[Known]:
    """Yield observations of puzzles with whether they suffice: gold, reworded, one square off, one left out."""
    for seed in range(SCENES):
        word = facts(seed).word
        times = [0.5 + second for second in range(9)]
        start = random.randint(2, 4)
        hidden, context = times[start : start + 3], (times[:start], times[start + 3 :])
        pool = random.sample(hidden, 3)
        answer = [pool.index(time) + 1 for time in hidden]
        about = {"pool": 3, "candidate_times": pool, "context_times": [list(part) for part in context]}
        sample = Sample(id=str(seed), task="mvp", messages=(), answer=answer, split="train", evidence=about)
        WORDS[sample.id] = word
        gold = contents(gold_reply(sample, word, "tagged"))["observation"]
        told = ", ".join(f"candidate {number} shows {word(time)}" for number, time in enumerate(pool, 1))
        sides = [", ".join(word(time) for time in part) for part in context]
        off = random.choice([square for square in ("a1", "h8", "d5", "c2") if square != word(pool[0])])
        for observation, suffices in (
            (gold, True),
            (f"Before the gap {sides[0]}; after it {sides[1]}; {told}.", True),
            (gold.replace(f"{word(pool[0])} 1", f"{off} 1"), False),
            (gold.rsplit(" ", 2)[0], False),
            (gold.rpartition("|")[2], False),
        ):
            yield Case(sample, observation, sample.id), suffices


def questions(random: Random) -> Iterator[Known]:
    """Yield observations for the world's questions with whether they suffice: said, denied, both, another, none."""
    for seed in range(SCENES // 4):
        for place, asked in enumerate(facts(seed).questions()):
            other = random.choice([option for option in asked.options if option != asked.answer])
            right = LETTERS[asked.options.index(asked.answer)]
            about = {"kind": "choice", "options": list(asked.options)}
            name = f"{seed} {place}"
            sample = Sample(id=name, task="labelled", messages=(), answer=right, split="train", evidence=about)
            for observation, suffices in (
                (f"I look where it is asked and see {asked.answer} there", True),
                (f"It is not {other}, but {asked.answer}", True),
                (f"Perhaps {asked.answer}; perhaps {other}", False),
                (f"It is surely not {asked.answer}", False),
                (f"I see {other} there", False),
                ("Things move about, and I did not look closely", False),
            ):
                yield Case(sample, observation, name), suffices


WORDS: dict[str, object] = {}


def main() -> None:
    """Print both tables."""
    for title, known in (("Puzzles", list(puzzles(Random(0)))), ("Questions", list(questions(Random(0))))):
        cases, truth = [case for case, _ in known], [suffices for _, suffices in known]
        judges = (RuleJudge(lambda sample: WORDS[sample.id]), TextMatchJudge())  # type: ignore[arg-type,return-value]
        found = [agreement(judge.judge(cases), truth, judge.name) for judge in judges]
        print(f"{title}: {len(cases)} observations, {sum(truth)} of them suffice\n\n{markdown(found)}\n")


if __name__ == "__main__":
    main()
