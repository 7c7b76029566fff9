"""FPMC: the user's taste, and a Markov chain of venues whose transitions are factorized: who goes where, and after what."""

import numpy as np

from tinydl import Tensor, nn, no_grad, ops, optim
from tinydl.data import DataLoader

from ..checkin_recommender import CheckInRecommender
from ..epochs import TrainedInEpochs
from ..negatives import NegativeSampler, SampledPairs
from ..ranking_losses import LOSSES
from ..visit_log import VisitLog


class FPMCNetwork(nn.Module):
    """y_i = <u^UI_u, v^IU_i> + <v^LI_l, v^IL_i>   l the user's previous venue   (Rendle et al. 2010, equation 7)

    user, previous (B,), items (B, N) -> y (B, N). One table holds [v^IU_i, v^IL_i], so a score is one inner product with the
    context [u^UI_u, v^LI_l]. Row n_users of U is the unknown user, row n_items of L no previous venue: both stay 0. The
    paper's third term, of user and previous item, is the same for all items, so it changes no order.
    """

    def __init__(self, n_users, n_items, k, scale, rng):
        self.U, self.L = nn.Embedding(n_users + 1, k, n_users, rng=rng), nn.Embedding(n_items + 1, k, n_items, rng=rng)
        self.V = nn.Embedding(n_items, 2 * k, rng=rng)
        for table, rows in ((self.U, n_users), (self.L, n_items), (self.V, n_items)):
            table.weight._writable("FPMCNetwork")[:rows] = rng.normal(0, scale, (rows, table.embedding_dim))

    def context(self, user, previous):
        return ops.concatenate([self.U(user), self.L(previous)], axis=1)  # (B, 2 K)

    def forward(self, user, previous, items):
        c = self.context(user, previous)
        return (self.V(items) @ c.reshape(*c.shape, 1)).reshape(*items.shape)

    def rank_all(self, user, previous):
        """y (B, I) of all items."""
        return self.context(user, previous) @ self.V.weight.T


class SampledVisits(SampledPairs):
    """dataset[rows] -> user, previous (B,), items (B, 1 + N), log c (B, 1 + N): `SampledPairs` of check-ins, and where
    the user was before."""

    def __init__(self, visits, previous, sampler, negatives, rng):
        super().__init__(visits.user, visits.item, sampler, negatives, rng)
        self.previous = previous

    def __getitem__(self, rows):
        user, *rest = super().__getitem__(rows)
        return user, self.previous[rows], *rest


class FPMC(TrainedInEpochs, CheckInRecommender):
    """Factorized personalized Markov chain over single venues, trained by BPR   (Rendle, Freudenthaler, Schmidt-Thieme 2010)

        k             numbers of a user or venue in each of the two products
        window        days: a previous venue is one only if he was there so recently (None: always). In the paper baskets
                      follow one another; of check-ins that are days apart the first says little about the next
        loss          "bpr", the paper's, or "sampled-softmax"
        negatives     drawn anew for each check-in and epoch, by (training check-ins)^power: 0 is uniform, the paper's
        scale         deviation of the tables at the start
        epochs, patience, batch_size, lr, weight_decay, seed, verbose   as in `TrainedInEpochs`; the paper takes plain
                      SGD with L2 terms, this AdamW and a learning rate that falls along a cosine

    A venue may be drawn although the user knows it from other check-ins: which of his places he goes to is what is learned.
    With `valid`, the loss of its check-ins with fixed negatives chooses the epoch; their previous venues are of the log, so
    in the regime of `fit`. After fit: `network_`, `history_`, `best_epoch_`.
    """

    def __init__(self, k=64, window=1.0, loss="bpr", negatives=10, power=0.0, scale=0.01, epochs=10, patience=2,
                 batch_size=512, lr=3e-3, weight_decay=0.1, seed=0, verbose=False):
        self._keep(locals())

    def _check_parameters(self):
        self._check_whole("k", "negatives", "epochs", "patience", "batch_size")
        if self.loss not in LOSSES:
            raise ValueError(f"FPMC: got loss={self.loss!r}, want {' or '.join(map(repr, LOSSES))}")
        if self.window is not None and not self.window > 0:
            raise ValueError(f"FPMC: got window={self.window!r}, want days above 0, or None for no limit")

    def _network(self, rng):
        return FPMCNetwork(len(self.users_), len(self.items_), self.k, self.scale, rng)

    def _fit(self, train, valid, stop_after=None):
        self._check_parameters()
        rng = np.random.default_rng(self.seed)
        self.network_ = self._network(rng)
        optimizer = optim.AdamW(self.network_.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        log = VisitLog.of(train, self.users_, self.items_)
        sampler = NegativeSampler(len(self.items_), np.bincount(log.by_time.item), self.power)
        loader = DataLoader(self._rows(log.by_time, log, sampler, rng), self.batch_size, shuffle=True, rng=rng)
        if valid is not None:
            visits = VisitLog.of(valid, self.users_, self.items_).by_time
            visits = visits.take(np.flatnonzero(visits.user < len(self.users_)))
            valid = DataLoader(self._rows(visits, self.log_, sampler, self.seed), 4096)
        self._train(self.network_, LOSSES[self.loss], optimizer, loader, valid, stop_after)

    def _rows(self, visits, log, sampler, rng):
        return SampledVisits(visits, self._previous(log, visits.user, visits.time), sampler, self.negatives, rng)

    def _previous(self, log, users, timestamps):
        """(Q,) the last venue of the log where each user was before the moment, within the window; else I, none."""
        visits, last = log.by_user, log.last(users, timestamps)[:, 0]
        found = last >= 0
        if self.window is not None:
            found &= timestamps - visits.time[last] <= self.window * 86400
        return np.where(found, visits.item[last], len(self.items_))

    def _scores(self, users, local, timestamps):
        known = np.minimum(users, len(self.users_))  # who has no training check-in is unknown
        with no_grad():
            return self.network_.rank_all(Tensor(known), Tensor(self._previous(self.log_, users, timestamps))).numpy()
