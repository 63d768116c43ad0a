"""The Ray engine: the same bytes where Ray is installed; one clear line where it is not."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from synthesis_runs import SETTINGS, files_of

from reelgym.errors import RequestError
from reelgym.synthesis import synthesize
from reelgym.synthesis.ray import Station

HAS_RAY = importlib.util.find_spec("ray") is not None


@pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed: pip install 'reelgym[ray]'")
@pytest.mark.timeout(600)
def test_ray_gives_the_bytes_of_the_local_engine(clips: Path, whole: Path, tmp_path: Path) -> None:
    synthesize([clips], tmp_path / "ds", engine="ray", workers=2, **SETTINGS)
    assert files_of(tmp_path / "ds") == files_of(whole)


def test_without_ray_the_engine_says_what_to_install(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RequestError, match=r"engine=ray needs Ray, which is not installed: pip install 'reelgym\[ray"):
        synthesize([clips], tmp_path / "ds", engine="ray")


def test_an_actor_supervises_a_worker_of_its_own(clips: Path) -> None:
    station = Station(60.0, 0)
    path = str(clips / "text.mp4")
    found = json.loads(station.do(json.dumps({"do": "probe", "path": path})))
    assert found["quarantine"]["path"] == path
    assert "spent" in found
