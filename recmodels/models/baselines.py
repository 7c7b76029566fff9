"""Baselines: what a model must beat before it may be called one. Means, biases, and ridge and logistic regression."""

import numpy as np

from ..features import Dense, MultiHot, OneHot
from ..recommender import Recommender


class GlobalMean(Recommender):
    """y = mu, the mean training rating."""

    def __init__(self):
        pass

    def _fit(self, users, items, ratings, valid):
        pass

    def _score(self, users, items):
        return np.full(len(users), self.mean_)

    def _state(self):
        return {}

    def _restore(self, state):
        pass


class Biases(Recommender):
    """y = mu + b_u + b_i;   minimise sum (r - y)^2 + reg_user sum b_u^2 + reg_item sum b_i^2

    Solved by alternating closed forms, b_u = sum_i (r - mu - b_i) / (n_u + reg_user), until nothing moves. An unknown
    user or item has bias 0. (Koren 2010, "Factor in the neighbors", baseline estimates.)
    """

    def __init__(self, reg_user=5.0, reg_item=2.0, sweeps=30):
        self.reg_user, self.reg_item, self.sweeps = reg_user, reg_item, sweeps

    def _fit(self, users, items, ratings, valid):
        self.b_u_, self.b_i_ = bias_terms(users, items, ratings.astype(np.float64) - self.mean_, len(self.users_),
                                          len(self.items_), self.reg_user, self.reg_item, self.sweeps)

    def _score(self, users, items):
        return self.mean_ + self.b_u_[users] + self.b_i_[items]

    def _state(self):
        return {"b_u": self.b_u_, "b_i": self.b_i_}

    def _restore(self, state):
        self.b_u_, self.b_i_ = state["b_u"], state["b_i"]


def bias_terms(users, items, rest, n_users, n_items, reg_user=5.0, reg_item=2.0, sweeps=30):
    """(b_u (n_users,), b_i (n_items,)) that minimise sum (rest - b_u - b_i)^2 + reg_user sum b_u^2 + reg_item sum b_i^2"""
    n_user, n_item = np.bincount(users, minlength=n_users), np.bincount(items, minlength=n_items)
    b_u, b_i = np.zeros(n_users), np.zeros(n_items)
    for _ in range(sweeps):
        b_i = np.bincount(items, rest - b_u[users], n_items) / (n_item + reg_item)
        b_u = np.bincount(users, rest - b_i[items], n_users) / (n_user + reg_user)
    return b_u, b_i


class _LinearOnAttributes(Recommender):
    """Shared by ridge and logistic regression: x = [1, user's one-hot fields, item's dense and multi-hot fields]."""

    user_fields = (OneHot("gender"), OneHot("age"), OneHot("occupation"))
    item_fields = (MultiHot("genres"), Dense("year"))

    def _design(self):
        """Users' rows (U + 1, V) and items' rows (I + 1, P): x is one of each, side by side."""
        onehot = np.zeros((len(self.users_), self.users_.vocabulary))
        np.put_along_axis(onehot, self.users_.onehot, 1.0, axis=1)
        return onehot, self.items_.dense.astype(np.float64)

    def _linear(self, users, items):
        onehot, dense = self._design()
        split = onehot.shape[1]
        return (onehot @ self.w_[:split])[users] + (dense @ self.w_[split:])[items] + self.w0_

    def _state(self):
        return {"w": self.w_, "w0": self.w0_}

    def _restore(self, state):
        self.w_, self.w0_ = state["w"], state["w0"]


class RidgeRegression(_LinearOnAttributes):
    """y = w0 + w'x on the attributes;   minimise sum (r - y)^2 + reg ||w||^2

    No IDs: what a linear model makes of who the user is and what the film is. Solved by the normal equations, whose
    sums run over users and items, not over ratings: x is a user's row beside an item's row.
    """

    def __init__(self, reg=10.0):
        self.reg = reg

    def _fit(self, users, items, ratings, valid):
        onehot, dense = self._design()
        n_user, n_item = np.bincount(users, minlength=len(onehot)), np.bincount(items, minlength=len(dense))
        rest = ratings.astype(np.float64) - self.mean_
        counts = _pair_sums(users, items, dense, len(onehot))
        gram = np.block([[onehot.T @ (n_user[:, None] * onehot), onehot.T @ counts],
                         [counts.T @ onehot, dense.T @ (n_item[:, None] * dense)]])
        mean = np.concatenate([n_user @ onehot, n_item @ dense]) / len(ratings)
        gram -= len(ratings) * np.outer(mean, mean)
        moment = np.concatenate([np.bincount(users, rest, len(onehot)) @ onehot,
                                 np.bincount(items, rest, len(dense)) @ dense])
        self.w_ = np.linalg.solve(gram + self.reg * np.eye(len(gram)), moment)
        self.w0_ = self.mean_ - float(mean @ self.w_)

    def _score(self, users, items):
        return self._linear(users, items)


def _pair_sums(users, items, dense, size):
    """(U + 1, P): for each user the sum of the dense rows of the items he rated."""
    from scipy.sparse import csr_matrix

    return csr_matrix((np.ones(len(users)), (users, items)), shape=(size, len(dense))) @ dense


class LogisticRegression(_LinearOnAttributes):
    """P(like) = sigmoid(w0 + w'x) on the attributes, "like" a rating of at least `threshold`; reg ||w||^2 / 2 on top.

    Newton's method: w -= H^-1 g with H = sum p (1 - p) xx'. Ten steps are plenty: the problem is convex.
    """

    output = "probability"

    def __init__(self, threshold=4.0, reg=10.0, steps=10):
        self.threshold, self.reg, self.steps = threshold, reg, steps

    def _fit(self, users, items, ratings, valid):
        from scipy.sparse import csr_matrix

        like = (ratings >= self.threshold).astype(np.float64)
        onehot, dense = self._design()
        split, size = onehot.shape[1], onehot.shape[1] + dense.shape[1]
        self.w_, self.w0_ = np.zeros(size), 0.0
        shape = (len(onehot), len(dense))
        penalty = self.reg * np.diag(np.append(np.ones(size), 0.0))
        ones_user, ones_item = np.ones((len(onehot), 1)), np.ones((len(dense), 1))
        for _ in range(self.steps):
            p = 1 / (1 + np.exp(-self._linear(users, items)))
            error, spread = csr_matrix((p - like, (users, items)), shape), csr_matrix((p * (1 - p), (users, items)), shape)
            gradient = np.concatenate([onehot.T @ (error @ ones_item)[:, 0], dense.T @ (error.T @ ones_user)[:, 0],
                                       [error.sum()]]) + penalty @ np.append(self.w_, self.w0_)
            n_user, n_item, cross = spread @ ones_item, spread.T @ ones_user, spread @ dense
            middle = np.concatenate([onehot.T @ n_user, dense.T @ n_item])
            hessian = np.block([[onehot.T @ (n_user * onehot), onehot.T @ cross, middle[:split]],
                                [cross.T @ onehot, dense.T @ (n_item * dense), middle[split:]],
                                [middle.T, spread.sum()]]) + penalty + 1e-9 * np.eye(size + 1)
            step = np.linalg.solve(hessian, gradient)
            self.w_, self.w0_ = self.w_ - step[:-1], self.w0_ - float(step[-1])

    def _score(self, users, items):
        return 1 / (1 + np.exp(-self._linear(users, items)))
