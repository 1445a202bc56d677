"""Shared constants: any value, defined once, seen everywhere, gone when they are freed."""

import functools
import os
import threading
import time

from checking import (
    MANY, assert_raises, assert_spread, doze, nap, run_checks, several_workers,
)

import scoop_mpi
from scoop_mpi import futures, shared

LARGE = 8 << 20


class Counter:
    """An object with methods."""

    def __init__(self, start):
        self.start = start

    def plus(self, n, step=1):
        return self.start + step * n

    def __eq__(self, other):
        return type(other) is type(self) and other.start == self.start

    def __hash__(self):
        return hash(self.start)


class Stubborn:
    """Pickles well, but cannot be rebuilt."""

    def __reduce__(self):
        return refuse, ()


def refuse():
    raise OSError("refused")


def double(x):
    return 2 * x


def on_all(function, *args):
    """Calls the function in many tasks, on all workers; what it returned, here too."""
    results = [future.result() for future in
               [futures.submit(call_after_nap, function, args) for _ in range(MANY)]]
    assert_spread(pid for _, pid in results)
    return [value for value, _ in results] + [function(*args)]


def call_after_nap(function, args):
    doze()
    return function(*args), os.getpid()


def read(*names):
    """The constants, which must be there already."""
    return [shared.getConst(name, timeout=0) for name in names]


def assert_everywhere(**values):
    for seen in on_all(read, *values):
        for name, value in zip(values, seen):
            assert value == values[name], (name, value)
            assert type(value) is type(values[name]), (name, value)


def assert_pool_goes_on():
    done = list(futures.map(nap, range(MANY)))
    assert [value for value, _ in done] == list(range(MANY))
    assert_spread(pid for _, pid in done)


def free(*names):
    for name in names:
        shared.delConst(name)


def start_elsewhere(function, *args):
    """Submits a task; returns, with its future, when another worker runs it.

    This rank meanwhile stays inside user code.
    """
    marker = os.path.abspath(f"marker-{time.time_ns()}")
    future = futures.submit(mark_and_call, marker, function, args)
    while several_workers() and not os.path.exists(marker):
        time.sleep(0.001)
    return future


def mark_and_call(marker, function, args):
    open(marker, "w").close()
    return function(*args)


# -- values ----------------------------------------------------------------


def check_plain_values():
    values = dict(
        none=None, zero=0, false=False, empty_text="", empty_bytes=b"", empty_list=[],
        empty_tuple=(), empty_dict={}, empty_set=set(), number=-1.5, text="grüße",
        nested={"a": [1, (2, {3})], None: b"\0"}, type_of_none=type(None), error=KeyError,
    )
    shared.setConst(**values)
    assert_everywhere(**values)


def check_no_names():
    assert shared.setConst() is None


def check_functions_and_classes():
    bonus = 5
    shared.setConst(
        fc_lambda=lambda x: x + bonus, fc_function=double, fc_class=Counter, fc_builtin=len,
        fc_partial=functools.partial(pow, 2), fc_method=Counter(10).plus,
        fc_object=Counter(20),
    )
    for seen in on_all(use_functions_and_classes):
        assert seen == [6, 6, 13, 2, 8, 13, 29]


def use_functions_and_classes():
    call = functools.partial(shared.getConst, timeout=0)
    return [
        call("fc_lambda")(1), call("fc_function")(3), call("fc_class")(10).plus(3),
        call("fc_builtin")("ab"), call("fc_partial")(3), call("fc_method")(3),
        call("fc_object").plus(3, step=3),
    ]


def check_what_travels_by_reference_is_the_same():
    shared.setConst(ref_function=double, ref_class=Counter, ref_object=Counter(1))
    assert all(on_all(is_the_programs_own))


def is_the_programs_own():
    function, kind, object_ = read("ref_function", "ref_class", "ref_object")
    return function is double and kind is Counter and type(object_) is Counter


def check_a_file_at_its_position():
    with open("numbers.bin", "wb") as file:
        file.write(bytes(range(200)))
    with open("numbers.bin", "rb") as file:
        file.seek(150)
        shared.setConst(opened=file)
        assert file.tell() == 150
    for seen in on_all(look_at_file, "opened"):
        assert seen == (150, bytes(range(200)))


def look_at_file(name):
    """Reads nothing: the next task on this worker gets the same object."""
    file = shared.getConst(name, timeout=0)
    return file.tell(), file.getvalue()


def check_a_large_value():
    value = os.urandom(LARGE)
    shared.setConst(large=value)
    assert all(on_all(equals, "large", value[:100], LARGE))


