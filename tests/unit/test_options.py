"""The options: what is ours, what is the program's, what contradicts."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoop_mpi import LaunchError, __version__
from scoop_mpi.base.job import Settings
from scoop_mpi.launch.options import Options, make_parser, options_of, parse, split
from scoop_mpi.process.program import Program

PROGRAM = Program("prog.py")


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch, tmp_path):
    """Hosts may have the names of files that are here."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("line, workers, program", [
    ("prog.py", None, PROGRAM),
    ("-n 4 prog.py", 4, PROGRAM),
    ("-n4 prog.py", 4, PROGRAM),
    ("prog.py a b", None, Program("prog.py", False, ("a", "b"))),
    ("prog.py -n 4", None, Program("prog.py", False, ("-n", "4"))),
    ("-n 2 prog.py --version", 2, Program("prog.py", False, ("--version",))),
    ("prog.py -h", None, Program("prog.py", False, ("-h",))),
    ("prog.py -m x", None, Program("prog.py", False, ("-m", "x"))),
    ("prog.py -- -x", None, Program("prog.py", False, ("--", "-x"))),
    ("-- prog.py -x", None, Program("prog.py", False, ("-x",))),
    ("-n 3 -- -odd.py", 3, Program("-odd.py")),
    ("-m mod", None, Program("mod", True)),
    ("-mmod", None, Program("mod", True)),
    ("-n 3 -m mod", 3, Program("mod", True)),
    ("-m pkg.mod a b", None, Program("pkg.mod", True, ("a", "b"))),
    ("-m mod a -n 3", None, Program("mod", True, ("a", "-n", "3"))),
    ("-m mod -x 1", None, Program("mod", True, ("-x", "1"))),
    ("-m mod --long=1 a", None, Program("mod", True, ("--long=1", "a"))),
    ("-n 2 -m mod -n 3", 2, Program("mod", True, ("-n", "3"))),
    ("-m mod -m other", None, Program("mod", True, ("-m", "other"))),
    ("-m mod --version", None, Program("mod", True, ("--version",))),
    ("-m mod -h", None, Program("mod", True, ("-h",))),
])
def test_lines(line, workers, program):
    options, settings, parsed = parse(line.split())
    assert parsed == program
    assert options.n == workers
    assert settings == Settings()


@pytest.mark.parametrize("line, settings", [
    ("-v prog.py", Settings(verbosity=1)),
    ("-vv prog.py", Settings(verbosity=2)),
    ("-v --verbose prog.py", Settings(verbosity=2)),
    ("-q prog.py", Settings(verbosity=-1)),
    ("-vvq prog.py", Settings(verbosity=1)),
    ("-q --quiet -v prog.py", Settings(verbosity=-1)),
    ("--strict prog.py", Settings(strict=True)),
    ("--debug prog.py", Settings(debug=True)),
    ("--profile prog.py", Settings(profile=True)),
    ("--no-scoop-alias prog.py", Settings(alias=False)),
    ("-i prog.py", Settings(interactive=True)),
    ("--interactive prog.py", Settings(interactive=True)),
    ("--timeout 2.5 prog.py", Settings(timeout_s=2.5)),
    ("--timeout=1e3 prog.py", Settings(timeout_s=1000)),
    ("--nice 5 prog.py", Settings(nice=5)),
    ("--nice -20 prog.py", Settings(nice=-20)),
    ("--nice=-5 prog.py", Settings(nice=-5)),
    ("--nice +19 prog.py", Settings(nice=19)),
    ("--threads 3 prog.py", Settings(threads=3)),
    ("--json prog.py", Settings(json=True)),
    ("-v -n 3 --strict --debug --profile --no-scoop-alias -i -q -q prog.py",
     Settings(-1, False, True, True, True, True)),
])
def test_settings(line, settings):
    options, parsed, program = parse(line.split())
    assert parsed == settings
    assert program == Program("prog.py", interactive=settings.interactive)
    assert options.only_for_launcher == (("-n",) if "-n" in line.split() else ())


