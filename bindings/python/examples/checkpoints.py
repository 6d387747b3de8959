#!/usr/bin/env python3
"""A tree of checkpoints that a search walks, and returns to any node of: the eight queens.

Each board is a snapshot with a label; the tree is the library's, `Region.snapshots()`.
"""

import cow

SIDE = 8


def fits(board: cow.Region, row: int, column: int) -> bool:
    return all(board[r] != column and abs(board[r] - column) != row - r for r in range(row))


def main() -> None:
    region = cow.Region(SIDE)
    kept: list[cow.Snapshot] = []

    def place(row: int) -> None:
        here = region.snapshot("".join(str(region[r]) for r in range(row)))
        kept.append(here)
        if row == SIDE:
            return
        for column in range(SIDE):
            if fits(region, row, column):
                region[row] = column
                place(row + 1)
                region.restore(here)

    place(0)
    nodes = region.snapshots()
    solutions = [node for node in nodes if len(node.snapshot.label) == SIDE]
    print(f"{len(nodes)} checkpoints, {len(solutions)} solutions")
    assert len(solutions) == 92, "there are 92"

    for node in nodes:
        label = node.snapshot.label
        region.restore(node.snapshot)
        assert "".join(str(region[r]) for r in range(len(label))) == label, "another board"
        if node.parent is not None:
            assert nodes[node.parent].snapshot.label == label[:-1], "another parent"
    print("each one was returned to, and hangs below the board that it came from")


if __name__ == "__main__":
    main()