def check_a_large_value_from_a_task():
    start = futures.submit(set_large, "large_too").result()
    assert all(on_all(equals, "large_too", start, LARGE))
    free("large_too")
    assert on_all(read, "large_too") == [[None]] * (MANY + 1)


def set_large(name):
    value = os.urandom(LARGE)
    doze()
    shared.setConst(**{name: value})
    return value[:100]


def equals(name, start, length):
    value = shared.getConst(name, timeout=0)
    return value.startswith(start) and len(value) == length


def check_it_is_the_value_at_that_time():
    value = [1]
    shared.setConst(early=value)
    value.append(2)
    assert_everywhere(early=[1])


def check_all_tasks_of_a_worker_get_the_same_object():
    shared.setConst(same=[1])
    ids = set(on_all(id_and_pid, "same"))
    assert len(ids) == len({pid for _, pid in ids}), ids


def id_and_pid(name):
    return id(shared.getConst(name)), os.getpid()


def check_many_constants():
    names = [f"many_{n}" for n in range(1000)]
    for n, name in enumerate(names):
        shared.setConst(**{name: n})
    for seen in on_all(read, *names):
        assert seen == list(range(1000))


def check_many_constants_at_once():
    values = {f"at_once_{n}": n for n in range(1000)}
    shared.setConst(**values)
    assert_everywhere(**values)


# -- one definition --------------------------------------------------------


def check_a_second_definition():
    shared.setConst(second=1)
    for _ in range(2):
        error = assert_raises(TypeError, shared.setConst, second=2)
        assert str(error) == "This constant already exists: second."
    for text in on_all(why_not, "second"):
        assert text == "This constant already exists: second."
    assert_everywhere(second=1)


def why_not(name):
    return str(assert_raises(TypeError, shared.setConst, **{name: 3}))


def check_definitions_at_the_same_time():
    for round_ in range(5):
        name = f"race_{round_}"
        tasks = [futures.submit(try_to_set, name, n) for n in range(MANY)]
        outcomes = [task.result() for task in tasks]
        winners = [n for n, text in enumerate(outcomes) if text is None]
        assert len(winners) == 1, outcomes
        refused = {text for text in outcomes if text is not None}
        assert refused == {f"This constant already exists: {name}."}, outcomes
        assert_everywhere(**{name: winners[0]})


def try_to_set(name, value):
    doze()
    try:
        shared.setConst(**{name: value})
    except TypeError as error:
        return str(error)


def check_all_names_or_none():
    shared.setConst(all_b=1)
    error = assert_raises(TypeError, shared.setConst, all_a=2, all_b=3, all_c=4)
    assert str(error) == "This constant already exists: all_b."
    assert on_all(read, "all_a", "all_b", "all_c") == [[None, 1, None]] * (MANY + 1)
    shared.setConst(all_a=5, all_c=6)
    assert_everywhere(all_a=5, all_b=1, all_c=6)


def check_all_names_or_none_at_the_same_time():
    names = [["pair_a", "pair_b"], ["pair_b", "pair_c"], ["pair_c", "pair_a"]] * 4
    tasks = [futures.submit(set_all, mine, n) for n, mine in enumerate(names)]
    done = [n for n, task in enumerate(tasks) if task.exception() is None]
    assert len(done) == 1, done
    expected = {name: done[0] for name in names[done[0]]}
    [seen] = {tuple(values) for values in on_all(read, "pair_a", "pair_b", "pair_c")}
    assert seen == tuple(expected.get(name) for name in ("pair_a", "pair_b", "pair_c"))


def set_all(names, value):
    doze()
    shared.setConst(**dict.fromkeys(names, value))


def check_constants_set_by_tasks():
    names = [f"by_task_{n}" for n in range(MANY)]
    tasks = [futures.submit(set_and_tell, name, n) for n, name in enumerate(names)]
    for n, (name, task) in enumerate(zip(names, tasks)):
        task.result()
        assert shared.getConst(name, timeout=0) == n
    assert_spread(task.result() for task in tasks)
    assert_everywhere(**dict(zip(names, range(MANY))))


def set_and_tell(name, value):
    doze()
    shared.setConst(**{name: value})
    return os.getpid()


def check_set_and_read_in_turn():
    """What has just been set is there for the next task, wherever it runs."""
    for n in range(40):
        shared.setConst(**{f"turn_{n}": n})
        tasks = [futures.submit(read, f"turn_{n}") for _ in range(4)]
        assert [task.result() for task in tasks] == [[n]] * 4, n


# -- waiting ---------------------------------------------------------------


def check_the_usual_timeout():
    began = time.perf_counter()
    assert shared.getConst("nobody_has_it") is None
    assert time.perf_counter() - began >= 0.1
    assert on_all(shared.getConst, "nobody_has_it") == [None] * (MANY + 1)


