"""A task of ``--strict`` gets copies, and is named if it changes them."""

import functools
import threading

import pytest

from scoop_mpi.base.errors import NotPicklableError
from scoop_mpi.observe import strict
from scoop_mpi.observe.strict import Strict

pytestmark = pytest.mark.usefixtures("scheduler")


@pytest.fixture(autouse=True)
def nothing_reported(monkeypatch):
    monkeypatch.setattr(strict, "_reported", set())


@pytest.fixture
def reports(capsys):
    """What has been said since the last call."""
    def read():
        lines = capsys.readouterr().err.splitlines()
        return [line.partition(" WARNING ")[2] for line in lines]
    return read


class Box:
    """An object that can be changed, or read."""

    def __init__(self, content):
        self.content = content

    def take(self):
        return self.content.pop()

    def show(self):
        return list(self.content)


class Stubborn:
    """Pickles well, but cannot be rebuilt."""

    def __reduce__(self):
        return refuse, ()


def refuse():
    raise OSError("refused")


def touch(*args, **kwargs):
    """Reads what it gets, in all usual ways."""
    for arg in [*args, *kwargs.values()]:
        repr(arg), arg == arg, bool(arg)
        if hasattr(arg, "__iter__"):
            list(arg)
    return len(args)


def append_one(numbers):
    numbers.append(1)
    return len(numbers)


def set_a(*args, **kwargs):
    """Changes those of its arguments that are dicts."""
    for arg in [*args, *kwargs.values()]:
        if isinstance(arg, dict):
            arg["a"] = 0


# -- copies ----------------------------------------------------------------


def test_it_is_called_with_copies():
    numbers = [5]
    assert Strict(append_one)(numbers) == 2
    assert numbers == [5]


def test_its_result_is_a_copy():
    kept = [1]
    result = Strict(lambda: kept)()
    assert result == [1]
    assert result is not kept


def test_the_function_is_a_copy_too():
    """A method may change its object; a closure, its variables."""
    box = Box([1, 2])
    assert Strict(box.take)() == 2
    assert box.content == [1, 2]
    count = [0]
    assert Strict(lambda: count.append(1))() is None
    assert count == [0]


def test_arguments_that_are_one_object_stay_so():
    both = []
    assert Strict(lambda a, b: a is b)(both, both)


def test_all_kinds_of_arguments_are_passed_on():
    def tell(a, b=2, *rest, c, **others):
        return a, b, rest, c, others

    assert Strict(tell)(1, c=3) == (1, 2, (), 3, {})
    assert Strict(tell)(1, 4, 5, 6, c=7, d=8) == (1, 4, (5, 6), 7, {"d": 8})


def test_exceptions_pass_through():
    error = KeyError("why")

    def fail():
        raise error

    with pytest.raises(KeyError, match="why"):
        Strict(fail)()


# -- what cannot be pickled ------------------------------------------------


@pytest.mark.parametrize("args, kwargs, what", [
    ((1, threading.Lock()), {}, "argument 1 of touch"),
    ((), {"key": threading.Lock()}, "argument key of touch"),
    ((n for n in "ab"), {}, "argument 0 of touch"),
    (([1, [threading.Lock()]],), {}, "argument 0 of touch"),
])
def test_an_argument_that_cannot_be_pickled(args, kwargs, what):
    args = (args,) if not isinstance(args, tuple) else args
    with pytest.raises(NotPicklableError, match=f"^This element could not be pickled: {what}"):
        Strict(touch)(*args, **kwargs)


def test_a_function_that_cannot_be_pickled():
    lock = threading.Lock()
    with pytest.raises(NotPicklableError, match="the function .*lambda.*lock"):
        Strict(lambda: lock)()


def test_a_result_that_cannot_be_pickled():
    with pytest.raises(NotPicklableError, match="the result .*lock"):
        Strict(threading.Lock)()


def test_an_argument_that_cannot_be_rebuilt():
    with pytest.raises(NotPicklableError, match="touch.*refused"):
        Strict(touch)(1, Stubborn())


