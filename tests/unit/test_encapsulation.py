"""Nobody uses another's private names, or reaches through what belongs to another room.

And tests pass a figure that they want otherwise; they do not patch it.
"""

import ast
from pathlib import Path

import pytest

import scoop_mpi

PACKAGE = Path(scoop_mpi.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = Path(__file__).resolve().parents[1]

FOREIGN = {
    "os._exit", "sys._getframe", "sys._xoptions", "threading._shutdown", "atexit._run_exitfuncs",
    "subprocess._args_from_interpreter_flags", "argparse._ArgumentGroup", "parser._actions",
    "abc._get_dump",
}
"""Private names of the standard library for which there is no public one."""
NAMED_TUPLE = {"_replace", "_make"}
"""Public in spite of their names (as ``_value_`` of an Enum)."""

ROOMS = {
    "backlog": "tasks", "call": "tasks", "chunk": "tasks", "estimates": "tasks", "task": "tasks",
    "definitions": "identity", "names": "identity",
    "broker": "broker", "registry": "broker",
    "codec": "wire", "endpoint": "wire", "outcomes": "wire", "parcels": "wire",
    "board": "workers", "cadence": "workers", "constants": "workers", "enquiries": "workers",
    "exchange": "workers", "ledger": "workers", "reports": "workers", "scheduler": "workers",
    "story": "workers", "trader": "workers",
    "observer": "observe", "worker": "process", "donor": "process", "idler": "process",
}
"""Where the objects live that variables and attributes of these names refer to."""


def identify(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def chain(node):
    """a.b.c as ["a", "b", "c"]; what is no name at its start is ""."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    names.append(node.id if isinstance(node, ast.Name) else "")
    return names[::-1]


def private_uses(tree):
    """(line, a._b) for names of other objects that the same file does not define."""
    own = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
           and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")}
    own |= {node.name for node in ast.walk(tree)
            if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    own |= {node.target.id for node in ast.walk(tree)
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_"):
            continue
        used = ".".join(chain(node)[-2:])
        if not (node.attr.endswith("_") or node.attr in own | NAMED_TUPLE or used in FOREIGN):
            yield node.lineno, used


def reaches(tree, room):
    """(line, a.b.c) for calls of what belongs to an object of another room."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            names = [name.lstrip("_") for name in chain(node.func) if name != "self"]
            if len(names) > 2 and ROOMS.get(names[-3], room) != room:
                yield node.lineno, ".".join(names)


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_private_names_stay_private(path):
    assert not list(private_uses(ast.parse(path.read_bytes())))


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_nobody_reaches_through_another_room(path):
    room = path.relative_to(PACKAGE).parts[0]
    assert not list(reaches(ast.parse(path.read_bytes()), room))


def test_such_are_found():
    tree = ast.parse("self._backlog.chunks.append(1)\nother._hidden\nself._mine\nother._mine\n")
    assert list(reaches(tree, "workers")) == [(1, "backlog.chunks.append")]
    assert list(reaches(tree, "tasks")) == []
    assert list(private_uses(tree)) == [(2, "other._hidden")]


def patched_constants(tree):
    """(line, NAME) of module constants that a test replaces."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and chain(node.func)[-1] in ("setattr", "object"):
            names = [str(one.value).rpartition(".")[2] for one in node.args[:2]
                     if isinstance(one, ast.Constant)]
            yield from ((node.lineno, name) for name in names if name.strip("_").isupper())
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            owner, name = node.targets[0].value, node.targets[0].attr
            if isinstance(owner, ast.Name) and owner.id.islower() and name.strip("_").isupper():
                yield node.lineno, name


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")),
                         ids=lambda path: str(path.relative_to(TESTS)))
def test_figures_are_passed_not_patched(path):
    assert not list(patched_constants(ast.parse(path.read_bytes())))


def test_patches_are_found():
    tree = ast.parse("monkeypatch.setattr(module, 'LIMIT_S', 1)\n"
                     "monkeypatch.setattr('some.module._LIMIT_S', 1)\n"
                     "mock.patch.object(module, 'KEPT', 1)\nmodule.MOST = 2\n"
                     "monkeypatch.setattr(sys, 'path', [])\nobj.most = 2\n")
    assert [name for _, name in patched_constants(tree)] == [
        "MOST", "LIMIT_S", "_LIMIT_S", "KEPT"]
