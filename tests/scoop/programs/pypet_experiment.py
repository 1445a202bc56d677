"""A small pypet experiment that runs over SCOOP, as pypet's manual shows it.

Arguments: the folder to write to, pypet's way of storing results (LOCAL, NETLOCK,
NETQUEUE), and ``frozen`` or ``thawed``: is the trajectory shared once or sent each time?
"""

import os
import sys

from pypet import Environment, cartesian_product


def multiply(traj):
    """One run of the experiment."""
    z = traj.x * traj.y
    traj.f_add_result("z", z, comment="the product")
    traj.f_add_result("pid", os.getpid(), comment="the process that computed it")
    return z


def main(folder, wrap_mode, frozen):
    environment = Environment(
        trajectory="products", filename=os.path.join(folder, "products.hdf5"),
        overwrite_file=True, log_config=None, multiproc=True, use_scoop=True,
        wrap_mode=wrap_mode, freeze_input=frozen,
    )
    traj = environment.trajectory
    traj.f_add_parameter("x", 1.0, comment="a factor")
    traj.f_add_parameter("y", 1.0, comment="the other factor")
    values = [float(value) for value in range(5)]
    traj.f_explore(cartesian_product({"x": values, "y": values}))

    returned = dict(environment.run(multiply))
    assert len(returned) == 25, returned

    traj.f_load(load_data=2)
    wrong, pids = 0, set()
    for run in traj.f_iter_runs():
        wrong += traj.results.crun.z != traj.x * traj.y
        wrong += returned[traj.f_idx_to_run(run)] != traj.x * traj.y
        pids.add(traj.results.crun.pid)
    traj.f_restore_default()
    environment.disable_logging()
    print(f"{len(returned)} runs, {wrong} wrong, more than one process: {len(pids) > 1}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] == "frozen")
