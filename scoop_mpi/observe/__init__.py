"""Looking closely: ``--strict``, ``--debug``, ``--profile``."""
