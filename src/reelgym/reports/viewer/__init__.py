"""A local page to browse a dataset, a run or an evaluation: `open_browser` reads a folder, `Viewer` serves it.

Folders are read lazily: what is filtered by is held in memory in coded columns, everything else is read from its row
group when it is asked for. The page is plain HTML and one script of ours; nothing is fetched from elsewhere.
"""

from __future__ import annotations
