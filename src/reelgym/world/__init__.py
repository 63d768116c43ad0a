"""Rendered videos whose every fact is known: the embedded proving ground.

Each kind of scene is one file with one `Kind`. Public names: make, render, load_facts, kinds, get,
Settings, Scene, Kind, Facts, Thing, State, Track, Event, Question, WorldVideo, square.
"""

from reelgym.world.base import Kind, Scene, Settings, get, kinds, render, scene_seed
from reelgym.world.facts import Event, Facts, State, Thing, Track, square
from reelgym.world.files import WorldVideo, load_facts, make
from reelgym.world.questions import Question

__all__ = [
    "Event",
    "Facts",
    "Kind",
    "Question",
    "Scene",
    "Settings",
    "State",
    "Thing",
    "Track",
    "WorldVideo",
    "get",
    "kinds",
    "load_facts",
    "make",
    "render",
    "scene_seed",
    "square",
]
