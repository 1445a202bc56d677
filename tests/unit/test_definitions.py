"""What a rank knows of definitions: keys, originals, what is kept, what others have."""

import gc
import weakref

import pytest

from scoop_mpi.base.messages import Definition
from scoop_mpi.base.tuning import Tuning
from scoop_mpi.identity.definitions import Definitions


@pytest.fixture
def here():
    return Definitions()


class Thing:
    """What can be referred to weakly; a function or class as far as keys go."""


class NoWeak:
    __slots__ = ()


def bring(definitions, key, size=10, needs=()):
    """A definition has arrived and was rebuilt."""
    definition = Definition(key, bytes(size), needs)
    definitions.learn([definition])
    return definitions.rebuilt(definition, Thing())


# -- keys ------------------------------------------------------------------


def test_an_object_keeps_its_key_while_its_form_stays(here):
    thing = Thing()
    key = here.key_for(thing, b"form")
    assert here.key_for(thing, b"form") == key
    assert here.known(key) is thing
    assert here.is_original(key)
    assert here.key_of_rebuilt(thing) is None


def test_another_form_has_another_key_and_means_the_same(here):
    thing = Thing()
    old, new = here.key_for(thing, b"old"), here.key_for(thing, b"new")
    assert old != new
    assert here.known(old) is here.known(new) is thing
    assert here.is_original(old) and here.is_original(new)


def test_equal_objects_have_keys_of_their_own(here):
    things = [Thing() for _ in range(3)]
    keys = [here.key_for(thing, b"form") for thing in things]
    assert len(set(keys)) == 3
    assert [here.known(key) for key in keys] == things
    assert [here.key_for(thing, b"form") for thing in things] == keys


def test_no_key_is_used_twice_by_anybody(here):
    keys = set()
    for one in (here, Definitions()):
        for _ in range(10):
            keys.add(one.key_for(Thing(), b"form"))  # gone at once
    assert len(keys) == 20


def test_a_key_means_nothing_when_its_object_has_gone(here):
    thing = Thing()
    key = here.key_for(thing, b"form")
    del thing
    gc.collect()
    assert here.known(key) is None
    assert not here.is_original(key)
    assert here.missing([key]) == (key,)


def test_nothing_is_left_of_objects_that_have_gone(here):
    for number in range(50):
        thing = Thing()
        for form in range(3):
            here.key_for(thing, b"%d" % form)
        bring(here, b"key%d" % number)
        here.copied(b"key%d" % number, Thing())
    here._kept.clear()
    del thing
    gc.collect()
    assert not here._marks and not here._objects and not here._originals and not here._newest


def test_an_object_that_changes_for_ever_keeps_its_newest_keys():
    here = Definitions(Tuning(forms_kept=5))
    thing = Thing()
    keys = [here.key_for(thing, b"%d" % form) for form in range(20)]
    assert [here.known(key) for key in keys[-6:]] == [thing] * 6
    assert [here.known(key) for key in keys[:-6]] == [None] * 14
    assert len(here._objects) == len(here._originals) == 6


def test_an_object_without_weak_references(here):
    thing = NoWeak()
    key = here.key_for(thing, b"form")
    assert here.known(key) is thing
    assert here.key_for(thing, b"form") == key


def test_an_id_that_is_used_again_is_another_object(here):
    first = Thing()
    key = here.key_for(first, b"form")
    mark = here._marks[id(first)]
    second = Thing()
    here._marks[id(second)] = mark  # as if it were in the same place
    assert here.key_for(second, b"form") != key
    assert here.key_of_rebuilt(second) is None


# -- what came from others -------------------------------------------------


def test_what_was_rebuilt_has_its_authors_key(here):
    thing = bring(here, b"theirs")
    assert here.known(b"theirs") is here.use(b"theirs") is thing
    assert here.key_of_rebuilt(thing) == b"theirs"
    assert not here.is_original(b"theirs")
    assert here.definition(b"theirs").key == b"theirs"


def test_what_was_rebuilt_meanwhile_is_taken(here):
    first = bring(here, b"theirs")
    assert here.rebuilt(Definition(b"theirs", b""), Thing()) is first


