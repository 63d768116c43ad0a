"""Two sets on the rendered world whose weakness is known: one needs order, one leaks through option length."""

from dataclasses import replace

from reelgym.evaluation.benchmarks.world import WORLD
from reelgym.evaluation.spec import Columns, Metric, Source

WORLD_ORDER = replace(
    WORLD,
    name="world-order",
    title="The rendered world: order",
    about="In what order a thing comes through squares; needs the order of the frames, and is made to show it",
    source=Source(hub="reelgym", files=(), config="moving", plugin="world-order"),
    columns=Columns(
        id="{id}",
        video=("{video}",),
        options="options",
        form="text",
        spans="spans",
        facets={"asks": "{asks}", "scene": "{scene}"},
    ),
    metrics=(Metric(name="accuracy"),),
    videos=40,
    type_facet="",
    notes=("A control: says nothing about a published score.",),
)

WORLD_LEAKY = replace(
    WORLD_ORDER,
    name="world-leaky",
    title="The rendered world: order, and the right option is the longest",
    about="The same with right options that are longer than the others: leaks on purpose, to be caught by a floor",
    source=Source(hub="reelgym", files=(), config="moving", plugin="world-leaky"),
)
