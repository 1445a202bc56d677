"""What ``import scoop`` finds in a process that a rank of a job has started: our package.

Its folder is on that process's ``sys.path``; see :mod:`scoop_mpi.alias`.
"""

import sys

import scoop_mpi
from scoop_mpi import alias

alias.install()
sys.modules[__name__] = scoop_mpi
