"""Factorization machines and Neural FM: interactions forward and backward, and a training step against sampled venues."""

import functools
import os
import pathlib

import numpy as np

from .common import TINYDL, Row
from .training import (
    TorchLoop,
    compiled,
    dense_flops,
    gradients_of,
    named_weights,
    torch_optimizers,
    torch_weights,
    weights_of,
)

FIELDS, K = (24_000, 24_000, 1_500, 400, 80, 20), 64  # sizes of the six fields, 50,000 features in all
FM_BATCH, BATCH, NEGATIVES, HIDDEN, LR, POWER = 4096, 512, 40, 64, 1e-3, 0.75
UNSEEN = ("w_5.bias",)  # a softmax does not see it, so its gradient is 0, and what is computed is rounding


# ------------------------------------------------------------------------------------------------ the problems
def fm_problem(quick):
    """Features of a batch, the weights that both sides start from, and the loss's gradient in each score."""
    from recmodels.models.factorization_machine import FactorizationMachineNetwork

    rng, B = np.random.default_rng(0), FM_BATCH // 8 if quick else FM_BATCH
    starts = np.cumsum([0, *FIELDS[:-1]])
    index = np.stack([start + rng.integers(0, n, B) for start, n in zip(starts, FIELDS, strict=True)], axis=1)
    weights = FactorizationMachineNetwork(sum(FIELDS), K, order=3, scale=0.3, rng=rng).state_dict()
    return {"index": index, "dy": rng.standard_normal(B, np.float32), **named_weights(weights)}


def checkins():
    """The check-ins of New York where $TINYDL_DATA has them, otherwise a synthetic city of the same size."""
    from recmodels import load_foursquare, synthetic_checkins

    folder = pathlib.Path(os.environ.get("TINYDL_DATA") or ".") / "tsmc2014"
    return load_foursquare(folder) if folder.is_dir() else synthetic_checkins(1083, 4638, 147_129)


def visits():
    """{"user", "slot", "item"} of the training check-ins and of the test's, {"category"} of the venues, and how many."""
    import pandas

    from recmodels.splits import time_split
    from recmodels.visit_log import VisitLog

    split = time_split(checkins())
    train, test, items = split.train, split.test, pandas.Index(split.train.items_seen)
    users = pandas.Index(train.users_seen)
    of_item, names = pandas.factorize(train.items["category"].reindex(items).astype(str))
    seen, later = VisitLog.of(train, users, items).by_time, VisitLog.of(test, users, items).by_time
    later = later.take(later.user < len(users))
    sizes = [len(users), 12, len(items), len(names)]
    return {"user": seen.user, "slot": seen.slot, "item": seen.item, "test user": later.user, "test slot": later.slot,
            "test item": later.item, "category": of_item, "starts": np.cumsum([0, *sizes]), "name": np.array(repr(train))}


def neural_fm_problem(quick):
    """The check-ins of some whole batches, counts of the venues, one batch's negatives to check with, and the weights."""
    from recmodels import negatives

    arrays, rng = visits(), np.random.default_rng(0)
    count = np.bincount(arrays["item"], minlength=len(arrays["category"]))
    rows = rng.permutation(len(arrays["user"]))[:BATCH * (4 if quick else 32)]
    arrays = {key: a[rows] if key in ("user", "slot", "item") else a for key, a in arrays.items() if "test" not in key}
    sampler = negatives.NegativeSampler(len(count), count, POWER)
    drawn = sampler.sample(arrays["user"][:BATCH], NEGATIVES, rng, exclude=arrays["item"][:BATCH])
    return {**arrays, "count": count, "negatives": drawn, **named_weights(spread(neural_fm(arrays).state_dict(), rng))}


def spread(weights, rng):
    """As after some training: from w = 0 and small V and U, gradients would be zero or lost in rounding."""
    w = 0.3 * rng.standard_normal(weights["w.weight"].shape, np.float32)
    return {**weights, "w.weight": w, "V.weight": 6 * weights["V.weight"], "U.weight": 6 * weights["U.weight"]}


# ------------------------------------------------------------------------------------------------ tinydl's side
class FMGradients:
    """A factorization machine's scores and all its gradients, given dy."""

    def __init__(self, problem, form):
        from recmodels.models.factorization_machine import FactorizationMachineNetwork

        self.network = FactorizationMachineNetwork(sum(FIELDS), K, order=3, form=form)
        self.network.load_state_dict(weights_of(problem))
        self.index, self.dy = problem["index"], problem["dy"]

    def run(self):
        self.network.zero_grad()
        y = self.network(self.index)
        y.backward(self.dy)
        return y

    def check(self):
        return {"scores": self.run().detach().numpy().copy(), **gradients_of(self.network)}


