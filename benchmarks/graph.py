"""LightGCN: an epoch of training on the graph of MovieLens 1M's likes, sampling of negatives included on both sides."""

import os
import pathlib
import warnings

import numpy as np

from .common import TINYDL, Row
from .training import TinydlTraining, TorchLoop, gradients_of, named_weights, torch_optimizers, torch_weights, weights_of

NEGATIVES, BATCH, LR, DECAY = 16, 16384, 0.02, 0.1


# ------------------------------------------------------------------------------------------------ the problem
def _likes():
    """The liked films of MovieLens 1M where $TINYDL_DATA has them, otherwise those of a synthetic world of its size."""
    from recmodels import load_movielens, synthetic_ratings
    from recmodels.implicit_evaluation import liked

    folder = pathlib.Path(os.environ.get("TINYDL_DATA") or ".") / "ml-1m"
    return liked(load_movielens(folder) if folder.is_dir() else synthetic_ratings(6000, 3700, 1_000_000))


def problem(quick):
    """The training pairs as rows of users and items, one batch's negatives to check with, and the weights of both sides."""
    from recmodels.models.lightgcn import LightGCN
    from recmodels.negatives import NegativeSampler
    from recmodels.splits import user_random_split

    train = user_random_split(_likes()).train
    (_, user), (_, item) = (np.unique(train.frame[side], return_inverse=True) for side in ("user", "item"))
    order = np.random.default_rng(0).permutation(len(user))[:2 * BATCH if quick else len(user)]
    user, item, (n_users, n_items) = user[order], item[order], (user.max() + 1, item.max() + 1)
    drawn = NegativeSampler(n_items).sample(user[:BATCH], NEGATIVES, 0, item[:BATCH])
    E = np.random.default_rng(1).normal(0, 0.1, (n_users + n_items, LightGCN().k)).astype(np.float32)
    return {"user": user, "item": item, "sizes": np.array([n_users, n_items, LightGCN().layers]), "negatives": drawn,
            "name": np.array(repr(train)), **named_weights({"E.weight": E})}


def _steps(problem):
    return -(-len(problem["user"]) // BATCH)


# ------------------------------------------------------------------------------------------------ tinydl's side
class Tinydl:
    """The model's own network, dataset and loss, in the Trainer."""

    def __init__(self, problem):
        from recmodels.graph import bipartite
        from recmodels.models.lightgcn import LightGCNNetwork
        from recmodels.negatives import NegativeSampler, SampledPairs
        from recmodels.ranking_losses import LOSSES
        from tinydl import optim

        n_users, n_items, layers = problem["sizes"].tolist()
        graph = bipartite(problem["user"], problem["item"], n_users, n_items)
        weights, self.problem, self.loss = weights_of(problem), problem, LOSSES["sampled-softmax"]
        k, rng = weights["E.weight"].shape[1], np.random.default_rng(0)
        self.network = LightGCNNetwork(graph, n_users, k, layers, 0.1, None, rng)
        self.network.load_state_dict(weights)
        self.sampler = NegativeSampler(n_items)
        pairs = SampledPairs(problem["user"], problem["item"], self.sampler, NEGATIVES, rng)
        optimizer = optim.AdamW(self.network.parameters(), lr=LR, weight_decay=DECAY)
        self.run = TinydlTraining(self.network, self.loss, optimizer, pairs, BATCH).run

    def check(self):
        from tinydl import Tensor

        user, target, drawn = self.problem["user"][:BATCH], self.problem["item"][:BATCH], self.problem["negatives"]
        log_c = self.sampler.log_expected_counts(user, drawn, target).astype(np.float32)
        loss = self.loss(self.network(Tensor(user), Tensor(np.append(target[:, None], drawn, axis=1))), Tensor(log_c))
        loss.backward()
        found = {"loss": np.array(loss.item(), np.float32), **gradients_of(self.network)}
        self.network.zero_grad()
        return found


# ------------------------------------------------------------------------------------------------ PyTorch's side
def torch_side(symmetric):
    """torch.sparse's product of a CSR matrix. symmetric: its backward is written by hand, as A' = A, which saves autograd a
    transposition at every product."""
    def build(problem):
        import torch
        from torch.nn import functional as F

        from recmodels.graph import bipartite

        torch.manual_seed(0)
        n_users, n_items, layers = problem["sizes"].tolist()
        matrix = bipartite(problem["user"], problem["item"], n_users, n_items).matrix
        parts = matrix.indptr, matrix.indices, matrix.data.astype(np.float32)
        with warnings.catch_warnings():  # "in beta state"
            warnings.simplefilter("ignore")
            A = torch.sparse_csr_tensor(*map(torch.from_numpy, parts), size=matrix.shape)
        users, items = torch.from_numpy(problem["user"]), torch.from_numpy(problem["item"])

        class Symmetric(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return A @ x

            @staticmethod
            def backward(ctx, dy):
                return A @ dy

        class LightGCN(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.E = torch.nn.Embedding(*weights_of(problem)["E.weight"].shape)
                self.load_state_dict(torch_weights(problem))

            def forward(self, user, item):
                x = total = self.E.weight
                for _ in range(layers):
                    x = Symmetric.apply(x) if symmetric else torch.sparse.mm(A, x)
                    total = total + x
                e = total / (layers + 1)
                return torch.einsum("bd,bnd->bn", F.embedding(user, e), F.embedding(n_users + item, e))

        def sample(target):
            drawn = torch.randint(n_items, (len(target), NEGATIVES))
            while (same := drawn == target[:, None]).any():
                drawn[same] = torch.randint(n_items, (int(same.sum()),))
            return drawn

        class Side(TorchLoop):
            model, size, batch_size = LightGCN(), len(users), BATCH
            optimizers = torch_optimizers(model, LR, decayed=[model.E.weight], weight_decay=DECAY)
            given = (torch.from_numpy(problem["negatives"]),)

            def loss(self, rows, drawn=None):
                target = items[rows]
                drawn = sample(target) if drawn is None else drawn
                scores = self.model(users[rows], torch.cat([target[:, None], drawn], 1))
                log_c = torch.full_like(scores, np.log(NEGATIVES / (n_items - 1)))
                log_c[:, 0] = 0
                return F.cross_entropy(scores - log_c, torch.zeros(len(rows), dtype=torch.int64))

        return Side()
    return build


ROWS = {"lightgcn": Row("LightGCN, a training step on the whole graph", problem,
                        {TINYDL: Tinydl, "torch.sparse.mm": torch_side(False), "A' = A by hand": torch_side(True)}, 1.0,
                        steps=_steps,
                        note=lambda p: f"{p['name']}; {_steps(p)} batches of {BATCH:,}, {NEGATIVES} negatives")}
