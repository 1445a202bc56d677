"""The user's program: found, loaded, run on the root, imported on the workers.

On the root it is ``__main__``, as under plain ``python``. Workers import the same
code under another name, so that what stands under the main guard does not run there,
whatever form that has. When that is done the module and all that it has made are called
``__main__`` there as well (``renaming``): in what tasks pickle, print and look up. What was
pickled before says the other name, which every rank knows, too.

What every rank has by then is noted (``names``): on the root, which runs the program's top
level in two parts, before it enters the main guard, on the workers after the import.
"""

from __future__ import annotations

import __future__

import ast
import contextlib
import functools
import importlib.util
import operator
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from types import CodeType, ModuleType
from typing import NamedTuple

from ..base import context, forks
from ..base.errors import LaunchError, MainGuardError
from ..base.frames import Called, calls_user_code
from ..base.messages import Failure, Left
from ..base.uncaught import exit_code_of, users_part
from ..identity.names import PROGRAM_MODULE, Names
from ..identity.renaming import name_to_replace, rename
from . import alias
from .held import HeldOutput
from .machine import report

_FUTURES = functools.reduce(
    operator.or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)


class Ending(NamedTuple):
    """How a program ended: ``failed`` by an exception, ``text`` to print about it."""

    exit_code: int
    failed: bool = False
    text: str = ""


