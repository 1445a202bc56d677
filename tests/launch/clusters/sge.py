"""SGE: queue all.q with six slots on this host, parallel environment mpi."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from launching import Finished, JobError

from .base import (
    SEARCH, ClusterError, Scheduler, end_processes, free_ports, pids_with, process_name, wait_until,
)

SLOTS = 6
_INSTALLED = Path("/var/lib/gridengine")
_SHARE = Path("/usr/share/gridengine")
_BOOTSTRAP = """\
admin_user              none
default_domain          none
ignore_fqdn             false
spooling_method         berkeleydb
spooling_lib            libspoolb
spooling_params         {folder}/spooldb
binary_path             /usr/sbin
qmaster_spool_dir       {folder}/qmaster
security_mode           none
listener_threads        2
worker_threads          2
scheduler_threads       1
"""
_HOST = """\
hostname {host}
load_scaling NONE
complex_values NONE
user_lists NONE
xuser_lists NONE
projects NONE
xprojects NONE
usage_scaling NONE
report_variables NONE
"""
_PARALLEL_ENVIRONMENT = """\
pe_name            mpi
slots              999
user_lists         NONE
xuser_lists        NONE
start_proc_args    NONE
stop_proc_args     NONE
allocation_rule    $round_robin
control_slaves     TRUE
job_is_first_task  FALSE
urgency_slots      min
accounting_summary FALSE
qsort_args         NONE
"""
_QUEUE = {
    "qname": "all.q", "hostlist": "{host}", "seq_no": "0", "load_thresholds": "NONE",
    "suspend_thresholds": "NONE", "nsuspend": "1", "suspend_interval": "00:05:00",
    "priority": "0", "min_cpu_interval": "00:05:00", "processors": "UNDEFINED",
    "qtype": "BATCH INTERACTIVE", "ckpt_list": "NONE", "pe_list": "mpi", "rerun": "FALSE",
    "slots": str(SLOTS), "tmpdir": "/tmp", "shell": "/bin/bash", "prolog": "NONE",
    "epilog": "NONE", "shell_start_mode": "unix_behavior", "starter_method": "NONE",
    "suspend_method": "NONE", "resume_method": "NONE", "terminate_method": "NONE",
    "notify": "00:00:60", "owner_list": "NONE", "user_lists": "NONE", "xuser_lists": "NONE",
    "subordinate_list": "NONE", "complex_values": "NONE", "projects": "NONE",
    "xprojects": "NONE", "calendar": "NONE", "initial_state": "default",
    **{f"{kind}_{what}": "INFINITY" for what in ("rt", "cpu", "fsize", "data", "stack", "core",
                                                 "rss", "vmem") for kind in "sh"},
}


class SGE(Scheduler):
    """SGE with an SGE_ROOT, ports and group numbers of its own."""

    name = "SGE"
    commands = ("sge_qmaster", "sge_execd", "qsub", "qconf")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._common = folder / "root" / "default" / "common"
        self.environ.update(SGE_ROOT=str(folder / "root"), SGE_CELL="default")
        self._read_ports()

    @classmethod
    def missing(cls, search: str = SEARCH) -> str:
        """Also what is no command; a ``qsub`` may be that of another scheduler."""
        lacks = "" if _SHARE.is_dir() else f"SGE is not installed ({_SHARE})"
        return super().missing(search) or lacks

    def _start(self) -> None:
        host = socket.gethostname()
        master, execd = free_ports(2)
        self._make_root(host)
        (self.folder / "ports").write_text(f"{master} {execd}")
        self._read_ports()
        self.call(str(_SHARE / "scripts" / "init_cluster"), self.environ["SGE_ROOT"], "default",
                  str(self.folder / "spooldb"), "root")
        self._daemon("sge_qmaster")
        wait_until(lambda: self._answers("-sh"), "an answer of the master", 20)
        # A listed host may be one already, since the master's host is an administrator's.
        for option in ("-ah", "-as"):
            self.call("qconf", option, host, check=False)
        self._configure("-Ae", _HOST.format(host=host))
        self._configure("-Ap", _PARALLEL_ENVIRONMENT)
        self._configure("-Aq", "".join(
            f"{name} {value}\n" for name, value in _QUEUE.items()).format(host=host))
        # Groups mark the processes of a job; two clusters must not take the same.
        groups = 100_000 + 100 * (master - 10_000)
        self._change("global", "-sconf", "-Mconf", {
            "min_uid": "0", "min_gid": "0", "load_report_time": "00:00:02",
            "execd_spool_dir": f"{self.folder}/execd", "gid_range": f"{groups}-{groups + 99}",
            # How a job ended is told at once, not after 15 seconds.
            "reporting_params": "accounting=true reporting=false flush_time=00:00:15 "
                                "joblog=false sharelog=00:00:00 accounting_flush_time=00:00:00"})
        # Every second, not every 15.
        self._change("scheduler", "-ssconf", "-Msconf", {
            "schedule_interval": "0:0:1", "flush_submit_sec": "1", "flush_finish_sec": "1"})
        self._daemon("sge_execd")
        wait_until(self._ready, "a queue that takes jobs", 30)

    def _make_root(self, host: str) -> None:
        for name in ("spooldb", "qmaster", "execd"):
            (self.folder / name).mkdir(exist_ok=True)
        self._common.mkdir(parents=True, exist_ok=True)
        for entry in _INSTALLED.iterdir():
            link = self.folder / "root" / entry.name
            if entry.name != "default" and not link.exists():
                link.symlink_to(entry)
        (self._common / "bootstrap").write_text(_BOOTSTRAP.format(folder=self.folder))
        (self._common / "act_qmaster").write_text(f"{host}\n")
        # The address 127.0.0.1 has several names; this one is to be it.
        (self._common / "host_aliases").write_text(f"{host} localhost\n")

    def _read_ports(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            master, execd = (self.folder / "ports").read_text().split()
            self.environ.update(SGE_QMASTER_PORT=master, SGE_EXECD_PORT=execd)

    def _daemon(self, name: str) -> None:
        # It must not keep the ends of a pipe of ours open, hence the file.
        with (self.folder / f"{name}.log").open("w") as log:
            subprocess.run(["/usr/sbin/" + name], env={**os.environ, **self.environ}, check=True,
                           timeout=30, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                           cwd=self.folder)

    def _answers(self, option: str) -> bool:
        with contextlib.suppress(ClusterError):
            return bool(self.call("qconf", option))
        return False

    def _ready(self) -> bool:
        lines = [line.split() for line in self.call("qstat", "-f", check=False).splitlines()]
        # The sixth column holds what is wrong with the queue.
        return any(words[0].startswith("all.q@") and len(words) == 5 for words in lines if words)

    def _configure(self, option: str, text: str, name: str = "configuration") -> None:
        file = self.folder / name
        file.write_text(text)
        self.call("qconf", option, str(file))

    def _change(self, name: str, show: str, modify: str, changes: dict[str, str]) -> None:
        lines = [line.split(None, 1) for line in self.call("qconf", show).splitlines()
                 if line.strip() and not line.startswith("#")]
        text = "".join(f"{key} {changes.get(key, value)}\n" for key, value in lines)
        # qconf takes the name of the file for the name of the configuration.
        self._configure(modify, text, name)

    def stop(self) -> None:
        """Ends the jobs, then the daemons."""
        if self._daemons():
            # Not fatal: what is left is killed below.
            with contextlib.suppress(subprocess.TimeoutExpired, ClusterError):
                self.call("qdel", "-f", "-u", "*", timeout=5, check=False)
                wait_until(lambda: not self.pids(), "the end of the jobs", 5)
        # Asked to end, the daemons take six seconds to save what is thrown away anyway.
        end_processes(self._daemons, "the daemons")
        end_processes(self.pids, "the jobs")

    def pids(self) -> set[int]:
        """What has our SGE_ROOT and is in a job."""
        return pids_with(self._mark, "JOB_ID")

    def _daemons(self) -> set[int]:
        # They write their pid files late: a start that failed may have left none.
        names = {"sge_qmaster", "sge_execd", "sge_shepherd"}
        return {pid for pid in pids_with(self._mark) if process_name(pid) in names}

    @property
    def _mark(self) -> str:
        return f"SGE_ROOT={self.environ['SGE_ROOT']}"

    def logs(self, lines: int = 15) -> str:
        """Also the files that SGE calls messages."""
        parts = [super().logs(lines)]
        for file in self.folder.glob("*/**/messages"):
            parts += [f"-- {file}", *file.read_text(errors="replace").splitlines()[-lines:]]
        return "\n".join(parts)

    def submit(
        self, script: Path, *args: str, options: Sequence[str] = (), timeout: float = 60,
        cwd: Path | None = None, env: Mapping[str, str] | None = None, bare: bool = False,
    ) -> Finished:
        """Submits a batch script and waits for its end; see :meth:`Scheduler.submit`."""
        output = Path(tempfile.mkdtemp(dir=self.folder))
        # -V hands on our environment, -cwd our folder, as the others do by default.
        command = ["qsub", "-sync", "y", "-terse", "-V", "-cwd", "-o", f"{output}/out",
                   "-e", f"{output}/err", *options, str(script), *args]
        try:
            said = self.run(command, timeout=timeout, cwd=cwd, env=env, bare=bare)
        except JobError:
            self.call("qdel", "-f", "-u", "*", check=False)
            raise
        if not (output / "out").exists():
            raise ClusterError(f"the job did not run: {said}")
        # A script may join the two.
        texts = [file.read_text() if file.exists() else ""
                 for file in (output / "out", output / "err")]
        return Finished(said.returncode, texts[0], texts[1], said.seconds, [])

    def wait_for(self, job: str, timeout: float = 60) -> int:
        """Waits for the end of a job; see :meth:`Scheduler.wait_for`."""
        try:
            # What it says of jobs that have ended comes a moment after their end.
            wait_until(lambda: self._exit_code(job), f"the end of job {job}", timeout)
        except ClusterError as error:
            facts = self.call("qstat", "-j", job, check=False)
            self.call("qdel", "-f", job, check=False)
            raise JobError(f"{error}\n{facts}") from None
        return int(self._exit_code(job))

    def _exit_code(self, job: str) -> str:
        """As text; empty while there is none."""
        found = re.search(r"(?m)^exit_status +([0-9]+)", self.call("qacct", "-j", job, check=False))
        return found[1] if found else ""
