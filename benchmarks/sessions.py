"""An epoch of SASRec on sessions of YooChoose's lengths and catalogue: batches, forward, backward, step, on both sides.

As in the paper, without categories and without repeats; softmax over the catalogue at every real position. PyTorch pads each
batch to its longest session, or computes the layers on real rows only, as tinydl does; padding is timed too, by vectorised
indexing without DataLoader. Losses and gradients are compared without dropout.
"""

import os
import pathlib

import numpy as np

from .common import TINYDL, Row
from .training import TinydlTraining, TorchLoop, named_weights, torch_weights, weights_of

BATCH, K = 128, 100


# ------------------------------------------------------------------------------------------------ the data
def sessions():
    """The training sessions where $TINYDL_DATA has them, otherwise random ones of the same shape: (name, Sessions)."""
    from recmodels.datasets import Sessions, load_yoochoose

    folder = pathlib.Path(os.environ.get("TINYDL_DATA") or ".") / "yoochoose"
    if folder.is_dir():
        return "yoochoose", load_yoochoose(folder).train
    rng = np.random.default_rng(0)
    lengths = np.minimum(1 + rng.geometric(0.35, 23_806), 50)
    return "random sessions, shaped like yoochoose", Sessions(np.arange(len(lengths)), np.append(0, np.cumsum(lengths)), (
        5_394 * rng.random(lengths.sum()) ** 2).astype(int))


def problem(quick):
    name, data = sessions()
    data = data.take(np.random.default_rng(0).permutation(len(data))[:BATCH * (8 if quick else 40)])
    _, items = np.unique(data.items, return_inverse=True)
    arrays = {"start": data.start, "items": items, "name": np.array(name)}
    return {**arrays, **named_weights(model(arrays).network_.state_dict())}


def model(problem):
    """SASRec with its settings and a network for the problem's catalogue."""
    from recmodels.models import SESSION_MODELS

    made = SESSION_MODELS["sasrec"](k=K, categories=False, recent=0)
    made.items_ = np.arange(problem["items"].max() + 1)
    made.network_ = made._network(np.random.default_rng(0))
    return made


# ------------------------------------------------------------------------------------------------ the sides
def tinydl_side(problem):
    from recmodels.session_neural import SessionBatches
    from recmodels.session_recommender import CodedSessions
    from tinydl import optim

    made = model(problem)
    made.network_.load_state_dict(weights_of(problem))
    data = SessionBatches(CodedSessions(problem["start"], problem["items"]), made.longest, made.recent)
    return TinydlTraining(made.network_, made._loss, optim.AdamW(made._parameter_groups(), lr=made.lr), data, BATCH)


def torch_side(rows):
    """rows: the layers see real rows only, as tinydl's do; else the padded batch."""
    def build(problem):
        import torch
        from torch import nn
        from torch.nn import functional as F

        s = model(problem)
        n_items = len(s.items_)

        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm_1, self.norm_2 = nn.LayerNorm(K), nn.LayerNorm(K)
                self.W_qkv, self.W_o, self.W_1, self.W_2 = (nn.Linear(K, n) for n in (3 * K, K, K, K))
                self.dropout = nn.Dropout(s.dropout)

            def forward(self, x, place, real):
                z = self.W_qkv(self.norm_1(x))
                z = z[place] if rows else z  # (B, T, 3 K)
                B, T, _ = z.shape
                q, k, v = z.view(B, T, 3, s.heads, K // s.heads).permute(2, 0, 3, 1, 4)
                a = F.scaled_dot_product_attention(q, k, v, dropout_p=s.dropout if self.training else 0.0, is_causal=True)
                a = a.transpose(1, 2).reshape(B, T, K)
                x = x + self.dropout(self.W_o(a.view(B * T, K)[real] if rows else a))
                return x + self.dropout(self.W_2(self.dropout(torch.relu(self.W_1(self.norm_2(x))))))

        class Reader(nn.Module):
            def __init__(self):
                super().__init__()
                self.P, self.blocks = nn.Embedding(s.longest, K), nn.ModuleList(Block() for _ in range(s.blocks))
                self.norm, self.dropout = nn.LayerNorm(K), nn.Dropout(s.dropout)

            def forward(self, x, place, step, real):
                x = self.dropout(x * K**0.5 + self.P(step.expand(place.shape).reshape(-1)[real] if rows else step))
                for block in self.blocks:
                    x = block(x, place, real)
                return self.norm(x if rows else x.reshape(-1, K)[real])

        class SASRec(nn.Module):
            def __init__(self):
                super().__init__()
                self.E, self.reader = nn.Embedding(n_items, K), Reader()
                self.b, self.r = nn.Parameter(torch.zeros(n_items)), nn.Parameter(torch.zeros(0))

            def forward(self, items, place, step, real, target):
                h = self.reader(self.E(items if rows else items[place]), place, step, real)
                return F.cross_entropy(h @ self.E.weight.T + self.b, target, label_smoothing=s.smoothing) + self.r.sum()

        class Side(TorchLoop):
            batch_size = BATCH

            def __init__(self):
                torch.manual_seed(0)
                self.model = SASRec()
                self.model.load_state_dict(torch_weights(problem))
                self.optimizers = [torch.optim.AdamW(self.model.parameters(), lr=s.lr, weight_decay=0.0, fused=True)]
                start, items = torch.from_numpy(problem["start"]), torch.from_numpy(problem["items"])
                self.length = torch.minimum(start.diff() - 1, torch.tensor(s.longest))
                self.first, self.items, self.size = start[1:] - 1 - self.length, items, len(self.length)

            def batch(self, sessions):
                length, first = self.length[sessions], self.first[sessions]
                step = torch.arange(int(length.max()))
                real = (step < length[:, None]).view(-1).nonzero()[:, 0]
                at = (first[:, None] + torch.minimum(step, length[:, None] - 1)).view(-1)[real]
                place = (length.cumsum(0) - length)[:, None] + torch.minimum(step, length[:, None] - 1)
                return self.items[at], place, step, real, self.items[at + 1]

            def loss(self, sessions):
                return self.model(*self.batch(sessions))

        return Side()
    return build


# ------------------------------------------------------------------------------------------------ the row
def _positions(problem):
    return int(np.minimum(np.diff(problem["start"]) - 1, 30).sum())


ROWS = {
    "sasrec": Row(f"SASRec, a training step of {BATCH} sessions", problem,
                  {TINYDL: tinydl_side, "eager, padded": torch_side(rows=False),
                   "eager, real rows": torch_side(rows=True)}, 1.5,
                  steps=lambda p: -(-(len(p["start"]) - 1) // BATCH),
                  flops=lambda p: 6 * _positions(p) * K * (int(p["items"].max()) + 1 + 6 * K),
                  note=lambda p: f"{p['name']}; an epoch over {len(p['start']) - 1:,} sessions, {_positions(p):,} "
                                 f"positions, {int(p['items'].max()) + 1:,} items"),
}
