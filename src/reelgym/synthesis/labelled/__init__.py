"""Labelled records to samples: one reader per kind of record, one build for all.

`import_records` (build) makes a dataset of records and their videos; `Reader` (record) is what a kind of record needs:
one new file. `rows` (rows) takes CSV, JSON, JSON lines, Parquet and text apart.
"""

from reelgym.synthesis.labelled.build import Imported, import_records
from reelgym.synthesis.labelled.record import BadRecord, Draft, Reader, names

__all__ = ["BadRecord", "Draft", "Imported", "Reader", "import_records", "names"]
