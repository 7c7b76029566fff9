"""Item-kNN: venues are alike if the same users go there; a user is offered what is like the venues where he was."""

import numpy as np

from ..checkin_recommender import CheckInRecommender
from ..kernels.visits import visit_counts
from ..sparse_model import SparseModel

_DAY = 86400.0


def nearest(x, neighbours, shrink):
    """S (I, I), sparse, of X (U, I), 1 where user u has item i:   s_ji = n_ij / (sqrt(n_i n_j) + shrink)   if i is one
    of the `neighbours` items with the largest in row j, else 0; without the diagonal. Of equal ones the first is nearer."""
    import scipy.sparse

    both, n = (x.T @ x).tocoo(), x.sum(axis=0)
    j, i = both.coords
    s = both.data / (np.sqrt(n[i] * n[j]) + shrink)
    order = np.lexsort((i, -s, j))
    order = order[i[order] != j[order]]
    j, i, s = j[order], i[order], s[order]  # the nearest first, item by item
    near = np.arange(len(j)) - np.searchsorted(j, j) < neighbours
    return scipy.sparse.csr_array((s[near], (j[near], i[near])), both.shape)


def check_nearest(model):
    """Refuse `neighbours` and `shrink` that make no sense."""
    name = type(model).__name__
    if model.neighbours != int(model.neighbours) or model.neighbours < 1:
        raise ValueError(f"{name}: got neighbours={model.neighbours!r}, want a whole number of at least 1")
    if not 0 <= model.shrink < np.inf:
        raise ValueError(f"{name}: got shrink={model.shrink!r}, want a finite number of at least 0")


class ItemKNN(SparseModel, CheckInRecommender):
    """y_i = sum_j h_j s_ji   over the venues j where the user was before the query's moment

        s_ji = n_ij / (sqrt(n_i n_j) + shrink) if i is one of the `neighbours` of j with the largest, else 0;   s_jj = 1
        h_j  = (sum_e exp(-(now - t_e) / decay))^power   over the user's visits e to j

    n_i: users with a training check-in in i; n_ij: in i and in j. Without shrink s is the cosine of the two venues' users,
    of the nearest only (Deshpande and Karypis 2004); shrink distrusts what rests on few common users (Bell and Koren
    2007). decay: days, None for none. s is learned from the training part, h is of the log. Of equal neighbours the first
    in `items_` is nearer. After fit: `similar_` (I, I), a sparse array of s without its diagonal.
    """

    _matrix = "similar_"

    def __init__(self, neighbours=300, shrink=10.0, decay=60.0, power=0.5):
        self.neighbours, self.shrink, self.decay, self.power = neighbours, shrink, decay, power

    def _fit(self, train, valid):
        import scipy.sparse

        self._check_parameters()
        pairs = train.frame[["user", "item"]].drop_duplicates()
        user, item = self.users_.get_indexer(pairs["user"]), self.items_.get_indexer(pairs["item"])
        x = scipy.sparse.csr_array((np.ones(len(pairs)), (user, item)), (len(self.users_), len(self.items_)))
        self.similar_ = nearest(x, self.neighbours, self.shrink)

    def _check_parameters(self):
        check_nearest(self)
        for name, none in (("decay", ", or None for no decay"), ("power", "")):
            value = getattr(self, name)
            if not (0 < value < np.inf if value is not None else none):
                raise ValueError(f"ItemKNN: got {name}={value!r}, want a finite number above 0{none}")

    def _scores(self, users, local, timestamps):
        import scipy.sparse

        visits, decay = self.log_.by_user, np.inf if self.decay is None else self.decay * _DAY
        h = visit_counts(users, np.zeros(len(users), np.int64), timestamps, self.log_.start, visits.item, visits.slot,
                         visits.time, 0.0, decay, len(self.items_)) ** self.power  # (Q, I)
        return h + (scipy.sparse.csr_array(h) @ self.similar_).toarray()
