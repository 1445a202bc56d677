"""Commands for after the job: ``python -m scoop_mpi.tools.NAME``."""
