"""Convolution against its definition, six loops; the slide's example; sizes, kinds of input, and what is refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinydl
from tinydl import Tensor, kernels, ops
from tinydl.ops.convolution import _convolve, _correlate, _spread
from tinydl.ops.convolution_products import Grid, blocks


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


def convolved(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """The definition: for every image, channel out, place and cell, the product of what meets there."""
    (s, t), (p, q), (d, e) = pair(stride), pair(padding), pair(dilation)
    (B, _, H, W), (out, C, K, R) = x.shape, w.shape
    M, N = (H + 2 * p - d * (K - 1) - 1) // s + 1, (W + 2 * q - e * (R - 1) - 1) // t + 1
    y = np.zeros((B, out, M, N))
    for image, o, m, n in np.ndindex(y.shape):
        y[image, o, m, n] = 0 if b is None else b[o]
        for c, k, r in np.ndindex(C, K, R):
            v, u = m * s + k * d - p, n * t + r * e - q
            if 0 <= v < H and 0 <= u < W:
                y[image, o, m, n] += w[o, c, k, r] * x[image, o // (out // groups) * C + c, v, u]
    return y


def transposed(x, w, b=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The definition: every place of x adds the weight, scaled by it, to the result."""
    (s, t), (p, q), (d, e), more = pair(stride), pair(padding), pair(dilation), pair(output_padding)
    (B, C, M, N), (_, out, K, R) = x.shape, w.shape
    y = np.zeros((B, out * groups, (M - 1) * s - 2 * p + d * (K - 1) + more[0] + 1,
                  (N - 1) * t - 2 * q + e * (R - 1) + more[1] + 1))
    if b is not None:
        y += b[:, None, None]
    for image, c, m, n, o, k, r in np.ndindex(B, C, M, N, out, K, R):
        v, u = m * s + k * d - p, n * t + r * e - q
        if 0 <= v < y.shape[2] and 0 <= u < y.shape[3]:
            y[image, c // (C // groups) * out + o, v, u] += w[c, o, k, r] * x[image, c, m, n]
    return y


def correlated(x, y, grid):
    """The definition of the weight's gradient: what each cell has met, times what came of it."""
    C, out = x.shape[1] // grid.groups, y.shape[1]
    w = np.zeros((out, C, *grid.cells))
    for o, c, k, r in np.ndindex(w.shape):
        for image, m, n in np.ndindex(len(x), *grid.output):
            v, u = m * grid.stride[0] + k * grid.dilation[0] - grid.start[0], (
                n * grid.stride[1] + r * grid.dilation[1] - grid.start[1])
            if 0 <= v < x.shape[2] and 0 <= u < x.shape[3]:
                w[o, c, k, r] += x[image, o // (out // grid.groups) * C + c, v, u] * y[image, o, m, n]
    return w


def as_rows(x):
    """A sequence as an image one row high."""
    return np.expand_dims(x, -2)


# ------------------------------------------------------------------------------------------------ values
def test_the_slides_example():
    image = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]], np.float32)
    kernel = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]], np.float32)
    y = ops.conv2d(tinydl.tensor(image)[None], kernel[None, None])
    assert y.tolist() == [[[4, 3, 4], [2, 4, 3], [2, 3, 4]]]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_it_is_its_definition(data):
    draw = data.draw
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    C, out = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    K, R, d, e, s, t, p, q = (draw(st.integers(low, 3)) for low in (1, 1, 1, 1, 1, 1, 0, 0))
    H, W = (draw(st.integers(max(1, f * (k - 1) + 1 - 2 * around), 9)) for f, k, around in ((d, K, p), (e, R, q)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x, w, b = rng.standard_normal((draw(st.integers(0, 3)), C, H, W)), rng.standard_normal((out, C // groups, K, R)), (
        rng.standard_normal(out) if draw(st.booleans()) else None)
    expected = convolved(x, w, b, (s, t), (p, q), (d, e), groups)
    for numba in (False, True):
        with kernels.use_numba(numba and kernels.numba_enabled()):
            np.testing.assert_allclose(ops.conv2d(x, w, b, (s, t), (p, q), (d, e), groups), expected, atol=1e-12)
            y = rng.standard_normal(expected.shape)
            grid = Grid((H, W), (K, R), y.shape[2:], (s, t), (p, q), (d, e), groups)
            np.testing.assert_allclose(_correlate(x, y, grid=grid), correlated(x, y, grid), atol=1e-12)
            # each of the three is the others' adjoint
            inner = np.sum(_convolve(x, w, grid=grid) * y)
            np.testing.assert_allclose(np.sum(x * _spread(y, w, grid=grid)), inner, atol=1e-10)
            np.testing.assert_allclose(np.sum(w * _correlate(x, y, grid=grid)), inner, atol=1e-10)


@pytest.mark.parametrize("stride, padding, more, groups, dilation", [
    (1, 0, 0, 1, 1), (2, 1, 1, 1, 1), ((2, 3), (0, 1), (1, 2), 2, 1), (1, 1, 1, 1, (2, 3)), (3, 0, 0, 2, 1)])
def test_the_transposed_map_is_its_definition(rng, stride, padding, more, groups, dilation):
    x, w, b = rng.standard_normal((2, 4, 3, 2)), rng.standard_normal((4, 3, 3, 2)), rng.standard_normal(3 * groups)
    np.testing.assert_allclose(ops.conv_transpose2d(x, w, b, stride, padding, more, groups, dilation),
                               transposed(x, w, b, stride, padding, more, groups, dilation), atol=1e-12)


@pytest.mark.parametrize("K, dilation", list(itertools.product([1, 2, 3, 4], [1, 2, 3])))
def test_same_keeps_the_size_and_puts_an_odd_zero_after(rng, K, dilation):
    x, w = rng.standard_normal((2, 2, 7)), rng.standard_normal((3, 2, K))
    total = dilation * (K - 1)
    padded = np.pad(x, ((0, 0), (0, 0), (total // 2, total - total // 2)))
    y = ops.conv1d(x, w, padding="same", dilation=dilation)
    assert y.shape == (2, 3, 7)
    np.testing.assert_allclose(y, ops.conv1d(padded, w, padding="valid", dilation=dilation), atol=1e-13)
    images = ops.conv2d(as_rows(x), as_rows(w), padding="same", dilation=(5, dilation))
    np.testing.assert_allclose(images[:, :, 0], y, atol=1e-13)


def test_what_is_not_a_batch_is_a_batch_of_one(rng):
    x, w, b = rng.standard_normal((2, 5, 6)), rng.standard_normal((3, 2, 3, 3)), rng.standard_normal(3)
    np.testing.assert_array_equal(ops.conv2d(x, w, b), ops.conv2d(x[None], w, b)[0])
    np.testing.assert_array_equal(ops.conv1d(x[:, 0], w[:, :, 0], b), ops.conv1d(x[None, :, 0], w[:, :, 0], b)[0])
    np.testing.assert_array_equal(ops.conv_transpose2d(x, np.swapaxes(w, 0, 1), b),
                                  ops.conv_transpose2d(x[None], np.swapaxes(w, 0, 1), b)[0])


def test_blocks_of_images_do_not_show(rng, monkeypatch):
    x, w = rng.standard_normal((7, 4, 6, 5)), rng.standard_normal((6, 2, 3, 3))
    y = rng.standard_normal((7, 6, 6, 5))
    grid = Grid((6, 5), (3, 3), (6, 5), (1, 1), (1, 1), (1, 1), 2)
    whole = [_convolve(x, w, grid=grid), _spread(y, w, grid=grid), _correlate(x, y, grid=grid)]
    monkeypatch.setattr(ops.convolution_products, "BLOCK", 2 * 6 * 5 * 9 * 4)  # two images, and one at the end
    assert [(images.start, images.stop) for images in blocks(7, 6 * 5 * 9 * 4)] == [(0, 2), (2, 4), (4, 6), (6, 7)]
    for one, other in zip(whole, [_convolve(x, w, grid=grid), _spread(y, w, grid=grid), _correlate(x, y, grid=grid)],
                          strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("least, C", [(99, 4), (4, 4)])  # by rows; Winograd's
def test_parts_of_a_batch_side_by_side_do_not_show(rng, monkeypatch, least, C):
    x, w, b, y = (rng.standard_normal(shape) for shape in ((7, C, 6, 5), (6, C, 3, 3), (6,), (7, 6, 6, 5)))
    grid = Grid((6, 5), (3, 3), (6, 5), (1, 1), (1, 1), (1, 1), 1)
    monkeypatch.setattr(ops.winograd, "LEAST", least)

    def all_three():
        return [_convolve(x, w, b, grid=grid), _spread(y, w, grid=grid), _correlate(x, y, grid=grid)]
    whole, numbers = all_three(), []
    monkeypatch.setattr(ops.convolution_products, "LEAST", 2 * 6 * 5 * 6 * C * 9)  # two images a part, three parts
    monkeypatch.setattr(kernels, "side_by_side", lambda run, tasks: numbers.append(len(tasks)) or side_by_side(run, tasks))
    side_by_side, results = kernels.threads.side_by_side, []
    for threads in (1, 3):
        if kernels.numba_enabled():
            monkeypatch.setattr("numba.get_num_threads", lambda threads=threads: threads)
        results.append(all_three())
    assert numbers == [3] * 6
    for one, alone, beside in zip(whole, *results, strict=True):
        np.testing.assert_allclose(alone, one, atol=1e-12)
        np.testing.assert_array_equal(alone, beside)


def test_any_layout_of_memory_gives_the_same(rng):
    x, w = rng.standard_normal((2, 3, 5, 4)), rng.standard_normal((4, 3, 2, 2))
    expected = convolved(x, w)
    for layout in (np.asfortranarray(x), np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
                   np.repeat(x, 2, axis=3)[..., ::2], np.flip(np.flip(x, 2).copy(), 2)):
        np.testing.assert_allclose(ops.conv2d(layout, w), expected, atol=1e-12)
    y = ops.conv2d(Tensor(x, requires_grad=True), Tensor(w, requires_grad=True))
    y.sum().backward()  # its gradient is one number seen everywhere
    z = ops.relu(y)
    np.testing.assert_array_equal(z.detach().numpy(), np.maximum(y.detach().numpy(), 0))


@pytest.mark.parametrize("run, shapes", [
    (ops.conv1d, ((2, 3, 7), (4, 3, 2), (4,))), (ops.conv2d, ((2, 3, 5, 4), (4, 3, 2, 2), (4,))),
    (ops.conv_transpose2d, ((2, 3, 5, 4), (3, 4, 2, 2), (4,)))])
def test_image_and_gradient_are_laid_out_once_for_all_that_read_them(run, shapes, rng, monkeypatch):
    copied, ascontiguousarray = [], np.ascontiguousarray

    def spy(a):
        if a.ndim == 4 and not a.flags.c_contiguous:
            copied.append(a.shape)
        return ascontiguousarray(a)
    x, w, b = (tinydl.tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes)
    monkeypatch.setattr(ops.convolution_products.np, "ascontiguousarray", spy)
    y = run(x, w, b)
    assert len(copied) == 1
    y.backward(rng.standard_normal(y.shape))
    assert len(copied) == 2  # three gradients


def test_relu_follows_the_memory_of_images_forward_and_back(rng):
    data = rng.standard_normal((2, 5, 4, 3)).transpose(0, 3, 1, 2)  # channels last
    x = tinydl.from_numpy(data).detach().requires_grad_()
    y = ops.relu(x)
    np.testing.assert_array_equal(y.detach().numpy(), np.maximum(data, 0))
    dy = rng.standard_normal(data.shape)  # channels first
    y.backward(dy)
    np.testing.assert_array_equal(x.grad.numpy(), np.where(data > 0, dy, 0))
    assert y.detach().numpy().strides == data.strides


# ------------------------------------------------------------------------------------------------ what is refused
X, W = np.zeros((2, 4, 5, 6)), np.zeros((6, 4, 3, 3))


@pytest.mark.parametrize("call, words", [
    (lambda: ops.conv2d(X[0, 0], W), r"\(5, 6\), want \(B, C, H, W\) or \(C, H, W\)"),
    (lambda: ops.conv1d(X, W[..., 0]), r"want \(B, C, T\) or \(C, T\)"),
    (lambda: ops.conv2d(X, W[0]), r"weight of shape \(4, 3, 3\), want 4 axes"),
    (lambda: ops.conv2d(X, W[..., :0]), "not empty"),
    (lambda: ops.conv2d(X, W[:, :3]), r"4 channels for a weight \(6, 3, 3, 3\) and groups=1, which want 3"),
    (lambda: ops.conv2d(X, W[:, :2], groups=4), "6 channels in the weight's first axis for groups=4"),
    (lambda: ops.conv2d(X, W, groups=2), "which want 8"),
    (lambda: ops.conv2d(X, W, groups=0), "groups=0, want a whole number of at least 1"),
    (lambda: ops.conv2d(X, W, np.zeros(5)), r"bias of shape \(5,\), want \(6,\)"),
    (lambda: ops.conv2d(X, np.zeros((6, 4, 6, 3))), r"a window of 6 \(kernel 6, dilation 1\) does not fit into 5"),
    (lambda: ops.conv2d(X, W, dilation=3, padding=(0, 1)), r"a window of 7 .* does not fit into 5 .*padding 0 \+ 0"),
    (lambda: ops.conv2d(X, W, stride=0), "stride=0, want a whole number of at least 1, or 2 of them"),
    (lambda: ops.conv2d(X, W, stride=(1, 2, 3)), r"stride=\(1, 2, 3\)"),
    (lambda: ops.conv2d(X, W, stride=1.5), "stride=1.5"),
    (lambda: ops.conv2d(X, W, padding=-1), "padding=-1, want a whole number of at least 0"),
    (lambda: ops.conv2d(X, W, padding="full"), "padding='full', want 'same', 'valid' or whole numbers"),
    (lambda: ops.conv2d(X, W, padding="same", stride=2), "padding='same' with stride"),
    (lambda: ops.conv_transpose2d(X, W), r"4 channels for a weight \(6, 4, 3, 3\), which wants 6"),
    (lambda: ops.conv_transpose2d(X, W[:4], stride=2, output_padding=2), "output_padding=2 .*smaller than one"),
    (lambda: ops.conv_transpose2d(X, W[:4], padding=9), "leave an image of size"),
    (lambda: ops.conv_transpose2d(X, W[:4], np.zeros(5)), r"want \(4,\)"),
])
def test_it_says_what_does_not_fit(call, words):
    with pytest.raises(ValueError, match=words):
        call()
