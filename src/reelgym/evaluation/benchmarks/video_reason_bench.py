"""VideoReasonBench: states hidden behind operations (arXiv 2505.23359). Schema from its published questions."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source, View

_LEVELS = {
    "order_operation": "recall",
    "counting_operation": "recall",
    "order_state": "infer",
    "counting_state": "infer",
    "comparison_state": "infer",
    "prediction_state": "predict",
    "prediction_operation": "predict",
}

VIDEO_REASON_BENCH = Benchmark(
    name="video-reason-bench",
    title="VideoReasonBench",
    about="Recall, infer and predict the states of six demonstrations; operations are simulated, answers judged",
    paper="arXiv 2505.23359",
    access="open",
    licence="unknown",
    source=Source(hub="lyx97/reasoning_videos", files=("questions/*.json", "*.json"), keyed=True, adds="puzzle"),
    columns=Columns(
        id="{@file}-{@key}",
        video=("{video}",),
        facts="@puzzle",
        facets={"demonstration": "{@file}", "skill": "{dim}", "level": "{dim}"},
        renamed={"level": _LEVELS},
    ),
    # The questions say themselves how the answer is to be marked.
    views=(
        View(name="answer", kind="open", ask="", where={"@asks": "answer"}),
        View(name="operations", kind="operations", ask="", where={"@asks": "operations"}),
    ),
    metrics=(
        Metric(name="accuracy"),
        *(Metric(name=level, where={"level": level}) for level in ("recall", "infer", "predict")),
        Metric(name="operations", where={"view": "operations"}),
        Metric(name="mean of skills", by=("skill",)),
        Metric(name="judge failed", part="judge_failed", where={"view": "answer"}),
    ),
    questions=1440,
    videos=240,
    type_facet="skill",
    references=(
        Reference(model="GPT-4o", metric="accuracy", score=6.9, setting="not stated", source="secondary"),
        Reference(model="Gemini-2.5-Flash", metric="accuracy", score=27.4, setting="not stated", source="its page"),
        Reference(model="Gemini-2.5-Pro", metric="accuracy", score=56.0, setting="not stated", source="secondary"),
    ),
    checked="its published questions: all 1,440 read; 2,180 of the 2,280 recorded operations simulated to the recorded "
    "states, the other 100 (cp and mv of files) no answer may use; no video, no score",
    notes=(
        "Its script skips moves over an edge and compares piles of cards in opposite orders; here the first make an "
        "answer wrong, and the second is put right: scores of these questions are not the published ones.",
        "Operations are read by rule in place of a language model.",
    ),
)
