"""A pool of any size in one process: the real broker and schedulers on virtual time."""
