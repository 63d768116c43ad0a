"""Gold chains of thought for masked video prediction, written from facts that are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from reelgym.data.sample import Sample
from reelgym.data.templates import Variant


def gold_reply(sample: Sample, word: Callable[[float], str], variant: Variant) -> str:
    """Return the right reply to a masked-video-prediction sample, with the observation that leads to it.

    The observation names the state of each context frame, before and after the gap, then the state of each candidate
    followed by its number. The thinking names the state of each hidden frame followed by the number that shows it.
    A number always follows the thing it names: a small model trained with the number first learns to see and never
    to order. A space follows each opening tag, so that a state is the same token wherever it stands.

    Args:
        sample: A sample of the task `mvp`.
        word: From a time in seconds to one short word for what the video shows then.
        variant: `direct` for the bare answer; any other for observation, think and answer.

    Returns:
        The reply as text, without an end token.

    Reference: the three tags are VideoP2R's (Jiang et al., arXiv 2511.11113); the wording is ours.
    """
    return ", ".join(map(str, sample.answer)) if variant == "direct" else _chain(sample, word, sample.answer)


def habit_reply(sample: Sample, word: Callable[[float], str]) -> str:
    """Return a chain of thought that looks and then does not think: it takes the first candidates by their numbers.

    The observation is `gold_reply`'s own. A model taught more of these chains than of gold ones answers by habit under
    greedy decoding and by looking in some of its samples, which is what a reward for the answer can tell apart. Ours.

    Args:
        sample: A sample of the task `mvp`.
        word: From a time in seconds to one short word for what the video shows then.
    """
    return _chain(sample, word, range(1, len(sample.answer) + 1))


def _chain(sample: Sample, word: Callable[[float], str], picked: Sequence[int]) -> str:
    before, after = sample.evidence["context_times"]
    pool = sample.evidence["candidate_times"]
    seen = " ".join(f"{word(time)} {number}" for number, time in enumerate(pool, start=1))
    context = " | ".join(" ".join(word(time) for time in times) for times in (before, after))
    order = " ".join(f"{word(pool[number - 1])} {number}" for number in picked)
    answer = ", ".join(map(str, picked))
    return f"<observation> {context} | {seen}</observation><think> {order}</think><answer>{answer}</answer>"


def drill_reply(rng: Random, *, pairs: int = 8, picks: int = 8, context: int = 0, alike: float = 0.25) -> str:
    """Return a drill in the form of a tagged reply: squares with their numbers, then some of them once more.

    What follows a square in the thinking can only be copied from the observation: the step from seeing to ordering
    that a small model learns last. No number is named twice, not even where two of them share a square: without such
    drills a model names one again once it has left the path. No video is behind any of it.

    Args:
        rng: Draws the squares and their order.
        pairs: Numbers in the observation, from 1.
        picks: How many are named once more, at most all.
        context: Squares before them, in two parts: with some, the drill has the form of `gold_reply`.
        alike: Probability that one square has two of the numbers.
    """
    squares = rng.sample([f"{column}{row}" for column in "abcdefgh" for row in range(1, 9)], pairs + context)
    before, squares = squares[:context], squares[context:]
    if rng.random() < alike:
        one, other = rng.sample(range(pairs), 2)
        squares[other] = squares[one]
    named = [f"{square} {number}" for number, square in enumerate(squares, start=1)]
    again = rng.sample(named, picks)
    cut = rng.randint(2, context - 2) if context >= 4 else 0
    parts = [" ".join(part) for part in (before[:cut], before[cut:], named) if part]
    answer = ", ".join(pair.split()[1] for pair in again)
    return f"<observation> {' | '.join(parts)}</observation><think> {' '.join(again)}</think><answer>{answer}</answer>"
