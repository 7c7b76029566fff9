"""Starts: bounds and moments of what is drawn, orthogonality, the fans of a kernel, and where the numbers come from."""

import numpy as np
import pytest

import tinydl
from tinydl import Tensor
from tinydl.nn import init

SHAPE = (60, 100, 3)  # out 60, in 100, kernel 3: fan_in 300, fan_out 180
N = 60 * 100 * 3


def blank(shape=SHAPE):
    return Tensor(np.full(shape, np.nan), dtype=np.float64)


def check_uniform(array, low, high):
    assert low <= array.min() < low + 0.01 * (high - low) and high - 0.01 * (high - low) < array.max() <= high
    assert abs(array.mean() - (low + high) / 2) < 4 * (high - low) / np.sqrt(12 * array.size)
    assert abs(array.std() / ((high - low) / np.sqrt(12)) - 1) < 0.02


def check_normal(array, mean, std):
    assert abs(array.mean() - mean) < 4 * std / np.sqrt(array.size)
    assert abs(array.std() / std - 1) < 4 / np.sqrt(2 * array.size)
    z = (array - mean) / std
    assert abs((z**4).mean() - 3) < 4 * np.sqrt(96 / array.size)  # a uniform one has 1.8


@pytest.mark.parametrize("fill, low, high", [
    (init.uniform_, 0, 1), (lambda t: init.uniform_(t, -2, 5), -2, 5),
    (init.xavier_uniform_, -np.sqrt(6 / 480), np.sqrt(6 / 480)),
    (lambda t: init.xavier_uniform_(t, gain=3), -3 * np.sqrt(6 / 480), 3 * np.sqrt(6 / 480)),
    (init.kaiming_uniform_, -np.sqrt(6 / 300), np.sqrt(6 / 300)),
    (lambda t: init.kaiming_uniform_(t, mode="fan_out"), -np.sqrt(6 / 180), np.sqrt(6 / 180)),
    (lambda t: init.kaiming_uniform_(t, a=np.sqrt(5)), -np.sqrt(1 / 300), np.sqrt(1 / 300)),
    (lambda t: init.kaiming_uniform_(t, nonlinearity="tanh"), -5 / 3 * np.sqrt(3 / 300), 5 / 3 * np.sqrt(3 / 300)),
])
def test_uniform(fill, low, high):
    tensor = blank()
    assert fill(tensor) is tensor
    check_uniform(tensor.data, low, high)


@pytest.mark.parametrize("fill, mean, std", [
    (init.normal_, 0, 1), (lambda t: init.normal_(t, 3, 0.5), 3, 0.5),
    (init.xavier_normal_, 0, np.sqrt(2 / 480)), (lambda t: init.xavier_normal_(t, 2), 0, 2 * np.sqrt(2 / 480)),
    (init.kaiming_normal_, 0, np.sqrt(2 / 300)),
    (lambda t: init.kaiming_normal_(t, mode="fan_out", nonlinearity="linear"), 0, np.sqrt(1 / 180)),
])
def test_normal(fill, mean, std):
    tensor = blank()
    assert fill(tensor) is tensor
    check_normal(tensor.data, mean, std)


def test_constants():
    assert (init.constant_(blank((2, 3)), 0.3).data == 0.3).all()
    assert (init.zeros_(blank((2, 3))).data == 0).all()
    assert (init.ones_(blank((2, 3))).data == 1).all()


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (4, 2, 3), (1, 4)])
def test_orthogonal(shape):
    Q = init.orthogonal_(blank(shape), gain=2.0).data.reshape(shape[0], -1) / 2
    small = Q.T @ Q if Q.shape[0] >= Q.shape[1] else Q @ Q.T
    np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-12)


def test_orthogonal_is_uniform():
    """Without the signs of R's diagonal, the first number of a 2 x 2 Q would be negative always."""
    first = [init.orthogonal_(blank((2, 2)), rng=seed).data[0, 0] for seed in range(200)]
    assert abs(np.mean(np.array(first) > 0) - 0.5) < 0.15


def test_gains():
    expected = {"linear": 1, "sigmoid": 1, "tanh": 5 / 3, "relu": 2**0.5, "leaky_relu": (2 / 1.0001)**0.5}
    assert {name: init.calculate_gain(name) for name in expected} == pytest.approx(expected)
    assert init.calculate_gain("leaky_relu", 2.0) == pytest.approx(0.4**0.5)
    with pytest.raises(ValueError, match="'softmax'"):
        init.calculate_gain("softmax")


def test_the_signal_keeps_its_size_through_ten_layers():
    """What Kaiming's gain is for: E y^2 of ReLU layers stays, where a gain of 1 would halve it each time."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 400))
    for _ in range(10):
        x = np.maximum(x @ init.kaiming_normal_(blank((400, 400)), nonlinearity="relu", rng=rng).data.T, 0)
    assert 0.5 < (x**2).mean() < 2.0


def test_vectors_have_no_fans_and_modes_are_checked():
    for fill in (init.xavier_uniform_, init.xavier_normal_, init.kaiming_uniform_, init.kaiming_normal_, init.orthogonal_):
        with pytest.raises(ValueError, match="at least"):
            fill(blank((3,)))
    for fill in (init.kaiming_uniform_, init.kaiming_normal_):
        with pytest.raises(ValueError, match="'fan_avg'"):
            fill(blank(), mode="fan_avg")


@pytest.mark.parametrize("fill", [init.uniform_, init.normal_, init.xavier_uniform_, init.xavier_normal_,
                                  init.kaiming_uniform_, init.kaiming_normal_, init.orthogonal_])
def test_numbers_come_from_rng(fill):
    before = tinydl.generator().bit_generator.state
    one = fill(blank((4, 3)), rng=3).data
    assert tinydl.generator().bit_generator.state == before
    np.testing.assert_array_equal(fill(blank((4, 3)), rng=np.random.default_rng(3)).data, one)
    assert not np.array_equal(fill(blank((4, 3)), rng=4).data, one)
    default = fill(blank((4, 3))).data
    assert tinydl.generator().bit_generator.state != before
    tinydl.manual_seed(0)
    np.testing.assert_array_equal(fill(blank((4, 3))).data, default)


def test_overwriting_a_parameter_of_a_living_graph_is_noticed():
    w = Tensor([[1.0, 2.0]], requires_grad=True)
    y = (w * w).sum()
    init.zeros_(w)
    with pytest.raises(RuntimeError, match="init"):
        y.backward()
