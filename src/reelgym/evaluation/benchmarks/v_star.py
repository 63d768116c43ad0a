"""V-STaR: what, when and where, in two chains of questions (arXiv 2503.11495). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source, View

_COMPONENTS = ("what", "tIoU, chain 1", "vIoU, chain 1", "tIoU, chain 2", "vIoU, chain 2")
_PAPER = "arXiv 2510.20579"

V_STAR_VIDEO = Benchmark(
    name="v-star-video",
    title="V-STaR",
    about="What, when and where: free answer, interval and a box per second, in two chains; not the image search V*",
    paper="arXiv 2503.11495",
    access="open",
    licence="unknown",
    source=Source(
        hub="V-STaR-Bench/V-STaR",
        files=("V_STaR_test.json", "data/V_STaR_test.json", "V_STaR_test.jsonl"),
        adds="track",
    ),
    columns=Columns(
        video=("videos/{vid}", "{vid}"),
        facts="@track",
        facets={"domain": "{domain}", "duration": "{@duration}"},
    ),
    views=(
        View(name="what", kind="open"),
        View(
            name="when",
            kind="span",
            question="The video is {@length} seconds long. {temporal_question}",
            answer="timestamps",
        ),
        View(
            name="where",
            kind="boxes",
            question="{spatial_question} Asked for is every whole second from {@first} to {@last}.",
            answer="bboxes",
        ),
        View(
            name="where-first",
            kind="boxes",
            question="{spatial_question_2} Asked for are {@count} whole seconds: those that the question is about.",
            answer="bboxes",
        ),
        View(
            name="when-last",
            kind="span",
            question="The video is {@length} seconds long. {temporal_question} What it is about is seen in these "
            "boxes, in thousandths of the picture's width and height (left, top, right, bottom), in order but without "
            "their times: {@boxes}.",
            answer="timestamps",
        ),
    ),
    metrics=(
        Metric(name="mAM", formula="mAM", of=_COMPONENTS),
        Metric(name="mLGM", formula="mLGM", of=_COMPONENTS),
        Metric(name="what", where={"view": "what"}),
        Metric(name="tIoU, chain 1", part="iou", where={"view": "when"}),
        Metric(name="vIoU, chain 1", part="viou", where={"view": "where"}),
        Metric(name="vIoU, chain 2", part="viou", where={"view": "where-first"}),
        Metric(name="tIoU, chain 2", part="iou", where={"view": "when-last"}),
        Metric(name="R1@0.5, chain 1", part="recall_0.5", where={"view": "when"}),
        Metric(name="AP@0.5, chain 1", part="ap_0.5", where={"view": "where"}),
        Metric(name="all three, chain 1", formula="together", of=("what", "when", "where")),
        Metric(name="all three, chain 2", formula="together", of=("what", "when-last", "where-first")),
        Metric(name="judge failed", part="judge_failed", where={"view": "what"}),
    ),
    questions=2094,
    videos=0,
    type_facet="duration",
    judge=(3, 2),
    references=(
        Reference(model="GPT-4o", metric="mAM", score=26.8, setting="not stated", source=_PAPER),
        Reference(model="GPT-4o", metric="mLGM", score=38.2, setting="not stated", source=_PAPER),
        Reference(model="Qwen2.5-VL-7B", metric="mAM", score=19.3, setting="16 frames", source=_PAPER),
        Reference(model="Qwen2.5-VL-7B", metric="mLGM", score=22.4, setting="16 frames", source=_PAPER),
    ),
    notes=(
        "Every row counts in every mean; the published script leaves rows without an answer out of some.",
        "mLGM grows without bound as a component nears 1: components are clamped just below it.",
        "Boxes are asked for in thousandths of the picture; the published prompts leave the unit to the model.",
    ),
)
