"""CandidateNumbers: what past check-ins say of each candidate, as real numbers: counts by age and time of day, distances.

counts, each as log(1 + count / unit), so that the first check-ins say most (`kernels.checkin_features.past_sums`):

    the user's check-ins in the venue, in its category      fading with several ages; at any hour, near this hour of the
    the user's, anybody's from the last venue to this one   day, and near it on such a day (weekend or not)
    everybody's in the venue, and in this slot of the week  shares of all, at the last of the weekly snapshots before asof

distance:

    log kilometres from the last venue, and whether it is this one; both once more for a short time after that check-in
    the user's check-ins around the venue                   as those in it: in its cells of a grid of 0.5 and of 2 km
"""

import numpy as np

from .datasets.checkins import SLOTS, hour_of_week, slot
from .kernels.checkin_features import past_sums

_WEEK = 7 * 86400
_QUARTERS = 96  # of an hour, in a day
_NEAR = np.exp(-0.5 * (np.minimum(np.arange(_QUARTERS), _QUARTERS - np.arange(_QUARTERS)) / 6) ** 2)  # 1.5 hours wide
_LATE = np.array([0.25, 2.0, 12.0]) * 3600  # seconds in which what is said of the last venue fades
_SCALE = np.float32(0.5)  # logarithms of counts go to some 5 or 10


class CandidateNumbers:
    """numbers(users, local, asof, last, candidates) -> (Q, N, size) float32, from a VisitLog.

    users (rows), local and asof (seconds), last (Q,): the row in `log.by_user` of the user's last visit before asof, -1 for
    none; candidates (Q, N): columns. category (I,): each venue's number.
    """

    def __init__(self, log, venues, category, counts, distance):
        visits, self.n_items, self.counts, self.distance = log.by_user, len(venues), counts, distance
        self._visits = visits
        self._sums, self.size = [], 0
        if not counts and not distance:
            return
        venue = np.arange(self.n_items)
        if counts:
            moves = np.flatnonzero(np.diff(visits.user, prepend=-1) == 0)  # from the visit before to this one
            came_from = visits.item[moves - 1]
            pairs, pair = np.unique(visits.user[moves] * self.n_items + came_from, return_inverse=True)
            self._pairs = np.append(pairs, np.iinfo(np.int64).max)  # the last is nobody's
            self._add("user", log.start, np.arange(len(visits)), venue, [0.5, 5.0, 60.0, np.inf], [0.1, 0.005])
            self._add("user", log.start, np.arange(len(visits)), category, [5.0, 60.0], [0.3])
            self._add("pair", *self._by(pair, moves, len(pairs)), venue, [np.inf], [0.1])
            self._add("last", *self._by(came_from, moves, self.n_items), venue, [60.0], [0.3])
            self._count_everybody()
        if distance:
            latitude, longitude = (venues[name].to_numpy(np.float64) for name in ("latitude", "longitude"))
            self._km = 111.195 * np.stack([latitude, longitude * np.cos(np.radians(latitude.mean()))], axis=1)
            for size in (0.5, 2.0):
                cell = np.unique(np.floor(self._km / size), axis=0, return_inverse=True)[1].reshape(-1)
                self._add("user", log.start, np.arange(len(visits)), cell, [60.0], [0.3])
        self.size += 2 * counts + 2 * (1 + len(_LATE)) * distance

    def _by(self, owner, rows, owners):
        """(start (owners + 2,), rows by owner, each one's in the order of time); the last owner is nobody."""
        order = np.lexsort((self._visits.time[rows], owner))
        return np.searchsorted(owner[order], np.arange(owners + 2)), rows[order]

    def _add(self, owner, start, rows, group, decays, units):
        """Sums over the visits `rows` of an owner that are in the candidate's group (I,)."""
        v = self._visits
        self._sums.append((owner, start, group[v.item[rows]], v.time[rows], *_clock(v.local[rows]), _NEAR, np.array(decays),
                           np.array(units), group, int(group.max()) + 1))
        self.size += 3 * len(decays) * len(units)

    def _count_everybody(self):
        """log(1 + I n_i / n) (W, 1 + SLOTS, I), of all check-ins and of a slot's, before each of W moments a week apart."""
        v = self._visits
        first, last = int(v.time.min()), int(v.time.max())
        self._moments = first + _WEEK * np.arange((last - first) // _WEEK + 2)  # the first: no check-in yet; the last: all
        known = np.searchsorted(self._moments, v.time, side="right")  # the first moment after the visit
        count = np.zeros((len(self._moments), 1 + SLOTS, self.n_items), np.float32)
        np.add.at(count, (known, 0, v.item), 1)
        np.add.at(count, (known, 1 + v.slot, v.item), 1)
        count = count.cumsum(axis=0)
        self._popularity = np.log1p(self.n_items * count / np.maximum(count.sum(axis=2, keepdims=True), 1))

    def __call__(self, users, local, asof, last, candidates):
        if not self.size:
            return np.zeros((*candidates.shape, 0), np.float32)
        item = np.where(last < 0, self.n_items, self._visits.item[last])  # I: none
        owners = {"user": users, "last": item}
        if self.counts:
            pair = users * self.n_items + item
            place = np.searchsorted(self._pairs, pair)
            owners["pair"] = np.where((last >= 0) & (self._pairs[place] == pair), place, len(self._pairs) - 1)
        y = [past_sums(owners[owner], asof, *_clock(local), *events, group[candidates], groups) * _SCALE
             for owner, *events, group, groups in self._sums]
        if self.counts:
            week = np.maximum(np.searchsorted(self._moments, asof, side="right") - 1, 0)[:, None]
            y += [self._popularity[week, kind, candidates][:, :, None] * _SCALE for kind in (0, 1 + slot(local)[:, None])]
        if self.distance:
            y.append(self._distances(item, np.where(last < 0, np.inf, asof - self._visits.time[last]), candidates))
        return np.concatenate(y, axis=2)

    def _distances(self, item, gap, candidates):
        none = (item == self.n_items)[:, None]
        here = self._km[np.where(none, 0, item[:, None])]
        km = np.sqrt(((self._km[candidates] - here) ** 2).sum(axis=2))
        x = np.stack([np.where(none, 1, np.log(km + 0.1) * _SCALE), candidates == item[:, None]], axis=2)  # (Q, N, 2)
        fades = np.concatenate([np.ones((len(gap), 1)), np.exp(-gap[:, None] / _LATE)], axis=1)
        return np.reshape(x[:, :, :, None] * fades[:, None, None], (*candidates.shape, -1)).astype(np.float32)


def _clock(local):
    """The quarter of an hour of the day, and whether it is the weekend (1) or not (0)."""
    return local // 900 % _QUARTERS, (hour_of_week(local) >= 120).astype(np.int64)
