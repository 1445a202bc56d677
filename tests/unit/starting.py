"""Starts command lines, up to where the launcher would be started."""

import os
import socket
import sys
from types import SimpleNamespace

from scoop_mpi.launch import named
from scoop_mpi.launch import start as module
from scoop_mpi.launch.launchers import Choice, Launcher
from scoop_mpi.launch.options import parse
from scoop_mpi.launch.process import Ended, Stdin
from scoop_mpi.process.world import STDIN_BY_LAUNCHER, STDIN_VARIABLE

LAUNCHER = Launcher(
    "X", ["x"], ["X"], {"MPICH": []}, ["-n", "{ranks}"], schedulers=["SLURM"],
    hosts=["-H", "{hosts}"], host="{name}:{ranks}", directory=["-d", "{directory}"],
    ssh=["--agent", "{path}"], rsh=["--rsh"], stdin=["-s", "{rank}"], variable=[])
LIBRARY = "MPICH Version: 5"


class Started:
    """What reached the launcher: its command, and how it was to be run."""

    def __init__(self):
        self.commands, self.how, self.asked = [], [], []

    def run(self, build, *how):
        """Stands for process.run."""
        variables = {STDIN_VARIABLE: STDIN_BY_LAUNCHER} if how[0] is Stdin.LAUNCHER else {}
        self.commands.append(build("/tmp/hosts", variables))
        self.how.append(how)
        return Ended(42, root_started=True)

    @property
    def argv(self):
        """The words of the only command."""
        [command] = self.commands
        return command.argv


def start_nothing(monkeypatch, tmp_path):
    """No launcher is started; this host, node1, has three cores and is in no job."""
    one = Started()
    monkeypatch.setattr(module.process, "run", one.run)
    monkeypatch.setattr(module, "loaded_library",
                        lambda python: one.asked.append(python) or LIBRARY)
    monkeypatch.setattr(module, "choose", lambda library, launcher, executable: Choice(
        LAUNCHER, "/bin/x", library))
    monkeypatch.setattr(module, "interpreter_flags", lambda: [])
    monkeypatch.setattr(module, "speak_plainly", lambda: None)
    monkeypatch.setattr(module.alias, "install", lambda: None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2, 5})
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(nodename="node1"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    for name in list(os.environ):
        if name.startswith(("SLURM", "PBS_", "PE_HOSTFILE", "LSB_", "PMI", "OMPI")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prog.py").write_text("")
    return one


def know_some(monkeypatch):
    """Some names resolve."""
    names = {"a", "b", "c"}

    def getaddrinfo(name, port):
        if name not in names:
            raise socket.gaierror(-2, "Name or service not known")
        return [name]

    monkeypatch.setattr(named.socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(named, "_is_alias", lambda name, options: False)
    return names


def start(*line):
    """Starts a command line."""
    return module.start(*parse([*line, "prog.py", "a b"]))
