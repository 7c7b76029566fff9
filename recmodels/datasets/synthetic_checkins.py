"""A synthetic city of check-ins: Foursquare's columns, made from a known truth: the best possible Recall@k is a number.

    P(v | u, s) = (1 - e_u) h_u(v | s) + e_u g_u(v | s)      s the slot of the local time, e_u the user's exploration rate

    h_u(v | s)  prop. to  theta_uv A[c_v, s]   over the user's home venues:      habit
    g_u(v | s)  prop. to  popularity_v A[c_v, s] taste_u[c_v] exp(-d(u, v) / scale)   over all venues:   exploration

c_v is the venue's category, A[c, s] how much of it a slot sees (offices on weekday mornings, bars on Saturday nights),
d the distance from where the user lives. Given user and slot a check-in does not depend on the ones before, so nobody
who is asked for k venues can do better in expectation than name the k most probable ones.
"""

import dataclasses

import numpy as np

from tinydl.random import generator

from .checkins import SLOTS, CheckIns, distance_km, slot

_LEAST = 10  # check-ins of a user, as in Foursquare's files
_START, _SUMMER_ENDS, _END = 1_333_476_000, 1_352_008_800, 1_360_982_040  # Foursquare's New York; its clocks go back between
_NIGHT, _DAY, _EVENING = (0.2, 0.1, 1, 1, 1, 1), (0.05, 0.4, 2, 2, 1.5, 0.4), (1.0, 0.05, 0.1, 0.4, 1.5, 3)
_CATEGORIES = {  # name: (share of the venues, weight of the six weekday blocks of 4 hours, the same at weekends)
    "Home (private)": (0.16, (3, 2, 0.8, 0.5, 1, 3), (3, 2, 1.5, 1, 1, 2)),
    "Office": (0.14, (0.05, 1, 4, 4, 1, 0.2), (0.05, 0.1, 0.3, 0.3, 0.1, 0.05)),
    "Bar": (0.14, (1.5, 0.02, 0.05, 0.3, 1.5, 4), (4, 0.05, 0.1, 0.8, 2, 5)),
    "Coffee Shop": (0.12, (0.05, 2, 4, 2, 1, 0.3), (0.05, 1, 3, 2, 1, 0.3)),
    "Gym / Fitness Center": (0.08, (0.05, 3, 2, 1, 3, 1), (0.05, 1, 3, 2, 1, 0.2)),
    "Train Station": (0.08, (0.3, 3, 3, 1, 4, 1), (0.5, 0.5, 1, 1, 1, 1)),
    "American Restaurant": (0.12, _NIGHT, _EVENING),
    "Park": (0.08, (0.05, 0.5, 1, 1.5, 1, 0.2), (0.1, 0.5, 3, 4, 2, 0.3)),
    "Clothing Store": (0.08, _DAY, (0.05, 0.2, 3, 4, 2, 0.3)),
}
_HOURS = np.array([5, 3, 2, 1, 1, 2, 4, 7, 10, 9, 8, 8, 10, 10, 8, 7, 7, 9, 12, 13, 12, 10, 9, 7], np.float64)  # activity


@dataclasses.dataclass(frozen=True)
class Truth:
    """theta (U, I), w (U, I) = popularity taste exp(-d / scale), A[c_v] (I, 12), e (U,); rows are ids `users`, `venues`."""
    theta: np.ndarray
    w: np.ndarray
    affinity: np.ndarray
    rate: np.ndarray
    users: object
    venues: object

    def probabilities(self, u, s):
        """P(v | u, s) (n, I) of user rows u (n,) and slots s (n,)."""
        habit, explore = self.theta[u] * self.affinity.T[s], self.w[u] * self.affinity.T[s]
        e = self.rate[u][:, None]
        return (1 - e) * habit / habit.sum(1, keepdims=True) + e * explore / explore.sum(1, keepdims=True)


