from __future__ import annotations

import json
from pathlib import Path

import pytest

from reelgym.errors import RequestError
from reelgym.reports.folders import alarms_of
from reelgym.reports.live import Live

HOSTILE = "<script>window.hacked = 1</script>"
ALARM = {"step": 2, "name": "entropy collapses", "seen": HOSTILE, "cause": "it says one thing", "remedy": "lower lr"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({"policy": "tiny", "origin": {"recipe": "mvp"}}))
    rows = [
        {"step": step, "rollout/entropy": 0.2, "health/score": 0.4, "health/blind": 0.1, "health/chance": 0.125}
        for step in range(4)
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "alarms.json").write_text(json.dumps([ALARM]))
    return tmp_path


def test_the_page_is_loaded_again_while_the_run_goes_on_and_stays_when_it_ends(run: Path) -> None:
    live = Live(run, steps=9)
    live(3)
    page = run / "index.html"
    text = page.read_text()
    assert '<meta http-equiv="refresh" content="10">' in text and "running" in text and "3 of 9" in text
    # It is not written again at once.
    page.unlink()
    live(4)
    assert not page.exists()
    assert live.end(4) == page and 'http-equiv="refresh"' not in page.read_text() and "stopped" in page.read_text()
    assert "finished" in live.end(9).read_text()
    assert [path.name for path in run.iterdir() if path.name.startswith(".")] == []


def test_alarms_stand_on_the_page_and_in_every_chart(run: Path) -> None:
    text = Live(run, steps=9).end(9).read_text()
    assert "Step 2: entropy collapses" in text and "it says one thing" in text and "lower lr" in text
    assert HOSTILE not in text and "&lt;script&gt;" in text
    assert text.count('class="mark"') == text.count("<figure") == 2
    assert "chance 12.5%" in text and "blind: 10.0% at step 3" in text


@pytest.mark.parametrize("damage", ["[", '[{"step": 1}]', "7"])
def test_damaged_alarms_are_one_clear_line(damage: str, run: Path) -> None:
    (run / "alarms.json").write_text(damage)
    with pytest.raises(RequestError, match=r"alarms\.json cannot be read .*: remove it"):
        alarms_of(run)