def neural_fm(problem, rng=0):
    from recmodels.models.neural_fm import NeuralFMNetwork

    return NeuralFMNetwork(int(problem["starts"][-1]), K, HIDDEN, order=3, rng=np.random.default_rng(rng))


def tinydl_step(problem):
    """Trainer with batches whose negatives are drawn as they are read, sampled softmax, exact Adam."""
    from recmodels.negatives import NegativeSampler
    from recmodels.ranking_losses import sampled_softmax
    from tinydl import nn, optim
    from tinydl.data import DataLoader, Dataset
    from tinydl.training import Trainer

    network, (user, slot, item, category) = neural_fm(problem), problem["starts"][:4]
    network.load_state_dict(weights_of(problem))
    sampler = NegativeSampler(len(problem["count"]), problem["count"], POWER)

    class Batches(Dataset):
        rng = np.random.default_rng(0)

        def __len__(self):
            return len(problem["user"])

        def __getitem__(self, rows):
            drawn = sampler.sample(problem["user"][rows], NEGATIVES, self.rng, exclude=problem["item"][rows])
            return self.batch(rows, drawn)

        def batch(self, rows, drawn):
            users, target = problem["user"][rows], problem["item"][rows]
            venues = np.concatenate([target[:, None], drawn], axis=1)
            log_c = sampler.log_expected_counts(users, drawn, target).astype(np.float32)
            return (np.stack([user + users, slot + problem["slot"][rows]], axis=1),
                    np.stack([item + venues, category + problem["category"][venues]], axis=2), log_c)

    class Ranked(nn.Module):
        def __init__(self):
            self.network = network

        def forward(self, contexts, candidates):
            return network.rank(contexts.numpy(), candidates.numpy())

    def loss(scores, log_c):
        return sampled_softmax(scores, log_c.numpy())

    class Side:
        data = Batches()
        trainer = Trainer(Ranked(), loss, optim.AdamW(network.parameters(), lr=LR, weight_decay=0.0))
        loader = DataLoader(data, BATCH, shuffle=True, rng=0)

        def run(self):
            self.trainer.fit(self.loader, epochs=self.trainer.epoch + 1)

        def check(self):
            contexts, candidates, log_c = self.data.batch(slice(BATCH), problem["negatives"])
            value = sampled_softmax(network.rank(contexts, candidates), log_c)
            value.backward()
            found = {"loss": np.array(value.item(), np.float32), **gradients_of(network, UNSEEN)}
            network.zero_grad()
            return found

    return Side()


# ------------------------------------------------------------------------------------------------ PyTorch's side
def torch_fm(form, sparse=False, compile=False):
    """The slide's form by EmbeddingBag's sums; i<j and i<j<k by sums of powers (Blondel et al. 2016)."""
    def build(problem):
        import torch
        from torch import nn

        class FM(nn.Module):
            def __init__(self):
                super().__init__()
                kind = nn.Embedding if form == "distinct" or compile else functools.partial(nn.EmbeddingBag, mode="sum")
                self.w, self.V, self.U = (kind(sum(FIELDS), k, sparse=sparse) for k in (1, K, K))
                self.b = nn.Parameter(torch.zeros(()))

            def forward(self, index):
                w, v, u = (table(index) for table in (self.w, self.V, self.U))
                if isinstance(self.w, nn.Embedding):
                    w = w.sum(1)
                y = w[:, 0] + self.b
                if form == "full":
                    v, u = (x.sum(1) if x.ndim == 3 else x for x in (v, u))
                    return y + (v * v).sum(1) + (u * u * u).sum(1)
                s, square = v.sum(1), u * u
                p_1, p_2, p_3 = u.sum(1), square.sum(1), (square * u).sum(1)
                return (y + 0.5 * (s * s - (v * v).sum(1)).sum(1)
                        + ((p_1 * p_1 * p_1 - 3 * p_1 * p_2 + 2 * p_3) / 6).sum(1))

        class Side:
            network = FM()
            network.load_state_dict(torch_weights(problem))
            scores = staticmethod(compiled(network.forward) if compile else network)
            index, dy = torch.from_numpy(problem["index"]), torch.from_numpy(problem["dy"])

            def run(self):
                self.network.zero_grad()
                y = self.scores(self.index)
                y.backward(self.dy)
                for p in self.network.parameters():  # as tinydl's: each row once, which any optimizer needs
                    if p.grad.is_sparse:
                        p.grad = p.grad.coalesce()
                return y

            def check(self):
                return {"scores": self.run().detach().numpy().copy(), **gradients_of(self.network)}

        return Side()
    return build


