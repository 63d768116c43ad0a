"""Charts as inline SVG. Colours come from the page's style sheet by class, so that light and dark both work.

All text passes through `escape`; a chart is a `Markup` string that a template prints as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from markupsafe import Markup, escape

from reelgym.reports.payload import Bar, Bars, Curves, Number, Series

WIDTH = 440
"""Units of a chart's view box: about its pixels on a phone, so that text keeps its size."""


def percent(value: float, digits: int = 1) -> str:
    """Return a share in per cent, with a true minus sign.

    >>> percent(0.1234)
    '12.3%'
    """
    return f"{value * 100:.{digits}f}%".replace("-", "\N{MINUS SIGN}")


def signed(value: float) -> str:
    """Return a share in percentage points with its sign.

    >>> signed(0.125)
    '+12.5'
    """
    return f"{value * 100:+.1f}".replace("-", "\N{MINUS SIGN}")


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return round numbers that cover [low, high] with about `count` steps of 1, 2 or 5 times a power of ten.

    >>> ticks(0.0, 0.83)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not high > low:
        high = low + (abs(low) or 1.0)
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= raw * 0.8)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return [round(k * step, digits) for k in range(first, last + 1)]


def bars(chart: Bars) -> Markup:
    """Return the before/after picture: horizontal bars from 0 with intervals, chance as a dashed line across."""
    body, height = bar_rows(chart, WIDTH)
    return _svg([body], height, chart.title)


def bar_rows(chart: Bars, width: float) -> tuple[Markup, float]:
    """Return the bars as SVG elements without their frame, and how high they are."""
    longest = max((len(bar.label) for bar in chart.bars), default=0)
    left, right, row, top = (132 if longest <= 20 else min(7 * longest, 210)), 54, 34, 26
    limits = [v for bar in chart.bars for v in (bar.number.value, bar.number.high) if v is not None]
    marks = ticks(0.0, max([*limits, chart.chance or 0.0, 0.05]))
    scale = (width - left - right) / marks[-1]
    bottom = top + row * len(chart.bars)
    body = [line(left + m * scale, top - 4, left + m * scale, bottom, "grid") for m in marks]
    body += [text(left + m * scale, bottom + 16, percent(m, 0), "tick", "middle") for m in marks]
    body += [_bar(bar, left, top + row * i, scale) for i, bar in enumerate(chart.bars)]
    if chart.chance is not None:
        x = left + chart.chance * scale
        body.append(line(x, top - 6, x, bottom, "chance"))
        body.append(text(x, top - 11, f"chance {percent(chart.chance)}", "chance-label", "middle"))
    # Every piece of text passed through escape().
    return Markup("".join(body)), bottom + 24.0


