"""What the pool check has found, as JSON and back."""

import json

from scoop_mpi.check.facts import Facts
from scoop_mpi.check.result import BETWEEN_HOSTS, Pair, Result


def test_there_and_back():
    result = Result(3, 20.0, [Facts(0, "lib", "level"), Facts(1, "lib", "level", host="b")],
                    [Pair(BETWEEN_HOSTS, [0, 1], ["a", "b"], 1e-6, 1e9)], ["TCP"], 0.5,
                    ["hurts"], [], 2, 10, 0.25)
    assert Result.from_json(result.as_json()) == result
    assert Result.from_json(result.as_json(indent=1).encode()) == result


def test_a_rank_of_another_version_tells_more():
    entries = json.loads(Result(1, 1.0, [Facts(0, "lib", "level")]).as_json())
    entries["ranks"][0]["something new"] = 5
    assert Result.from_json(json.dumps(entries)).ranks[0].library == "lib"


def test_a_check_fails_if_a_rank_is_missing():
    result = Result(2, 1.0, [Facts(0, "lib", "level")])
    assert json.loads(result.as_json())["ok"] is result.ok is True
    result.missing.append("rank 1")
    assert json.loads(result.as_json())["ok"] is result.ok is False


def test_hosts_are_in_the_order_of_their_ranks():
    ranks = [Facts(number, "", "", host=host) for number, host in enumerate("baab")]
    assert Result(4, 1.0, ranks).hosts == ["b", "a"]
