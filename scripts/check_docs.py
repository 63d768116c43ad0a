"""Run every python block of the documents and follow every local link; exit 1 and name what is wrong.

A block marked ```python is run, the blocks of one document in order and sharing their names, in a temporary folder. An
unmarked block right after one must be what that one printed. Docstring examples (>>>) of src run as well.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)|(?:src|href|srcset)=\"([^\"]+)\"")
MARK = "--- block {number} ended ---"


def documents() -> list[Path]:
    """Return the documents a reader is led to."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def anchors(path: Path) -> set[str]:
    """Return the anchors that the headings of a document make."""
    titles = re.findall(r"^#+ +(.+?)\s*$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(path: Path) -> list[str]:
    """Return what is wrong with the local links of a document."""
    wrong = []
    for found in LINK.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
        target = next(filter(None, found))
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = path.parent / name if name else path
        if not there.exists():
            wrong.append(f"{path.relative_to(ROOT)}: link to {target}, which does not exist")
        elif anchor and there.suffix == ".md" and anchor not in anchors(there):
            wrong.append(f"{path.relative_to(ROOT)}: no heading for the link {target}")
    return wrong


def failed_blocks(path: Path) -> list[str]:
    """Return what is wrong with the python blocks of a document: a failure, or another output than the one shown."""
    text = path.read_text(encoding="utf-8")
    code = [match[2] for match in FENCE.finditer(text) if match[1] == "python"]
    if not code:
        return []
    script = "\n".join(f"{body}\nprint({MARK.format(number=n)!r}, flush=True)" for n, body in enumerate(code))
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    if done.returncode:
        return [f"{path.relative_to(ROOT)}: a python block failed:\n{done.stderr}"]
    wrong, rest = [], done.stdout
    for number, shown in enumerate(outputs(text)):
        printed, _, rest = rest.partition(MARK.format(number=number) + "\n")
        if shown is not None and printed.strip() != shown.strip():
            wrong.append(f"{path.relative_to(ROOT)}: a block prints\n{printed}and the document shows\n{shown}")
    return wrong


def outputs(text: str) -> list[str | None]:
    """Return for every python block the output that the document shows right below it, or None."""
    blocks = list(FENCE.finditer(text))
    shown: list[str | None] = []
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        if block[1] == "python":
            follows = after is not None and not after[1] and not text[block.end() : after.start()].strip()
            shown.append(after[2] if after is not None and follows else None)
    return shown


def main() -> int:
    """Check all documents, then the examples in docstrings."""
    wrong = [line for path in documents() for line in (*broken_links(path), *failed_blocks(path))]
    for line in wrong:
        print(line)
    blocks = sum(language == "python" for path in documents() for language, _ in FENCE.findall(path.read_text("utf-8")))
    print(f"docs: {len(documents())} documents, {blocks} python blocks run, {len(wrong)} faults")
    command = [sys.executable, "-m", "pytest", "-q", "--doctest-modules", "src", "-p", "no:cacheprovider"]
    return max(int(bool(wrong)), subprocess.run(command, cwd=ROOT).returncode)


if __name__ == "__main__":
    sys.exit(main())
