"""The user's program: found, loaded, run on the root, imported on the workers.

On the root it is ``__main__``, as under plain ``python``. Workers import the same
code under another name, so that what stands under the main guard does not run there,
and answer to both names: a reference to ``__main__.f`` that was pickled on any rank is
``f`` of the program on every rank.

What the root defines under its main guard does not exist on workers.
:meth:`Program.is_shared_global` tells the two apart, from the source: a name may be
bound in both places, and then the worker's would be the wrong one.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from . import context
from .codec import PROGRAM_MODULE
from .errors import LaunchError, MainGuardError
from .runtime import report

_HERE = os.path.dirname(os.path.abspath(__file__))


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
    """

    name: str
    is_module: bool = False
    args: tuple[str, ...] = field(default=())
    interactive: bool = False

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
        try:
            path = os.path.abspath(self.path) if self.path else "<prompt>"
            return compile(self._source, path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            text = "".join(traceback.format_exception_only(type(error), error))
            raise LaunchError(text.rstrip("\n"), exit_code=1) from None

    def is_shared_global(self, name: str) -> bool:
        """True if workers, which skip the main guard, define this global as the root does."""
        if name not in self._shared_globals:
            return False
        # At the prompt it may have been given another meaning.
        at_prompt, imported = self._at_prompt
        return at_prompt.get(name) is imported.get(name)

    @cached_property
    def _at_prompt(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The root's globals, now and when the prompt began; empty if there is none."""
        return {}, {}

    @cached_property
    def _shared_globals(self) -> frozenset[str]:
        return shared_globals(self._source)

    def run_as_main(self) -> Ending:
        """Runs the program as ``__main__``; returns how it ended."""
        code = self.code
        module = self._new_module("__main__")
        sys.modules[PROGRAM_MODULE] = module
        if not self.interactive:
            return self._ending_of(lambda: exec(code, module.__dict__))
        if self.name:
            report(self._ending_of(lambda: exec(code, module.__dict__)).text)
        self.__dict__["_at_prompt"] = module.__dict__, dict(module.__dict__)
        from .prompt import interact  # not at the top: only the root of some jobs needs it

        return self._ending_of(lambda: interact(module.__dict__))

    def _ending_of(self, run: Callable[[], object]) -> Ending:
        try:
            run()
        except SystemExit as request:
            return Ending(_exit_code(request))
        except BaseException as error:
            exit_code = 130 if isinstance(error, KeyboardInterrupt) else 1
            if sys.excepthook is not sys.__excepthook__:
                sys.excepthook(type(error), error, error.__traceback__)
                return Ending(exit_code, failed=True)
            return Ending(exit_code, failed=True, text=_format(error))
        return Ending(0)

    def import_on_worker(self, rank: int) -> str:
        """Imports the program under another name.

        Returns:
            Why that failed, for the user; empty if it did not.
        """
        try:
            code = self.code
            module = self._new_module(PROGRAM_MODULE)
            sys.modules["__main__"] = module
            context.set_importing(True)
            try:
                exec(code, module.__dict__)
            finally:
                context.set_importing(False)
        except LaunchError:
            raise
        except MainGuardError as error:
            return self._guard_advice(error)
        except BaseException as error:
            what = "exited" if isinstance(error, SystemExit) else "failed"
            return (
                f"scoop_mpi: the program {what} while worker {rank} on {os.uname().nodename} "
                f"imported it\n(workers import it; what only the root must do belongs under "
                f"if __name__ == '__main__':)\n{_format(error)}"
            )
        return ""

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
        sys.modules[name] = module
        sys.argv[:] = [self.path, *self.args]
        if not self.is_module:
            sys.path[0] = os.path.dirname(os.path.realpath(self.path)) if self.path else ""
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


def shared_globals(source: bytes) -> frozenset[str]:
    """Names that a module binds outside, and does not bind inside, its main guard."""
    outside: set[str] = set()
    inside: set[str] = set()
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.If) and (guard := _main_guard(statement.test)):
            on_root, on_workers = statement.body, statement.orelse
            if guard is ast.NotEq:
                on_root, on_workers = on_workers, on_root
            inside |= _bound_by(on_root)
            outside |= _bound_by(on_workers)
        else:
            outside |= _bound_names(statement)
    return frozenset(outside - inside)


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


def _exit_code(request: SystemExit) -> int:
    """As the interpreter does it; a text goes to standard error."""
    if request.code is None:
        return 0
    if isinstance(request.code, int):
        return request.code & 0xFF
    print(request.code, file=sys.stderr, flush=True)
    return 1


def _format(error: BaseException) -> str:
    """The traceback, from the program's first frame on."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_HERE):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))