def test_a_result_that_cannot_be_rebuilt():
    with pytest.raises(NotPicklableError, match="the result .*Stubborn.*refused"):
        Strict(Stubborn)()


# -- reports ---------------------------------------------------------------


@pytest.mark.parametrize("arg", [
    None, 0, 10**30, 1.5, "text", b"bytes", (), (1, [2]), [], [1, [2]], {"b": {1: 2}}, set("abc"),
    frozenset("ab"), bytearray(b"ab"), Box([1]), Box(Box({1: {2}})), range(5), Box, len,
    functools.partial(touch, [1], key={2}), lambda: 0, Box([1]).show, float("nan"),
    [[0] * 3] * 3, ["same"] * 3, {n: str(n) for n in range(99)}, set(map(str, range(99))),
], ids=lambda arg: type(arg).__name__)
def test_what_is_only_read_is_not_reported(reports, arg):
    for _ in range(2):
        assert Strict(touch)(arg, key=arg) == 1
    assert reports() == []


def test_calling_an_argument_does_not_change_it(reports):
    total = 3

    def call(*functions):
        return [function(2) for function in functions]

    functions = [lambda x: x + total, functools.partial(pow, 2), abs, Box, [1].count]
    assert Strict(call)(*functions)[:3] == [5, 4, 2]
    assert reports() == []


def test_an_object_of_a_local_class_that_is_only_read(reports):
    class Local:
        """Travels by value."""

        def __init__(self):
            self.items = {"a": [1]}

        def total(self):
            return sum(map(sum, self.items.values()))

    assert Strict(lambda one: one.total())(Local()) == 1
    assert reports() == []


def test_what_is_changed_is_reported_with_its_task(reports):
    Strict(append_one)([])
    [line] = reports()
    assert line.startswith("task append_one changed its argument 0;")


@pytest.mark.parametrize("change, arg", [
    (lambda x: x.append(1), []), (lambda x: x.sort(), [2, 1]), (lambda x: x.clear(), {1: 2}),
    (lambda x: x.add(5), {1}), (lambda x: x.extend(b"a"), bytearray()),
    (lambda x: x[0].append(1), ([],)), (lambda x: x["a"][0].pop(), {"a": [[1]]}),
    (lambda x: setattr(x, "content", 5), Box([1])), (lambda x: x.take(), Box([1])),
    (lambda x: x.show.__self__.take(), Box([1])),
    (lambda x: setattr(x, "new", 5), Box([1])), (lambda x: delattr(x, "content"), Box([1])),
    (lambda x: next(x), iter([1, 2])), (lambda x: x.args[0].append(1), functools.partial(int, [])),
])
def test_all_kinds_of_changes(reports, change, arg):
    Strict(change)(arg)
    [line] = reports()
    assert "changed its argument 0;" in line


def test_each_argument_is_named(reports):
    Strict(set_a)({}, 5, {}, first={}, second=[], third={})
    assert [line.partition("argument ")[2].partition(";")[0] for line in reports()] == [
        "0", "2", "first", "third"]


def test_once_for_each_function_and_argument(reports):
    for _ in range(3):
        Strict(append_one)([])
        Strict(set_a)({}, {})
        Strict(set_a)({})
        Strict(set_a)(key={})
    assert len(reports()) == 4


def test_the_name_is_that_of_the_users_function(reports):
    for function in (functools.partial(append_one), Strict(append_one),
                     functools.partial(functools.partial(append_one))):
        strict._reported.clear()
        Strict(function)([])
        # The inner one of two sees the change; the outer gave it a copy.
        assert [line.split()[1] for line in reports()] == ["append_one"]


def test_what_is_put_into_an_argument_may_be_unpicklable(reports):
    """The task itself is all right wherever it runs."""
    def put(things):
        things.append(threading.Lock())
        return 5

    assert Strict(put)([]) == 5
    [line] = reports()
    assert "put changed its argument 0;" in line


def test_a_task_that_fails_is_reported_too(reports):
    def change_and_fail(things):
        things.append(1)
        raise KeyError

    with pytest.raises(KeyError):
        Strict(change_and_fail)([])
    [line] = reports()
    assert "change_and_fail changed its argument 0;" in line
