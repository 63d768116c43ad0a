"""Draws the one picture of the README: a puzzle above the bars of before and after, beside chance and the blind probe.

    python scripts/readme_picture.py DEMO     # a folder of `reelgym demo`; writes docs/picture.svg

A standalone SVG with its own style for light and dark: GitHub shows it as an image and runs no script in it.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from markupsafe import escape

from reelgym.errors import RequestError
from reelgym.reports import svg
from reelgym.reports.images import data_uri
from reelgym.reports.payload import Bars, Frame, Payload, Puzzle
from reelgym.reports.report import load
from reelgym.video import Store

WIDTH = 880
TILE = 72
GAP = 8
MARGIN = 28

STYLE = """
svg { --paper: #fbfaf7; --ink: #1c1e21; --soft: #5d6167; --rule: #e4e1da; --accent: #0f6e63; --grey: #a3a6aa;
  --bad: #a8321f; }
@media (prefers-color-scheme: dark) { svg { --paper: #131518; --ink: #e7e5e0; --soft: #a2a6ac; --rule: #2d3137;
  --accent: #5cc4b3; --grey: #6f757d; --bad: #f0937f; } }
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
  fill: var(--soft); }
.paper { fill: var(--paper); }
.heading { fill: var(--ink); font-weight: 600; font-size: 14px; }
.number { font-weight: 600; font-size: 14px; } .soft { font-size: 14px; }
.after { font-weight: 650; }
 .right { fill: var(--accent); }
.belongs { fill: none; stroke: var(--accent); stroke-width: 2; }
.slot { fill: none; stroke: var(--grey); stroke-width: 1.5; stroke-dasharray: 5 4; }
.grid { stroke: var(--rule); } .tick { font-size: 11.5px; }
.chance { stroke: var(--bad); stroke-dasharray: 4 3; stroke-width: 1.2; } .chance-label { fill: var(--bad); }
.bar { fill: var(--grey); } .bar.after { fill: var(--accent); } .bar.floor { fill: var(--rule); }
.bar.blind { fill: none; stroke: var(--grey); stroke-width: 1.3; }
.bar-label { fill: var(--ink); } .bar-value { fill: var(--ink); font-weight: 600; } .whisker { stroke: var(--ink); }
"""


def draw(puzzle: Puzzle, bars: Bars) -> str:
    """Return the picture as SVG text.

    Args:
        puzzle: With frames and candidates.
        bars: Before, after, blind; chance as a line.

    Raises:
        RequestError: The puzzle has no frames to show.
    """
    if not puzzle.candidates or not (puzzle.before or puzzle.after):
        raise RequestError(f"puzzle {puzzle.id} has no frames: a picture needs the clip and its candidates")
    film: list[Frame | None] = [*puzzle.before, *[None] * len(puzzle.answer), *puzzle.after]
    tile = min(TILE, (WIDTH - 2 * MARGIN + GAP) // len(film) - GAP)
    body = [_heading("Which of the candidates were cut out of this clip, and in which order?", 40)]
    body += [_tile(frame, MARGIN + i * (tile + GAP), 58, tile) for i, frame in enumerate(film)]
    below = 58 + tile + 40
    body.append(_heading("Candidates", below))
    body += [_candidate(puzzle, i, below + 14, tile) for i in range(len(puzzle.candidates))]
    order = " \N{RIGHTWARDS ARROW} ".join(map(str, puzzle.answer))
    aside = MARGIN + len(puzzle.candidates) * (tile + GAP) + 16
    body.append(_text(aside, below + 14 + tile / 2, "Right answer", "soft"))
    body.append(_text(aside, below + 34 + tile / 2, order, "heading"))
    chart_top = below + tile + 78
    body.append(_heading(bars.title, chart_top))
    chart, height = svg.bar_rows(bars, WIDTH - 2 * MARGIN)
    body.append(f'<g transform="translate({MARGIN} {chart_top + 14})">{chart}</g>')
    total = chart_top + 14 + height + 12
    title = escape(f"A puzzle, and the score before and after training. {bars.title}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total:.0f}" width="{WIDTH}" role="img" '
        f'aria-label="{title}"><style>{STYLE}</style><rect class="paper" width="{WIDTH}" height="{total:.0f}" rx="12"/>'
        f"{''.join(body)}</svg>\n"
    )


def of_page(payload: Payload) -> str:
    """Return the picture of a page's first solved puzzle and its bars.

    Raises:
        RequestError: The payload has no bars, or no puzzle with frames.
    """
    shown = [puzzle for puzzle in payload.puzzles if puzzle.candidates and (puzzle.before or puzzle.after)]
    if payload.bars is None or not shown:
        raise RequestError("a picture needs a page with bars and at least one puzzle with frames")
    return draw(next((puzzle for puzzle in shown if puzzle.solved), shown[0]), payload.bars)


def _tile(frame: Frame | None, x: float, y: float, side: float) -> str:
    if frame is None:
        slot = f'<rect class="slot" x="{x + 1}" y="{y + 1}" width="{side - 2}" height="{side - 2}" rx="5"/>'
        return f"{slot}{_text(x + side / 2, y + side / 2 + 5, '?', 'soft', 'middle')}"
    return (
        f'<image href="{data_uri(frame.image)}" x="{x}" y="{y}" width="{side}" height="{side}" '
        'preserveAspectRatio="xMidYMid slice"/>'
    )


def _candidate(puzzle: Puzzle, place: int, y: float, side: float) -> str:
    x, right = MARGIN + place * (side + GAP), place + 1 in puzzle.answer
    ring = f'<rect class="belongs" x="{x}" y="{y}" width="{side}" height="{side}"/>' if right else ""
    label = _text(x + side / 2, y + side + 17, str(place + 1), "number right" if right else "number", "middle")
    return f"{_tile(puzzle.candidates[place], x, y, side)}{ring}{label}"


def _heading(content: str, y: float) -> str:
    return _text(MARGIN, y, content, "heading")


def _text(x: float, y: float, content: str, kind: str, anchor: str = "start") -> str:
    # A plain str: a Markup would escape the plain strings it is added to.
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(content)}</text>'


def main() -> None:
    """Write the picture of a demo."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/picture.svg"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        asked.out.write_text(of_page(load(asked.demo, Store(cache))), encoding="utf-8")


if __name__ == "__main__":
    main()
