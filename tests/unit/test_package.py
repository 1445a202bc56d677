"""The constants of the package (SCOOP's manual, section 2.4.4)."""

import os
import re
import types

import pytest

import scoop_mpi
from scoop_mpi.base import context, errors
from scoop_mpi.base.job import BrokerInfo, Job, Settings, worker_name
from scoop_mpi.base.messages import Shutdown

MANUAL = ["IS_ORIGIN", "BROKER", "DEBUG", "IS_RUNNING", "worker", "logger"]
"""The names of the table in SCOOP's manual, section 2.4.4."""
CONSTANTS = [
    *MANUAL, "SIZE", "CONFIGURATION", "MAIN_MODULE", "WORKING_DIRECTORY", "SHUTDOWN_REQUESTED",
    "__version__",
]
TYPES = {
    "IS_ORIGIN": bool, "IS_RUNNING": bool, "DEBUG": bool, "SHUTDOWN_REQUESTED": bool,
    "SIZE": int, "worker": tuple, "BROKER": BrokerInfo, "MAIN_MODULE": str,
    "WORKING_DIRECTORY": str, "CONFIGURATION": dict, "__version__": str,
}


@pytest.fixture
def set_job(monkeypatch):
    """Makes this process another one, for the test."""
    def set_it(**what):
        monkeypatch.setattr(context, "_job", Job(**what))
    return set_it


# -- names -----------------------------------------------------------------


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_are_there(name):
    value = getattr(scoop_mpi, name)
    if name in TYPES:
        assert isinstance(value, TYPES[name])
    assert name in scoop_mpi.__all__


def test_everything_in_all_exists():
    assert len(set(scoop_mpi.__all__)) == len(scoop_mpi.__all__)
    assert all(hasattr(scoop_mpi, name) for name in scoop_mpi.__all__)


def test_everything_is_imported_by_a_star():
    names = {}
    exec("from scoop_mpi import *", names)
    assert set(scoop_mpi.__all__) <= set(names)


def test_every_error_is_there():
    for name, value in vars(errors).items():
        if isinstance(value, type) and value.__module__ == errors.__name__:
            assert getattr(scoop_mpi, name) is value
            assert name in scoop_mpi.__all__


@pytest.mark.parametrize("package", ["scoop_mpi", "scoop"])
@pytest.mark.parametrize("name", ["futures", "shared", "utils", "_types", "fallbacks"])
def test_modules_are_there_without_being_imported(run_python, package, name):
    install = "from scoop_mpi.process import alias; alias.install()" * (package == "scoop")
    done = run_python(
        f"import sys\n{install}\n"
        f"import {package}\n"
        f"assert {name!r} in dir({package}) and hasattr({package}, {name!r})\n"
        f"found = {package}.{name}\n"
        f"import {package}.{name} as imported\n"
        f"assert found is imported is sys.modules['scoop_mpi.{name}'] is {package}.{name}\n"
        "print('all')\n"
    )
    assert (done.stdout, done.stderr) == ("all\n", "")


def test_modules_cost_nothing_before_they_are_asked_for(run_python):
    done = run_python(
        "import sys, scoop_mpi\n"
        "print([name for name in ('futures', 'shared', 'utils')\n"
        "       if f'scoop_mpi.{name}' in sys.modules])\n"
    )
    assert done.stdout == "[]\n"


def test_verbs_by_the_packages_name(run_python):
    done = run_python(
        "import warnings; warnings.simplefilter('ignore')\n"
        "import pickle, scoop_mpi\n"
        "scoop_mpi.shared.setConst(k=5)\n"
        "print(*scoop_mpi.futures.map(abs, [-1]), scoop_mpi.shared.getConst('k'))\n"
        "print(pickle.loads(pickle.dumps(scoop_mpi.futures.submit)) is "
        "scoop_mpi.futures.submit)\n"
    )
    assert (done.stdout, done.stderr) == ("1 5\nTrue\n", "")


@pytest.mark.parametrize("name", ["no_such", "is_origin", "size", "__path__x"])
def test_other_names_are_not_there(name):
    with pytest.raises(AttributeError, match=f"module 'scoop_mpi' has no attribute '{name}'"):
        getattr(scoop_mpi, name)


def test_the_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+\w*", scoop_mpi.__version__)


# -- without a launcher ----------------------------------------------------


