"""Recommender: what every model offers, in scikit-learn's manner: fit, predict, recommend, save, load.

A subclass says what its tables of features are, how it learns (`_fit`), how it scores pairs (`_score`) and what it has
learned (`_state`, `_restore`); what a user may pass, what an unknown id means and which items a list may hold is settled
here, once; parameters and files are `Estimator`'s.
"""

import numpy as np

from .datasets import Interactions
from .estimator import Estimator, NotFittedError, best_lists
from .features import FeatureTable, id_array
from .ranking_metrics import check_k

__all__ = ["NotFittedError", "Recommender"]


class Recommender(Estimator):
    """Base of all rating models. Parameters are those of __init__, kept under their names.

    After fit: `users_`, `items_` (FeatureTables: id -> row, row 0 for unknown ids), `mean_` (of the training ratings),
    `rating_range_`, and `history_` (a DataFrame) where the model trains in epochs.
    """

    user_fields = ()
    item_fields = ()
    output = "rating"  # what predict gives: "rating" (clipped to the scale) or "probability" (that the user likes it)

    # ---------------------------------------------------------------- for subclasses
    def _fit(self, users, items, ratings, valid):
        """Learn from codes (n,), (n,) and ratings (n,). valid: the same triple, or None."""
        raise NotImplementedError(f"{type(self).__name__} defines no _fit")

    def _score(self, users, items):
        """Scores (n,) of pairs of codes (n,), (n,); code 0 is an unknown user or item."""
        raise NotImplementedError(f"{type(self).__name__} defines no _score")

    # ---------------------------------------------------------------- fit
    def fit(self, train, valid=None, **settings):
        """Learn from `train`; choose epochs on `valid` where the model has any to choose. Returns self.

        Both are Interactions, or DataFrames with the columns user, item and rating. settings: what `refit` passes on.
        """
        train = self._interactions("train", train)
        valid = None if valid is None else self._interactions("valid", valid)
        self._fitted = False
        self.users_ = FeatureTable([*train.users.index, *train.users_seen], train.users, self.user_fields)
        self.items_ = FeatureTable([*train.items.index, *train.items_seen], train.items, self.item_fields)
        self.rating_range_ = tuple(float(x) for x in train.rating_range)
        users, items, ratings = self._encode(train)
        self.mean_ = float(ratings.mean(dtype=np.float64))
        self._remember(users, items)
        self._fit(users, items, ratings, None if valid is None else self._encode(valid), **settings)
        self._fitted = True
        return self

    def _interactions(self, what, data):
        if not isinstance(data, Interactions):
            if not hasattr(data, "columns"):
                raise TypeError(f"{type(self).__name__}.fit: got {what} of type {type(data).__name__}, want Interactions or "
                                "a DataFrame with the columns user, item and rating")
            data = Interactions(data)
        if len(data) == 0:
            raise ValueError(f"{type(self).__name__}.fit: {what} has no ratings, want at least one" +
                             (" (to train without validation leave it out)" if what == "valid" else ""))
        return data

    def _encode(self, data):
        frame = data.frame
        return (self.users_.codes(frame["user"].to_numpy()), self.items_.codes(frame["item"].to_numpy()),
                frame["rating"].to_numpy(np.float32))

    def _remember(self, users, items):
        """Which items each user has rated (for exclude_seen): items sorted by user, and where each user starts."""
        order = np.argsort(users, kind="stable")
        self._seen_items = items[order]
        self._seen_start = np.searchsorted(users[order], np.arange(len(self.users_) + 1))

    # ---------------------------------------------------------------- predict
    def predict(self, users, items=None):
        """Predictions (n,) for pairs of ids: predict(users, items), or predict(data) with Interactions or a DataFrame.

        Ratings are clipped to the scale. An unknown user or item is an average one, of whom nothing else is known.
        """
        self._check_fitted()
        scores = self._finite(self._score(*self._pairs(users, items)))
        return np.clip(scores, *self.rating_range_) if self.output == "rating" else scores

    def _pairs(self, users, items):
        """Codes (n,), (n,) of what a user passes as pairs of ids: see `predict`."""
        if items is None:
            frame = users.frame if isinstance(users, Interactions) else users
            missing = [c for c in ("user", "item") if c not in getattr(frame, "columns", ())]
            if missing:
                raise ValueError(f"predict: got a {type(frame).__name__} without {' and '.join(missing)}, want "
                                 "predict(users, items), or Interactions or a DataFrame with the columns user and item")
            users, items = frame["user"], frame["item"]
        users, items = id_array(users), id_array(items)
        if users.shape != items.shape or users.ndim != 1:
            raise ValueError(f"predict: got users of shape {users.shape} and items of shape {items.shape}, want two lists "
                             "of the same length")
        return self.users_.codes(users), self.items_.codes(items)

    # ---------------------------------------------------------------- recommend
    def recommend(self, users, k=10, exclude_seen=True, explain=False):
        """The k items with the highest scores for each user: a DataFrame of user, rank (from 1), item, score.

        users: a list of ids, or one; a user who is named twice gets two lists. exclude_seen: leave out what the user
        rated in the training data. The candidates are all items that have a training rating: of the others nothing was
        learned. Where fewer than k are left the list is shorter. An unknown user gets the average user's list. Equal
        scores stand in the order of item ids; scores of ratings are not clipped to the scale, which would make more equal.
        explain: a column more, why, {what: its part of the score}; for models whose score is a sum (`explanations.py`).
        """
        self._check_fitted()
        users, k = np.atleast_1d(id_array(users)), check_k("recommend", k)
        codes, candidates = self.users_.codes(users), np.unique(self._seen_items)
        lists = best_lists(users, self.items_.ids[candidates - 1], k,
                           lambda rows: self._ranking_scores(codes[rows], candidates, exclude_seen))
        if explain:
            lists["why"] = self._why(self.users_.codes(lists["user"]), self.items_.codes(lists["item"]))
        return lists

    def _ranking_scores(self, users, items, exclude_seen):
        """Scores (b, n) of every item code for every user code, -inf where the user has seen the item."""
        scores = self._finite(self._score(np.repeat(users, len(items)), np.tile(items, len(users)))).reshape(len(users), -1)
        for row, user in enumerate(users if exclude_seen else ()):
            seen = self._seen_items[self._seen_start[user]:self._seen_start[user + 1]]
            scores[row, np.searchsorted(items, seen)] = -np.inf
        return scores

    # ---------------------------------------------------------------- save, load
    def _store(self):
        return {"users": self.users_.state(), "items": self.items_.state(), "mean": self.mean_,
                "rating_range": self.rating_range_, "seen_items": self._seen_items, "seen_start": self._seen_start}

    def _take_back(self, tree):
        self.users_, self.items_ = FeatureTable.from_state(tree["users"]), FeatureTable.from_state(tree["items"])
        self.mean_, self.rating_range_ = tree["mean"], tuple(tree["rating_range"])
        self._seen_items, self._seen_start = tree["seen_items"], tree["seen_start"]
