"""The errors: what they say, what they derive from, that they can cross ranks."""

import pickle

import pytest

import scoop_mpi
from scoop_mpi.base import errors

PREFIX = "This element could not be pickled: "
EXAMPLES = [
    errors.ScoopError("something"),
    errors.LaunchError("no mpiexec", exit_code=7),
    errors.MainGuardError(),
    errors.DeadlockError("all wait"),
    errors.ThreadError("wrong thread"),
    errors.ForkError(),
    errors.NotPicklableError("a socket"),
    errors.TaskError("mod.Boom", "it went", "Traceback ..."),
    errors.RemoteTraceback("Traceback ...", 3, "node7"),
]


def test_every_error_has_an_example():
    defined = {
        value for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert {type(example) for example in EXAMPLES} == defined


def test_every_error_is_exported():
    names = {type(example).__name__ for example in EXAMPLES}
    assert names <= set(scoop_mpi.__all__)
    assert all(hasattr(scoop_mpi, name) for name in scoop_mpi.__all__)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_errors_derive_from_one(error):
    assert isinstance(error, errors.ScoopError)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_errors_survive_pickling(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_launch_error_has_an_exit_code():
    assert errors.LaunchError("x").exit_code == 2
    assert errors.LaunchError("x", exit_code=1).exit_code == 1


def test_not_picklable_says_it_as_scoop_does():
    error = errors.NotPicklableError("a socket")
    assert str(error) == PREFIX + "a socket"
    assert isinstance(error, pickle.PicklingError)


def test_not_picklable_says_it_once():
    assert str(errors.NotPicklableError(PREFIX + "x")) == PREFIX + "x"


def test_main_guard_error_shows_the_guard():
    assert "if __name__ == '__main__':" in str(errors.MainGuardError())


def test_thread_error_is_a_runtime_error():
    assert isinstance(errors.ThreadError(), RuntimeError)


def test_task_error_names_type_and_message():
    error = errors.TaskError("mod.Boom", "it went", "Traceback ...")
    assert str(error) == "mod.Boom: it went"
    assert (error.type_name, error.message, error.traceback) == (
        "mod.Boom", "it went", "Traceback ...")


def test_remote_traceback_names_rank_and_host():
    text = str(errors.RemoteTraceback("Traceback ...\nBoom", 3, "node7"))
    assert "rank 3" in text and "node7" in text
    assert text.endswith("Traceback ...\nBoom")


def test_assert_never_names_the_value():
    with pytest.raises(AssertionError, match="42"):
        errors.assert_never(42)
