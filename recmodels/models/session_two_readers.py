"""Two readers of one session, self-attention and a recurrent network, whose scores are averaged.

What self-attention expects is a wide field of what goes together with the session, what a recurrent network expects follows
its last clicks: the first has the better recall, the second has the clicked item higher up. Trained by one loss they do
about as one of them alone: as the second where a projection joins them, as the first where their mean is what is trained.
So each has to answer by itself in training (a loss for a part of a network: Lee, Xie, Gallagher, Zhang, Tu 2015,
"Deeply-supervised nets"), and only the scores are put together, by their mean, which is a product of the two experts'
distributions (Hinton 2002).
"""

import numpy as np

from tinydl import nn, ops

from ..session_neural import SessionNetwork
from .session_gru4rec import GRUReader
from .session_sasrec import SASRec, SelfAttentionReader

READERS = ("attention", "recurrence")


class TwoReadersNetwork(SessionNetwork):
    """y = (y_1 + y_2) / 2,   y_m = X h_m + b + repeats,   h_m what reader m makes of the same x;   L = (L_1 + L_2) / 2

    items (N,), lengths (B,) -> (h_1 + h_2) / 2 (N, K); in training h_1 and, behind it, h_2: (2 N, K). One table X, b and r.
    """

    def __init__(self, n_items, category, recent, k, readers, blocks, heads, longest, dropout, rng):
        super().__init__(n_items, category, recent, k, rng)
        self.readers = nn.ModuleList([
            SelfAttentionReader(k, blocks, heads, longest, dropout, rng) if reader == "attention"
            else GRUReader(k, dropout, rng) for reader in readers])

    def forward(self, items, lengths):
        x, lengths = self.read(items), lengths.numpy()
        first, second = (reader(x, lengths) for reader in self.readers)
        return ops.concatenate([first, second], axis=0) if self.training else (first + second) / 2


class TwoReaders(SASRec):
    """Two readers on sessions: which two, "attention" or "recurrence"; other parameters as of `SASRec`."""

    def __init__(self, k=100, readers=READERS, blocks=1, heads=1, dropout=0.4, smoothing=0.1, categories=True, recent=10,
                 longest=30, epochs=8, patience=2, batch_size=128, lr=4e-3, weight_decay=0.0, seed=0, verbose=False):
        self._keep(locals())

    def _check_parameters(self):
        super()._check_parameters()
        if len(self.readers) != 2 or not set(self.readers) <= set(READERS):
            raise ValueError(f"TwoReaders: got readers={self.readers!r}, want two of {', '.join(READERS)}")

    def _network(self, rng):
        return TwoReadersNetwork(*self._catalogue(), self.k, self.readers, self.blocks, self.heads, self.longest,
                                 self.dropout, rng)

    def _loss(self, h, target):
        target = target.numpy()
        return super()._loss(h, np.tile(target, (len(h) // len(target), 1)))
