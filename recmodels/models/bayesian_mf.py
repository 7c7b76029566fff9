"""Bayesian Neural MF: a user's and a film's embedding are distributions, and a predicted rating comes with an interval."""

import numpy as np

from tinydl import nn, no_grad
from tinydl.nn.parameter import empty

from ..pairs import distinct
from .neural_mf import NeuralMF, NeuralMFNetwork

DRAWS = 20  # of the embeddings, for the spread of a prediction


class BayesianNeuralMFNetwork(NeuralMFNetwork):
    """Neural MF, with rows of tables that are distributions, and with a noise of each user's and film's own:

        r ~ N(y, sigma^2)         y of Neural MF;  log sigma^2 = s + s_u + s_m
        E_u, E_m, s_u, s_m ~ q    Gaussian tables; before the data each is N(0, prior^2), and its prior is learned too

    user, item (B,) -> (B, 2): y and log sigma^2; in training (B, 3), with the pair's share of the divergence, KL_u / n_u +
    KL_m / n_m: n_u, n_m training ratings name the rows, so that an epoch pays every row's KL once. The layers, to which all
    ratings speak, stay plain. scale: where the means' and q's deviations start.
    """

    def __init__(self, users, items, version, k, hidden, scale, mean, rng, n_u, n_m):
        super().__init__(users, items, version, k, hidden, False, 0.0, scale, mean, rng)
        self.E_u, self.E_m = (_gaussian_table(n, k, 2 * scale, scale, scale, rng) for n in (len(users), len(items)))
        self.s_u, self.s_m = (_gaussian_table(n, 1, 0.3, 0.1, 0.0, rng) for n in (len(users), len(items)))
        self.s = nn.init.zeros_(empty(1))
        for name, count in (("n_u", n_u), ("n_m", n_m)):
            self.register_buffer(name, np.maximum(1, count).astype(np.float32))

    def forward(self, user, item):
        y, log_variance = super().forward(user, item), self.log_variance(user, item)
        if not self.training:
            return np.stack([y, log_variance], axis=1)
        users, of_user = distinct(user, len(self.n_u))
        items, of_item = distinct(item, len(self.n_m))
        u = (self.E_u.kl(users) + self.s_u.kl(users)) / self.n_u[users]
        m = (self.E_m.kl(items) + self.s_m.kl(items)) / self.n_m[items]
        return np.stack([y, log_variance, u[of_user] + m[of_item]], axis=1)

    def log_variance(self, user, item):
        """log sigma^2 (B,)"""
        return self.s + (self.s_u(user) + self.s_m(item)).reshape(-1)

    def reads(self, users, items):
        return [*super().reads(users, items), (self.s_u, users, None), (self.s_m, items, None)]

    def decayed_tables(self):
        return ()

    def warm(self, users, items, kl_weight):
        """The deviations of q as they are at kl_weight 1, after training at another on the pairs users, items (n,).

        A row's precision is the prior's and what the ratings add, and the latter counted 1 / kl_weight times:

            1 / s^2 = 1 / prior^2 + a / kl_weight    becomes    1 / prior^2 + a;    a = 0 where no rating names the row
        """
        for table, codes in ((self.E_u, users), (self.s_u, users), (self.E_m, items), (self.s_m, items)):
            unread = np.bincount(codes, minlength=len(table.weight)) == 0
            prior = np.exp(-2 * table.prior.log_std.detach().numpy())                 # precisions
            added = kl_weight * np.maximum(0, table.std().detach().numpy() ** -2 - prior)
            added[unread] = 0
            table.weight_rho.copy_(np.log(np.expm1((prior + added) ** -0.5)))


def _gaussian_table(rows, k, prior, std, scale, rng):
    """A table (rows, k) of means from N(0, scale^2), its deviations at `std`, its prior's at `prior`."""
    table = nn.BayesianEmbedding(rows, k, prior=nn.GaussianPrior(prior, learned=True), std=std, rng=rng)
    nn.init.normal_(table.weight, 0, scale, rng=rng)
    return table


