from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from chat_server import Said, pictures_of, serving

from reelgym.evaluation.asking import segments

Cli = Callable[..., tuple[int, str, str]]


def test_one_question_is_put_to_models_here_and_behind_an_endpoint(cli: Cli, world_videos: Path) -> None:
    video = min(world_videos.glob("*.mp4"))
    seen: list[int] = []

    def answer(body: dict[str, object], before: int) -> Said:
        seen.append(len(pictures_of(body)))
        return Said("<think>far</think><answer>red</answer>")

    with serving(answer) as server:
        models = ("--model", "tiny", "--model", f"openai:m@{server.url}")
        given = ("ask", video, "Which colour?", *models, "--frames", 4, "--max-tokens", 3)
        code, out, err = cli(*given, "--json")
        assert code == 0, err
        found = json.loads(out)
        assert seen == [4] == [len(found["frames"])]
        assert found["frames"] == sorted(found["frames"]) and found["frames"][-1] < found["duration_seconds"]
        tiny, remote = found["replies"]
        assert (tiny["model"], tiny["stop"], tiny["tokens"]) == ("tiny", "length", 3)
        assert (remote["answer"], remote["segments"]) == ("red", [["think", "far"], ["answer", "red"]])
        code, out, _ = cli(*given, "--start", 2, "--stop", 4)
        assert code == 0
        assert "  [answer] red\n  read as: 'red'" in out
        assert out.splitlines()[-1].startswith("shown: 4 frames of 308 x 308 out of 1")


def test_a_question_that_cannot_be_asked_is_one_line(cli: Cli, world_videos: Path, tmp_path: Path) -> None:
    video = min(world_videos.glob("*.mp4"))
    assert "is empty" in cli("ask", video, " ", "--model", "tiny")[2]
    assert "give at least 2" in cli("ask", video, "a", "--model", "tiny", "--frames", 1)[2]
    (tmp_path / "a.mp4").write_bytes(b"no video")
    code, _, err = cli("ask", tmp_path / "a.mp4", "a", "--model", "tiny")
    assert code == 2 and "a.mp4 cannot be shown: open: " in err


def test_segments_of_a_malformed_reply_lose_no_text() -> None:
    assert segments("a<answer>b</think>c") == (("", "a"), ("answer", "b"), ("", "c"))
    assert segments("") == ()
