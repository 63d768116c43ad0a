"""The last pass over all rows of a dataset: sides by near-duplicates, the audit, and what its rule leaves out.

Both need the whole dataset, so a shard leaves them to `merge`, and both give the bytes of one run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from reelgym.data.dataset import Source
from reelgym.synthesis.audit import Audit, Rule
from reelgym.synthesis.run import sides
from reelgym.synthesis.structure import leaders, moved

Row = dict[str, str]


class Finish:
    """What becomes of the rows and sources of a dataset.

    Attributes:
        sources: Each on its side.
        audit: Of all rows, as JSON values.
    """

    def __init__(
        self,
        sources: Iterable[Source],
        rows: Callable[[], Iterable[Row]],
        settings: Mapping[str, Any],
    ) -> None:
        """Look at all rows once, and once more where the rule may leave some out.

        Args:
            sources: In order.
            rows: Gives the rows anew at each call, in the order of their sources.
            settings: Of the run, see `run.sides`; its `audit` is the rule, None marks.
        """
        self._rows = rows
        found = list(sources)
        rule: Rule | None = settings["audit"]
        self._sides = sides(settings, leaders({source.identity: source.fingerprint for source in found}))
        self.sources = [replace(source, split=self._sides[source.identity]) for source in found]
        self._audit = Audit(rule or "mark")
        self.audit: dict[str, Any] = {}
        if rule != "off":
            for row in rows():
                self._audit.add(row)
            self._audit.settle(rows())
            self.audit = self._audit.manifest()

    def counted(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """Return a line of `inputs.jsonl` with the samples that stay instead of those that were cut."""
        if "samples" not in line:
            return dict(line)
        return dict(line) | {"samples": line["samples"] - self._audit.removed[line["identity"]]}

    def rows(self) -> Iterator[Row]:
        """Yield the rows that stay, each on its side."""
        for row in self._rows():
            if self._audit.keeps(row):
                side = self._sides[source_of(row)]
                yield row if row["split"] == side else moved(row, side)


def source_of(row: Mapping[str, str]) -> str:
    """Return the identity of the source of a row."""
    return str(json.loads(row["provenance"])["source"])
