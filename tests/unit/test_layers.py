"""Who may import whom: the layer table, and what each part keeps its hands off."""

import ast
import re
import sys
from pathlib import Path

import pytest

import scoop_mpi

PACKAGE = Path(scoop_mpi.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

ARCHITECTURE = Path(__file__).resolve().parents[2] / "ARCHITECTURE.md"
LAYERS_MAX = 11


def table():
    """{module: (layer, room, place in its room)} of the table in ARCHITECTURE.md."""
    rows = re.findall(r"^\| (\d+) \| (\S+) \| [^|]+ \| (.+) \|$", ARCHITECTURE.read_text(), re.M)
    places = {}
    for layer, name, files in rows:
        room = "" if name == "(top)" else name.strip("`/") + "."
        for place, file in enumerate(re.findall(r"`(\w+)`", files)):
            module = "" if file == "__init__" else room + file
            places[module] = int(layer), (layer, room), place
    return places


PLACES = table()

# What code that does no input or output has no use for.
IO_MODULES = {
    "asyncio", "io", "mpi4py", "multiprocessing", "os", "random", "select", "signal", "socket",
    "subprocess", "sys", "tempfile", "time",
}


def name_of(path):
    """The module's name inside the package: ``wire.mpi``; "" is the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def type_checking_nodes(tree):
    """All nodes under ``if TYPE_CHECKING:``."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body for inner in ast.walk(statement)
    }


