"""SessionRecommender: what every model of sessions offers: fit, scores, recommend, save, load.

Nobody is known by name: all that a model may look at is the session so far, a list of items in the order of time. It learns
from whole training sessions and scores, for a session, every item of the catalogue as the next one. A subclass defines

    _fit(train, valid)           learn from CodedSessions; valid may be None
    _scores(sessions)            (Q, I) scores of the item after CodedSessions, each at least one item long
    _state(), _restore(state)    {name: learned arrays}, and back

and may use

    items_      (I,) pandas.Index: the ids of the training items, sorted; an item's code is its place in it
    category_   (I,) the code of each item's category, that of most of its clicks; all 0 where none is known
    count_      (I,) training clicks

Items that were not in the training sessions are passed over, in a session as in training. A session of which nothing is left
gets the training clicks as scores: who knows nothing recommends what is popular.
"""

import typing

import numpy as np

from .datasets.sessions import Sessions
from .estimator import Estimator, best_lists
from .ragged import places, row_of
from .ranking_metrics import check_k


class CodedSessions(typing.NamedTuple):
    """Sessions of item codes: session q is items[start[q]:start[q + 1]].  (Q + 1,), (N,) int64"""

    start: np.ndarray
    items: np.ndarray

    def __len__(self):  # of sessions
        return self.start.shape[0] - 1

    @property
    def lengths(self):
        return np.diff(self.start)

    @property
    def row(self):
        """(N,) which session each item is of."""
        return row_of(self.start)

    @property
    def ago(self):
        """(N,) how many items come after each one in its session: 0 for the last."""
        return np.repeat(self.start[1:], self.lengths) - 1 - np.arange(len(self.items))

    def keep(self, which):
        """Those of the items for which `which` (N,) holds; sessions may end up empty."""
        return CodedSessions(np.append(0, np.cumsum(which))[self.start], self.items[which])

    def take(self, rows, length=None):
        """The sessions of these rows, or of each its first length (Q,) items."""
        start, at = places(self.start, np.asarray(rows), length)
        return CodedSessions(start, self.items[at])

    def last(self, n):
        """The last n items of each session, at most."""
        return self.keep(self.ago < n)


class SessionRecommender(Estimator):
    """Base of all models of sessions. Parameters are those of __init__, kept under their names."""

    # ---------------------------------------------------------------- for subclasses
    def _fit(self, train, valid):
        raise NotImplementedError(f"{type(self).__name__} defines no _fit")

    def _scores(self, sessions):
        raise NotImplementedError(f"{type(self).__name__} defines no _scores")

    # ---------------------------------------------------------------- fit
    def fit(self, train, valid=None, **settings):
        """Learn from `train`; choose epochs on `valid` where the model has any to choose. Returns self.

        Both are Sessions. settings: what `refit` passes on.
        """
        import pandas

        for what, data in (("train", train), ("valid", valid)):
            if data is None and what == "valid":
                continue
            if not isinstance(data, Sessions):
                raise TypeError(f"{type(self).__name__}.fit: got {what} of type {type(data).__name__}, want Sessions: make "
                                "them of lists with Sessions.of")
            if not (data.lengths > 1).any():
                raise ValueError(f"{type(self).__name__}.fit: {what} has no session of two items or more, want some: a "
                                 "session of one item has no next one")
        if valid is not None and np.isin(valid.ids, train.ids).all():
            raise ValueError(f"{type(self).__name__}.fit: valid's sessions are all in train, want others, as in split.valid")
        self._fitted = False
        self.items_, self.count_ = (f(x) for f, x in zip((pandas.Index, np.asarray), np.unique(
            train.items, return_counts=True), strict=True))
        self.category_ = self._categories(train)
        coded = None if valid is None else self._coded(valid)
        if valid is not None and not (coded.lengths > 1).any():
            raise ValueError(f"{type(self).__name__}.fit: valid has no session with two items of train, want some, as in "
                             "split.valid")
        self._fit(self._coded(train), coded, **settings)
        self._fitted = True
        return self

    def _categories(self, train):
        code = self.items_.get_indexer(train.items)
        if train.category is None:
            return np.zeros(len(self.items_), np.int64)
        names, category = np.unique(train.category, return_inverse=True)
        pairs, n = np.unique(code * len(names) + category, return_counts=True)
        order = np.lexsort((pairs, -n, pairs // len(names)))  # of each item the most frequent first; of equals, the smallest
        first = np.unique(pairs[order] // len(names), return_index=True)[1]
        return pairs[order][first] % len(names)

    def _coded(self, sessions):
        code = self.items_.get_indexer(sessions.items)
        return CodedSessions(sessions.start, code).keep(code >= 0)

    # ---------------------------------------------------------------- scores
    def scores(self, sessions):
        """y (Q, I) of every item of `items_` as the next one of each session: Sessions, or a list of lists of item ids.

        Q I numbers: ask for some hundreds of sessions at a time.
        """
        self._check_fitted()
        return self._scored(self._coded(_sessions("scores", sessions)))

    def _scored(self, coded):
        """(Q, I) of CodedSessions, empty ones among them."""
        known = np.flatnonzero(coded.lengths)
        if len(known) == len(coded) > 0:
            return self._scores(coded)
        y = np.tile(self.count_.astype(np.float64), (len(coded), 1))
        if len(known):
            y[known] = self._scores(coded.take(known))
        return y

    def recommend(self, sessions, k=10, exclude=None):
        """The k items with the highest scores as the next ones: a DataFrame of session, rank, item, score.

        sessions: Sessions, or a list of lists of item ids. exclude: "seen" (the session's own items), or a list of item ids.
        Where fewer than k are left the list is shorter. Equal scores stand in the order of item ids.
        """
        self._check_fitted()
        sessions, k = _sessions("recommend", sessions), check_k("recommend", k, len(self.items_))
        if isinstance(exclude, str) and exclude != "seen":
            raise ValueError(f"recommend: got exclude={exclude!r}, want 'seen', a list of item ids, or None")
        never = self.items_.get_indexer([] if exclude is None or isinstance(exclude, str) else np.asarray(exclude))
        if (never < 0).any():
            unknown = np.asarray(exclude).tolist()[np.argmax(never < 0)]
            raise KeyError(f"recommend: exclude has {unknown!r}, which is none of the {len(self.items_):,} items of the "
                           "catalogue (items_)")
        coded = self._coded(sessions)

        def scores(block):
            some = coded.take(np.arange(len(coded))[block])
            y = np.array(self._finite(self._scored(some)), np.float64)
            y[:, never] = -np.inf
            if isinstance(exclude, str):
                y[some.row, some.items] = -np.inf
            return y
        return best_lists(sessions.ids, self.items_, k, scores).rename(columns={"user": "session"})

    # ---------------------------------------------------------------- save, load
    def _store(self):
        return {"items": self.items_.to_numpy(), "category": self.category_, "count": self.count_}

    def _take_back(self, tree):
        import pandas

        self.items_, self.category_, self.count_ = pandas.Index(tree["items"]), tree["category"], tree["count"]


def _sessions(name, sessions):
    """As Sessions, of which an empty one is refused."""
    if isinstance(sessions, Sessions):
        return sessions
    try:
        return Sessions.of(sessions)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}; want Sessions, or lists of item ids, such as [[12, 45], [7]]") from None
