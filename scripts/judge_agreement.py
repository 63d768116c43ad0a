"""Prints how judges agree with what is known, on observations spoilt in known ways.

    python scripts/judge_agreement.py                     # judges that need no model: rule, text match
    python scripts/judge_agreement.py --reader FOLDER     # beside them a frozen reader: a model or run

Scenes are drawn for their facts alone; only a reader's own puzzles are rendered. docs/judges.md holds what it printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import nullcontext
from random import Random
from typing import Any

from reelgym import world
from reelgym.curation import gold_reply
from reelgym.data.form import contents
from reelgym.data.messages import Message, Text
from reelgym.data.sample import Sample
from reelgym.judges import FrozenReader, RuleJudge, TextMatchJudge, agreement
from reelgym.judges.agreement import markdown
from reelgym.models import load
from reelgym.recipes import proving
from reelgym.recipes.cold_start import told_apart
from reelgym.rewards.perception import Case
from reelgym.scoring.choice import LETTERS

SCENES = 200
PUZZLE = (Message("user", (Text("Which 3 of these 5 candidates fill the gap, in time order?"),)),)
Known = tuple[Case, bool]


def facts(seed: int) -> world.Facts:
    """Return the facts of one scene."""
    kind = ("moving", "cups", "counter")[seed % 3]
    return world.render(kind, seed, seconds=10, fps=10, side=64).facts


def puzzles(random: Random, scenes: int = SCENES) -> Iterator[Known]:
    """Yield observations of puzzles with whether they suffice: gold, reworded, one square off, one left out."""
    for seed in range(scenes):
        word = facts(seed).word
        # As the embedded world's puzzles are: eight frames, three of them hidden, two look-alikes from beside them.
        times = [0.5 + second for second in range(8)]
        start = random.randint(2, 3)
        hidden, context = times[start : start + 3], (times[:start], times[start + 3 :])
        pool = random.sample([*hidden, hidden[0] - 0.5, hidden[-1] + 0.5], 5)
        if len({word(time) for time in pool}) < len(pool):
            continue
        answer = [pool.index(time) + 1 for time in hidden]
        about = {"pool": 5, "candidate_times": pool, "context_times": [list(part) for part in context]}
        sample = Sample(id=str(seed), task="mvp", messages=PUZZLE, answer=answer, split="train", evidence=about)
        WORDS[sample.id] = word
        gold = contents(gold_reply(sample, word, "tagged"))["observation"]
        yield from spoilt(sample, gold, random)
        told = ", ".join(f"candidate {number} shows {word(time)}" for number, time in enumerate(pool, 1))
        sides = [", ".join(word(time) for time in part) for part in context]
        yield Case(sample, f"Before the gap {sides[0]}; after it {sides[1]}; {told}.", sample.id), True


def rendered(random: Random, scenes: int = SCENES) -> Iterator[Known]:
    """Yield the same of the puzzles that `process_mvp` holds out, which a reader is tried on: gold and spoilt."""
    place = proving.world_folder("judges")
    ground = proving.prepare(place, split="test", videos=scenes // 4, per_video=3, seed=0)
    for sample in told_apart(ground):
        WORDS[sample.id] = word = ground.word(sample)
        yield from spoilt(sample, contents(gold_reply(sample, word, "tagged"))["observation"], random)


def spoilt(sample: Sample, gold: str, random: Random) -> Iterator[Known]:
    """Yield a gold observation, then it with a square off, with a candidate left out, and without the context."""
    first = gold.rpartition("|")[2].split()[0]
    off = random.choice([square for square in ("a1", "h8", "d5", "c2") if square != first])
    yield Case(sample, gold, sample.id), True
    for said in (gold.replace(f"{first} 1", f"{off} 1"), gold.rsplit(" ", 2)[0], gold.rpartition("|")[2]):
        yield Case(sample, said, sample.id), False


def questions(random: Random, scenes: int = SCENES) -> Iterator[Known]:
    """Yield observations for the world's questions with whether they suffice: said, denied, both, another, none."""
    for seed in range(scenes // 4):
        for place, asked in enumerate(facts(seed).questions()):
            other = random.choice([option for option in asked.options if option != asked.answer])
            right = LETTERS[asked.options.index(asked.answer)]
            about = {"kind": "choice", "options": list(asked.options)}
            name = f"{seed} {place}"
            lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, asked.options, strict=False)]
            told = (Message("user", (Text("\n".join([asked.text, *lines, "Answer with the letter of one option."])),)),)
            sample = Sample(id=name, task="labelled", messages=told, answer=right, split="train", evidence=about)
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", help="a model or run that reads: `tiny`, a folder, what `models.load` takes")
    parser.add_argument("--scenes", type=int, default=SCENES, help="scenes; a quarter is asked about")
    given = parser.parse_args()
    judges: list[Any] = [RuleJudge(lambda sample: WORDS[sample.id]), TextMatchJudge()]  # type: ignore[arg-type,return-value]
    if given.reader:
        policy = load(given.reader)
        judges.append(FrozenReader(lambda: nullcontext(policy), max_tokens=64))
    made = {"Puzzles": puzzles(Random(0), given.scenes), "Questions": questions(Random(0), given.scenes)}
    if given.reader:
        made["Puzzles of process_mvp"] = rendered(Random(0), given.scenes)
    for title, known in ((title, list(cases)) for title, cases in made.items()):
        cases, truth = [case for case, _ in known], [suffices for _, suffices in known]
        named = [getattr(judge, "name", f"frozen reader: {given.reader}") for judge in judges]
        found = [agreement(judge.judge(cases), truth, name) for judge, name in zip(judges, named, strict=True)]
        print(f"{title}: {len(cases)} observations, {sum(truth)} of them suffice\n\n{markdown(found)}\n")


if __name__ == "__main__":
    main()
