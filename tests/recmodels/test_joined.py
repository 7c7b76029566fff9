"""Parts side by side in one pass: the same numbers, and gradients, as concatenation and what follows it."""

import numpy as np
import pytest

from recmodels.joined import joined_dropout, joined_relu
from tinydl import Tensor, gradcheck, gradgradcheck, nn, ops

LEADS = pytest.mark.parametrize("lead", [(5,), (2, 3), (0,)])


def parts(lead):
    rng = np.random.default_rng(0)
    return [Tensor(rng.standard_normal((*lead, width)), requires_grad=True) for width in (1, 4, 3)]


@LEADS
def test_joined_relu_is_the_relu_of_what_is_joined(lead):
    h = parts(lead)
    np.testing.assert_array_equal(joined_relu(*h).data, np.maximum(np.concatenate([x.data for x in h], axis=-1), 0))
    assert gradcheck(joined_relu, h) and gradgradcheck(joined_relu, h)


@LEADS
def test_joined_dropout_is_the_dropout_of_what_is_joined(lead):
    h = parts(lead)
    layer, apart = nn.Dropout(0.4, rng=5), nn.Dropout(0.4, rng=5)
    y = joined_dropout(h, layer)
    np.testing.assert_array_equal(y.data, apart(ops.concatenate(h, axis=-1)).data)
    assert y.data.size == 0 or 0 < np.count_nonzero(y.data) < y.data.size

    def fixed(*h):
        return joined_dropout(h, nn.Dropout(0.4, rng=5))

    assert gradcheck(fixed, h) and gradgradcheck(fixed, h)


def test_joined_dropout_only_joins_where_nothing_is_to_be_dropped():
    h = parts((5,))
    joined = np.concatenate([x.data for x in h], axis=-1)
    np.testing.assert_array_equal(joined_dropout(h, nn.Dropout(0.4).eval()).data, joined)
    np.testing.assert_array_equal(joined_dropout(h, nn.Dropout(0.0)).data, joined)
    np.testing.assert_array_equal(joined_dropout(h, nn.Dropout(1.0)).data, 0 * joined)


@pytest.mark.parametrize("join", [joined_relu, lambda *h: joined_dropout(h, nn.Dropout(0.5))])
def test_parts_that_do_not_fit_are_refused(join):
    with pytest.raises(ValueError, match=r"joined_.*: got shapes \(5, 1\), \(9, 2\), want them equal but for the last axis"):
        join(Tensor(np.ones((5, 1))), Tensor(np.ones((9, 2))))
