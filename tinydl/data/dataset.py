"""Datasets: something with a length whose rows can be read many at a time, by an array of row numbers or a slice."""

import numpy as np

from ..tensor import Tensor


class Dataset:
    """What DataLoader needs: `len(dataset)`, and `dataset[rows]` -> a tuple of arrays for an array (or slice) of rows."""

    def __len__(self):
        raise NotImplementedError(f"{type(self).__name__} has no __len__")

    def __getitem__(self, rows):
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__(rows)")


class TensorDataset(Dataset):
    """Arrays of equal length side by side: row n of the dataset is row n of each.

    >>> data = TensorDataset(np.arange(4), np.array([1.0, 4.0, 2.0, 8.0]))
    >>> data[np.array([3, 1])]
    (array([3, 1]), array([8., 4.]))
    """

    def __init__(self, *arrays):
        arrays = [_array(a) for a in arrays]
        if not arrays or any(a.ndim == 0 for a in arrays) or len({len(a) for a in arrays}) != 1:
            raise ValueError(f"TensorDataset: got shapes {[a.shape for a in arrays]}, want at least one array, and the same "
                             "length in all")
        if any(a.dtype.kind not in "fiub" for a in arrays):
            raise TypeError(f"TensorDataset: got dtypes {[str(a.dtype) for a in arrays]}, want numbers; give every text or "
                            "date a number first")
        self.arrays = tuple(arrays)

    def __len__(self):
        return len(self.arrays[0])

    def __getitem__(self, rows):
        return tuple(a[rows] for a in self.arrays)

    def __repr__(self):
        return f"TensorDataset({len(self)} rows of {', '.join(f'{a.dtype}{list(a.shape[1:])}' for a in self.arrays)})"


def _array(a):
    """The array of a tensor or array, not copied; a list becomes what `tinydl.tensor` makes of it."""
    if isinstance(a, Tensor) and a.requires_grad:
        raise ValueError(f"TensorDataset: got a tensor of shape {a.shape} that requires grad, and a dataset holds no graph; "
                         "call .detach() first")
    return a if isinstance(a, np.ndarray) else a._data if isinstance(a, Tensor) else Tensor(a)._data
