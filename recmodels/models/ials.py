"""iALS: every pair that is not there is a weak zero, and least squares over all of them costs no more than over the
others."""

import dataclasses

import numpy as np

from ..implicit_recommender import ImplicitRecommender
from ..ragged import take

BLOCK = 512  # systems that are solved at once


@dataclasses.dataclass
class IALS(ImplicitRecommender):
    """Implicit alternating least squares   (Hu, Koren, Volinsky 2008; in the form of Rendle et al. 2022, equations 1 to 4)

        L = sum_{u,i there} (1 - <w_u, h_i>)^2 + weight sum_{all u,i} <w_u, h_i>^2
            + reg sum_u (n_u + weight I)^nu |w_u|^2 + reg sum_i (n_i + weight U)^nu |h_i|^2

        w_u = (sum_i h_i h_i' + weight H'H + reg (n_u + weight I)^nu)^-1 sum_i h_i   over the user's items i, and h_i
        likewise

    H'H is the same for all users, so a sweep needs only the pairs that are there. n_u: the user's items.
        k         numbers of a user or item
        weight    of all pairs beside those that are there
        reg, nu   how strongly, and how much more so for who has many, vectors are held small
        sweeps    over users and then items
        scale     the first vectors are normal, of deviation scale / sqrt(k)
    After fit: `W_` (U, K), `H_` (I, K).
    """
    k: int = 64
    weight: float = 0.1
    reg: float = 0.01
    nu: float = 1.0
    sweeps: int = 8
    scale: float = 0.1
    seed: int = 0

    def __post_init__(self):
        for name in ("k", "sweeps"):
            if getattr(self, name) != int(getattr(self, name)) or getattr(self, name) < 1:
                raise ValueError(f"IALS: got {name}={getattr(self, name)!r}, want a whole number of at least 1")
        if not (self.weight >= 0 and self.reg > 0 and self.nu >= 0):
            raise ValueError(f"IALS: got weight={self.weight!r}, reg={self.reg!r}, nu={self.nu!r}, want weight and "
                             "nu of at least 0 and reg above: without it some systems have no solution")

    def _fit(self, valid):
        rng = np.random.default_rng(self.seed)
        n_users, n_items = len(self.users_), len(self.items_)
        self.H_ = rng.normal(0, self.scale / np.sqrt(self.k), (n_items, self.k))
        by_item = np.argsort(self.seen_, kind="stable")
        of_item = np.append(0, np.cumsum(self.count_)), self._user_of_seen()[by_item]
        for _ in range(self.sweeps):
            self.W_ = self._solved((self.start_, self.seen_), self.H_, n_users)
            self.H_ = self._solved(of_item, self.W_, n_items)

    def _solved(self, lists, H, count):
        """(count, K): the vectors of one side that are best for the other side's H. lists: each one's rows in H."""
        K = H.shape[1]
        everybody = self.weight * (H.T @ H)
        found = np.empty((count, K))
        for first in range(0, count, BLOCK):
            some = np.arange(first, min(first + BLOCK, count))
            start, rows = take(lists, some)
            n = np.diff(start)
            G, b = np.empty((len(some), K, K)), np.empty((len(some), K))
            for s in range(len(some)):
                h = H[rows[start[s]:start[s + 1]]]  # (n, K)
                G[s], b[s] = h.T @ h, h.sum(axis=0)
            G += everybody
            G[:, np.arange(K), np.arange(K)] += (self.reg * (n + self.weight * len(H)) ** self.nu)[:, None]
            found[some] = np.linalg.solve(G, b[:, :, None])[:, :, 0]
        return found

    def _scores(self, users):
        return self.W_[users] @ self.H_.T

    def _state(self):
        return {"W": self.W_, "H": self.H_}

    def _restore(self, state):
        self.W_, self.H_ = state["W"], state["H"]
