"""Recommender: what every model offers, in scikit-learn's manner: fit, predict, recommend, save, load.

A subclass says what its tables of features are, how it learns (`_fit`) and how it scores pairs (`_score`); what a user
may pass, what an unknown id means, which items a list may hold and how a model is stored is settled here, once.
"""

import importlib
import inspect

import numpy as np

from tinydl.training import CheckpointError, load, save

from .features import FeatureTable


class NotFittedError(ValueError, AttributeError):
    """The model was asked for predictions before `fit`."""


class Recommender:
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

    def _state(self):
        """The learned arrays, for `save`."""
        raise NotImplementedError(f"{type(self).__name__} defines no _state")

    def _restore(self, state):
        """Take back what `_state` gave."""
        raise NotImplementedError(f"{type(self).__name__} defines no _restore")

    # ---------------------------------------------------------------- parameters
    @classmethod
    def _names(cls):
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self):
        """{name: value} of the constructor's parameters."""
        return {name: getattr(self, name) for name in self._names()}

    def clone(self, **changes):
        """An unfitted model with the same parameters, but for `changes`."""
        unknown = [name for name in changes if name not in self._names()]
        if unknown:
            raise TypeError(f"{type(self).__name__} has no parameter {unknown[0]!r}, only {', '.join(self._names())}")
        return type(self)(**{**self.get_params(), **changes})

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.get_params().items())})"

    # ---------------------------------------------------------------- fit
    def fit(self, train, valid=None):
        """Learn from `train` (Interactions); choose epochs on `valid` where the model has any to choose. Returns self."""
        if len(train) == 0:
            raise ValueError(f"{type(self).__name__}.fit: the training data is empty")
        self.users_ = FeatureTable(np.union1d(train.users.index, train.frame["user"]), train.users, self.user_fields)
        self.items_ = FeatureTable(np.union1d(train.items.index, train.frame["item"]), train.items, self.item_fields)
        self.rating_range_ = tuple(float(x) for x in train.rating_range)
        users, items, ratings = self._encode(train)
        self.mean_ = float(ratings.mean())
        self._remember(users, items)
        self._fit(users, items, ratings, None if valid is None else self._encode(valid))
        return self

    def refit(self, data):
        """A new model with the same parameters, fitted to all of `data`: training and validation ratings together."""
        return self.clone().fit(data)

    def num_parameters(self):
        """How many numbers were learned, beside the mean."""
        self._check_fitted()
        return sum(np.size(value) for value in self._state().values())

    def _encode(self, data):
        frame = data.frame
        return (self.users_.codes(frame["user"].to_numpy()), self.items_.codes(frame["item"].to_numpy()),
                frame["rating"].to_numpy(np.float32))

    def _remember(self, users, items):
        """Which items each user has rated (for exclude_seen): items sorted by user, and where each user starts."""
        order = np.argsort(users, kind="stable")
        self._seen_items = items[order]
        self._seen_start = np.searchsorted(users[order], np.arange(len(self.users_) + 1))

    def _check_fitted(self):
        if not hasattr(self, "users_"):
            raise NotFittedError(f"{type(self).__name__} is not fitted yet: call fit(train) first")

    # ---------------------------------------------------------------- predict
    def predict(self, users, items=None):
        """Predictions (n,) for pairs of ids: predict(users, items), or predict(data) with Interactions or a DataFrame.

        Ratings are clipped to the scale. An unknown user or item is an average one, of whom nothing else is known.
        """
        self._check_fitted()
        if items is None:
            frame = getattr(users, "frame", users)
            users, items = frame["user"].to_numpy(), frame["item"].to_numpy()
        users, items = np.asarray(users), np.asarray(items)
        if users.shape != items.shape or users.ndim != 1:
            raise ValueError(f"predict: got users of shape {users.shape} and items of shape {items.shape}, want two lists "
                             "of the same length")
        scores = self._score(self.users_.codes(users), self.items_.codes(items))
        return np.clip(scores, *self.rating_range_) if self.output == "rating" else scores

    # ---------------------------------------------------------------- recommend
    def recommend(self, users, k=10, exclude_seen=True):
        """The k items with the highest scores for each user: a DataFrame of user, rank (from 1), item, score.

        exclude_seen: leave out what the user rated in the training data. The candidates are all items that have a
        training rating: of the others nothing was learned. An unknown user gets the average user's list. Equal scores
        stand in the order of item ids.
        """
        import pandas

        self._check_fitted()
        users = np.atleast_1d(np.asarray(users))
        if k < 1 or k != int(k):
            raise ValueError(f"recommend: got k={k}, want a whole number of at least 1")
        candidates = np.unique(self._seen_items)
        parts = []
        for user, code in zip(users, self.users_.codes(users), strict=True):
            allowed = candidates
            if exclude_seen:
                seen = self._seen_items[self._seen_start[code]:self._seen_start[code + 1]]
                allowed = np.setdiff1d(candidates, seen, assume_unique=False)
            scores = self._score(np.full(len(allowed), code), allowed)
            if not np.all(np.isfinite(scores)):
                raise FloatingPointError(f"recommend: {type(self).__name__} gives nan or inf scores for user {user}; was "
                                         "its training stable?")
            best = np.argsort(-scores, kind="stable")[:int(k)]
            parts.append(pandas.DataFrame({"user": user, "rank": np.arange(1, len(best) + 1),
                                           "item": self.items_.ids[allowed[best] - 1], "score": scores[best]}))
        if not parts:
            raise ValueError("recommend: got no users")
        return pandas.concat(parts, ignore_index=True)

    # ---------------------------------------------------------------- save, load
    def save(self, path):
        """Write the fitted model to `path` (one .npz file, nothing pickled, whole or not at all)."""
        self._check_fitted()
        save({"class": [type(self).__module__, type(self).__name__], "params": self.get_params(),
              "users": self.users_.state(), "items": self.items_.state(), "mean": self.mean_,
              "rating_range": self.rating_range_, "seen_items": self._seen_items, "seen_start": self._seen_start,
              "model": self._state()}, path)

    @classmethod
    def load(cls, path):
        """The model that `save` wrote. Called on a class, it must be a model of that class."""
        tree = load(path)
        try:
            module, name = tree["class"]
        except (TypeError, KeyError, ValueError) as error:
            raise CheckpointError(f"load: {path} is a checkpoint, but not of a recommender") from error
        made = getattr(importlib.import_module(module), name, None) if module.startswith("recmodels.") else None
        if not (isinstance(made, type) and issubclass(made, cls)):
            raise CheckpointError(f"load: {path} holds a {name}, not a {cls.__name__}")
        self = made(**tree["params"])
        self.users_, self.items_ = FeatureTable.from_state(tree["users"]), FeatureTable.from_state(tree["items"])
        self.mean_, self.rating_range_ = tree["mean"], tuple(tree["rating_range"])
        self._seen_items, self._seen_start = tree["seen_items"], tree["seen_start"]
        self._restore(tree["model"])
        return self
