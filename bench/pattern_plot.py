#!/usr/bin/env python3
"""Draws the results of bench/pattern_bench.cpp: one panel for each pattern of stores, the cost of
libcow's clone as a multiple of the better of all lazy and all eager.

usage: pattern_plot.py RESULTS.json PICTURE.svg
"""
import json
import math
import sys
from pathlib import Path
from xml.sax.saxutils import escape

COLUMNS = 4
PANEL_WIDTH, PANEL_HEIGHT = 200, 130
GAP_X, GAP_Y = 46, 48
LEFT, TOP = 40, 108
LEAST_SHARE, MOST_RATIO = 0.001, 3.0
INK, FAINT, BAND = "#222222", "#c8c8c8", "#eef3ea"
# Told apart by dash and width as well as by colour.
LINES = (("lazy", "all lazy: windows off", "#0072b2", 1.6, "5 3"),
         ("eager", "all eager: copied when cloned", "#d55e00", 1.6, "1.5 2.5"),
         ("libcow", "libcow", "#000000", 2.4, ""))


def x_of(share):
    return PANEL_WIDTH * (1 - math.log10(share) / math.log10(LEAST_SHARE))


def y_of(ratio):
    return PANEL_HEIGHT * (1 - ratio / MOST_RATIO)


def text(x, y, words, anchor="middle", size=11, weight="normal", more=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'font-weight="{weight}"{more}>{escape(words)}</text>')


def line(x1, y1, x2, y2, colour=FAINT, width=1.0, dash=""):
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"{dashes}/>')


def curve(points, colour, width, dash):
    """A line through the points, cut off where it leaves the panel."""
    path, drawing = [], False
    for (x1, y1), (x2, y2) in zip(points, points[1:]):
        if min(y1, y2) >= MOST_RATIO:
            drawing = False
            continue
        if y1 > MOST_RATIO or y2 > MOST_RATIO:
            at = x1 + (x2 - x1) * (MOST_RATIO - y1) / (y2 - y1)
            if y1 > MOST_RATIO:
                x1, y1, drawing = at, MOST_RATIO, False
            else:
                x2, y2 = at, MOST_RATIO
        if not drawing:
            path.append(f"M{x1:.1f} {y_of(y1):.1f}")
        path.append(f"L{x2:.1f} {y_of(y2):.1f}")
        drawing = True
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<path d="{" ".join(path)}" fill="none" stroke="{colour}" stroke-width="{width}"'
            f'{dashes} stroke-linejoin="round"/>')


def curves(results):
    """{pattern: {mechanism: {share of the pages: median}}} of a result (docs/bench-format.md)."""
    patterns = {}
    for row in results["benchmarks"]:
        known = row["parameters"]
        of_pattern = patterns.setdefault(known["pattern"], {})
        share = known["stores"] / known["pages"]
        of_pattern.setdefault(row["mechanism"], {})[share] = row["median"]
    return patterns


def panel(name, costs):
    parts = [f'<rect width="{PANEL_WIDTH}" height="{PANEL_HEIGHT}" fill="#ffffff"/>',
             f'<rect y="{y_of(2):.1f}" width="{PANEL_WIDTH}" height="{y_of(0) - y_of(2):.1f}" '
             f'fill="{BAND}"/>']
    for share, label in ((0.001, "0.1 %"), (0.01, "1 %"), (0.1, "10 %"), (1.0, "100 %")):
        parts.append(line(x_of(share), 0, x_of(share), PANEL_HEIGHT))
        parts.append(text(x_of(share), PANEL_HEIGHT + 15, label, size=10))
    for ratio in (0, 1, 2, 3):
        strong = ratio == 2
        parts.append(line(0, y_of(ratio), PANEL_WIDTH, y_of(ratio),
                          "#6a8f4f" if strong else FAINT, 1.2 if strong else 1.0))
        parts.append(text(-6, y_of(ratio) + 3.5, str(ratio), "end", size=10))
    parts.append(text(0, -7, name, "start", size=12, weight="bold"))
    for key, _, colour, width, dash in LINES:
        points = [(x_of(share), cost / min(costs["lazy"][share], costs["eager"][share]))
                  for share, cost in sorted(costs[key].items()) if share >= LEAST_SHARE]
        parts.append(curve(points, colour, width, dash))
    return parts


def picture(results):
    patterns = curves(results)
    rows = math.ceil(len(patterns) / COLUMNS)
    width = LEFT + COLUMNS * (PANEL_WIDTH + GAP_X)
    height = TOP + rows * (PANEL_HEIGHT + GAP_Y) + 6
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
             f'width="{width}" height="{height}" font-family="sans-serif" fill="{INK}">',
             f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
             text(14, 24, "Clone, then store to a part of the pages: cost as a multiple of the "
                  "better of all lazy and all eager", "start", 15, "bold")]
    x = 14
    for _, label, colour, thickness, dash in LINES:
        parts.append(line(x, 45, x + 30, 45, colour, thickness, dash))
        parts.append(text(x + 36, 49, label, "start", 12))
        x += 60 + 7 * len(label)
    parts.append(text(14, 73, "Across: the share of the pages stored to, each once. "
                      "Shaded: at most twice the better.", "start", 12))
    for i, (name, costs) in enumerate(patterns.items()):
        left = LEFT + i % COLUMNS * (PANEL_WIDTH + GAP_X)
        top = TOP + i // COLUMNS * (PANEL_HEIGHT + GAP_Y)
        parts.append(f'<g transform="translate({left} {top})">')
        parts += panel(name, costs)
        parts.append("</g>")
    return "\n".join(parts + ["</svg>"]) + "\n"


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    results = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Path(sys.argv[2]).write_text(picture(results), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
