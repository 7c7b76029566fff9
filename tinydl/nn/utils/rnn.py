"""Sequences of different lengths: padded, as they are stored, and packed, as recurrences compute them.

    a b c          padded: (T, B, ...), the longest is T steps;   packed: the rows of step 0, then those of step 1, ...
    d e .   ->     a d f   b e   c      with batch_sizes 3, 2, 1
    f . .

Packing is PyTorch's way, and here it is the engine's too: a step computes the sequences that reach it and no others, so
padding costs nothing, changes no result, and the backward direction of a bidirectional layer begins at each one's own end.
"""

from typing import NamedTuple

import numpy as np

from ... import ops
from ...tensor import Tensor


class PackedSequence(NamedTuple):
    """Rows of all steps, the longest sequence first in each: what `pack_padded_sequence` makes and RNNs take and give.

    data (N, ...); batch_sizes (T,) how many sequences reach each step. sorted_indices (B,): where the sequences stood
    before they were sorted by length; unsorted_indices the way back; both None where they came sorted.
    """

    data: Tensor
    batch_sizes: np.ndarray
    sorted_indices: np.ndarray | None = None
    unsorted_indices: np.ndarray | None = None

    def to(self, dtype):
        return self._replace(data=self.data.to(dtype))


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """PackedSequence of the first lengths[b] steps of each sequence b.

    input (T, B, ...), or (B, T, ...) with batch_first; lengths (B,) in [1, T], a list, array or tensor. enforce_sorted=True
    asks for lengths that never grow; False sorts.
    """
    if input.ndim < 2:
        raise ValueError(f"pack_padded_sequence: got input of shape {input.shape}, want (T, B, ...)")
    lengths = lengths._data if isinstance(lengths, Tensor) else np.asarray(lengths)
    T, B = input.shape[:2] if not batch_first else input.shape[1::-1]
    if lengths.shape != (B,) or lengths.dtype.kind not in "iu":
        raise ValueError(f"pack_padded_sequence: got lengths of shape {lengths.shape} and dtype {lengths.dtype} for {B} "
                         "sequences, want one whole number each" + ("" if batch_first else " (is the batch the first axis? "
                                                                    "then pass batch_first=True)"))
    if B == 0 or lengths.min() < 1 or lengths.max() > T:
        raise ValueError(f"pack_padded_sequence: got lengths {lengths.tolist()}, want at least one sequence and lengths in "
                         f"[1, {T}], the number of steps: leave empty sequences out")
    order = None
    if enforce_sorted and (np.diff(lengths) > 0).any():
        raise ValueError(f"pack_padded_sequence: got lengths {lengths.tolist()}, which are not sorted from long to short; "
                         "pass enforce_sorted=False to have it done")
    if not enforce_sorted:
        order = np.argsort(-lengths, kind="stable")
    batch_sizes = np.sum(lengths[:, None] > np.arange(lengths.max()), axis=0)
    step, place = _grid(batch_sizes)
    sequence = place if order is None else order[place]
    flat = ops.reshape(input, shape=(T * B, *input.shape[2:]))
    data = ops.take(flat, indices=sequence * T + step if batch_first else step * B + sequence, axis=0)
    return PackedSequence(data, batch_sizes, order, None if order is None else np.argsort(order))


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """(padded, lengths): the inverse, with `padding_value` after each sequence's end.

    padded (T, B, ...), or (B, T, ...) with batch_first, T the longest or total_length; lengths (B,) int64.
    """
    data, batch_sizes, _, back = sequence
    T, B = len(batch_sizes), int(batch_sizes[0])
    longest = T if total_length is None else total_length
    if longest < T:
        raise ValueError(f"pad_packed_sequence: got total_length={total_length} for sequences of up to {T} steps")
    index = np.full((longest, B), len(data), np.int64)  # the padding's row, behind all others
    index[_grid(batch_sizes)] = np.arange(len(data))
    index = index if back is None else index[:, back]
    padding = np.full((1, *data.shape[1:]), padding_value, data.dtype)
    padded = ops.take(ops.concatenate([data, padding]), indices=index.T if batch_first else index, axis=0)
    lengths = np.sum(batch_sizes[:, None] > np.arange(B), axis=0)
    return padded, lengths if back is None else lengths[back]


def pad_sequence(sequences, batch_first=False, padding_value=0.0):
    """(T, B, ...) of tensors (length, ...), shorter ones filled up with `padding_value`; batch_first: (B, T, ...)."""
    longest = max(len(x) for x in sequences)
    padded = [ops.pad(x, pad_width=((0, longest - len(x)), *((0, 0),) * (x.ndim - 1)), value=padding_value)
              for x in sequences]
    return ops.stack(padded, axis=0 if batch_first else 1)


def pack_sequence(sequences, enforce_sorted=True):
    """PackedSequence of tensors (length, ...)."""
    return pack_padded_sequence(pad_sequence(sequences), [len(x) for x in sequences], enforce_sorted=enforce_sorted)


def _grid(batch_sizes):
    """(step, place in the batch) of every packed row."""
    step = np.repeat(np.arange(len(batch_sizes)), batch_sizes)
    starts = np.cumsum(batch_sizes) - batch_sizes
    return step, np.arange(len(step)) - np.repeat(starts, batch_sizes)
