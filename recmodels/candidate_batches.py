"""Training rows of a ranker of check-ins: each check-in beside venues that were not chosen, drawn anew each time it is read.

    c_bn = N_own [n is one of the user's venues] / |his venues| + N_other q_n       n's expected number among the negatives

Part of the negatives are venues of the user's own (which of his places does he go to now?), the others are drawn from
the catalogue (what does he do elsewhere?). log c goes to the loss, which corrects for it: on average its sum over
negatives is that over all venues but the target, however the draws are mixed.
"""

import numpy as np

from tinydl.data import Dataset

from .ragged import row_of

_DAY = 86400


class CandidateBatches(Dataset):
    """dataset[rows] -> context (B, F_c), its values (B, F_c), candidates (B, 1 + N, F_i), numbers (B, 1 + N, P), log c

    log c (B, 1 + N). Column 0 is the check-in's venue; log c = inf marks a negative that is the same venue and counts for
    nothing.

    features   CheckInFeatures, of the log that may be looked back on
    visits     Visits: the check-ins that are targets, with rows of users below U
    sampler    NegativeSampler of the catalogue
    known      (start (U + 1,), items): each user's venues (`negatives.known_by_user`)
    negatives  N; `own`: which part of them, below 1, is drawn from the user's venues
    lag        days: the past that features see ends up to so long before the check-in, at a moment drawn anew each time
    rng        a Generator; or a seed, and then a batch is the same whenever it is read
    """

    def __init__(self, features, visits, sampler, known, negatives=40, own=0.5, lag=0, rng=None):
        self.features, self.visits, self.sampler, self.known = features, visits, sampler, known
        self.n_own = round(negatives * own)
        self.n_other, self.lag, self.rng = negatives - self.n_own, lag, rng
        start, items = known
        self._pairs = row_of(start) * features.n_items + items  # rises

    def __len__(self):
        return len(self.visits)

    def __getitem__(self, rows):
        visits, rng = self.visits.take(rows), self.rng
        if not isinstance(rng, np.random.Generator):
            rng = np.random.default_rng([rng, rows.start if isinstance(rows, slice) else rows[0]])
        candidates, log_c = self._candidates(visits.user, visits.item, rng)
        earlier = (rng.random(len(visits)) * (self.lag * _DAY)).astype(np.int64)
        asof = np.minimum(self.features.asof(visits.time), visits.time - earlier)
        return (*self.features.context(visits.user, visits.local, asof), self.features.items[candidates],
                self.features.candidates(visits.user, visits.local, asof, candidates), log_c)

    def _candidates(self, users, items, rng):
        """The target and its negatives (B, 1 + N), and log c of each."""
        (start, known), n = self.known, np.diff(self.known[0])[users][:, None]
        drawn = [items[:, None]]
        if self.n_own:
            drawn.append(known[start[users][:, None] + (rng.random((len(users), self.n_own)) * n).astype(np.int64)])
        if self.n_other:
            drawn.append(self.sampler.sample(users, self.n_other, rng))
        candidates = np.concatenate(drawn, axis=1)
        c = self.n_other * self.sampler.table.p[candidates] + self.n_own / n * self._are_own(users, candidates)
        log_c = np.log(c).astype(np.float32)
        log_c[:, 1:][candidates[:, 1:] == items[:, None]] = np.inf
        return candidates, log_c

    def _are_own(self, users, candidates):
        pairs = users[:, None] * self.features.n_items + candidates
        return self._pairs[np.minimum(np.searchsorted(self._pairs, pairs), len(self._pairs) - 1)] == pairs
