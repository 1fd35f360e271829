"""Small charts as SVG that read well on light and on dark pages: stacked bars and lines, with units on the axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH = 720
LEFT, RIGHT = 190, 70
INKS = ("a", "b", "c", "d", "e", "f")
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.quiet { fill: #59636e; font-size: 12px }
.grid { stroke: #59636e; stroke-opacity: .25 }
.a { fill: #1a7f8f; stroke: #1a7f8f } .b { fill: #d1703c; stroke: #d1703c } .c { fill: #7a6fc2; stroke: #7a6fc2 }
.d { fill: #5d8a3a; stroke: #5d8a3a } .e { fill: #b8527f; stroke: #b8527f } .f { fill: #8c8c8c; stroke: #8c8c8c }
.line { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .quiet { fill: #9da7b1 } .grid { stroke: #9da7b1 }
  .a { fill: #3fb6c8; stroke: #3fb6c8 } .b { fill: #f0925c; stroke: #f0925c } .c { fill: #a79bf0; stroke: #a79bf0 }
  .d { fill: #86bf5c; stroke: #86bf5c } .e { fill: #e27fae; stroke: #e27fae } .f { fill: #a8a8a8; stroke: #a8a8a8 }
}
"""


def steps(top: float) -> list[float]:
    """Return round numbers from 0 to at least `top`, four to eight of them."""
    unit = 10 ** math.floor(math.log10(top / 4))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if top / (unit * factor) <= 6)
    return [step * number for number in range(math.ceil(top / step - 1e-9) + 1)]


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 or value == int(value) else f"{value:.2g}"


def svg(title: str, height: int, parts: Sequence[str]) -> str:
    """Return a whole image."""
    box = f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box}>'
    name = f'<text class="title" x="12" y="24">{escape(title)}</text>'
    return "\n".join([head, f"<style>{STYLE}</style>", name, *parts, "</svg>", ""])


def stacked(title: str, axis: str, rows: Mapping[str, Mapping[str, float]], notes: Mapping[str, str]) -> str:
    """Draw a horizontal bar a row, each of one or more parts; `notes` stand behind the bars."""
    names = list(dict.fromkeys(name for parts in rows.values() for name in parts))
    several = any(len(parts) > 1 for parts in rows.values())
    marks = steps(max(sum(parts.values()) for parts in rows.values()))
    scale = (WIDTH - LEFT - RIGHT) / marks[-1]
    top = 66 if several else 40
    bottom = top + 30 * len(rows)
    drawn = _legend(names, 46) if several else []
    for mark in marks:
        x = LEFT + mark * scale
        drawn.append(f'<line class="grid" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"/>')
        drawn.append(f'<text class="quiet" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{number(mark)}</text>')
    for at, (name, parts) in enumerate(rows.items()):
        y, x = top + 30 * at + 5, float(LEFT)
        drawn.append(f'<text x="{LEFT - 10}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        for part, value in parts.items():
            ink = INKS[names.index(part) % len(INKS)] if several else INKS[0 if name.startswith("fanfold") else -1]
            drawn.append(
                f'<rect class="{ink}" stroke="none" x="{x:.1f}" y="{y}" width="{value * scale:.1f}" height="20"/>'
            )
            x += value * scale
        drawn.append(f'<text x="{x + 8:.1f}" y="{y + 14}">{escape(notes.get(name, ""))}</text>')
    drawn.append(_axis(axis, bottom + 36))
    return svg(title, bottom + 48, drawn)


def lines(title: str, across: str, up: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Draw lines over a logarithmic axis of sizes; the last point of each carries its value."""
    top, bottom = 70, 300
    places = sorted({x for points in series.values() for x, _ in points})
    marks = steps(max(y for points in series.values() for _, y in points))
    low, high = math.log(places[0]), math.log(places[-1])

    def left(x: float) -> float:
        return 70 + (math.log(x) - low) / ((high - low) or 1) * (WIDTH - 70 - RIGHT)

    def down(y: float) -> float:
        return bottom - y / marks[-1] * (bottom - top)

    drawn = _legend(list(series), 46)
    for mark in marks:
        drawn.append(f'<line class="grid" x1="70" y1="{down(mark):.1f}" x2="{WIDTH - RIGHT}" y2="{down(mark):.1f}"/>')
        drawn.append(f'<text class="quiet" x="62" y="{down(mark) + 4:.1f}" text-anchor="end">{number(mark)}</text>')
    for x in places:
        drawn.append(f'<text class="quiet" x="{left(x):.1f}" y="{bottom + 18}" text-anchor="middle">{number(x)}</text>')
    for at, points in enumerate(series.values()):
        ink = INKS[at % len(INKS)]
        path = " ".join(f"{left(x):.1f},{down(y):.1f}" for x, y in points)
        drawn.append(f'<polyline class="{ink} line" style="fill:none" points="{path}"/>')
        drawn += [f'<circle class="{ink}" cx="{left(x):.1f}" cy="{down(y):.1f}" r="3.5"/>' for x, y in points]
    drawn += _ends([(left(points[-1][0]), down(points[-1][1]), points[-1][1]) for points in series.values()])
    drawn.append(_axis(across, bottom + 40, (70 + WIDTH - RIGHT) / 2))
    middle = (top + bottom) / 2
    turned = f'x="18" y="{middle}" text-anchor="middle" transform="rotate(-90 18 {middle})"'
    drawn.append(f'<text class="quiet" {turned}>{escape(up)}</text>')
    return svg(title, bottom + 52, drawn)


def _ends(places: Sequence[tuple[float, float, float]]) -> list[str]:
    """Write the value of each line behind its end, from the lowest up, none on another."""
    drawn, free = [], math.inf
    for x, y, value in sorted(places, key=lambda place: -place[1]):
        free = min(free - 14, y + 4)
        drawn.append(f'<text x="{x + 10:.1f}" y="{free:.1f}">{number(value)}</text>')
    return drawn


def _axis(name: str, y: float, x: float = (LEFT + WIDTH - RIGHT) / 2) -> str:
    return f'<text class="quiet" x="{x:.1f}" y="{y}" text-anchor="middle">{escape(name)}</text>'


def _legend(names: Sequence[str], y: float) -> list[str]:
    drawn, x = [], 14.0
    for at, name in enumerate(names):
        drawn.append(
            f'<rect class="{INKS[at % len(INKS)]}" stroke="none" x="{x:.0f}" y="{y - 10}" width="12" height="12"/>'
        )
        drawn.append(f'<text class="quiet" x="{x + 18:.0f}" y="{y}">{escape(name)}</text>')
        x += 40 + 6.6 * len(name)
    return drawn
