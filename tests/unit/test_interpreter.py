"""The flags of the interpreter, as they are passed on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import scoop_mpi

ASK = """
import json, sys
from scoop_mpi.launch.interpreter import interpreter_flags
seen = [tuple(sys.flags), sys.warnoptions, sys._xoptions, sys.stdout.write_through]
print(json.dumps([interpreter_flags(), seen]))
"""


def ask(*flags):
    """What an interpreter with these flags would pass on, and what it sees of its own."""
    import json

    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # -I and -E take no notice of PYTHONPATH.
    path = f"import sys; sys.path.insert(0, {str(Path(scoop_mpi.__file__).parent.parent)!r})\n"
    done = subprocess.run([sys.executable, *flags, "-c", path + ASK], env=environ, timeout=60,
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("flags", [
    [], ["-O"], ["-OO"], ["-B", "-s", "-q"], ["-d"], ["-E"], ["-I"], ["-bb"], ["-u"],
    ["-W", "error"], ["-Wignore::DeprecationWarning", "-W", "error::UserWarning"],
    ["-X", "dev"], ["-X", "utf8"], ["-X", "utf8=0", "-X", "faulthandler"],
    ["-X", "ours"], ["-X", "ours=1=2", "-Xint_max_str_digits=5000"],
    ["-O", "-X", "dev", "-b", "-W", "error", "-u", "-s"],
], ids=" ".join)
def test_an_interpreter_with_what_is_passed_on_is_the_same(flags):
    passed_on, seen = ask(*flags)
    again, seen_there = ask(*passed_on)
    assert seen_there == seen
    assert again == passed_on
    assert bool(passed_on) == bool(flags)