def check_no_timeout_at_all():
    for timeout in (0, -1, 0.0):
        assert shared.getConst("nobody_has_it", timeout=timeout) is None
    assert shared.getConst("nobody_has_it", 0) is None


def check_tasks_run_while_it_waits():
    tasks = [futures.submit(nap, n) for n in range(MANY)]
    assert shared.getConst("nobody_has_it", timeout=2) is None
    assert all(task.isDone for task in tasks)


def check_it_comes_while_somebody_waits():
    for n, timeout in enumerate((15, None, float("inf"))):
        name = f"awaited_{n}"
        setting = futures.submit(try_to_set, name, n)
        assert shared.getConst(name, timeout=timeout) == n
        assert setting.result() is None


def check_many_tasks_wait_for_it():
    tasks = [futures.submit(shared.getConst, "long_awaited", None) for _ in range(MANY)]
    list(futures.map(nap, range(MANY)))
    shared.setConst(long_awaited="here")
    assert [task.result() for task in tasks] == ["here"] * MANY


def check_all_workers_wait_for_what_an_unstarted_task_sets():
    """Whoever waits runs other tasks: else nobody would ever start that one."""
    assert_set_by_the_last_task("by_the_last", None)


def check_the_same_with_a_long_timeout():
    assert_set_by_the_last_task("by_the_last_in_time", 8)


def assert_set_by_the_last_task(name, timeout):
    waiting = [futures.submit(shared.getConst, name, timeout) for _ in range(MANY)]
    last = futures.submit(set_after_a_while, name)
    assert [task.result() for task in waiting] == ["at last"] * MANY
    last.result()


def set_after_a_while(name):
    """A function that nothing has called yet, so nobody knows how long it takes."""
    shared.setConst(**{name: "at last"})


def check_a_worker_that_waits_runs_other_tasks():
    """Without a time limit it has all the time for them, however long they take."""
    waiting = start_elsewhere(shared.getConst, "set_in_the_end", None)
    try:
        assert_pool_goes_on()
    finally:
        shared.setConst(set_in_the_end=5)
    assert waiting.result() == 5


def check_a_worker_that_was_busy_when_it_was_set():
    for n, value in enumerate((7, os.urandom(LARGE))):
        names = f"late_{n}", f"set_{n}"
        reading = start_elsewhere(be_busy_and_read, *names)
        shared.setConst(**{names[0]: value})
        open(names[1], "w").close()
        assert reading.result() == value


def be_busy_and_read(name, marker):
    """Nothing but user code runs here while the constant is set."""
    while several_workers() and not os.path.exists(marker):
        time.sleep(0.001)
    return shared.getConst(name, timeout=0)


# -- freeing ---------------------------------------------------------------


def check_what_is_freed_is_gone():
    shared.setConst(freed=1, kept=2)
    assert_everywhere(freed=1, kept=2)
    shared.delConst("freed")
    assert on_all(read, "freed", "kept") == [[None, 2]] * (MANY + 1)
    assert "freed" not in str(shared.elements)


def check_only_what_is_there_can_be_freed():
    shared.setConst(once=1)
    shared.delConst("once")
    for name in ("once", "never_there"):
        error = assert_raises(KeyError, shared.delConst, name)
        assert name in str(error)


def check_several_free_it_at_the_same_time():
    shared.setConst(freed_by_many=1)
    tasks = [futures.submit(shared.delConst, "freed_by_many") for _ in range(MANY)]
    errors = [type(task.exception()) for task in tasks]
    assert sorted(map(str, errors)) == sorted(map(str, [type(None)] + [KeyError] * (MANY - 1)))


def check_a_name_is_used_again_and_again():
    for n in range(15):
        verbs = [shared.setConst, shared.delConst]
        if n % 2:
            verbs = [in_a_task(verb) for verb in verbs]
        define, undefine = verbs
        define(again=n)
        assert_everywhere_in_short(n)
        undefine("again")
        assert_everywhere_in_short(None)


def assert_everywhere_in_short(value):
    tasks = [futures.submit(read, "again") for _ in range(6)]
    assert read("again") == [value]
    assert [task.result() for task in tasks] == [[value]] * 6


def in_a_task(verb):
    return lambda *args, **kwargs: futures.submit(verb, *args, **kwargs).result()


def check_a_large_name_is_used_again_and_again():
    for n in range(4):
        shared.setConst(large_again=bytes([n]) * LARGE)
        assert all(on_all(equals, "large_again", bytes([n]), LARGE))
        shared.delConst("large_again")


