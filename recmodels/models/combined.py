"""All in one: rating models combined, as one network that is trained jointly, or each on its own and then blended.

    CombinedJoint     y = mu + sum_n alpha_n y_n      networks only: one network, one loss, one optimizer
    CombinedBlended   y = b + sum_n w_n y_n           any models, fitted one by one; w and b learned from validation ratings

The slide "All in one" says that neural versions of regression, matrix and tensor factorization and factorization machines
"can be easily integrated". Joint training and ensembles differ as Cheng et al. 2016 (section 3.3) say: parts that are
trained together need only make up for each other's weaknesses, parts of an ensemble must each be good alone.

How `models` names the parts: `combined_parts.py`.
"""

import numpy as np

from tinydl import nn

from ..combined_parts import feature_tables, plain_models, rating_parts
from ..features import FeatureTable
from ..neural import NeuralRecommender
from ..recommender import Recommender
from .bayesian_mf import BayesianNeuralMF


# ---------------------------------------------------------------- trained jointly
class CombinedNetwork(nn.Module):
    """y = mu + alpha_1 y_1 + ... + alpha_N y_N, where y_n is what network n says;   user, item (B,) -> y (B,)

    alpha_n = 1; with `weighted` it is learned from there. The networks were made with mean 0: mu counts once.
    """

    def __init__(self, networks, weighted, mean):
        self.parts, self.mean = nn.ModuleList(networks), mean
        self.register_parameter("alpha", nn.Parameter(np.ones(len(networks), np.float32)) if weighted else None)

    def forward(self, user, item):
        y = self.mean
        for n, part in enumerate(self.parts):
            y_n = part(user, item)
            y = y + (y_n if self.alpha is None else self.alpha[n] * y_n)
        return y

    def reads(self, users, items):
        return [read for part in self.parts for read in part.reads(users, items)]

    def decayed_tables(self):
        return [table for part in self.parts for table in part.decayed_tables()]


class CombinedJoint(NeuralRecommender):
    """Networks as parts of one: their outputs are added and one loss, that of the parts, trains them all at once.

    models: of MODELS, networks only; their dictionaries may hold what makes a network (k, hidden, dropout, ..), not how one
    is trained (epochs, lr, ..): that is said here, once for all parts. weighted: learn the weights alpha_n of the sum.
    After fit also `parts_`: whose networks the parts are.
    """

    def __init__(self, models=("neural-mf-2", "fm"), weighted=False, epochs=15, patience=3, batch_size=2048, lr=2e-3,
                 weight_decay=0.6, seed=0, verbose=False):
        self._keep(locals())
        self.models = plain_models(models)
        first = self._make_parts()[0]
        self.output, self.threshold = first.output, getattr(first, "threshold", None)

    def _make_parts(self):
        parts = rating_parts(self.models, self.seed, self.verbose)
        for part, said in zip(parts, self.models, strict=True):
            if not isinstance(part, NeuralRecommender) or isinstance(part, CombinedJoint):
                raise ValueError(f"CombinedJoint: got {said!r}, which is not one network, want networks: name the parts of "
                                 "a combination themselves, and blend other models (CombinedBlended)")
            if isinstance(part, BayesianNeuralMF):
                raise ValueError(f"CombinedJoint: got {said!r}, whose network says its noise beside its prediction, want "
                                 "networks that say one number a pair; blend it with other models (CombinedBlended)")
            for name in said if isinstance(said, dict) else ():
                if name in self._names():
                    raise ValueError(f"CombinedJoint: got {name!r} for a part, {said!r}, want it for the whole: "
                                     f"CombinedJoint({name}={said[name]!r}), since all parts are trained at once")
            if type(part)._loss is not type(parts[0])._loss:
                raise ValueError(f"CombinedJoint: got {self.models!r}, whose losses differ, want parts with one loss")
            part._check_parameters()
            part.mean_ = 0.0
        return parts

    def fit(self, train, valid=None, **settings):
        train = self._interactions("train", train)
        self.parts_ = self._make_parts()
        for part in self.parts_:
            part.users_ = FeatureTable([*train.users.index, *train.users_seen], train.users, part.user_fields)
            part.items_ = FeatureTable([*train.items.index, *train.items_seen], train.items, part.item_fields)
        return super().fit(train, valid, **settings)

    def _network(self, rng):
        mean = self.mean_ if self.output == "rating" else 0.0
        return CombinedNetwork([part._network(rng) for part in self.parts_], self.weighted, mean)

    def _loss(self, output, target):
        return self.parts_[0]._loss(output, target)

    def _target(self, ratings):
        return self.parts_[0]._target(ratings)

    def _predicted(self, output):
        return self.parts_[0]._predicted(output)

    def _state(self):
        return {**super()._state(), "tables": feature_tables(self.parts_)}

    def _restore(self, state):
        self.parts_ = self._make_parts()
        for part, (users, items) in zip(self.parts_, state["tables"], strict=True):
            part.users_, part.items_ = FeatureTable.from_state(users), FeatureTable.from_state(items)
        super()._restore(state)


