"""The name ``scoop``: the very same modules as ours, and only while it is installed."""

import importlib
import importlib.util
import pickle
import sys

import pytest

from scoop_mpi.process import alias

MODULES = ["", ".futures", ".shared", "._types", ".utils", ".fallbacks", ".launch",
           ".cli", ".base.log"]


@pytest.fixture
def installed(monkeypatch):
    """The alias, in this process; gone after the test, with all that was imported by it."""
    before = {name for name in sys.modules if name.split(".")[0] == "scoop"}
    assert not before, "the tests know nothing of another scoop"
    alias.install()
    yield
    alias.uninstall()
    assert alias._finder not in sys.meta_path
    assert not [name for name in sys.modules if name.split(".")[0] == "scoop"]


@pytest.fixture
def original(tmp_path):
    """A folder with a package ``scoop`` that is not ours; its modules say so."""
    package = tmp_path / "site" / "scoop"
    package.mkdir(parents=True)
    for name in ("__init__", "futures", "only_theirs"):
        (package / f"{name}.py").write_text("original = True\n")
    return str(package.parent)


# -- the same modules ------------------------------------------------------


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_the_very_same(installed, name):
    theirs = importlib.import_module("scoop" + name)
    assert theirs is importlib.import_module("scoop_mpi" + name)
    assert sys.modules["scoop" + name] is theirs


@pytest.mark.parametrize("name", MODULES)
def test_our_modules_keep_their_names(installed, name):
    ours = importlib.import_module("scoop_mpi" + name)
    spec, loader = ours.__spec__, ours.__loader__
    importlib.import_module("scoop" + name)
    assert ours.__spec__ is spec
    assert ours.__loader__ is loader is spec.loader
    assert ours.__name__ == spec.name == "scoop_mpi" + name
    assert ours.__package__ == spec.parent
    assert ours.__file__ == spec.origin


def test_each_way_to_import(run_python):
    done = run_python(
        "from scoop_mpi.process import alias\nalias.install()\n"
        "import scoop\n"
        "import scoop.futures\n"
        "import scoop.shared as s\n"
        "from scoop import futures, shared, utils, logger, IS_RUNNING\n"
        "from scoop.futures import map as m, Future\n"
        "from scoop._types import Future as F, CancelledError, TimeoutError, CallbackType\n"
        "from scoop.fallbacks import NotStartedProperly\n"
        "import scoop_mpi\n"
        "assert scoop is scoop_mpi and futures is scoop.futures is scoop_mpi.futures\n"
        "assert s is shared is scoop_mpi.shared and utils is scoop_mpi.utils\n"
        "assert logger is scoop_mpi.logger and IS_RUNNING is False\n"
        "assert m is futures.map and F is Future is scoop_mpi.tasks.future.Future\n"
        "assert issubclass(NotStartedProperly, scoop_mpi.ScoopError)\n"
        "assert F.__module__ == 'scoop_mpi.tasks.future'\n"
        "print('all')\n"
    )
    assert (done.stdout, done.stderr) == ("all\n", "")


@pytest.mark.parametrize("statement", [
    "import scoop.futures", "from scoop import futures", "from scoop.futures import submit",
    "from scoop._types import Future", "import scoop._types",
])
def test_the_first_import_of_a_program(run_python, statement):
    # Ours is imported by it, not before.
    done = run_python(
        "import sys\nfrom scoop_mpi.process import alias\nalias.install()\n"
        "assert 'scoop_mpi.futures' not in sys.modules\n"
        f"{statement}\n"
        "import scoop, scoop_mpi.futures\n"
        "assert sys.modules['scoop'] is sys.modules['scoop_mpi']\n"
        "assert scoop_mpi.futures.__spec__.name == 'scoop_mpi.futures'\n"
        "assert scoop.futures is scoop_mpi.futures\n"
        "print('all')\n"
    )
    assert (done.stdout, done.stderr) == ("all\n", "")


def test_names_of_the_package(installed):
    from scoop import SIZE, worker
    assert (SIZE, str(worker)) == (1, "worker-1")
    with pytest.raises(ImportError, match="no_such_name"):
        from scoop import no_such_name  # noqa: F401


@pytest.mark.parametrize("name", ["no_such", "futures.deeper", "launch.no_such", "_control"])
def test_modules_that_are_not_there(installed, name):
    with pytest.raises(ModuleNotFoundError) as raised:
        importlib.import_module(f"scoop.{name}")
    assert raised.value.name == f"scoop.{name}"


