from __future__ import annotations

from reelgym.doctor.check import Check, guarded


def test_a_broken_part_of_the_machine_is_a_finding_and_no_crash() -> None:
    def broken() -> Check:
        raise ImportError("libavcodec.so: cannot open\nshared object")

    found = guarded("video", broken)
    assert (found.word, found.found) == ("FAIL", "ImportError: libavcodec.so: cannot open shared object")
