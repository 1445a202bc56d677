"""Launchers: their files, which program is which, and the choice of one."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from scoop_mpi import LaunchError
from scoop_mpi.launch import launchers
from scoop_mpi.launch.launchers import (
    Launcher, choose, known_launchers, named_launcher, read_launcher, recognise,
)

NAMES = {"Flux", "Intel MPI", "MPICH", "Open MPI", "PALS", "srun"}
MPICH, OPEN_MPI = "MPICH Version: 5.0.2", "Open MPI v5.0.8"
HYDRA = "printf 'HYDRA build details:\\n    Version: 5.0.2\\n'"
PRTERUN = "echo 'mpiexec (Open MPI) 5.0.8'"

GOOD = """\
name = "Ours"
executables = ["ours"]
recognised_by = ["OURS"]
ranks = ["-n", "{ranks}"]

[libraries]
"MPICH" = []
"""


@pytest.fixture
def program(tmp_path):
    """Makes an executable script in a folder."""
    def make(name, text, folder="bin"):
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)
    return make


@pytest.fixture
def environ(tmp_path, monkeypatch):
    """This Python is in beside/, and PATH has bin/ only."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "beside" / "python"))
    return {"PATH": str(tmp_path / "bin")}


@pytest.fixture
def file(tmp_path):
    """Writes a launcher file."""
    def write(text):
        path = tmp_path / "ours.toml"
        path.write_text(text)
        return path
    return write


# -- the files that come with the package -----------------------------------


def test_the_launchers_that_are_described():
    assert {launcher.name for launcher in known_launchers()} == NAMES
    for launcher in known_launchers():
        assert named_launcher(launcher.name) is launcher
        assert launcher.libraries and launcher.executables and launcher.recognised_by


def test_everything_about_ranks_is_said():
    for launcher in known_launchers():
        for parts in (launcher.directory, launcher.binding, launcher.fault_tolerance):
            assert parts, launcher.name
        assert bool(launcher.hosts) == (launcher.name != "Flux")  # which cannot be told
        filled = {"name": "NODE", "ranks": "7"}
        assert launcher.host.format(**filled).startswith("NODE")
        if launcher.hosts:
            # Who cannot be told a host's number of ranks gets a line for each.
            assert launcher.line_for_each_rank == ("{ranks}" not in launcher.host)


@pytest.mark.parametrize("library, names", [
    (MPICH, {"Flux", "Intel MPI", "MPICH", "PALS", "srun"}),
    ("MVAPICH2 Version : 2.3.7", {"Flux", "MPICH", "srun"}),
    (OPEN_MPI, {"Flux", "Open MPI", "srun"}),
    ("Intel(R) MPI Library 2021.10 for Linux* OS", {"Flux", "Intel MPI", "srun"}),
    # As loaded_library() tells it: white space is single.
    ("MPI VERSION : CRAY MPICH version 8.1.25.17 (ANL base 3.4a2)", {"Flux", "PALS", "srun"}),
    ("Another MPI 1.0", set()),
])
def test_launchers_of_each_library(library, names):
    assert {launcher.name for launcher in known_launchers()
            if launcher.options_for(library) is not None} == names


@pytest.mark.parametrize("library, option", [
    (MPICH, "--mpi=pmi2"), (OPEN_MPI, "--mpi=pmix"),
    ("MPI VERSION : CRAY MPICH version 8.1.25.17", "--mpi=cray_shasta"),
])
def test_srun_speaks_what_the_library_speaks(library, option):
    assert named_launcher("srun").options_for(library) == [option]


def test_the_longest_beginning_counts():
    launcher = Launcher("X", ["x"], ["X"], {"MP": ["a"], "MPICH": ["b"], "MPI": ["c"]},
                        ["{ranks}"])
    assert launcher.options_for("MPICH 5") == ["b"]
    assert launcher.options_for("MPI 5") == ["c"]
    assert launcher.options_for("M") is None