def test_constants_without_a_launcher(run_python, tmp_path):
    names = [name for name in CONSTANTS if name != "logger"]
    done = run_python(
        f"import scoop_mpi\nfor name in {names!r}:\n"
        "    print(name, repr(getattr(scoop_mpi, name)))\n"
        "print('str', scoop_mpi.worker)\n"
        # Nothing is started by looking.
        "from scoop_mpi.base import context\nprint('scheduler', context._scheduler)\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    values = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    host = os.uname().nodename
    expected = {
        "IS_ORIGIN": True, "IS_RUNNING": False, "DEBUG": False, "SHUTDOWN_REQUESTED": False,
        "SIZE": 1, "MAIN_MODULE": "", "WORKING_DIRECTORY": str(tmp_path.resolve()),
        "BROKER": BrokerInfo(host, 0, 0, host), "worker": worker_name(1),
        "CONFIGURATION": {"headless": False, "backend": "MPI"},
        "__version__": scoop_mpi.__version__,
    }
    assert values == {
        **{name: repr(value) for name, value in expected.items()},
        "str": "worker-1", "scheduler": "None",
    }


def test_the_working_directory_stays_that_of_the_start(run_python, tmp_path):
    done = run_python(
        "import os, scoop_mpi\nos.chdir('/')\nprint(scoop_mpi.WORKING_DIRECTORY)\n")
    assert done.stdout == f"{tmp_path.resolve()}\n"


# -- in a job --------------------------------------------------------------


@pytest.mark.parametrize("rank, is_origin", [(0, False), (1, True), (2, False), (7, False)])
def test_the_root_is_the_origin(set_job, rank, is_origin):
    set_job(rank=rank, workers=8)
    assert scoop_mpi.IS_ORIGIN is is_origin


def test_constants_in_a_job(set_job):
    set_job(rank=3, workers=8, running=True, program="folder/prog.py", broker_host="far",
            directory="/where", settings=Settings(debug=True))
    assert scoop_mpi.IS_RUNNING is True
    assert scoop_mpi.SIZE == 8
    assert scoop_mpi.worker == worker_name(3)
    assert str(scoop_mpi.worker) == "worker-3"
    assert len(scoop_mpi.worker) == 2
    assert scoop_mpi.BROKER == ("far", 0, 0, "far")
    assert scoop_mpi.BROKER.hostname == scoop_mpi.BROKER.externalHostname == "far"
    assert scoop_mpi.BROKER.task_port == scoop_mpi.BROKER.info_port == 0
    assert scoop_mpi.MAIN_MODULE == "folder/prog.py"
    assert scoop_mpi.WORKING_DIRECTORY == "/where"
    assert scoop_mpi.DEBUG is True


@pytest.mark.parametrize("running, program, headless", [
    (True, "prog.py", False), (True, "", True), (False, "", False),
])
def test_a_prompt_without_a_program_is_headless(set_job, running, program, headless):
    set_job(running=running, program=program)
    assert scoop_mpi.CONFIGURATION == {"headless": headless, "backend": "MPI"}


def test_a_program_cannot_change_the_configuration_of_others():
    scoop_mpi.CONFIGURATION["headless"] = "changed"
    assert scoop_mpi.CONFIGURATION["headless"] is False


def test_shutdown_requested(scheduler):
    assert scoop_mpi.SHUTDOWN_REQUESTED is False
    scheduler.exchange.shutdown = Shutdown(0)
    assert scoop_mpi.SHUTDOWN_REQUESTED is True


def test_shutdown_requested_without_a_scheduler():
    context.install(None)
    assert scoop_mpi.SHUTDOWN_REQUESTED is False


# -- SCOOP's other modules -------------------------------------------------


def test_modules_that_programs_import():
    from scoop_mpi import _types, fallbacks, futures, shared, utils
    for module in (_types, fallbacks, futures, shared, utils):
        assert isinstance(module, types.ModuleType)
        assert module.__doc__


def test_types_has_what_futures_has():
    from scoop_mpi import _types, futures
    from scoop_mpi.tasks import attributes
    for name in ("Future", "CancelledError", "TimeoutError"):
        assert getattr(_types, name) is getattr(futures, name)
    for name in ("CallbackType", "StopWatch"):
        assert getattr(_types, name) is getattr(attributes, name)
    assert set(_types.__all__) == {
        "CallbackType", "CancelledError", "Future", "StopWatch", "TimeoutError"}


def test_the_fallback_error():
    from scoop_mpi.fallbacks import NotStartedProperly
    assert issubclass(NotStartedProperly, scoop_mpi.ScoopError)
