"""CheckInRecommender: what every model of check-ins offers: fit, scores, recommend, save, load; and what it may look at.

A model learns its parameters from the training check-ins. Beside them it may read, at a query's moment, a log of
check-ins, and of that only those with a strictly earlier timestamp. Two regimes:

    frozen      fit(train)             the log is the training part
    streaming   fit(train, log=data)   every check-in of `data` counts from its own moment on; the parameters stay
    model.streaming(data) and model.frozen() are the same fitted model in the other regime.

The catalogue, `items_`, is in both the venues with a training check-in. A subclass defines

    _fit(train, valid)                    learn from CheckIns, strictly from these: the log may reach beyond them
    _scores(users, local, timestamps)     (Q, I) scores; users are rows, the times int64 seconds, (Q,) each
    _state(), _restore(state)             {name: learned arrays}, and back; only if something is learned
    _read_log()                           called when there is a new log, before _fit and _restore: index it, if need be

and may use

    items_    (I,) pandas.Index: the venue of each column of scores
    users_    (U,) pandas.Index of the training users, sorted
    venues_   (I rows) DataFrame: category, category_name, latitude, longitude of `items_`
    log_      VisitLog: the check-ins to look back on. Its user rows 0 .. U - 1 are `users_`, after them come users that
              only the log knows, and its last, len(log_.users), is the unknown user: a table of embeddings has U rows
    trained_  (E,) bool: which visits of log_.by_time are training check-ins
"""

import copy
import datetime
import difflib
import operator

import numpy as np

from .datasets.checkins import CheckIns
from .estimator import Estimator, best_lists
from .features import id_array
from .ragged import row_of
from .ranking_metrics import check_k
from .visit_log import VisitLog, ids_state

_VENUE = ("category", "category_name", "latitude", "longitude")
_FAR = 365 * 86400  # seconds after the last check-in for which lists are still made


