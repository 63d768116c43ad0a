"""The world as a benchmark: rendered videos of which every fact is known. Needs no download."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Source

WORLD = Benchmark(
    name="world",
    title="The rendered world",
    about="What, when, where, how many, order and next, about rendered videos; nothing is downloaded",
    paper="none: it is rendered here",
    access="embedded",
    licence="Apache-2.0",
    source=Source(hub="reelgym", files=(), plugin="world"),
    columns=Columns(
        id="{id}",
        video=("{video}",),
        options="options",
        form="text",
        facts="facts",
        facets={"asks": "{asks}", "scene": "{scene}"},
    ),
    metrics=(
        Metric(name="accuracy"),
        *(Metric(name=kind, where={"asks": kind}) for kind in ("what", "when", "where", "how many", "order", "next")),
    ),
    questions=0,
    videos=20,
    type_facet="asks",
    frames=16,
    checked="its own facts: every answer is known exactly",
    notes=("Says nothing about a published score.",),
)
