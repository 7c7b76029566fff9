"""Batches of rows, and the recommenders that read them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.rating_rows import RatingRows


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 6), st.integers(0, 20), st.integers(0, 10), st.integers(0, 10**6))
def test_a_batch_holds_what_its_rows_have(size, n, m, seed):
    """Against a loop over all triples; what is wanted decides which rows there are."""
    rng = np.random.default_rng(seed)
    known, wanted = ((rng.integers(0, size, k), rng.permutation(20)[:k], rng.random(k)) for k in (n, m))
    data = RatingRows(known, size, wanted)
    assert data.rows.tolist() == sorted(set(wanted[0].tolist())) and len(data) == len(data.rows)
    batch = rng.permutation(len(data))[:3]
    rows, x, i, j, p, q, target = data[batch]
    assert rows.tolist() == data.rows[batch].tolist()
    for (r, c, values), at, columns, found in ((known, i, j, x), (wanted, p, q, target)):
        want = [(b, c[t], values[t]) for b, row in enumerate(rows) for t in np.argsort(c, kind="stable") if r[t] == row]
        assert list(zip(at.tolist(), columns.tolist(), found.tolist(), strict=True)) == want


def test_in_training_what_is_known_is_wanted():
    known = (np.array([2, 0, 2]), np.array([1, 0, 0]), np.array([3.0, 1.0, 2.0]))
    data = RatingRows(known, 4)
    assert data.rows.tolist() == [0, 2]
    rows, x, i, j, p, q, target = data[np.array([1])]
    assert rows.tolist() == [2] and x is target and i is p and j is q and x.tolist() == [2.0, 3.0]
    assert [a.tolist() for a in data.read(np.array([1, 3, 0]))] == [[1.0], [2], [0]]  # rows without anything are empty
