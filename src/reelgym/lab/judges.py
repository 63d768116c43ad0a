"""How judges agree with what is known, on observations of rendered scenes that are spoilt in known ways.

Scenes are drawn for their facts alone; only a reader's own puzzles are rendered. Ours. docs/judges.md holds a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from reelgym import world
from reelgym.curation import gold_reply
from reelgym.data.form import contents
from reelgym.data.messages import Clip, Message, Text
from reelgym.data.sample import Sample
from reelgym.judges import Agreement, RuleJudge, TextMatchJudge, agreement
from reelgym.recipes import proving
from reelgym.recipes.cold_start import told_apart
from reelgym.rewards.perception import Case, Judge, Verdict
from reelgym.scoring.choice import LETTERS
from reelgym.video import FrameSpec

SCENES = 200
"""How many are drawn; a quarter of them is asked about."""

TOGETHER = 256
"""Observations that are judged together."""

Word = Callable[[float], str]
"""From a time in seconds to what the video shows then."""


@dataclass(frozen=True)
class Known:
    """An observation, whether it suffices, and for puzzles what names the states of the video."""

    case: Case
    suffices: bool
    word: Word | None = None


def agreements(
    judges: Mapping[str, Judge],
    *,
    scenes: int = SCENES,
    own: bool = False,
    progress: Callable[[str], Callable[[int, int], None]] | None = None,
) -> dict[str, list[Agreement]]:
    """Return how judges agree with what is known, by the kind of observation; rule and text match come first.

    Args:
        judges: By name.
        scenes: How many are drawn.
        own: Whether to judge the puzzles that `process_mvp` holds out too, which are rendered: a frozen reader's own.
        progress: From a stage's name to what is told (done, total).
    """
    made = {"Puzzles": puzzles(Random(0), scenes), "Questions": questions(Random(0), scenes)}
    if own:
        made["Puzzles of process_mvp"] = rendered(Random(0), scenes)
    found: dict[str, list[Agreement]] = {}
    for title, known in ((title, list(one)) for title, one in made.items()):
        if not known:
            continue
        words = {one.case.sample.id: one.word for one in known}
        asked: dict[str, Judge] = {"rule": RuleJudge(lambda sample, words=words: words[sample.id])}  # type: ignore[misc]
        asked |= {"text match": TextMatchJudge(), **judges}
        tell = progress(title) if progress else lambda done, total: None
        verdicts: dict[str, list[Verdict]] = {name: [] for name in asked}
        for name, judge in asked.items():
            for start in range(0, len(known), TOGETHER):
                verdicts[name] += judge.judge([one.case for one in known[start : start + TOGETHER]])
                tell(sum(map(len, verdicts.values())), len(asked) * len(known))
        truth = [one.suffices for one in known]
        found[title] = [agreement(said, truth, name) for name, said in verdicts.items()]
    return found


def told(text: str) -> tuple[Message, ...]:
    """Return a question about a video that nobody renders."""
    return (Message("user", (Clip(video="unseen", spec=FrameSpec(fps=1.0), times=(0.5,)), Text(text))),)


PUZZLE = told("Which 3 of these 5 candidates fill the gap, in time order?")


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
        gold = contents(gold_reply(sample, word, "tagged"))["observation"]
        yield from spoilt(sample, gold, word, random)
        shown = ", ".join(f"candidate {number} shows {word(time)}" for number, time in enumerate(pool, 1))
        sides = [", ".join(word(time) for time in part) for part in context]
        yield Known(Case(sample, f"Before the gap {sides[0]}; after it {sides[1]}; {shown}.", sample.id), True, word)


def rendered(random: Random, scenes: int = SCENES) -> Iterator[Known]:
    """Yield the same of the puzzles that `process_mvp` holds out, which a reader is tried on: gold and spoilt."""
    place = proving.world_folder(f"judges-{scenes // 4}")
    ground = proving.prepare(place, split="test", videos=scenes // 4, per_video=3, seed=0)
    for sample in told_apart(ground):
        word = ground.word(sample)
        yield from spoilt(sample, contents(gold_reply(sample, word, "tagged"))["observation"], word, random)


def spoilt(sample: Sample, gold: str, word: Word, random: Random) -> Iterator[Known]:
    """Yield a gold observation, then it with a square off, with a candidate left out, and without the context."""
    first = gold.rpartition("|")[2].split()[0]
    off = random.choice([square for square in ("a1", "h8", "d5", "c2") if square != first])
    yield Known(Case(sample, gold, sample.id), True, word)
    for said in (gold.replace(f"{first} 1", f"{off} 1"), gold.rsplit(" ", 2)[0], gold.rpartition("|")[2]):
        yield Known(Case(sample, said, sample.id), False, word)


def questions(random: Random, scenes: int = SCENES) -> Iterator[Known]:
    """Yield observations for the world's questions with whether they suffice: said, denied, both, another, none."""
    for seed in range(scenes // 4):
        for place, asked in enumerate(facts(seed).questions()):
            other = random.choice([option for option in asked.options if option != asked.answer])
            right = LETTERS[asked.options.index(asked.answer)]
            about = {"kind": "choice", "options": list(asked.options)}
            name = f"{seed} {place}"
            lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, asked.options, strict=False)]
            text = "\n".join([asked.text, *lines, "Answer with the letter of one option."])
            sample = Sample(id=name, task="labelled", messages=told(text), answer=right, split="train", evidence=about)
            for observation, suffices in (
                (f"I look where it is asked and see {asked.answer} there", True),
                (f"It is not {other}, but {asked.answer}", True),
                (f"Perhaps {asked.answer}; perhaps {other}", False),
                (f"It is surely not {asked.answer}", False),
                (f"I see {other} there", False),
                ("Things move about, and I did not look closely", False),
            ):
                yield Known(Case(sample, observation, name), suffices)
