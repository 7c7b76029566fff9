"""Implicit feedback without a network: what is popular, and what is like the user's items. A graph must beat them."""

import dataclasses

import numpy as np

from ..implicit_recommender import ImplicitRecommender
from ..sparse_model import SparseModel
from .item_knn import check_nearest, nearest


class ImplicitPopularity(ImplicitRecommender):
    """y_ui = n_i, how many users item i has: the same list for everybody, but for what he has already"""

    def __init__(self):
        pass

    def _fit(self, valid):
        pass

    def _scores(self, users):
        return np.tile(self.count_.astype(np.float64), (len(users), 1))

    def _state(self):
        return {}

    def _restore(self, state):
        pass


@dataclasses.dataclass
class ImplicitItemKNN(SparseModel, ImplicitRecommender):
    """y_ui = sum_j s_ji   over the user's items j;   s_ji = n_ij / (sqrt(n_i n_j) + shrink) for the nearest, else 0

    Two items are alike if the same users have them (Deshpande and Karypis 2004), which `neighbours` and `shrink`
    restrict as in `item_knn.py`. After fit: `similar_` (I, I), sparse.
    """
    _matrix = "similar_"

    neighbours: int = 30
    shrink: float = 5.0

    def __post_init__(self):
        check_nearest(self)

    def _fit(self, valid):
        self.similar_ = nearest(self._incidence(), self.neighbours, self.shrink)

    def _incidence(self):
        """X (U, I), sparse: 1 where user u has item i."""
        import scipy.sparse

        return scipy.sparse.csr_array((np.ones(len(self.seen_)), self.seen_, self.start_),
                                      (len(self.users_), len(self.items_)))

    def _scores(self, users):
        return (self._incidence()[users] @ self.similar_).toarray()
