"""Neural MF V2 and Wide & Deep on ratings of MovieLens 1M, with the settings that assignment I trains them with.

Losses and gradients are compared without dropout; the measured steps have it. tinydl's Neural MF draws one mask for each
film and user of a batch, PyTorch's one for each pair.
"""

import os
import pathlib

import numpy as np

from .common import TINYDL, Row
from .training import (
    TinydlTraining,
    TorchTraining,
    dense_flops,
    named_weights,
    torch_optimizers,
    torch_weights,
    weights_of,
)

BATCH = 2048


# ------------------------------------------------------------------------------------------------ the data
def ratings():
    """MovieLens 1M where $TINYDL_DATA has it, otherwise random ratings of the same shape."""
    from recmodels import load_movielens

    folder = pathlib.Path(os.environ.get("TINYDL_DATA") or ".") / "ml-1m"
    return load_movielens(folder) if folder.is_dir() else random_ratings(6040, 3883, 1_000_209)


def random_ratings(users, items, n):
    """Interactions with MovieLens' columns and nothing in them to learn: popular films, few of the users active."""
    import pandas

    from recmodels import Interactions

    rng = np.random.default_rng(0)
    genres = np.array([f"genre {g}" for g in range(18)])
    frame = pandas.DataFrame({"user": 1 + (users * rng.random(n) ** 2).astype(int),
                              "item": 1 + (items * rng.random(n) ** 2).astype(int), "rating": rng.integers(1, 6, n)})
    people = pandas.DataFrame({"gender": rng.choice(["F", "M"], users), "occupation": rng.integers(0, 21, users),
                               "age": rng.choice([1, 18, 25, 35, 45, 50, 56], users)},
                              index=pandas.RangeIndex(1, users + 1))
    films = pandas.DataFrame({"title": [f"film {i}" for i in range(items)], "year": rng.integers(1919, 2001, items),
                              "genres": [tuple(genres[rng.permutation(18)[:rng.integers(1, 4)]]) for _ in range(items)]},
                             index=pandas.RangeIndex(1, items + 1))
    return Interactions(frame, people, films, name="random ratings, shaped like ml-1m", synthetic=True, rating_range=(1, 5))


def _problem(name):
    def problem(quick):
        """Codes and ratings of whole batches, the tables of features, and the weights that both sides start from."""
        from recmodels.features import FeatureTable
        from recmodels.models import NeuralMF

        data = ratings()
        users = FeatureTable(data.users.index, data.users, NeuralMF.user_fields)
        items = FeatureTable(data.items.index, data.items, NeuralMF.item_fields)
        rows = np.random.default_rng(0).permutation(len(data))[:BATCH * (16 if quick else 128)]
        frame = data.frame.iloc[rows]
        arrays = {"user": users.codes(frame["user"].to_numpy()), "item": items.codes(frame["item"].to_numpy()),
                  "rating": frame["rating"].to_numpy(np.float32), "attributes": users.onehot,
                  "offsets": np.array(users.offsets), "genres": items.bags, "multihot": items.multihot,
                  "dense": items.dense, "name": np.array(repr(data))}
        weights = tinydl_network(name, arrays).state_dict()
        return {**arrays, **named_weights(weights)}
    return problem


class _Users:
    """The part of a FeatureTable that a network reads."""

    def __init__(self, problem):
        self.onehot, self.offsets = problem["attributes"], problem["offsets"].tolist()
        self.vocabulary = self.offsets[-1]

    def __len__(self):
        return len(self.onehot)


class _Items:
    def __init__(self, problem):
        self.dense, self.bags, self.multihot = problem["dense"], problem["genres"], problem["multihot"]

    def __len__(self):
        return len(self.dense)


def _settings(name):
    """The parameters of the model called `name`, as attributes."""
    from recmodels.models import MODELS

    return MODELS[name]()


