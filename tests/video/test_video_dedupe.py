from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from reelgym.errors import RequestError
from reelgym.video import GridDescriptor, Similarity, deduplicate


def _units(count: int, seed: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(count, 3))
    unit: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _oracle(rows: NDArray[np.float32], threshold: float, every: bool, start: int, limit: int | None) -> list[int]:
    kept: list[int] = []
    for i in range(start, len(rows)):
        if limit is not None and len(kept) == limit:
            return kept
        similar = False
        for j in kept if every else kept[-1:]:
            similar = similar or float(np.float32(rows[j] @ rows[i])) > threshold
        if not similar:
            kept.append(i)
    return kept


@given(
    st.integers(0, 12),
    st.integers(0, 99),
    st.floats(-1, 1),
    st.booleans(),
    st.integers(0, 13),
    st.none() | st.integers(0, 9),
)
def test_greedy_pass_equals_a_plain_loop(
    count: int, seed: int, threshold: float, every: bool, start: int, limit: int | None
) -> None:
    rows = _units(count, seed)
    got = deduplicate(rows, threshold, "all" if every else "last", start=start, limit=limit)
    scores = rows @ rows.T
    if np.abs(scores - threshold).min(initial=1.0) > 1e-6:  # away from ties, where summation order decides
        assert got == _oracle(rows, threshold, every, start, limit)


def test_a_view_that_comes_back_is_kept_against_last_and_dropped_against_all() -> None:
    rows = np.asarray([[1, 0], [0, 1], [1, 0]], np.float32)
    assert deduplicate(rows, 0.5, "last") == [0, 1, 2]
    assert deduplicate(rows, 0.5, "all") == [0, 1]


def test_a_similarity_equal_to_the_threshold_is_kept() -> None:
    # MVP drops only where s > kappa. 0.5 is exact in float32.
    rows = np.asarray([[1, 0], [0.5, 0.75**0.5]], np.float32)
    assert deduplicate(rows, 0.5) == [0, 1]
    assert deduplicate(rows, 0.4999) == [0]


def test_an_unknown_comparison_is_refused() -> None:
    with pytest.raises(RequestError, match="give 'last' or 'all'"):
        deduplicate(_units(2, 0), 0.5, "first")  # type: ignore[arg-type]


def _pictures(seed: int, count: int = 3, height: int = 40, width: int = 50) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@given(st.integers(0, 999), st.integers(1, 60), st.integers(1, 60), st.integers(1, 14))
def test_descriptors_are_unit_rows_for_any_size(seed: int, height: int, width: int, cells: int) -> None:
    describe: Similarity = GridDescriptor(cells)
    rows = describe.describe(_pictures(seed, 2, height, width))
    assert rows.shape == (2, 3 * cells * cells + 4) and rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_grid_averages_equal_a_loop_over_cells() -> None:
    pixels = _pictures(1, 2, 7, 10)
    got = GridDescriptor(3)._averages(pixels)
    # 7 rows over 3 cells: bounds 0, 2, 4, 7; 10 columns: 0, 3, 6, 10.
    rows, columns = [0, 2, 4, 7], [0, 3, 6, 10]
    for frame in range(2):
        for r in range(3):
            for c in range(3):
                cell = pixels[frame, rows[r] : rows[r + 1], columns[c] : columns[c + 1]].reshape(-1, 3)
                np.testing.assert_allclose(got[frame, 3 * r + c], cell.mean(axis=0) / 255)


def test_equal_pictures_have_similarity_one_also_when_flat() -> None:
    flat = np.stack([np.full((20, 20, 3), v, np.uint8) for v in (0, 0, 1, 255, 127, 128)])
    rows = GridDescriptor().describe(flat)
    assert rows[0] @ rows[1] == pytest.approx(1, abs=1e-6)
    assert rows[0] @ rows[2] > 0.99  # almost the same black
    assert rows[0] @ rows[3] < 0  # black and white are not
    assert rows[4] @ rows[5] > 0.99  # just below and just above the middle


def test_a_thing_that_moves_on_a_flat_ground_changes_the_descriptor() -> None:
    pixels = np.full((3, 48, 48, 3), 100, np.uint8)
    for frame, x in enumerate((4, 5, 30)):
        pixels[frame, 8:16, x : x + 8] = (220, 30, 30)
    rows = GridDescriptor().describe(pixels)
    assert rows[0] @ rows[1] > 0.9 > 0.2 > rows[0] @ rows[2]


def test_the_same_layout_in_another_colour_is_told_apart() -> None:
    pixels = np.full((2, 48, 48, 3), 128, np.uint8)
    pixels[0, 8:24, 8:24] = (200, 60, 60)
    pixels[1, 8:24, 8:24] = (60, 60, 200)
    rows = GridDescriptor().describe(pixels)
    assert rows[0] @ rows[1] < 0.5


def test_no_cells_are_refused() -> None:
    with pytest.raises(RequestError, match="at least 1 cell"):
        GridDescriptor(0)
