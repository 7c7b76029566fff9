"""VenueRanker: a factorization machine, Neural FM or neural TF that ranks all venues for a user at a time.

Network, features, candidates and loss are four things: `neural_fm.py` and its neighbours hold the networks,
`checkin_features.py` what they see, `candidate_batches.py` what they learn from; this file puts them together.
"""


import numpy as np

from tinydl import nn, no_grad, optim
from tinydl.data import DataLoader

from ..candidate_batches import CandidateBatches
from ..checkin_features import OPTIONS, TIMES, CheckInFeatures
from ..checkin_recommender import CheckInRecommender
from ..datasets.checkins import CheckIns
from ..epochs import TrainedInEpochs
from ..explanations import explained, fm_contributions
from ..negatives import NegativeSampler, known_by_user
from ..ranking_losses import bce_with_negatives, bpr_loss_over_negatives, sampled_softmax
from ..visit_log import VisitLog
from .factorization_machine import FactorizationMachineNetwork
from .neural_fm import NeuralFMNetwork
from .neural_tf import NeuralTFNetwork

CHOICES = {"network": ("nfm", "fm", "ntf"), "time": tuple(TIMES), "loss": ("sampled-softmax", "bce", "bpr"),
           "sampler": ("popularity", "uniform"), "regime": ("frozen", "streaming", None)}


