"""Estimator: what recommenders of ratings and of check-ins share: parameters by name, lists of the best, one file each."""

import importlib
import inspect
import numbers

import numpy as np

from tinydl.training import CheckpointError, load, save


class NotFittedError(ValueError, AttributeError):
    """The model was asked for something before `fit`."""


class Estimator:
    """Base of all models. Parameters are those of __init__, kept under their names; `fit` sets `_fitted`."""

    _fitted = False

    # ---------------------------------------------------------------- for subclasses
    def _state(self):
        """The learned arrays, for `save`."""
        raise NotImplementedError(f"{type(self).__name__} defines no _state")

    def _restore(self, state):
        """Take back what `_state` gave."""
        raise NotImplementedError(f"{type(self).__name__} defines no _restore")

    def _store(self):
        """{name: arrays, lists, numbers} of all that `fit` sets beside the learned arrays."""
        raise NotImplementedError(f"{type(self).__name__} defines no _store")

    def _take_back(self, tree):
        """Take back what `_store` gave."""
        raise NotImplementedError(f"{type(self).__name__} defines no _take_back")

    def _why(self, *pairs):
        """[{what: its part of the score}] of pairs, for recommend(..., explain=True)."""
        raise NotImplementedError(f"{type(self).__name__} does not explain its scores, want a model whose score is a sum of "
                                  "parts, such as a factorization machine; or leave out explain=True")

    def _refit_settings(self):
        """What `refit` gives to the second model's `_fit` beside the data: what validation chose for this one."""
        return {}

    # ---------------------------------------------------------------- fit again
    def refit(self, data):
        """A new model with the same parameters, fitted to all of `data`: training and validation part together."""
        self._check_fitted()
        return self.clone().fit(data, **self._refit_settings())

    # ---------------------------------------------------------------- parameters
    def _keep(self, arguments):
        """Store the constructor's arguments, its `locals()`, under their names."""
        for name in self._names():
            setattr(self, name, arguments[name])

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

    # ---------------------------------------------------------------- checks
    def _check_whole(self, *names, least=1, hint=""):
        """Refuse parameters of these names that are no whole numbers of at least `least`; `hint` ends the error."""
        for name in names:
            value = getattr(self, name)
            if not isinstance(value, numbers.Integral) or value < least:
                raise ValueError(f"{type(self).__name__}: got {name}={value!r}, want a whole number of at least "
                                 f"{least}{hint}")

    def _check_fitted(self):
        if not self._fitted:
            raise NotFittedError(f"{type(self).__name__} is not fitted yet: call fit(train) first")

    def num_parameters(self):
        """How many numbers were learned."""
        self._check_fitted()
        return sum(np.size(value) for value in self._state().values())

    def _finite(self, scores):
        if not np.isfinite(scores).all():
            raise FloatingPointError(f"{type(self).__name__} gives nan or inf scores, want finite ones: was its training "
                                     "stable? Fit it again, with a lower learning rate or stronger regularisation")
        return scores

    # ---------------------------------------------------------------- save, load
    def save(self, path):
        """Write the fitted model to `path` (one .npz file, nothing pickled, whole or not at all)."""
        self._check_fitted()
        save({"class": [type(self).__module__, type(self).__name__], "params": self.get_params(), **self._store(),
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
                                      "wrote it, or on Recommender (of ratings) or CheckInRecommender")
            self = made(**{key: tuple(value) if isinstance(value, list) else value for key, value in tree["params"].items()})
            self._take_back(tree)
            self._restore(tree["model"])
        except (TypeError, KeyError, ValueError, AttributeError, IndexError) as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else error
            raise CheckpointError(f"load: {path} is a checkpoint, but not of a recommender of this version ({reason}); fit "
                                  "the model again and save it") from error
        self._fitted = True
        return self


def best_lists(users, items, k, scores):
    """The k best items of each user: a DataFrame of user, rank (from 1), item, score; equal scores in the order of items.

    users (n,), items (I,): what each row and column is called. scores: a function, slice of rows (b of them) -> (b, I),
    -inf where an item must not be in the list, which is shorter where fewer than k are left.
    """
    import pandas

    shape = len(users), min(k, len(items))
    item, score = np.zeros(shape, np.int64), np.zeros(shape)
    block = max(1, 65536 // len(items))  # users scored at once
    for start in range(0, len(users), block):
        rows = slice(start, start + block)
        y = scores(rows)
        best = np.argsort(-y, axis=1, kind="stable")[:, :k]
        item[rows], score[rows] = best, np.take_along_axis(y, best, axis=1)
    row, place = np.nonzero(score > -np.inf)
    return pandas.DataFrame({"user": users[row].tolist(), "rank": place + 1, "item": items[item[row, place]],
                             "score": score[row, place]})


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
