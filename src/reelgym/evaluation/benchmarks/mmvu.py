"""MMVU, its validation set: experts' questions on videos of 27 subjects (arXiv 2501.12380). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source, View

_R1 = "think and answer tags"

MMVU = Benchmark(
    name="mmvu",
    title="MMVU (validation)",
    about="Five options, or free answers that a judge decides on, to experts' questions",
    paper="arXiv 2501.12380",
    access="open",
    licence="unknown",
    source=Source(
        hub="yale-nlp/MMVU", split="validation", files=("validation.json", "*/validation-*.parquet", "validation.jsonl")
    ),
    columns=Columns(
        id="{id}",
        video=("{video}", "videos/{metadata.subject}/{video:file}", "{metadata.subject}/{video:file}", "{video:file}"),
        options="choices",
        facets={"subject": "{metadata.subject}"},
    ),
    views=(View(kind="choice or open"),),
    metrics=(
        Metric(name="accuracy"),
        Metric(name="accuracy of choices", where={"kind": "choice"}),
        Metric(name="accuracy of free answers", where={"kind": "open"}),
        Metric(name="judge failed", part="judge_failed", where={"kind": "open"}),
    ),
    questions=1000,
    videos=583,
    type_facet="subject",
    references=(
        Reference(
            model="Qwen2.5-VL-7B",
            metric="accuracy of choices",
            score=60.0,
            setting=f"64 frames, {_R1}",
            source="arXiv 2503.21776",
        ),
        Reference(
            model="Video-R1-7B",
            metric="accuracy of choices",
            score=63.8,
            setting=f"64 frames, {_R1}",
            source="arXiv 2503.21776",
        ),
        Reference(model="GPT-4o", metric="accuracy of choices", score=75.4, setting="not stated", source="secondary"),
    ),
    notes=(
        "Papers report choices alone or all questions: compare the number of the same name.",
        "The published judge is GPT-4o at temperature 1 and also reads choices; here letters are read by rule.",
    ),
)