# ---------------------------------------------------------------- fitted one by one and blended
def blend_ratings(y, r, reg):
    """(w (N,), b): minimise sum_e (r_e - b - w'y_e)^2 + reg ||w - 1/N||^2 over w >= 0 and b;   y (E, N), r (E,)

    b makes the errors' mean 0, so y and r are centred and b is left out of the problem, which is then one of non-negative
    least squares (Lawson and Hanson 1974). reg pulls towards the plain mean of the parts, as so many ratings more would.
    """
    from scipy.optimize import nnls

    N = y.shape[1]
    w, _ = nnls(np.concatenate([y - y.mean(axis=0), np.sqrt(reg) * np.eye(N)]),
                np.concatenate([r - r.mean(), np.full(N, np.sqrt(reg) / N)]))
    return w, float(r.mean() - y.mean(axis=0) @ w)


def blend_likes(z, t, reg):
    """(w (N,), b): minimise sum_e log-loss(t_e, sigmoid(b + w'z_e)) + reg / 2 ||w - 1/N||^2 over w >= 0 and b

    z (E, N) are the parts' logits, t (E,) is 1 for a like. A convex problem; its gradient is sum_e (p_e - t_e) [z_e, 1].
    """
    from scipy.optimize import minimize

    E, N = z.shape

    def loss(x):
        w, y = x[:N], z @ x[:N] + x[N]
        error = 0.5 * (1 + np.tanh(y / 2)) - t
        return (np.sum(np.logaddexp(0, y) - t * y) + reg / 2 * np.sum((w - 1 / N) ** 2),
                np.append(error @ z + reg * (w - 1 / N), error.sum()))

    best = minimize(loss, np.append(np.full(N, 1 / N), 0.0), jac=True, method="L-BFGS-B",
                    bounds=[(0, None)] * N + [(None, None)], options={"ftol": 1e-14, "gtol": 1e-8 * E})
    return best.x[:N], float(best.x[N])


class CombinedBlended(Recommender):
    """y = b + sum_n w_n y_n, w_n >= 0: models that were fitted one by one, weighted by what they are worth together.

    w and b are those that explain the validation ratings best, which the parts have not learned from (stacking; Wolpert
    1992, Breiman 1996 for w_n >= 0): squared error of ratings; for likes y and y_n are logits, and log-loss. A part that
    chooses its epochs has used the same validation ratings for that one choice. `refit` fits the parts again, to training
    and validation ratings, and keeps w and b: then there are no ratings left to learn them from.

        models          of MODELS, any of them with the same output
        reg             pulls the weights towards 1/N each, as much as so many ratings would
        seed, verbose   for the parts that have them; part n has the seed `seed` + n

    After fit: `parts_` (fitted models), `weights_` (N,), `intercept_`.
    """

    def __init__(self, models=("biased-mf", "neural-mf-2", "wide-deep", "fm"), reg=10.0, seed=0, verbose=False):
        self.models, self.reg, self.seed, self.verbose = plain_models(models), reg, seed, verbose
        first = self._make_parts()[0]
        self.output, self.threshold = first.output, getattr(first, "threshold", None)

    def _make_parts(self):
        if not 0 <= self.reg < np.inf:
            raise ValueError(f"CombinedBlended: got reg={self.reg!r}, want a finite number of at least 0")
        return rating_parts(self.models, self.seed, self.verbose)

    def fit(self, train, valid=None):
        if valid is None:
            raise ValueError("CombinedBlended.fit: got no validation ratings, want fit(train, valid): the weights are "
                             "learned from them")
        self._fitted = False
        train, valid = self._interactions("train", train), self._interactions("valid", valid)
        self.parts_ = [part.fit(train, valid) for part in self._make_parts()]
        return super().fit(train, valid)

    def refit(self, data):
        """A new model: the parts refitted to all of `data`, with the weights of this one."""
        self._check_fitted()
        again = self.clone()
        again.parts_ = [part.refit(data) for part in self.parts_]
        again.weights_, again.intercept_ = self.weights_, self.intercept_
        return super(CombinedBlended, again).fit(data)

    def _fit(self, users, items, ratings, valid):
        if valid is None:  # a refit: the weights are there
            return
        y = self._part_scores(*valid[:2])
        if self.output == "rating":
            self.weights_, self.intercept_ = blend_ratings(y, valid[2].astype(np.float64), self.reg)
        else:
            self.weights_, self.intercept_ = blend_likes(y, valid[2] >= self.threshold, self.reg)

    def _part_scores(self, users, items):
        """y_n of every part: (E, N). The codes are the parts' own: all were fitted to the same users and items."""
        y = np.stack([part._score(users, items) for part in self.parts_], axis=1)
        if self.output == "rating":
            return y
        p = np.clip(y, 1e-7, 1 - 1e-7)  # float32 may say 0 or 1, whose logit is infinite
        return np.log(p) - np.log1p(-p)

    def _score(self, users, items):
        y = self._part_scores(users, items) @ self.weights_ + self.intercept_
        return y if self.output == "rating" else 0.5 * (1 + np.tanh(y / 2))

    def num_parameters(self):
        """How many numbers the parts have learned, and the weights and b."""
        self._check_fitted()
        return sum(part.num_parameters() for part in self.parts_) + len(self.parts_) + 1

    def _state(self):
        return {"weights": self.weights_, "intercept": self.intercept_, "tables": feature_tables(self.parts_),
                "parts": [part._state() for part in self.parts_]}

    def _restore(self, state):
        self.weights_, self.intercept_, self.parts_ = state["weights"], state["intercept"], self._make_parts()
        shared = self._store()  # ids, seen items, mean: what the parts were fitted to is what the whole was
        for part, (users, items), learned in zip(self.parts_, state["tables"], state["parts"], strict=True):
            part._take_back({**shared, "users": users, "items": items})
            part._restore(learned)
            part._fitted = True
