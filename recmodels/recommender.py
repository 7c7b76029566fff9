"""Recommender: what every model offers, in scikit-learn's manner: fit, predict, recommend, save, load.

A subclass says what its tables of features are, how it learns (`_fit`) and how it scores pairs (`_score`); what a user
may pass, what an unknown id means, which items a list may hold and how a model is stored is settled here, once.
"""

import importlib
import inspect

import numpy as np

from tinydl.training import CheckpointError, load, save

from .datasets import Interactions
from .features import FeatureTable, id_array
from .ranking_metrics import check_k


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
    _fitted = False

    def fit(self, train, valid=None):
        """Learn from `train`; choose epochs on `valid` where the model has any to choose. Returns self.

        Both are Interactions, or DataFrames with the columns user, item and rating.
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
        self._fit(users, items, ratings, None if valid is None else self._encode(valid))
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
        if not self._fitted:
            raise NotFittedError(f"{type(self).__name__} is not fitted yet: call fit(train) first")

    # ---------------------------------------------------------------- predict
    def predict(self, users, items=None):
        """Predictions (n,) for pairs of ids: predict(users, items), or predict(data) with Interactions or a DataFrame.

        Ratings are clipped to the scale. An unknown user or item is an average one, of whom nothing else is known.
        """
        self._check_fitted()
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
        scores = self._finite_scores(self.users_.codes(users), self.items_.codes(items))
        return np.clip(scores, *self.rating_range_) if self.output == "rating" else scores

    def _finite_scores(self, users, items):
        scores = self._score(users, items)
        if not np.isfinite(scores).all():
            raise FloatingPointError(f"{type(self).__name__} gives nan or inf scores, want finite ones: was its training "
                                     "stable? Fit it again, with a lower learning rate or stronger regularisation")
        return scores

    # ---------------------------------------------------------------- recommend
    def recommend(self, users, k=10, exclude_seen=True):
        """The k items with the highest scores for each user: a DataFrame of user, rank (from 1), item, score.

        users: a list of ids, or one; a user who is named twice gets two lists. exclude_seen: leave out what the user
        rated in the training data. The candidates are all items that have a training rating: of the others nothing was
        learned. Where fewer than k are left the list is shorter. An unknown user gets the average user's list. Equal
        scores stand in the order of item ids; scores of ratings are not clipped to the scale, which would make more equal.
        """
        import pandas

        self._check_fitted()
        users, k = np.atleast_1d(id_array(users)), check_k("recommend", k)
        codes, candidates = self.users_.codes(users), np.unique(self._seen_items)
        shape = len(users), min(k, len(candidates))
        item, score = np.zeros(shape, np.int64), np.zeros(shape)
        block = max(1, 65536 // len(candidates))  # users scored at once
        for start in range(0, len(users), block):
            rows = slice(start, start + block)
            scores = self._ranking_scores(codes[rows], candidates, exclude_seen)
            best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
            item[rows], score[rows] = candidates[best], np.take_along_axis(scores, best, axis=1)
        row, place = np.nonzero(score > -np.inf)
        return pandas.DataFrame({"user": users[row].tolist(), "rank": place + 1,
                                 "item": self.items_.ids[item[row, place] - 1], "score": score[row, place]})

    def _ranking_scores(self, users, items, exclude_seen):
        """Scores (b, n) of every item code for every user code, -inf where the user has seen the item."""
        scores = self._finite_scores(np.repeat(users, len(items)), np.tile(items, len(users))).reshape(len(users), -1)
        for row, user in enumerate(users if exclude_seen else ()):
            seen = self._seen_items[self._seen_start[user]:self._seen_start[user + 1]]
            scores[row, np.searchsorted(items, seen)] = -np.inf
        return scores

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
            made = _find(cls, module, name)
            if made is None:
                raise CheckpointError(f"load: {path} holds a {name}, not a {cls.__name__}; call load on the class that "
                                      "wrote it, or on Recommender")
            self = made(**{key: tuple(value) if isinstance(value, list) else value for key, value in tree["params"].items()})
            self.users_, self.items_ = FeatureTable.from_state(tree["users"]), FeatureTable.from_state(tree["items"])
            self.mean_, self.rating_range_ = tree["mean"], tuple(tree["rating_range"])
            self._seen_items, self._seen_start = tree["seen_items"], tree["seen_start"]
            self._restore(tree["model"])
        except (TypeError, KeyError, ValueError, AttributeError, IndexError) as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else error
            raise CheckpointError(f"load: {path} is a checkpoint, but not of a recommender of this version ({reason}); fit "
                                  "the model again and save it") from error
        self._fitted = True
        return self


def _find(base, module, name):
    """The class module.name if it is `base` or derived from it. Nothing but our own models is imported on a file's word."""
    if module.startswith("recmodels.models."):
        try:
            importlib.import_module(module)
        except ImportError:
            return None
    family = [base]
    for cls in family:
        family += cls.__subclasses__()
    return next((cls for cls in family if (cls.__module__, cls.__name__) == (module, name)), None)