def imports_of(path):
    """(absolute module name, is it for types only) of everything a file imports."""
    tree = ast.parse(path.read_bytes())
    for_types = type_checking_nodes(tree)
    package = ["scoop_mpi", *path.relative_to(PACKAGE).parent.parts]
    found = []
    for node in ast.walk(tree):
        only_types = node in for_types
        if isinstance(node, ast.Import):
            found += [(alias.name, only_types) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else []
            module = ".".join(base + ([node.module] if node.module else []))
            # `from .. import x`: x may be a module or a name of the package.
            for alias in node.names:
                whole = f"{module}.{alias.name}"
                is_module = whole.removeprefix("scoop_mpi.") in PLACES
                found.append((whole if is_module else module, only_types))
    return found


def inside(module):
    """The name inside the package, or None for a module of others."""
    if module == "scoop_mpi":
        return ""
    return module[len("scoop_mpi."):] if module.startswith("scoop_mpi.") else None


def top_level(path):
    """First parts of the names of the modules of others that a file imports."""
    return {module.partition(".")[0] for module, _ in imports_of(path)} - {"scoop_mpi"}


def test_every_module_is_in_the_table():
    rooms = {name_of(path) for path in MODULES if path.name == "__init__.py"} - {""}
    assert {name_of(path) for path in MODULES} - rooms == set(PLACES)


# Those that another file tests, and why.
TESTED_ELSEWHERE = {
    "": "test_package",  # what the package exports
    "__main__": "test_cli",  # it calls cli.main
    "_types": "test_package",  # names for what others define
    "fallbacks": "test_package",  # a name for an error
    "check.direct": "test_check",  # only real ranks can answer, or be silent
    "check.guard": "test_check",  # the same; test_guard is for that of the benchmarks
    "check.program": "test_check",  # as check.direct
    "check.run": "test_check",  # the same
    "check.wire": "test_check",  # the same
    "children.scoop": "test_children_of_tasks",  # it is for processes that a task starts
    "process.rank": "test_bad_input",  # it needs an MPI world
    "wire.endpoint": "test_memory",  # a protocol
    "wire.mpi": "test_large_messages",  # it needs an MPI world
}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_has_a_file_of_tests(path):
    name = name_of(path)
    if path.name == "__init__.py" and name:
        return  # a room's name, without code
    tests = TESTED_ELSEWHERE.get(name, f"test_{path.stem}")
    assert list(Path(__file__).parents[1].rglob(f"{tests}.py")), (
        f"tests for {name}: a file of its own, or a line in the table")


def test_the_table_of_tests_is_true():
    for name, tests in TESTED_ELSEWHERE.items():
        assert name in PLACES, f"{name} is no module"
        assert tests != f"test_{name.rpartition('.')[2]}", f"{name} needs no line"


def test_there_are_few_layers():
    assert len({layer for layer, _, _ in PLACES.values()}) <= LAYERS_MAX


@pytest.mark.parametrize("path", MODULES, ids=lambda path: name_of(path) or "__init__")
def test_imports_come_from_below(path):
    """From lower layers, or from the files before it in its room; also those for types."""
    importer = name_of(path)
    imported = {inside(module) for module, _ in imports_of(path)} - {None}
    if path.name == "__init__.py" and importer:
        assert not imported, "a room's __init__ only says what it is"
        return
    layer, room, place = PLACES[importer]
    wrong = [module for module in imported if not (
        PLACES[module][0] < layer or PLACES[module][1] == room and PLACES[module][2] < place)]
    assert not wrong, f"{importer} (layer {layer}) imports {wrong}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: name_of(path) or "__init__")
def test_files_classes_and_functions_are_short(path):
    """By having one job each. A docstring counts."""
    text = path.read_text()
    too_long = [f"{path.name}: {len(text.splitlines())} lines"] * (len(text.splitlines()) > 400)
    for node in ast.walk(ast.parse(text)):
        limit = {ast.ClassDef: 300, ast.FunctionDef: 50}.get(type(node))
        if limit is not None and node.end_lineno - node.lineno + 1 > limit:
            too_long.append(f"{node.name}: {node.end_lineno - node.lineno + 1} lines")
    assert not too_long


def test_who_imports_mpi4py():
    importers = {name_of(path) for path in MODULES if "mpi4py" in top_level(path)}
    # process.library only asks which library it loads; MPI is not started.
    assert importers == {"wire.mpi", "process.library"}


def names_used_of(module, name):
    """Which attributes of ``name`` a module of the package uses."""
    return {
        node.attr for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_bytes()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        and node.value.id == name
    }


def test_only_the_codec_pickles_what_crosses_ranks():
    importers = {
        name_of(path) for path in MODULES
        if top_level(path) & {"pickle", "cloudpickle", "marshal", "dill"}
    }
    # errors derives from pickle.PicklingError; records writes files of statistics, which the
    # tools read; frame packs plain tuples.
    assert importers == {"base.errors", "observe.records", "tools.debug_plots", "wire.by_value",
                         "wire.codec", "wire.frame"}
    assert names_used_of("base/errors", "pickle") == {"PicklingError"}
    assert names_used_of("observe/records", "pickle") == {"dump"}
    assert names_used_of("tools/debug_plots", "pickle") <= {"load", "UnpicklingError"}


def test_statistics_do_not_cross_ranks():
    path = PACKAGE / "observe" / "records.py"
    tree = ast.parse(path.read_bytes())
    [names] = [
        {alias.name for alias in node.names} for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "base.messages"
    ]
    assert names == {"ROOT"}  # a number: no message can be made here
    modules = {inside(module) for module, _ in imports_of(path)} - {None}
    assert modules == {"base.context", "base.errors", "base.frames", "base.job", "base.log",
                       "base.messages", "tasks.attributes", "tasks.future", "workers.story"}


@pytest.mark.parametrize("name", [
    "base/messages", "broker/broker", "broker/registry", "tasks/backlog", "tasks/mapcall",
    "tasks/sizes", "tasks/turns", "workers/cadence", "workers/ledger", "workers/loop",
    "workers/patience", "workers/scheduler", "workers/switchboard", "workers/trader",
])
def test_state_machines_do_no_io(name):
    assert not top_level(PACKAGE / f"{name}.py") & IO_MODULES


def test_the_broker_knows_no_threads_and_no_payloads():
    assert not top_level(PACKAGE / "broker" / "broker.py") & {
        "threading", "_thread", "greenlet", "pickle", "cloudpickle"}


def test_only_public_third_party_packages():
    known = {"mpi4py", "greenlet", "cloudpickle", "tomli"}
    tools = PACKAGE / "tools"
    others = set().union(*(top_level(path) for path in MODULES if tools not in path.parents))
    assert others - set(sys.stdlib_module_names) - {"tomllib"} == known
    # Commands for after the job, with an extra of their own.
    others = set().union(*(top_level(path) for path in MODULES if tools in path.parents))
    assert others - set(sys.stdlib_module_names) <= {"matplotlib"}


HEAVY = ("mpi4py", "mpi4py.MPI", "numpy", "matplotlib", "cloudpickle", "subprocess", "asyncio",
         "multiprocessing", "cProfile", "code", "readline")


def test_importing_the_package_starts_and_loads_nothing_heavy(run_python):
    done = run_python(
        "import sys\nimport scoop_mpi\nfrom scoop_mpi import futures\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", 0)


def test_a_serial_run_needs_no_mpi(run_python):
    done = run_python(
        "import sys\nfrom scoop_mpi import futures\n"
        "assert list(futures.map(abs, [-1, 2])) == [1, 2]\n"
        "print('mpi4py' in sys.modules, 'numpy' in sys.modules)\n"
    )
    assert (done.stdout, done.returncode) == ("False False\n", 0)


def test_the_package_is_typed():
    assert (PACKAGE / "py.typed").is_file()
