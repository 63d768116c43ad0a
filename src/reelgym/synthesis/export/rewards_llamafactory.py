"""LLaMA-Factory has no reward for RL: what it predicts is scored from its own file of predictions."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from reelgym.errors import RequestError
from reelgym.synthesis.export.rewards import score


def score_predictions(predictions: str | Path, data: str | Path) -> list[float]:
    """Return the value of every prediction.

    Args:
        predictions: `generated_predictions.jsonl`, which `llamafactory-cli train` writes with `do_predict`.
        data: The file of the export that it was asked about, in the same order.

    Raises:
        RequestError: They have not as many rows.
    """
    lines = Path(predictions).read_text(encoding="utf-8").splitlines()
    replies = [json.loads(line)["predict"] for line in lines if line.strip()]
    rows = json.loads(Path(data).read_text(encoding="utf-8"))
    if len(replies) != len(rows):
        raise RequestError(
            f"{predictions} has {len(replies)} predictions, {data} has {len(rows)} rows: give the same run"
        )
    return [score(reply, row["sample"]).value for reply, row in zip(replies, rows, strict=True)]


def main(arguments: list[str]) -> str:
    """Return one line with the mean value: `python reward.py PREDICTIONS DATA`."""
    values = score_predictions(*arguments)
    return f"mean value {sum(values) / max(1, len(values)):.4f} of {len(values)}"


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]) + "\n")
