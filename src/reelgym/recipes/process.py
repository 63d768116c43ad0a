"""Process-aware training: perception and reasoning rewarded apart, on puzzles that verify both by themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from reelgym.algorithms import GRPO, PAGRPO, Algorithm
from reelgym.curation import gold_reply
from reelgym.data.messages import Clip
from reelgym.data.sample import Sample, Split
from reelgym.data.templates import with_instruction
from reelgym.errors import RequestError
from reelgym.judges import Reader
from reelgym.judges.endpoint import Asked
from reelgym.judges.reader import question, relabelled
from reelgym.judges.rule import Rule
from reelgym.recipes import cold_start as seeing
from reelgym.recipes import proving, recipe
from reelgym.recipes.inputs import Later
from reelgym.recipes.mvp import config_of, sides, size_of
from reelgym.recipes.sizes import Size
from reelgym.recipes.world_questions import asked_about
from reelgym.rewards import (
    Accuracy,
    Case,
    Expression,
    Format,
    Gate,
    Length,
    Perception,
    Rescale,
    Rubric,
    SegmentFormat,
    Stack,
    Sum,
)
from reelgym.training.config import Data, Example, RLConfig, RLRun, SFTConfig, SFTRun
from reelgym.training.judging import Observed, observation

OBSERVATION, REASONING = "observation", "think+answer"
WINDOWS = {OBSERVATION: (128, 320), REASONING: (320, 512)}
"""VideoP2R's windows of a segment's length, in tokens (arXiv 2511.11113)."""
LENGTH_PAY = 0.2
"""What a segment within its window earns on top (arXiv 2511.11113)."""
QUESTIONS = 4
"""Most questions about one video of the cold start. Ours."""
TRIED = 96
"""Gold observations that a reader is tried on. Ours."""

Separation = Literal["segments", "none"]
Window = tuple[int, int]
"""Fewest and most tokens, both included."""


def segment_reward(accuracy: Expression, of: str, *, window: Window | None) -> Sum:
    """Return accuracy + format + length of one segment (VideoP2R, arXiv 2511.11113, equation 5).

    Args:
        accuracy: Of the segment, in [0, 1] or below 0 where it is corrected for chance.
        of: `observation` or `think+answer`.
        window: The length that earns 0.2 where accuracy and format are both above 0; None for no such reward.
    """
    form = SegmentFormat(of)
    terms: tuple[Expression, ...] = (accuracy, form)
    if window is not None:
        paid = Rescale(Length(*window, of), LENGTH_PAY)
        terms = (*terms, Gate(Gate(paid, form), accuracy))
    return Sum(terms)


def process_rubric(
    *,
    perception: bool = True,
    reasoning: bool = True,
    length: bool = True,
    windows: Mapping[str, Window] = WINDOWS,
    metric: str = "value",
) -> Rubric:
    """Return VideoP2R's rubric, whole or without one of its parts.

    Without perception it is the process-agnostic one: accuracy, format of the whole reply and length of the reasoning,
    on all tokens. Without reasoning only the observation is scored.

    Args:
        perception: Whether the observation has a reward.
        reasoning: Whether think and answer have one.
        length: Whether lengths within `windows` are paid.
        windows: The window of each segment in tokens.
        metric: The part of the task's score that is the accuracy of an answer, as for `Accuracy`.
    """
    paying: Mapping[str, Window] = windows if length else {}
    right = Accuracy(metric)
    if not perception and not reasoning:
        raise RequestError("perception=false and reasoning=false leave no reward: keep one of them")
    if not perception:
        form, paid = Format("tagged"), Rescale(Length(*windows[REASONING], REASONING), LENGTH_PAY)
        whole: tuple[Expression, ...] = (right, form)
        return Rubric(expression=Sum((*whole, Gate(Gate(paid, form), right)) if length else whole))
    columns = {OBSERVATION: segment_reward(Perception(), OBSERVATION, window=paying.get(OBSERVATION))}
    if reasoning:
        columns[REASONING] = segment_reward(right, REASONING, window=paying.get(REASONING))
    return Rubric(expression=Stack(tuple(columns), tuple(columns.values())))


def process_algorithm(*, perception: bool = True, separation: Separation = "segments", cross: float = 0.0) -> Algorithm:
    """Return PA-GRPO with the asked credit, or GRPO where perception is not rewarded."""
    if perception:
        return PAGRPO(credit="own" if separation == "segments" else "all", cross=cross)
    if separation != "segments" or cross:
        raise RequestError("separation and cross need perception=true: without it there is one reward on all tokens")
    return GRPO()


PAPER = RLConfig(
    # Published: 1,000 updates, 8 rollouts of each of 7 prompts, a frozen reference.
    steps=1000,
    prompts_per_step=7,
    group_size=8,
    # Of Video-R1 and VideoRFT, whose set-up the paper says it follows.
    lr=1e-6,
    schedule="cosine",
    weight_decay=0.01,
    max_grad_norm=5.0,
    kl_coef=0.04,
    temperature=1.0,
    # Ours: above the sum of the two length windows.
    max_completion_tokens=1024,
    eval_tokens=1024,
    micro_batch_tokens=16384,
    gradient_checkpointing=True,
    save_every=100,
    eval_every=100,
)
"""VideoP2R's settings of RL for Qwen2.5-VL 3B and 7B (arXiv 2511.11113); what it leaves open is marked."""


