"""Torque: its ``qsub`` over a SLURM of its own, whose jobs look like those of Torque.

Debian has no PBS server. Its package slurm-wlm-torque has Torque's commands for SLURM; what
a job of Torque finds in its environment is supplied by a task prolog. A job sees PBS_*
variables, a node file and an ``ssh`` to the nodes, and nothing of SLURM.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from .base import SEARCH, free_ports, stop_daemon, wait_until
from .secure_shell import SecureShell
from .slurm import NODES, Slurm

UNPACKED = Path(os.environ.get(
    "SCOOP_MPI_TORQUE", Path(__file__).resolve().parents[3] / "build" / "torque")) / "usr" / "bin"
_NODE_FILE = "generate_pbs_nodefile"
# Lines "export NAME=value" and "unset NAME" on standard output change a task's environment.
_PROLOG = """\
#!/bin/bash
exec 2>>{folder}/prolog.log
nodefile=$(TMPDIR={folder} SLURM_NODELIST=$SLURM_JOB_NODELIST {bin}/generate_pbs_nodefile) || exit 1
slots=$(wc -l <"$nodefile")
for name in $(compgen -e SLURM); do
    case $name in SLURM_CONF) ;; *) echo "unset $name" ;; esac
done
cat <<END
export PBS_ENVIRONMENT=PBS_BATCH
export PBS_JOBID=$SLURM_JOB_ID.localhost
export PBS_JOBNAME=$SLURM_JOB_NAME
export PBS_NODEFILE=$nodefile
export PBS_NP=$slots
export PBS_NUM_NODES=$SLURM_JOB_NUM_NODES
export PBS_NUM_PPN=$((slots / SLURM_JOB_NUM_NODES))
export PBS_O_HOST=$SLURM_SUBMIT_HOST
export PBS_O_WORKDIR=$SLURM_SUBMIT_DIR
export PBS_QUEUE=batch
END
"""
_AS_NODE = """exec unshare --uts sh -c 'hostname "$TEST_NODE" && \
TMPDIR={folder}/tmp.$TEST_NODE exec sh -c "$SSH_ORIGINAL_COMMAND"'"""


class Torque(Slurm):
    """Torque's commands, and jobs that look like Torque's."""

    name = "Torque"
    commands = (*Slurm.commands, "sshd", "ssh", "ssh-keygen", "unshare", "perl")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._bin = folder / "bin"
        self.environ["PATH"] = f"{self._bin}{os.pathsep}{self.environ['PATH']}"

    @classmethod
    def missing(cls, search: str = SEARCH) -> str:
        """Torque's commands are unpacked beside, as SGE's have the same names."""
        lacks = "" if (UNPACKED / _NODE_FILE).exists() else f"Torque is not installed ({UNPACKED})"
        return super().missing(search) or lacks

    def _configuration(self) -> str:
        return super()._configuration() + "TaskProlog={folder}/prolog\n"

    def _start(self) -> None:
        self._bin.mkdir(exist_ok=True)
        # Torque's commands look for SLURM's in their own folder.
        commands = [*UNPACKED.iterdir()]
        for name in ("sbatch", "salloc", "srun", "squeue", "scancel", "scontrol", "sinfo"):
            commands.append(Path(shutil.which(name, path=SEARCH) or name))
        for command in commands:
            (self._bin / command.name).unlink(missing_ok=True)
            (self._bin / command.name).symlink_to(command)
        prolog = self.folder / "prolog"
        prolog.write_text(_PROLOG.format(folder=self.folder, bin=self._bin))
        prolog.chmod(0o755)
        self._start_sshd()
        super()._start()

    def _start_sshd(self) -> None:
        (port,) = free_ports(1)
        shell = SecureShell(self.folder / "ssh")
        # What it starts is found by the variable that marks all that belongs to this cluster.
        # A node has a host name of its own: Open MPI's daemons would take each other's place.
        server = {"PidFile": f"{self.folder}/sshd.pid", "SetEnv": f"{self._mark} PBS_JOBID=ssh",
                  "AcceptEnv": "TEST_NODE", "ForceCommand": _AS_NODE.format(folder=self.folder)}
        client = {"HostName": "127.0.0.1", "Port": str(port),
                  **{f"Host {node}\nSetEnv": f"TEST_NODE={node}" for node in NODES}}
        shell.prepare(port, server, client, self._bin / "ssh")
        self.call(shell.sshd, "-f", str(shell.configuration), "-E", f"{self.folder}/sshd.log")
        wait_until(lambda: self.call(str(self._bin / "ssh"), "n1", "echo up", check=False),
                   "an answer of sshd", 10)

    def stop(self) -> None:
        """Ends the jobs, then the daemons."""
        super().stop()
        stop_daemon(self.folder / "sshd.pid", "sshd")

    def _submission(
        self, script: Path, args: Sequence[str], options: Sequence[str],
    ) -> list[str]:
        assert not args, "this qsub hands no arguments on"
        return ["qsub", *options, str(script)]
