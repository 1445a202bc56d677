"""``scoop_mpi.logger``: what a line says, which lines there are, and who else sees them."""

import logging
import pickle
import re
import warnings

import pytest

import scoop_mpi
from scoop_mpi.base import context, log
from scoop_mpi.base.job import Job

logger = log.logger


@pytest.fixture(autouse=True)
def level():
    """Puts the level back after each test."""
    before = logger.level
    yield
    logger.setLevel(before)


@pytest.fixture
def root_logger():
    """The program's logger, with a handler that notes what it gets."""
    records = []

    class Note(logging.Handler):
        def emit(self, record):
            records.append(record)

    root, handler = logging.getLogger(), Note(level=1)
    before = root.level
    root.addHandler(handler)
    root.setLevel(1)
    yield records
    root.removeHandler(handler)
    root.setLevel(before)


def test_it_is_the_packages_logger():
    assert scoop_mpi.logger is logger
    assert isinstance(logger, logging.Logger)
    assert logging.getLogger("scoop_mpi") is logger


# -- lines -----------------------------------------------------------------

LINE = r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3})\] (\S+) (\S+) +(\S+) +(.*)\n"


def test_a_line_has_time_worker_module_level_and_message(capsys):
    logger.warning("what %s", "happened")
    out, err = capsys.readouterr()
    assert out == ""
    time, worker, module, level, message = re.fullmatch(LINE, err).groups()
    assert (worker, module, level) == ("worker-1", "test_log", "WARNING")
    assert message == "what happened"


def test_a_line_names_the_worker_that_wrote_it(capsys, monkeypatch):
    monkeypatch.setattr(context, "_job", Job(rank=5))
    logger.error("x")
    assert re.fullmatch(LINE, capsys.readouterr().err)[2] == "worker-5"


def test_standard_error_is_the_one_of_the_moment(capsys, monkeypatch):
    class Stream:
        text = ""

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    stream = Stream()
    monkeypatch.setattr("sys.stderr", stream)
    logger.warning("redirected")
    monkeypatch.undo()
    assert "redirected" in stream.text
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("message", ["one line", "two\nlines", "x" * 5000])
def test_a_record_is_written_in_one_piece(monkeypatch, message):
    # So lines of different ranks, who share a standard error, do not mix.
    written = []

    class Stream:
        def write(self, text):
            written.append(text)

        def flush(self):
            pass

    monkeypatch.setattr("sys.stderr", Stream())
    logger.warning(message)
    [text] = written
    assert text.endswith(f" {message}\n")


def test_an_exception_is_shown_with_its_traceback(capsys):
    try:
        raise ValueError("why")
    except ValueError:
        logger.exception("while testing")
    err = capsys.readouterr().err
    assert " ERROR   while testing\nTraceback (most recent call last):\n" in err
    assert err.endswith("ValueError: why\n")


# -- warn ------------------------------------------------------------------


def test_warn_is_warning_without_a_deprecation(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logger.warn("as in SCOOP's %s", "manual")
    err = capsys.readouterr().err
    assert re.fullmatch(LINE, err).groups()[2:] == ("test_log", "WARNING", "as in SCOOP's manual")


# -- levels ----------------------------------------------------------------

METHODS = ["debug", "info", "warning", "error", "critical"]


@pytest.mark.parametrize("verbosity, written", [
    (-9, 1), (-2, 1), (-1, 2), (0, 3), (1, 4), (2, 5), (3, 5), (9, 5),
])
def test_levels_by_verbosity(capsys, verbosity, written):
    log.set_verbosity(verbosity)
    for method in METHODS:
        getattr(logger, method)("from %s", method)
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == METHODS[5 - written:]


def test_at_first_warnings_are_shown(run_python):
    done = run_python("import scoop_mpi\nscoop_mpi.logger.info('no')\n"
                      "scoop_mpi.logger.warning('yes')\n")
    assert done.stderr.endswith(" yes\n")
    assert done.stderr.count("\n") == 1


# -- the program's own logging ---------------------------------------------


def test_the_root_logger_gets_nothing(root_logger, capsys):
    log.set_verbosity(2)
    logger.debug("x")
    logger.critical("y")
    logging.getLogger().info("of the program")
    assert [record.getMessage() for record in root_logger] == ["of the program"]
    assert "of the program" not in capsys.readouterr().err


def test_the_root_logger_is_untouched(run_python):
    done = run_python(
        "import logging\n"
        "root = logging.getLogger()\n"
        "def state(): return (root.level, root.handlers[:], root.filters[:],\n"
        "    logging.getLoggerClass(), logging.root.manager.disable, logging.raiseExceptions)\n"
        "before = state()\n"
        "import scoop_mpi\nfrom scoop_mpi import utils\nfrom scoop_mpi.base import log\n"
        "scoop_mpi.logger.warning('hidden')\n"
        "log.set_verbosity(2)\n"
        "utils.initLogging(1)\n"
        "assert state() == before\n"
        # It can still be configured: basicConfig does nothing where there is a handler.
        "logging.basicConfig(format='mine: %(message)s')\n"
        "logging.warning('of the program')\n"
        "assert type(logging.getLogger('another')) is logging.Logger\n"
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stderr.splitlines()
    assert "worker-1" in first and "hidden" in first
    assert second == "mine: of the program"


def test_the_programs_logger_class_is_kept(run_python):
    done = run_python(
        "import logging\n"
        "class Mine(logging.Logger): pass\n"
        "logging.setLoggerClass(Mine)\n"
        "import scoop_mpi\n"
        "print(logging.getLoggerClass() is Mine, type(logging.getLogger('x')) is Mine)\n"
        "scoop_mpi.logger.warn('ok')\n",
        "-W", "error",
    )
    assert (done.stdout, done.returncode) == ("True True\n", 0), done.stderr


def test_a_program_that_asked_for_the_logger_by_name_first(run_python):
    done = run_python(
        "import logging\n"
        "logging.getLogger('scoop_mpi').setLevel(logging.ERROR)\n"
        "import scoop_mpi\n"
        "scoop_mpi.logger.error('still there')\n"
    )
    assert done.returncode == 0, done.stderr
    assert "still there" in done.stderr


# -- travelling ------------------------------------------------------------


def test_it_can_be_pickled():
    # Functions that travel by value may refer to it.
    assert pickle.loads(pickle.dumps(logger)) is logger


def test_callback_errors_go_there(scheduler, capsys):
    future = scheduler.submit(abs, (-1,), None)
    future.add_done_callback(lambda f: 1 / 0)
    assert future.result() == 1
    err = capsys.readouterr().err
    assert "exception calling callback" in err
    assert "ZeroDivisionError" in err