@recipe
def videop2r(
    *,
    model: str = "tiny",
    data: str = "",
    size: Size = "auto",
    judge: Literal["endpoint", "rule"] = "endpoint",
    judge_url: str = "",
    judge_model: str = "",
    blind_judge: bool = False,
    perception: bool = True,
    reasoning: bool = True,
    length: bool = True,
    observation_tokens: Window = WINDOWS[OBSERVATION],
    reasoning_tokens: Window = WINDOWS[REASONING],
    metric: str = "auto",
    separation: Separation = "segments",
    cross: float = 0.0,
    seed: int = 0,
) -> RLRun:
    """PA-GRPO with a judge of perception (VideoP2R, arXiv 2511.11113), after `videop2r_sft`.

    The judge is a model behind an endpoint that decides from question, key and observation whether the observation
    suffices, of held-out replies too: their score counts perception. Its replies are kept in
    `DATASET-judge-replies.jsonl`, in `RUN/judge-replies.jsonl` without a dataset, so that no question is paid twice.

    Args:
        model: What to start from: a run of `videop2r_sft`, a folder, a hub name.
        data: Dataset folder of questions; the embedded world's puzzles where empty and the model is tiny.
        size: `tiny`, `3b-24gb`, `7b-80gb`, or `paper` for the published settings.
        judge: `rule`: no endpoint, the facts beside rendered videos, or the right option, decide (ours).
        judge_url: Base address of the judge's endpoint; needed while perception is rewarded by one.
        judge_model: The model there.
        blind_judge: Whether the judge does not see the right answer (ours).
        perception: False: without perception reward, which is process-agnostic GRPO (the paper's ablation).
        reasoning: False: without reasoning reward (ablation).
        length: False: without length reward (ablation). The windows fit long chains, so `tiny` never has it.
        observation_tokens: Fewest and most tokens of an observation whose length is paid.
        reasoning_tokens: The same of think and answer.
        metric: What an answer is paid by: `auto` is the papers' own metric where the task has it, else its value.
        separation: `none`: both rewards on all tokens (ablation).
        cross: Share of the reasoning's advantage that observation tokens take too (ours).
        seed: Of order, sampling and rendered videos.
    """
    chosen = size_of(model, size)
    config = replace(PAPER, seed=seed) if chosen == "paper" else config_of(chosen, "videop2r", seed)
    tiny = chosen == "tiny"
    kept = f"{data.rstrip('/')}-judge-replies.jsonl" if data else ""
    asked = Asked(judge_url, judge_model, blind=blind_judge, journal=kept)
    if perception and judge == "endpoint" and not (judge_url and judge_model):
        raise RequestError(
            "videop2r rewards perception by a judge: give judge_url=URL and judge_model=NAME, or perception=false; "
            "judge=rule, on rendered videos, and process_mvp need no endpoint"
        )
    if not data and not model.startswith("tiny"):
        raise RequestError(f"recipe videop2r with model={model} needs data=DATASET: `reelgym import` makes one")
    train, test = sides(data, seed)
    return RLRun(
        policy=model,
        data=train,
        eval_data=test,
        variant="tagged" if tiny else "videop2r",
        rubric=process_rubric(
            perception=perception,
            reasoning=reasoning,
            length=length and not tiny,
            windows={OBSERVATION: observation_tokens, REASONING: reasoning_tokens},
            metric=metric,
        ),
        algorithm=process_algorithm(perception=perception, separation=separation, cross=cross),
        judge=(Rule() if judge == "rule" else asked) if perception else None,
        config=config,
    )


