from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelgym import tasks
from reelgym.data.sample import Sample
from reelgym.data.trajectory import Group, Trajectory, Turn
from reelgym.evaluation import benchmarks
from reelgym.evaluation.rows import read_rows
from reelgym.evaluation.runner import grade
from reelgym.rewards.accuracy import Accuracy

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["A", "[", "[[1, 2]]"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)
NAMES = {
    "cg-bench-mini": ("cgbench_mini.json", "qid video_uid question choices right_answer clue_intervals domain"),
    "vcrbench-order": ("data.json", "qid goal video_file ground_truth"),
    "charades-sta": ("test.json", "video caption timestamp"),
    "video-holmes": ("test_Video-Holmes.json", "video ID|Question ID|Question Type|Question|Options|Answer"),
    "vsi-bench": ("test.jsonl", "id dataset scene_name question_type question options ground_truth"),
    "lvbench": ("video_info.meta.jsonl", "key type qa"),
}


@settings(max_examples=25)
@given(data=st.data())
@pytest.mark.parametrize("name", sorted(NAMES))
def test_whatever_a_row_holds_it_becomes_questions_or_a_line(name: str, data: st.DataObject) -> None:
    file, columns = NAMES[name]
    keys = columns.split("|" if "|" in columns else " ")
    held = [{key: data.draw(VALUES) for key in keys} for _ in range(3)]
    if name == "lvbench":
        nested = ("uid", "question", "answer", "question_type")
        held = [one | {"qa": [{key: data.draw(VALUES) for key in nested}]} for one in held]
    with tempfile.TemporaryDirectory() as folder:
        lines = "\n".join(map(json.dumps, held)) if file.endswith("l") else json.dumps(held)
        Path(folder, file).write_text(lines)
        questions, bad, rows = read_rows(benchmarks.get(name), Path(folder))
    assert rows == 3
    assert len({question.row for question in questions} | {int(line["row"]) for line in bad}) == 3


@pytest.mark.parametrize("reply", ["B", "The answer is B", "A or B", "<think>B", ""])
def test_the_reward_is_the_score_of_the_evaluation(reply: str) -> None:
    evidence = {"kind": "choice", "options": ["a dog", "a cat"], "duration_seconds": 9.0}
    sample = Sample(
        id="x", task="benchmark", messages=(), answer="B", split="test", evidence=evidence, provenance={"source": "v"}
    )
    ids = np.zeros(1, np.int64)
    turn = Turn(ids=ids, logprobs=ids.astype(np.float32), loss_mask=ids.astype(bool), text=reply, stop="eos")
    paid = Accuracy().score(Group(sample=sample, trajectories=(Trajectory(turns=(turn,)),)))
    assert paid.tolist() == [[grade(sample, reply).value]] == [[tasks.get("benchmark").score(reply, sample).value]]
