"""Counters: how often, and when, was somebody there before? What a model of check-ins must beat, and most do not.

Every count at a query's moment is of check-ins with a strictly earlier timestamp, never of the query's own. Two regimes:

    frozen      fit(train)             only the training check-ins count
    streaming   fit(train, log=data)   every check-in of `data` counts from its own moment on; nothing else is learned

The catalogue, `items_`, is in both the venues with a training check-in.
"""

import dataclasses
from functools import partial

import numpy as np

from ..datasets.checkins import SLOTS, CheckIns, slot
from ..features import id_array
from ..kernels.visits import visit_counts
from ..recommender import NotFittedError

_DAY = 86400.0


class Counter:
    """Base of the counters, which are dataclasses of their parameters. After fit: `items_` (I,), each column's venue."""

    def fit(self, train, log=None):
        """Take the catalogue from `train` and the counts from `log`, CheckIns that hold all of `train` (None: `train`)."""
        import pandas

        for what, data in (("train", train), ("log", train if log is None else log)):
            if not isinstance(data, CheckIns):
                raise TypeError(f"{type(self).__name__}.fit: got {what} of type {type(data).__name__}, want CheckIns")
        if len(train) == 0:
            raise ValueError(f"{type(self).__name__}.fit: train has no check-ins, want at least one")
        columns = ["user", "item", "timestamp"]
        if log is not None and not pandas.MultiIndex.from_frame(train.frame[columns]).isin(
                pandas.MultiIndex.from_frame(log.frame[columns])).all():
            raise ValueError(f"{type(self).__name__}.fit: log lacks check-ins of train, want all of them and later ones: "
                             "pass log=split.data")
        frame = (train if log is None else log).frame
        self.items_, self._users = pandas.Index(train.items_seen), pandas.Index(np.sort(frame["user"].unique()))
        item = self.items_.get_indexer(frame["item"])
        frame, item = frame[item >= 0], item[item >= 0]
        user, time = self._users.get_indexer(frame["user"]), frame["timestamp"].to_numpy()
        s = slot(frame["local"].to_numpy())
        order = np.argsort(time, kind="stable")
        self._by_time = time[order], item[order], s[order]
        order = np.lexsort((time, user))
        start = np.searchsorted(user[order], np.arange(len(self._users) + 1))
        self._by_user = np.append(start, start[-1]), item[order], s[order], time[order]  # the unknown user comes last
        return self

    def scores(self, users, local, timestamps):
        """y (Q, I) of every venue of `items_`, for queries of user ids, local and UTC seconds, (Q,) each.

        Q I numbers of 8 bytes: ask for some hundreds of queries at a time. An unknown user has no visits.
        """
        if not hasattr(self, "items_"):
            raise NotFittedError(f"{type(self).__name__} is not fitted yet: call fit(train) first")
        users, local, timestamps = id_array(users), np.asarray(local), np.asarray(timestamps)
        if not users.shape == local.shape == timestamps.shape == (users.size,):
            raise ValueError(f"{type(self).__name__}.scores: got users of shape {users.shape}, local of {local.shape} and "
                             f"timestamps of {timestamps.shape}, want three lists of the same length")
        if len(users) and (local.dtype.kind not in "iu" or timestamps.dtype.kind not in "iu"):
            raise TypeError(f"{type(self).__name__}.scores: got local of {local.dtype} and timestamps of "
                            f"{timestamps.dtype}, want whole numbers (seconds)")
        rows = self._users.get_indexer(users)
        rows = np.where(rows < 0, len(self._users), rows)
        return self._scores(rows, slot(local.astype(np.int64)), timestamps.astype(np.int64))

    def _popularity(self, s, now, weight):
        """n_i + weight n_is (Q, I), and n (Q,), all check-ins before now."""
        time, item, item_slot = self._by_time
        before = np.searchsorted(time, now, side="left")
        count, in_slot = np.zeros(len(self.items_)), np.zeros((SLOTS, len(self.items_)))
        y, done = np.empty((len(now), len(self.items_))), 0
        for q in np.argsort(now, kind="stable"):
            new = slice(done, before[q])
            np.add.at(count, item[new], 1.0)
            np.add.at(in_slot, (item_slot[new], item[new]), 1.0)
            done = before[q]
            y[q] = count + weight * in_slot[s[q]] if weight else count
        return y, before

    def get_params(self):
        """{name: value} of the parameters."""
        return dataclasses.asdict(self)

    def clone(self, **changes):
        """An unfitted counter with the same parameters, but for `changes`."""
        return dataclasses.replace(self, **changes)


@dataclasses.dataclass
class Popularity(Counter):
    """y_i = n_i + weight n_is   check-ins of everybody in venue i, and those of them in the query's slot s

    weight 0 is popularity, a large one popularity in the slot, with all check-ins to break its ties.
    """
    weight: float = 0.0

    def __post_init__(self):
        _check(self, weight=self.weight)

    def _scores(self, users, s, now):
        return self._popularity(s, now, self.weight)[0]


@dataclasses.dataclass
class VisitCounts(Counter):
    """y_i = sum_e exp(-(now - t_e) / decay) (1 + weight [s_e = s])  +  backoff n_i / n   over the user's own visits e to i

    weight: how much more a visit in the query's slot counts. decay: days, None for none (a visit's half-life is ln 2 of
    it). backoff: of the venue's share of all check-ins n_i / n; as small as by default it only orders venues that
    tie, among them those where the user has never been.
    """
    weight: float = 10.0
    decay: float | None = None
    backoff: float = 1e-6

    def __post_init__(self):
        _check(self, weight=self.weight, backoff=self.backoff)
        if self.decay is not None and not self.decay > 0:
            raise ValueError(f"VisitCounts: got decay={self.decay!r}, want days above 0, or None for no decay")

    def _scores(self, users, s, now):
        decay = np.inf if self.decay is None else self.decay * _DAY
        y = visit_counts(users, s, now, *self._by_user, float(self.weight), float(decay), len(self.items_))
        if self.backoff:
            popularity, n = self._popularity(s, now, 0.0)
            popularity *= self.backoff / np.maximum(n, 1)[:, None]
            y += popularity
        return y


def _check(counter, **values):
    for name, value in values.items():
        if not 0 <= value < np.inf:
            raise ValueError(f"{type(counter).__name__}: got {name}={value!r}, want a finite number of at least 0")


COUNTERS = {  # by name, with settings that are tuned on validation like every model's
    "popularity": Popularity,
    "slot-popularity": partial(Popularity, weight=100.0),
    "user-counts": partial(VisitCounts, weight=0.0),
    "user-slot-counts": partial(VisitCounts, weight=10.0),
    "user-slot-decay": partial(VisitCounts, weight=6.0, decay=30.0),
}