class BayesianNeuralMF(NeuralMF):
    """Neural MF whose ratings come with an interval: `predict(..., return_std=True)`, `predict_interval(..., level=0.9)`.

    What training makes small, by draws of the embeddings (Blundell et al. 2015; Kingma and Welling 2014):

        E_q[(r - y)^2 / (2 sigma^2) + log sigma] + kl_weight * KL(q || prior) / n

    It takes the place of weight decay. The predicted distribution of r is N(y, c (sigma^2 + spread^2)): y, cut to the scale,
    at the embeddings' means; sigma^2 the noise of this user and film; spread^2 = E_q[(y(draw) - y)^2] what the ratings leave
    open about them, over 20 draws that are the same for all predictions; c the mean of (r - y)^2 / (sigma^2 + spread^2) over
    the validation ratings, the factor that makes these most likely, or 1 without such.

    With kl_weight below 1 the embeddings are learned from a "cold" posterior (Wenzel et al. 2020), which is too narrow, as
    if each rating had been given 1 / kl_weight times; the spread is that of the posterior made warm again (`warm`).
    """

    def __init__(self, version=1, k=32, hidden=64, scale=0.05, kl_weight=0.1, epochs=15, patience=3, batch_size=2048,
                 lr=2e-3, seed=0, verbose=False):
        self._keep(locals())

    def _network(self, rng):
        n_u, n_m = np.diff(self._seen_start), np.bincount(self._seen_items, minlength=len(self.items_))
        return BayesianNeuralMFNetwork(self.users_, self.items_, self.version, self.k, self.hidden, self.scale, self.mean_,
                                       rng, n_u, n_m)

    # ---------------------------------------------------------------- fitting
    def _loss(self, output, target):
        """The divergence stands in the output where the network trains; validation judges the forecast alone."""
        error, log_variance = target - output[:, 0], output[:, 1]
        loss = 0.5 * (log_variance + error * error * np.exp(-log_variance) + np.log(2 * np.pi)).mean()
        return loss + self.kl_weight * output[:, 2].mean() if output.shape[1] == 3 else loss

    def _predicted(self, output):
        return output[:, 0]

    def _check_parameters(self):
        super()._check_parameters()
        if not self.kl_weight > 0 or not self.scale > 0:
            raise ValueError(f"{type(self).__name__}: got kl_weight={self.kl_weight!r} and scale={self.scale!r}, want both "
                             "above 0, as in kl_weight=0.1, scale=0.05")

    def _fit(self, users, items, ratings, valid, stop_after=None, factor=1.0):
        super()._fit(users, items, ratings, valid, stop_after)
        self.network_.warm(users, items, self.kl_weight)
        self.factor_ = factor
        if valid is not None:
            y, noise, spread = self._moments(*valid[:2])
            self.factor_ = float(np.mean((valid[2] - np.clip(y, *self.rating_range_)) ** 2 / (noise + spread)))

    def _parameter_groups(self):
        """rho moves ten times as fast: draws make its gradient noisy, and at lr deviations would stay where they started."""
        named = list(self.network_.named_parameters())
        rho, others = ([p for name, p in named if name.endswith("_rho") is wanted] for wanted in (True, False))
        return [{"params": others, "weight_decay": 0.0}, {"params": rho, "weight_decay": 0.0, "lr": 10 * self.lr}]

    def _refit_settings(self):
        return {**super()._refit_settings(), "factor": self.factor_}

    # ---------------------------------------------------------------- predicting
    def _moments(self, users, items):
        """y, sigma^2 and spread^2 (n,) of pairs of codes, as trained: without the factor."""
        y = self._score(users, items)
        with no_grad():
            noise = np.exp(self.network_.log_variance(users, items).numpy().astype(np.float64))
        spread = np.zeros(len(y))
        for draw in range(DRAWS):
            drawn = nn.posterior_draw(self.network_, np.random.default_rng([self.seed, draw]))
            spread += (self._score(users, items, drawn) - y) ** 2 / DRAWS
        return y, noise, spread

    def deviations(self, users, items=None):
        """(noise, spread) of each prediction, (n,) each: what the rating leaves to chance, and what the embeddings do.

        More ratings of a user or film make the second smaller, never the first. Their squares add up to that of the
        deviation that `predict` gives. users, items: as in `predict`.
        """
        self._check_fitted()
        _, noise, spread = self._moments(*self._pairs(users, items))
        return np.sqrt(self.factor_ * noise), np.sqrt(self.factor_ * spread)

    def predict(self, users, items=None, return_std=False):
        """Predictions (n,) as of every model; with return_std=True (predictions, standard deviations of the ratings)."""
        y = super().predict(users, items)
        return (y, np.hypot(*self.deviations(users, items))) if return_std else y

    def predict_interval(self, users, items=None, level=0.9):
        """(low, high), (n,) each: the rating lies in low <= r <= high with probability `level`.

        The central interval y +- z std of the Gaussian, z = Phi^-1((1 + level) / 2), cut to the scale of the ratings, ends
        included. It is of a rating to come, not of its mean.
        """
        if not 0 < level < 1:
            raise ValueError(f"predict_interval: got level={level!r}, want a probability between 0 and 1, as 0.9")
        from scipy.special import ndtri

        y, std = self.predict(users, items, return_std=True)
        half = ndtri((1 + level) / 2) * std
        return np.clip(y - half, *self.rating_range_), np.clip(y + half, *self.rating_range_)

    # ---------------------------------------------------------------- save, load
    def _state(self):
        return {**super()._state(), "factor": self.factor_}

    def _restore(self, state):
        super()._restore(state)
        self.factor_ = state["factor"]