def curves(chart: Curves) -> Markup:
    """Return a line chart with axes, labels and a hover title on every point; an empty chart says so."""
    series = [s for s in chart.series if s.points]
    if not series:
        return _svg([text(WIDTH / 2, 90, "no measurements", "tick", "middle")], 180, chart.title)
    height, left, right, top, bottom = 214, 46, 14, 12, 38
    xs = [x for s in series for x, _ in s.points]
    ys = [y for s in series for _, y in s.points] + ([chart.chance] if chart.chance is not None else [])
    y_ticks = ticks(min(0.0, *ys) if chart.share or min(ys) >= 0 else min(ys), max(ys))
    whole = all(x == int(x) for x in xs)
    x_ticks = [t for t in ticks(min(xs), max(xs)) if min(xs) <= t <= max(xs) and (t == int(t) or not whole)]
    x_low, x_span = min(xs), (max(xs) - min(xs)) or 1.0
    y_low, y_span = y_ticks[0], y_ticks[-1] - y_ticks[0]

    def place(x: float, y: float) -> tuple[float, float]:
        across = left + (x - x_low) / x_span * (WIDTH - left - right)
        return across, height - bottom - (y - y_low) / y_span * (height - top - bottom)

    digits = max(0, -math.floor(math.log10(100 * (y_ticks[1] - y_ticks[0])) + 1e-9))
    show = (lambda v: percent(v, digits)) if chart.share else _short
    body = [line(left, place(x_low, t)[1], WIDTH - right, place(x_low, t)[1], "grid") for t in y_ticks]
    body += [text(left - 7, place(x_low, t)[1] + 4, show(t), "tick", "end") for t in y_ticks]
    body += [text(place(t, y_low)[0], height - bottom + 17, _short(t), "tick", "middle") for t in x_ticks]
    body.append(text((left + WIDTH - right) / 2, height - 2, chart.x, "axis", "middle"))
    if chart.chance is not None:
        y = place(x_low, chart.chance)[1]
        body.append(line(left, y, WIDTH - right, y, "chance"))
        body.append(text(WIDTH - right, y - 5, f"chance {percent(chart.chance)}", "chance-label", "end"))
    low, high = place(x_low, y_ticks[0])[1], place(x_low, y_ticks[-1])[1]
    body += [_mark(place(x, 0.0)[0], low, high, words) for x, words in chart.marks if x_low <= x <= x_low + x_span]
    for number, one in enumerate(series):
        body += _series(one, number, [place(x, y) for x, y in one.points], chart)
    return _svg(body, height, chart.title)


def _mark(x: float, low: float, high: float, words: str) -> str:
    """Return an upright line with its words on hover."""
    return f"<g><title>{escape(words)}</title>{line(x, low, x, high, 'mark')}</g>"


def _series(one: Series, number: int, places: list[tuple[float, float]], chart: Curves) -> list[str]:
    """Return a line and its points; points of a dense line are invisible until hovered."""
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    out = [f'<path d="{path}" class="line s{number % 4}"/>']
    kind = "point" if one.marked or len(places) == 1 else "point quiet"
    for (x, y), (step, value) in zip(places, one.points, strict=True):
        shown = percent(value) if chart.share else _short(value)
        title = escape(f"{one.label}: {shown} at {chart.x} {_short(step)}")
        out.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" class="{kind} s{number % 4}"><title>{title}</title></circle>'
        )
    return out


def _bar(bar: Bar, left: float, top: float, scale: float) -> str:
    middle, value = top + 17.0, bar.number.value
    width = max(abs(value) * scale, 1.0)
    parts = [
        text(left - 10, middle + 4, bar.label, f"bar-label {bar.role}", "end"),
        f'<rect x="{left}" y="{top + 7:.1f}" width="{width:.1f}" height="20" rx="2" class="bar {escape(bar.role)}">'
        f"<title>{escape(bar.label)}: {spoken(bar.number)}</title></rect>",
    ]
    end = left + width
    if bar.number.low is not None and bar.number.high is not None:
        low, high = left + max(bar.number.low, 0.0) * scale, left + bar.number.high * scale
        parts += [line(low, middle, high, middle, "whisker")]
        parts += [line(x, middle - 4, x, middle + 4, "whisker") for x in (low, high)]
        end = max(end, high)
    parts.append(text(end + 7, middle + 4, percent(value), f"bar-value {bar.role}", "start"))
    return "".join(parts)


def spoken(number: Number) -> str:
    """Return a share with its interval in words."""
    if number.low is None or number.high is None:
        return percent(number.value)
    return f"{percent(number.value)} ({percent(number.low)} to {percent(number.high)})"


def _short(value: float) -> str:
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return text.replace("-", "\N{MINUS SIGN}")


def text(x: float, y: float, content: str, kind: str, anchor: str) -> str:
    """Return an escaped text at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{escape(kind)}" text-anchor="{anchor}">{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _svg(body: Iterable[str], height: float, title: str) -> Markup:
    # Every piece of text above went through escape().
    inner = "".join(body)
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}" class="chart">{inner}</svg>'
    )
