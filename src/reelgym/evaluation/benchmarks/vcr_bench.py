"""VCR-Bench: video reasoning in seven dimensions (arXiv 2504.07956); not VCRBench. Schema from its repository."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source, View

VCR_BENCH = Benchmark(
    name="vcr-bench-cot",
    title="VCR-Bench",
    about="Four options, or free answers, and the steps that lead there, which a judge decides on; not VCRBench",
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
        Metric(name="CoT score", formula="f1", of=("step precision", "step recall")),
        Metric(name="step precision", part="step_precision"),
        Metric(name="step recall", part="step_recall"),
        Metric(name="perception", formula="f1", of=("perception precision", "perception recall")),
        Metric(name="perception precision", part="perception_precision"),
        Metric(name="perception recall", part="perception_recall"),
        Metric(name="reasoning", formula="f1", of=("reasoning precision", "reasoning recall")),
        Metric(name="reasoning precision", part="reasoning_precision"),
        Metric(name="reasoning recall", part="reasoning_recall"),
        Metric(name="efficiency", part="step_efficiency"),
        Metric(name="judge failed", part="judge_failed", where={"kind": "open"}),
        Metric(name="steps not judged", part="steps_failed"),
    ),
    questions=1034,
    videos=859,
    type_facet="dimension",
    steps=True,
    references=(
        Reference(model="o1", metric="accuracy", score=56.7, setting="not stated", source="arXiv 2504.07956"),
        Reference(model="o1", metric="CoT score", score=62.8, setting="not stated", source="arXiv 2504.07956"),
        Reference(model="Qwen2.5-VL-7B", metric="accuracy", score=30.4, setting="not stated", source="secondary"),
        Reference(model="Video-R1-7B", metric="accuracy", score=32.7, setting="not stated", source="secondary"),
        Reference(model="GPT-4o", metric="accuracy", score=46.9, setting="not stated", source="secondary"),
    ),
    notes=(
        "The CoT score needs --judge and a prompt that asks for reasoning, as --prompt tagged; steps of direct replies "
        "are not judged.",
        "An empty reply, one whose steps no verdict came on, and one of redundant steps alone stay in the mean of "
        "precision with 0; the published script takes the last out and asks for the second without end.",
        "The published judge, GPT-4o, also extracts answers, and intervals count from IoU 0.7; here letters are read "
        "by rule and the judge decides on the rest.",
    ),
)
