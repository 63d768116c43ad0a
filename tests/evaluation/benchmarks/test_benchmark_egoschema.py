from __future__ import annotations

from pathlib import Path

from bench_case import left_out, made, means, prompt, rows, scored, values, video

DOES = ("cooks", "reads", "sews", "digs", "sings")
OPTIONS = [f"{letter}. C {what}." for letter, what in zip("ABCDE", DOES, strict=True)]


def row(number: int, answer: object, name: str = "clip") -> dict[str, object]:
    asked = {"question_idx": f"q{number}", "video_idx": name, "question": "What does C aim at?"}
    return asked | {"option": OPTIONS, "answer": answer}


def test_from_rows_to_accuracy(tmp_path: Path) -> None:
    # The full set has no answers: a row of it is a bad one here.
    held = [row(1, "0"), row(2, "3"), row(3, "4"), row(4, None), row(5, "5"), row(6, "1", "gone"), row(1, "2")]
    rows(tmp_path / "data" / "Subset" / "test-0.parquet", held)
    video(tmp_path / "videos" / "clip.mp4")
    dataset = made("egoschema-subset", tmp_path)
    assert left_out(dataset) == [
        ("test-0.parquet row 4", "its answer '' is none of its 5 options"),
        ("test-0.parquet row 5", "its answer '5' is none of its 5 options"),
        ("test-0.parquet row 7", "its id egoschema-subset-q1 is that of test-0.parquet row 1 already"),
        ("test-0.parquet row 6", f"its video gone is not in {tmp_path / 'videos'}"),
    ]
    assert prompt(dataset.samples[0]) == (
        "\nWhat does C aim at?\nA. C cooks.\nB. C reads.\nC. C sews.\nD. C digs.\nE. C sings.\n"
        "Answer with the letter of one option."
    )
    # "C" is the person here as well as an option: a sentence about C gives no letter.
    said = {"q1": "A", "q2": "C digs.", "q3": "C sits somewhere and hums to himself"}
    found = scored(dataset, {f"egoschema-subset-{name}": reply for name, reply in said.items()})
    assert list(values(found).values()) == [1, 1, 0]
    assert means(found) == {"accuracy": 0.6667}
    assert found.mean("invalid").mean == 1 / 3
