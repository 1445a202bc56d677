"""Tasks that create tasks and wait for them: the queens problem.

    python -m scoop_mpi examples/recursion.py

In how many ways can n queens stand on a board of n by n so that none attacks another?
A task places one more queen in all possible columns and has each board completed by a
task of its own. A task that waits does not hold up its worker.
"""

from itertools import repeat

from scoop_mpi import futures

TASK_ROWS = 3
"""Rows that are filled by tasks. Deeper down a board is too little work to be one."""

Board = tuple[int, ...]
"""The columns of the queens in the first rows."""


def free_columns(size: int, board: Board) -> list[int]:
    """Where a queen can stand in the next row."""
    row = len(board)
    return [column for column in range(size)
            if all(column != other and abs(column - other) != row - other_row
                   for other_row, other in enumerate(board))]


def solutions(size: int, board: Board = ()) -> int:
    """The number of ways to complete a board."""
    if len(board) == size:
        return 1
    boards = [(*board, column) for column in free_columns(size, board)]
    if len(board) < TASK_ROWS:
        return sum(futures.map(solutions, repeat(size), boards))
    return sum(map(solutions, repeat(size), boards))


def main() -> None:
    """Runs on the root only."""
    sizes = range(1, 9)
    for size, number in zip(sizes, futures.map(solutions, sizes)):
        print(f"{size} queens: {number} solutions")


if __name__ == "__main__":
    main()
