"""SLURM: nodes n1, n2, n3 with two CPUs each, as three slurmd on this host."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from launching import Finished, JobError

from .base import (
    SEARCH, ClusterError, Scheduler, end_processes, free_ports, pids_with, process_name,
    stop_daemon, wait_until,
)

NODES = ("n1", "n2", "n3")
_CONFIGURATION = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
TmpFS={folder}/tmp.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
MpiDefault=none
SlurmdParameters=config_overrides
ReturnToService=2
MailProg=/bin/true
KillWait=2
InactiveLimit=0
NodeName=n[1-3] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs=2 State=UNKNOWN
PartitionName=debug Nodes=n[1-3] Default=YES MaxTime=10 State=UP
"""


class Slurm(Scheduler):
    """SLURM with a munge daemon of its own."""

    name = "SLURM"
    commands = ("slurmctld", "slurmd", "srun", "sbatch", "salloc", "munged")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        # Open MPI names shared memory after the host and a rank's number on its node, and
        # several nodes are on this host: ranks of two nodes would write into the same.
        self.environ["OMPI_MCA_btl"] = "tcp,self"

    @classmethod
    def missing(cls, search: str = SEARCH) -> str:
        """Also the library for ``srun --mpi=pmix``."""
        pmix = glob.glob("/usr/lib/*/pmix2/lib/libpmix.so")
        return super().missing(search) or ("" if pmix else "SLURM is not installed (libpmix.so)")

    def _start(self) -> None:
        controller, first, _, last = free_ports(1 + len(NODES))
        text = self._configuration().format(
            folder=self.folder, host=socket.gethostname().partition(".")[0],
            controller=controller, first=first, last=last)
        (self.folder / "slurm.conf").write_text(text)
        # Without this a slurmd looks for cgroups that a container may not have.
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        self._start_munge()
        self.call("slurmctld", "-c", "-f", self.environ["SLURM_CONF"])
        for node in NODES:
            # Each has its own, or the PMIx servers of the nodes would meet.
            (self.folder / f"tmp.{node}").mkdir(exist_ok=True)
            self.call("slurmd", "-N", node, "-f", self.environ["SLURM_CONF"])
        wait_until(self._ready, "three idle nodes", 20)

    def _configuration(self) -> str:
        return _CONFIGURATION

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        # --force: it does not like the rights of the folders above this one.
        files = [f"--{what}-file={self.folder}/munged.{what}" for what in ("log", "pid", "seed")]
        self.call("munged", "--force", f"--key-file={key}", *files,
                  f"--socket={self.folder}/munge.socket")

    def _ready(self) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            idle = self.call("sinfo", "-h", "-N", "-t", "idle", "-o", "%N", timeout=5, check=False)
            return set(idle.split()) == set(NODES)
        return False

    def stop(self) -> None:
        """Ends the jobs, then the daemons."""
        if self._daemons():
            # Not fatal: what is left is killed below.
            with contextlib.suppress(subprocess.TimeoutExpired, ClusterError):
                self.call("scancel", "--quiet", "--user", "root", timeout=5, check=False)
                wait_until(lambda: not self.pids(), "the end of the jobs", 5)
        end_processes(self.pids, "the jobs")
        for node in NODES:
            stop_daemon(self.folder / f"slurmd.{node}.pid", "slurmd")
        stop_daemon(self.folder / "slurmctld.pid", "slurmctld")
        stop_daemon(self.folder / "munged.pid", "munged")
        # Those of a start that failed may have no pid file yet.
        end_processes(self._daemons, "the daemons")

    def pids(self) -> set[int]:
        """What has our SLURM_CONF and is in a job."""
        return pids_with(self._mark, "SLURM_JOB_ID", "PBS_JOBID")

    def _daemons(self) -> set[int]:
        names = {"slurmctld", "slurmd", "slurmstepd", "munged"}
        return {pid for pid in pids_with(self._mark) if process_name(pid) in names}

    @property
    def _mark(self) -> str:
        return f"SLURM_CONF={self.environ['SLURM_CONF']}"

    def submit(
        self, script: Path, *args: str, options: Sequence[str] = (), timeout: float = 60,
        cwd: Path | None = None, env: Mapping[str, str] | None = None, bare: bool = False,
    ) -> Finished:
        """Submits a batch script and waits for its end; see :meth:`Scheduler.submit`."""
        began = time.monotonic()
        said = self.call(*self._submission(script, args, options), cwd=cwd,
                         environ=self._environment(env, bare))
        job = said.strip().partition(".")[0]
        code = self.wait_for(job, timeout)
        seconds = time.monotonic() - began
        facts = self._facts(job)
        stdout, stderr = (Path(facts[name]).read_text() for name in ("StdOut", "StdErr"))
        same = facts["StdOut"] == facts["StdErr"]
        return Finished(code, stdout, "" if same else stderr, seconds, [])

    def wait_for(self, job: str, timeout: float = 60) -> int:
        """Waits for the end of a job; see :meth:`Scheduler.wait_for`."""
        try:
            # sbatch --wait looks every few seconds only.
            wait_until(lambda: self._ended(job), f"the end of job {job}", timeout)
        except ClusterError as error:
            facts = self.call("scontrol", "show", "job", job)
            self.call("scancel", job)
            wait_until(lambda: self._ended(job), f"the end of the cancelled job {job}", 15)
            raise JobError(f"{error}\n{facts}") from None
        code, signal = map(int, self._facts(job)["ExitCode"].split(":"))
        return code or -signal

    def _submission(
        self, script: Path, args: Sequence[str], options: Sequence[str],
    ) -> list[str]:
        return ["sbatch", "--parsable", *options, str(script), *args]

    def _ended(self, job: str) -> bool:
        state = self._facts(job)["JobState"]
        return state not in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED")

    def _facts(self, job: str) -> dict[str, str]:
        text = self.call("scontrol", "-o", "show", "job", job)
        return dict(re.findall(r"(?:^|\s)(\w+)=(\S*)", text))
