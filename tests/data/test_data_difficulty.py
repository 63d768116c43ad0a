"""Stored difficulty: what is written is read, names cannot leave the folder, and a torn journal loses one row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgym.data import difficulty
from reelgym.data.difficulty import About, Difficulty, Journal, Measured
from reelgym.errors import RequestError

ABOUT = About(
    model="tiny", fingerprint="f", dataset="d", rollouts=4, threshold=1.0, variant="tagged", temperature=1.0,
    max_tokens=8, seed=0,
)  # fmt: skip
ROWS = tuple(Difficulty(id=f"s{n}", rollouts=4, passed=n, mean_reward=n / 4) for n in range(5))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    measured = Measured("tiny", ABOUT, ROWS)
    difficulty.write(tmp_path, measured)
    assert difficulty.read(tmp_path, "tiny") == measured
    assert difficulty.names(tmp_path) == ["tiny"]
    assert measured.pass_rates == {"s0": 0.0, "s1": 0.25, "s2": 0.5, "s3": 0.75, "s4": 1.0}


@given(st.lists(st.integers(0, 40), max_size=30))
def test_a_histogram_counts_every_rate_once_and_the_ends_apart(passed: list[int]) -> None:
    rates = [n / 40 for n in passed]
    counts = difficulty.histogram(rates)
    assert sum(counts) == len(rates) and len(counts) == len(difficulty.labels())
    assert counts[0] == passed.count(0) and counts[-1] == passed.count(40)
    for place in range(difficulty.BINS):
        assert counts[place + 1] == sum(place <= rate * 10 < place + 1 for rate in rates if 0 < rate < 1)


@given(st.text(max_size=20))
def test_a_name_of_a_file_stays_in_its_folder(name: str) -> None:
    path = difficulty.path_of("folder", difficulty.slug(name))
    assert path.parent == Path("folder") and "\0" not in path.name


def test_the_only_measurement_needs_no_name_and_one_of_several_does(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no difficulty was measured: run `reelgym difficulty"):
        difficulty.only(tmp_path, "", "d")
    difficulty.write(tmp_path, Measured("a", ABOUT, ROWS))
    assert difficulty.only(tmp_path, "", "d").name == "a"
    with pytest.raises(RequestError, match="measured on other content"):
        difficulty.only(tmp_path, "", "other")
    difficulty.write(tmp_path, Measured("b", ABOUT, ROWS))
    with pytest.raises(RequestError, match=r"several measurements of difficulty: give difficulty=a\|b"):
        difficulty.only(tmp_path, "", "d")
    assert difficulty.only(tmp_path, "b", "d").name == "b"
    with pytest.raises(RequestError, match="unknown measurement of difficulty 'c'"):
        difficulty.only(tmp_path, "c", "d")


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    difficulty.path_of(tmp_path, "a").write_bytes(b"no parquet")
    with pytest.raises(RequestError, match="is damaged"):
        difficulty.read(tmp_path, "a")


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_torn_journal_loses_its_last_row_only(cut: int, tmp_path: Path) -> None:
    Journal(tmp_path, "a", ABOUT).add(ROWS)
    path = tmp_path / "difficulty-a.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    again = Journal(tmp_path, "a", ABOUT)
    wanted = ROWS if cut == 1 else ROWS[:-1]  # The end of a line alone tears nothing.
    assert tuple(again.rows.values()) == wanted
    again.add(ROWS[-1:])
    assert tuple(Journal(tmp_path, "a", ABOUT).rows.values()) == ROWS
    again.close()
    assert not path.exists()


def test_a_journal_asked_otherwise_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path, "a", ABOUT).add(ROWS)
    with pytest.raises(RequestError, match="rollouts: 4 then, 8 now; seed: 0 then, 1 now"):
        Journal(tmp_path, "a", replace(ABOUT, rollouts=8, seed=1))


def test_a_journal_killed_before_its_first_line_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "difficulty-a.jsonl").write_text('{"model": "ti')
    assert Journal(tmp_path, "a", ABOUT).rows == {}
