"""Winograd's convolution is the convolution, its three products are each other's adjoints, and it is taken where it pays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinydl
from tests.tinydl.test_ops_convolution import convolved, correlated
from tinydl import kernels, ops
from tinydl.ops import winograd
from tinydl.ops.convolution import _convolve, _correlate, _spread
from tinydl.ops.convolution_products import Grid


def grid_of(H, W, p=0, q=0):
    return Grid((H, W), (3, 3), (H + 2 * p - 2, W + 2 * q - 2), (1, 1), (p, q), (1, 1), 1)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_it_is_the_definition_and_its_gradients_are_the_adjoints(data):
    draw = data.draw
    p, q = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    B, C, out, H, W = (draw(st.integers(low, most)) for low, most in (
        (0, 3), (1, 3), (1, 3), (max(1, 3 - 2 * p), 7), (max(1, 3 - 2 * q), 7)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x, w, b, grid = rng.standard_normal((B, C, H, W)), rng.standard_normal((out, C, 3, 3)), rng.standard_normal(out), (
        grid_of(H, W, p, q))
    for numba in (False, True):
        with kernels.use_numba(numba and kernels.numba_enabled()), pytest.MonkeyPatch.context() as patch:
            patch.setattr(winograd, "LEAST", 1)
            y = _convolve(x, w, b, grid=grid)
            np.testing.assert_allclose(y, convolved(x, w, b, padding=(p, q)), atol=1e-12)
            dy = rng.standard_normal(y.shape)
            dw = _correlate(x, dy, grid=grid)
            np.testing.assert_allclose(dw, correlated(x, dy, grid), atol=1e-12)
            inner = np.sum(dy * (y - b[:, None, None]))
            np.testing.assert_allclose(np.sum(w * dw), inner, atol=1e-11)
            np.testing.assert_allclose(np.sum(x * _spread(dy, w, grid=grid)), inner, atol=1e-11)


def test_blocks_of_images_do_not_show(rng, monkeypatch):
    x, y, w = rng.standard_normal((5, 8, 4, 3)), rng.standard_normal((5, 9, 4, 3)), rng.standard_normal((9, 8, 3, 3))
    monkeypatch.setattr(winograd, "LEAST", 8)

    def all_three():
        grid = grid_of(4, 3, 1, 1)
        return _convolve(x, w, grid=grid), _spread(y, w, grid=grid), _correlate(x, y, grid=grid)
    whole = all_three()
    monkeypatch.setattr(winograd, "BLOCK", 2 * 16 * 4 * 17)  # two images, and one at the end
    for one, other in zip(whole, all_three(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("C, out, changes, taken", [
    (32, 32, {}, True), (31, 32, {}, False), (32, 31, {}, False), (32, 32, {"cells": (3, 2)}, False),
    (32, 32, {"stride": (1, 2)}, False), (32, 32, {"dilation": (2, 1)}, False), (32, 32, {"groups": 2}, False)])
def test_it_is_taken_for_many_channels_and_plain_steps_only(C, out, changes, taken):
    assert winograd.suits(C, out, grid_of(5, 5)._replace(**changes)) is taken


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-5), (np.float64, 1e-13)])
def test_convolution_takes_it_and_gets_the_same(rng, monkeypatch, dtype, tolerance):
    x, w, b, y = (rng.standard_normal(shape).astype(dtype) for shape in ((3, 8, 6, 5), (9, 8, 3, 3), (9,), (3, 9, 6, 5)))
    grid = grid_of(6, 5, 1, 1)

    def all_three():
        return _convolve(x, w, b, grid=grid), _spread(y, w, grid=grid), _correlate(x, y, grid=grid)
    monkeypatch.setattr(winograd, "LEAST", 8)
    taken = all_three()
    monkeypatch.setattr(winograd, "LEAST", 9)
    for name in ("convolve", "correlate"):
        monkeypatch.setattr(winograd, name, lambda *args: pytest.fail("taken"))
    for one, other in zip(taken, all_three(), strict=True):
        assert one.dtype == other.dtype == dtype and not np.array_equal(one, other)
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * np.abs(other).max())


def test_gradients_of_every_order(rng, monkeypatch):
    monkeypatch.setattr(winograd, "LEAST", 4)
    x, w, b = (tinydl.tensor(0.3 * rng.standard_normal(shape), requires_grad=True)
               for shape in ((2, 4, 3, 4), (5, 4, 3, 3), (5,)))
    assert tinydl.gradcheck(lambda *a: ops.conv2d(*a, padding=1), [x, w, b])
    assert tinydl.gradgradcheck(lambda x, w: ops.conv2d(x, w, padding="same"), [x, w])