class CheckInRecommender(Estimator):
    """Base of all models of check-ins. Parameters are those of __init__, kept under their names."""

    # ---------------------------------------------------------------- for subclasses
    def _fit(self, train, valid):
        raise NotImplementedError(f"{type(self).__name__} defines no _fit")

    def _scores(self, users, local, timestamps):
        raise NotImplementedError(f"{type(self).__name__} defines no _scores")

    def _state(self):
        return {}

    def _restore(self, state):
        pass

    def _read_log(self):
        pass

    # ---------------------------------------------------------------- fit
    def fit(self, train, valid=None, log=None, **settings):
        """Learn from `train`; choose epochs on `valid` where the model has any to choose. Returns self.

        All are CheckIns. log: what may be looked back on, all of `train` and later ones (streaming); None: only `train`.
        settings: what `refit` passes on.
        """
        import pandas

        for what, data in (("train", train), ("valid", valid), ("log", log)):
            if data is not None or what == "train":
                self._check_data("fit", what, data)
        self._fitted = False
        self.items_, self.users_ = pandas.Index(train.items_seen), pandas.Index(train.users_seen)
        self.venues_ = train.items.loc[self.items_, list(_VENUE)]
        train_log = VisitLog.of(train, self.users_, self.items_)
        if valid is not None and VisitLog.of(valid, self.users_, self.items_).contains(train_log).all():
            raise ValueError(f"{type(self).__name__}.fit: valid holds all of train, want other check-ins, as in split.valid "
                             "(what may be looked back on is log=)")
        self._look_back_on(train_log if log is None else self._log_of("fit", log, train_log), train_log)
        self._fit(train, valid, **settings)
        self._fitted = True
        return self

    def refit(self, data, log=None):
        """A new model with the same parameters, fitted to all of `data`: training and validation check-ins together."""
        self._check_fitted()
        return self.clone().fit(data, log=log, **self._refit_settings())

    def streaming(self, log):
        """A copy of the fitted model that looks back on `log`: CheckIns that hold all of train, and others."""
        self._check_fitted()
        self._check_data("streaming", "log", log)
        train_log, model = self._train_log(), copy.copy(self)
        model._look_back_on(self._log_of("streaming", log, train_log), train_log)
        return model

    def frozen(self):
        """A copy of the fitted model that looks back on its training check-ins only."""
        self._check_fitted()
        train_log, model = self._train_log(), copy.copy(self)
        model._look_back_on(train_log, train_log)
        return model

    def _train_log(self):
        return VisitLog(self.users_, self.log_.by_time.take(self.trained_))

    def _log_of(self, name, data, train_log):
        log = VisitLog.of(data, self.users_, self.items_)
        if not log.contains(train_log).all():
            raise ValueError(f"{type(self).__name__}.{name}: log lacks check-ins of train, want all of them and later ones: "
                             "pass log=split.data")
        return log

    def _look_back_on(self, log, train_log):
        self.log_, self.trained_ = log, train_log.contains(log)
        self._read_log()

    def _check_data(self, name, what, data):
        if not isinstance(data, CheckIns):
            raise TypeError(f"{type(self).__name__}.{name}: got {what} of type {type(data).__name__}, want CheckIns")
        if len(data) == 0:
            raise ValueError(f"{type(self).__name__}.{name}: {what} has no check-ins, want at least one")

    # ---------------------------------------------------------------- scores
    def scores(self, users, local, timestamps):
        """y (Q, I) of every venue of `items_`, for queries of user ids, local and UTC seconds, (Q,) each.

        Only check-ins of the log with a timestamp before the query's count. An unknown user has none. Q I numbers: ask for
        some hundreds of queries at a time.
        """
        self._check_fitted()
        users, local, timestamps = id_array(users), np.asarray(local), np.asarray(timestamps)
        if not users.shape == local.shape == timestamps.shape == (users.size,):
            raise ValueError(f"{type(self).__name__}.scores: got users of shape {users.shape}, local of {local.shape} and "
                             f"timestamps of {timestamps.shape}, want three lists of the same length")
        if len(users) and (local.dtype.kind not in "iu" or timestamps.dtype.kind not in "iu"):
            raise TypeError(f"{type(self).__name__}.scores: got local of {local.dtype} and timestamps of "
                            f"{timestamps.dtype}, want whole numbers (seconds)")
        return self._scores(self.log_.rows(users), local.astype(np.int64), timestamps.astype(np.int64))

    # ---------------------------------------------------------------- recommend
    def recommend(self, users, at, k=10, exclude=None, category=None, explain=False):
        """The k venues with the highest scores for each user at a local time: a DataFrame of user, rank, item, score.

        users: a list of ids, or one. at: "2012-12-01 20:00", a datetime or local seconds, one for all users or a list of one
        for each; UTC is taken from the check-in of the log that is nearest in time. exclude: "visited" (the user's own
        venues until then), or a list of venue ids. category: the name of the only category that lists may hold. Where
        fewer than k are left the list is shorter. Equal scores stand in the order of venue ids. explain: a column more,
        why, {what: its part of the score}; for models whose score is a sum (`explanations.py`).
        """
        self._check_fitted()
        users, k = np.atleast_1d(id_array(users)), check_k("recommend", k, len(self.items_), "venues")
        rows = self.log_.rows(users)
        if (rows == len(self.log_.users)).any():
            unknown = users[np.argmax(rows == len(self.log_.users))]
            raise KeyError(f"recommend: user {unknown!r} has no check-in in the log, want one of its "
                           f"{len(self.log_.users):,} users, such as {', '.join(map(repr, self.log_.users[:3].tolist()))}")
        local, timestamps = self._moments(at, len(users))
        never = self._left_out(exclude, category)

        def scores(block):
            y = np.array(self._finite(self._scores(rows[block], local[block], timestamps[block])))
            y[:, never] = -np.inf
            if isinstance(exclude, str):
                start, items = self.log_.visited(rows[block], timestamps[block])
                y[row_of(start), items] = -np.inf
            return y
        lists = best_lists(np.arange(len(users)), self.items_, k, scores)
        query = lists["user"].to_numpy(np.int64)  # also where there are no lists at all
        lists["user"] = users[query].tolist()
        if explain:
            lists["why"] = self._why(rows[query], local[query], timestamps[query], self.items_.get_indexer(lists["item"]))
        return lists

    def _moments(self, at, n):
        """Local and UTC seconds (n,) of `at`."""
        each = list(at) if isinstance(at, (list, tuple)) or getattr(at, "ndim", 0) == 1 else [at] * n
        if len(each) != n:
            raise ValueError(f"recommend: got {len(each)} times for {n} users, want one for all, or one for each")
        local = np.array([_seconds(one) for one in each], np.int64)
        offset = {moment: self.log_.offset(moment) for moment in np.unique(local)}
        time = self.log_.by_time.local
        first, last = int(time.min()), int(time.max())
        for moment in local:
            if not first <= moment <= last + _FAR:
                raise ValueError(f"recommend: the time {_text(moment)} is out of range: the check-ins are from "
                                 f"{_text(first)} to {_text(last)} local time, want one from the first to a year after "
                                 "the last")
        return local, local - np.array([offset[moment] for moment in local], np.int64)

    def _left_out(self, exclude, category):
        """(I,) which venues no list may hold."""
        out = np.zeros(len(self.items_), bool)
        if isinstance(exclude, str) and exclude != "visited":
            raise ValueError(f"recommend: got exclude={exclude!r}, want 'visited', a list of venue ids, or None")
        if exclude is not None and not isinstance(exclude, str):
            columns = self.items_.get_indexer(id_array(exclude))
            if (columns < 0).any():
                raise KeyError(f"recommend: exclude has {id_array(exclude)[np.argmax(columns < 0)]!r}, which is none of the "
                               f"{len(self.items_):,} venues of the catalogue (items_)")
            out[columns] = True
        if category is not None:
            names = self.venues_["category_name"]
            if not (names == category).any():
                near = difflib.get_close_matches(str(category), names.unique().tolist(), n=3, cutoff=0.5)
                raise KeyError(f"recommend: no venue of the catalogue has the category {category!r}" +
                               (f"; did you mean {' or '.join(map(repr, near))}?" if near else
                                ", want a category_name of venues_"))
            out |= (names != category).to_numpy()
        return out

    # ---------------------------------------------------------------- save, load
    def _store(self):
        venues = {name: [value if value == value else None for value in self.venues_[name].tolist()] for name in _VENUE}
        return {"items": ids_state(self.items_), "users": ids_state(self.users_), "venues": venues,
                "log": self.log_.state(), "trained": self.trained_}

    def _take_back(self, tree):
        import pandas

        self.items_, self.users_ = pandas.Index(tree["items"]), pandas.Index(tree["users"])
        self.venues_ = pandas.DataFrame(tree["venues"], self.items_)
        self.log_, self.trained_ = VisitLog.from_state(tree["log"]), tree["trained"]
        self._read_log()


def _seconds(at):
    """Local seconds of a text, a datetime or a number."""
    try:
        if isinstance(at, str):
            at = datetime.datetime.fromisoformat(at)
        if getattr(at, "tzinfo", None) is not None:
            raise ValueError("it has a time zone")
        if isinstance(at, (datetime.date, np.datetime64)):
            moment = np.datetime64(at, "s")
            if not np.isnat(moment):
                return int(moment.astype(np.int64))
        elif not isinstance(at, bool):
            return operator.index(at)
    except (ValueError, TypeError):
        pass
    raise ValueError(f"recommend: got the time {at!r}, want local time without a zone: '2012-12-01 20:00', a datetime or "
                     "whole seconds")


def _text(local):
    return str(np.datetime64(int(local), "s")).replace("T", " ")[:16]
