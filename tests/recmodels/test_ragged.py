"""Rows of unequal lengths, one behind the other, against lists of lists."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recmodels.ragged import places, row_of, steps, take

ROWS = st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=6)


def _arrays(lists):
    lengths = np.array([len(one) for one in lists], np.int64)
    return np.append(0, np.cumsum(lengths)), np.array([x for one in lists for x in one], np.int64)


def _lists(start, x):
    return [part.tolist() for part in np.split(x, start[1:-1])] if len(start) > 1 else []


@given(ROWS)
def test_each_entry_has_a_row_and_a_place_in_it(lists):
    start, _ = _arrays(lists)
    assert row_of(start).tolist() == [r for r, one in enumerate(lists) for _ in one]
    assert steps(np.diff(start)).tolist() == steps([len(one) for one in lists] if lists else np.diff(start)).tolist()
    assert steps(np.diff(start)).tolist() == [n for one in lists for n in range(len(one))]


@given(ROWS.filter(len), st.data())
def test_rows_are_taken_in_the_order_asked_for_whole_or_in_part(lists, data):
    rows = np.array(data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8)), np.int64)
    start, x = _arrays(lists)
    assert _lists(*take((start, x), rows)) == [lists[r] for r in rows]
    length = np.array([data.draw(st.integers(0, len(lists[r]))) for r in rows], np.int64)
    first, place = places(start, rows, length)
    assert _lists(first, x[place]) == [lists[r][:n] for r, n in zip(rows, length, strict=True)]
