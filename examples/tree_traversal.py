"""Walks a binary tree in parallel; the tree is a shared constant.

    python -m scoop_mpi examples/tree_traversal.py

The tree goes to each worker once. A task gets only the path to its subtree, and leaves
the two halves of it to two more tasks, down to a few levels below the root.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from scoop_mpi import futures, shared

TASK_LEVELS = 4


class Node(NamedTuple):
    """A node of a search tree: smaller values on the left, the others on the right."""

    value: int
    left: Node | None = None
    right: Node | None = None


class Summary(NamedTuple):
    """What a walk finds out; of an empty tree, nothing."""

    nodes: int = 0
    depth: int = 0
    total: int = 0


def insert(tree: Node | None, value: int) -> Node:
    """The tree with one more value."""
    if tree is None:
        return Node(value)
    if value < tree.value:
        return tree._replace(left=insert(tree.left, value))
    return tree._replace(right=insert(tree.right, value))


def walk(tree: Node | None, path: str = "") -> Summary:
    """Summary of the tree, which is at this path of the shared one ("left right ...")."""
    if tree is None:
        return Summary()
    if len(path.split()) < TASK_LEVELS:
        left, right = futures.map(walk_at, (f"{path} left", f"{path} right"))
    else:
        left, right = walk(tree.left, path), walk(tree.right, path)
    return Summary(left.nodes + 1 + right.nodes, 1 + max(left.depth, right.depth),
                   left.total + tree.value + right.total)


def walk_at(path: str) -> Summary:
    """Finds the subtree at a path, and walks it."""
    tree = shared.getConst("tree")
    for side in path.split():
        tree = tree and getattr(tree, side)
    return walk(tree, path)


if __name__ == "__main__":
    root = None
    for number in random.Random(5).sample(range(100_000), 2000):
        root = insert(root, number)
    shared.setConst(tree=root)
    print("nodes {}, depth {}, sum {}".format(*walk_at("")))