# -- shared.elements -------------------------------------------------------


def check_elements():
    shared.setConst(element_a=1, element_b=None)
    futures.submit(shared.setConst, element_c=[3]).result()
    for elements in on_all(elements_after_reading, "element_a", "element_b", "element_c"):
        for worker, constants in elements.items():
            assert len(worker) == 2 and str(worker[0]).startswith("worker-"), worker
            assert type(constants) is dict
        [mine] = [constants for constants in elements.values() if "element_a" in constants]
        assert (mine["element_a"], mine["element_b"]) == (1, None)
        [others] = [constants for constants in elements.values() if "element_c" in constants]
        assert others["element_c"] == [3]
    assert scoop_mpi.worker in shared.elements


def elements_after_reading(*names):
    read(*names)
    return shared.elements


def check_elements_is_a_copy():
    shared.setConst(element_d=1)
    for constants in shared.elements.values():
        constants.clear()
    assert shared.getConst("element_d", timeout=0) == 1


# -- SharedElementEncapsulation --------------------------------------------


def check_encapsulation_of_a_name():
    shared.setConst(to_call=lambda x: x + 1)
    stands_for_it = shared.SharedElementEncapsulation("to_call")
    assert repr(stands_for_it) == stands_for_it.__name__() == "to_call"
    assert list(futures.map(stands_for_it, range(MANY))) == list(range(1, MANY + 1))
    assert on_all(stands_for_it, 5) == [6] * (MANY + 1)


def check_encapsulation_of_an_unknown_name():
    assert_raises(AssertionError, shared.SharedElementEncapsulation, "nobody_has_it")
    task = futures.submit(shared.SharedElementEncapsulation, "nobody_has_it")
    assert type(task.exception()) is AssertionError


def check_encapsulation_of_callables():
    bonus = 7
    for element, expected in (
        (double, 6), (lambda x: x + bonus, 10), (Counter(4).plus, 7),
        (functools.partial(pow, 2), 8),
    ):
        stands_for_it = shared.SharedElementEncapsulation(element)
        assert stands_for_it(3) == expected
        assert list(futures.map(stands_for_it, [3] * MANY)) == [expected] * MANY
        assert on_all(stands_for_it, 3) == [expected] * (MANY + 1)


def check_encapsulation_in_tasks():
    for twice, pid in futures.map(encapsulate_and_use, range(MANY)):
        assert twice
    assert_spread(pid for _, pid in futures.map(encapsulate_and_use, range(MANY)))


def encapsulate_and_use(n):
    doze()
    stands_for_it = shared.SharedElementEncapsulation(Counter(n).plus)
    return futures.submit(stands_for_it, 2, step=2).result() == n + 4, os.getpid()


def check_the_same_object_is_shared_once():
    counter = Counter(1)
    names = {repr(shared.SharedElementEncapsulation(counter.plus)) for _ in range(3)}
    assert len(names) == 1
    assert repr(shared.SharedElementEncapsulation(Counter(1).plus)) not in names


# -- what cannot travel ----------------------------------------------------


def check_values_that_cannot_be_pickled():
    error = assert_raises(
        scoop_mpi.NotPicklableError, shared.setConst, good=1, locked=threading.Lock())
    assert str(error).startswith("This element could not be pickled: the constant locked: ")
    assert "lock" in str(error)
    assert read("good", "locked") == [None, None]
    for task in [futures.submit(set_a_lock) for _ in range(MANY)]:
        assert "the constant inner_lock: " in str(task.exception())
    assert_pool_goes_on()
    shared.setConst(good=3, locked=4)
    assert_everywhere(good=3, locked=4)


def set_a_lock():
    doze()
    shared.setConst(inner_lock=threading.Lock())


def check_values_that_cannot_be_rebuilt():
    shared.setConst(bad_before=1, bad=Stubborn(), bad_after=2)
    for text in on_all(why_unreadable, "bad"):
        assert "the constant bad" in text
        assert "OSError: refused" in text
    assert on_all(read, "bad_before", "bad_after") == [[1, 2]] * (MANY + 1)
    assert_raises(TypeError, shared.setConst, bad=3)
    shared.delConst("bad")
    shared.setConst(bad=3)
    assert_everywhere(bad=3)
    assert_pool_goes_on()


def why_unreadable(name):
    return str(assert_raises(scoop_mpi.NotPicklableError, shared.getConst, name, timeout=0))


# -- callables under their bare names --------------------------------------


def check_a_callable_is_a_global_of_the_program():
    bonus = 3
    shared.setConst(bare=lambda x: x + bonus)
    assert on_all(call_bare, 4) == [7] * (MANY + 1)
    shared.delConst("bare")
    assert "bare" not in globals()