class SyntheticCheckIns(CheckIns):
    """CheckIns that know their Truth; so does a selection of rows: `split.test.best_recall(10)` is the test's ceiling."""

    def __init__(self, frame, items, users, truth):
        super().__init__(frame, items, users, name="synthetic check-ins", synthetic=True)
        self.truth = truth

    def probabilities(self, users, local):
        """P(v | u, s) (n, I) of user ids (n,) at local seconds (n,), or one of each: the truth, over `truth.venues`."""
        users, local = np.broadcast_arrays(np.atleast_1d(users), np.atleast_1d(local))
        rows = self.truth.users.get_indexer(users)
        if (rows < 0).any():
            raise KeyError(f"SyntheticCheckIns: got the user {users[np.argmax(rows < 0)]!r}, want 1 to "
                           f"{len(self.truth.users)}")
        return self.truth.probabilities(rows, slot(local))

    def best_recall(self, k):
        """The expected Recall@k over these rows' users and times of who names the k most probable venues: the ceiling."""
        if not 1 <= k <= len(self.truth.venues):
            raise ValueError(f"best_recall: got k={k}, want 1 to the {len(self.truth.venues)} venues")
        u, s = self.truth.users.get_indexer(self.frame["user"]), slot(self.frame["local"].to_numpy())
        pairs, times = np.unique(u * SLOTS + s, return_counts=True)
        p = self.truth.probabilities(pairs // SLOTS, pairs % SLOTS)
        return float(times @ np.partition(p, -k, axis=1)[:, -k:].sum(axis=1) / times.sum())


def synthetic_checkins(users=200, venues=500, events=40_000, homes=6, exploration=0.25, scale=3.0, rng=0):
    """A city with so many users, venues and check-ins in ten months.

    homes: venues that a user is used to; exploration: the mean of e_u (a Beta distribution); scale: kilometres over which
    exploration falls by e. rng: seed or generator; the same seed makes the same city. Local time is New York's: UTC - 4
    hours in summer, - 5 from November 2012. Every user has 10 check-ins or more.

    >>> city = synthetic_checkins(users=20, venues=60, events=1_000)
    >>> len(city), city.synthetic, city.probabilities([3], city.frame["local"].to_numpy()[:1]).shape
    (1000, True, (1, 60))
    >>> 0 < city.best_recall(1) < city.best_recall(10) < 1 and round(city.best_recall(60), 9)
    1.0
    """
    if not (users >= 2 and 1 <= homes <= venues and venues >= len(_CATEGORIES) and 0 < exploration < 1 and scale > 0):
        raise ValueError(f"synthetic_checkins: got users={users}, venues={venues}, homes={homes}, exploration={exploration}"
                         f", scale={scale}, want at least 2 users and {len(_CATEGORIES)} venues, 1 home or more but no "
                         "more than venues, exploration between 0 and 1, scale above 0")
    if events < _LEAST * users:
        raise ValueError(f"synthetic_checkins: got events={events:,} for {users:,} users, want at least {_LEAST * users:,} "
                         f"({_LEAST} a user)")
    import pandas

    rng = generator(rng)
    items = _venues(venues, rng)
    people = pandas.RangeIndex(1, users + 1, name="user")
    truth = _truth(people, items, homes, exploration, scale, rng)
    weight = rng.lognormal(0, 0.8, users)
    user = np.repeat(np.arange(users), _LEAST + rng.multinomial(events - _LEAST * users, weight / weight.sum()))
    timestamp, local = _times(events, rng)
    item = _draw(truth, user, slot(local), rng)
    frame = pandas.DataFrame({"user": user + 1, "item": items.index[item], "timestamp": timestamp, "local": local})
    frame = frame.sort_values("timestamp", kind="stable")
    return SyntheticCheckIns(frame, items, pandas.DataFrame(index=people), truth)


def _venues(count, rng):
    """The venues' table: every category occurs; they lie around a centre, in a cloud of some 5 km."""
    import pandas

    names = list(_CATEGORIES)
    share = np.array([_CATEGORIES[name][0] for name in names])
    c = rng.permutation(np.concatenate([np.arange(len(names)), rng.choice(len(names), count - len(names), p=share)]))
    ids = [f"{number:024x}" for number in range(1, count + 1)]
    return pandas.DataFrame({
        "category": [f"{number:024x}" for number in c + 1], "category_name": [names[number] for number in c],
        "latitude": 40.74 + 0.045 * rng.standard_normal(count), "longitude": -73.98 + 0.06 * rng.standard_normal(count),
    }, index=pandas.Index(ids, name="item"))


def _truth(people, items, homes, exploration, scale, rng):
    users, names = len(people), list(_CATEGORIES)
    affinity = np.array([[*weekday, *weekend] for _, weekday, weekend in _CATEGORIES.values()], np.float64)  # A (C, 12)
    c = np.array([names.index(name) for name in items["category_name"]])
    popularity = rng.permutation((np.arange(len(items)) + 0.02 * len(items)) ** -0.8)
    latitude, longitude = 40.74 + 0.03 * rng.standard_normal(users), -73.98 + 0.04 * rng.standard_normal(users)
    near = np.exp(-distance_km(latitude[:, None], longitude[:, None], items["latitude"].to_numpy(),
                               items["longitude"].to_numpy()) / scale)  # (U, I)
    w = popularity * rng.gamma(1.0, 1.0, (users, len(names)))[:, c] * near  # taste_u[c_v] is gamma
    chosen = np.argsort(-(np.log(w) + rng.gumbel(size=w.shape)), axis=1, kind="stable")[:, :homes]  # by weight, once
    theta = np.zeros(w.shape)
    np.put_along_axis(theta, chosen, rng.dirichlet(np.full(homes, 1.0), users) + 1e-3, axis=1)
    rate = rng.beta(4 * exploration, 4 * (1 - exploration), users)
    return Truth(theta, w, affinity[c], rate, people, items.index)


def _times(count, rng):
    """UTC and local seconds (count,): days alike, hours by activity, local = UTC - 4 h in summer, - 5 h in winter."""
    days = rng.integers(_START // 86400 + 1, _END // 86400 - 1, count)
    hour = rng.choice(24, count, p=_HOURS / _HOURS.sum())
    local = days * 86400 + hour * 3600 + rng.integers(0, 3600, count)
    timestamp = local + 4 * 3600
    return np.where(timestamp < _SUMMER_ENDS, timestamp, timestamp + 3600), local


def _draw(truth, u, s, rng):
    """One venue row from P(v | u, s) for each (u, s), by the inverse of its distribution function."""
    item, point = np.empty(len(u), np.int64), rng.random(len(u))
    for user in range(len(truth.rate)):
        below = np.cumsum(truth.probabilities(np.full(SLOTS, user), np.arange(SLOTS)), axis=1)  # (12, I)
        for row in np.flatnonzero(u == user):
            item[row] = np.searchsorted(below[s[row]], point[row] * below[s[row], -1], side="right")
    return np.minimum(item, len(truth.venues) - 1)  # a point that was rounded up to the end
