"""Paired bootstrap: is model a better than model b, or were the users drawn so that it seems?"""

import typing

import numpy as np


class Difference(typing.NamedTuple):
    """Mean of a - b over events, its 95 % interval, and how many groups were resampled."""

    mean: float
    low: float
    high: float
    groups: int

    def __str__(self):
        return f"{self.mean:+.4f} (95 % from {self.low:+.4f} to {self.high:+.4f}, {self.groups:,} groups resampled)"


def paired_bootstrap(a, b, groups, n=2000, rng=0):
    """Difference of the means of a and b, with the percentile interval of n resamples of whole groups.

        d_e = a_e - b_e,   mean = sum_e d_e / N;   resample: draw G of the G groups with replacement, then
        mean* = sum over the drawn groups of their sum of d / sum of their sizes

    a, b: a metric of the same N events under two models; groups (N,): whose events they are (the user). Events of one
    user are alike, so users are resampled, not events; both models see the same users, so their luck cancels. Efron &
    Tibshirani 1993, chapters 8 and 13. rng: a numpy Generator or a seed.

    >>> print(paired_bootstrap([1, 1, 0.5, 1], [0, 1, 0.5, 0], groups=["ann", "bob", "bob", "cyd"], n=500))
    +0.5000 (95 % from +0.0000 to +1.0000, 3 groups resampled)
    """
    a, b, groups = np.asarray(a, np.float64), np.asarray(b, np.float64), np.asarray(groups)
    if a.ndim != 1 or not a.shape == b.shape == groups.shape:
        raise ValueError(f"paired_bootstrap: got a of shape {a.shape}, b of shape {b.shape} and groups of shape "
                         f"{groups.shape}, want three of one shape (N,): the same events in the same order")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        event = int(np.argmin(np.isfinite(a) & np.isfinite(b)))
        raise ValueError(f"paired_bootstrap: event {event} has {a[event]} and {b[event]}, want finite numbers: leave out "
                         "what was not measured, in both")
    if n != int(n) or n < 1:
        raise ValueError(f"paired_bootstrap: got n={n}, want a whole number of resamples, at least 1")
    names, group = np.unique(groups, return_inverse=True)
    G = len(names)
    if G < 2:
        raise ValueError(f"paired_bootstrap: got {G} groups, want at least 2: from one alone nothing can be said of others")
    total, size = np.bincount(group, a - b), np.bincount(group)
    rng, means = np.random.default_rng(rng), np.empty(int(n))
    block = max(1, (1 << 20) // G)  # resamples at once: some 8 MB of draws
    for first in range(0, len(means), block):
        drawn = rng.integers(0, G, (min(block, len(means) - first), G))
        means[first:first + block] = total[drawn].sum(axis=1) / size[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Difference(float((a - b).mean()), float(low), float(high), G)
