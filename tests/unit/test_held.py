"""Output that is held back while a worker imports the program; each in a process of its own."""

START = """
import logging, os, subprocess, sys
from scoop_mpi.process.held import HeldOutput
print("before")
held = HeldOutput()
handler = logging.StreamHandler(sys.stdout)
print("printed")
logging.getLogger("x").addHandler(handler)
logging.getLogger("x").warning("logged")
os.write(1, b"written\\n")
subprocess.run(["echo", "by a child"])
sys.stderr.write("error\\n")
"""
ALL = "printed\nlogged\nwritten\nby a child\n"


def test_what_is_shown_later(run_python):
    done = run_python(START + "print('held', file=sys.__stderr__)\nheld.show()\nprint('after')")
    assert (done.stdout, done.returncode) == (f"before\n{ALL}after\n", 0), done
    assert done.stderr == "error\nheld\n"


def test_what_is_taken_is_not_shown(run_python):
    done = run_python(START + "text = held.take()\nprint(repr(text))")
    assert done.stdout == f"before\n{ALL + chr(101) + 'rror' + chr(10)!r}\n", done
    assert done.stderr == ""


def test_it_is_shown_once(run_python):
    done = run_python(START + "held.show()\nheld.show()\nassert held.take() == ''")
    assert done.stdout == f"before\n{ALL}", done
    assert done.returncode == 0, done


def test_a_process_without_standard_output(run_python):
    done = run_python("import os\nos.close(1)\n"
                      "from scoop_mpi.process.held import HeldOutput\nheld = HeldOutput()\n"
                      "os.write(2, b'error')\nassert held.take() == 'error'")
    assert (done.returncode, done.stderr) == (0, ""), done


def test_more_than_a_pipe_takes(run_python):
    done = run_python("from scoop_mpi.process.held import HeldOutput\nheld = HeldOutput()\n"
                      "print('x' * 10_000_000)\nheld.show()")
    assert len(done.stdout) == 10_000_001
