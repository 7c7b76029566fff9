"""ImplicitRecommender: what every model of implicit feedback offers: fit, scores, recommend, save, load.

Implicit feedback says who chose what, and nothing of what was not liked: each row of the data is a positive, and its rating
is not looked at (`implicit_evaluation.liked` makes such data of ratings). A subclass defines

    _fit(valid)                  learn from `start_`, `seen_`; valid: (users (n,), items (n,)) of rows, or None
    _scores(users)               (Q, I) scores of every item for users of these rows
    _state(), _restore(state)    {name: learned arrays}, and back

and may use

    users_, items_    (U,), (I,) pandas.Index: the ids of the training part, sorted; a row is a place in them
    start_, seen_     user u's items are seen_[start_[u]:start_[u + 1]], sorted, each once
    count_            (I,) how many users each item has

A user without a training item is unknown: he gets `count_`, what is popular, as scores. An item without a training
user is in no list: nothing was learned of it.
"""

import numpy as np

from .datasets import Interactions
from .estimator import Estimator, best_lists
from .features import id_array
from .negatives import known_by_user
from .ragged import row_of, take
from .ranking_metrics import check_k
from .visit_log import ids_state


class ImplicitRecommender(Estimator):
    """Base of all models of implicit feedback. Parameters are those of __init__, kept under their names."""

    # ---------------------------------------------------------------- for subclasses
    def _fit(self, valid):
        raise NotImplementedError(f"{type(self).__name__} defines no _fit")

    def _scores(self, users):
        raise NotImplementedError(f"{type(self).__name__} defines no _scores")

    # ---------------------------------------------------------------- fit
    def fit(self, train, valid=None, **settings):
        """Learn from `train`; choose epochs on `valid` where the model has any to choose. Returns self.

        Both are Interactions, every row of which is a positive. A pair of `train` that is there twice counts once. Of
        `valid` only users and items of `train` are looked at, and no pair of `train`. settings: what `refit` passes on.
        """
        import pandas

        for what, data in (("train", train), ("valid", valid)):
            if data is None and what == "valid":
                continue
            if not isinstance(data, Interactions):
                raise TypeError(f"{type(self).__name__}.fit: got {what} of type {type(data).__name__}, want Interactions: "
                                "make them of a DataFrame with the columns user, item and rating")
            if len(data) == 0:
                raise ValueError(f"{type(self).__name__}.fit: {what} has no rows, want at least one" +
                                 (" (to train without validation leave it out)" if what == "valid" else ""))
        self._fitted = False
        self.users_, self.items_ = pandas.Index(train.users_seen), pandas.Index(train.items_seen)
        self._know(*known_by_user(*self._rows(train), len(self.users_)))
        self._fit(None if valid is None else self._new_pairs(valid), **settings)
        self._fitted = True
        return self

    def _know(self, start, seen):
        self.start_, self.seen_ = start, seen
        self.count_ = np.bincount(seen, minlength=len(self.items_))

    def _rows(self, data):
        """(users (n,), items (n,)), -1 where unknown."""
        return self.users_.get_indexer(data.frame["user"]), self.items_.get_indexer(data.frame["item"])

    def _new_pairs(self, valid):
        user, item = self._rows(valid)
        pairs, seen = user * len(self.items_) + item, self._user_of_seen() * len(self.items_) + self.seen_
        new = (user >= 0) & (item >= 0) & ~np.isin(pairs, seen)
        if not new.any():
            raise ValueError(f"{type(self).__name__}.fit: valid has no pair of a user and an item of train that is not in "
                             "train itself, want some, as in split.valid")
        return tuple(part[new] for part in (user, item))

    def _user_of_seen(self):
        return row_of(self.start_)

    # ---------------------------------------------------------------- scores
    def scores(self, users):
        """y (Q, I) of every item of `items_` for users (Q,) of ids. Q I numbers: ask for some hundreds at a time."""
        self._check_fitted()
        rows = self.users_.get_indexer(np.atleast_1d(id_array(users)))
        known = np.flatnonzero(rows >= 0)
        y = np.tile(self.count_.astype(np.float64), (len(rows), 1))
        if len(known):
            y[known] = self._finite(self._scores(rows[known]))
        return y

    def seen_by(self, users):
        """(start (Q + 1,), items) of the training items of users (Q,) of ids, unknown ones without any: item numbers."""
        self._check_fitted()
        rows = self.users_.get_indexer(np.atleast_1d(id_array(users)))
        start, seen = np.append(self.start_, self.start_[-1]), self.seen_  # the last row is for those who are unknown
        return take((start, seen), np.where(rows < 0, len(self.users_), rows))

    def recommend(self, users, k=10, exclude_seen=True):
        """The k items with the highest scores for each user: a DataFrame of user, rank (from 1), item, score.

        users: a list of ids, or one. exclude_seen: leave out the user's training items. Where fewer than k are left
        the list is shorter. An unknown user gets what is popular. Equal scores stand in the order of item ids.
        """
        self._check_fitted()
        users, k = np.atleast_1d(id_array(users)), check_k("recommend", k)

        def scores(block):
            y = self.scores(users[block])
            if exclude_seen:
                start, items = self.seen_by(users[block])
                y[row_of(start), items] = -np.inf
            return y
        return best_lists(users, self.items_, k, scores)

    # ---------------------------------------------------------------- save, load
    def _store(self):
        return {"users": ids_state(self.users_), "items": ids_state(self.items_), "start": self.start_, "seen": self.seen_}

    def _take_back(self, tree):
        import pandas

        self.users_, self.items_ = pandas.Index(tree["users"]), pandas.Index(tree["items"])
        self._know(tree["start"], tree["seen"])
