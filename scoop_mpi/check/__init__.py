"""The check of the pool: what ``python -m scoop_mpi`` does without a program."""