@pytest.mark.parametrize("line, options", [
    ("--hosts a b c prog.py", Options(hosts=("a", "b", "c"))),
    ("--host a a b prog.py", Options(hosts=("a", "a", "b"))),
    ("--hosts a:4 n[1-3] --strict prog.py", Options(hosts=("a:4", "n[1-3]"))),
    ("--hosts a --hosts b prog.py", Options(hosts=("a", "b"))),
    ("--hosts=a --host=b,c prog.py", Options(hosts=("a", "b,c"))),
    ("--hosts a b -- prog.py", Options(hosts=("a", "b"))),
    ("--hostfile hosts prog.py", Options(hostfile="hosts")),
    ("--hostfile=hosts prog.py", Options(hostfile="hosts")),
    ("-p /x prog.py", Options(path="/x")),
    ("-p/x prog.py", Options(path="/x")),
    ("--path /x/../y prog.py", Options(path="/y")),
    ("--python-interpreter /py prog.py", Options(python="/py")),
    ("--pythonpath /a:/b prog.py", Options(pythonpath="/a:/b")),
    ("--pythonpath= prog.py", Options(pythonpath="")),
    ("--prolog env.sh prog.py", Options(prolog="env.sh")),
    ("--launcher srun prog.py", Options(launcher="srun")),
    ("--mpiexec mpirun prog.py", Options(mpiexec="mpirun")),
    ("--mpi-args=-v prog.py", Options(mpi_args=("-v",))),
    ("--ssh-executable /s prog.py", Options(ssh="/s")),
    ("--rsh prog.py", Options(rsh=True)),
    ("--dry-run prog.py", Options(dry_run=True)),
])
def test_where_and_how(line, options):
    parsed, settings, program = parse(line.split())
    only = parsed.only_for_launcher
    assert Options(**{**vars(parsed), "only_for_launcher": ()}) == options
    name = line.split()[0].partition("=")[0].replace("-p/x", "-p")
    name = "--hosts" if name == "--host" else name
    for_ranks_too = ("-p", "--path", "--pythonpath", "--prolog")
    assert only == (() if name in for_ranks_too else (name,))
    assert (settings, program) == (Settings(strict="--strict" in line), PROGRAM)


def test_a_directory_is_made_absolute(tmp_path):
    assert parse(["-p", "x", "prog.py"])[0].path == str(tmp_path / "x")


@pytest.mark.parametrize("text, words", [
    ("-genv A 1", ("-genv", "A", "1")), ("--mca 'a b' c", ("--mca", "a b", "c")), ("", ()),
    ("-v", ("-v",)),
])
def test_further_options_for_the_launcher(text, words):
    assert parse(["--mpi-args", text, "prog.py"])[0].mpi_args == words


def test_hosts_end_at_a_file(empty_folder):
    (empty_folder / "program").touch()
    options, _, program = parse(["--hosts", "a", "b", "program", "c"])
    assert options.hosts == ("a", "b")
    assert program == Program("program", False, ("c",))


def test_hosts_before_a_module():
    options, _, program = parse(["--hosts", "a", "b", "-m", "mod", "c"])
    assert options.hosts == ("a", "b")
    assert program == Program("mod", True, ("c",))


def test_hosts_without_a_program():
    options, _, program = parse(["--hosts", "a", "b"])
    assert options.hosts == ("a", "b")
    assert program is None


@pytest.mark.parametrize("line", ["--hosts", "--hosts prog.py", "--host -v", "-n 2 --hosts --"])
def test_no_hosts(line):
    with pytest.raises(LaunchError, match="--hosts? needs the names of hosts"):
        parse(line.split())


def test_hosts_twice():
    with pytest.raises(LaunchError, match="--hosts and --hostfile both name hosts") as raised:
        parse("--hosts a --hostfile b prog.py".split())
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("option", [
    "-v", "-q", "--strict", "--debug", "--profile", "--no-scoop-alias", "-i", "--rsh", "-e",
    "--hosts", "--dry-run", "--json",
])
def test_options_after_the_program_are_its_own(option):
    for start, is_module in (["prog.py"], False), (["-m", "mod"], True):
        options, settings, program = parse([*start, option, "a"])
        assert (options, settings) == (Options(), Settings())
        assert program == Program(start[-1], is_module, (option, "a"))


@pytest.mark.parametrize("line, settings", [
    ("--strict -m mod a", Settings(strict=True)),
    ("-n 2 --strict -mmod a", Settings(strict=True)),
    # As `python -vm mod a`.
    ("-vm mod a", Settings(verbosity=1)),
    ("-vmmod a", Settings(verbosity=1)),
    ("-vvn 3 -m mod a", Settings(verbosity=2)),
    ("-vn3 -qm mod a", Settings()),
    ("-vp m -m mod a", Settings(verbosity=1)),
    ("-pm -m mod a", Settings()),
])
def test_short_options_joined(line, settings):
    _, parsed, program = parse(line.split())
    assert parsed == settings
    assert program == Program("mod", True, ("a",))


