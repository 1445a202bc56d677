"""Several ranks in one process: what cloudpickle knows of classes, for each codec by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary, WeakValueDictionary

import cloudpickle.cloudpickle as theirs

from scoop_mpi.wire.codec import Codec

Tables = tuple[WeakKeyDictionary[type, str], WeakValueDictionary[str, type]]
_tables: WeakKeyDictionary[Codec, Tables] = WeakKeyDictionary()


@contextmanager
def on_rank_of(codec: Codec) -> Iterator[Codec]:
    """Meanwhile cloudpickle has only the classes that it has met with this codec."""
    before = theirs._DYNAMIC_CLASS_TRACKER_BY_CLASS, theirs._DYNAMIC_CLASS_TRACKER_BY_ID
    tables = _tables.setdefault(codec, (WeakKeyDictionary(), WeakValueDictionary()))
    theirs._DYNAMIC_CLASS_TRACKER_BY_CLASS, theirs._DYNAMIC_CLASS_TRACKER_BY_ID = tables
    try:
        yield codec
    finally:
        theirs._DYNAMIC_CLASS_TRACKER_BY_CLASS, theirs._DYNAMIC_CLASS_TRACKER_BY_ID = before


def send(obj: object, sender: Codec | None = None, receiver: Codec | None = None) -> object:
    """What arrives at another rank; ``sender`` takes as known there what it has sent before."""
    found: dict[bytes, object] = {}
    with on_rank_of(sender or Codec()) as codec:
        data = codec.dumps(obj, found)
        news = codec.definitions.news_for(2, found)
    with on_rank_of(receiver or Codec()) as codec:
        return codec.loads(data, news)