@dataclass(frozen=True)
class Program:
    """What the user wants to run.

    Args:
        name: the program's file, or a module's name; empty: there is only a prompt.
        is_module: ``name`` is a module's (``-m``).
        args: the program's own arguments.
        interactive: a prompt follows it on the root.
        names: what is noted of it, and of all modules, when all ranks have it.
    """

    name: str
    is_module: bool = False
    args: tuple[str, ...] = field(default=())
    interactive: bool = False
    names: Names = field(default_factory=Names, compare=False)

    def check(self) -> None:
        """Fails as :meth:`code` would, before anything is started."""
        self.code  # noqa: B018

    @cached_property
    def path(self) -> str:
        """The program's file.

        Raises:
            LaunchError: there is none.
        """
        if not self.is_module:
            if not self.name:
                return ""
            if os.path.isdir(self.name):
                raise LaunchError(f"{self.name} is a directory; name the program's file in it")
            if not os.path.exists(self.name):
                raise LaunchError(f"there is no program file {self.name} "
                                  f"(looked in {os.getcwd()})")
            return self.name
        spec = self._spec
        assert spec is not None and spec.origin is not None
        return spec.origin

    @cached_property
    def _spec(self) -> importlib.machinery.ModuleSpec | None:
        if not self.is_module:
            return None
        if os.getcwd() not in sys.path and "" not in sys.path:
            sys.path.insert(0, os.getcwd())
        if self.name.startswith("."):
            raise LaunchError(f"{self.name} is a relative name; give the module's full name")
        try:
            spec = importlib.util.find_spec(self.name)
            if spec is not None and spec.submodule_search_locations is not None:
                spec = importlib.util.find_spec(self.name + ".__main__")
        except Exception as error:  # whatever a package's __init__ raises
            raise LaunchError(
                f"cannot import the module {self.name}: {type(error).__name__}: {error}"
            ) from None
        if spec is None or spec.origin is None:
            raise LaunchError(f"there is no module {self.name} to run (python -m {self.name} "
                              "would fail too)")
        return spec

    @cached_property
    def _source(self) -> bytes:
        if not self.path:
            return b""
        try:
            with open(self.path, "rb") as file:
                return file.read()
        except OSError as error:
            raise LaunchError(f"cannot read {self.path}: {error.strerror}") from None

    @cached_property
    def code(self) -> CodeType:
        """The compiled program.

        Raises:
            LaunchError: it cannot be found, read or compiled; the message is what
                Python would print.
        """
        return self._compiled(self._tree.body)

    @cached_property
    def _tree(self) -> ast.Module:
        with self._reported():
            return ast.parse(self._source, self._file)

    @property
    def _file(self) -> str:
        return os.path.abspath(self.path) if self.path else "<prompt>"

    def _compiled(self, statements: list[ast.stmt], flags: int = 0) -> CodeType:
        module = ast.Module(statements, type_ignores=[])
        with self._reported():
            code: CodeType = compile(module, self._file, "exec", flags, dont_inherit=True)
        return code

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except (SyntaxError, ValueError) as error:
            text = "".join(traceback.format_exception_only(type(error), error))
            raise LaunchError(text.rstrip("\n"), exit_code=1) from None

    def run_as_main(self) -> Ending:
        """Runs the program as ``__main__``; returns how it ended."""
        before, after, later = divided(self._tree)
        parts = [self._compiled(before)]
        # What a "from __future__ import" of the first part says holds for the second.
        parts.append(self._compiled(after, parts[0].co_flags & _FUTURES))
        module = self._new_module("__main__")

        def run() -> None:
            _execute(parts[0], module)
            if after or self.interactive:
                self.names.freeze(later)
                _execute(parts[1], module)

        self.names.due = not after  # what guards the program is a call, then
        if not self.interactive:
            return self._ending_of(run)
        if self.name:
            report(self._ending_of(run).text)
        else:
            run()
        from .prompt import interact  # not at the top: only the root of some jobs needs it

        return self._ending_of(lambda: interact(module.__dict__))

    def _ending_of(self, run: Callable[[], object]) -> Ending:
        try:
            run()
        except SystemExit as request:
            forks.end_if_forked(request)
            return Ending(exit_code_of(request))
        except BaseException as error:
            forks.end_if_forked(error)
            exit_code = 130 if isinstance(error, KeyboardInterrupt) else 1
            if sys.excepthook is not sys.__excepthook__:
                sys.excepthook(type(error), error, error.__traceback__)
                return Ending(exit_code, failed=True)
            return Ending(exit_code, failed=True, text=_format(error))
        forks.end_if_forked()
        return Ending(0)

    def import_on_worker(self, rank: int) -> Failure | Left | None:
        """Imports the program under another name, then gives it its own.

        Returns:
            Why that failed; None if it did not.
        """
        held = HeldOutput()
        try:
            code = self.code
            module = self._new_module(name_to_replace(PROGRAM_MODULE))
            context.set_importing(True)
            try:
                _execute(code, module)
            except BaseException as error:
                forks.end_if_forked(error)
                raise
            finally:
                context.set_importing(False)
            forks.end_if_forked()
            rename(module, "__main__")
            self.names.freeze(without=only_on_workers(self._tree))
        except LaunchError:
            held.show()
            raise
        except MainGuardError as error:
            held.show()
            return Failure(self._guard_advice(error), 1)
        except BaseException as error:
            written = held.take()
            what = "exited" if isinstance(error, SystemExit) else "failed"
            return Left(
                f"scoop_mpi: the program {what} while worker {rank} on {os.uname().nodename} "
                f"imported it\n(workers import it; what only the root must do belongs under "
                f"if __name__ == '__main__':)\n{written}{_format(error)}"
            )
        held.show()
        return None

    def _new_module(self, name: str) -> ModuleType:
        """Makes the program's module and the surroundings that ``python`` gives it."""
        module = ModuleType(name)
        spec = self._spec
        if self.path:
            module.__dict__["__file__"] = os.path.abspath(self.path)
        module.__dict__.update(
            __builtins__=__builtins__, __spec__=spec,
            __loader__=spec.loader if spec else None,
            __package__=spec.parent if spec else None,
        )
        for known_as in ("__main__", PROGRAM_MODULE):
            sys.modules[known_as] = module
        if "__mp_main__" in sys.modules:  # another name that multiprocessing has given it
            sys.modules["__mp_main__"] = module
        sys.argv[:] = [self.path, *self.args]
        if not self.is_module and not getattr(sys.flags, "safe_path", sys.flags.isolated):
            sys.path[0] = os.path.dirname(os.path.realpath(self.path)) if self.path else ""
        if alias.is_installed():
            alias.hand_down()
        return module

    def _guard_advice(self, error: MainGuardError) -> str:
        frames = traceback.extract_tb(error.__traceback__)
        path = os.path.abspath(self.path)
        mine = [frame for frame in frames if frame.filename == path]
        where = f"line {mine[0].lineno}: {mine[0].line}" if mine else "an imported module"
        return (
            f"scoop_mpi: {self.name} has no main guard around {where}\n"
            "Every worker imports the program, so this line would run on each of them. "
            "Put it, and all that only the root should do, under this line:\n\n"
            "if __name__ == '__main__':\n"
        )