# ------------------------------------------------------------------------------------------------ tinydl's side
def tinydl_network(name, problem):
    model = _settings(name)
    model.users_, model.items_, model.mean_ = _Users(problem), _Items(problem), float(problem["rating"].mean())
    return model._network(np.random.default_rng(0))


def _tinydl(name):
    def build(problem):
        from tinydl import optim
        from tinydl.nn import functional as F

        s, network = _settings(name), tinydl_network(name, problem)
        network.load_state_dict(weights_of(problem))
        decayed = [table.weight for table in network.decayed_tables()]
        others = [p for p in network.parameters() if not any(p is table for table in decayed)]
        optimizer = optim.AdamW([{"params": decayed, "weight_decay": s.weight_decay}, {"params": others}], lr=s.lr,
                                weight_decay=0.0)
        return TinydlTraining(network, F.mse_loss, optimizer, [problem[k] for k in ("user", "item", "rating")], BATCH)
    return build


# ------------------------------------------------------------------------------------------------ PyTorch's side
def torch_neural_mf(problem, s, sparse):
    import torch
    from torch import nn

    class NeuralMF(nn.Module):
        def __init__(self):
            super().__init__()
            K, hidden, users, items = s.k, s.hidden, len(problem["attributes"]), len(problem["dense"])
            self.register_buffer("a", torch.from_numpy(problem["dense"]))
            self.register_buffer("c", torch.from_numpy(problem["attributes"]))
            self.W_m, self.E_m = nn.Linear(self.a.shape[1], K), nn.Embedding(items, K, sparse=sparse)
            self.A_u = nn.EmbeddingBag(int(problem["offsets"][-1]), K, mode="sum")
            self.E_u = nn.Embedding(users, K, sparse=sparse)
            self.W_3, self.W_4 = nn.Linear(2 * K, hidden), nn.Linear(2 * K, hidden)
            self.W_7, self.w_8 = nn.Linear(hidden, hidden), nn.Linear(hidden, 1)
            if s.biases:
                self.b_u, self.b_i = nn.Embedding(users, 1, sparse=sparse), nn.Embedding(items, 1, sparse=sparse)
            self.dropout, self.mean = nn.Dropout(s.dropout), float(problem["rating"].mean())

        def decayed(self):
            return [self.E_u.weight, self.E_m.weight]

        def forward(self, user, item):
            h_m, e_m = torch.relu(self.W_m(self.a.index_select(0, item))), self.E_m(item)
            h_u, e_u = self.A_u(self.c.index_select(0, user)), self.E_u(user)
            h_5 = torch.relu(self.W_3(self.dropout(torch.cat([h_m, e_m], 1))))
            h_6 = torch.relu(self.W_4(self.dropout(torch.cat([h_u, e_u], 1))))
            y = self.w_8(torch.relu(self.W_7(h_5 * h_6))).reshape(-1)
            return self.mean + (self.b_u(user) + self.b_i(item)).reshape(-1) + y if s.biases else y

    return NeuralMF()


