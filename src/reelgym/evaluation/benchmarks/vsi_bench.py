"""VSI-Bench: space from video, letters and numbers (arXiv 2412.14171). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source, View

_DIRECTION = "object_rel_direction"

VSI_BENCH = Benchmark(
    name="vsi-bench",
    title="VSI-Bench",
    about="Space from indoor videos: options by accuracy, numbers by mean relative accuracy; the mean of eight tasks",
    paper="arXiv 2412.14171",
    access="open",
    licence="Apache-2.0",
    source=Source(hub="nyu-visionx/VSI-Bench", files=("test.jsonl", "test-*.parquet", "*.jsonl")),
    columns=Columns(
        id="{id}",
        video=("{dataset}/{scene_name}",),
        options="options",
        answer="ground_truth",
        facets={"type": "{question_type}", "task": "{question_type}"},
        renamed={"task": {f"{_DIRECTION}_{level}": _DIRECTION for level in ("easy", "medium", "hard")}},
    ),
    views=(View(kind="choice or number"),),
    metrics=(
        Metric(name="mean of tasks", by=("task", "type")),
        Metric(name="options", where={"kind": "choice"}),
        Metric(name="numbers", where={"kind": "number"}),
        Metric(name="mean of rows"),
    ),
    questions=5130,
    videos=288,
    type_facet="type",
    references=(
        Reference(
            model="GPT-4o",
            metric="mean of tasks",
            score=34.0,
            setting="not stated",
            source="arXiv 2412.14171",
        ),
        Reference(
            model="Video-R1-7B",
            metric="mean of rows",
            score=37.1,
            setting="64 frames, think and answer tags, another averaging",
            source="arXiv 2503.21776",
        ),
    ),
    notes=(
        "The three difficulties of relative direction are averaged first and count as one task of eight.",
        "An error of exactly 1 - theta does not count, as in the paper's formula; lmms-eval counts it.",
        "The best constant per type earns 34.0, fitted to the answers: the published number of GPT-4o.",
    ),
)
