"""Distinct ids of a batch, and products of rows of two towers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.pairs import distinct, pair_product
from tinydl import Tensor, gradcheck, gradgradcheck


@settings(deadline=None)
@given(st.lists(st.integers(0, 8), max_size=30))
def test_distinct(ids):
    unique, place = distinct(np.array(ids, np.int64), 9)
    assert unique.tolist() == list(dict.fromkeys(ids))
    np.testing.assert_array_equal(unique[place], ids)


def tower(rows, seed):
    return Tensor(np.random.default_rng(seed).standard_normal((rows, 3)), requires_grad=True)


@pytest.mark.parametrize("i, j", [([0, 2, 2, 1, 0], [1, 1, 0, 1, 1]), ([2], [0]), ([], [])])
def test_pair_product_is_the_product_of_what_the_pairs_read(i, j):
    i, j, a, b = np.array(i, np.int64), np.array(j, np.int64), tower(4, 0), tower(2, 1)
    np.testing.assert_array_equal(pair_product(a, b, i, j).data, a.data[i] * b.data[j])
    assert gradcheck(lambda a, b: pair_product(a, b, i, j), [a, b])
    assert gradgradcheck(lambda a, b: pair_product(a, b, i, j), [a, b])


@pytest.mark.parametrize("b, i, j, error, message", [
    (np.ones((2, 4)), [0], [0], ValueError, r"got a \(4, 3\) and b \(2, 4\)"),
    (np.ones((2, 3)), [0, 1], [0], ValueError, r"got i \(2,\) and j \(1,\)"),
    (np.ones((2, 3)), [0], [2], IndexError, "id 2 at position 0 is out of range, want 0 <= id < 2"),
    (np.ones((2, 3)), [0.5], [1], TypeError, "want integers")])
def test_wrong_pairs(b, i, j, error, message):
    with pytest.raises(error, match=message):
        pair_product(tower(4, 0), Tensor(b), np.array(i), np.array(j))
