"""Hosts h1, h2, h3 on one machine: namespaces with an sshd in each.

A host has a host name, network, processes, IPC and /dev/shm of its own; the file system
is shared, as homes are on a cluster. A namespace without a name holds the switch between
them, so nothing is seen from outside, and everything goes with the processes.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launching import Finished, Job

from .base import (
    SEARCH, Cluster, ClusterError, end_processes, pids_with, process_name, read_pid, wait_until,
)
from .secure_shell import SecureShell

NAMES = ("h1", "h2", "h3")
_NETWORK = "10.77.0."
_MARK = "SCOOP_MPI_TEST_HOSTS"
_BOOT = """\
set -e
hostname "$1"
mount -t tmpfs -o size=1g tmpfs /dev/shm
mount --bind "$2" /etc/hosts
ip link set lo up
exec "$3" -D -f "$4"
"""


class Hosts(Cluster):
    """Several hosts; ``ssh`` is the path of an ssh by which each reaches the others."""

    name = "A set of hosts"
    commands = ("unshare", "nsenter", "ip", "sshd", "ssh", "ssh-keygen")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.names = NAMES
        self.ssh = str(folder / "ssh")
        self._shell = SecureShell(folder / "keys")
        self._children: list[subprocess.Popen[bytes]] = []

    @classmethod
    def missing(cls, search: str = SEARCH) -> str:
        """Also the right to make namespaces, which root lacks in many containers."""
        if missing := super().missing(search):
            return missing
        attempt = subprocess.run(
            ["unshare", "--net", "--uts", "--ipc", "--pid", "--fork", "--mount-proc", "true"],
            capture_output=True, text=True, timeout=20)
        return attempt.stderr and f"{cls.name} is not possible here ({attempt.stderr.strip()})"

    def _start(self) -> None:
        self._shell.prepare(22, {"PidFile": "none"}, {}, Path(self.ssh))
        hosts = [f"{_NETWORK}{number} {name}" for number, name in enumerate(NAMES, 1)]
        (self.folder / "etc_hosts").write_text("\n".join(["127.0.0.1 localhost", *hosts, ""]))
        switch = str(self._spawn("switch", ["--net", "--", "sleep", "infinity"]))
        wait_until(lambda: _separate(switch), "the network of the switch", 5)
        enter_switch = ["nsenter", "--target", switch, "--net"]
        self.call(*enter_switch, "ip", "link", "add", "br0", "type", "bridge")
        self.call(*enter_switch, "ip", "link", "set", "br0", "up")
        for number, name in enumerate(NAMES, 1):
            self._boot(name)
            enter = ["nsenter", "--target", str(self._first(name)), "--net", "ip"]
            self.call(*enter, "link", "add", "eth0", "type", "veth", "peer", "name",
                      f"port{number}", "netns", switch)
            self.call(*enter, "addr", "add", f"{_NETWORK}{number}/24", "dev", "eth0")
            self.call(*enter, "link", "set", "eth0", "up")
            port = [*enter_switch, "ip", "link", "set", f"port{number}"]
            self.call(*port, "master", "br0")
            self.call(*port, "up")
        for name in NAMES:
            wait_until(lambda: self._answers(name), f"an answer of {name}", 15)

    def _boot(self, name: str) -> None:
        self._spawn(name, [
            "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc", "--",
            "sh", "-c", _BOOT, "sh", name, str(self.folder / "etc_hosts"), self._shell.sshd,
            str(self._shell.configuration)])
        # sshd comes last, when all of the host is set up.
        wait_until(lambda: process_name(self._first(name)) == "sshd", f"the start of {name}", 5)

    def _spawn(self, name: str, arguments: list[str]) -> int:
        with (self.folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                ["unshare", *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env={**os.environ, _MARK: str(self.folder)})
        self._children.append(process)
        (self.folder / f"{name}.pid").write_text(str(process.pid))
        return process.pid

    def _outer(self, name: str) -> int:
        """The process that holds a host, or the switch; 0 if it has ended."""
        pid = read_pid(self.folder / f"{name}.pid")
        # The number may have become that of another process.
        return pid if pid in pids_with(f"{_MARK}={self.folder}") else 0

    def _first(self, name: str) -> int:
        """The host's first process, by the number it has outside; 0 if there is none."""
        outer = self._outer(name)
        return next((pid for pid, parent in _parents() if outer and parent == outer), 0)

    def _answers(self, name: str) -> bool:
        try:
            said = self.call(*self._enter(NAMES[0]), self.ssh, name, "hostname", timeout=10)
        except ClusterError as error:
            (self.folder / f"ssh_to_{name}.log").write_text(str(error))
            return False
        return said == f"{name}\n"

    def _enter(self, host: str, cwd: Path | None = None) -> list[str]:
        return ["nsenter", "--target", str(self._first(host)), "--mount", "--uts", "--ipc", "--net",
                "--pid", f"--wdns={cwd or self.folder}", "--"]

    def run(self, host: str, command: Sequence[str], **options: Any) -> Finished:
        """Runs a command on a host to its end; options as :meth:`Cluster._begin` has them."""
        return self.begin(host, command, **options).finish()

    def begin(self, host: str, command: Sequence[str], **options: Any) -> Job:
        """Like :meth:`run`, but returns the running job; the caller must end it."""
        return self._begin([*self._enter(host, options.get("cwd")), *command], **options)

    def stop(self) -> None:
        """Ends the hosts with all that runs on them."""
        for name in NAMES:
            # With its first process a host loses all others.
            end_processes(lambda: self._all(name), name)
        end_processes(lambda: {self._outer("switch")} - {0}, "the switch")
        for process in self._children:
            process.wait(10)
        self._children.clear()

    def pids(self, host: str | None = None) -> set[int]:
        """What runs on one host, or on all, besides the sshd that waits for connections."""
        names = NAMES if host is None else (host,)
        return {pid for name in names
                for pid in self._all(name) - {self._first(name), self._outer(name)}}

    def _all(self, name: str) -> set[int]:
        space = _process_space(self._first(name))
        # Never our own: that would be all processes of this machine.
        separate = space not in ("", _process_space(os.getpid()))
        inside = {pid for pid, _ in _parents() if _process_space(pid) == space}
        return (inside if separate else set()) | {self._outer(name)} - {0}


def _parents() -> list[tuple[int, int]]:
    """Every process with its parent."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{name}/stat").read_text()
            found.append((int(name), int(stat.rpartition(")")[2].split()[1])))
    return found


def _process_space(pid: int) -> str:
    """What names the set of processes that it sees; empty if there is no such process."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/pid")
    return ""


def _separate(pid: str) -> bool:
    """Whether the process has left our network."""
    return os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