class VenueRanker(TrainedInEpochs, CheckInRecommender):
    """score(user, time, venue) of a network on <user, time, venue, category of the venue>, trained to choose among venues.

    network, order, form, k, hidden, dropout: see `FactorizationMachineNetwork`, `NeuralFMNetwork` (its shortcut too) and
        `NeuralTFNetwork`, which has three modes only: no category, no option
    features        options beyond the four fields: "previous", "history", "counts", "distance" (`checkin_features.py`)
    time            "slot" (12 of the week) or "hour of week" (168)
    loss            "sampled-softmax", "bce" or "bpr", against so many `negatives`: of them `own` (a part) are the user's own
                    venues, the others by "uniform" chance or by count ** power ("popularity"); bpr, which does not correct
                    for how they are drawn, wants own=0
    regime          what the features are trained for. "frozen": their past ends up to `lag` days before a check-in, as when
                    the log ends with training. "streaming": it ends at the check-in. None: as `fit` is asked, with a log
                    that goes on after training, or without
    epochs, patience, batch_size, lr, weight_decay (of embeddings), seed, verbose: as of `TrainedInEpochs` and AdamW

    After fit: `network_`, `history_`, `best_epoch_`. Parameters change in fit alone; `streaming(log)` changes what features
    read. Validation is the same loss on all check-ins of `valid` with twice the negatives, in the regime's own way.
    """

    def __init__(self, network="nfm", order=2, form="full", k=32, hidden=32, shortcut=True, features=(), time="slot",
                 loss="sampled-softmax", negatives=20, own=0.5, sampler="popularity", power=0.75, regime=None, lag=90,
                 epochs=10, patience=2, batch_size=512, lr=3e-3, weight_decay=1.0, dropout=0.0, seed=0, verbose=False):
        self._keep(locals())

    # ---------------------------------------------------------------- fitting
    def _check_parameters(self):
        name = type(self).__name__
        for parameter, choices in CHOICES.items():
            if getattr(self, parameter) not in choices:
                raise ValueError(f"{name}: got {parameter}={getattr(self, parameter)!r}, want one of "
                                 f"{', '.join(map(repr, choices))}")
        unknown = [option for option in self.features if option not in OPTIONS] if self.features != () else []
        if isinstance(self.features, str) or unknown:
            raise ValueError(f"{name}: got features={self.features!r}, want some of {OPTIONS}, as a tuple")
        if self.network == "ntf" and self.features:
            raise ValueError(f"{name}: got network='ntf' with features={self.features!r}, want none: it is of user, time "
                             "and venue; take network='nfm'")
        self._check_whole("k", "hidden", "negatives", "epochs", "patience", "batch_size")
        if not 0 <= self.own < 1 or self.loss == "bpr" and self.own:
            raise ValueError(f"{name}: got own={self.own!r} with loss={self.loss!r}, want a part from 0 to below 1, and "
                             "0 with 'bpr'")
        if not 0 <= self.lag < np.inf:
            raise ValueError(f"{name}: got lag={self.lag!r}, want days of at least 0")

    def _features(self, log):
        return CheckInFeatures(log, len(self.users_), self.venues_, self.features, self.time)

    def _network(self, rng):
        features = self.features_
        if self.network == "ntf":
            return NeuralTFNetwork(features.vocabulary, self.k, self.hidden, rng=rng)
        options = dict(dropout=self.dropout, rng=rng, numbers=features.numbers)
        if self.network == "fm":
            return FactorizationMachineNetwork(features.vocabulary, self.k, self.order, self.form, **options)
        return NeuralFMNetwork(features.vocabulary, self.k, self.hidden, self.order, self.form, shortcut=self.shortcut,
                               **options)

    def _read_log(self):
        self._check_parameters()  # here, for it comes before all else
        self.features_ = self._features(self.log_)

    def _fit(self, train, valid, stop_after=None):
        rng = np.random.default_rng(self.seed)
        self.network_ = self._network(rng)
        loader = DataLoader(self._batches(train, rng), self.batch_size, shuffle=True, rng=rng)
        if valid is not None:
            valid = DataLoader(self._valid_batches(train, valid), 1024)
        self._train(_Ranked(self.network_), self._loss, optim.AdamW(self._parameter_groups(), lr=self.lr), loader, valid,
                    stop_after)
        self._settle_unknown_user()

    def _streaming(self):
        return self.regime == "streaming" if self.regime else not self.trained_.all()

    def _batches(self, train, rng):
        log = VisitLog.of(train, self.users_, self.items_)
        visits = log.by_time
        count = np.bincount(visits.item, minlength=len(self.items_))
        self._negatives = (NegativeSampler(len(count), count if self.sampler == "popularity" else None, self.power),
                           known_by_user(visits.user, visits.item, len(self.users_)))
        return CandidateBatches(self._features(log), visits, *self._negatives, self.negatives, self.own,
                                0 if self._streaming() else self.lag, rng)

    def _valid_batches(self, train, valid):
        """The same of the validation check-ins of known users in known venues; streaming reads these too, each's past."""
        import pandas

        log = VisitLog.of(train, self.users_, self.items_)
        if self._streaming():
            both = pandas.concat([train.frame, valid.frame]).sort_values("timestamp", kind="stable")
            log = VisitLog.of(CheckIns(both, valid.items, valid.users), self.users_, self.items_)
        visits = VisitLog.of(valid, self.users_, self.items_).by_time
        visits = visits.take(np.flatnonzero(visits.user < len(self.users_)))
        return CandidateBatches(self._features(log), visits, *self._negatives, 2 * self.negatives, self.own, 0, self.seed)

    def _loss(self, scores, log_c):
        log_c = log_c.numpy()
        other = np.isfinite(log_c)
        log_c = np.where(other, log_c, 0).astype(scores.dtype)
        if self.loss == "bpr":
            return bpr_loss_over_negatives(scores)
        if self.loss == "bce":  # noise-contrastive: s - log c are log-odds, so s a log-probability; here + log I, near 0
            return bce_with_negatives(scores - (log_c + np.float32(np.log(len(self.items_)))), other)
        log_c[:, 0] = 0  # the target is in its row for certain
        return sampled_softmax(scores, log_c, ~other[:, 1:])

    def _parameter_groups(self):
        """Embeddings decay; layers, to which every check-in speaks, do not."""
        tables = [module.weight for module in self.network_.modules() if isinstance(module, nn.Embedding)]
        others = [p for p in self.network_.parameters() if not any(p is table for table in tables)]
        return [{"params": tables, "weight_decay": self.weight_decay}, {"params": others, "weight_decay": 0.0}]

    def _settle_unknown_user(self):
        """The unknown user, whom no check-in has trained, is the mean of the known ones."""
        for module in self.network_.modules():
            if isinstance(module, nn.Embedding):
                weight = module.weight._writable("settle_unknown_user")
                weight[len(self.users_)] = weight[:len(self.users_)].mean(axis=0)

    # ---------------------------------------------------------------- scoring
    def _scores(self, users, local, timestamps, block=16):
        features, network = self.features_, self.network_
        y = np.empty((len(users), len(self.items_)), np.float32)
        asof = features.asof(timestamps)
        context, values = features.context(users, local, asof)
        every = np.arange(len(self.items_))
        with no_grad():
            items = network.item_sums(features.items[:, :1] if self.network == "ntf" else features.items)
            for first in range(0, len(users), block):
                q = slice(first, min(first + block, len(users)))
                if self.network == "ntf":
                    y[q] = network.rank_all(context[q], items).numpy()
                else:
                    x = features.candidates(users[q], local[q], asof[q], np.tile(every, (q.stop - first, 1)))
                    y[q] = network.rank_all(context[q], items, values[q], x).numpy()
        return y

    def _why(self, users, local, timestamps, items):
        if self.network != "fm":
            raise NotImplementedError(f"{type(self).__name__}: got explain=True with network={self.network!r}, want 'fm': "
                                      "of the three its score alone is a sum of parts")
        features, asof = self.features_, self.features_.asof(timestamps)
        context, values = features.context(users, local, asof)
        x = features.candidates(users, local, asof, items[:, None])[:, 0] if features.numbers else None
        *fields, venue, category = features.start
        fields += ["history"] * (context.shape[1] - len(fields))           # a bag of venues, the last of the context
        index = np.concatenate([context, features.items[items]], axis=1)
        values = np.concatenate([values, np.ones((len(items), 2), values.dtype)], axis=1)
        return explained(fm_contributions(self.network_, [*fields, venue, category], index, values, x))


class _Ranked(nn.Module):
    """The network in the form that Trainer calls: context, its values, candidates, numbers -> (B, 1 + N)"""

    def __init__(self, network):
        self.network = network

    def forward(self, context, values, candidates, x):
        if isinstance(self.network, NeuralTFNetwork):
            return self.network.rank(context, candidates[:, :, :1])
        return self.network.rank(context, candidates, values, numbers=x)
