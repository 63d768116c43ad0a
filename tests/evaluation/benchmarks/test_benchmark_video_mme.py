from __future__ import annotations

from pathlib import Path

import pytest
from bench_case import left_out, made, means, prompt, rows, scored, values, video

from reelgym.errors import RequestError
from reelgym.evaluation import benchmarks
from reelgym.evaluation.floors import benchmark_floors
from reelgym.evaluation.metrics import measure
from reelgym.evaluation.questions import partial


def row(number: int, answer: str, duration: str = "short", **changed: object) -> dict[str, object]:
    return {
        "video_id": f"{number:03d}",
        "duration": duration,
        "domain": "Knowledge",
        "sub_category": "Biology",
        "url": "https://example.com",
        "videoID": f"clip{number}",
        "question_id": f"{number:03d}-1",
        "task_type": "Counting",
        "question": "What is thrown?",
        "options": ["A. A red ball.", "B. A stick.", "C. A shoe.", "D. Nothing."],
        "answer": answer,
    } | changed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    held = [
        row(1, "A"),
        row(2, "B", "medium"),
        row(2, "C", "medium", question_id="002-2"),  # A second question on the same video.
        row(3, "D", "long"),
        row(4, "E"),  # A letter outside of its options.
        row(5, "A"),  # Its video is not there.
        row(1, "B"),  # An id for the second time.
    ]
    rows(tmp_path / "data" / "videomme" / "test-00000-of-00001.parquet", held)
    for number in (1, 2, 3, 4):
        video(tmp_path / "videos" / "data" / f"clip{number}.mp4")
    return tmp_path


def test_rows_become_questions_or_lines(folder: Path) -> None:
    dataset = made("video-mme", folder)
    file = "test-00000-of-00001.parquet"
    assert [sample.id for sample in dataset.samples] == [
        "video-mme-001-1",
        "video-mme-002-1",
        "video-mme-002-2",
        "video-mme-003-1",
    ]
    assert left_out(dataset) == [
        (f"{file} row 5", "its answer 'E' is none of its 4 options"),
        (f"{file} row 7", f"its id video-mme-001-1 is that of {file} row 1 already"),
        (f"{file} row 6", f"its video clip5 is not in {folder / 'videos'}"),
    ]
    assert partial(benchmarks.get("video-mme"), dataset) == "7 rows of 2700 published, 3 left out"
    assert made("video-mme", folder).digest == dataset.digest  # A second call finds it finished.


def test_the_prompt(folder: Path) -> None:
    assert prompt(made("video-mme", folder).samples[0]) == (
        "\nWhat is thrown?\nA. A red ball.\nB. A stick.\nC. A shoe.\nD. Nothing.\nAnswer with the letter of one option."
    )


def test_stored_replies_give_the_scores_worked_by_hand(folder: Path) -> None:
    replies = {
        "video-mme-001-1": "A. A red ball.",  # Right, also when read strictly.
        "video-mme-002-1": "A man plays, so the answer is B",  # Right, in a sentence.
        "video-mme-002-2": "A or C",  # States no answer: wrong, and counted as unreadable.
        "video-mme-003-1": "B",  # Wrong.
    }
    found = scored(made("video-mme", folder), replies)
    assert list(values(found).values()) == [1, 1, 0, 0]
    # Accuracy 2/4; short 1/1; medium 1/2; long 0/1.
    assert means(found) == {"accuracy": 0.5, "short": 1, "medium": 0.5, "long": 0}
    assert found.metrics["accuracy"]["chance"] == 0.25
    assert found.mean("strict").mean == 0.25  # Only the first was read strictly and is right.
    assert found.mean("read_strictly").mean == 0.5
    assert found.mean("invalid").mean == 0.25
    assert found.rows[1].parsed == {"strict": None, "lenient": 1}


def test_floors_by_hand(folder: Path) -> None:
    low = benchmark_floors(made("video-mme", folder).samples, "task_type")
    accuracy = {name: measure(benchmarks.get("video-mme"), one)["accuracy"]["mean"] for name, one in low.items()}
    # Longest option: always A, right for the first of A, B, C, D: 1/4. Every letter is right once: 1/4 as well.
    # Chosen on the other videos it is the first letter that is not the question's own, so never the right one.
    chosen = {"most_frequent_letter": 0.25, "constant_per_type": 0.25}
    elsewhere = {f"{name}_held_out": 0.0 for name in chosen}
    assert accuracy == {"longest_option": 0.25} | chosen | elsewhere


def test_a_changed_layout_an_empty_folder_and_an_empty_split_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    with pytest.raises(RequestError, match=r"data: no such folder; give the one that lmms-lab/Video-MME"):
        made("video-mme", tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(RequestError, match=r"holds no file of video-mme \(videomme/test-\*\.parquet or "):
        made("video-mme", tmp_path)
    renamed = {("choices" if name == "options" else name): value for name, value in row(1, "A").items()}
    rows(tmp_path / "data" / "test-0.parquet", [renamed])
    with pytest.raises(
        RequestError, match=r"test-0.parquet: video-mme needs the columns options, the file has .*choic"
    ):
        made("video-mme", tmp_path)


def test_a_video_that_cannot_be_decoded_is_a_line_for_each_of_its_rows(folder: Path) -> None:
    (folder / "videos" / "data" / "clip2.mp4").write_bytes(b"no video")
    dataset = made("video-mme", folder)
    broken = [(path, reason) for path, reason in left_out(dataset) if "clip2.mp4: " in reason]
    assert [path for path, _ in broken] == [f"test-00000-of-00001.parquet row {number}" for number in (2, 3)]
    assert len(dataset.samples) == 2