def test_a_copy_means_the_original(here):
    original, copy = Thing(), Thing()
    key = here.key_for(original, b"form")
    here.copied(key, copy)
    assert here.key_of_rebuilt(copy) == key
    assert here.known(key) is original
    del copy
    gc.collect()
    assert here.known(key) is original and here.is_original(key)


def test_what_is_rebuilt_lives_as_long_as_it_is_kept(here):
    gone = weakref.ref(bring(here, b"theirs"))
    gc.collect()
    assert gone() is not None
    here._kept.clear()
    gc.collect()
    assert gone() is None
    assert here.missing([b"theirs"]) == (b"theirs",)


def test_functions_that_are_not_this_ranks_own(here):
    def own():
        pass

    def copy():
        pass

    here.copied(here.key_for(own, b"form"), copy)
    bring(here, b"a class")
    assert here.functions() == [copy]


# -- what is kept ----------------------------------------------------------


def test_the_least_recently_used_goes_first():
    here = Definitions(Tuning(definitions_kept_bytes=35))
    for key in (b"a", b"b", b"c"):
        here.learn([Definition(key, bytes(10))])
    here.definition(b"a")
    here.learn([Definition(b"d", bytes(10))])
    assert here.missing([b"a", b"b", b"c", b"d"]) == (b"b",)
    assert here.definition(b"b") is None


def test_what_is_used_as_an_object_counts_as_used():
    here = Definitions(Tuning(definitions_kept_bytes=25))
    for key in (b"a", b"b"):
        bring(here, key)
    here.use(b"a")
    bring(here, b"c")
    gc.collect()
    assert here.missing([b"a", b"b", b"c"]) == (b"b",)


def test_what_comes_twice_is_counted_once(here):
    for _ in range(3):
        here.learn([Definition(b"a", bytes(10))])
    assert here._kept_bytes == 10


def test_one_that_is_larger_than_what_is_kept_stays_until_the_next():
    here = Definitions(Tuning(definitions_kept_bytes=5))
    here.learn([Definition(b"a", bytes(10))])
    assert here.definition(b"a") is not None
    here.learn([Definition(b"b", bytes(10))])
    assert (here.definition(b"a"), here._kept_bytes) == (None, 10)


def test_what_is_dropped_but_in_use_keeps_its_meaning():
    here = Definitions(Tuning(definitions_kept_bytes=15))
    thing = bring(here, b"a")
    bring(here, b"b")
    assert here.definition(b"a") is None
    assert here.known(b"a") is thing
    assert here.missing([b"a"]) == ()
    assert here.key_of_rebuilt(thing) == b"a"


# -- what others have ------------------------------------------------------


def found(*keys, size=10):
    return {key: Definition(key, bytes(size)) for key in keys}


def test_each_rank_is_told_once(here):
    for rank in (2, 3):
        assert [one.key for one in here.news_for(rank, found(b"a", b"b"))] == [b"a", b"b"]
        assert [one.key for one in here.news_for(rank, found(b"a", b"c"))] == [b"c"]
        assert here.news_for(rank, found(b"a", b"b", b"c")) == ()
    assert here.news_for(2, {}) == ()


def test_what_is_lacking_is_told_again(here):
    here.news_for(2, found(b"a", b"b"))
    here.note_lacking(2, [b"a", b"unknown"])
    here.note_lacking(3, [b"b"])
    assert [one.key for one in here.news_for(2, found(b"a", b"b"))] == [b"a"]


def test_old_ones_are_told_again():
    here = Definitions(Tuning(definitions_believed_bytes=25))
    here.news_for(2, found(b"a", b"b"))
    here.news_for(2, found(b"c"))
    assert [one.key for one in here.news_for(2, found(b"c", b"b"))] == []
    assert [one.key for one in here.news_for(2, found(b"a"))] == [b"a"]


def test_what_is_believed_stays_bounded():
    here = Definitions(Tuning(definitions_believed_bytes=100))
    for number in range(1000):
        key = b"%d" % number
        here.news_for(2, found(key))
        if number % 3:
            here.note_lacking(2, [key])
    believed = here._known_at[2]
    assert believed.size == sum(believed.sizes.values()) <= 100
    # One that is larger than that is not believed at all.
    here.news_for(2, found(b"large", size=200))
    assert len(here.news_for(2, found(b"large", size=200))) == 1
    assert believed.size == sum(believed.sizes.values()) == 0