def call_bare(x):
    return bare(x)  # noqa: F821


def check_a_callable_that_a_task_has_set():
    for n in range(20):
        name = f"by_a_task_{n}"
        futures.submit(set_callable_after_nap, name, n).result()
        tasks = [futures.submit(call_global, name, m) for m in range(6)]
        assert call_global(name, 0) == n
        assert [task.result() for task in tasks] == [n + m for m in range(6)]


def set_callable_after_nap(name, n):
    time.sleep(0.002)
    shared.setConst(**{name: lambda x: x + n})


def call_global(name, x):
    """As if the program said the name."""
    return globals()[name](x)


def check_a_callable_that_is_replaced_while_workers_are_busy():
    """They hear of its first value, its end and its second value at the same time."""
    for n in range(3):
        name = f"replaced_{n}"
        busy = [start_elsewhere(wait_for_file, name) for _ in range(scoop_mpi.SIZE - 1)]
        shared.setConst(**{name: lambda x: "old"})
        shared.delConst(name)
        shared.setConst(**{name: lambda x: n})
        open(name, "w").close()
        assert on_all(call_global, name, 0) == [n] * (MANY + 1)
        for task in busy:
            task.result()


def wait_for_file(name):
    while not os.path.exists(name):
        time.sleep(0.001)


def check_a_class_is_a_global_of_the_program():
    shared.setConst(Bare=type("Bare", (), {"answer": 42}))
    assert on_all(make_bare) == [42] * (MANY + 1)


def make_bare():
    return Bare().answer  # noqa: F821


class LargeModel:
    """A callable that takes its time to travel."""

    def __init__(self):
        self.data = bytes(LARGE)

    def __call__(self, x):
        return 2 * x


def model_by_name(x):
    return large_model(x)  # noqa: F821


def model_after_go(x):
    while shared.getConst("go", timeout=1) is None:
        pass
    return futures.submit(model_by_name, x).result()


def check_what_is_set_later_does_not_overtake_a_callable():
    fs = [futures.submit(model_after_go, n) for n in range(MANY)]
    doze()
    shared.setConst(large_model=LargeModel())
    shared.setConst(go=1)
    assert [future.result() for future in fs] == [2 * n for n in range(MANY)]
    shared.delConst("go")
    shared.delConst("large_model")


def triple_by_name(x):
    """When it began, and three times x if that function is there."""
    began = time.monotonic()
    try:
        return began, triple(x)  # noqa: F821
    except NameError:
        return began, None


def busy_parent():
    """Creates tasks, is in its own code for a while, then runs them."""
    children = [futures.submit(triple_by_name, n) for n in range(MANY)]
    stop_at = time.monotonic() + 0.6
    while time.monotonic() < stop_at:
        pass
    return [child.result() for child in children]


def check_tasks_that_begin_late_see_a_callable():
    if not several_workers():
        return  # there is nobody who could set it meanwhile
    future = futures.submit(busy_parent)
    time.sleep(0.2)
    shared.setConst(triple=lambda x: 3 * x)
    set_at = time.monotonic()
    late = [(value, 3 * n) for n, (began, value) in enumerate(future.result()) if began > set_at]
    assert all(value == expected for value, expected in late), late
    shared.delConst("triple")


def check_who_waits_lets_the_task_run_that_defines_it():
    waiting = [futures.submit(shared.getConst, "by_a_task", 15) for _ in range(2)]
    setter = futures.submit(shared.setConst, by_a_task=7)
    waiting += [futures.submit(shared.getConst, "by_a_task", 15) for _ in range(2)]
    began = time.monotonic()
    assert [future.result() for future in waiting] == [7] * 4
    assert time.monotonic() - began < 10
    setter.result()
    shared.delConst("by_a_task")


def check_other_values_are_no_globals():
    shared.setConst(plain_value=5)
    assert on_all(has_global, "plain_value") == [False] * (MANY + 1)


def has_global(name):
    return name in globals()


if __name__ == "__main__":
    class Guarded:
        """Workers do not have this class, unless it comes with something."""

        def __init__(self, value):
            self.value = value

        def get(self):
            return self.value

    def guarded_function(x):
        return x, Guarded(x).get()

    def check_what_stands_under_the_main_guard():
        shared.setConst(g_class=Guarded, g_object=Guarded(5), g_function=guarded_function)
        for seen in on_all(use_guarded):
            assert seen == [6, 5, (7, 7)]

    def use_guarded():
        kind, object_, function = read("g_class", "g_object", "g_function")
        return [kind(6).get(), object_.get(), function(7)]

    run_checks(globals())
