"""Charades-STA: when a sentence happens (arXiv 1705.02101). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source, View

CHARADES_STA = Benchmark(
    name="charades-sta",
    title="Charades-STA",
    about="The interval in which a sentence happens",
    paper="arXiv 1705.02101",
    access="open",
    licence="unknown",
    source=Source(hub="lmms-lab/charades_sta", files=("data/test-*.parquet", "test-*.parquet", "*.json", "*.jsonl")),
    columns=Columns(
        video=("Charades_v1_480/{video}", "{video}"),
        question="When does this happen in the video: {caption}",
        answer="timestamp",
        form="span",
    ),
    views=(View(kind="span"),),
    metrics=(
        Metric(name="mIoU", part="iou"),
        Metric(name="R1@0.3", part="recall_0.3"),
        Metric(name="R1@0.5", part="recall_0.5"),
        Metric(name="R1@0.7", part="recall_0.7"),
    ),
    questions=3720,
    videos=1334,
    references=(Reference(model="Qwen2.5-VL-7B", metric="mIoU", score=43.6, setting="official", source="its report"),),
    notes=("The best constant stretch, the first 45 % of the video, earns an mIoU of 30.6, fitted to the answers.",),
)
