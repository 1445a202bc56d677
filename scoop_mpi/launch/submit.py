"""``python -m scoop_mpi submit``: writes a job script and gives it to the job scheduler.

The script is one of ``submit_files``, with the directives and the last line replaced:
what works there works here.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..base.errors import LaunchError
from ..process.program import Program
from .command import prolog_command
from .interpreter import interpreter_flags
from .launchers import named_launcher
from .options import Options, count, make_parser, options_of, parse, split

_USAGE = "python -m scoop_mpi submit [job's options] [options] program.py [arguments]"
_EPILOG = """\
All other options (python -m scoop_mpi -h) go into the job's command. The script is
written beside you, so that it can be adapted and submitted again.
"""
_MARK = "# Written by python -m scoop_mpi submit."


@dataclass(frozen=True)
class JobRequest:
    """What is asked of the scheduler.

    Args:
        slots: on which ranks run.
        seconds: wall-clock limit; None: the scheduler's own.
        nodes: number of hosts; None: the scheduler chooses.
        threads: cores for each worker.
        memory: for each slot, as the scheduler writes it; likewise the other texts.
        pe: SGE's parallel environment.
        directives: further ones, as they stand after the prefix.
    """

    slots: int
    name: str
    seconds: int | None = None
    nodes: int | None = None
    threads: int = 1
    memory: str = ""
    queue: str = ""
    account: str = ""
    output: str = ""
    pe: str = "mpi"
    directives: tuple[str, ...] = ()

    @property
    def per_node(self) -> int:
        """Slots on each host."""
        return -(-self.slots // (self.nodes or 1))

    @property
    def time(self) -> str:
        """The limit as hours:minutes:seconds, which all schedulers read."""
        minutes, seconds = divmod(self.seconds or 0, 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _slurm(job: JobRequest) -> list[str | None]:
    return [
        f"--job-name={job.name}", f"--ntasks={job.slots}",
        f"--nodes={job.nodes}" if job.nodes else None,
        f"--time={job.time}" if job.seconds else None,
        f"--cpus-per-task={job.threads}" if job.threads > 1 else None,
        f"--mem-per-cpu={job.memory}" if job.memory else None,
        f"--partition={job.queue}" if job.queue else None,
        f"--account={job.account}" if job.account else None,
        f"--output={job.output}" if job.output else None,
    ]


def _pbs(job: JobRequest) -> list[str | None]:
    hosts, slots = (job.nodes, job.per_node) if job.nodes else (job.slots, 1)
    memory = f":mem={job.memory}" if job.memory else ""
    # Else PBS sets OMP_NUM_THREADS to ncpus, for each of the ranks on a host.
    select = (f"select={hosts}:ncpus={slots * job.threads}:mpiprocs={slots}"
              f":ompthreads={job.threads}{memory}")
    return [f"-l {select}", *_pbs_and_torque(job)]


def _torque(job: JobRequest) -> list[str | None]:
    if not job.nodes and job.slots > 1:
        raise LaunchError(f"Torque must be told the number of hosts: --nodes 2 for "
                          f"{-(-job.slots // 2)} workers on each")
    return [f"-l nodes={job.nodes or 1}:ppn={job.per_node}",
            f"-l pmem={job.memory}" if job.memory else None, *_pbs_and_torque(job)]


def _pbs_and_torque(job: JobRequest) -> list[str | None]:
    return [
        f"-N {job.name}", f"-l walltime={job.time}" if job.seconds else None, "-j oe", "-V",
        f"-q {job.queue}" if job.queue else None, f"-A {job.account}" if job.account else None,
        f"-o {job.output}" if job.output else None,
    ]


def _sge(job: JobRequest) -> list[str | None]:
    if job.nodes:
        raise LaunchError("--nodes: SGE's parallel environments decide that; choose one (--pe)")
    return [
        f"-N {job.name}", f"-pe {job.pe} {job.slots}",
        f"-l h_rt={job.time}" if job.seconds else None, "-cwd", "-V", "-j y", "-S /bin/bash",
        f"-l h_vmem={job.memory}" if job.memory else None,
        f"-q {job.queue}" if job.queue else None, f"-P {job.account}" if job.account else None,
        f"-o {job.output}" if job.output else None,
    ]


class Scheduler(NamedTuple):
    """How one job scheduler is spoken to."""

    command: str
    prefix: str
    directives: Callable[[JobRequest], list[str | None]]


SCHEDULERS = {
    "slurm": Scheduler("sbatch", "#SBATCH", _slurm),
    "torque": Scheduler("qsub", "#PBS", _torque),
    "pbs": Scheduler("qsub", "#PBS", _pbs),
    "sge": Scheduler("qsub", "#$", _sge),
}


def submit(arguments: Sequence[str]) -> int:
    """Writes the script and submits it; returns the exit code of the submit command.

    Raises:
        LaunchError: something is missing or contradicts itself; nothing was submitted.
    """
    parser = _make_parser()
    own, program = split(arguments, {**options_of(make_parser()), **options_of(parser)})
    found, passed_on = parser.parse_known_args(own)
    options, settings, what = parse([*passed_on, *(["--"] if program else []), *program])
    _check(what, options)
    kind = found.scheduler or _find_scheduler()
    by_srun = kind == "slurm" and options.launcher is not None and \
        named_launcher(options.launcher).name == "srun"
    if settings.threads and kind in ("torque", "sge"):
        print(f"scoop_mpi: --threads: {kind} counts slots, not cores; ask for the cores as your "
              "site wants it (--directive)", file=sys.stderr)
    # The broker needs no core and shares one. But ranks that srun overcommits were seen to
    # fail in MPI_Init (PMIx of SLURM 22.05, Open MPI 5.0): there it gets a slot.
    slots = found.n + by_srun
    job = JobRequest(
        slots, found.job_name or _plain_name(what.name if what else ""), found.time,
        found.nodes, settings.threads or 1, found.memory, found.queue, found.account,
        found.output, found.pe, tuple(found.directive),
    )
    scheduler = SCHEDULERS[kind]
    command = [options.python or sys.executable, *interpreter_flags(), "-m", "scoop_mpi",
               "-n", str(found.n), *passed_on, *program]
    template = _template("slurm_srun" if by_srun else kind)
    script = fill(template, scheduler, job, found.setup, shlex.join(command))
    if found.dry_run:
        print(script, end="")
        return 0
    if shutil.which(scheduler.command) is None:
        raise LaunchError(f"{scheduler.command} is not on PATH: is this a machine from which jobs "
                          "are submitted, and is the scheduler's module loaded? "
                          "(--dry-run prints the script)")
    path = Path(found.script or f"{job.name}.{kind}.sh")
    _write(path, script)
    print(f"scoop_mpi: {scheduler.command} {path}", file=sys.stderr, flush=True)
    return subprocess.run([scheduler.command, str(path)]).returncode


def _check(program: Program | None, options: Options) -> None:
    """Fails as the job would."""
    if options.prolog:
        prolog_command(options.prolog)
    here = os.getcwd()
    try:
        os.chdir(options.path or here)
        if program is not None:
            program.check()
    except OSError as error:
        raise LaunchError(f"--path {options.path}: {error.strerror}") from None
    finally:
        os.chdir(here)


def fill(
    template: str, scheduler: Scheduler, job: JobRequest, setup: Sequence[str], command: str
) -> str:
    """The script: a submit file with these directives, these lines before, this command."""
    directives = [text for text in scheduler.directives(job) if text] + list(job.directives)
    lines: list[str] = []
    for line in template.splitlines():
        if line.startswith(scheduler.prefix):
            lines += [f"{scheduler.prefix} {text}" for text in directives]
            directives = []
        elif line.startswith("exec "):
            lines += [*setup, f"exec {command}"]
        elif line.startswith("#!"):
            lines += [line, _MARK]
        elif not line.startswith("#"):
            lines.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scoop_mpi submit", usage=_USAGE, epilog=_EPILOG, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--scheduler", choices=sorted(SCHEDULERS),
                        help="which one (default: the one whose commands are here)")
    parser.add_argument("-n", type=count, metavar="N", required=True,
                        help="number of workers; as many slots are asked for")
    parser.add_argument("--time", type=_time, metavar="H:MM:SS", help="wall-clock limit")
    parser.add_argument("--nodes", type=count, metavar="N", help="number of hosts")
    parser.add_argument("--memory", metavar="SIZE", default="", type=_word,
                        help="for each slot, like 2G (SLURM: each core; PBS: each host)")
    parser.add_argument("--partition", "--queue", dest="queue", metavar="NAME", default="",
                        type=_word, help="which part of the cluster")
    parser.add_argument("--account", metavar="NAME", default="", type=_word, help="who pays")
    parser.add_argument("--pe", metavar="NAME", default="mpi", type=_word,
                        help="SGE: parallel environment (default: mpi)")
    parser.add_argument("--job-name", metavar="NAME", default="", type=_word,
                        help="default: the program's")
    parser.add_argument("--output", metavar="FILE", default="", type=_word,
                        help="where the job's output goes")
    parser.add_argument("--directive", action="append", default=[], metavar="'...'", type=_line,
                        help="a further option for the scheduler, like '--exclusive'")
    parser.add_argument("--setup", action="append", default=[], metavar="'...'",
                        help="a line of shell before the program, like 'module load openmpi'")
    parser.add_argument("--script", metavar="FILE", help="where to write the script")
    parser.add_argument("--dry-run", action="store_true", help="print the script only")
    return parser


def _find_scheduler() -> str:
    """The scheduler whose commands are on PATH."""
    if shutil.which("sbatch"):
        return "slurm"
    if shutil.which("qsub"):
        if os.environ.get("SGE_ROOT") or shutil.which("qconf"):
            return "sge"
        try:
            version = subprocess.run(["qsub", "--version"], capture_output=True, text=True,
                                     stdin=subprocess.DEVNULL, timeout=30)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LaunchError(f"qsub does not run: {error}; name the scheduler (--scheduler)"
                              ) from None
        text = (version.stdout + version.stderr).lower()
        return "pbs" if "pbs_version" in text or "pbspro" in text or "openpbs" in text else "torque"
    raise LaunchError("neither sbatch nor qsub is on PATH; name the scheduler (--scheduler "
                      f"{'|'.join(sorted(SCHEDULERS))}) and use --dry-run, or go to a machine "
                      "from which jobs are submitted")


def _template(name: str) -> str:
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "submit_files", package.parent / "submit_files"):
        if folder.is_dir():
            return (folder / f"{name}.sh").read_text(encoding="utf-8")
    raise LaunchError("the folder submit_files is not installed; install scoop_mpi again")


def _write(path: Path, script: str) -> None:
    try:
        if path.exists() and _MARK not in path.read_text(errors="replace"):
            raise LaunchError(f"{path} is there already and was not written by submit; name "
                              "another file: --script FILE")
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)
    except OSError as error:
        raise LaunchError(f"cannot write the script {path}: {error.strerror}") from None


def _plain_name(program: str) -> str:
    """A job's name: schedulers take letters and digits, and PBS no more than 15."""
    stem = os.path.basename(program).removesuffix(".py")
    name = re.sub(r"[^A-Za-z0-9_-]", "_", stem)[:15]
    return name if name[:1].isalpha() else "scoop_mpi"


def _time(text: str) -> int:
    """Seconds in ``[DAYS-]HOURS:MINUTES[:SECONDS]``."""
    match = re.fullmatch(r"(?:([0-9]{1,4})-)?([0-9]{1,5}):([0-5]?[0-9])(?::([0-5]?[0-9]))?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time like 1:00:00 (hours:minutes:"
                                         "seconds)")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if not total:
        raise argparse.ArgumentTypeError(f"{text!r} is no time at all")
    return total


def _word(text: str) -> str:
    if not re.fullmatch(r"[^\s#'\"]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} should be one word")
    return text


def _line(text: str) -> str:
    if "\n" in text:
        raise argparse.ArgumentTypeError("should be one line")
    return text
