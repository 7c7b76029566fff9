"""Splits: which ratings or check-ins a model learns from, which choose its settings, which judge it; checked when made.

    random_split     one shuffle: 10 % test, 2.5 % validation, the rest for training, or other fractions
    k_fold           k times, each rating in a test part once
    time_split       the past trains, the future tests, for all users at the same moment
    user_time_split  the same within each user's own time
    leave_last_out   the last rating of each user tests, the one before it validates
    user_random_split  each user's ratings shuffled and cut: for data whose times order nothing
"""

import numpy as np

from .ragged import steps


class Split:
    """Three disjoint parts of one data set that together are the whole of it.

    train, valid, test   Interactions or CheckIns, in the order of the row numbers given; valid None where there is none
    rows                 the row numbers of the three in `data`
    refit                training and validation together, in the data's order: for the last fit, once settings are chosen
    protocol             what was done, in words; it belongs beside every number that is reported
    """

    def __init__(self, data, train, valid, test, protocol):
        self.rows = tuple(np.asarray(rows, np.int64).reshape(-1) for rows in (train, valid, test))
        if any(len(rows) and (rows.min() < 0 or rows.max() >= len(data)) for rows in self.rows):
            raise ValueError(f"Split: got row numbers outside 0 .. {len(data) - 1}")
        if not len(self.rows[0]) or not len(self.rows[2]):
            raise ValueError(f"Split: got {len(self.rows[0])} training and {len(self.rows[2])} test rows, want at least "
                             "one of each")
        used = np.bincount(np.concatenate(self.rows), minlength=len(data))
        if (used > 1).any():
            row = int(np.argmax(used > 1))
            raise ValueError(f"Split: row {row} is in {used[row]} places, want each row in one part, once: a rating that "
                             "trains must not test")
        if (used == 0).any():
            raise ValueError(f"Split: {int((used == 0).sum()):,} of the {len(data):,} rows, the first of them row "
                             f"{int(np.argmax(used == 0))}, are in no part: take them out of the data first")
        self.data, self.protocol = data, protocol
        self.train, self.valid, self.test = (data.take(rows) if len(rows) else None for rows in self.rows)

    @property
    def refit(self):
        return self.data.take(np.sort(np.concatenate(self.rows[:2])))

    def __repr__(self):
        train, valid, test = (len(rows) for rows in self.rows)
        return (f"Split of {self.data.name!r}{' (SYNTHETIC)' if self.data.synthetic else ''}: {train:,} train, {valid:,} "
                f"valid, {test:,} test; {self.protocol}")


