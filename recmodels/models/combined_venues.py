"""CombinedVenues: models of check-ins blended, as a mixture of what each says of the venues: a counter beside Neural FM."""

import copy

import numpy as np

from ..checkin_recommender import CheckInRecommender
from ..combined_parts import make_parts, plain_models

SCALES = 2.0 ** np.arange(-3, 3.5, 0.5)  # the sharpness that a part's scores may be given
_LEAST = 1e-6  # of each part's probability is spread over all venues: nothing is impossible


class CombinedVenues(CheckInRecommender):
    """score_i = log sum_n w_n p_n(i | query),   w_n >= 0, sum_n w_n = 1

        p_n(i) = y_i / sum_j y_j                                  where the part's scores y are counts, never negative
        p_n(i) = exp(s_n y_i) / sum_j exp(s_n y_j)                elsewhere; s_n in SCALES gives validation most likelihood

    A mixture of experts with fixed shares (linear opinion pool; Jacobs et al. 1991 with a gate that sees no input). The
    parts' scores have no common unit, their probabilities have. A mixture keeps what either part is sure of: habits, of
    which a counter knows most, and venues where the user has never been, on which a counter has nothing to say.

    w maximises sum_q log sum_n w_n p_n(target of q) over the validation check-ins, which the parts have not learned from
    (`mixture_weights`), in the regime of the fit: fit(train, valid) looks back on the training part from all of them,
    fit(train, valid, log) until each. `refit` fits the parts to all data, and keeps w and s.

        models          of CHECKIN_MODELS, by name or as {"model": name, parameter: value}
        seed, verbose   for the parts that have them; part n has the seed `seed` + n

    After fit: `parts_` (fitted models), `weights_` (N,), `scales_` (N,), 0 for a part whose scores are counts.
    """

    parts_ = ()

    def __init__(self, models=("user-slot-decay", "item-knn"), seed=0, verbose=False):
        self.models, self.seed, self.verbose = plain_models(models), seed, verbose
        self._make_parts()

    def _make_parts(self):
        from . import CHECKIN_MODELS  # which is made of this module, among others

        return make_parts(self.models, CHECKIN_MODELS, self.seed, self.verbose)

    # ---------------------------------------------------------------- fitting
    def fit(self, train, valid=None, log=None):
        if valid is None:
            raise ValueError("CombinedVenues.fit: got no validation check-ins, want fit(train, valid): the weights are "
                             "learned from them")
        self._fitted = False
        self.parts_ = [part.fit(train, valid, log) for part in self._make_parts()]
        return super().fit(train, valid, log)

    def refit(self, data, log=None):
        """A new model: the parts refitted to all of `data`, with the weights of this one."""
        self._check_fitted()
        again = self.clone()
        again.parts_ = [part.refit(data, log) for part in self.parts_]
        again.weights_, again.scales_ = self.weights_, self.scales_
        return super(CombinedVenues, again).fit(data, log=log)

    def _read_log(self):
        self.parts_ = [copy.copy(part) for part in self.parts_]  # another model may have the same parts, and another log
        for part in self.parts_:
            part.log_, part.trained_ = self.log_, self.trained_
            part._read_log()

    def _fit(self, train, valid, block=256):
        if valid is None:  # a refit: the weights are there
            return
        target = self.items_.get_indexer(valid.frame["item"])
        frame, target = valid.frame[target >= 0], target[target >= 0]
        if len(target) == 0:
            raise ValueError("CombinedVenues.fit: no venue of valid has a training check-in, so there is nothing to learn "
                             "the weights from; want a later part of the same city, as in split.valid")
        query = self.log_.rows(frame["user"]), frame["local"].to_numpy(), frame["timestamp"].to_numpy()
        some = np.linspace(0, len(target) - 1, min(len(target), 2 * block)).astype(int)  # enough to choose a scale by
        self.scales_ = np.array([best_scale(part._finite(part._scores(*(x[some] for x in query))), target[some])
                                 for part in self.parts_])
        p = np.empty((len(target), len(self.parts_)))
        for start in range(0, len(target), block):
            rows = slice(start, start + block)
            for n, y in enumerate(self._part_probabilities(*(x[rows] for x in query))):
                p[rows, n] = y[np.arange(len(y)), target[rows]]
        self.weights_ = mixture_weights(p)

    # ---------------------------------------------------------------- scoring
    def _part_probabilities(self, *query):
        """p_n (Q, I), one part after another."""
        for part, scale in zip(self.parts_, self.scales_, strict=True):
            yield probabilities(part._finite(part._scores(*query)), scale)

    def _scores(self, users, local, timestamps):
        p = self._part_probabilities(users, local, timestamps)
        return np.log(sum(w * p_n for w, p_n in zip(self.weights_, p, strict=True)))

    def num_parameters(self):
        """How many numbers the parts have learned, their weights and their scales."""
        self._check_fitted()
        return sum(part.num_parameters() for part in self.parts_) + 2 * len(self.parts_)

    # ---------------------------------------------------------------- save, load
    def _state(self):
        return {"weights": self.weights_, "scales": self.scales_, "parts": [part._state() for part in self.parts_]}

    def _restore(self, state):
        self.weights_, self.scales_ = state["weights"], state["scales"]
        parts, shared = self._make_parts(), self._store()  # what the parts were fitted to is what the whole was
        for part, learned in zip(parts, state["parts"], strict=True):
            part._take_back(shared)
            part._restore(learned)
            part._fitted = True
        self.parts_ = parts


def best_scale(y, target):
    """0 where no score is negative, so that they are counts; else the one of SCALES that makes the targets most likely."""
    if y.min() >= 0:
        return 0.0
    likelihood = [np.log(probabilities(y, scale)[np.arange(len(y)), target]).sum() for scale in SCALES]
    return float(SCALES[np.argmax(likelihood)])


def probabilities(y, scale):
    """(Q, I) scores -> probabilities whose rows sum to 1: shares of counts where scale is 0, else softmax of scale y.

    Shares take a negative count as none; a row without any count is uniform, and so is `_LEAST` of every row.
    """
    if scale:
        p = np.exp(scale * (y - y.max(axis=1, keepdims=True)))
    else:
        y = np.maximum(y, 0.0)
        p = np.where(y.any(axis=1, keepdims=True), y, 1.0)
    return (1 - _LEAST) * p / p.sum(axis=1, keepdims=True) + _LEAST / y.shape[1]


def mixture_weights(p, steps=10_000, tolerance=1e-10):
    """w (N,) that maximises sum_q log w'p_q, w >= 0 and sum_n w_n = 1;   p (Q, N), the likelihoods of Q by N parts

    EM (Dempster, Laird, Rubin 1977): w_n <- mean over q of w_n p_qn / w'p_q, the share of q that part n accounts for. It
    never makes the likelihood smaller, and the problem is concave: it ends at the maximum.
    """
    w = np.full(p.shape[1], 1 / p.shape[1])
    for _ in range(steps):
        before, w = w, np.mean(w * p / (p @ w)[:, None], axis=0)
        if np.abs(w - before).max() < tolerance:
            break
    return w
