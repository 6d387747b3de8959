#!/usr/bin/env python3
"""Undo in a simulation with numpy: heat spreads over a plate, and any step can be taken back.

A snapshot after each step copies nothing; the next step copies the pages that it changes.
"""

import cow
import numpy
from numpy.typing import NDArray

SIDE = 256
STEPS = 20


def spread(heat: NDArray[numpy.float64]) -> None:
    """A step, in the middle of the plate alone: elsewhere no page is touched."""
    part = heat[96:160]
    inner = part[1:-1, 1:-1]
    inner[:] = (part[:-2, 1:-1] + part[2:, 1:-1] + part[1:-1, :-2] + part[1:-1, 2:]) / 4


def main() -> None:
    region = cow.Region(SIDE * SIDE * 8)
    heat = numpy.frombuffer(region.view, dtype=numpy.float64).reshape(SIDE, SIDE)
    heat[128, 128] = 1000

    done = []
    totals = []
    for step in range(STEPS):
        done.append(region.snapshot(f"before step {step}"))
        totals.append(heat.copy())  # only to compare with below
        spread(heat)

    pages = [sum(part.page_count for part in cow.diff(a, b)) for a, b in zip(done, done[1:])]
    print(f"{STEPS} steps; each changed {max(pages)} of {region.stats().pages} pages at most")

    while done:
        region.restore(done.pop())  # the array shows it: it is the same memory
        assert (heat == totals.pop()).all(), "a step was not taken back"
    print("all steps were taken back, each to what it was")


if __name__ == "__main__":
    main()
