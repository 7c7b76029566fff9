"""VisitLog: the check-ins that a model of check-ins may look back on, in the order of time and user by user."""

import dataclasses
import functools

import numpy as np

from .datasets.checkins import slot
from .features import id_array


@dataclasses.dataclass(frozen=True)
class Visits:
    """Arrays (E,), one entry a check-in: rows of the user and of the venue, UTC and local seconds, slot of the week."""
    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    local: np.ndarray
    slot: np.ndarray

    def __len__(self):
        return len(self.user)

    def take(self, rows):
        """The visits of these row numbers, in that order, or of a mask."""
        return Visits(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))


class VisitLog:
    """The check-ins in venues of the catalogue (others are left out), twice, and where each user's stand.

        users      (N,) pandas.Index, row -> id: the training users, sorted, then those whom only the log knows, sorted
        by_time    Visits in the order of time, of equal times in that of the data
        by_user    the same by user, and each user's in the order of time
        start      (N + 2,): user u's visits are by_user[start[u]:start[u + 1]]; row N, the unknown user, has none

    Nothing here is cut off at a query's moment: who reads the log counts only visits with time < that of the query.
    """

    def __init__(self, users, by_time):
        self.users, self.by_time = users, by_time
        self.by_user = by_time.take(np.argsort(by_time.user, kind="stable"))
        self.start = np.searchsorted(self.by_user.user, np.arange(len(users) + 2))

    @classmethod
    def of(cls, data, users, items):
        """The log of CheckIns. users: the training users' ids; items: the catalogue (pandas.Index both)."""
        import pandas

        seen = pandas.Index(data.users_seen)
        users = users.append(seen[~seen.isin(users)])
        item = items.get_indexer(data.frame["item"])
        frame, item = data.frame[item >= 0], item[item >= 0]
        time, local = frame["timestamp"].to_numpy(), frame["local"].to_numpy()
        visits = Visits(users.get_indexer(frame["user"]), item, time, local, slot(local))
        return cls(users, visits.take(np.argsort(time, kind="stable")))

    def __len__(self):
        return len(self.by_time)

    def rows(self, users):
        """(Q,) ids -> rows, N for an unknown one."""
        rows = self.users.get_indexer(id_array(users))
        return np.where(rows < 0, len(self.users), rows)

    def contains(self, other):
        """(E,) of another log's visits, in the order of time: whether this one has the same user, venue and time."""
        import pandas

        keys = [pandas.MultiIndex.from_arrays([user, log.by_time.item, log.by_time.time]) for user, log in (
            (self.by_time.user, self), (self.rows(other.users)[other.by_time.user], other))]
        return keys[1].isin(keys[0])

    @functools.cached_property
    def _span(self):
        """The log's first moment, and the one after its last."""
        return int(self.by_user.time.min()), int(self.by_user.time.max()) + 1

    def _in_order(self, rows, time):
        """One number for both, rising with the user, then with time."""
        first, end = self._span
        return rows * (end - first + 1) + np.clip(time, first, end) - first

    @functools.cached_property
    def _keys(self):
        return self._in_order(self.by_user.user, self.by_user.time)  # rises

    def last(self, rows, timestamps, n=1):
        """(Q, n) rows of `by_user`: each user's last n visits before the moment, latest first; -1 for none."""
        row = np.searchsorted(self._keys, self._in_order(rows, timestamps))[:, None] - 1 - np.arange(n)
        return np.where(row >= self.start[rows][:, None], row, -1)

    def visited(self, rows, timestamps):
        """(start (Q + 1,), items): the venues, each once and sorted, that each query's user was in before its moment."""
        lists = [np.unique(self.by_user.item[first:first + np.searchsorted(self.by_user.time[first:last], now)])
                 for first, last, now in zip(self.start[rows], self.start[rows + 1], timestamps, strict=True)]
        return (np.append(0, np.cumsum([len(one) for one in lists], dtype=np.int64)),
                np.concatenate([np.zeros(0, np.int64), *lists]))

    def offset(self, local):
        """local - UTC in seconds: that of the check-in nearest in local time."""
        nearest = np.argmin(np.abs(self.by_time.local - local))
        return int(self.by_time.local[nearest] - self.by_time.time[nearest])

    # ---------------------------------------------------------------- save, load
    def state(self):
        """The log as arrays and lists, for `tinydl.training.save`."""
        visits = self.by_time
        return {"users": ids_state(self.users), "user": visits.user, "item": visits.item, "time": visits.time,
                "local": visits.local}

    @classmethod
    def from_state(cls, state):
        """The log that `state` gave."""
        import pandas

        columns = (state[name] for name in ("user", "item", "time", "local"))
        return cls(pandas.Index(state["users"]), Visits(*columns, slot(state["local"])))


def ids_state(ids):
    """The ids of an index for `save`: whole numbers as an array, strings as a list."""
    return ids.to_numpy() if ids.dtype.kind in "iu" else ids.tolist()