@pytest.mark.parametrize("user, beside, variables", [
    (1000, False, {"A": "1", "B": "2"}),
    (0, False, {"A": "1", "B": "3", "C": "4"}),
    (1000, True, {"A": "1", "B": "2", "E": "5"}),
    (0, True, {"A": "1", "B": "3", "C": "4", "E": "5"}),
])
def test_variables_of_the_environment(monkeypatch, user, beside, variables):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    launcher = Launcher(
        "X", ["x"], ["X"], {"MPI": []}, ["{ranks}"], environment={"A": "1", "B": "2"},
        environment_as_root={"B": "3", "C": "4"}, environment_embedded={"E": "5"})
    folder = os.path.dirname(sys.executable) if beside else "/elsewhere/bin"
    assert launcher.variables(f"{folder}/mpiexec") == variables


# -- reading a file --------------------------------------------------------


def test_a_small_file(file):
    assert read_launcher(file(GOOD)) == Launcher(
        "Ours", ["ours"], ["OURS"], {"MPICH": []}, ["-n", "{ranks}"])


def test_a_file_in_another_place(file, monkeypatch, tmp_path):
    file(GOOD)
    monkeypatch.chdir(tmp_path)
    for name in ("ours.toml", "./ours.toml", str(tmp_path / "ours.toml")):
        assert named_launcher(name).name == "Ours"


@pytest.mark.parametrize("line, text", [
    ("nam = 'x'", "unknown key 'nam'; there are name, executables"),
    ("host = 3", "host must be text, not 3"),
    ("host = ''", "host must be text, not ''"),
    ("options = 'x'", "options must be a list of texts"),
    ("options = [1]", "options must be a list of texts"),
    ("options = ['']", "options must be a list of texts"),
    ("line_for_each_rank = 1", "line_for_each_rank must be true or false"),
    ("environment = ['A']", "environment must be a table of texts"),
    ("environment = {A = 1}", "environment must be a table of texts"),
    ("hosts = ['-f', '{files}']", "'{files}' may have {file} or {hosts} in braces only"),
    ("host = '{name}:{cores}'", "may have {name} or {ranks} in braces only"),
    ("host = '{}'", "may have {name} or {ranks} in braces only"),
    ("host = '{name.x}'", "may have {name} or {ranks} in braces only"),
    ("host = '{name'", "'{name'"),
    ("directory = ['}']", "'}'"),
    ("variable = ['-x', '{path}']", "may have {name} or {value}"),
    ("stdin = ['{ranks}']", "may have {rank} in braces only"),
    ("ssh = ['{file}']", "may have {path} in braces only"),
    # Nothing is filled into these.
    ("binding = ['{ranks}']", "line 4"),
    ("binding = ['{']", "line 4"),
    ("rsh = ['{path}']", "line 4"),
    ("host = '{name:d}'", "line 4"),
    ("x = [", "line"),
    ("= 3", "line 4"),
    ("host = 'a'\nhost = 'b'", "line 5"),
])
def test_a_malformed_file_is_explained_with_its_line(file, line, text):
    lines = GOOD.splitlines()
    path = file("\n".join([*lines[:3], line, *lines[3:]]))
    with pytest.raises(LaunchError) as raised:
        read_launcher(path)
    assert str(path) in str(raised.value)
    assert text in str(raised.value)
    assert "line 4" in str(raised.value) or text.startswith("line")


@pytest.mark.parametrize("before, after, text", [
    ("{ranks}", "{rank}", "line 4: ranks: '{rank}' may have {ranks} in braces only"),
    ('"{ranks}"', '"4"', "line 4: ranks must have {ranks}"),
    ('name = "Ours"', "", "'name' is missing"),
    ('["ours"]', "[]", "'executables' is missing"),
    ('recognised_by = ["OURS"]', "", "'recognised_by' is missing"),
    ('[libraries]\n"MPICH" = []', "", "'libraries' is missing"),
    ("[libraries]", "[library]", "line 6: unknown key 'library'"),
    ('"MPICH" = []', '"MPICH" = "-x"', "line 6: libraries must be a table of lists"),
    ("name", "\tname\x00", "line 1"),
])
def test_more_malformed_files(file, before, after, text):
    with pytest.raises(LaunchError) as raised:
        read_launcher(file(GOOD.replace(before, after)))
    assert text in str(raised.value)


@pytest.mark.parametrize("name", ["absent.toml", ".", "absent/x.toml"])
def test_a_file_that_cannot_be_read(tmp_path, name):
    with pytest.raises(LaunchError, match="cannot read the launcher file") as raised:
        read_launcher(tmp_path / name)
    assert str(tmp_path) in str(raised.value)


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "ours.toml"
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(LaunchError, match="ours.toml is not TOML"):
        read_launcher(path)


