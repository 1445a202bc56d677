"""Where one thread may be interrupted by another: nearly everywhere in the package.

CPython lets another thread run at the start of a function, after a call and at the start
of each turn of a loop. While a simulation runs, the package's functions have code that
calls :func:`point` at all these places (and before each statement, which is more than any
CPython does today). The simulation says after how many of them it wants its turn.

The code of existing functions is exchanged, so that every reference to them has it;
afterwards they get back their own. (A trace function would be ten times slower, and
greenlets do not switch inside one.)
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import scoop_mpi

MODULES = (
    "base.usercode", "broker.registry", "futures", "identity.changes", "identity.definitions",
    "identity.names", "identity.rebuild", "process.alone", "process.broker_rank", "process.donor",
    "process.endings", "process.idle", "process.rank", "process.schedulers",
    "process.worker_rank", "shared", "tasks.attributes", "tasks.backlog", "tasks.chunk",
    "tasks.estimates", "tasks.future", "tasks.items", "tasks.mapcall", "tasks.sizes",
    "tasks.turns", "verbs.completion", "verbs.joins", "verbs.maps", "verbs.reductions",
    "wire.by_value", "wire.codec", "wire.diagnosis", "wire.outcomes", "wire.parcels",
    "workers.cadence", "workers.constants", "workers.enquiries", "workers.exchange",
    "workers.ledger", "workers.loop", "workers.patience", "workers.reports", "workers.scheduler",
    "workers.switchboard", "workers.trader",
)
"""All that runs on two threads, or on the one that the other may interrupt."""
NAME = "__point__"

_left = 0
_act: Callable[[], None] = lambda: None


def point(value: Any = None) -> Any:
    """Another thread may run here. Returns its argument."""
    global _left
    _left -= 1
    if _left == 0:
        _act()
    return value


def arm(points: int, act: Callable[[], None]) -> None:
    """``act`` is called at the ``points``-th point from now; 0: never."""
    global _left, _act
    _left, _act = points, act


class _WithPoints(ast.NodeTransformer):
    """Adds the calls of :func:`point`."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        return ast.copy_location(_call(node), node)  # a function begins at its decorator

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list):
                setattr(node, name, _separated(statements))
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        for statement in node.body:
            if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                self.visit(statement)
        return node


def _call(*args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(NAME, ast.Load()), list(args), [])


def _separated(statements: list[ast.stmt]) -> list[ast.stmt]:
    separated: list[ast.stmt] = []
    for statement in statements:
        is_declaration = isinstance(statement, (ast.Global, ast.Nonlocal)) or (
            isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        if not is_declaration:
            separated.append(ast.Expr(_call()))
        separated.append(statement)
    return separated


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _functions(namespace: dict[str, Any], module: ModuleType) -> Iterator[FunctionType]:
    """All functions that a module defines, those of classes, too."""
    for thing in list(namespace.values()):
        if isinstance(thing, type) and thing.__module__ == module.__name__:
            yield from _functions(dict(vars(thing)), module)
        parts = [thing]
        if isinstance(thing, property):
            parts = [thing.fget, thing.fset]
        elif isinstance(thing, (staticmethod, classmethod)):
            parts = [thing.__func__]
        for part in parts:
            if isinstance(part, FunctionType) and part.__code__.co_filename == module.__file__:
                yield part


@functools.cache
def _exchange() -> list[tuple[FunctionType, CodeType, CodeType]]:
    """(function, its own code, that with points) of the whole package."""
    exchange = []
    for name in MODULES:
        module = importlib.import_module(f"{scoop_mpi.__name__}.{name}")
        tree = ast.parse(inspect.getsource(module))
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                _WithPoints().visit(node)
        assert module.__file__ is not None
        new = compile(ast.fix_missing_locations(tree), module.__file__, "exec")
        by_place = {(code.co_firstlineno, code.co_name): code for code in _codes(new)}
        vars(module)[NAME] = point
        for function in set(_functions(vars(module), module)):
            own = function.__code__
            code = by_place.get((own.co_firstlineno, own.co_name))
            assert code is not None and code.co_freevars == own.co_freevars, function
            exchange.append((function, own, code))
    return exchange


@contextmanager
def possible() -> Iterator[None]:
    """While this is entered the package's code has points."""
    exchange = _exchange()
    for function, _, code in exchange:
        function.__code__ = code
    try:
        yield
    finally:
        arm(0, lambda: None)
        for function, own, _ in exchange:
            function.__code__ = own


@contextmanager
def locks(make: Callable[[bool], Any]) -> Iterator[None]:
    """The package's locks are made by ``make``, which is told whether they are re-entrant."""
    standin = SimpleNamespace(**vars(threading))
    standin.Lock, standin.RLock = (lambda: make(False)), (lambda: make(True))
    kinds = {type(threading.Lock()): False, type(threading.RLock()): True}
    with ExitStack() as patches:
        for name in MODULES:
            module = importlib.import_module(f"{scoop_mpi.__name__}.{name}")
            for key, thing in list(vars(module).items()):
                if thing is threading:
                    patches.enter_context(mock.patch.object(module, key, standin))
                elif type(thing) in kinds:
                    own = make(kinds[type(thing)])
                    patches.enter_context(mock.patch.object(module, key, own))
        yield
