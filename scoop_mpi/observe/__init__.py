"""What ``--strict``, ``--debug`` and ``--profile`` do around every task."""
