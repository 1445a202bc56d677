"""The hosts of the job, from files, lists and batch systems; and SCOOP's small helpers."""

import logging
import os

import pytest

from scoop_mpi import LaunchError
from scoop_mpi import utils
from scoop_mpi.base import log

VARIABLES = [
    "SLURM_NODELIST", "SLURM_JOB_NODELIST", "SLURM_TASKS_PER_NODE", "SLURM_JOB_CPUS_PER_NODE",
    "SLURM_NTASKS", "SLURM_STEP_ID", "SLURM_CPUS_PER_TASK", "PBS_NODEFILE", "PBS_ENVIRONMENT",
    "PBS_NP", "PE_HOSTFILE", "NSLOTS",
]


@pytest.fixture(autouse=True)
def no_batch_system(monkeypatch):
    """The machine that runs the tests may have one."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path):
    """Writes a file; returns its path."""
    def write(text):
        path = tmp_path / "hosts"
        path.write_text(text)
        return str(path)
    return write


# -- host files ------------------------------------------------------------


@pytest.mark.parametrize("text, hosts", [
    ("a", [("a", 1)]),
    ("a\nb\n", [("a", 1), ("b", 1)]),
    ("a 3\nb\t2\n", [("a", 3), ("b", 2)]),
    ("  a   3  \n\n\n  b\n", [("a", 3), ("b", 1)]),
    ("# a comment\na 3 # the fast one\n#b 2\n", [("a", 3)]),
    ("a 2\nb 1\na 2\n", [("a", 4), ("b", 1)]),
    ("node-1.example.org 12\n10.0.0.7 2\n", [("node-1.example.org", 12), ("10.0.0.7", 2)]),
    ("a 3\r\nb\r\n", [("a", 3), ("b", 1)]),
    ("n[01-02] 3\n", [("n01", 3), ("n02", 3)]),
    ("a slots=2\nb:3\n", [("a", 2), ("b", 3)]),
])
def test_a_hostfile(file, text, hosts):
    assert utils.getHostsFromFile(file(text)) == hosts
    assert utils.getHosts(filename=file(text)) == hosts


@pytest.mark.parametrize("line", [
    "a b", "a x y", "a -1", "a 2.5", "a slots=x", "a 2x", "a ²",
])
def test_a_bad_line_is_named(file, line):
    path = file(f"good 2\n# comment\n{line}\nmore bad lines\nand more\n")
    with pytest.raises(LaunchError) as raised:
        utils.getHostsFromFile(path)
    assert path in str(raised.value)
    assert "line 3" in str(raised.value)
    assert repr(line) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_further_words_in_a_hostfile(file, capsys):
    path = file("host3 2 3 4\nhost4 X 2\n")
    assert utils.getHosts(filename=path) == [("host3", 2), ("host4", 2)]
    [line] = capsys.readouterr().err.splitlines()
    assert f"{path}, line 1: 'host3 2 3 4' says more" in line


def test_an_empty_hostfile(file):
    with pytest.raises(LaunchError, match="names no host"):
        utils.getHostsFromFile(file("# nothing\n"))


@pytest.mark.parametrize("name", ["absent", "."])
def test_a_hostfile_that_cannot_be_read(tmp_path, name):
    path = str(tmp_path / name)
    with pytest.raises(LaunchError, match="cannot read the hostfile") as raised:
        utils.getHostsFromFile(path)
    assert path in str(raised.value)


def test_a_hostfile_that_is_no_text(tmp_path):
    (tmp_path / "hosts").write_bytes(b"\xff\xfe\x00 2\n")
    with pytest.raises(LaunchError):
        utils.getHostsFromFile(str(tmp_path / "hosts"))


# -- lists -----------------------------------------------------------------


@pytest.mark.parametrize("hostlist, hosts", [
    (["a"], [("a", 1)]),
    (["b", "a", "b", "b"], [("b", 3), ("a", 1)]),
    ([("a", 3), ("b", 2)], [("a", 3), ("b", 2)]),
    ([("a", 3), "a", ("b", "2")], [("a", 4), ("b", 2)]),
    (["n[1-2]", ("n[2-3]", 4)], [("n1", 1), ("n2", 5), ("n3", 4)]),
])
def test_a_list_of_hosts(hostlist, hosts):
    assert utils.getHostsFromList(hostlist) == hosts
    assert utils.getHosts(hostlist=hostlist) == hosts


def test_a_file_goes_before_a_list(file):
    assert utils.getHosts(file("a 2\n"), ["b"]) == [("a", 2)]


# -- SLURM -----------------------------------------------------------------


@pytest.mark.parametrize("text, names", [
    ("n1", "n1"),
    ("a,b,c", "a b c"),
    ("n[1-3]", "n1 n2 n3"),
    ("n[01-03,7],login", "n01 n02 n03 n7 login"),
    ("n[001-002]", "n001 n002"),
    ("n[8-11]", "n8 n9 n10 n11"),
    ("n[098-101]", "n098 n099 n100 n101"),
    ("n[5]", "n5"),
    ("n[1,3,5-6]", "n1 n3 n5 n6"),
    ("a[1-2]b[1-2]", "a1b1 a1b2 a2b1 a2b2"),
    ("rack[1-2]-n[01-02].site", "rack1-n01.site rack1-n02.site rack2-n01.site rack2-n02.site"),
    ("[1-2]", "1 2"),
    ("x,n[1-2],y[3,4]z,w", "x n1 n2 y3z y4z w"),
    ("", ""),
])
def test_slurm_host_lists(text, names):
    assert utils.expand_hostlist(text) == names.split()


@pytest.mark.parametrize("variable", ["SLURM_NODELIST", "SLURM_JOB_NODELIST"])
@pytest.mark.parametrize("per_node, hosts", [
    ("2(x3),1", [("n1", 2), ("n2", 2), ("n3", 2), ("n4", 1)]),
    ("1,2,3,4", [("n1", 1), ("n2", 2), ("n3", 3), ("n4", 4)]),
    ("16(x4)", [("n1", 16), ("n2", 16), ("n3", 16), ("n4", 16)]),
    ("3,12(x2),1", [("n1", 3), ("n2", 12), ("n3", 12), ("n4", 1)]),
    (None, [("n1", 1), ("n2", 1), ("n3", 1), ("n4", 1)]),
])
def test_a_slurm_job(monkeypatch, variable, per_node, hosts):
    monkeypatch.setenv(variable, "n[1-4]")
    if per_node is not None:
        monkeypatch.setenv("SLURM_TASKS_PER_NODE", per_node)
    assert utils.getEnv() == "SLURM"
    assert utils.getHosts() == utils.getHostsFromSLURM() == hosts


def test_a_slurm_job_without_tasks_has_its_cores(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_NODELIST", "n[1-3]")
    monkeypatch.setenv("SLURM_JOB_CPUS_PER_NODE", "8(x2),4")
    assert utils.getHosts() == [("n1", 8), ("n2", 8), ("n3", 4)]


@pytest.mark.parametrize("per_node, hosts", [
    ("2,1", [("n1", 2), ("n2", 1), ("n3", 1)]),  # as SCOOP: the last counts for the rest
    ("3", [("n1", 3), ("n2", 3), ("n3", 3)]),
    (None, [("n1", 1), ("n2", 1), ("n3", 1)]),
])
def test_a_text_of_slurm(monkeypatch, per_node, hosts):
    if per_node is not None:
        monkeypatch.setenv("SLURM_TASKS_PER_NODE", per_node)
    assert utils.parseSLURM("n[1-3]") == hosts


@pytest.mark.parametrize("name, value", [
    ("SLURM_JOB_NODELIST", "n["), ("SLURM_TASKS_PER_NODE", "x"), ("SLURM_TASKS_PER_NODE", "2"),
])
def test_garbage_in_slurms_variables(monkeypatch, name, value):
    monkeypatch.setenv("SLURM_JOB_NODELIST", "n[1-2]")
    monkeypatch.setenv(name, value)
    with pytest.raises(LaunchError, match=name):
        utils.getHosts()


# -- PBS and SGE -----------------------------------------------------------


@pytest.mark.parametrize("text", ["n1\nn1\nn2\nn1\n\nn3\n", "n1 n1 n2 n1\tn3\n"])
def test_a_pbs_job(monkeypatch, file, text):
    monkeypatch.setenv("PBS_NODEFILE", file(text))
    assert utils.getEnv() == "PBS"
    assert utils.getHosts() == utils.getHostsFromPBS() == [("n1", 3), ("n2", 1), ("n3", 1)]


def test_an_sge_job(monkeypatch, file):
    monkeypatch.setenv("PE_HOSTFILE", file(
        "n1.site 4 all.q@n1.site UNDEFINED\nn2.site 2 all.q@n2.site <NULL>\n\n"))
    assert utils.getEnv() == "SGE"
    assert utils.getHosts() == utils.getHostsFromSGE() == [("n1.site", 4), ("n2.site", 2)]


def test_no_batch_system_at_all(monkeypatch):
    monkeypatch.setattr(utils.os, "sched_getaffinity", lambda pid: {0, 2, 5})
    assert utils.getEnv() == "other"
    assert utils.getHosts() == utils.getDefaultHosts() == [("127.0.0.1", 3)]


# -- how many workers ------------------------------------------------------


@pytest.mark.parametrize("variable", ["SLURM_NTASKS", "PBS_NP", "NSLOTS"])
def test_the_batch_system_says_how_many_workers(monkeypatch, variable):
    monkeypatch.setenv(variable, "12")
    assert utils.getWorkerQte([("a", 3)]) == 12


@pytest.mark.parametrize("value", ["", "many"])
def test_the_hosts_say_how_many_workers(monkeypatch, value):
    monkeypatch.setenv("NSLOTS", value)
    assert utils.getWorkerQte([("a", 3), ("b", 2)]) == 5


def test_the_cores_this_process_may_use():
    assert utils.getCPUcount() == len(os.sched_getaffinity(0))


# -- helpers ---------------------------------------------------------------


def test_group_together():
    assert utils.groupTogether(["b", "a", "b", "c", "a"]) == ["b", "b", "a", "a", "c"]
    assert utils.groupTogether([]) == []


@pytest.mark.parametrize("first", utils.localHostnames)
def test_the_name_by_which_others_know_the_first_host(first):
    assert utils.externalHostname([(first, 1)]) == first
    assert utils.externalHostname([(first, 1), ("b", 1)]) not in utils.loopbackReferences
    assert utils.externalHostname([("b", 1), (first, 1)]) == "b"


def test_local_hostnames_hold_the_loopback():
    assert set(utils.loopbackReferences) < set(utils.localHostnames)


def test_is_str():
    assert utils.isStr("") and not utils.isStr(b"") and not utils.isStr(1)


@pytest.mark.parametrize("arguments, level", [
    ((), logging.WARNING), ((-2,), logging.CRITICAL), ((1, "Another"), logging.INFO),
    ((4,), logging.DEBUG),
])
def test_init_logging(arguments, level):
    before = log.logger.level
    try:
        assert utils.initLogging(*arguments) is log.logger
        assert log.logger.level == level
    finally:
        log.logger.setLevel(before)
