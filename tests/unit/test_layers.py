"""Who may import whom: the layer table, and what each part keeps its hands off."""

import ast
import sys
from pathlib import Path

import pytest

import scoop_mpi

PACKAGE = Path(scoop_mpi.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# A module imports only from lower layers. "" is the package itself.
LAYERS = {
    "alias": 0, "check": 0, "errors": 0, "items": 0, "launch": 0, "launch.guardian": 0,
    "launch.interpreter": 0, "messages": 0, "rebuild": 0, "streams": 0, "tools": 0, "transport": 0,
    "transport.doorbell": 0, "tuning": 0, "uncaught": 0,
    "definitions": 1, "enquiries": 1, "fallbacks": 1, "forks": 1, "frames": 1, "held": 1,
    "hostlist": 1, "job": 1, "launch.launchers": 1, "launch.library": 1, "launch.world": 1,
    "patience": 1, "registry": 1, "sizes": 1, "surroundings": 1, "tools.debug_plots": 1,
    "broker": 2, "cadence": 2, "launch.allocation": 2, "launch.arguments": 2, "mapcall": 2,
    "transport.endpoint": 2, "usercode": 2,
    "changes": 3, "context": 3, "launch.plan": 3, "machine": 3, "renaming": 3,
    "attributes": 4, "launch.command": 4, "log": 4, "names": 4,
    "codec": 5, "estimates": 5, "future": 5, "launch.process": 5, "utils": 5,
    "constants": 6, "diagnosis": 6, "observe": 6, "switchboard": 6, "transport.memory": 6,
    "transport.mpi": 6, "turns": 6,
    "backlog": 7, "check.wire": 7, "outcomes": 7, "signals": 7, "strict": 7,
    "ledger": 8, "parcels": 8, "reports": 8,
    "trader": 9,
    "exchange": 10,
    "loop": 11,
    "scheduler": 12,
    "completion": 13, "instruments": 13, "shared": 13,
    "joins": 14, "runtime": 14,
    "futures": 15, "": 16,
    "_types": 17, "check.facts": 17, "children.scoop": 17, "prompt": 17,
    "check.findings": 18, "check.result": 18, "program": 18,
    "check.direct": 19, "check.report": 19, "launch.options": 19, "rank": 19,
    "check.guard": 20, "launch.named": 20, "launch.submit": 20,
    "check.run": 21, "launch.start": 21,
    "check.program": 22, "launch.cli": 22,
    "__main__": 23,
}
# Only for annotations, under `if TYPE_CHECKING:`.
UPWARD_FOR_TYPES = {("context", "scheduler"), ("attributes", "future")}

# What code that does no input or output has no use for.
IO_MODULES = {
    "asyncio", "io", "mpi4py", "multiprocessing", "os", "random", "select", "signal", "socket",
    "subprocess", "sys", "tempfile", "time",
}


def name_of(path):
    """The module's name inside the package: ``transport.mpi``; "" is the package."""
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
                is_module = whole.removeprefix("scoop_mpi.") in LAYERS
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


def test_every_module_has_a_layer():
    assert {name_of(path) for path in MODULES} == set(LAYERS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: name_of(path) or "__init__")
def test_imports_come_from_lower_layers(path):
    importer = name_of(path)
    wrong = []
    for module, only_types in imports_of(path):
        imported = inside(module)
        if imported is None or (only_types and (importer, imported) in UPWARD_FOR_TYPES):
            continue
        if LAYERS[imported] >= LAYERS[importer]:
            wrong.append(imported)
    assert not wrong, f"{importer} (layer {LAYERS[importer]}) imports {wrong}"


def test_the_table_allows_nothing_upward_that_is_not_used():
    used = {
        (name_of(path), inside(module))
        for path in MODULES for module, only_types in imports_of(path) if only_types
    }
    assert UPWARD_FOR_TYPES <= used


def test_who_imports_mpi4py():
    importers = {name_of(path) for path in MODULES if "mpi4py" in top_level(path)}
    # launch.library only asks which library it loads; MPI is not started.
    assert importers == {"transport.mpi", "launch.library"}


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
    # errors derives from pickle.PicklingError; observe writes files of statistics, which
    # the tools read.
    assert importers == {"codec", "errors", "observe", "tools.debug_plots"}
    assert names_used_of("errors", "pickle") == {"PicklingError"}
    assert names_used_of("observe", "pickle") == {"dump"}
    assert names_used_of("tools/debug_plots", "pickle") <= {"load", "UnpicklingError"}


def test_statistics_do_not_cross_ranks():
    path = PACKAGE / "observe.py"
    tree = ast.parse(path.read_bytes())
    [names] = [
        {alias.name for alias in node.names} for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "messages"
    ]
    assert names == {"ROOT"}  # a number: no message can be made here
    modules = {inside(module) for module, _ in imports_of(path)} - {None}
    assert modules == {"attributes", "context", "errors", "frames", "future", "job", "log",
                       "messages"}


@pytest.mark.parametrize("name", [
    "backlog", "broker", "cadence", "ledger", "loop", "mapcall", "messages", "patience",
    "scheduler", "sizes", "switchboard", "trader", "turns",
])
def test_state_machines_do_no_io(name):
    assert not top_level(PACKAGE / f"{name}.py") & IO_MODULES


def test_the_broker_knows_no_threads_and_no_payloads():
    assert not top_level(PACKAGE / "broker.py") & {
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
