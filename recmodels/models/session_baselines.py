"""Sessions without a network: what is popular, what followed last time, what is alike. A model that learns must beat them.

X (S, I) says which training session has which item: x_si is 1 if s has i, else 0; n_i = sum_s x_si.
"""

import dataclasses
from functools import partial

import numpy as np

from ..session_recommender import SessionRecommender
from ..sparse_model import SparseModel


def incidence(sessions, n_items):
    """X (S, I), sparse."""
    import scipy.sparse

    pairs = np.unique(sessions.row * n_items + sessions.items)
    return scipy.sparse.csr_array((np.ones(len(pairs)), (pairs // n_items, pairs % n_items)), (len(sessions), n_items))


def query_weights(sessions, weight, n_items):
    """(Q, I), sparse: of each item of a session weight(ago) at its last place, ago = 0 for the last item."""
    import scipy.sparse

    key = sessions.row * n_items + sessions.items
    _, from_end = np.unique(key[::-1], return_index=True)
    at = len(key) - 1 - from_end  # the last place of each item in its session
    return scipy.sparse.csr_array((weight(sessions.ago[at].astype(float)), (sessions.row[at], sessions.items[at])),
                                  (len(sessions), n_items))


def check_range(model, name, low, high, want):
    value = getattr(model, name)
    if not low <= value <= high:
        raise ValueError(f"{type(model).__name__}: got {name}={value!r}, want {want}")


@dataclasses.dataclass
class SessionPopularity(SessionRecommender):
    """y_i = n_i / sum_j n_j + own m_i   n_i training clicks on i, m_i clicks on i in this session

    With own=0 everybody gets the same list; with own=1 the session's items come first (S-POP in Hidasi et al. 2016).
    """
    own: float = 0.0

    def __post_init__(self):
        check_range(self, "own", 0, np.inf, "a number of at least 0")

    def _fit(self, train, valid):
        pass

    def _scores(self, sessions):
        y = np.tile(self.count_ / self.count_.sum(), (len(sessions), 1))
        np.add.at(y, (sessions.row, sessions.items), self.own)
        return y

    def _state(self):
        return {}

    def _restore(self, state):
        pass


@dataclasses.dataclass
class SessionMarkov(SparseModel, SessionRecommender):
    """y_i = n(l -> i) / n(l ->) + backoff n_i / sum_j n_j   l the session's last item: a Markov chain of order one

    n(l -> i): how often i came right after l in training, n(l ->) how often anything did. backoff: of the items' share of
    all clicks; as small as by default it only orders items that tie, among them those that never came after l.
    """
    backoff: float = 1e-6

    def __post_init__(self):
        check_range(self, "backoff", 0, np.inf, "a number of at least 0")

    def _fit(self, train, valid):
        import scipy.sparse

        first = np.flatnonzero(train.ago)  # all but the last ones
        shape = len(self.items_), len(self.items_)
        n = scipy.sparse.csr_array((np.ones(len(first)), (train.items[first], train.items[first + 1])), shape)
        self.learned_ = (n / np.maximum(n.sum(axis=1), 1)[:, None]).tocsr()

    def _scores(self, sessions):
        return self.learned_[sessions.items[sessions.start[1:] - 1]].toarray() + (
            self.backoff / self.count_.sum() * self.count_)


@dataclasses.dataclass
class SessionItemKNN(SparseModel, SessionRecommender):
    """y_i = sum_j decay^{ago_j} s_ji   over the items j of the session, the last one ago 0

        s_ji = n_ij / sqrt((n_i + shrink)(n_j + shrink)),   n_ij = sum_s x_si x_sj,   s_jj = 0

    decay=0 reads the last item only, as the baseline of Hidasi et al. 2016 does. shrink distrusts rare items. Two items are
    alike if the same sessions have them, in whatever order.
    """
    decay: float = 0.5
    shrink: float = 5.0

    def __post_init__(self):
        check_range(self, "decay", 0, 1, "a number from 0 to 1")
        check_range(self, "shrink", 0, np.inf, "a number of at least 0")

    def _fit(self, train, valid):
        import scipy.sparse

        x = incidence(train, len(self.items_))
        both, n = (x.T @ x).tocoo(), x.sum(axis=0) + self.shrink
        j, i = both.coords
        s = np.where(j == i, 0, both.data / np.sqrt(n[i] * n[j]))
        self.learned_ = scipy.sparse.csr_array((s, (j, i)), both.shape)

    def _scores(self, sessions):
        return (query_weights(sessions, lambda ago: self.decay**ago, len(self.items_)) @ self.learned_).toarray()


@dataclasses.dataclass
class SessionKNN(SparseModel, SessionRecommender):
    """y_i = sum_{n in N(q)} sim(q, n) x_ni,   sim(q, n) = sum_i w_i x_ni / sqrt(|q| |n|)   (Jannach and Ludewig 2017)

    N(q): the `neighbours` training sessions most similar to the session q; where the last of them ties with others, these
    too. |q|, |n|: how many different items. w_i = 1 of the items of q with decay=0: the cosine of two sets of items. Above,
    w_i = (1 + ago_i)^-decay: what was looked at last says most (the weights of Ludewig and Jannach 2018, V-SKNN, fall with
    the place too). Left out of the paper: that only the most recent sessions are asked; the file has no times.
    """
    neighbours: int = 100
    decay: float = 0.0

    def __post_init__(self):
        check_range(self, "decay", 0, np.inf, "a number of at least 0")
        if self.neighbours != int(self.neighbours) or self.neighbours < 1:
            raise ValueError(f"SessionKNN: got neighbours={self.neighbours!r}, want a whole number of at least 1")

    def _fit(self, train, valid):
        self.learned_ = incidence(train, len(self.items_))

    def _scores(self, sessions):
        q = query_weights(sessions, lambda ago: (1 + ago)**-self.decay, len(self.items_))
        x = self.learned_
        length = np.maximum(np.diff(x.indptr), 1)  # a training session always has an item
        similar = (q @ (x / np.sqrt(length)[:, None]).T).tocsr()
        for row in range(len(sessions)):
            mine = similar.data[similar.indptr[row]:similar.indptr[row + 1]]
            if len(mine) > self.neighbours:
                mine[mine < np.partition(mine, -self.neighbours)[-self.neighbours]] = 0
        return (similar @ x).toarray() / np.sqrt(np.diff(q.indptr))[:, None]


SESSION_BASELINES = {  # by name, with settings chosen on validation sessions like every model's
    "session-popularity": SessionPopularity,
    "session-own-popularity": partial(SessionPopularity, own=1.0),
    "session-markov": SessionMarkov,
    "session-item-knn": SessionItemKNN,
    "session-knn": SessionKNN,
    "session-knn-recent": partial(SessionKNN, neighbours=500, decay=1.0),
}
