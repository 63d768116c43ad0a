"""Judges that need no model: verdicts parsed, leaks refused, rules by hand, agreement by hand arithmetic."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_server import Said, serving, text_of

from reelgym import world
from reelgym.curation import gold_reply
from reelgym.data.form import contents
from reelgym.data.messages import Message, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.judges import EndpointJudge, TextMatchJudge, agreement
from reelgym.judges.agreement import markdown
from reelgym.judges.endpoint import Asked, verdict_of
from reelgym.judges.leaks import leak
from reelgym.judges.rule import Rule, RuleJudge
from reelgym.rewards.perception import Case, Lent, Verdict
from reelgym.rollout.chat import Chat, Endpoint

COLOURS = Sample(
    id="colour",
    task="labelled",
    messages=(Message("user", (Text("What colour is the hand?\nA. red\nB. dark blue\nC. blue"),)),),
    answer="B",
    split="train",
    evidence={"kind": "choice", "options": ["red", "dark blue", "blue"]},
)
SQUARES = {0.0: "a1", 1.0: "b1", 2.0: "c1", 3.0: "d1", 4.0: "e1", 5.0: "f1", 9.0: "h8"}
PUZZLE = Sample(
    id="puzzle",
    task="mvp",
    messages=(),
    answer=[2, 1],
    split="train",
    evidence={"pool": 3, "candidate_times": [3.0, 2.0, 9.0], "context_times": [[0.0, 1.0], [4.0, 5.0]]},
)
RULE = RuleJudge(lambda sample: SQUARES.__getitem__)
GOLD = contents(gold_reply(PUZZLE, SQUARES.__getitem__, "tagged"))["observation"]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("It says so. <judgement>yes</judgement>", True),
        ("<judgement> No. </judgement>", False),
        ("<judgement>yes</judgement> or <judgement>no</judgement>", None),
        ("<judgement>yes", None),
        ("<judgement>maybe</judgement>", None),
        ("yes", None),
        ("", None),
    ],
)
def test_a_verdict_is_one_whole_yes_or_no(text: str, verdict: bool | None) -> None:
    assert verdict_of(text) is verdict


@pytest.mark.parametrize(
    ("observation", "stated"),
    [
        ("The correct answer is B.", True),
        ("I see a hand. Option B.", True),
        # No letter and no option by itself: the claim alone tells.
        ("A hand moves, and the correct option is the darker one", True),
        ("My answer must be the darker one of them", True),
        ("Answer: the darker one", True),
        ("It moves to the right, the answering machine blinks", False),
        ("It moves left. B", True),
        ("It is dark. Dark blue!", True),
        ("Based on the question, I need to notice that the hand is dark blue.", False),
        ("A hand moves; plan B fails.", False),
    ],
)
def test_an_observation_that_merely_states_the_option_is_told(observation: str, stated: bool) -> None:
    assert bool(leak(observation, COLOURS)) == stated


def test_candidates_stated_as_an_order_are_a_leak_and_squares_are_none() -> None:
    assert leak("First 2, then 1.", PUZZLE)
    assert not leak(GOLD, PUZZLE)


def cases(*observations: str | None) -> list[Case]:
    return [Case(COLOURS, observation, "key") for observation in observations]


@pytest.mark.parametrize(
    ("observation", "score"),
    [
        ("the hand is dark blue", 1.0),
        ("the hand is blue", 0.0),
        ("the hand is not red but dark blue", 1.0),
        ("the hand is not dark blue", 0.0),
        ("it is red, then dark blue", 0.0),  # Two are asserted.
        ("I see a hand", 0.0),
        (None, 0.0),
    ],
)
def test_the_rule_judge_takes_the_one_option_that_is_asserted(observation: str | None, score: float) -> None:
    (verdict,) = RULE.judge(cases(observation))
    assert verdict.score == score


def test_the_rule_judge_finds_what_a_puzzles_observation_gets_right_wrong_and_misses() -> None:
    assert GOLD == "a1 b1 | e1 f1 | d1 1 c1 2 h8 3"
    found = RULE.findings(PUZZLE, GOLD)
    assert found is not None
    assert (found.precision, found.recall, found.suffices) == (1.0, 1.0, True)
    # Candidate 1 is at d1, not d2; candidate 3 is left out. Context right: 4; candidates right: 1 of 2 claims.
    found = RULE.findings(PUZZLE, "a1 b1 | e1 f1 | d2 1 c1 2")
    assert found is not None
    assert (found.wrong, found.missed, found.suffices) == (("d2 1",), ("d1 1", "h8 3"), False)
    assert (found.precision, found.recall) == (5 / 6, 5 / 7)
    said = "Before: a1, b1. After: e1, f1. Candidate 1 shows d1, candidate 2 shows c1 and candidate 3 is in square h8."
    assert RULE.judge([Case(PUZZLE, said, "k")])[0].score == 1.0
    for spoilt in (GOLD.replace("b1", "b2"), GOLD.replace("e1 ", ""), GOLD + " d2 1", "a1 b1 | e1 f1"):
        assert RULE.judge([Case(PUZZLE, spoilt, "k")])[0].score == 0.0
    unknown = Sample(id="x", task="labelled", messages=(), answer="3", split="train", evidence={"kind": "number"})
    assert RULE.judge([Case(unknown, "three", "k")])[0].score is None


def test_the_text_match_judge_wants_the_options_words_and_is_fooled_by_a_denial() -> None:
    said = TextMatchJudge().judge(cases("a DARK, blue hand", "blue hand", "it is not dark blue", None))
    assert [verdict.score for verdict in said] == [1.0, 0.0, 1.0, 0.0]


def test_agreement_is_counted_and_corrected_for_chance() -> None:
    scores = [1.0, 1.0, 1.0, 0.0, 0.0, None]
    found = agreement([Verdict(score) for score in scores], [True, True, False, False, True, True], "j")
    assert (found.right_yes, found.wrong_yes, found.right_no, found.wrong_no, found.silent) == (2, 1, 1, 1, 1)
    # Accuracy 3/5. Said yes 3/5, true 3/5: chance 9/25 + 4/25 = 13/25. Kappa (15 - 13) / (25 - 13) = 1/6.
    assert (found.accuracy, found.kappa) == (0.6, pytest.approx(1 / 6))
    assert "| j | 0.60 | 0.17 | 2 | 1 | 1 | 1 | 1 |" in markdown([found])
    same = agreement([Verdict(1.0)], [True], "j")
    assert (same.accuracy, same.kappa) == (1.0, None)
    with pytest.raises(RequestError, match="0 verdicts and 0 truths"):
        agreement([], [], "j")


def judge(url: str, **settings: Any) -> EndpointJudge:
    return EndpointJudge(Chat(Endpoint(url=url, model="m", backoff_seconds=0.01, retries=1)), **settings)


def test_the_endpoint_judge_sees_the_key_and_no_pixel_and_logs_its_verdicts(tmp_path: Path) -> None:
    def answer(body: dict[str, Any], before: int) -> Said:
        return Said(f"I read it. <judgement>{'yes' if 'it is dark' in text_of(body) else 'no'}</judgement>")

    with serving(answer) as server:
        found = judge(server.url, log=tmp_path / "log.jsonl").judge(cases("it is dark", "a hand", None))
        assert [verdict.score for verdict in found] == [1.0, 0.0, 0.0]
        assert len(server.bodies) == 2  # A missing observation is worth 0 and is not asked for.
        assert all("Correct answer:\nB. dark blue" in text_of(body) for body in server.bodies)
        assert len((tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()) == 2
    line = json.loads((tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert {"id", "key", "observation", "score", "reason", "fallback"} <= set(line)


def test_a_judge_that_never_ends_its_verdict_is_asked_once_more_and_then_the_declared_fallback_decides() -> None:
    with serving(lambda body, before: Said("It is, it is, and", finish="length")) as server:
        (silent,) = judge(server.url).judge(cases("dark blue"))
        assert (silent.score, silent.counts) == (None, {"fallback": 0.0, "unanswered": 0.0, "leak": 0.0})
        assert len(server.bodies) == 2
        (decided,) = judge(server.url, fallback=TextMatchJudge()).judge(cases("dark blue"))
        assert (decided.score, decided.counts["fallback"]) == (1.0, 1.0)
    with serving(lambda body, before: Said(status=500)) as server:
        (failed,) = judge(server.url).judge(cases("dark blue"))
        assert (failed.score, failed.counts["unanswered"]) == (None, 1.0)


def test_a_blind_judge_must_find_the_answer_itself() -> None:
    def answer(body: dict[str, Any], before: int) -> Said:
        assert "Correct answer" not in text_of(body)
        letter = "B" if "dark" in text_of(body).split("Observation:")[1] else "A"
        return Said(f"So. <answer>{letter}</answer> <judgement>yes</judgement>")

    with serving(answer) as server:
        found = judge(server.url, blind=True).judge(cases("a dark one", "a light one"))
        assert [verdict.score for verdict in found] == [1.0, 0.0]
        held = Asked(url=server.url, model="m", blind=True).open(Lent())
        assert held.judge(cases("a dark one"))[0].score == 1.0


def test_a_runs_judge_is_not_asked_about_an_observation_that_states_an_answer(tmp_path: Path) -> None:
    with serving(lambda body, before: Said("It says so. <judgement>yes</judgement>")) as server:
        held = Asked(url=server.url, model="m", log=str(tmp_path / "log.jsonl"))
        stated, seen = held.open(Lent()).judge(cases("The correct answer is B.", "a dark hand"))
        assert (stated.score, stated.counts["leak"], seen.score, seen.counts["leak"]) == (0.0, 1.0, 1.0, 0.0)
        assert len(server.bodies) == 1 and "states an answer" in (tmp_path / "log.jsonl").read_text(encoding="utf-8")
        # As published, the judge alone decides.
        (taken,) = replace(held, leaks=False).open(Lent()).judge(cases("The correct answer is B."))
        assert (taken.score, taken.counts["leak"]) == (1.0, 0.0)


def about(kind: str, answer: str) -> Sample:
    return replace(COLOURS, answer=answer, evidence={"kind": kind, "duration_seconds": 20.0})


@pytest.mark.parametrize(
    ("kind", "answer", "observation", "stated"),
    [
        # Any words are an answer to a free question, so only the right ones state it.
        ("text", "a red car turns left", "A street in the rain.\nTwo people wait.\nA red car comes.", False),
        ("text", "a red car turns left", "A street in the rain. A red car turns left.", True),
        ("ocr", "EXIT", "A sign hangs over the door", False),
        ("ocr", "EXIT", "A sign over the door:\nEXIT", True),
        # A number alone is an answer, right or wrong; one in a sentence is seen.
        ("number", "3", "Three birds sit on a wire; one leaves.", False),
        ("number", "3", "Birds on a wire. 4.", True),
        ("regression", "3.5", "The rod is 3.5 metres long", False),
        ("regression", "3.5", "A rod. 3.5", True),
        ("span", "2 - 5", "The door opens and shuts again", False),
        ("span", "2 - 5", "The door opens.\n2 - 5", True),
    ],
)
def test_a_leak_is_an_answer_that_the_parser_accepts_and_no_mere_line(
    kind: str, answer: str, observation: str, stated: bool
) -> None:
    sample = about(kind, answer)
    if kind == "span":
        sample = replace(sample, answer=[2.0, 5.0])
    assert bool(leak(observation, sample)) == stated


@pytest.mark.parametrize(
    "order",
    [
        "2, 1",
        "The second candidate, then candidate one: 2 then 1.",
        "It begins with two and ends with one",
        "2 precedes 1",
        "Earliest: 2; latest: 1",
        "Slot one holds candidate 2, slot two candidate 1",
        "2 is earlier than 1",
    ],
)
def test_a_paraphrased_order_is_a_leak_and_a_list_of_what_candidates_show_is_none(order: str) -> None:
    assert leak(f"A hand moves. {order}", PUZZLE)
    assert not leak("Candidate 1 shows a door. Candidate 2 shows a lamp. Candidate 3 is dark.", PUZZLE)


def test_a_runs_rule_judge_reads_the_facts_beside_its_videos_and_refuses_samples_of_which_it_knows_nothing(
    world_videos: Path, tmp_path: Path
) -> None:
    made = world.make(world_videos, count=4, seconds=(10.0, 12.0), side=56, kinds=["moving"])
    word, videos = made[0].facts.word, {made[0].identity: made[0].path}
    times = [0.5 + 0.5 * step for step in range(16)]
    first, *others = [time for place, time in enumerate(times) if word(time) not in map(word, times[:place])]
    pool, context = [others[1], others[0]], [[first], [others[2]]]
    about = {"pool": 2, "candidate_times": pool, "context_times": context}
    puzzle = replace(PUZZLE, evidence=about, provenance={"source": made[0].identity})
    gold = f"{word(first)} | {word(others[2])} | {word(pool[0])} 1 {word(pool[1])} 2"
    swapped = gold.replace(" 1 ", " 9 ").replace(" 2", " 1").replace(" 9 ", " 2 ")
    held = Rule().open(Lent(samples=[puzzle, COLOURS], videos=videos))
    judged = [Case(puzzle, said, "k") for said in (gold, swapped, f"{gold}. First 2, then 1.", None)]
    told = held.judge([*judged, *cases("the hand is dark blue")])
    assert [verdict.score for verdict in told] == [1.0, 0.0, 0.0, 0.0, 1.0]
    assert [verdict.counts.get("leak") for verdict in told] == [0.0, 0.0, 1.0, None, 0.0]
    assert told[1].counts == {"precision": 2 / 4, "recall": 2 / 4, "leak": 0.0}
    assert replace(Rule(), leaks=False).open(Lent(videos=videos)).judge(judged)[2].score == 1.0
    with pytest.raises(RequestError, match=r"knows nothing of 1 of 2 samples, such as puzzle: .*`reelgym world`"):
        Rule().open(Lent(samples=[COLOURS, puzzle]))
