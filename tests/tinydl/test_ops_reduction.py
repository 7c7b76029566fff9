"""Where maxima are equal: test_ops.py's random numbers never are."""

import numpy as np
import pytest

from tinydl import Tensor, ops


@pytest.mark.parametrize("extreme, sign", [(ops.max, 1), (ops.min, -1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_equal_extremes_share_the_gradient(extreme, sign, keepdims):
    x = Tensor(sign * np.array([[1.0, 3.0, 3.0], [5.0, 5.0, 5.0], [2.0, 1.0, 0.0]]), requires_grad=True)
    dy = np.array([6.0, 3.0, -1.0])
    extreme(x, axis=1, keepdims=keepdims).backward(dy[:, None] if keepdims else dy)
    assert x.grad.tolist() == [[0, 3, 3], [1, 1, 1], [-1, 0, 0]]
    x.grad = None
    extreme(x).backward()
    np.testing.assert_allclose(x.grad.numpy(), [[0] * 3, [1 / 3] * 3, [0] * 3], rtol=1e-6)


def test_the_norm_of_zeros_has_no_slope():
    x = Tensor(np.zeros(3), requires_grad=True)
    ops.norm(x).backward()
    assert x.grad.tolist() == [0, 0, 0]
