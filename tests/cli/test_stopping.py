from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reelgym.terminal import Bars, Stop, Stopped, leave_if


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_stops_at_once(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(number)
    with Stop() as stop:
        assert not stop()  # Work asks after a step.
        os.kill(os.getpid(), number)
        assert stop()
        assert capsys.readouterr().err == "stopping after this step, then saving; once more stops at once\n"
        with pytest.raises(Stopped):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_where_no_work_asks_the_first_signal_stops_at_once() -> None:
    with Stop() as stop:
        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGINT)
        assert not stop()
        stop.new_stage()
        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_stopped_command_leaves_with_the_signals_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    stop = Stop()
    leave_if(stop, tmp_path)  # Nothing was asked: goes on.
    stop.signum = signal.SIGINT
    with pytest.raises(typer.Exit) as left:
        leave_if(stop, tmp_path)
    assert left.value.exit_code == 130
    assert capsys.readouterr().err == f"stopped and saved in {tmp_path}; repeat the command to go on\n"


def test_a_log_gets_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Bars() as bars:
        stage = bars.stage("work")
        for done in range(1001):
            stage(done, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["work: 0/1000", "work: 1000/1000"]


def test_sigterm_during_training_saves_and_the_next_call_goes_on(
    puzzles: Path, tmp_path: Path, repository: Path
) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-c", "from reelgym.cli import main; main()", "train", "mvp", "--data", str(puzzles)]
    command += ["--out", str(run), "prompts_per_step=1", "group_size=2", "max_completion_tokens=8", "eval_tokens=8"]
    env = os.environ | {"PYTHONPATH": str(repository / "src")}
    log = tmp_path / "log"
    with log.open("w") as stderr:
        first = subprocess.Popen([*command, "steps=100000"], env=env, stdout=subprocess.DEVNULL, stderr=stderr)
        deadline = time.monotonic() + 90
        while "train mvp: 1/" not in log.read_text() and time.monotonic() < deadline and first.poll() is None:
            time.sleep(0.05)
        first.terminate()
        assert first.wait(timeout=60) == 143, log.read_text()
    assert f"stopped and saved in {run}; repeat the command to go on" in log.read_text()
    (checkpoint,) = (run / "checkpoints").glob("step-*")
    step = int(checkpoint.name.removeprefix("step-"))
    second = subprocess.run([*command, f"steps={step + 1}"], env=env, capture_output=True, text=True, timeout=120)
    assert second.returncode == 0, second.stderr
    assert f"train mvp: {step + 1}/{step + 1}" in second.stderr
