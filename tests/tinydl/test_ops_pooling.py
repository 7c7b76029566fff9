"""Pooling against its definition; the slide's example; ties, padding, nan, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinydl import Tensor, kernels, ops

from .test_ops_convolution import pair


def pooled(reduce, x, kernel, stride=None, padding=0, dilation=1, count_include_pad=True):
    """The definition: `reduce` of what is inside of each window; means over a window's cells count the padding too."""
    (K, R), (p, q), (d, e) = pair(kernel), pair(padding), pair(dilation)
    s, t = pair(kernel if stride is None else stride)
    H, W = x.shape[2:]
    M, N = (H + 2 * p - d * (K - 1) - 1) // s + 1, (W + 2 * q - e * (R - 1) - 1) // t + 1
    y = np.zeros((*x.shape[:2], M, N))
    for image, c, m, n in np.ndindex(y.shape):
        inside = [x[image, c, v, u] for v in range(m * s - p, m * s - p + d * K, d)
                  for u in range(n * t - q, n * t - q + e * R, e) if 0 <= v < H and 0 <= u < W]
        y[image, c, m, n] = sum(inside) / (K * R) if reduce is np.mean and count_include_pad else reduce(inside)
    return y


def adaptive(x, output):
    """The definition: the mean from floor(m H / M) to ceil((m + 1) H / M)."""
    (M, N), (H, W) = output, x.shape[2:]
    y = np.zeros((*x.shape[:2], M, N))
    for image, c, m, n in np.ndindex(y.shape):
        y[image, c, m, n] = x[image, c, int(np.floor(m * H / M)):int(np.ceil((m + 1) * H / M)),
                              int(np.floor(n * W / N)):int(np.ceil((n + 1) * W / N))].mean()
    return y


def test_the_slides_example():
    x = Tensor(np.array([[[1.0, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]]]), requires_grad=True)
    y = ops.max_pool2d(x, 2)
    assert y.tolist() == [[[6, 8], [3, 4]]]
    y.backward(np.array([[[1.0, 2], [3, 4]]]))
    assert x.grad.tolist() == [[[0, 0, 0, 0], [0, 1, 0, 2], [3, 0, 0, 0], [0, 0, 0, 4]]]
    assert ops.avg_pool2d(x, 2).tolist() == [[[3.25, 5.25], [2, 2]]]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_it_is_its_definition(data):
    draw = data.draw
    K, R, s, t, d, e = (draw(st.integers(1, 3)) for _ in range(6))
    p, q = draw(st.integers(0, K // 2)), draw(st.integers(0, R // 2))
    H, W = (draw(st.integers(max(1, f * (k - 1) + 1), 9)) for f, k in ((d, K), (e, R)))  # windows fit, padding apart
    x = np.random.default_rng(draw(st.integers(0, 99))).standard_normal((draw(st.integers(0, 2)), 3, H, W))
    for numba in (False, True):
        with kernels.use_numba(numba and kernels.numba_enabled()):
            np.testing.assert_array_equal(ops.max_pool2d(x, (K, R), (s, t), (p, q), (d, e)),
                                          pooled(max, x, (K, R), (s, t), (p, q), (d, e)))
            for include in (True, False):
                np.testing.assert_allclose(
                    ops.avg_pool2d(x, (K, R), (s, t), (p, q), include),
                    pooled(np.mean, x, (K, R), (s, t), (p, q), 1, include), atol=1e-14)
            output = draw(st.integers(1, 12)), draw(st.integers(1, 12))
            np.testing.assert_allclose(ops.adaptive_avg_pool2d(x, output), adaptive(x, output), atol=1e-14)


def test_sequences_and_what_is_not_a_batch(rng):
    x = rng.standard_normal((2, 3, 9))
    for pool, image in ((ops.max_pool1d, ops.max_pool2d), (ops.avg_pool1d, ops.avg_pool2d)):
        y = pool(x, 3, 2, 1)
        np.testing.assert_array_equal(y, image(x[:, :, None], (1, 3), (1, 2), (0, 1))[:, :, 0])
        np.testing.assert_array_equal(pool(x[0], 3, 2, 1), y[0])
        np.testing.assert_array_equal(pool(x, 3), pool(x, 3, 3))
    np.testing.assert_allclose(ops.adaptive_avg_pool1d(x, 4), adaptive(x[:, :, None], (1, 4))[:, :, 0], atol=1e-14)
    np.testing.assert_allclose(ops.adaptive_avg_pool2d(x, (None, 2)), adaptive(x[None], (3, 2))[0], atol=1e-14)
    np.testing.assert_allclose(ops.adaptive_avg_pool2d(x, 1)[:, 0, 0], x.mean(axis=(1, 2)), atol=1e-14)


def test_the_first_of_equal_maxima_gets_the_gradient_and_padding_never_is_one():
    x = Tensor(np.full((1, 1, 3, 3), -5.0), requires_grad=True)
    for numba in (False, True):
        with kernels.use_numba(numba and kernels.numba_enabled()):
            x.grad = None
            y = ops.max_pool2d(x, 3, 2, padding=1)
            assert y.tolist() == [[[[-5, -5], [-5, -5]]]]
            y.backward(np.array([[[[1.0, 2], [3, 4]]]]))
            assert x.grad.tolist() == [[[[1, 2, 0], [3, 4, 0], [0, 0, 0]]]]


def test_nan_is_seen():
    x = np.zeros((1, 1, 2, 4))
    x[0, 0, 1, 2] = np.nan
    for numba in (False, True):
        with kernels.use_numba(numba and kernels.numba_enabled()):
            assert np.isnan(ops.max_pool2d(x, 2)).tolist() == [[[[False, True]]]]


def test_overlapping_windows_add_their_gradients():
    x = Tensor([[1.0, 9.0, 2.0, 0.0]], requires_grad=True)
    ops.max_pool1d(x, 2, 1).backward(np.array([[1.0, 10, 100]]))
    assert x.grad.tolist() == [[0, 11, 100, 0]]
    x.grad = None
    ops.avg_pool1d(x, 2, 1).backward(np.array([[2.0, 4, 8]]))
    assert x.grad.tolist() == [[1, 3, 6, 4]]


X = np.zeros((2, 3, 5, 6))


@pytest.mark.parametrize("call, words", [
    (lambda: ops.max_pool2d(X[0, 0], 2), r"\(5, 6\), want \(B, C, H, W\)"),
    (lambda: ops.max_pool1d(X, 2), r"want \(B, C, T\)"),
    (lambda: ops.max_pool2d(X, 6), "a window of 6 .* does not fit into 5"),
    (lambda: ops.avg_pool2d(X, (2, 7)), "a window of 7 .* does not fit into 6"),
    (lambda: ops.max_pool2d(X, 3, padding=2), "at most half of the kernel"),
    (lambda: ops.max_pool2d(X, 0), "kernel_size=0"),
    (lambda: ops.max_pool1d(X[:, :, 0, :3], 2, 1, 1, 4), "windows without a single cell inside of the image .length 3"),
    (lambda: ops.avg_pool1d(X[0], 2, stride=0), "stride=0"),
    (lambda: ops.adaptive_avg_pool2d(X, (2, 3, 4)), "output_size"),
    (lambda: ops.adaptive_avg_pool2d(X, 0), "output_size"),
])
def test_it_says_what_does_not_fit(call, words):
    with pytest.raises(ValueError, match=words):
        call()
