"""What a rank tells of itself."""

import io
import os
import socket

import scoop_mpi
from scoop_mpi.check import facts
from scoop_mpi.check.facts import Facts, network_devices, transports_in_use, versions


def test_facts_of_this_process():
    own = Facts(3, "library", "level")
    assert own.pid == os.getpid()
    assert own.host == os.uname().nodename
    assert own.cores == sorted(os.sched_getaffinity(0))
    assert own.host_cores >= len(own.cores)
    assert Facts.from_dict(own.as_dict()) == own


def test_versions_of_what_is_there_and_what_is_not(monkeypatch):
    def version(name):
        if name == "numpy":
            raise facts.metadata.PackageNotFoundError(name)
        return "1.2"

    monkeypatch.setattr(facts.metadata, "version", version)
    found = versions()
    assert found["mpi4py"] == "1.2"
    assert found["numpy"] is None
    assert found["scoop_mpi"] == scoop_mpi.__version__


def test_a_folder_that_is_not_there_has_no_free_bytes(monkeypatch):
    def refuse(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(facts.shutil, "disk_usage", refuse)
    assert Facts(0, "", "").shm_free == -1


def test_adapters_are_named_by_their_drivers(monkeypatch):
    shown = {"/sys/class/infiniband/*": ["/sys/class/infiniband/mlx5_1",
                                         "/sys/class/infiniband/mlx5_0"]}
    monkeypatch.setattr(facts.glob, "glob", lambda pattern: shown.get(pattern, []))
    assert network_devices() == ["InfiniBand or RoCE (mlx5_0, mlx5_1)"]


def test_a_connection_to_this_host_is_no_network():
    with socket.create_server(("127.0.0.1", 0)) as server, \
            socket.create_connection(server.getsockname()):
        assert "TCP" not in transports_in_use()


def test_a_connection_to_another_host(monkeypatch):
    """As the kernel shows one from 10.0.0.1 to 10.0.0.2, by a socket of this process."""
    with socket.socket() as own:
        inode = os.readlink(f"/proc/self/fd/{own.fileno()}")[8:-1]
        line = f" 0: 0100000A:1F90 {{}}:D431 {{}} 0:0 0:0 0 0 0 {inode} 1\n"

        def tables(there, state):
            def fake_open(path):
                if not path.endswith("tcp"):
                    raise FileNotFoundError(path)
                return io.StringIO("the header\n" + line.format(there, state))
            return fake_open

        for there, state, found in [("0200000A", "01", ["TCP"]), ("0200000A", "0A", []),
                                    ("0100000A", "01", []), ("0100007F", "01", [])]:
            monkeypatch.setattr(facts, "open", tables(there, state), raising=False)
            assert transports_in_use() == found, (there, state)


def test_an_adapter_that_is_open(monkeypatch):
    monkeypatch.setattr(facts.os, "readlink", lambda path: "/dev/infiniband/uverbs0")
    assert transports_in_use() == ["RDMA verbs (InfiniBand, RoCE, EFA)"]
