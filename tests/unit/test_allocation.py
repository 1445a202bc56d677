"""What job schedulers say: recorded environments, other forms they write, and garbage."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoop_mpi import LaunchError
from scoop_mpi.hosts.allocation import find_allocation, lsf, pbs, per_node, read_file, sge, slurm

RECORDED = Path(__file__).resolve().parent.parent / "launch" / "recorded"


def recorded(name):
    """(environment, function that reads the files it names)."""
    environ = dict(line.split("=", 1)
                   for line in (RECORDED / f"{name}.env").read_text().splitlines())
    [text] = [path.read_text() for path in RECORDED.glob(f"{name}.*file")] or [""]

    def read(path):
        assert path in (environ.get("PBS_NODEFILE"), environ.get("PE_HOSTFILE"))
        return text

    return environ, read


def no_file(path):
    """For what names no file."""
    raise AssertionError(f"{path} is read")


# -- as recorded -----------------------------------------------------------


@pytest.mark.parametrize("name, scheduler, job, hosts", [
    ("slurm_salloc", "SLURM", "1", [("n1", 2), ("n2", 2), ("n3", 2)]),
    ("slurm_sbatch", "SLURM", "2", [("n1", 2), ("n2", 1)]),
    ("slurm_sbatch_nodes_only", "SLURM", "3", [("n1", 1), ("n2", 1)]),
    ("slurm_sbatch_cpus_per_task", "SLURM", "4", [("n1", 1), ("n2", 1)]),
    ("slurm_srun_pmi2_rank1", "SLURM", "5", [("n1", 2), ("n2", 1)]),
    ("slurm_srun_pty", "SLURM", "8", [("n1", 1)]),
    ("sge_job", "SGE", "1", [("node1", 4)]),
    ("torque_job", "PBS", "1.localhost", [("n1", 2), ("n2", 2)]),
])
def test_recorded_jobs(name, scheduler, job, hosts):
    environ, read = recorded(name)
    allocation = find_allocation(environ, read)
    assert allocation == (scheduler, job, hosts)
    assert allocation.slots == sum(slots for _, slots in hosts)


@pytest.mark.parametrize("name", ["mpich_rank1", "openmpi_rank1"])
def test_a_launcher_alone_is_no_scheduler(name):
    assert find_allocation(*recorded(name)) is None


@pytest.mark.parametrize("environ", [
    {}, {"PATH": "/bin"}, {"SLURM_CONF": "/etc/slurm.conf"}, {"PBS_NODEFILE": ""},
    {"SLURM_JOB_NODELIST": "", "PE_HOSTFILE": ""}, {"PBS_JOBID": "1"}, {"LSB_JOBID": "3"},
])
def test_no_job(environ):
    assert find_allocation(environ, no_file) is None


def test_the_files_are_read_from_disk(tmp_path):
    path = tmp_path / "nodes"
    path.write_bytes(b"n1\nn\xe4\nn1\n")  # Latin-1
    allocation = find_allocation({"PBS_NODEFILE": str(path), "PBS_JOBID": "7.server"})
    assert allocation == ("PBS", "7.server", [("n1", 2), ("n\udce4", 1)])
    assert read_file(str(path)) == "n1\nn\udce4\nn1\n"


# -- SLURM -----------------------------------------------------------------


@pytest.mark.parametrize("text, numbers", [
    ("1", [1]), ("2(x3),1", [2, 2, 2, 1]), ("16(x4)", [16] * 4), ("3,12(x2),1", [3, 12, 12, 1]),
    (" 2(x2) , 1 ", [2, 2, 1]), ("4(x1)", [4]),
])
def test_numbers_for_each_node(text, numbers):
    assert per_node(text, "NAME") == numbers


@pytest.mark.parametrize("text", [
    "", ",", "2,", "x", "2(3)", "2(x)", "2x3", "-1", "0", "0(x3)", "2(x3", "2(x3))", "2 (x3)",
    "1.5", "²", "2(x3)1", "9999999999", "2(x99999999)",
])
def test_numbers_that_slurm_does_not_write(text):
    with pytest.raises(LaunchError, match="is not what SLURM writes") as raised:
        per_node(text, "NAME")
    assert f"NAME={text}" in str(raised.value)


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(1, 30)), min_size=1, max_size=20))
def test_every_short_form_of_numbers(groups):
    text = ",".join(f"{count}(x{nodes})" if nodes > 1 else f"{count}" for count, nodes in groups)
    assert per_node(text, "NAME") == [count for count, nodes in groups for _ in range(nodes)]


@given(st.text("0123456789(x), \n-", max_size=12))
def test_any_text_is_numbers_or_an_error(text):
    try:
        assert all(number >= 1 for number in per_node(text, "NAME"))
    except LaunchError as error:
        assert text in str(error)


@pytest.mark.parametrize("environ, hosts", [
    ({}, [("n1", 1), ("n2", 1), ("n3", 1)]),
    ({"SLURM_TASKS_PER_NODE": "2(x2),1"}, [("n1", 2), ("n2", 2), ("n3", 1)]),
    ({"SLURM_TASKS_PER_NODE": "4(x3)", "SLURM_JOB_CPUS_PER_NODE": "9(x3)"},
     [("n1", 4), ("n2", 4), ("n3", 4)]),
    ({"SLURM_JOB_CPUS_PER_NODE": "8(x2),4"}, [("n1", 8), ("n2", 8), ("n3", 4)]),
    ({"SLURM_JOB_CPUS_PER_NODE": "8(x2),1", "SLURM_CPUS_PER_TASK": "4"},
     [("n1", 2), ("n2", 2), ("n3", 1)]),
    ({"SLURM_JOB_CPUS_PER_NODE": "8(x3)", "SLURM_CPUS_PER_TASK": "many"},
     [("n1", 8), ("n2", 8), ("n3", 8)]),
    # Inside a step the tasks are the step's, not the job's.
    ({"SLURM_TASKS_PER_NODE": "1", "SLURM_JOB_CPUS_PER_NODE": "8(x3)", "SLURM_STEP_ID": "0"},
     [("n1", 8), ("n2", 8), ("n3", 8)]),
])
@pytest.mark.parametrize("listed", ["SLURM_JOB_NODELIST", "SLURM_NODELIST"])
def test_slots_in_slurm(environ, hosts, listed):
    environ = {listed: "n[1-3]", "SLURM_JOBID": "5", **environ}
    assert slurm(environ) == find_allocation(environ, no_file) == ("SLURM", "5", hosts)


@pytest.mark.parametrize("environ, text", [
    ({"SLURM_JOB_NODELIST": "n[1-"}, "SLURM_JOB_NODELIST is not what SLURM writes"),
    ({"SLURM_NODELIST": "n[x]"}, "SLURM_NODELIST is not what SLURM writes"),
    ({"SLURM_JOB_NODELIST": " , "}, "SLURM_JOB_NODELIST names no host"),
    ({"SLURM_JOB_NODELIST": "n[1-3]", "SLURM_TASKS_PER_NODE": "2(x2)"},
     r"3 hosts, but SLURM_TASKS_PER_NODE=2\(x2\) is about 2"),
    ({"SLURM_JOB_NODELIST": "n1", "SLURM_TASKS_PER_NODE": "many"}, "SLURM_TASKS_PER_NODE=many"),
    ({"SLURM_JOB_NODELIST": "n1", "SLURM_JOB_CPUS_PER_NODE": "0"}, "SLURM_JOB_CPUS_PER_NODE=0"),
])
def test_garbage_from_slurm(environ, text):
    with pytest.raises(LaunchError, match=text):
        find_allocation(environ, no_file)


# -- PBS, SGE, LSF ---------------------------------------------------------


def test_a_pbs_job():
    allocation = pbs({"PBS_NODEFILE": "F", "PBS_JOBID": "1.x"}, lambda path: {
        "F": "n1\nn1\r\n n2 \n\nn1\n"}[path])
    assert allocation == ("PBS", "1.x", [("n1", 3), ("n2", 1)])


def test_an_sge_job():
    # A host is listed once for each queue.
    text = ("n1.site 4 all.q@n1.site UNDEFINED\nn2.site 2 all.q@n2.site <NULL>\n\n"
            "n1.site 1 other.q@n1.site UNDEFINED\nn3.site 0 all.q@n3.site UNDEFINED\n")
    allocation = sge({"PE_HOSTFILE": "F", "JOB_ID": "12"}, {"F": text}.__getitem__)
    assert allocation == ("SGE", "12", [("n1.site", 5), ("n2.site", 2)])


@pytest.mark.parametrize("environ", [
    {"LSB_DJOB_HOSTFILE": "F"}, {"LSB_MCPU_HOSTS": "a 2 b 1 "},
    {"LSB_DJOB_HOSTFILE": "F", "LSB_MCPU_HOSTS": "login 1"},
])
def test_an_lsf_job(environ):
    allocation = find_allocation({**environ, "LSB_JOBID": "3"}, {"F": "a\nb\na\n"}.__getitem__)
    assert allocation == ("LSF", "3", [("a", 2), ("b", 1)])


@pytest.mark.parametrize("text", ["a", "a b", "a 0", "a 2 b", "a -1", "2 a", "a 2.5"])
def test_garbage_from_lsf(text):
    with pytest.raises(LaunchError, match="LSB_MCPU_HOSTS=.* is not what LSF writes"):
        lsf({"LSB_MCPU_HOSTS": text})


def test_an_lsf_job_of_many_hosts():
    environ = {"LSB_MCPU_HOSTS": " ".join(f"n{at} 4" for at in range(5000))}
    assert lsf(environ).slots == 20_000


@pytest.mark.parametrize("line", ["n1", "n1 x all.q", "n1 -1 all.q", "n1 2.5 all.q"])
def test_garbage_from_sge(line):
    with pytest.raises(LaunchError, match=r"F \(PE_HOSTFILE\) has the line") as raised:
        sge({"PE_HOSTFILE": "F"}, {"F": f"n0 2 all.q@n0 UNDEFINED\n{line}\n"}.__getitem__)
    assert repr(line) in str(raised.value)


def test_an_sge_job_without_slots():
    with pytest.raises(LaunchError, match=r"F \(PE_HOSTFILE\) has no slot"):
        sge({"PE_HOSTFILE": "F"}, {"F": "n1 0 all.q@n1 UNDEFINED\n"}.__getitem__)


FILES = ["PBS_NODEFILE", "PE_HOSTFILE", "LSB_DJOB_HOSTFILE"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("path", ["absent", "."])
def test_a_file_that_cannot_be_read(name, path, tmp_path):
    path = str(tmp_path / path)
    with pytest.raises(LaunchError, match=f"{name} names .*, which cannot be read") as raised:
        find_allocation({name: path})
    assert path in str(raised.value) and "Unset it" in str(raised.value)
    assert "Errno" not in str(raised.value)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_hosts(name, text):
    with pytest.raises(LaunchError, match=rf"F \({name}\) names no host"):
        find_allocation({name: "F"}, {"F": text}.__getitem__)


host_names = st.text("ab0.-é", min_size=1, max_size=4)


@given(st.lists(host_names, min_size=1, max_size=30))
def test_node_files_hold_a_name_for_each_slot(names):
    for end in ("\n", "\r\n", " ", "\t", " \n "):
        allocation = pbs({"PBS_NODEFILE": "F"}, {"F": end.join(names)}.__getitem__)
        assert allocation.slots == len(names)
        assert dict(allocation.hosts) == {name: names.count(name) for name in names}
        assert [name for name, _ in allocation.hosts] == list(dict.fromkeys(names))


@given(st.lists(st.tuples(host_names, st.integers(0, 64)), min_size=1, max_size=20))
def test_sge_files_hold_a_line_for_each_queue(lines):
    text = "".join(f"{name} {slots} q@{name} UNDEFINED\n" for name, slots in lines)
    total = sum(slots for _, slots in lines)
    if total:
        allocation = sge({"PE_HOSTFILE": "F"}, {"F": text}.__getitem__)
        assert allocation.slots == total
        assert all(slots for _, slots in allocation.hosts)
    else:
        with pytest.raises(LaunchError):
            sge({"PE_HOSTFILE": "F"}, {"F": text}.__getitem__)


@given(st.text(max_size=60))
def test_any_file_is_hosts_or_an_error(text):
    for name in FILES:
        try:
            assert find_allocation({name: "F"}, lambda path: text).slots > 0
        except LaunchError as error:
            assert name in str(error)


def test_schedulers_are_asked_in_turn(tmp_path):
    # Flux and others may run inside of a SLURM job; SLURM's word comes first.
    environ = {"SLURM_JOB_NODELIST": "a", "PBS_NODEFILE": "F", "SLURM_JOB_ID": "1"}
    assert find_allocation(environ, no_file).scheduler == "SLURM"
