"""Splits: which ratings a model learns from, which choose among its settings, which judge it; checked when they are made.

    random_split     one shuffle: 10 % test, 2.5 % validation, the rest for training
    k_fold           k times, each rating in a test part once
    time_split       the past trains, the future tests, for all users at the same moment
    leave_last_out   the last rating of each user tests, the one before it validates
"""

import numpy as np


class Split:
    """Three disjoint parts of one data set that together are the whole of it.

    train, valid, test   Interactions; each keeps the order of the rows it was given
    rows                 the row numbers of the three in `data`
    refit                training and validation together, in the data's order: for the last fit, once settings are chosen
    protocol             what was done, in words; it belongs beside every number that is reported
    """

    def __init__(self, data, train, valid, test, protocol):
        self.rows = tuple(np.asarray(rows, np.int64).reshape(-1) for rows in (train, valid, test))
        if any(len(rows) and (rows.min() < 0 or rows.max() >= len(data)) for rows in self.rows):
            raise ValueError(f"Split: got row numbers outside 0 .. {len(data) - 1}")
        used = np.bincount(np.concatenate(self.rows), minlength=len(data))
        if (used > 1).any():
            row = int(np.argmax(used > 1))
            raise ValueError(f"Split: row {row} is in {used[row]} places, want each row in one part, once: a rating that "
                             "trains must not test")
        if (used == 0).any():
            raise ValueError(f"Split: {int((used == 0).sum()):,} of the {len(data):,} rows, the first of them row "
                             f"{int(np.argmax(used == 0))}, are in no part: take them out of the data first")
        self.data, self.protocol = data, protocol
        self.train, self.valid, self.test = (data.take(rows) for rows in self.rows)

    @property
    def refit(self):
        return self.data.take(np.sort(np.concatenate(self.rows[:2])))

    def __repr__(self):
        train, valid, test = (len(rows) for rows in self.rows)
        return (f"Split of {self.data.name!r}{' (SYNTHETIC)' if self.data.synthetic else ''}: {train:,} train, {valid:,} "
                f"valid, {test:,} test; {self.protocol}")


def random_split(data, seed=0):
    """Shuffle the n rows; the first n // 10 test, the next n // 40 validate, the rest train.

    The order is `np.random.default_rng(seed).permutation(n)`: the same rows for everybody who names the seed.
    """
    n = len(data)
    if n < 40:
        raise ValueError(f"random_split: got {n} ratings, want at least 40, so that the validation "
                         "part (n // 40) is not empty")
    order = np.random.default_rng(seed).permutation(n)
    test, valid, train = np.split(order, [n // 10, n // 10 + n // 40])
    return Split(data, train, valid, test, f"random 90/10, seed {seed} (of the 90 %, 2.5 % of all validate)")
