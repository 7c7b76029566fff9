"""Negative sampling: a catalogue is too long to compare with at every step; a few items that were not chosen stand for it.

    AliasTable        draws from a discrete distribution, O(1) each
    NegativeSampler   draws items for rows of (user, target), uniformly or by popularity, never what must not be drawn
    SampledPairs      pairs of a user and an item he chose, each beside items not chosen: what rankers train on

Which loss takes them: `ranking_losses.py`. Models are trained this way, never measured: `ranking.py` ranks everything.
"""

import numpy as np

from tinydl.data import Dataset
from tinydl.random import generator

from .kernels.negatives import draw_negatives
from .ragged import row_of


class AliasTable:
    """Draws k with probability p_k = w_k / sum w in O(1): a column, then the column's own item or its alias.

        k ~ uniform(0 .. n - 1),  u ~ uniform(0, 1):   k where u < threshold_k / 2^32, else alias_k

    p, threshold, alias (n,). Each column holds mass 1 / n of at most two items (Walker 1977); filling one small column after
    another from a large one makes the table in O(n) (Vose 1991). Thresholds are whole numbers of 2^-32, so draws in any
    language agree; p is met to 2^-32 / n.

    >>> table = AliasTable([1, 0, 3])
    >>> table.p
    array([0.25, 0.  , 0.75])
    >>> table.sample(10, rng=0)
    array([2, 2, 2, 0, 2, 0, 0, 0, 0, 2])
    """

    def __init__(self, weights):
        w = np.array(weights, np.float64)
        if w.ndim != 1 or not len(w) or not np.isfinite(w).all() or (w < 0).any() or not 0 < w.sum() < np.inf:
            raise ValueError(f"AliasTable: got weights of shape {w.shape}" +
                             (f", {w.min():g} to {w.max():g}" if w.size else "") + ", want a list of finite numbers of at "
                             "least 0, one of them above")
        self.p, n = w / w.sum(), len(w)
        share = (self.p * n).tolist()  # of a column; 1 fills it
        alias = list(range(n))  # columns that are not filled up are their own item's
        small, large = ([k for k in range(n) if (share[k] < 1) == below] for below in (True, False))
        while small and large:
            k = small.pop()
            alias[k] = large[-1]
            share[alias[k]] -= 1 - share[k]
            if share[alias[k]] < 1:
                small.append(large.pop())
        self.threshold = np.rint(np.minimum(share, 1) * 2**32).astype(np.int64)
        self.alias = np.array(alias, np.int64)

    def sample(self, shape, rng=None):
        """Draws of this shape, int64. rng: a generator or a seed, None for tinydl's default one."""
        rng = generator(rng)
        column = rng.integers(len(self.p), size=shape)
        return np.where(rng.integers(2**32, size=shape) < self.threshold[column], column, self.alias[column])


