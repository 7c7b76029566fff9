"""ImplicitNetwork: a network that scores users and items, trained on pairs beside sampled items, its epoch chosen by
ranking.

Network, loss, sampler and evaluation are four things: a model's file holds the network; this file holds what all share.
"""

import numpy as np

from tinydl import Tensor, nn, no_grad, optim
from tinydl.data import DataLoader
from tinydl.training import Callback, EarlyStopping

from .epochs import TrainedInEpochs
from .graph import bipartite, neighbourhood
from .implicit_recommender import ImplicitRecommender
from .negatives import NegativeSampler, SampledPairs, known_by_user
from .pairs import distinct
from .ragged import take
from .ranking import evaluate_contexts
from .ranking_losses import LOSSES
from .sampled import sampled_matmul


class RankValidation(Callback):
    """After an epoch: nDCG@10 of the validation pairs, ranked among all items but the user's training items, as
    `valid_ndcg` in the history. A sampled loss of these pairs would measure something else than what is wanted."""

    def __init__(self, network, pairs, seen, n_users, n_items):
        start, items = known_by_user(*pairs, n_users)
        self.network, self.users, self.n_items = network, np.flatnonzero(np.diff(start)), n_items
        self.relevant, self.seen = take((start, items), self.users), take(seen, self.users)

    def on_epoch_end(self, trainer):
        users, items = self.network.vectors()
        k = min(10, self.n_items)
        found = evaluate_contexts(lambda u: users[u] @ items.T, self.users, self.relevant, k, k, k,
                                  exclude=self.seen)
        trainer.history.rows[-1]["valid_ndcg"] = found[f"nDCG@{k}"]


class ImplicitNetwork(TrainedInEpochs, ImplicitRecommender):
    """Base of the models with a network. A subclass builds it in `_network(rng)`; it has

        forward(user, item) -> (B, 1 + N) scores       of rows (B,) and (B, 1 + N)
        vectors() -> (U, D), (I, D) arrays             y_ui = <p_u, q_i> of everybody, when it is not trained

    The parameters that every such model has, beside those of `TrainedInEpochs` (patience is in epochs without a better
    nDCG@10 on the validation pairs, over all items):

        k             numbers of a user or item
        loss          "bpr" (Rendle et al. 2009) or "sampled-softmax"
        negatives     drawn anew for each pair and epoch, by (users of the item)^power: 0 is uniform. "bpr" draws none
                      of the user's training items; "sampled-softmax" stands for the softmax over all items, so only
                      the pair's own is left out
        batch_size, lr, weight_decay   of pairs; AdamW's, whose decay stands for the papers' L2 term on the embeddings
        scale         deviation of the embeddings at the start
    """

    def _check_parameters(self):
        self._check_whole("k", "negatives", "epochs", "patience", "batch_size")
        if self.loss not in LOSSES:
            raise ValueError(f"{type(self).__name__}: got loss={self.loss!r}, want {' or '.join(map(repr, LOSSES))}")

    def _fit(self, valid, stop_after=None):
        self._check_parameters()
        rng = np.random.default_rng(self.seed)
        self.network_ = self._network(rng)
        optimizer = optim.AdamW(self.network_.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        pairwise, n_items, seen = self.loss == "bpr", len(self.items_), (self.start_, self.seen_)
        sampler = NegativeSampler(n_items, self.count_, self.power, seen if pairwise else None)
        pairs = SampledPairs(self._user_of_seen(), self.seen_, sampler, self.negatives, rng, corrected=not pairwise)
        callbacks = []
        if valid is not None:
            stopping = EarlyStopping("valid_ndcg", self.patience, mode="max")
            callbacks = [RankValidation(self.network_, valid, seen, len(self.users_), n_items), stopping]
        self._train(self.network_, LOSSES[self.loss], optimizer, DataLoader(pairs, self.batch_size, shuffle=True, rng=rng),
                    None, stop_after, callbacks)
        if valid is not None:
            self.best_epoch_ = stopping.best_epoch
        self._keep_vectors()

    def _keep_vectors(self):
        self.user_vectors_, self.item_vectors_ = self.network_.vectors()

    def _scores(self, users):
        return self.user_vectors_[users] @ self.item_vectors_.T

    def _restore(self, state):
        super()._restore(state)
        self._keep_vectors()


class GraphNetwork(nn.Module):
    """y_ui = <e_u, e_i>   with e = propagated(E^0), which a subclass says: what the nodes' embeddings become by their
    neighbours.

    Nodes 0 .. U - 1 are users, U .. U + I - 1 items; E^0 (U + I, K) is learned. user (B,), item (B, 1 + N) -> y (B, 1 + N).
    Every training step propagates in the whole graph or, with a number of `neighbours`, only in the batch's
    neighbourhood, where each node takes in so many of its neighbours, drawn anew.
    """

    def __init__(self, graph, n_users, k, layers, scale, neighbours, rng):
        self.graph, self.n_users, self.layers, self.neighbours, self.rng = graph, n_users, layers, neighbours, rng
        self.E = nn.Embedding(graph.shape[0], k, rng=rng)
        self.E.weight._writable("GraphNetwork")[...] *= scale

    def propagated(self, x, graph):
        """E^0 (M, K) of a graph's nodes -> e (M, D)"""
        raise NotImplementedError(f"{type(self).__name__} defines no propagated")

    def forward(self, user, item):
        (B, N), user, item = item.shape, user.numpy(), self.n_users + item.numpy().ravel()
        if self.neighbours is None or not self.training:
            e = self.propagated(self.E.weight, self.graph)
        else:
            nodes, place = distinct(np.append(user, item), self.graph.shape[0])
            nodes, graph = neighbourhood(self.graph, nodes, self.layers, self.neighbours, self.rng)
            e, user, item = self.propagated(self.E(Tensor(nodes)), graph), place[:B], place[B:]
        return sampled_matmul(e, e, np.repeat(user, N), item).reshape(B, N)

    def vectors(self):
        with no_grad():
            e = self.propagated(self.E.weight, self.graph).numpy()
        return e[:self.n_users], e[self.n_users:]


class GraphRecommender(ImplicitNetwork):
    """Base of the models with a `GraphNetwork`: the graph is that of the training pairs, and of nothing else.

        layers        how often a node takes in its neighbours
        neighbours    how many of them in a training step; None: all, the whole graph at once
    """

    def _check_parameters(self):
        super()._check_parameters()
        self._check_whole("layers", least=0)
        if self.neighbours is not None:
            self._check_whole("neighbours", hint=", or None for all")

    def _graph(self):
        return bipartite(self._user_of_seen(), self.seen_, len(self.users_), len(self.items_))
