"""Convolution, ReLU and pooling in one are the three one after the other, whatever is cut into blocks and parts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinydl
from tinydl import Tensor, kernels, ops
from tinydl.ops import convolution_products


def three(x, w, b, *sizes, pool):
    return ops.max_pool2d(ops.relu(ops.conv2d(x, w, b, *sizes)), *pool)


def both(x, w, b, dy, *sizes, pool):
    """[y, dx, dW, db] of the operation, and of the three."""
    found = []
    for run in (ops.conv2d_relu_max_pool2d, three):
        tensors = [Tensor(a, requires_grad=True) for a in (x, w, b)]
        y = run(*tensors, *sizes, pool=pool)
        y.backward(np.resize(dy, y.shape))
        found.append([y.data, *(a.grad.data for a in tensors)])
    return found


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_it_is_the_three_of_them(data):
    draw = data.draw
    B, C, K, R, out, groups = (draw(st.integers(low, 3)) for low in (0, 1, 1, 1, 1, 1))
    size = [draw(st.integers(4, 8)) for _ in range(2)]
    pool = draw(st.sampled_from([(2,), (2, 1), (3, 2, 1), ((1, 2), (2, 1), (0, 1), (1, 1)), (2, 2, 0, 1)]))
    sizes = draw(st.integers(1, 2)), 1, 1, groups
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x, w, b, dy = (rng.standard_normal(shape) for shape in (
        (B, C * groups, *size), (out * groups, C, K, R), out * groups, 500))
    for numba in (False, True):
        with kernels.use_numba(numba and kernels.numba_enabled()):
            (y, *gradients), (want, *others) = both(x, w, b, dy, *sizes, pool=pool)
            np.testing.assert_array_equal(y, want)
            for one, other in zip(gradients, others, strict=True):
                np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("least, C", [(99, 4), (4, 4), (99, 1)])  # by rows; Winograd's; by columns
def test_blocks_and_parts_of_a_batch_do_not_show(rng, monkeypatch, least, C):
    x, w, b, dy = (rng.standard_normal(shape).astype(np.float32) for shape in ((7, C, 6, 5), (6, C, 3, 3), (6,), 500))
    monkeypatch.setattr(ops.winograd, "LEAST", least)
    whole, _ = both(x, w, b, dy, 1, 1, pool=(2,))
    monkeypatch.setattr(convolution_products, "LEAST", 2 * 6 * 5 * 6 * C * 9)  # three parts
    monkeypatch.setattr(convolution_products, "BLOCK", 2 * 6 * 5 * 6)  # an image a block
    images, pool, put = [], kernels.max_places, kernels.put_places
    monkeypatch.setattr(kernels, "max_places", lambda x, *args: images.append(len(x)) or pool(x, *args))
    monkeypatch.setattr(kernels, "put_places", lambda y, *args: images.append(-len(y)) or put(y, *args))
    parts, _ = [both(x, w, b, dy, 1, 1, pool=(2,))[0] for _ in range(2)]
    assert images.count(1) == images.count(-1) == 14
    np.testing.assert_allclose(parts[0], whole[0], rtol=1e-5, atol=1e-5)
    for one, other in zip(parts[1:], whole[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("wanted", [(True, False), (False, True), (False, False)])
def test_only_the_gradients_that_are_wanted_are_computed(rng, monkeypatch, wanted):
    x, w, b = (Tensor(rng.standard_normal(shape), requires_grad=need) for shape, need in
               (((2, 2, 5, 5), wanted[0]), ((3, 2, 2, 2), wanted[1]), ((3,), True)))
    for need, name in zip(wanted, ("spreader", "correlator"), strict=True):
        if not need:
            monkeypatch.setattr(convolution_products, name, lambda *args: pytest.fail("computed"))
    y = ops.conv2d_relu_max_pool2d(x, w, b)
    (y * y).sum().backward()
    others = [Tensor(a.data, requires_grad=True) for a in (x, w, b)]
    monkeypatch.undo()
    z = three(*others, pool=(2,))
    (z * z).sum().backward()
    for mine, other in zip((x, w, b), others, strict=True):
        if mine.requires_grad:
            np.testing.assert_allclose(mine.grad.data, other.grad.data, atol=1e-12)


def test_gradients_of_every_order(rng):
    x, w, b = (Tensor(0.5 * rng.standard_normal(shape), requires_grad=True) for shape in ((2, 2, 4, 5), (3, 2, 2, 2), (3,)))
    assert tinydl.gradcheck(lambda *a: ops.conv2d_relu_max_pool2d(*a, padding=1), [x, w, b])
    assert tinydl.gradgradcheck(lambda *a: ops.conv2d_relu_max_pool2d(*a, padding=1), [x, w, b])


def test_nan_is_seen_and_what_does_not_fit_is_named(rng):
    x, w, b = rng.standard_normal((1, 1, 4, 4)), np.ones((1, 1, 1, 1)), np.zeros(1)
    x[0, 0, 3, 0] = np.nan
    assert np.isnan(ops.conv2d_relu_max_pool2d(x, w, b)).tolist() == [[[[False, False], [True, False]]]]
    np.testing.assert_array_equal(ops.conv2d_relu_max_pool2d(x[0], w, b), ops.conv2d_relu_max_pool2d(x, w, b)[0])
    with pytest.raises(ValueError, match="conv2d_relu_max_pool2d: a window of 5 .* does not fit into 4"):
        ops.conv2d_relu_max_pool2d(x, w, b, pool=(5,))
    with pytest.raises(ValueError, match=r"conv2d_relu_max_pool2d: got a bias of shape \(2,\)"):
        ops.conv2d_relu_max_pool2d(x, w, np.zeros(2))
