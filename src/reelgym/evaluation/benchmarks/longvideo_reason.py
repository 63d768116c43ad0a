"""LongVideo-Reason-eval: reasoning over long videos (LongVILA-R1, arXiv 2507.07966). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source

_SHARDS = tuple(f"longvideo_eval_subset{shard}/{{videos:file}}" for shard in range(10))

LONGVIDEO_REASON = Benchmark(
    name="longvideo-reason-eval",
    title="LongVideo-Reason-eval",
    about="Four options in the question, about videos of minutes: time, aims, plot and space",
    paper="arXiv 2507.07966",
    access="open",
    licence="unknown",
    source=Source(hub="LongVideo-Reason/longvideo-reason", files=("*/test-*.parquet", "test-*.parquet", "test.json*")),
    columns=Columns(
        id="{problem_id}",
        video=("{videos}", "longvila_videos/{videos:file}", "{videos:file}", *_SHARDS),
        question="{problem}",
        options="in question",
        facets={"type": "{problem_type}"},
    ),
    metrics=(Metric(name="accuracy"), Metric(name="mean of types", by=("type",))),
    questions=1000,
    broken=5,
    videos=991,
    type_facet="type",
    references=(
        Reference(model="LongVILA-R1-7B", metric="accuracy", score=72.0, setting="not stated", source="secondary"),
        Reference(model="Video-R1-7B", metric="accuracy", score=68.1, setting="not stated", source="secondary"),
        Reference(model="GPT-4o", metric="accuracy", score=63.1, setting="not stated", source="secondary"),
    ),
    notes=(
        "B is right in 44 % of its rows: read a score beside the most frequent letter.",
        "Five published rows lack whole options: those that cannot be asked are left out by name.",
        "Its own scorer wants the letter and nothing else between answer tags: compare `read strictly`.",
    ),
)