def test_names_that_only_start_alike(installed):
    for name in ("scoopy", "scoop_other"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(name)
    assert alias._finder.find_spec("scoop_mpi", None) is None


def test_asking_whether_it_is_there(installed):
    # Programs do so to choose between SCOOP and something else.
    for name in MODULES:
        assert importlib.util.find_spec("scoop" + name) is not None
    assert importlib.util.find_spec("scoop.no_such") is None
    importlib.import_module("scoop.futures")
    assert importlib.util.find_spec("scoop.futures") is not None


def test_reloading_reloads_ours(run_python):
    done = run_python(
        "from scoop_mpi.process import alias\nalias.install()\n"
        "import importlib, scoop.utils, scoop_mpi.utils\n"
        "assert importlib.reload(scoop.utils) is scoop_mpi.utils\nprint('all')\n"
    )
    assert (done.stdout, done.stderr) == ("all\n", "")


def test_functions_are_pickled_by_our_names(installed):
    from scoop.futures import submit
    assert b"scoop_mpi.futures" in pickle.dumps(submit)


# -- the original ----------------------------------------------------------


def test_the_original_is_shadowed_and_comes_back(run_python, original):
    done = run_python(
        f"import sys\nsys.path.insert(0, {original!r})\n"
        "from scoop_mpi.process import alias\n"
        "alias.install()\n"
        "import scoop, scoop.futures, scoop_mpi.futures\n"
        "assert scoop is scoop_mpi and scoop.futures is scoop_mpi.futures\n"
        "assert not hasattr(scoop, 'original')\n"
        "try:\n    import scoop.only_theirs\n"
        "except ModuleNotFoundError: pass\n"
        "else: raise AssertionError('modules of both are mixed')\n"
        "alias.uninstall()\n"
        "import scoop, scoop.futures, scoop.only_theirs\n"
        "assert scoop is not scoop_mpi and scoop.original and scoop.futures.original\n"
        f"assert scoop.__file__.startswith({original!r})\n"
        "assert scoop_mpi.futures.__name__ == 'scoop_mpi.futures'\n"
        "print('all')\n"
    )
    assert (done.stdout, done.stderr) == ("all\n", "")


def test_the_original_is_left_alone_without_the_alias(run_python, original):
    done = run_python(
        f"import sys\nsys.path.insert(0, {original!r})\n"
        "import scoop_mpi.futures, scoop_mpi.process.alias, scoop\n"
        "print(scoop.original, scoop is scoop_mpi)\n"
    )
    assert (done.stdout, done.stderr) == ("True False\n", "")


def test_uninstalling_leaves_the_original_that_was_imported_before(run_python, original):
    done = run_python(
        f"import sys\nsys.path.insert(0, {original!r})\n"
        "import scoop\nbefore = scoop\n"
        "from scoop_mpi.process import alias\nalias.install()\nalias.uninstall()\n"
        "assert sys.modules['scoop'] is before\nprint('all')\n"
    )
    assert (done.stdout, done.stderr) == ("all\n", "")


# -- coming and going ------------------------------------------------------


def test_installing_twice_is_installing_once(installed):
    alias.install()
    assert sys.meta_path.count(alias._finder) == 1
    assert sys.meta_path[0] is alias._finder


def test_uninstalling_twice(installed):
    importlib.import_module("scoop.futures")
    alias.uninstall()
    alias.uninstall()
    assert "scoop" not in sys.modules
    assert "scoop.futures" not in sys.modules
    assert "scoop_mpi.futures" in sys.modules


def test_uninstalling_leaves_our_modules(installed):
    ours = {name: module for name, module in sys.modules.items()
            if name.split(".")[0] == "scoop_mpi"}
    for name in MODULES:
        importlib.import_module("scoop" + name)
    alias.uninstall()
    assert all(sys.modules[name] is module for name, module in ours.items())


# -- processes that a rank starts ------------------------------------------


CHILD = (
    "import sys\nsys.path[:] = {path!r}\n"
    "from scoop import futures, shared\nimport scoop, scoop.utils, scoop_mpi\n"
    "assert scoop is scoop_mpi is sys.modules['scoop'] and futures is scoop_mpi.futures\n"
    "assert scoop.__spec__.name == 'scoop_mpi' and scoop.utils is scoop_mpi.utils\n"
    "print('ours')\n"
)


@pytest.fixture
def handed_down(monkeypatch):
    """What a process gets that has ``sys.path`` from a rank whose own is this."""
    def handed_down(path):
        monkeypatch.setattr(sys, "path", list(path))
        alias.hand_down()
        alias.hand_down()  # once more changes nothing
        assert sys.path.count(alias.CHILDREN) == 1
        return list(sys.path)
    return handed_down


def test_a_child_finds_ours(handed_down, run_python):
    path = handed_down(sys.path)
    assert path[-1] == alias.CHILDREN
    done = run_python(CHILD.format(path=path))
    assert (done.stdout, done.stderr) == ("ours\n", "")


@pytest.mark.parametrize("at", [0, 1, -1])
def test_a_child_does_not_find_the_original(handed_down, run_python, original, at):
    before = list(sys.path)
    before.insert(at if at >= 0 else len(before), original)
    path = handed_down(before)
    assert path.index(alias.CHILDREN) == path.index(original) - 1
    assert [one for one in path if one != alias.CHILDREN] == before
    done = run_python(CHILD.format(path=path))
    assert (done.stdout, done.stderr) == ("ours\n", "")


def test_a_folder_of_data_is_no_original(handed_down, tmp_path):
    (tmp_path / "scoop").mkdir()
    path = handed_down([str(tmp_path), *sys.path])
    assert path[0] == str(tmp_path)
    assert path[-1] == alias.CHILDREN


def test_uninstalling_hands_nothing_down(installed, handed_down):
    before = list(sys.path)
    handed_down(before)
    alias.uninstall()
    assert sys.path == before
    assert not alias.is_installed()