@calls_user_code(Called.PROGRAM)
def _execute(code: CodeType, module: ModuleType) -> None:
    exec(code, module.__dict__)


def divided(tree: ast.Module) -> tuple[list[ast.stmt], list[ast.stmt], set[str]]:
    """A program's top level before the main guard, and from there on.

    Returns:
        The two parts, and the names that the second binds on every rank and not once more
        under the guard.
    """
    at = next((at for at, one in enumerate(tree.body) if _has_guard(one)), len(tree.body))
    before, after = tree.body[:at], tree.body[at:]
    return before, after, _bound_outside(after) - _bound_inside(after, ast.Eq)


def only_on_workers(tree: ast.Module) -> set[str]:
    """Names that a program binds where its name is not ``__main__``, and nowhere else."""
    return _bound_inside(tree.body, ast.NotEq) - _bound_outside(tree.body)


def _has_guard(statement: ast.stmt) -> bool:
    """True if there is a main guard in the scope of this statement."""
    return any(isinstance(one, ast.If) and _main_guard(one.test) for one in _in_scope(statement))


def _in_scope(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it that are not in a scope of their own."""
    yield node
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
        for child in ast.iter_child_nodes(node):
            yield from _in_scope(child)


def _branches(guard: ast.If) -> dict[type[ast.cmpop], list[ast.stmt]]:
    """The statements that are for the root (Eq), and those for workers (NotEq)."""
    if _main_guard(guard.test) is ast.NotEq:
        return {ast.Eq: guard.orelse, ast.NotEq: guard.body}
    return {ast.Eq: guard.body, ast.NotEq: guard.orelse}


def _bound_inside(statements: list[ast.stmt], side: type[ast.cmpop]) -> set[str]:
    """Names bound by the branches of main guards for one side."""
    guards = [one for statement in statements for one in _in_scope(statement)
              if isinstance(one, ast.If) and _main_guard(one.test)]
    return set().union(*(_bound_by(_branches(guard)[side]) for guard in guards))


def _bound_outside(statements: list[ast.stmt]) -> set[str]:
    """Names bound by what is no main guard."""
    return _bound_by([one for one in statements
                      if not (isinstance(one, ast.If) and _main_guard(one.test))])


def _main_guard(test: ast.expr) -> type[ast.cmpop] | None:
    """The operator that compares ``__name__`` with ``"__main__"`` in a condition."""
    if isinstance(test, ast.BoolOp):
        return next(filter(None, map(_main_guard, test.values)), None)
    if not isinstance(test, ast.Compare):
        return None
    sides = [test.left, *test.comparators]
    has_name = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
    has_main = any(isinstance(s, ast.Constant) and s.value == "__main__" for s in sides)
    return type(test.ops[0]) if has_name and has_main else None


def _bound_by(statements: list[ast.stmt]) -> set[str]:
    return set().union(*map(_bound_names, statements))


def _bound_names(node: ast.AST) -> set[str]:
    """Names that a statement binds in the scope it stands in."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    if isinstance(node, ast.Lambda):
        return set()
    if isinstance(node, ast.comprehension):
        return _bound_names(node.iter)  # its target is bound in a scope of its own
    names: set[str] = set()
    if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
        names.add(node.name)
    if isinstance(node, ast.MatchMapping) and node.rest:
        names.add(node.rest)
    for child in ast.iter_child_nodes(node):
        names |= _bound_names(child)
    return names


def _format(error: BaseException) -> str:
    """The traceback, from the program's first frame on."""
    frames = users_part(error.__traceback__)
    return "".join(traceback.format_exception(type(error), error, frames))
