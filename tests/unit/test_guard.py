"""The cost guard sees what it should, and says so. (``make bench-guard`` runs it.)"""

import gc
import importlib.util
import json
import platform
import sys
from pathlib import Path

import pytest
from greenlet import getcurrent, greenlet

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
VERSION = ".".join(platform.python_version_tuple()[:2])


@pytest.fixture(scope="module")
def guard():
    spec = importlib.util.spec_from_file_location("guard", BENCHMARKS / "guard.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def loop(times):
    for _ in range(times):
        pass


def nothing():
    pass


def call(times):
    for _ in range(times):
        nothing()


def call_c(times):
    for _ in range(times):
        abs(-1)


def generate(times):
    for _ in range(times):
        yield


def counts_of(guard, function, *args, without=()):
    with guard.Counter(without) as counter:
        before = counter.read()
        function(*args)
        return counter.read() - before


def per_turn(guard, function, **options):
    """What one more turn of a function's loop costs; exact, whatever stands around it."""
    few, many = (counts_of(guard, function, times, **options) for times in (3, 103))
    assert all(count % 100 == 0 for count in many - few)
    return guard.Counts(*(count // 100 for count in many - few))


# -- counting --------------------------------------------------------------


def test_an_empty_turn_of_a_loop(guard):
    bytecodes, calls, c_calls = per_turn(guard, loop)
    assert bytecodes == 3  # FOR_ITER, STORE_FAST and a jump, in all versions
    assert (calls, c_calls) == (0, 0)


def test_calls_are_counted_by_kind(guard):
    assert per_turn(guard, call)[1:] == (1, 0)
    assert per_turn(guard, call_c)[1:] == (0, 1)
    assert all(per_turn(guard, each).bytecodes > 3 for each in (call, call_c))
    assert per_turn(guard, lambda times: list(generate(times))).calls == 1


def test_two_runs_agree(guard):
    assert counts_of(guard, call, 50) == counts_of(guard, call, 50)


def test_other_greenlets_count(guard):
    plain = per_turn(guard, loop)
    assert per_turn(guard, lambda times: greenlet(loop).switch(times)) == plain


def test_greenlets_that_take_turns_count(guard):
    def partner():
        while True:
            loop(10)
            parent.switch()

    def switch(times):
        for _ in range(times):
            other.switch()

    parent = getcurrent()
    with guard.Counter() as counter:
        other = greenlet(partner)
        switch(1)  # partner and its frame began while counting
        start = counter.read()
        switch(100)
        hundred = counter.read() - start
        start = counter.read()
        switch(200)
        two_hundred = counter.read() - start
        turn = two_hundred - hundred
    assert turn.calls == 100  # of loop, in the other greenlet
    assert turn.bytecodes > 100 * 30  # its ten turns


def test_files_can_be_left_out(guard):
    assert per_turn(guard, call, without=[__file__]) == (0, 0, 0)


def test_the_interpreter_is_left_as_it_was(guard):
    before = sys.gettrace(), sys.getprofile(), gc.isenabled()
    with guard.Counter():
        assert not gc.isenabled()
    assert (sys.gettrace(), sys.getprofile(), gc.isenabled()) == before
    with guard.Counter():
        pass  # and can be counted again


def test_a_path_is_measured_by_itself(guard):
    def path(meter):
        loop(1000)
        for _ in range(4):
            with meter.cost("four", 1):
                call(5)

    figures = guard.measure([path], without=())
    assert list(figures) == ["four"]
    assert figures["four"]["calls"] == 6


def test_a_path_that_differs_each_time_is_refused(guard):
    def path(meter):
        with meter.cost("growing", 1):
            loop(len(runs))
        runs.append(None)

    runs = []
    with pytest.raises(guard.NotReproducible, match="growing"):
        guard.measure([path], without=())


# -- comparing -------------------------------------------------------------


def figures_of(**bytecodes):
    return {name: {"bytecodes": count, "calls": 2.0, "c_calls": 2.0}
            for name, count in bytecodes.items()}


STORED = figures_of(submit=180.0, poll=480.0)


@pytest.mark.parametrize("poll, code, said", [
    (480.0, 0, []),
    (494.0, 0, []),
    (496.0, 1, ["poll costs 1.032 times the stored figure"]),
    (960.0, 1, ["poll costs 1.960 times the stored figure"]),
    (466.0, 0, []),
    (460.0, 0, ["poll: better: run with --update"]),
])
def test_a_cost_that_has_changed_is_named(guard, poll, code, said):
    found, table, remarks = guard.compare(STORED, figures_of(submit=180.0, poll=poll))
    assert (found, remarks) == (code, said)
    assert any(line.startswith("poll") and f"{(poll + 20) / 500:.3f}" in line for line in table)


def test_calls_have_a_price(guard):
    measured = figures_of(submit=180.0, poll=480.0)
    measured["poll"]["c_calls"] += 4
    assert guard.compare(STORED, measured)[0] == 1


@pytest.mark.parametrize("measured", [
    figures_of(submit=180.0), figures_of(submit=180.0, poll=480.0, look=10.0)])
def test_paths_that_are_not_in_both_are_named(guard, measured):
    code, _, remarks = guard.compare(STORED, measured)
    assert code == 2
    assert len(remarks) == 1 and "--update" in remarks[0]


# -- the command -----------------------------------------------------------


def test_a_version_without_figures(guard, tmp_path, capsys):
    stored = tmp_path / "guard.json"
    stored.write_text('{"2.7": {}}')
    assert guard.main([], stored) == 2
    assert "--update" in capsys.readouterr().out
    assert stored.read_text() == '{"2.7": {}}'


def test_the_stored_figures_are_as_update_writes_them(guard):
    text = guard.STORED.read_text()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


def test_update_then_compare_then_a_regression(guard, tmp_path, capsys, monkeypatch):
    """The command with one path in place of the real ones."""
    class HotPaths:
        NOT_COUNTED = ()
        PATHS = []

    def path(times):
        def run(meter):
            with meter.cost("look", 1):
                loop(times)
        return [run]

    monkeypatch.setitem(sys.modules, "hot_paths", HotPaths)
    monkeypatch.setattr(sys, "path", list(sys.path))
    stored = tmp_path / "guard.json"
    stored.write_text('{"2.7": {}}')
    HotPaths.PATHS = path(100)
    assert guard.main(["--update"], stored) == 0
    assert sorted(json.loads(stored.read_text())) == ["2.7", VERSION]
    assert stored.read_text().endswith("}\n")
    assert guard.main([], stored) == 0
    capsys.readouterr()
    HotPaths.PATHS = path(110)
    assert guard.main([], stored) == 1
    assert "look costs 1.0" in capsys.readouterr().out