@recipe
def process_mvp(
    *,
    model: str = "tiny",
    data: str = "",
    size: Size = "auto",
    untried: bool = False,
    judge: Literal["reader", "rule"] = "reader",
    perception: bool = True,
    reasoning: bool = True,
    length: bool = True,
    observation_tokens: Window = WINDOWS[OBSERVATION],
    reasoning_tokens: Window = WINDOWS[REASONING],
    separation: Separation = "segments",
    cross: float = 0.0,
    seed: int = 0,
) -> RLRun:
    """MVP (arXiv 2601.03781) with perception and reasoning rewarded apart: no labels, no judge but a frozen reader.

    The observation is worth what a frozen copy of the starting policy scores from it alone, without pixels; think and
    answer are worth what the puzzle's own scorer gives. PA-GRPO (VideoP2R, arXiv 2511.11113) credits each on its own
    tokens. The combination is ours. The run refuses to start unless the reader reads gold observations: start from what
    `process_cold_start` made.

    Args:
        model: What to start from: a run of `process_cold_start`, a folder, a hub name.
        data: Dataset folder made by `reelgym synth`; the embedded world where empty.
        size: As for `mvp`.
        untried: Whether to go on with a reader that was never tried: gold observations are known for the world alone.
        judge: Who says what an observation is worth: `reader`, or `rule`: the facts beside rendered videos.
        perception: Whether the observation is rewarded; without it this is plain GRPO with format.
        reasoning: Whether think and answer are rewarded.
        length: Whether lengths are; `tiny`, whose chains are short, never has it.
        observation_tokens: Fewest and most tokens of an observation whose length is paid.
        reasoning_tokens: The same of think and answer.
        separation: `segments`: each reward on its own tokens; `none`: both on all tokens.
        cross: Share of the reasoning's advantage that observation tokens take too.
        seed: Of order, sampling and rendered videos.
    """
    chosen = size_of(model, size)
    config = config_of(chosen, "tagged", seed)
    reading = perception and judge == "reader"
    if reading and data and not untried:
        raise RequestError(
            f"the reader cannot be tried on {data}: its gold observations are not known. "
            "Try the model on the embedded world first (leave data out), then give untried=true"
        )
    train, test = sides(data, seed)
    return RLRun(
        policy=model,
        data=train,
        eval_data=test,
        rubric=process_rubric(
            perception=perception,
            reasoning=reasoning,
            length=length and chosen != "tiny",
            windows={OBSERVATION: observation_tokens, REASONING: reasoning_tokens},
        ),
        algorithm=process_algorithm(perception=perception, separation=separation, cross=cross),
        judge=(Reader(max_tokens=config.max_completion_tokens) if reading else Rule()) if perception else None,
        gold=Later(_gold, "test", *proving.TEST, seed) if reading and not data else None,
        config=config,
    )


@recipe
def process_cold_start(
    *, model: str = "tiny", steps: int = 400, sight: bool = True, habit: float = 0.6, lr: float = 5e-4, seed: int = 0
) -> SFTRun:
    """Teach a cold-started embedded model the other half: to read an observation, and to answer the world's questions.

    A step mixes the cold start's own examples, so that nothing is forgotten, with reader examples (question, gold
    observation with its candidates renumbered, no pixels), questions with lettered options, and drills. The packaged
    `tiny` ends with this recipe. Ours.

    Args:
        model: What to start from.
        steps: Optimisation steps of 96 examples.
        sight: False: reader examples and drills alone, which have no pixels and train three times as fast.
        habit: Share of the puzzles' chains that reason by habit, as for `cold_start`.
        lr: Peak learning rate.
        seed: Of videos, puzzles and order.
    """
    config = SFTConfig(
        steps=steps,
        lr=lr,
        warmup_steps=20,
        schedule="linear",
        weight_decay=0.01,
        examples_per_step=96,
        feature_cache_prompts=64,
        micro_batch_tokens=5000,
        save_every=50,
        seed=seed,
    )
    return SFTRun(policy=model, data=Later(_seeing_and_reading, sight, habit, seed), config=config)


def _gold(split: Split, videos: int, per_video: int, seed: int) -> Data:
    ground = proving.ground(split, videos, per_video, seed)
    items = []
    for sample in seeing.told_apart(ground)[:TRIED]:
        said = observation(gold_reply(sample, ground.word(sample), "tagged"))
        items.append(Observed(sample, said or ""))
    return Data(items, ground.dataset.media(proving.store()))


def reader_example(sample: Sample, word: Callable[[float], str], key: str) -> Example:
    """Return what a reader has to learn from one puzzle: its gold observation in, its thinking and answer out.

    Args:
        sample: A sample of the task `mvp`.
        word: From a time in seconds to what the video shows then.
        key: The candidates' new numbers are drawn from it.
    """
    said = observation(gold_reply(sample, word, "tagged"))
    case, _ = relabelled(Case(sample, said, key))
    pool = sample.evidence["candidate_times"]
    shown = [word(pool[number - 1]) for number in sample.answer]
    thought = " ".join(f"{square} {number}" for square, number in zip(shown, case.sample.answer, strict=True))
    answer = ", ".join(map(str, case.sample.answer))
    reply = f"<think> {thought}</think><answer>{answer}</answer>"
    return Example(question(case.sample, case.observation or ""), reply)


def question_example(sample: Sample, word: Callable[[float], str]) -> Example:
    """Return what a model has to learn from one question of the world: what each frame shows, then the letter.

    Args:
        sample: Of `world_questions`.
        word: From a time in seconds to what the video shows then.
    """
    (clip,) = (part for part in sample.messages[0].parts if isinstance(part, Clip))
    seen = " ".join(word(time) for time in clip.times)
    reply = f"<observation> {seen}</observation><think> {sample.answer}</think><answer>{sample.answer}</answer>"
    return Example(with_instruction(sample.messages, "tagged"), reply)


def _seeing_and_reading(sight: bool, habit: float, seed: int) -> Data:
    found = seeing.ground(seed=seed)
    examples = [reader_example(one, found.word(one), f"cold start {seed} {one.id}") for one in seeing.told_apart(found)]
    if sight:
        examples += seeing.examples(found, direct_every=8, habit=habit, seed=seed)
        asked = asked_about(found, QUESTIONS)
        examples += [question_example(one, found.facts[one.provenance["source"]].word) for one in asked.items]
    examples += seeing.drills(len(examples) // 3, seed)
    return Data(examples, found.dataset.media(proving.store()))
