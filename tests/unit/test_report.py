"""The page that the pool check prints."""

import pytest

from scoop_mpi.check.facts import Facts
from scoop_mpi.check.report import MOST_HOSTS, as_text, spans
from scoop_mpi.check.result import BETWEEN_HOSTS, BROKER_WORKER, Pair, Result


def rank(number, host="node1"):
    return Facts(
        number, "MPICH Version: 4.2\nMPICH Device: ch4:ofi", "MPI_THREAD_MULTIPLE", host, 1,
        "3.12", "/usr/bin/python", {"scoop_mpi": "1.0", "mpi4py": "4.0", "numpy": None},
        [number], 8, "", [], -1, 1 << 30)


@pytest.mark.parametrize("numbers, text", [
    ([], ""), ([5], "5"), ([1, 2], "1-2"), ([7, 1, 2, 3, 9, 8], "1-3,7-9")])
def test_spans(numbers, text):
    assert spans(numbers) == text


def test_all_is_well():
    lines = as_text(Result(2, 1.0, [rank(0), rank(1)])).splitlines()
    assert lines[0] == "scoop_mpi 1.0: 2 ranks on 1 host, a broker and 1 worker"
    assert lines[-1] == "All is well."
    assert any(line.split() == ["node1", "0-1", "8", "2", "1"] for line in lines)
    assert any(line.split() == ["packages", "mpi4py", "4.0,", "numpy", "-"] for line in lines)


def test_one_rank_is_a_worker():
    assert "1 rank on 1 host, one worker" in as_text(Result(1, 1.0, [rank(0)]))


def test_what_is_wrong_comes_last():
    text = as_text(Result(2, 1.0, [rank(0)], warnings=["hurts"], missing=["rank 1 is silent"]))
    assert text.splitlines()[-2:] == ["warning: hurts", "error: rank 1 is silent"]
    assert "All is well" not in text


def test_speed_and_clocks():
    pairs = [Pair(BROKER_WORKER, [0, 1], ["a", "a"], 2e-6, 4e9),
             Pair(BETWEEN_HOSTS, [1, 2], ["a", "b"], 1e-5, 1e9),
             Pair(BETWEEN_HOSTS, [2, 3], ["b", "c"], 3e-5, 3e9)]
    text = as_text(Result(4, 1.0, [rank(0), rank(1), rank(2, "b"), rank(3, "c")], pairs,
                          clock_skew_s=0.002))
    rows = {line[:15].strip(): line[17:] for line in text.splitlines()}
    assert rows["broker - worker"].startswith("round trip 2 µs, 4.0 GB/s  (1 pair)")
    assert rows["between hosts"].startswith("round trip 20 µs (10 µs to 30 µs), 2.0 GB/s")
    assert rows["clocks"] == "within 2 ms"


def test_a_map():
    text = as_text(Result(2, 1.0, [rank(0), rank(1)], mapped=1, items=10_000, item_s=1e-6))
    assert "1 worker took part; 10,000 trivial items at 1 µs each" in text


def test_many_hosts_are_not_all_listed():
    ranks = [rank(number, f"host{number}") for number in range(MOST_HOSTS + 3)]
    lines = as_text(Result(len(ranks), 1.0, ranks)).splitlines()
    assert sum(line.startswith("host") for line in lines) == MOST_HOSTS + 1
    assert "... and 3 more hosts (all of them with --json)" in lines
