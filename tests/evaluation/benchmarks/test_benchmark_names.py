from __future__ import annotations

import pytest

from reelgym.errors import RequestError
from reelgym.evaluation import benchmarks
from reelgym.evaluation.metrics import FORMULAS
from reelgym.evaluation.rows import ASKS
from reelgym.evaluation.sources import PLUGINS
from reelgym.tasks.benchmark import KINDS


def test_names_are_unique_and_none_can_be_taken_for_another_benchmark() -> None:
    bare = ["".join(filter(str.isalnum, name)) for name in benchmarks.every()]
    assert len(set(bare)) == len(bare)
    # pritamqu/VCRBench is not VLM-Reasoning/VCR-Bench; V-STaR is not vstar; VR-Bench is not VRBench.
    assert not {"vcrbench", "vstar", "vrbench"} & set(bare)


def test_a_name_that_is_not_there_says_the_nearest() -> None:
    with pytest.raises(RequestError, match=r"unknown benchmark 'video-mne'; did you mean 'video-mme'"):
        benchmarks.get("video-mne")
    assert benchmarks.get("lmms-lab/Video-MME").name == "video-mme"


@pytest.mark.parametrize("name", sorted(benchmarks.every()))
def test_a_spec_names_only_what_is_there(name: str) -> None:
    one = benchmarks.every()[name]
    metrics = [metric.name for metric in one.metrics]
    assert len(set(metrics)) == len(metrics)
    facets = {*one.columns.facets, "kind", "view", "row", "places"}
    for metric in one.metrics:
        assert {*metric.by, *metric.where, *filter(None, (metric.weight, metric.all_of))} <= facets
        assert metric.formula in {"", *FORMULAS}
    kinds = {kind for view in one.views for kind in view.kind.split(" or ")}
    assert kinds <= set(ASKS) == set(KINDS)
    assert one.source.plugin in {"", *PLUGINS}
    assert one.paper and one.licence and one.about and not one.about.endswith(".")
    assert all(reference.metric in metrics for reference in one.references)