@pytest.mark.parametrize("line, program", [
    ("-i", Program("", interactive=True)),
    ("-n 4 -i", Program("", interactive=True)),
    ("-i prog.py a", Program("prog.py", False, ("a",), True)),
    ("-i -m mod a -x", Program("mod", True, ("a", "-x"), True)),
])
def test_a_prompt_with_and_without_a_program(line, program):
    _, settings, parsed = parse(line.split())
    assert parsed == program
    assert settings == Settings(interactive=True)


@pytest.mark.parametrize("line", ["", "-n 4", "--strict -v", "--json", "--hostfile x", "--"])
def test_no_program_is_a_check(line):
    assert parse(line.split())[2] is None


@pytest.mark.parametrize("line, text", [
    ("-n 0 prog.py", "at least 1"), ("-n -3 prog.py", "-3 is too few"),
    ("-n x prog.py", "'x' is not a number"), ("-n 2.5 prog.py", "'2.5' is not a number"),
    ("-n ² prog.py", "is not a number"), ("-n 99999999999 prog.py", "is not a number"),
    ("-n", "expected one argument"), ("-m", "argument"), ("--unknown prog.py", "--unknown"),
    ("--hostfil x prog.py", "--hostfil"), ("-x prog.py", "-x"),
    ("--threads 0 prog.py", "at least 1"),
    ("--nice 20 prog.py", "not a level from -20 to 19"),
    ("--nice -21 prog.py", "not a level from -20 to 19"),
    ("--nice x prog.py", "not a level"),
    ("--timeout 0 prog.py", "not a number of seconds"),
    ("--timeout -1 prog.py", "not a number of seconds"),
    ("--timeout nan prog.py", "not a number of seconds"),
    ("--timeout inf prog.py", "not a number of seconds"),
    ("--timeout soon prog.py", "not a number of seconds"),
    ("--mpi-args 'open prog.py", "No closing quotation"),
    ("--strict=1 prog.py", "ignored explicit argument"),
    ("--hostfile", "expected one argument"), ("-b x prog.py", "invalid int value"),
])
def test_wrong_options(line, text, capsys):
    with pytest.raises(SystemExit) as request:
        parse(line.split(" "))
    assert request.value.code == 2
    assert text in capsys.readouterr().err


@pytest.mark.parametrize("line, starts", [
    ("-b 2", ["-b: one broker"]),
    ("--external-hostname x", ["--external-hostname: MPI chooses"]),
    ("--broker-hostname x", ["--external-hostname: MPI chooses"]),
    ("-e", ["--tunnel: there are no sockets"]),
    ("--tunnel", ["--tunnel: there are no sockets"]),
    ("--backend ZMQ", ["--backend: MPI carries"]),
    ("-e -b 1", ["-b: ", "--tunnel: "]),
    ("-v", []),
])
def test_options_whose_place_is_taken(line, starts):
    options, settings, program = parse([*line.split(), "prog.py"])
    assert len(options.notes) == len(starts)
    for note, start in zip(options.notes, starts, strict=True):
        assert note.startswith(start)
    assert program == PROGRAM


def test_version(capsys):
    with pytest.raises(SystemExit) as request:
        parse(["--version"])
    assert request.value.code == 0
    assert capsys.readouterr().out == f"scoop_mpi {__version__}\n"


def test_help_shows_all_options_in_groups(capsys):
    with pytest.raises(SystemExit) as request:
        parse(["-h"])
    assert request.value.code == 0
    out = capsys.readouterr().out
    for option in options_of(make_parser()):
        assert (option in out) == (option != "--arguments"), option  # not for people
    for title in ("what to run:", "where to run it:", "how to start it:", "what it tells:",
                  "for programs of SCOOP:", "submit"):
        assert title in out
    assert max(map(len, out.splitlines())) <= max(100, int(os.environ.get("COLUMNS", 80)))


words = st.sampled_from([
    "-v", "-n4", "-i", "-vq", "a", "prog.py", "--host=a", "4", "--strict", "-mmod", "-e",
    "--unknown", "--nice=-5", "-x", "",
])


@given(st.lists(words, max_size=8))
def test_no_word_is_lost(line):
    own, rest = split(line, options_of(make_parser()))
    assert own + rest == line
    assert all(word.startswith("-") for word in own)


values = st.sampled_from(["a", "-5", "--strict", "prog.py", "", "--", "-m"])


@given(st.sampled_from(["--nice", "--mpi-args", "--launcher", "--path"]), values, st.lists(words))
def test_every_value_belongs_to_its_option(option, value, more):
    own, rest = split([option, value, "prog.py", *more], options_of(make_parser()))
    assert (own, rest) == ([f"{option}={value}"], ["prog.py", *more])
