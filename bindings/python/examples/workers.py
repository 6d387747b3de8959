#!/usr/bin/env python3
"""Worker processes that start from one template: none reads it in, none sees what others store.

Unlike with fork() the workers need not be children of who made it.
"""

import multiprocessing
import os

import cow

SIZE = 16 << 20


def work(task: tuple[str, int]) -> tuple[int, int, int]:
    name, number = task
    region = cow.attach(name)          # shares the template's memory
    before = cow.process_stats().bytes_in_use
    region[0:8] = number.to_bytes(8, "little")
    taken = cow.process_stats().bytes_in_use - before
    return int.from_bytes(bytes(region[0:8]), "little"), region[SIZE - 1], taken


def main() -> None:
    region = cow.Region(SIZE)
    region.view[:] = bytes(range(256)) * (SIZE // 256)
    name = f"workers-{os.getpid()}"
    cow.publish(name, region.snapshot())
    try:
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            results = pool.map(work, [(name, number) for number in range(8)])
    finally:
        cow.unpublish(name)
    for number, (stored, last, _) in enumerate(results):
        assert stored == number and last == 255, "a worker saw what another one stored"
    assert region[0] == 0, "a worker changed the template"
    most = max(taken for _, _, taken in results)
    assert most < SIZE // 10, "a worker took memory for pages that it only shares"
    print(f"8 answers from a template of {SIZE >> 20} MiB; a worker's stores took {most >> 10} KiB")


if __name__ == "__main__":
    main()
