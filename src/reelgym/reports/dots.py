"""Dot-and-interval plots as inline SVG: every number with what is not known of it, chance as a dashed line across.

A plot is drawn twice: wide, with labels at the left and numbers at the right, and slim, with both above each row; the
style sheet shows the one that fits the screen, so that text keeps its size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup, escape

from reelgym.reports.payload import Dot, DotRow, Number, Plot
from reelgym.reports.svg import line, percent, signed, spoken, text, ticks

LETTER = 6.6
"""Width of a letter of a label, in units of the view box. Measured on sans-serif type of 13 units."""


@dataclass(frozen=True)
class Scale:
    """From a number to its place across."""

    low: float
    per_one: float
    left: float

    def __call__(self, value: float) -> float:
        """Return the place of a number."""
        return self.left + (value - self.low) * self.per_one


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where things stand, in units of the view box.

    Attributes:
        width: Of the whole.
        left: Where the scale begins.
        right: Where it ends.
        row: Height of a row.
        above: Whether label and number stand above the dots.
        numbers: Whether numbers are written.
    """

    width: float
    left: float
    right: float
    row: float
    above: bool
    numbers: bool

    @staticmethod
    def of(plot: Plot, *, wide: bool, panel: bool) -> Frame:
        """Return the frame of a plot: of a whole page wide or slim, or of one panel among several."""
        numbers = len(plot.series) < 2
        labels = max((len(row.label) + len(row.note) + 2 * (row.kind == "probe") for row in plot.rows), default=0)
        if panel:
            left, row = min(max(LETTER * labels + 26, 70), 200), 24 if numbers else 14 + 8 * len(plot.series)
            return Frame(width=440, left=left, right=380 if numbers else 420, row=row, above=False, numbers=numbers)
        if wide:
            left = min(max(LETTER * labels + 44, 120), 330)
            return Frame(width=900, left=left, right=720 if numbers else 880, row=28, above=False, numbers=numbers)
        return Frame(width=370, left=8, right=362, row=46, above=True, numbers=numbers)


def plot(chart: Plot) -> Markup:
    """Return a plot of a whole page, for wide and for slim screens."""
    drawn = [
        _draw(chart, Frame.of(chart, wide=wide, panel=False), "wide" if wide else "slim") for wide in (True, False)
    ]
    return Markup("").join(drawn)


def panel(chart: Plot) -> Markup:
    """Return a plot that stands beside others."""
    return _draw(chart, Frame.of(chart, wide=False, panel=True), "one")


def _draw(chart: Plot, frame: Frame, kind: str) -> Markup:
    top = 28.0 if chart.chance is not None else 10.0
    bottom = top + frame.row * len(chart.rows)
    marks = ticks(*_range(chart), 5 if frame.width > 500 else 4)
    place = Scale(marks[0], (frame.right - frame.left) / (marks[-1] - marks[0]), frame.left)
    show = signed_tick if chart.signed else percent_tick
    body = [line(place(mark), top, place(mark), bottom, "grid" if mark else "grid zero") for mark in marks]
    body += [text(place(mark), bottom + 17, show(mark), "tick", "middle") for mark in marks]
    if chart.chance is not None:
        x = place(chart.chance)
        body.append(line(x, top - 6, x, bottom, "chance"))
        anchor = "start" if x < frame.left + 70 else "end" if x > frame.right - 70 else "middle"
        body.append(text(x, top - 11, f"chance {percent(chart.chance)}", "chance-label", anchor))
    body += [_row(row, frame, top + frame.row * at, place, chart.signed) for at, row in enumerate(chart.rows)]
    # Every piece of text passed through escape().
    return Markup(
        f'<svg viewBox="0 0 {frame.width:.0f} {bottom + 26:.0f}" role="img" aria-label="{escape(_spoken(chart))}" '
        f'class="chart dots {kind}">{"".join(body)}</svg>'
    )


