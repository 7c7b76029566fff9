"""Features of a check-in: what a network may know of a user at a moment, and of each venue that he may go to then.

The four fields of the assignment are one-hot: user, time of the week, venue, and the venue's category. Four options
add to them, each for itself:

    previous   the user's last venue, and how long ago that was, one-hot each
    history    the last venues, a bag whose weights add up to 1 and halve each week
    counts     numbers of each venue: how often the user was there, and much besides (`checkin_numbers.py`)
    distance   numbers of each venue: how far it is from the last one, and from where the user goes

Everything is of check-ins strictly before `asof`, the moment until which the past is known: that of the query; or, where the
log tells nothing of the day before it, the second after the last check-in that it does tell of. Ages count from asof, so
that features keep their meaning when the log has ended weeks ago.
"""

import numpy as np

from .checkin_numbers import CandidateNumbers
from .datasets.checkins import SLOTS, hour_of_week, slot

OPTIONS = ("previous", "history", "counts", "distance")
TIMES = {"slot": (slot, SLOTS), "hour of week": (hour_of_week, 168)}

_GAPS = np.array([0.1, 0.5, 1, 2, 4, 8, 16, 24, 48, 168]) * 3600  # since the last check-in, in seconds
_DAY = 86400
_BAG, _HALF = 32, 7 * _DAY  # check-ins in the bag of history, and the age at which one weighs half


class CheckInFeatures:
    """The features of queries (users, local times, asof), (Q,) each, and of their candidates, from a VisitLog.

    log: VisitLog; n_users: how many of its users have an embedding (U; all others share row U); venues: DataFrame of the I
    venues, with category, latitude, longitude; options: some of OPTIONS; time: one of TIMES.

    start        {field: its first feature}, in their order: user, time, (previous, gap,) (history,) venue, category
    vocabulary   how many one-hot features there are
    items        (I, 2) the features of each venue: itself and its category
    """

    def __init__(self, log, n_users, venues, options=(), time="slot"):
        self.log, self.n_users, self.n_items, self.options = log, n_users, len(venues), tuple(options)
        self._time, times = TIMES[time]
        category = venues["category"].where(venues["category"].notna(), "").astype(str)
        names, category = np.unique(category, return_inverse=True)
        sizes = {"user": n_users + 1, "time": times}
        if "previous" in self.options:
            sizes.update(previous=self.n_items + 1, gap=len(_GAPS) + 2)  # one more of each: there is none
        if "history" in self.options:
            sizes.update(history=self.n_items)
        sizes.update(venue=self.n_items, category=len(names))
        *first, self.vocabulary = np.cumsum([0, *sizes.values()]).tolist()
        self.start = dict(zip(sizes, first, strict=True))
        self.items = np.stack([self.start["venue"] + np.arange(self.n_items), self.start["category"] + category], axis=1)
        self._numbers = CandidateNumbers(log, venues, category, "counts" in options, "distance" in options)
        self.numbers = self._numbers.size

    def asof(self, timestamps):
        """Until when the past of queries at these times (Q,) is known. It does not depend on what came later."""
        time = self.log.by_time.time
        last = np.append(time[0], time)[np.searchsorted(time, timestamps)]  # before the first, time[0] is not earlier
        return np.where(timestamps - last > _DAY, last + 1, timestamps)

    def context(self, users, local, asof):
        """(index (Q, F_c), values (Q, F_c)): the features of the users (rows of the log) at these local times."""
        visits = self.log.by_user
        index = [np.minimum(users, self.n_users), self.start["time"] + self._time(local)]
        if "previous" in self.options:
            last = self.log.last(users, asof)[:, 0]
            gap = np.searchsorted(_GAPS, asof - visits.time[last])
            index += [self.start["previous"] + np.where(last < 0, self.n_items, visits.item[last]),
                      self.start["gap"] + np.where(last < 0, len(_GAPS) + 1, gap)]
        index = np.stack(index, axis=1)
        values = np.ones(index.shape, np.float32)
        if "history" in self.options:
            last = self.log.last(users, asof, _BAG)
            age = visits.time[last[:, :1]] - visits.time[last]  # since the latest of them
            weight = np.where(last < 0, 0.0, 0.5 ** (age / _HALF))
            weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1)  # at least the latest, 1
            index = np.concatenate([index, self.start["history"] + np.where(last < 0, 0, visits.item[last])], axis=1)
            values = np.concatenate([values, weight.astype(np.float32)], axis=1)
        return index, values

    def candidates(self, users, local, asof, candidates):
        """(Q, N, P) float32: the numbers of the candidates (Q, N), columns of the catalogue."""
        return self._numbers(users, local, asof, self.log.last(users, asof)[:, 0], candidates)
