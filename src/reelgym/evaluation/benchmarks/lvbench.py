"""LVBench: questions about very long videos (arXiv 2406.08035). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source

LVBENCH = Benchmark(
    name="lvbench",
    title="LVBench",
    about="Four options about videos of an hour and more",
    paper="arXiv 2406.08035",
    access="open",
    licence="CC-BY-NC-SA-4.0",
    source=Source(
        hub="THUDM/LVBench", files=("video_info.meta.jsonl", "data/video_info.meta.jsonl", "*.jsonl"), inside="qa"
    ),
    columns=Columns(
        id="{uid}",
        video=("all_videos/{key}", "{key}"),
        options="in question",
        facets={"type": "{question_type}", "video_type": "{type}"},
    ),
    questions=1549,
    videos=103,
    type_facet="type",
    references=(
        Reference(model="Qwen2.5-VL-7B", metric="accuracy", score=45.3, setting="official", source="its report"),
    ),
    metrics=(Metric(name="accuracy"), Metric(name="mean of types", by=("type",))),
    notes=(
        "Every row counts; the published script leaves out rows without a reply.",
        "A question of several types is a group of its own in the mean of types.",
    ),
)
