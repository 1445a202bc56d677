"""Pictures of what ``--debug`` has written; with real jobs: ``tests/mpi``."""

import pickle

import pytest

from scoop_mpi.tools import debug_plots
from scoop_mpi.tools.debug_plots import FUNCTIONS_MAX, OTHERS, Call


def call(worker, function, start_s, end_s):
    return {"worker": (worker, 0), "callable": function, "start_time": (start_s,),
            "end_time": (end_s,)}


@pytest.fixture
def folder(tmp_path):
    """Two workers; the second's clock begins at 100."""
    made = tmp_path / "debug"
    made.mkdir()
    stats = {"worker-1": {1: call("worker-1", "a", 101.0, 102.0)},
             "worker-2": {2: call("worker-2", "_b", 100.0, 101.5),
                          3: call("worker-2", "a", 102.0, 102.5)}}
    for name, calls in stats.items():
        (made / f"{name}-STATS").write_bytes(pickle.dumps(calls))
    (made / "origin-worker-1-QUEUE").write_bytes(pickle.dumps([(100.5, 3, 0), (102.0, 0, 0)]))
    return made


def test_times_count_from_the_first_call(folder):
    statistics = debug_plots.read(folder)
    assert [(one.worker, one.start_s) for one in statistics.calls] == [
        ("worker-2", 0.0), ("worker-1", 1.0), ("worker-2", 2.0)]
    assert statistics.queues == {"worker-1": [(0.5, 3), (2.0, 0)]}


def test_the_pictures(folder, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert debug_plots.main([str(folder), "-o", str(tmp_path / "new" / "pictures")]) == 0
    names = [tmp_path / "new" / "pictures" / f"{name}.png"
             for name in ("timeline", "queue", "durations")]
    assert capsys.readouterr().out.split() == [str(name) for name in names]
    assert all(name.read_bytes().startswith(b"\x89PNG") for name in names)


@pytest.mark.parametrize("content, text", [
    (None, "has no statistics of tasks"), (b"", "cannot read"), (b"garbage", "cannot read")])
def test_folders_without_statistics(tmp_path, capsys, content, text):
    if content is not None:
        (tmp_path / "worker-1-STATS").write_bytes(content)
    assert debug_plots.main([str(tmp_path)]) == 2
    assert text in capsys.readouterr().err


def test_a_folder_that_is_not_there(tmp_path, capsys):
    assert debug_plots.main([str(tmp_path / "no")]) == 2
    assert "a run with --debug writes one" in capsys.readouterr().err


def test_an_output_that_cannot_be_written(folder, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    (tmp_path / "file").write_text("")
    assert debug_plots.main([str(folder), "-o", str(tmp_path / "file")]) == 2
    assert f"cannot write {tmp_path / 'file'}" in capsys.readouterr().err


def test_functions_with_little_time_share_a_colour():
    calls = [Call("w", f"f{n}", 0.0, float(n)) for n in range(FUNCTIONS_MAX + 3)]
    names = list(debug_plots._by_function(calls))
    assert names[0] == f"f{FUNCTIONS_MAX + 2}"
    assert len(names) == FUNCTIONS_MAX + 1
    assert names[-1] == OTHERS
