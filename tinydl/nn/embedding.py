"""Embedding: ID -> R^D, a table look-up. EmbeddingBag: the sum or mean of the rows of a set of IDs, in one pass."""

import numpy as np

from .. import ops
from . import init
from .module import Module
from .parameter import Parameter, empty


class Embedding(Module):
    """y = W[index]

    index: integers of any shape in [0, num_embeddings); y (*index.shape, embedding_dim); weight (V, D) from N(0, 1).
    padding_idx: that row starts at zero and gets no gradient. The gradient is a `RowGradient` of the rows read; with
    sparse=False every optimizer acts exactly as on the dense gradient, sparse=True asks for lazy updates (SparseAdam).
    """

    def __init__(self, num_embeddings, embedding_dim, padding_idx=None, *, sparse=False, rng=None):
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx, self.sparse = _row(padding_idx, num_embeddings), sparse
        self.weight = init.normal_(empty(num_embeddings, embedding_dim), rng=rng)
        if padding_idx is not None:
            self.weight._writable("Embedding")[self.padding_idx] = 0

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, padding_idx=None, *, sparse=False):
        """An embedding with a copy of the given (V, D) table, frozen unless freeze=False. Its dtype stays."""
        if embeddings.ndim != 2:
            raise ValueError(f"Embedding.from_pretrained: got a table of shape {embeddings.shape}, want (V, D)")
        made = cls(*embeddings.shape, padding_idx, sparse=sparse, rng=0)
        made.weight = Parameter(embeddings, requires_grad=not freeze)
        return made

    def forward(self, index):
        return ops.embedding(index, self.weight, self.padding_idx, self.sparse)

    def extra_repr(self):
        return (f"{self.num_embeddings}, {self.embedding_dim}" + (", sparse=True" if self.sparse else "")
                + (f", padding_idx={self.padding_idx}" if self.padding_idx is not None else ""))


class EmbeddingBag(Module):
    """y_b = sum (or mean) of s_bl W[index_bl] over l, without the (B, L, D) array between

    index (B, L), per_sample_weights s (B, L) for mode="sum"; y (B, D). Positions that hold padding_idx count for
    nothing. Bags of different lengths are padded: PyTorch's second form, 1-d input with offsets, is not offered.
    """

    def __init__(self, num_embeddings, embedding_dim, *, mode="mean", sparse=False, padding_idx=None, rng=None):
        if mode not in ("sum", "mean"):
            raise ValueError(f"EmbeddingBag: got mode={mode!r}, want 'sum' or 'mean'")
        self.num_embeddings, self.embedding_dim, self.mode = num_embeddings, embedding_dim, mode
        self.padding_idx, self.sparse = _row(padding_idx, num_embeddings), sparse
        self.weight = init.normal_(empty(num_embeddings, embedding_dim), rng=rng)
        if padding_idx is not None:
            self.weight._writable("EmbeddingBag")[self.padding_idx] = 0

    def forward(self, index, offsets=None, per_sample_weights=None):
        if offsets is not None:
            raise NotImplementedError("EmbeddingBag: offsets are not offered; pass index as (B, L), shorter bags filled up "
                                      "with padding_idx")
        return ops.embedding_bag(index, self.weight, self.mode, per_sample_weights, self.padding_idx, self.sparse)

    def extra_repr(self):
        return (f"{self.num_embeddings}, {self.embedding_dim}, mode={self.mode!r}" + (", sparse=True" if self.sparse else "")
                + (f", padding_idx={self.padding_idx}" if self.padding_idx is not None else ""))


def _row(padding_idx, size):
    """A padding row counted from the end made positive, and checked."""
    if padding_idx is None:
        return None
    if not -size <= padding_idx < size:
        raise ValueError(f"Embedding: got padding_idx={padding_idx} for a table of {size} rows")
    return int(np.arange(size)[padding_idx])
