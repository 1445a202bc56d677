"""Random programs, run serially and on n workers, must give the same: see ``__main__``."""
