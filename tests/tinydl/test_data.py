"""Datasets and loaders: every row once, in an order that can be drawn again, in batches that cost no copy."""

import numpy as np
import pytest

import tinydl
from tinydl import Tensor
from tinydl.data import DataLoader, Dataset, TensorDataset

X, Y = np.arange(22.0).reshape(11, 2), np.arange(11) * 10


def rows(loader, **options):
    """The row numbers that the batches of an epoch hold, read off Y."""
    return [(y.data // 10).tolist() for _, y in loader.epoch(**options)]


def test_rows_stay_together():
    for loader in (DataLoader((X, Y), 4), DataLoader((X, Y), 4, shuffle=True), DataLoader(TensorDataset(X, Y), 3)):
        for x, y in loader:
            assert isinstance(x, Tensor) and isinstance(y, Tensor)
            assert x.dtype == np.float64 and y.dtype == np.int64 and not x.requires_grad
            np.testing.assert_array_equal(x.data[:, 0], y.data / 5)
            np.testing.assert_array_equal(x.data[:, 1], y.data / 5 + 1)


@pytest.mark.parametrize("batch_size", [1, 2, 4, 11, 20])
@pytest.mark.parametrize("shuffle", [False, True])
def test_every_row_once_an_epoch(batch_size, shuffle):
    loader = DataLoader((X, Y), batch_size, shuffle)
    for _ in range(3):
        batches = rows(loader)
        assert sorted(sum(batches, [])) == list(range(11))
        assert len(batches) == len(loader) == -(-11 // batch_size)
        assert all(len(batch) == batch_size for batch in batches[:-1])


def test_without_shuffling_the_order_is_the_datasets():
    assert rows(DataLoader((X, Y), 4)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]


@pytest.mark.parametrize("batch_size, batches", [(4, 2), (11, 1), (20, 0), (1, 11)])
def test_drop_last(batch_size, batches):
    loader = DataLoader((X, Y), batch_size, shuffle=True, drop_last=True)
    found = rows(loader)
    assert len(loader) == len(found) == batches
    assert all(len(batch) == batch_size for batch in found)


def test_the_order_is_drawn_anew_and_the_same_from_the_same_seed():
    def epochs(rng):
        loader = DataLoader((X, Y), 3, shuffle=True, rng=rng)
        return [rows(loader) for _ in range(3)]

    one = epochs(5)
    assert one[0] != one[1] and one[1] != one[2]
    assert epochs(5) == one and epochs(np.random.default_rng(5)) == one and epochs(6) != one
    before = tinydl.generator().bit_generator.state
    epochs(5)
    assert tinydl.generator().bit_generator.state == before
    tinydl.manual_seed(1)
    default = epochs(None)
    assert epochs(None) != default
    tinydl.manual_seed(1)
    assert epochs(None) == default


def test_every_order_comes_up():
    loader, seen = DataLoader(np.arange(3), 3, shuffle=True), set()
    for _ in range(100):
        seen.update(tuple(x.tolist()) for x, in loader)
    assert len(seen) == 6


def test_an_epoch_goes_on_from_any_batch():
    loader = DataLoader((X, Y), 3, shuffle=True, rng=5)
    for first in range(5):
        state = loader.rng.bit_generator.state
        whole = rows(loader)
        loader.rng.bit_generator.state = state
        assert rows(loader, first=first) == whole[first:]
    assert rows(DataLoader((X, Y), 3), first=3) == [[9, 10]]
    for wrong in (-1, 5):
        with pytest.raises(IndexError, match="number of batches"):
            loader.epoch(first=wrong)


def test_two_epochs_at_once_do_not_disturb_each_other():
    loader = DataLoader((X, Y), 3, shuffle=True, rng=5)
    one, other = loader.epoch(), loader.epoch()
    pairs = list(zip(one, other, strict=True))
    for k in (0, 1):
        assert sorted(np.concatenate([pair[k][1].data for pair in pairs])) == Y.tolist()


def test_batches_in_order_are_views_and_shuffled_ones_are_not():
    assert all(np.shares_memory(x.data, X) for x, _ in DataLoader((X, Y), 4))
    assert not any(np.shares_memory(x.data, X) for x, _ in DataLoader((X, Y), 4, shuffle=True))
    assert TensorDataset(X).arrays[0] is X


def test_a_dataset_of_ones_own():
    class Squares(Dataset):
        def __len__(self):
            return 5

        def __getitem__(self, rows):
            n = np.arange(5)[rows]
            return n, n**2

    assert [y.tolist() for _, y in DataLoader(Squares(), 2)] == [[0, 1], [4, 9], [16]]

    class OneArray(Squares):
        def __getitem__(self, rows):
            return np.arange(5)[rows]

    with pytest.raises(TypeError, match="OneArray.*want a tuple"):
        list(DataLoader(OneArray(), 2))
    with pytest.raises(NotImplementedError, match="__len__"):
        DataLoader(Dataset(), 2)


def test_dataset_takes_arrays_tensors_and_lists():
    data = TensorDataset(X, Tensor(Y), [0.5] * 11)
    assert [a.dtype for a in data.arrays] == [np.float64, np.int64, np.float32]
    assert len(data) == 11 and [a.tolist() for a in data[np.array([10, 0])]] == [[[20, 21], [0, 1]], [100, 0], [0.5, 0.5]]
    assert repr(data) == "TensorDataset(11 rows of float64[2], int64[], float32[])"
    assert repr(DataLoader(data, 4)) == f"DataLoader({data!r}, 3 batches of 4, shuffle=False)"
    assert [len(batch) for batch in DataLoader(X, 6)] == [1, 1]


@pytest.mark.parametrize("wrong, error, words", [
    (lambda: TensorDataset(), ValueError, "at least one array"),
    (lambda: TensorDataset(X, Y[:10]), ValueError, r"\(11, 2\), \(10,\)"),
    (lambda: TensorDataset(np.array(1.0)), ValueError, "at least one array"),
    (lambda: TensorDataset(np.array(["a"])), TypeError, "numbers"),
    (lambda: TensorDataset(np.array([None])), TypeError, "numbers"),
    (lambda: TensorDataset(Tensor(X, requires_grad=True)), ValueError, "detach"),
    (lambda: DataLoader((X[:0], Y[:0])), ValueError, "empty"),
    (lambda: DataLoader(X, 0), ValueError, "batch_size=0"),
    (lambda: DataLoader(X, 2.5), ValueError, "batch_size=2.5"),
    (lambda: DataLoader(X, None), ValueError, "batch_size=None"),
    (lambda: DataLoader(X, 2, True, None), TypeError, "positional"),  # sampler in PyTorch
    (lambda: DataLoader(X, 2, rng="seed"), TypeError, "rng"),
])
def test_errors(wrong, error, words):
    with pytest.raises(error, match=words):
        wrong()
