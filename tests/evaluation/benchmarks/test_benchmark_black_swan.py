from __future__ import annotations

from pathlib import Path

from bench_case import left_out, made, means, prompt, rows, scored, values, video

from reelgym.data.messages import Clip

OPTIONS = ["She lands on both feet.", "The branch breaks.", "A dog catches her."]


def row(name: str, task: str, right: int, index: int = 3) -> dict[str, object]:
    parts = {"preevent": f"{index}_A_preevent.mp4", "event": f"{index}_B_event.mp4"}
    asked = {"q_id": name, "task": task, "difficulty": "hard" if name == "q2" else "easy"}
    question = {"default_question": "Which is it?", "mcq_options": OPTIONS, "mcq_gt_option": right}
    return asked | question | parts | {"postevent": f"{index}_C_postevent.mp4"}


def test_from_parts_to_accuracy(tmp_path: Path) -> None:
    held = [
        row("q1", "Forecaster", 0),
        row("q2", "Detective", 1),
        row("q3", "Reporter", 1),
        row("q4", "Reporter", 3),
        row("q5", "Critic", 0),
        row("q6", "Reporter", 0, index=4),
    ]
    rows(tmp_path / "data" / "BlackSwanSuite_MCQ_Val.jsonl", held)
    for index, part in ((3, "A_preevent"), (3, "B_event"), (3, "C_postevent"), (4, "A_preevent"), (4, "C_postevent")):
        video(tmp_path / "videos" / f"{index}_{part}.mp4", seconds=4)
    dataset = made("black-swan-mcq", tmp_path)
    file = "BlackSwanSuite_MCQ_Val.jsonl"
    assert left_out(dataset) == [
        (f"{file} row 4", "its answer '3' is none of its 3 options"),
        (f"{file} row 5", "is of none of the kinds that black-swan-mcq asks"),
        (f"{file} row 6", f"its video 4_B_event.mp4 is not in {tmp_path / 'videos'}"),
    ]
    # The forecaster sees the start, the detective start and end, the reporter all three parts in order.
    shown = [[part for part in sample.messages[0].parts if isinstance(part, Clip)] for sample in dataset.samples]
    start, event, end = (clip.video for clip in shown[2])
    assert [[clip.video for clip in clips] for clips in shown] == [[start], [start, end], [start, event, end]]
    # 8 frames a part at 2 per second; together never more than one clip has.
    assert [sum(len(clip.times) for clip in clips) for clips in shown] == [8, 16, 24]
    assert prompt(dataset.samples[1]).startswith("\nWhich is it?\nA. She lands on both feet.\n")
    said = ["A", "(C)", "The branch breaks."]
    found = scored(dataset, dict(zip([sample.id for sample in dataset.samples], said, strict=True)))
    assert values(found) == {
        "black-swan-mcq-q1-forecaster": 1,
        "black-swan-mcq-q2-detective": 0,
        "black-swan-mcq-q3-reporter": 1,
    }
    # Easy 2/2, hard 0/1.
    assert means(found) == {"accuracy": 0.6667, "detective": 0.0, "reporter": 1.0, "mean of difficulties": 0.5}
