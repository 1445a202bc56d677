"""Starts and stops a cluster by hand.

usage: python tests/launch/clusters start|stop slurm|sge|torque|hosts FOLDER

``start`` prints the variables to set, as a shell reads them.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from clusters import CLUSTERS  # noqa: E402


def main(arguments: list[str]) -> None:
    if len(arguments) != 3 or arguments[0] not in ("start", "stop") or arguments[1] not in CLUSTERS:
        sys.exit(__doc__)
    verb, name, folder = arguments
    if trouble := CLUSTERS[name].missing():
        sys.exit(trouble)
    cluster = CLUSTERS[name](Path(folder).resolve())
    if verb == "stop":
        cluster.stop()
        return
    cluster.start()
    for variable, value in cluster.environ.items():
        print(f"export {variable}={shlex.quote(value)}")


if __name__ == "__main__":
    main(sys.argv[1:])
