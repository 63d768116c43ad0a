from reelgym.curation import gold_reply, habit_reply
from reelgym.data.sample import Sample

SAMPLE = Sample(
    id="x",
    task="mvp",
    messages=(),
    answer=[3, 1],
    split="train",
    evidence={"context_times": [[0.0, 1.0], [4.0]], "candidate_times": [3.0, 9.0, 2.0], "hidden_times": [2.0, 3.0]},
)
WORDS = {0.0: "a1", 1.0: "b1", 2.0: "c1", 3.0: "d1", 4.0: "e1", 9.0: "h8"}


def test_a_number_follows_the_state_it_names() -> None:
    # Candidates in pool order are the frames at 3, 9 and 2 s: d1 is 1, h8 is 2, c1 is 3. Hidden in time order: c1, d1.
    assert gold_reply(SAMPLE, WORDS.__getitem__, "tagged") == (
        "<observation> a1 b1 | e1 | d1 1 h8 2 c1 3</observation><think> c1 3 d1 1</think><answer>3, 1</answer>"
    )


def test_the_direct_reply_is_the_answer_alone() -> None:
    assert gold_reply(SAMPLE, WORDS.__getitem__, "direct") == "3, 1"


def test_a_habit_looks_as_gold_does_and_takes_the_first_numbers() -> None:
    assert habit_reply(SAMPLE, WORDS.__getitem__) == (
        "<observation> a1 b1 | e1 | d1 1 h8 2 c1 3</observation><think> d1 1 h8 2</think><answer>1, 2</answer>"
    )
