from __future__ import annotations

from pathlib import Path
from typing import Any

from bench_case import Verdicts, decided, left_out, made, means, prompt, rows, scored, values, video

END = "\n\nProvide a summary of the final answer after 'Final Answer:'"
GOAL = "pieces: `(a,0): black, (a,1): black, (b,0): black, (b,1): white`? List them in order."


def row(dim: str, question: str, answer: str | None, **more: Any) -> dict[str, Any]:
    asked = {"video": "videos/v.mp4", "question": question + END, "answer": answer, "dim": dim}
    return asked | {"visible_time": "start", "num_state": 2, "num_operation": 1} | more


def test_from_keyed_files_to_judged_and_simulated_scores(tmp_path: Path) -> None:
    states = [[[1, 1], [0, 1]], [[0, 0], [0, 0]]]
    flipped = {"moves": ["x+1"], "coords": [[1, 1], [1, 0]], "states": states}
    grid = {
        "op_order": row("order_operation", "Which moves?", "right", **flipped),
        "op_goal": row("prediction_operation", f"Reach the black and white {GOAL}", None, **flipped),
        "op_goal_2": row("prediction_operation", f"Reach the black and white {GOAL}", None, **flipped),
        "op_broken": row("prediction_operation", "Reach it!", None, **flipped),
        "none": row("order_state", "Which state?", None, **flipped),
        "wrong": "no record",
    }
    held = {"pile0": [["2 of Clubs"], ["2 of Clubs", "Ace of Spades"]]}
    goal = "ensure that `pile0` contains exactly the following cards from top to bottom: `2 of Clubs`, what?"
    # Shown at its end: what is asked for starts from the first state, a single card, and wants it after one above it.
    card = {
        "op_goal": row("prediction_operation", f"So as to {goal}", None, states=held, visible_time="end"),
        "op_count": row("counting_state", "How many?", "2", states=held),
    }
    rows(tmp_path / "data" / "questions" / "grid.json", grid)
    rows(tmp_path / "data" / "questions" / "card.json", card)
    rows(tmp_path / "data" / "questions" / "dice.json", {"x": row("prediction_operation", "Roll?", None)})
    video(tmp_path / "videos" / "videos" / "v.mp4")
    dataset = made("video-reason-bench", tmp_path)
    assert left_out(dataset) == [
        ("dice.json row 1", "is of the demonstration 'dice', which no simulator knows"),
        ("grid.json row 4", "its state or its goal cannot be read"),
        ("grid.json row 5", "has no answer"),
        ("grid.json row 6", "wrong is no record"),
    ]
    # The question itself says how to mark the answer; ids tell apart what two files call the same.
    ids = {sample.id.removeprefix("video-reason-bench-"): sample for sample in dataset.samples}
    assert prompt(ids["grid-op_order-answer"]) == f"\nWhich moves?{END}"
    assert ids["grid-op_goal-operations"].evidence["facts"] == {
        "demo": "grid",
        "state": [[0, 0], [0, 0]],
        "goal": [[1, 1], [1, 0]],
        "at": [1, 0],
    }
    replies = {
        "grid-op_order-answer": "It went right. Final Answer: to the right",
        "grid-op_goal-operations": "Final Answer: left",  # To (0, 0): flips it, (1, 0) and (0, 1).
        "grid-op_goal_2-operations": "Final Answer: right, left",  # Over the edge first.
        "card-op_goal-operations": "I would add and remove.",
        "card-op_count-answer": "Final Answer: **2**",
    }
    assert set(ids) == set(replies)
    found = scored(dataset, {f"video-reason-bench-{name}": reply for name, reply in replies.items()})
    judge = Verdicts(lambda text: True)
    found = decided(dataset, found, judge)
    assert judge.asked == ["to the right"]
    assert {name.removeprefix("video-reason-bench-"): value for name, value in values(found).items()} == {
        "grid-op_order-answer": 1,
        "grid-op_goal-operations": 1,
        "grid-op_goal_2-operations": 0,
        "card-op_goal-operations": 0,
        "card-op_count-answer": 1,
    }
    # Skills: order_operation 1, counting_state 1, prediction_operation 1/3.
    assert means(found) == {
        "accuracy": 0.6,
        "recall": 1.0,
        "infer": 1.0,
        "predict": 0.3333,
        "operations": 0.3333,
        "mean of skills": 0.7778,
        "judge failed": 0.0,
    }
    assert found.mean("invalid").mean == 0.2
