from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bench_case import Verdicts, decided, left_out, made, means, prompt, rows, scored, values, video

from reelgym.judges.steps import Chain

OPTIONS = {"A": "He hid.", "B": "He hid. Then he ran.", "C": "He slept.", "D": "He sang."}
NONE = dict.fromkeys("ABCD", "")


def row(number: int, answer: object, dimension: str, choices: dict[str, str]) -> dict[str, object]:
    lines = "".join(f"{letter}. {text}\n" for letter, text in choices.items() if text)
    return {
        "id": number,
        "video_path": "video/some/v.mp4",
        "duration": 10,
        "dimension": dimension,
        "question": f"Why? Vitamin A. is no option.{lines}",
        "multiple-choice": bool(lines),
        "choices": choices,
        "answer": answer,
        "reasoning": ["1. 0:00-0:05, he hides."],
    }


def test_from_choices_and_free_answers_to_accuracy(tmp_path: Path) -> None:
    held = [
        row(0, "B", "Video Plot Analysis", OPTIONS),
        row(1, "D", "Video Plot Analysis", OPTIONS),
        row(2, "Kitchen", "Temporal Spatial Reasoning", NONE),
        row(3, "[0, 11]", "Video Temporal Grounding", NONE),
        row(4, "Living room", "Temporal Spatial Reasoning", NONE),
        row(5, "E", "Video Plot Analysis", OPTIONS),
    ]
    rows(tmp_path / "data" / "meta_info_video.json", held)
    video(tmp_path / "videos" / "video" / "some" / "v.mp4")
    dataset = made("vcr-bench-cot", tmp_path)
    assert left_out(dataset) == [("meta_info_video.json row 6", "its answer 'E' is none of its 4 options")]
    # Choices stand in the question too, the first right after its last word: they are asked once.
    assert prompt(dataset.samples[0]) == (
        "\nWhy? Vitamin A. is no option.\nA. He hid.\nB. He hid. Then he ran.\nC. He slept.\nD. He sang.\n"
        "Answer with the letter of one option."
    )
    assert prompt(dataset.samples[2]) == "\nWhy? Vitamin A. is no option.\nAnswer in a few words."
    assert dataset.samples[2].evidence["facts"] == ["1. 0:00-0:05, he hides."]
    said = ["He hid. Then he ran.", "C", "The second fight is in a kitchen.", "from 0:00 to 0:11", "kitchen"]
    plain = scored(dataset, {f"vcr-bench-cot-{number}": reply for number, reply in enumerate(said)})
    judge = Verdicts(lambda text: text != "kitchen")
    found = decided(dataset, plain, judge, lambda case: pytest.fail("a direct reply reasons nowhere"))
    assert list(values(found).values()) == [1, 0, 1, 1, 0]
    # Plot 1/2, space 1/2, grounding 1/1.
    assert means(found) == {
        "accuracy": 0.6,
        "accuracy of choices": 0.5,
        "accuracy of free answers": 0.6667,
        "mean of dimensions": 0.6667,
        "judge failed": 0.0,
    }
    saw, so = ("perception", "matched"), ("reasoning", "matched")
    chains = {
        # 2 of 3 reference steps, one of two that count of its own, one of four redundant.
        said[0]: Chain(
            reference=(saw, so, ("reasoning", "unmatched"), ("background", "unmatched")),
            written=(saw, ("reasoning", "wrong"), ("background", "redundant"), ("background", "matched")),
        ),
        said[1]: Chain(reference=(saw,), written=(saw,)),
        said[2]: Chain(reference=(("perception", "unmatched"),), written=(so,)),
        said[3]: None,
        said[4]: Chain(reference=(saw,), written=(("reasoning", "redundant"),)),
    }
    told = decided(dataset, replace(plain, variant="tagged"), judge, lambda case: chains[str(case.observation)])
    assert values(told) == values(found)
    # Recall 2/3, 1, 0, 0 (no verdict), 1; precision 1/2, 1, 1, 0 (no verdict), 0 (redundant alone).
    recall, precision = (2 / 3 + 1 + 1) / 5, (1 / 2 + 1 + 1) / 5
    # Perception: recall 1, 1, 0, 0, 1 and precision 1, 1, -, 0, -; reasoning: 1/2, -, -, 0, - and 0, -, 1, 0, -.
    assert means(told) == means(found) | {
        "CoT score": round(2 * precision * recall / (precision + recall), 4),
        "step precision": 0.5,
        "step recall": round(recall, 4),
        "perception": round(2 * (2 / 3) * (3 / 5) / (2 / 3 + 3 / 5), 4),
        "perception precision": 0.6667,
        "perception recall": 0.6,
        "reasoning": round(2 * (1 / 3) * (1 / 4) / (1 / 3 + 1 / 4), 4),
        "reasoning precision": 0.3333,
        "reasoning recall": 0.25,
        # 3/4, 1, 1, 0, 0.
        "efficiency": 0.55,
        "steps not judged": 0.2,
    }
    # None of the three free answers has the same words; all five chains were judged: eight judgements.
    assert told.usage()["judge"] == {"prompt_tokens": 800, "completion_tokens": 80, "money": pytest.approx(960e-6)}