class NegativeSampler:
    """Draws negatives from q_i = w_i^power / sum_j w_j^power, renormalised over what a row may hold.

    n_items      I: items are numbers 0 .. I - 1
    weights      (I,), None for equal ones. Counts of the training part make popular items likely: they are what a ranker
                 confuses the target with
    power        1 as they are, 0 uniform, 0.75 between (Mikolov et al. 2013); an item of weight 0 is never drawn but with 0
    known        (start, items): user u's positives items[start[u]:start[u + 1]], sorted, never drawn for u
                 (`known_by_user`); None where a positive may be drawn by chance, as in the softmax over all items

    log_q        (I,) log q_i before anything is excluded, -inf for weight 0
    """

    def __init__(self, n_items, weights=None, power=1.0, known=None):
        if n_items != int(n_items) or not 1 <= n_items < 2**31:
            raise ValueError(f"NegativeSampler: got n_items={n_items!r}, want a whole number of at least 1")
        w = np.ones(int(n_items)) if weights is None else np.array(weights, np.float64)
        if w.shape != (n_items,) or not np.isfinite(w).all() or (w < 0).any():
            raise ValueError(f"NegativeSampler: got weights of shape {w.shape}" +
                             (f" from {w.min():g} to {w.max():g}" if w.size else "") +
                             f", want ({n_items},) finite numbers of at least 0, one for each item")
        if not 0 <= power < np.inf:
            raise ValueError(f"NegativeSampler: got power={power!r}, want a finite number of at least 0")
        self.n_items, self.table = int(n_items), AliasTable(w**power)
        with np.errstate(divide="ignore"):
            self.log_q = np.log(self.table.p)
        self.known = None if known is None else self._checked(*known)

    def _checked(self, start, items):
        start, items = np.array(start, np.int64), np.array(items, np.int64)
        if start.ndim != 1 or len(start) < 2 or start[0] != 0 or (np.diff(start) < 0).any() or items.shape != (start[-1],):
            raise ValueError(f"NegativeSampler: got known of {start.shape} starts and {items.shape} items, want start "
                             "(U + 1,) that rises from 0 to the number of items: known_by_user makes it")
        if len(items) and not 0 <= items.min() <= items.max() < self.n_items:
            raise ValueError(f"NegativeSampler: got known items from {items.min()} to {items.max()}, want 0 to "
                             f"{self.n_items - 1}")
        rises = np.diff(items) > 0
        rises[start[1:-1][(start[1:-1] > 0) & (start[1:-1] < len(items))] - 1] = True  # from one user to the next
        if not rises.all():
            user = np.searchsorted(start, np.argmin(rises), side="right") - 1
            raise ValueError(f"NegativeSampler: the known items of user {user} are not sorted, or one is there twice: "
                             "known_by_user makes it right")
        return start, items

    def _rows(self, users, exclude):
        users = np.asarray(users)
        if users.ndim != 1 or (users.size and users.dtype.kind not in "iu"):
            raise ValueError(f"NegativeSampler: got users of {users.dtype}, shape {users.shape}, want whole numbers (B,)")
        if self.known is None:
            start, items, user = np.zeros(2, np.int64), np.zeros(0, np.int64), np.zeros(len(users), np.int64)
        else:
            (start, items), user = self.known, users.astype(np.int64)
            if len(user) and not 0 <= user.min() <= user.max() < len(start) - 1:
                raise IndexError(f"NegativeSampler: got users from {user.min()} to {user.max()}, want 0 to {len(start) - 2}"
                                 ": known has a list for each of them")
        if exclude is None:
            return user, np.full(len(user), -1), start, items
        exclude = np.asarray(exclude)
        if exclude.shape != user.shape or (exclude.size and (
                exclude.dtype.kind not in "iu" or not 0 <= exclude.min() <= exclude.max() < self.n_items)):
            raise ValueError(f"NegativeSampler: got exclude of {exclude.dtype}, shape {exclude.shape}, want an item from 0 "
                             f"to {self.n_items - 1} for each of the {len(user)} rows")
        return user, exclude.astype(np.int64), start, items

    def sample(self, users, n, rng=None, exclude=None):
        """(B, n) int64: n items for each row, with replacement; in row b none that users[b] knows, and never exclude[b].

        users (B,) numbers (only their number matters without `known`); exclude (B,), such as the targets, or None. One
        64-bit number is taken from rng (a generator, a seed, None for tinydl's default), whatever B and n are.
        """
        if n != int(n) or n < 1:
            raise ValueError(f"NegativeSampler.sample: got n={n!r}, want a whole number of at least 1")
        rows = self._rows(users, exclude)
        seed = int(generator(rng).integers(2**64, dtype=np.uint64))
        table = self.table
        y = draw_negatives(*rows, table.p, table.threshold, table.alias, seed & 0xFFFFFFFF, seed >> 32, int(n))
        if (y < 0).any():
            b = int(np.argmax((y < 0).any(axis=1)))
            raise ValueError(f"NegativeSampler.sample: nothing is left to draw for user {np.asarray(users)[b]} (row {b}): "
                             "every item with a weight is known to the user or excluded; leave such users out of training, "
                             "or pass no known")
        return y

    def log_expected_counts(self, users, negatives, exclude=None):
        """log c (B, 1 + N), to be subtracted from the scores by `sampled_softmax`: how often each column's item is expected.

            c_b0 = 1   the target is always there
            c_bj = N q_j / (1 - sum of q over what row b excludes)

        negatives (B, N), as `sample` gave them for the same users and exclude. Then e^s_0 + sum_j e^(s_j - log c_j) is on
        average e^s_t + sum of e^s over all items the row may hold: the softmax's own denominator where nothing but the
        target is excluded. With exclude=None, negatives that equal the target have to be masked: `accidental`.
        """
        user, exclude, start, items = self._rows(users, exclude)
        negatives, p = np.asarray(negatives), self.table.p
        if negatives.ndim != 2 or len(negatives) != len(user) or not negatives.shape[1]:
            raise ValueError(f"NegativeSampler.log_expected_counts: got negatives of shape {negatives.shape} for "
                             f"{len(user)} users, want (B, N)")
        owner = row_of(start)
        out = np.bincount(owner, p[items], minlength=len(start) - 1)[user]
        alone = (exclude >= 0) & ~np.isin(user * self.n_items + exclude, owner * self.n_items + items)
        out = out + np.where(alone, p[exclude], 0.0)
        log_c = np.zeros((len(user), 1 + negatives.shape[1]))
        log_c[:, 1:] = self.log_q[negatives] + np.log(negatives.shape[1]) - np.log1p(-out)[:, None]
        return log_c


class SampledPairs(Dataset):
    """dataset[rows] -> user (B,), items (B, 1 + N), log c (B, 1 + N): pairs, each beside N items that were not chosen.

    Column 0 is what the user chose; log c are the sampler's `log_expected_counts`, or with corrected=False zeros, for
    a loss that takes none. rng: a Generator, and the negatives are drawn anew each time; or a number, and the same
    rows always get the same.
    """

    def __init__(self, users, items, sampler, negatives, rng, corrected=True):
        self.users, self.items, self.sampler, self.negatives = users, items, sampler, negatives
        self.rng, self.corrected = rng, corrected

    def __len__(self):
        return len(self.users)

    def __getitem__(self, rows):
        user, target = self.users[rows], self.items[rows]
        negatives = self.sampler.sample(user, self.negatives, self.rng, target)
        items = np.append(target[:, None], negatives, axis=1)
        if not self.corrected:
            return user, items, np.zeros(items.shape, np.float32)
        return user, items, self.sampler.log_expected_counts(user, negatives, target).astype(np.float32)


def known_by_user(users, items, n_users):
    """(start (U + 1,), items): what each user has, each item once, sorted; of pairs (n,), (n,) of numbers.

    >>> known_by_user([2, 0, 2, 2], [5, 1, 3, 5], n_users=3)
    (array([0, 1, 1, 3]), array([1, 3, 5]))
    """
    users, items = np.asarray(users, np.int64), np.asarray(items, np.int64)
    if users.shape != items.shape or users.ndim != 1:
        raise ValueError(f"known_by_user: got users of shape {users.shape} and items of shape {items.shape}, want two lists "
                         "of the same length")
    if len(users) and not 0 <= users.min() <= users.max() < n_users:
        raise IndexError(f"known_by_user: got users from {users.min()} to {users.max()}, want 0 to {n_users - 1}")
    width = items.max(initial=0) + 1
    pair = np.unique(users * width + items)
    return np.searchsorted(pair, np.arange(n_users + 1) * width), pair % width
