"""What a rank tells of itself: host, versions, cores, MPI, network devices."""

from __future__ import annotations

import glob
import os
import platform
import resource
import shutil
import socket
import struct
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from typing import Any

from .. import __version__

PACKAGES = ("mpi4py", "greenlet", "cloudpickle", "numpy")
_DEVICES = {
    "/sys/class/infiniband/*": "InfiniBand or RoCE",
    "/dev/hfi1_[0-9]*": "Omni-Path",
    "/dev/cxi[0-9]*": "Slingshot",
    "/dev/kgni[0-9]*": "Aries",
}
"""Fast network adapters, by what their drivers show."""
_OPEN_DEVICES = {
    "/dev/infiniband/": "RDMA verbs (InfiniBand, RoCE, EFA)", "/dev/hfi1": "Omni-Path",
    "/dev/cxi": "Slingshot", "/dev/kgni": "Aries",
}
"""What a process has open that speaks to such an adapter itself, past the kernel."""
_ESTABLISHED = "01"  # state in /proc/net/tcp


@dataclass
class Facts:
    """One rank's.

    Args:
        rank: in MPI_COMM_WORLD.
        host: its name.
        pid: process id.
        python: version, and ``executable`` its path.
        packages: versions by name; None: not installed.
        cores: which cores this process may use.
        host_cores: how many cores the host has.
        omp_threads: OMP_NUM_THREADS as it was set; empty: unset.
        library: what MPI_Get_library_version tells.
        thread_level: what MPI_Query_thread tells.
        devices: fast network adapters of the host.
        memlock: limit of locked memory in bytes; -1: none.
        shm_free: free bytes in /dev/shm.
    """

    rank: int
    library: str
    thread_level: str
    host: str = field(default_factory=lambda: os.uname().nodename)
    pid: int = field(default_factory=os.getpid)
    python: str = field(default_factory=platform.python_version)
    executable: str = ""
    packages: dict[str, str | None] = field(default_factory=dict)
    cores: list[int] = field(default_factory=lambda: sorted(os.sched_getaffinity(0)))
    host_cores: int = field(default_factory=lambda: os.cpu_count() or 1)
    omp_threads: str = field(default_factory=lambda: os.environ.get("OMP_NUM_THREADS", ""))
    devices: list[str] = field(default_factory=lambda: network_devices())
    memlock: int = field(default_factory=lambda: resource.getrlimit(resource.RLIMIT_MEMLOCK)[0])
    shm_free: int = field(default_factory=lambda: _free("/dev/shm"))

    @classmethod
    def from_dict(cls, entries: dict[str, Any]) -> Facts:
        """The reverse; another version of scoop_mpi may tell more."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in entries.items() if name in known})

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def versions() -> dict[str, str | None]:
    """The packages that matter, with their versions."""
    return {"scoop_mpi": __version__, **{name: _version(name) for name in PACKAGES}}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _free(path: str) -> int:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return -1


def network_devices() -> list[str]:
    """Fast network adapters of this host, like ``InfiniBand or RoCE (mlx5_0)``."""
    found = []
    for pattern, kind in _DEVICES.items():
        names = ", ".join(sorted(os.path.basename(path) for path in glob.glob(pattern)))
        if names:
            found.append(f"{kind} ({names})")
    return found


def transports_in_use() -> list[str]:
    """What this process has open to reach other hosts: adapters, and TCP connections."""
    targets = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            targets.add(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue  # closed meanwhile
    found = [kind for start, kind in _OPEN_DEVICES.items()
             if any(target.startswith(start) for target in targets)]
    sockets = {target[8:-1] for target in targets if target.startswith("socket:[")}
    return found + (["TCP"] if _tcp_peers() & sockets else [])


def _tcp_peers() -> set[str]:
    """Inodes of the established TCP connections to other addresses than this host's own."""
    inodes = set()
    for path in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        try:
            with open(path) as file:
                lines = file.read().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            here, there = (_address(word.partition(":")[0]) for word in words[1:3])
            if words[3] == _ESTABLISHED and here != there and not there.startswith("127."):
                inodes.add(words[9])
    return inodes


def _address(text: str) -> str:
    """An address of /proc/net/tcp, where each 32 bits are in the host's byte order."""
    parts = [struct.pack("=I", int(text[at:at + 8], 16)) for at in range(0, len(text), 8)]
    packed = b"".join(parts)
    if len(packed) == 4:
        return socket.inet_ntop(socket.AF_INET, packed)
    address = socket.inet_ntop(socket.AF_INET6, packed)
    return address.removeprefix("::ffff:") if address != "::1" else "127.0.0.1"
