"""Tasks: from decoded frames to verified samples, and from replies to scores. One file per task.

`get(name)` gives a task with its default settings (scoring needs no others), `configure(name, settings)` one with
settings by name; `Task` is what a new task implements.
"""

from reelgym.tasks.base import Task, configure, get, names

__all__ = ["Task", "configure", "get", "names"]
