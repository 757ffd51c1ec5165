"""A log-log plot as SVG text: seconds over models, one line for each command."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

WIDTH, HEIGHT, LEFT, TOP, LEGEND = 820, 420, 70, 30, 310
COLOURS = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#d68910", "#5d6d7e", "#00838f", "#795548", "#ad1457", "#33691e")


def plot(title: str, lines: Mapping[str, Mapping[int, float]]) -> str:
    """Every line is models → seconds."""
    xs = sorted({x for line in lines.values() for x in line})
    ys = [y for line in lines.values() for y in line.values()]
    low, high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
    first, last = math.log10(xs[0]), math.log10(xs[-1]) + 1e-9

    def at(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (math.log10(x) - first) / (last - first) * (WIDTH - LEFT - LEGEND)
        return across, TOP + (high - math.log10(y)) / (high - low) * (HEIGHT - 2 * TOP - 20)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">']
    out += ['<rect width="100%" height="100%" fill="white"/>', f'<text x="{LEFT}" y="18" font-size="14">{escape(title)}</text>']
    for power in range(low, high + 1):
        y = at(xs[0], 10.0**power)[1]
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - LEGEND}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/><text x="8" y="{y + 4:.1f}">{10.0**power:g} s</text>')
    for x in xs:
        across = at(x, 10.0**low)[0]
        out.append(f'<text x="{across:.1f}" y="{HEIGHT - 26}" text-anchor="middle">{x:,}</text>')
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        dashes = ' stroke-dasharray="7 3"' if number >= len(COLOURS) else ""
        points = [at(x, y) for x, y in sorted(line.items())]
        path, level = " ".join(f"{x:.1f},{y:.1f}" for x, y in points), TOP + 18 * number + 6
        out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2"{dashes} points="{path}"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        start = WIDTH - LEGEND + 8
        out.append(f'<line x1="{start}" x2="{start + 26}" y1="{level}" y2="{level}" stroke="{colour}" stroke-width="2"{dashes}/>')
        out.append(f'<text x="{start + 32}" y="{level + 4}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*out, f'<text x="{LEFT}" y="{HEIGHT - 8}">models</text>', "</svg>"]) + "\n"
