"""Counters: how often, and when, was somebody there before? What a model of check-ins must beat, and most do not.

Every count at a query's moment is of check-ins of the log (see `CheckInRecommender`: frozen or streaming) with a strictly
earlier timestamp, never of the query's own.
"""

import dataclasses
from functools import partial

import numpy as np

from ..checkin_recommender import CheckInRecommender
from ..datasets.checkins import SLOTS, slot
from ..kernels.visits import visit_counts

_DAY = 86400.0


class Counter(CheckInRecommender):
    """Base of the counters, which are dataclasses of their parameters; nothing is learned, only the log is counted."""

    def _fit(self, train, valid):
        pass

    def _popularity(self, s, now, weight):
        """n_i + weight n_is (Q, I), and n (Q,), all check-ins before now."""
        log = self.log_.by_time
        before = np.searchsorted(log.time, now, side="left")
        count, in_slot = np.zeros(len(self.items_)), np.zeros((SLOTS, len(self.items_)))
        y, done = np.empty((len(now), len(self.items_))), 0
        for q in np.argsort(now, kind="stable"):
            new = slice(done, before[q])
            np.add.at(count, log.item[new], 1.0)
            np.add.at(in_slot, (log.slot[new], log.item[new]), 1.0)
            done = before[q]
            y[q] = count + weight * in_slot[s[q]] if weight else count
        return y, before


@dataclasses.dataclass
class Popularity(Counter):
    """y_i = n_i + weight n_is   check-ins of everybody in venue i, and those of them in the query's slot s

    weight 0 is popularity, a large one popularity in the slot, with all check-ins to break its ties.
    """
    weight: float = 0.0

    def __post_init__(self):
        _check(self, weight=self.weight)

    def _scores(self, users, local, timestamps):
        return self._popularity(slot(local), timestamps, self.weight)[0]


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

    def _scores(self, users, local, timestamps):
        log, s = self.log_.by_user, slot(local)
        decay = np.inf if self.decay is None else self.decay * _DAY
        y = visit_counts(users, s, timestamps, self.log_.start, log.item, log.slot, log.time, float(self.weight),
                         float(decay), len(self.items_))
        if self.backoff:
            popularity, n = self._popularity(s, timestamps, 0.0)
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
