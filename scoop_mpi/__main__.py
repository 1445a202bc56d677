"""``python -m scoop_mpi``."""

import signal
import sys

if __name__ == "__main__":
    # A rank that Ctrl-C ended while MPI starts would leave the others waiting for it.
    # Blocked, not ignored: it is not lost, and threads that MPI starts do not take it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    from .cli import main

    sys.exit(main())
