"""DataLoader: a dataset in batches, each cut out of the arrays at once, in an order that a generator draws."""

import numbers

from ..random import generator
from ..tensor import Tensor
from .dataset import Dataset, TensorDataset


class DataLoader:
    """Iterate over batches, tuples of tensors of at most `batch_size` rows.

    dataset: a `Dataset`, or a tuple of arrays. shuffle: a new order each epoch, drawn from `rng` (a Generator or a seed;
    by default the library's generator). drop_last: leave out a last batch that is short.

    >>> import numpy as np
    >>> loader = DataLoader((np.arange(5), np.arange(5) / 2), batch_size=2)
    >>> [x.tolist() for x, y in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, dataset, batch_size=1, shuffle=False, *, drop_last=False, rng=None):
        if not isinstance(dataset, Dataset):
            dataset = TensorDataset(*(dataset if isinstance(dataset, (tuple, list)) else (dataset,)))
        if len(dataset) == 0:
            raise ValueError("DataLoader: the dataset is empty, want at least one row; did a filter leave nothing?")
        if not isinstance(batch_size, numbers.Integral) or batch_size < 1:
            raise ValueError(f"DataLoader: got batch_size={batch_size}, want a whole number of at least 1")
        self.dataset, self.batch_size, self.shuffle, self.drop_last = dataset, int(batch_size), shuffle, drop_last
        self._rng = generator(rng) if rng is not None else None

    @property
    def rng(self):
        """The generator that the next epoch's order will be drawn from."""
        return generator() if self._rng is None else self._rng

    def __len__(self):
        """How many batches an epoch has."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + bool(rest and not self.drop_last)

    def __iter__(self):
        return self.epoch()

    def epoch(self, first=0):
        """The batches of a new epoch, from number `first` on. The order is drawn here and now, once."""
        if not 0 <= first <= len(self):
            raise IndexError(f"DataLoader.epoch: got first={first}, want 0 <= first <= {len(self)}, the number of batches")
        n = len(self.dataset)
        order = self.rng.permutation(n) if self.shuffle else None
        return self._batches(order, range(first * self.batch_size, len(self) * self.batch_size, self.batch_size))

    def _batches(self, order, starts):
        for start in starts:
            rows = slice(start, start + self.batch_size)
            batch = self.dataset[rows if order is None else order[rows]]
            if not isinstance(batch, tuple):
                raise TypeError(f"DataLoader: {type(self.dataset).__name__}[rows] gave a {type(batch).__name__}, want a "
                                "tuple of arrays")
            yield tuple(a if isinstance(a, Tensor) else Tensor._of(a) for a in batch)

    def __repr__(self):
        return f"DataLoader({self.dataset!r}, {len(self)} batches of {self.batch_size}, shuffle={self.shuffle})"
