"""NExT-GQA: the answer and the moment that shows it (arXiv 2309.01327). Schema from its repository."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Source, View

NEXT_GQA = Benchmark(
    name="next-gqa",
    title="NExT-GQA",
    about="Five options, and the interval that shows the answer",
    paper="arXiv 2309.01327",
    access="open",
    licence="unknown",
    source=Source(
        hub="doc-doc/NExT-GQA", files=("test.csv",), joined={"@spans": "gsub_test.json:{video_id}.location.{qid}"}
    ),
    columns=Columns(
        id="{video_id}-{qid}",
        video=("{video_id}",),
        options=("a0", "a1", "a2", "a3", "a4"),
        form="text",
        spans="@spans",
        facets={"type": "{type}"},
    ),
    views=(View(kind="grounded"),),
    metrics=(
        Metric(name="Acc@GQA", part="acc_gqa"),
        Metric(name="Acc@QA", part="exact"),
        Metric(name="mIoP", part="iop"),
        Metric(name="IoP@0.3", part="iop_0.3"),
        Metric(name="IoP@0.5", part="iop_0.5"),
        Metric(name="mIoU", part="iou"),
        Metric(name="IoU@0.3", part="iou_0.3"),
        Metric(name="IoU@0.5", part="iou_0.5"),
    ),
    questions=5553,
    videos=999,
    type_facet="type",
    notes=("Answer and interval are asked for in one reply; published systems often ask twice.",),
)
