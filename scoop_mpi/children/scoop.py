"""What ``import scoop`` finds in a process that a rank of a job has started: our package.

Its folder is on that process's ``sys.path``; see :mod:`scoop_mpi.process.alias`.
"""

import sys

import scoop_mpi
from scoop_mpi.process import alias

alias.install()
sys.modules[__name__] = scoop_mpi