@pytest.mark.parametrize("name", ["slurm", "", "mpiexec", "ours.tom"])
def test_a_launcher_of_another_name(name):
    with pytest.raises(LaunchError) as raised:
        named_launcher(name)
    for known in ("mpich", "openmpi", "intelmpi", "srun", "flux", "pals"):
        assert known in str(raised.value)


@pytest.mark.parametrize("name, known", [
    ("openmpi", "Open MPI"), ("OpenMPI", "Open MPI"), ("Open MPI", "Open MPI"),
    ("intelmpi", "Intel MPI"), ("MPICH", "MPICH"), ("flux", "Flux"), ("pals", "PALS"),
])
def test_names_of_launchers(name, known):
    assert named_launcher(name).name == known


# -- which program is which ------------------------------------------------


@pytest.mark.parametrize("version, name", [
    ("HYDRA build details:\\n    Version: 5.0.2\\n    Launchers: ssh rsh fork slurm", "MPICH"),
    ("mpirun (Open MPI) 4.1.6", "Open MPI"),
    ("mpirun (Open MPI) 5.0.8\\nReport bugs", "Open MPI"),
    ("Intel(R) MPI Library for Linux* OS, Version 2021.10 Build 20230619", "Intel MPI"),
    ("slurm 23.02.7", "srun"),
    ("slurm-wlm 22.05.8", "srun"),
    ("commands:    \\t\\t0.60.0\\nlibflux-core:\\t\\t0.60.0", "Flux"),
])
def test_launchers_are_recognised(program, version, name):
    assert recognise(program("mpiexec", f"printf '{version}'")).name == name


def test_a_launcher_that_writes_to_standard_error(program):
    assert recognise(program("mpiexec", "echo HYDRA >&2")).name == "MPICH"


def test_an_unknown_launcher(program):
    path = program("mpiexec", "echo Some other MPI")
    with pytest.raises(LaunchError) as raised:
        recognise(path)
    assert str(raised.value).startswith(f"{path} is not a launcher")
    assert "MPICH, Open MPI" in str(raised.value)
    assert "mpiexec -n 4 python -m scoop_mpi program.py" in str(raised.value)


def test_a_launcher_that_does_not_run(tmp_path):
    path = tmp_path / "mpiexec"
    path.write_text("no program")
    path.chmod(0o755)
    for one in (path, tmp_path / "absent"):
        with pytest.raises(LaunchError, match="does not run"):
            recognise(str(one))


def test_a_launcher_that_does_not_answer(program):
    with pytest.raises(LaunchError, match="does not run"):
        recognise(program("mpiexec", "exec sleep 20"), limit_s=0.1)


# -- choosing --------------------------------------------------------------


def test_the_one_beside_this_python_comes_first(program, environ):
    beside = program("mpiexec", HYDRA, "beside")
    program("mpiexec", HYDRA)
    assert choose(MPICH, environ=environ).executable == beside


@pytest.mark.parametrize("name", ["mpiexec", "mpirun", "mpiexec.hydra", "mpiexec.mpich"])
def test_the_one_on_the_path(program, environ, name):
    path = program(name, HYDRA)
    choice = choose(MPICH, environ=environ)
    assert (choice.launcher.name, choice.executable, choice.library) == ("MPICH", path, MPICH)


def test_the_first_that_fits_the_library(program, environ):
    program("mpiexec", PRTERUN, "beside")
    program("mpirun", "echo unheard of", "beside")
    hydra = program("mpiexec", HYDRA)
    assert choose(MPICH, environ=environ).executable == hydra


def test_srun_only_inside_a_job_and_last(program, environ):
    srun = program("srun", "echo slurm 22.05.8")
    with pytest.raises(LaunchError, match="no mpiexec found"):
        choose(OPEN_MPI, environ=environ)
    assert choose(OPEN_MPI, environ={**environ, "SLURM_JOB_ID": "1"}).executable == srun
    mpiexec = program("mpirun", PRTERUN)
    assert choose(OPEN_MPI, environ={**environ, "SLURM_JOB_ID": "1"}).executable == mpiexec


