from __future__ import annotations

import math

import pytest

from reelgym.scoring.composites import MOST, log_geometric_mean, over_chains

PUBLISHED = {
    # Model: accuracy, temporal IoU and spatial IoU of both chains, mAM, mLGM; arXiv 2510.20579, table 1.
    "GPT-4o": (60.8, (16.7, 12.8), (6.5, 3.0), 26.8, 38.2),
    "Gemini-2-Flash": (53.0, (24.5, 23.8), (4.6, 2.2), 26.9, 35.6),
    "Qwen2.5-VL-7B": (33.5, (15.4, 13.8), (17.0, 2.5), 19.3, 22.4),
    "Open-o3 Video": (61.0, (24.5, 24.0), (25.4, 6.0), 33.7, 46.6),
}


@pytest.mark.parametrize("model", PUBLISHED)
def test_the_composites_of_the_published_rows_follow_from_their_components(model: str) -> None:
    accuracy, times, places, mean, log_mean = PUBLISHED[model]
    chains = [[accuracy / 100, time / 100, place / 100] for time, place in zip(times, places, strict=True)]
    found = over_chains(chains)
    # Components are printed to 0.1: rounding moves the composites by less than 0.1.
    assert 100 * found["mAM"] == pytest.approx(mean, abs=0.1)
    assert 100 * found["mLGM"] == pytest.approx(log_mean, abs=0.1)


def test_by_hand_and_where_the_logarithm_diverges() -> None:
    # (-ln 0.5 - ln 0.5 - ln 1) / 3
    assert log_geometric_mean([0.5, 0.5, 0.0]) == pytest.approx(2 * math.log(2) / 3)
    assert log_geometric_mean([1.0]) == pytest.approx(-math.log(1 - MOST))
