"""What a run spent: tokens generated, tokens its reader or judge wrote, seconds."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

PHASES = ("sample", "judge", "score", "update")


def spent(run: Path) -> dict[str, float]:
    """Return what training a run took, evaluations left out: `generated`, `judged` (tokens) and `seconds`.

    Args:
        run: The run's folder, with its rollouts and metrics.
    """
    generated = 0
    for path in sorted(run.glob("rollouts-*.parquet")):
        lengths = pc.list_value_length(pq.read_table(path, columns=["ids"])["ids"])
        generated += pc.sum(lengths).as_py() or 0
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    seconds = sum(row.get(f"time/{phase}_seconds") or 0.0 for row in rows for phase in PHASES)
    judged = sum(row.get("judge/tokens") or 0.0 for row in rows)
    return {"generated": float(generated), "judged": judged, "seconds": round(seconds, 1)}