def torch_wide_deep(problem, s, sparse):
    import torch
    from torch import nn

    class WideDeep(nn.Module):
        def __init__(self):
            super().__init__()
            users, items = len(problem["attributes"]), len(problem["dense"])
            self.genres, self.attributes = problem["multihot"].shape[1] + 1, int(problem["offsets"][-1])
            self.register_buffer("c", torch.from_numpy(problem["attributes"]))
            self.register_buffer("g", torch.from_numpy(problem["genres"]))
            self.register_buffer("a", torch.from_numpy(problem["dense"]))
            sizes = [self.attributes, self.genres, self.attributes * self.genres, users, items, users * self.genres,
                     items * self.attributes]
            self.starts, self.mean = np.cumsum([1, *sizes]).tolist(), float(problem["rating"].mean())
            self.wide = nn.EmbeddingBag(self.starts[-1], 1, mode="sum", padding_idx=0, sparse=sparse)
            self.E_c = nn.Embedding(self.attributes, s.k_attribute)
            self.E_u, self.E_i = nn.Embedding(users, s.k, sparse=sparse), nn.Embedding(items, s.k, sparse=sparse)
            widths = _widths(problem, s)
            self.deep = nn.Sequential(*(layer for n, m in zip(widths, widths[1:], strict=False)
                                        for layer in (nn.Linear(n, m), nn.ReLU(), nn.Dropout(s.dropout))))
            self.w_L, self.dropout = nn.Linear(widths[-1], 1), nn.Dropout(s.dropout)

        def decayed(self):
            return [self.wide.weight, self.E_u.weight, self.E_i.weight]

        def crosses(self, c, g, user, item):
            start = self.starts
            genre = torch.where(g > 0, start[1] + g, 0)
            crossed = torch.where(g[:, None, :] > 0, start[2] + c[:, :, None] * self.genres + g[:, None, :], 0)
            return torch.cat([start[0] + c, genre, crossed.flatten(1), start[3] + user[:, None], start[4] + item[:, None],
                              torch.where(g > 0, start[5] + user[:, None] * self.genres + g, 0),
                              start[6] + item[:, None] * self.attributes + c], 1)

        def forward(self, user, item):
            c, g = self.c.index_select(0, user), self.g.index_select(0, item)
            wide = self.wide(self.crosses(c, g, user, item)).reshape(-1)
            h_0 = torch.cat([self.a.index_select(0, item), self.E_c(c).flatten(1), self.E_u(user), self.E_i(item)], 1)
            return self.mean + wide + self.w_L(self.deep(self.dropout(h_0))).reshape(-1)

    return WideDeep()


def _torch(name, network, sparse=False, compiled=False):
    def build(problem):
        import torch

        s = _settings(name)
        model = network(problem, s, sparse)
        model.load_state_dict(torch_weights(problem))
        return TorchTraining(model, torch.nn.functional.mse_loss,
                             torch_optimizers(model, s.lr, sparse, model.decayed(), s.weight_decay),
                             [problem[k] for k in ("user", "item", "rating")], BATCH, compiled)
    return build


# ------------------------------------------------------------------------------------------------ the rows
def _steps(problem):
    return len(problem["user"]) // BATCH


def _neural_mf_flops(problem, s):
    K, hidden = s.k, s.hidden
    layers = [(problem["dense"].shape[1], K, 2), (2 * K, hidden, 3), (2 * K, hidden, 3), (hidden, hidden, 3), (hidden, 1, 3)]
    return _steps(problem) * dense_flops(BATCH, layers)


def _widths(problem, s):
    return [problem["attributes"].shape[1] * s.k_attribute + problem["dense"].shape[1] + 2 * s.k, *s.hidden]


def _wide_deep_flops(problem, s):
    widths = [*_widths(problem, s), 1]
    return _steps(problem) * dense_flops(BATCH, [(n, m, 3) for n, m in zip(widths, widths[1:], strict=False)])


def _note(problem):
    return f"{problem['name']}; an epoch over {len(problem['user']):,} of them in batches of {BATCH:,}"


def _row(title, name, torch_network, must, flops):
    sides = {TINYDL: _tinydl(name), "fused Adam": _torch(name, torch_network),
             "SparseAdam + fused Adam": _torch(name, torch_network, sparse=True),
             "compiled, fused Adam": _torch(name, torch_network, compiled=True)}
    return Row(title, _problem(name), sides, must, steps=_steps, note=_note,
               flops=lambda problem: flops(problem, _settings(name)))


ROWS = {
    "neural-mf-2": _row("Neural MF V2, a training step", "neural-mf-2", torch_neural_mf, 2.0, _neural_mf_flops),
    "neural-mf-2-slide": _row("Neural MF V2, plain as on the slide", "neural-mf-2-slide", torch_neural_mf, None,
                              _neural_mf_flops),
    "wide-deep": _row("Wide & Deep with IDs, a training step", "wide-deep", torch_wide_deep, 1.7, _wide_deep_flops),
}