def random_split(data, seed=0, fractions=None):
    """Shuffle the n rows; the first n // 10 test, the next n // 40 validate, the rest train.

    The order is `np.random.default_rng(seed).permutation(n)`: the same rows for everybody who names the seed. fractions:
    (train, valid, test) to cut it at instead, in this order, rounded down.
    """
    n = len(data)
    if n < 40:
        raise ValueError(f"random_split: got {n} ratings, want at least 40, so that the validation "
                         "part (n // 40) is not empty")
    order = np.random.default_rng(seed).permutation(n)
    if fractions is not None:
        f = _fractions("random_split", fractions)
        return Split(data, *np.split(order, _borders(f, n)), f"random split, seed {seed}: {100 * f[0]:g} % train, "
                     f"{100 * f[1]:g} % validate, {100 * f[2]:g} % test")
    test, valid, train = np.split(order, [n // 10, n // 10 + n // 40])
    return Split(data, train, valid, test, f"random split, seed {seed}: 10 % test, 2.5 % validate, the rest train")


def k_fold(data, k=5, seed=0):
    """k Splits, one after another: shuffle, cut into k parts that differ by one row at most; each is the test part once.

    No validation part: settings are chosen beforehand, or on `random_split(fold.train)`.
    """
    n = len(data)
    if k != int(k) or not 2 <= k <= n:
        raise ValueError(f"k_fold: got k={k} for {n} ratings, want a whole number from 2 to the number of ratings")
    folds = np.array_split(np.random.default_rng(seed).permutation(n), int(k))

    def generate():  # apart, so that bad arguments fail at the call and not at the first fold
        for f, test in enumerate(folds):
            train = np.concatenate(folds[:f] + folds[f + 1:])
            yield Split(data, train, [], test, f"fold {f + 1} of {k}, seed {seed}")
    return generate()


def time_split(data, fractions=(0.8, 0.1, 0.1)):
    """train: t < t1,   valid: t1 <= t < t2,   test: t >= t2   for all users at once

    t1 and t2 are the times at the fractions of the sorted timestamps, rounded down. Ratings of one second stay together:
    those at a border belong to the later part, so the past is never more than its fraction. Nobody's future trains
    another's past, as it would if each user's own time were cut.
    """
    time, n = _timestamps("time_split", data), len(data)
    f = _fractions("time_split", fractions)
    t1, t2 = np.sort(time)[_borders(f, n)]
    part = (time >= t1).astype(int) + (time >= t2)
    rows = [np.flatnonzero(part == p) for p in range(3)]
    if any(len(r) == 0 and fraction > 0 for r, fraction in zip(rows, f, strict=True)):
        raise ValueError(f"time_split: of {n} ratings, {len(rows[0])}, {len(rows[1])} and {len(rows[2])} would train, "
                         "validate and test: too few ratings, or too many at one time; choose other fractions")
    return Split(data, *rows, f"by time for all users, {f[0]:g}/{f[1]:g}/{f[2]:g}, validation from {t1}, test from {t2}")


def user_time_split(data, fractions=(0.8, 0.1, 0.1)):
    """train: t < t1_u,   valid: t1_u <= t < t2_u,   test: t >= t2_u   for each user u by itself

    t1_u and t2_u are the times at the fractions of the user's own sorted timestamps, rounded down; equal times stay
    together, in the later part. Every user tests, but one user's future trains another's past, so a number made this way
    is no forecast: the protocol says so.
    """
    time, n = _timestamps("user_time_split", data), len(data)
    f = _fractions("user_time_split", fractions)
    _, user, count = np.unique(data.frame["user"].to_numpy(), return_inverse=True, return_counts=True)
    sorted_time = time[np.lexsort((time, user))]  # by user, then by time
    start = np.cumsum(count) - count
    t1, t2 = (sorted_time[start + border] for border in _borders(f, count))
    part = (time >= t1[user]).astype(int) + (time >= t2[user])
    rows = [np.flatnonzero(part == p) for p in range(3)]
    if any(len(r) == 0 and fraction > 0 for r, fraction in zip(rows, f, strict=True)):
        raise ValueError(f"user_time_split: of {n} ratings, {len(rows[0])}, {len(rows[1])} and {len(rows[2])} would train, "
                         "validate and test: the users have too few each; choose other fractions")
    new = len(count) - len(np.unique(user[rows[0]]))
    return Split(data, *rows, f"by time for each user alone, {f[0]:g}/{f[1]:g}/{f[2]:g}; one user's future trains another's "
                 "past" + (f"; {new:,} users with too few for a training part only validate or test" if new else ""))


def leave_last_out(data):
    """Of each user the last rating tests, the last but one validates, the others train.

    Last by timestamp; of equal ones, by row. Users with fewer than 3 ratings only train; the protocol counts them.
    """
    time, n = _timestamps("leave_last_out", data), len(data)
    _, user = np.unique(data.frame["user"].to_numpy(), return_inverse=True)
    count = np.bincount(user)
    order = np.lexsort((time, user))  # by user, then by time; stable, so then by row
    from_end = np.empty(n, np.int64)
    from_end[order] = np.cumsum(count)[user[order]] - 1 - np.arange(n)
    enough = count[user] >= 3
    if not enough.any():
        raise ValueError(f"leave_last_out: none of the {len(count)} users has 3 ratings or more, want some that have: one "
                         "each to train, validate and test")
    test, valid = enough & (from_end == 0), enough & (from_end == 1)
    short = int((count < 3).sum())
    return Split(data, *map(np.flatnonzero, (~(test | valid), valid, test)), "each user's last one tests, the last but one "
                 "validates" + (f" ({short:,} users with fewer than 3 only train)" if short else ""))


def user_random_split(data, fractions=(0.8, 0.1, 0.1), seed=0):
    """Each user's ratings, shuffled, are cut at the fractions, rounded down: training, validation, test.

    Everybody has a training rating; with the fractions as they are, who has two or more has one that tests, and who
    has ten or more one that validates. The order is that of `np.random.default_rng(seed).random(n)` within each user.
    """
    n, f = len(data), _fractions("user_random_split", fractions)
    if n < 2:
        raise ValueError(f"user_random_split: got {n} ratings, want at least 2")
    _, user, count = np.unique(data.frame["user"].to_numpy(), return_inverse=True, return_counts=True)
    order = np.lexsort((np.random.default_rng(seed).random(n), user))
    place = np.empty(n, np.int64)
    place[order] = steps(count)  # of each rating among its user's
    train, valid = (np.maximum(border, 1) for border in _borders(f, count))
    part = (place >= train[user]).astype(int) + (place >= valid[user])
    return Split(data, *(np.flatnonzero(part == p) for p in range(3)), f"each user's ratings at random, seed {seed}: "
                 f"{f[0]:g}/{f[1]:g}/{f[2]:g}")


def _fractions(name, fractions):
    f = np.asarray(fractions, np.float64)
    if f.shape != (3,) or not (f >= 0).all() or abs(f.sum() - 1) > 1e-9 or f[0] == 0 or f[2] == 0:
        raise ValueError(f"{name}: got the fractions {fractions}, want (train, valid, test) that add up to 1, none "
                         "negative and only valid perhaps 0")
    return f


def _borders(f, n):
    """The places, among n in order, where validation and test begin; n may be an array. 0.9 * 10 is 9, rounding or not."""
    return [np.minimum(np.floor(share * n + 1e-6).astype(np.int64), n - 1) for share in np.cumsum(f[:2])]


def _timestamps(name, data):
    if len(data) == 0:
        raise ValueError(f"{name}: the data is empty")
    if "timestamp" not in data.frame.columns:
        raise ValueError(f"{name}: {data.name!r} has no timestamps; give its frame a column timestamp, or use random_split")
    return data.frame["timestamp"].to_numpy()
