from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from reelgym.reports.viewer.server import Viewer
from reelgym.terminal import Stopped

Result = tuple[int, str, str]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_view_says_its_address_and_ends_by_a_signal(
    number: signal.Signals,
    code: int,
    puzzles: Path,
    cli: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(server: Viewer) -> None:
        raise Stopped(number)

    monkeypatch.setattr(Viewer, "serve_forever", stopped)
    found, out, _ = cli("view", puzzles, "--no-browser")
    assert found == code and out.startswith("view: http://127.0.0.1:")


def test_view_of_another_folder_is_one_line(tmp_path: Path, cli: Callable[..., Result]) -> None:
    code, _, err = cli("view", tmp_path)
    assert code == 2 and "give a dataset, run or evaluation folder" in err and err.count("\n") == 1