def _row(row: DotRow, frame: Frame, top: float, scale: Scale, is_signed: bool) -> str:
    middle = top + (frame.row - 13 if frame.above else frame.row / 2)
    words = top + 17 if frame.above else middle + 4.5
    inset = 16 if row.kind == "probe" else 0
    start = frame.left if frame.above else 0
    out = [_label(row, start + inset, words, frame)]
    if row.chance is not None:
        x = scale(row.chance)
        out.append(line(x, middle - 9, x, middle + 9, "chance"))
    spread = 7.0 if len(row.dots) > 1 else 0.0
    for place, dot in enumerate(row.dots):
        shift = spread * (place - (len(row.dots) - 1) / 2)
        out.append(_dot(dot, row, middle + shift, scale, is_signed))
    if frame.numbers and row.dots:
        x, anchor = (frame.width - 4, "end") if frame.above else (frame.right + 14, "start")
        out.append(_number(row.dots[0].number, x, words, anchor, _shown(is_signed), brief=frame.width < 500))
    return "".join(out)


def _label(row: DotRow, x: float, y: float, frame: Frame) -> str:
    room = int((frame.right - frame.left - 52 if frame.above else frame.left - x - 8) / LETTER)
    label = row.label if len(row.label) <= room else row.label[: max(1, room - 1)] + "\N{HORIZONTAL ELLIPSIS}"
    note = row.note if len(label) + len(row.note) + 1 <= room else ""
    more = f'<tspan class="note-text" dx="5">{escape(note)}</tspan>' if note else ""
    more += f'<tspan class="warn" dx="6">{escape(row.warning)}</tspan>' if row.warning else ""
    full = escape(" ".join(filter(None, (row.label, row.note, row.warning))))
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="dot-label {row.kind}"><title>{full}</title>{escape(label)}{more}</text>'
    )


def _dot(dot: Dot, row: DotRow, y: float, scale: Scale, is_signed: bool) -> str:
    value, kind = dot.number, f"{row.kind} s{dot.series % 4}" + (" warned" if row.warning else "")
    x = scale(value.value)
    out = []
    if value.low is not None and value.high is not None:
        low, high = scale(value.low), scale(value.high)
        out.append(line(low, y, high, y, f"interval {kind}"))
    title = f"<title>{escape(row.label)}: {escape(said(value, is_signed))}</title>"
    if row.kind == "floor":
        out.append(f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" class="dot {kind}">{title}</rect>')
    else:
        out.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{4 if len(row.dots) > 1 else 5}" class="dot {kind}">{title}</circle>'
        )
    return "".join(out)


def _number(value: Number, x: float, y: float, anchor: str, show: Callable[[float], str], *, brief: bool) -> str:
    limits = ""
    if not brief and value.low is not None and value.high is not None:
        limits = f'<tspan class="note-text" dx="7">{show(value.low)} to {show(value.high)}</tspan>'
    return f'<text x="{x:.1f}" y="{y:.1f}" class="dot-value" text-anchor="{anchor}">{show(value.value)}{limits}</text>'


def _spoken(chart: Plot) -> str:
    """Return what a plot shows for those who hear it."""
    rows = []
    for row in chart.rows:
        numbers = ", ".join(said(dot.number, chart.signed) for dot in row.dots)
        rows.append(" ".join(filter(None, (row.label, numbers, row.warning))))
    chance = "" if chart.chance is None else f"; chance {percent(chart.chance)}"
    return f"{chart.title}: {'; '.join(rows)}{chance}"


def said(value: Number, is_signed: bool) -> str:
    """Return a number with its interval in words: a share, or a difference in points."""
    if not is_signed:
        return spoken(value)
    limits = "" if value.low is None or value.high is None else f" ({signed(value.low)} to {signed(value.high)})"
    return f"{signed(value.value)} points{limits}"


def _shown(is_signed: bool) -> Callable[[float], str]:
    return signed if is_signed else percent


def _range(chart: Plot) -> tuple[float, float]:
    """Return what the scale must hold: from 0, or to both sides of it."""
    numbers = [dot.number for row in chart.rows for dot in row.dots]
    values = [value for one in numbers for value in (one.value, one.low, one.high) if value is not None]
    values += [one for one in (chart.chance, *(row.chance for row in chart.rows)) if one is not None]
    least = 0.05 if not chart.signed else 0.02
    return min([*values, -least if chart.signed else 0.0]), max([*values, least])


def percent_tick(value: float) -> str:
    """Return a share at the end of a grid line."""
    return percent(value, 0)


def signed_tick(value: float) -> str:
    """Return a difference at the end of a grid line."""
    return "0" if value == 0 else signed(value).removesuffix(".0")
