"""An epoch of item-based AutoRec over MovieLens 1M: shuffle, batches of films, forward, backward, step; plain, no dropout.

PyTorch's sides are what its users have. Dense: a batch of films is a matrix with a column for each user, the loss is
masked; the products are at the speed of sgemm, and 95 % of them are multiplied by 0. Gathered: embedding_bag reads the
ratings, and a row of W is gathered for each. CSR: torch.sparse.mm and torch.sparse.sampled_addmm, made for this.
All make batches of triples with the same code but for the dense one, which selects rows of a matrix.
"""

import warnings

import numpy as np

from .common import TINYDL, Row
from .recommenders import ratings
from .training import TinydlTraining, TorchLoop, compiled, named_weights, torch_optimizers, torch_weights, weights_of

HIDDEN, BATCH, LR = 500, 256, 1e-3


def problem(quick):
    """The triples by film, centred, and the weights that all sides start from."""
    frame = ratings().frame
    rows, columns = (np.unique(frame[side], return_inverse=True)[1] for side in ("item", "user"))
    kept = rows < (600 if quick else len(rows))
    x = (frame["rating"] - frame["rating"].mean()).to_numpy(np.float32)
    rng, (J, H) = np.random.default_rng(0), (columns.max() + 1, HIDDEN)
    draw = {"V.weight": (J, H), "W.weight": (J, H), "mu": H, "b.weight": (J, 1)}
    return {"rows": rows[kept], "columns": columns[kept], "x": x[kept],
            **named_weights({name: rng.uniform(-H**-0.5, H**-0.5, size).astype(np.float32) for name, size in draw.items()})}


def _rows(problem):
    from recmodels.rating_rows import RatingRows

    return RatingRows(tuple(problem[name] for name in ("rows", "columns", "x")), problem["rows"].max() + 1)


def _tinydl(problem):
    from recmodels.models.autorec import AutoRecNetwork
    from tinydl import nn, optim

    network = AutoRecNetwork(len(problem["weights/V.weight"]), HIDDEN, False, 0.0, 0.0, np.random.default_rng(0))
    network.load_state_dict(weights_of(problem))
    optimizer = optim.AdamW(network.parameters(), lr=LR, weight_decay=0.0)
    return TinydlTraining(network, nn.functional.mse_loss, optimizer, _rows(problem), BATCH)


class TorchAutoRec(TorchLoop):
    """loss(rows of the dataset) in one of PyTorch's ways."""

    batch_size = BATCH

    def __init__(self, problem, way, compile=False):
        import torch

        torch.manual_seed(0)
        warnings.filterwarnings("ignore", "Sparse", UserWarning)  # that sparse tensors are young
        self.data, self.way = _rows(problem), way
        self.size, self.columns = len(self.data), len(problem["weights/V.weight"])
        self.p = torch.nn.ParameterDict({name.replace(".", "_"): w for name, w in torch_weights(problem).items()})
        self.model = self.p
        self.optimizers = torch_optimizers(self.p, LR)
        if way == "dense":
            self.r, self.known = torch.zeros(self.size, self.columns), torch.zeros(self.size, self.columns)
            places = torch.from_numpy(problem["rows"]), torch.from_numpy(problem["columns"])
            self.r[places], self.known[places] = torch.from_numpy(problem["x"]), 1.0
        self.objective = compiled(self._dense) if compile else getattr(self, f"_{way}")

    def _dense(self, r, known):
        import torch

        h = torch.sigmoid(r @ self.p["V_weight"] + self.p["mu"])
        y = torch.addmm(self.p["b_weight"].t(), h, self.p["W_weight"].t())
        return (((y - r) * known) ** 2).sum() / known.sum()

    def _gathered(self, x, i, j, start):
        import torch

        read = torch.nn.functional.embedding_bag(j, self.p["V_weight"], start[:-1], mode="sum", per_sample_weights=x)
        h = torch.sigmoid(read + self.p["mu"])
        y = (h.index_select(0, i) * self.p["W_weight"].index_select(0, j)).sum(1)
        return torch.nn.functional.mse_loss(y + self.p["b_weight"].index_select(0, j)[:, 0], x)

    def _csr(self, x, i, j, start):
        import torch

        r = torch.sparse_csr_tensor(start, j, x, (len(start) - 1, self.columns), check_invariants=False)
        h = torch.sigmoid(torch.sparse.mm(r, self.p["V_weight"]) + self.p["mu"])
        y = torch.sparse.sampled_addmm(r, h, self.p["W_weight"].t(), beta=0.0).values()
        return torch.nn.functional.mse_loss(y + self.p["b_weight"].index_select(0, j)[:, 0], x)

    def loss(self, rows):
        import torch

        if self.way == "dense":
            return self.objective(self.r.index_select(0, rows), self.known.index_select(0, rows))
        number, x, i, j, *_ = self.data[rows.numpy()]
        start = np.append(0, np.cumsum(np.bincount(i, minlength=len(number))))
        return self.objective(*map(torch.from_numpy, (x, i, j, start)))

    def check(self):
        return {name.replace("_", "."): array for name, array in super().check().items()}


def _torch(way, compile=False):
    return lambda problem: TorchAutoRec(problem, way, compile)


def _steps(problem):
    return -(-(problem["rows"].max() + 1) // BATCH)


def _note(problem):
    films, users = (problem[side].max() + 1 for side in ("rows", "columns"))
    return (f"{len(problem['x']):,} ratings of {films:,} films by {users:,} users, {HIDDEN} hidden units, "
            f"batches of {BATCH} films; the arithmetic counted is that of known ratings")


ROWS = {"autorec": Row(
    "item AutoRec, a training step", problem,
    {TINYDL: _tinydl, "dense, fused Adam": _torch("dense"), "dense, compiled, fused Adam": _torch("dense", compile=True),
     "gathered, fused Adam": _torch("gathered"), "CSR, fused Adam": _torch("csr")},
    1.5, steps=_steps, note=_note, flops=lambda problem: 5 * 2 * len(problem["x"]) * HIDDEN)}
