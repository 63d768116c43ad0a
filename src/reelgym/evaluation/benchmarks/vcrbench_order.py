"""VCRBench: shuffled clips of one procedure, put in order (arXiv 2505.08455). Schema from its repository."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source, View

VCRBENCH_ORDER = Benchmark(
    name="vcrbench-order",
    title="VCRBench",
    about="Three to seven shuffled clips of one procedure, to be put in order; not VCR-Bench",
    paper="arXiv 2505.08455",
    access="open",
    licence="unknown",
    source=Source(hub="pritamqu/VCRBench", files=("data/data.json", "data.json")),
    columns=Columns(
        id="{qid}",
        video=("videos/{video_file}", "{video_file}"),
        question=(
            "The video shows clips of one task in a shuffled order; each opens with its number. The task: {goal}. In "
            "which order must the clips be to do it?"
        ),
        answer="ground_truth",
        form="places",
    ),
    views=(View(kind="order"),),
    metrics=(
        Metric(name="order accuracy", part="exact"),
        Metric(name="step accuracy", part="step", weight="places"),
        Metric(name="order accuracy, mean of lengths", part="exact", by=("places",)),
    ),
    questions=365,
    videos=365,
    type_facet="places",
    references=(
        Reference(
            model="Qwen2.5-VL-7B", metric="order accuracy", score=7.1, setting="not stated", source="arXiv 2505.08455"
        ),
        Reference(
            model="Qwen2.5-VL-7B", metric="step accuracy", score=20.9, setting="not stated", source="arXiv 2505.08455"
        ),
        Reference(model="GPT-4o", metric="order accuracy", score=29.0, setting="not stated", source="arXiv 2505.08455"),
    ),
    notes=(
        "Of the published lengths chance is 7.1 for the order and 23.6 for steps; a random run is published as 7.8.",
    ),
)