def test_flux_only_inside_flux(program, environ):
    flux = program("flux", "echo libflux-core: 0.60")
    assert choose(MPICH, environ={**environ, "FLUX_URI": "local:///"}).executable == flux


def test_srun_is_taken_if_asked_for(program, environ):
    program("mpiexec", HYDRA)
    srun = program("srun", "echo slurm 22.05.8")
    choice = choose(MPICH, "srun", environ=environ)
    assert (choice.launcher.name, choice.executable) == ("srun", srun)


def test_the_one_that_is_asked_for_is_found_behind_others(program, environ):
    program("mpiexec", PRTERUN, "beside")
    hydra = program("mpiexec", HYDRA)
    assert choose(MPICH, "mpich", environ=environ).executable == hydra


@pytest.mark.parametrize("path", ["", None])
def test_no_launcher_at_all(environ, path, monkeypatch):
    monkeypatch.setattr(os, "defpath", "/nowhere")
    environ = {} if path is None else {"PATH": path}
    with pytest.raises(LaunchError, match="no mpiexec found beside this Python or on PATH") \
            as raised:
        choose(MPICH, environ=environ)
    assert "pip install mpich" in str(raised.value)


def test_only_the_launcher_of_another_mpi(program, environ):
    path = program("mpiexec", PRTERUN)
    for arguments in ({}, {"executable": path}, {"launcher": "openmpi"}):
        with pytest.raises(LaunchError) as raised:
            choose(MPICH, environ=environ, **arguments)
        assert str(raised.value).startswith(
            f"mpi4py loads {MPICH}, but {path} is that of Open MPI: its ranks would each")
        assert "--mpiexec PATH" in str(raised.value)


def test_unknown_launchers_only(program, environ):
    path = program("mpiexec", "echo unheard of")
    with pytest.raises(LaunchError, match="is not a launcher that scoop_mpi knows") as raised:
        choose(MPICH, environ=environ)
    assert path in str(raised.value)


@pytest.mark.parametrize("name", ["absent", "/absent/mpiexec", "./absent"])
def test_a_program_that_does_not_exist(environ, name):
    with pytest.raises(LaunchError, match=f"--mpiexec {name}: there is no such program"):
        choose(MPICH, executable=name, environ=environ)


def test_a_program_that_may_not_be_executed(environ, tmp_path):
    (tmp_path / "plain").write_text("")
    with pytest.raises(LaunchError, match="there is no such program"):
        choose(MPICH, executable=str(tmp_path / "plain"), environ=environ)


def test_a_program_by_its_path_or_name(program, environ, monkeypatch, tmp_path):
    path = program("other", HYDRA)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("other", path, "~/bin/other"):
        assert choose(MPICH, executable=name, environ=environ).executable == path


def test_a_launcher_and_its_program(program, environ):
    # A site's wrapper need not tell a version.
    path = program("wrapper", "exit 1")
    assert choose(MPICH, "mpich", path, environ) == (named_launcher("mpich"), path, MPICH)


@pytest.mark.parametrize("make, text", [
    (False, "found neither beside this Python nor on PATH"),
    (True, "is that of MPICH; load its module"),
])
def test_a_launcher_that_is_not_there(program, environ, make, text):
    if make:
        program("mpiexec", HYDRA)
    with pytest.raises(LaunchError, match=text) as raised:
        choose(OPEN_MPI, "openmpi", environ=environ)
    assert str(raised.value).startswith("--launcher openmpi: ")


def test_a_launcher_from_a_file(program, environ, file):
    path = program("ours", "echo OURS 1.0")
    choice = choose(MPICH, str(file(GOOD)), environ=environ)
    assert (choice.launcher.name, choice.executable) == ("Ours", path)


def test_the_package_finds_its_files():
    # Beside the package in a checkout, inside of it when it is installed.
    package = Path(launchers.__file__).resolve().parent.parent
    folders = [package / "launchers", package.parent / "launchers"]
    assert [folder for folder in folders if len(list(folder.glob("*.toml"))) == len(NAMES)]


def test_nothing_is_asked_twice(program, tmp_path):
    path = program("mpiexec", f"echo >>{tmp_path}/asked; echo HYDRA")
    assert recognise(path) == recognise(path)
    assert (tmp_path / "asked").read_text() == "\n"
    assert shutil.which(path)
