"""An evaluation that kills its own process: python killed_evaluation.py JOURNAL ASKED MOMENT BATCH."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from evaluation_samples import Script, media, sample

from reelgym.evaluation.local import Local
from reelgym.evaluation.results import Evaluation
from reelgym.evaluation.runner import evaluate
from reelgym.rollout.paid import Journal

SAMPLES = [sample(index, videos=3) for index in range(7)]


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


class Torn(Journal):
    """Dies at a moment of the n-th line: before it, half-way through it, after it; or never."""

    moment, left = "never", 0

    def put(self, key: str, value: dict[str, Any]) -> None:
        if self.moment == "never" or self.left:
            self.left -= 1
            return super().put(key, value)
        if self.moment == "half":
            os.write(self._file, b'{"key":"' + key.encode() + b'","replies":[{"text":')
        if self.moment == "after":
            super().put(key, value)
        die()


def run(journal: Path, asked: Path, moment: str = "never", batch: int = 0) -> Evaluation:
    """Return the evaluation; every prompt that is put is a line of `asked`."""

    class Noted(Script):
        def sample(self, prompts: Any, **how: Any) -> Any:
            with asked.open("a") as file:
                file.writelines(f"{prompt.messages[0].parts[1].video}\n" for prompt in prompts)
            return super().sample(prompts, **how)

    script = Noted(lambda messages: (f"2, {1 + int(messages[0].parts[1].video[-1])}", "eos"))
    kept = Torn(journal)
    kept.moment, kept.left = moment, batch
    with Local(script, script, 2, journal=kept) as who:  # type: ignore[arg-type]
        return evaluate(who, SAMPLES, media, variant="direct", model="m")


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
