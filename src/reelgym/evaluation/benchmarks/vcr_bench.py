"""VCR-Bench: video reasoning in seven dimensions (arXiv 2504.07956); not VCRBench. Schema from its repository."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source, View

VCR_BENCH = Benchmark(
    name="vcr-bench-answers",
    title="VCR-Bench (answers)",
    about="Four options, or free answers that a judge decides on, in seven dimensions; not VCRBench",
    paper="arXiv 2504.07956",
    access="open",
    licence="unknown",
    source=Source(hub="VLM-Reasoning/VCR-Bench", files=("meta_info_video.json", "*/meta_info_video.json", "*.json")),
    columns=Columns(
        id="{id}",
        video=("{video_path}", "video/{video_path:file}", "{video_path:file}"),
        options="choices",
        facts="reasoning",
        facets={"dimension": "{dimension}"},
    ),
    views=(View(kind="choice or open"),),
    metrics=(
        Metric(name="accuracy"),
        Metric(name="accuracy of choices", where={"kind": "choice"}),
        Metric(name="accuracy of free answers", where={"kind": "open"}),
        Metric(name="mean of dimensions", by=("dimension",)),
        Metric(name="judge failed", part="judge_failed", where={"kind": "open"}),
    ),
    questions=1034,
    videos=859,
    type_facet="dimension",
    references=(
        Reference(model="Qwen2.5-VL-7B", metric="accuracy", score=30.4, setting="not stated", source="secondary"),
        Reference(model="Video-R1-7B", metric="accuracy", score=32.7, setting="not stated", source="secondary"),
        Reference(model="GPT-4o", metric="accuracy", score=46.9, setting="not stated", source="secondary"),
    ),
    notes=(
        "Its CoT score, a judge's precision and recall of steps, is not here; the reference steps are kept as facts.",
        "The published judge, GPT-4o, also extracts answers; here letters are read by rule.",
    ),
)
