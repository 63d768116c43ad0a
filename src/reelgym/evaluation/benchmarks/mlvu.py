"""MLVU, the multiple-choice tasks of its development set (arXiv 2406.04264). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source

MLVU_DEV = Benchmark(
    name="mlvu-dev",
    title="MLVU (dev, multiple choice)",
    about="Seven tasks about videos of minutes to hours; the mean over tasks",
    paper="arXiv 2406.04264",
    access="open",
    licence="CC-BY-NC-SA-4.0",
    source=Source(hub="MLVU/MVLU", split="dev", files=("MLVU/json/[1-7]_*.json", "json/[1-7]_*.json", "[1-7]_*.json")),
    columns=Columns(
        video=("MLVU/video/{@file}/{video}", "video/{@file}/{video}", "{@file}/{video}", "{video}"),
        options="candidates",
        form="text",
        facets={"task": "{question_type}"},
    ),
    metrics=(Metric(name="M-avg", by=("task",)), Metric(name="accuracy")),
    questions=2174,
    videos=0,
    type_facet="task",
    references=(
        Reference(model="Qwen2.5-VL-7B", metric="M-avg", score=70.2, setting="official", source="its report"),
        Reference(model="GPT-4o", metric="M-avg", score=64.6, setting="not stated", source="secondary"),
    ),
    notes=("Sub-scene captioning and summaries need a judge and are not here.",),
)