def torch_neural_fm(problem, sparse=False):
    """The slide's network of a context with its candidates, whose part of each sum is computed once."""
    import torch
    from torch import nn

    class NeuralFM(nn.Module):
        def __init__(self):
            super().__init__()
            vocabulary = int(problem["starts"][-1])
            self.w, self.V, self.U = (nn.Embedding(vocabulary, k, sparse=sparse) for k in (1, K, K))
            self.W_4, self.w_5 = nn.Linear(1 + 2 * K, HIDDEN), nn.Linear(HIDDEN, 1)
            self.load_state_dict(torch_weights(problem))

        def sums(self, table, contexts, candidates):
            c = table(contexts[:, 0]) + table(contexts[:, 1])
            return c[:, None] + (table(candidates[:, :, 0]) + table(candidates[:, :, 1]))

        def layers(self, h_1, v, u):
            h_4 = torch.relu(torch.cat([h_1, v * v, u * u * u], -1))
            return self.w_5(torch.tanh(self.W_4(h_4))).squeeze(-1)

        def forward(self, contexts, candidates):
            return self.layers(*(self.sums(table, contexts, candidates) for table in (self.w, self.V, self.U)))

    return NeuralFM()


def torch_step(sparse=False, compile=False):
    def build(problem):
        import torch

        torch.manual_seed(0)
        network, (user, slot, item, category) = torch_neural_fm(problem, sparse), problem["starts"][:4].tolist()
        users, slots, items, of_venue = (torch.from_numpy(problem[k]) for k in ("user", "slot", "item", "category"))
        q = torch.from_numpy(problem["count"].astype(np.float64) ** POWER)
        q = q / q.sum()
        cumulated, log_q, log_rest = q.cumsum(0), (q.log() + np.log(NEGATIVES)).float(), torch.log1p(-q).float()
        cumulated[-1] = 1

        def draw(shape):
            return torch.searchsorted(cumulated, torch.rand(shape, dtype=torch.float64))  # multinomial takes longer

        def sample(target):
            drawn = draw((len(target), NEGATIVES))
            while (same := drawn == target[:, None]).any():
                drawn[same] = draw((int(same.sum()),))
            return drawn

        def objective(contexts, candidates, log_c):
            scores = network(contexts, candidates) - log_c
            return torch.nn.functional.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.int64))

        objective = compiled(objective) if compile else objective

        def batch(rows, drawn=None):
            target = items[rows]
            drawn = sample(target) if drawn is None else drawn
            venues = torch.cat([target[:, None], drawn], 1)
            log_c = torch.zeros(venues.shape)
            log_c[:, 1:] = log_q[drawn] - log_rest[target][:, None]
            return (torch.stack([user + users[rows], slot + slots[rows]], 1),
                    torch.stack([item + venues, category + of_venue[venues]], 2), log_c)

        class Side(TorchLoop):
            model, size, batch_size, optimizers = network, len(users), BATCH, torch_optimizers(network, LR, sparse)
            given, unseen = (torch.from_numpy(problem["negatives"]),), UNSEEN

            def loss(self, rows, drawn=None):
                return objective(*batch(rows, drawn))

        return Side()
    return build


# ------------------------------------------------------------------------------------------------ the rows
def _fm_row(title, form):
    sides = {TINYDL: lambda problem: FMGradients(problem, form), "dense gradients": torch_fm(form),
             "sparse gradients": torch_fm(form, sparse=True), "compiled, dense": torch_fm(form, compile=True)}
    return Row(title, fm_problem, sides, 5.0, note=lambda p: f"{len(p['index']):,} x {len(FIELDS)} of 50,000 features")


def neural_fm_flops(examples):
    return dense_flops(examples, [(1 + 2 * K, HIDDEN, 3), (HIDDEN, 1, 3)])


def _steps(problem):
    return len(problem["user"]) // BATCH


ROWS = {
    "fm-distinct": _fm_row("FM of order 3, i<j<k, forward and backward", "distinct"),
    "fm-full": _fm_row("FM of order 3, the slide's, forward and backward", "full"),
    "neural-fm": Row(
        "Neural FM, a training step with 40 negatives", neural_fm_problem,
        {TINYDL: tinydl_step, "fused Adam": torch_step(), "SparseAdam + fused Adam": torch_step(sparse=True),
         "compiled, fused Adam": torch_step(compile=True)}, 5.0, steps=_steps,
        flops=lambda p: _steps(p) * neural_fm_flops(BATCH * (1 + NEGATIVES)),
        note=lambda p: f"{p['name']}; {_steps(p)} batches of {BATCH}"),
}
