"""The checker itself: wrong rules are caught, right ones pass, kinks are called kinks, and the report names the place."""

import re

import numpy as np
import pytest

import tinydl
from tinydl import GradcheckError, Tensor, gradcheck, gradgradcheck, op, ops


def leaf(*shape, seed=0, **options):
    return Tensor(np.random.default_rng(seed).uniform(0.5, 1.5, shape), requires_grad=True, **options)


# Rules with one mistake each. "sums to one": the gradient of softmax is zero along ones, so that a covector of ones would
# accept a rule that returns zeros.
@op
def wrong_sign(a, b):
    return a - b, lambda dy: dy, lambda dy: dy


@op
def wrong_factor(a):
    return a * a, lambda dy: 2.001 * a * dy


@op
def dropped_term(x):
    z = np.exp(x - np.max(x))
    y = z / np.sum(z)
    return y, lambda dy: dy * y


@op
def sums_to_one(x):
    z = np.exp(x - np.max(x))
    return z / np.sum(z), lambda dy: 0 * dy


@op
def wrong_operand(a, b):
    return a * b, lambda dy: dy * a, lambda dy: dy * b


@op
def wrong_axis(x):
    return np.cumsum(x, axis=0), lambda dy: np.cumsum(dy, axis=0)


@op
def forgotten_input(a, b):
    return a * b, lambda dy: dy * b, None


@op
def lost_batch(x, w):
    return x @ w, lambda dy: dy @ w.T, lambda dy: x[:1].T @ dy[:1]


@op
def nan_gradient(x):
    return x * 1, lambda dy: dy * np.nan


@pytest.mark.parametrize("broken, inputs", [
    (wrong_sign, [leaf(3), leaf(3, seed=1)]), (wrong_factor, [leaf(2, 3)]), (dropped_term, [leaf(4)]),
    (sums_to_one, [leaf(4)]), (wrong_operand, [leaf(3), leaf(3, seed=1)]), (wrong_axis, [leaf(3, 2)]),
    (forgotten_input, [leaf(2), leaf(2, seed=1)]), (lost_batch, [leaf(3, 2), leaf(2, 2, seed=1)]),
    (nan_gradient, [leaf(2)])])
@pytest.mark.parametrize("per_element", [200, 0])
def test_a_broken_rule_is_caught_number_by_number_and_along_directions(broken, inputs, per_element):
    with pytest.raises(GradcheckError, match="back-propagation gives") as report:
        gradcheck(broken, inputs, per_element=per_element)
    assert "kink" not in str(report.value)
    assert ("along random direction" in str(report.value)) == (per_element == 0)


def test_a_right_rule_passes_number_by_number_and_along_directions():
    for per_element in (200, 0):
        assert gradcheck(ops.softmax, [leaf(4)], per_element=per_element)
        assert gradcheck(lambda a, b: (a @ b).tanh(), [leaf(3, 2), leaf(2, 4)], per_element=per_element)


def test_a_mistake_in_one_number_of_a_large_input_is_caught_along_directions():
    spot = np.ones(1000)
    spot[777] = 0.9

    @op
    def nearly(x):
        return x * x, lambda dy: 2 * x * dy * spot

    with pytest.raises(GradcheckError, match="input 0 along random direction"):
        gradcheck(nearly, [leaf(1000)])


@pytest.mark.parametrize("kinked, at", [(ops.relu, 0.0), (lambda x: ops.leaky_relu(x, negative_slope=0.3), 0.0),
                                        (lambda x: ops.clip(x, -1.0, 1.0), -1.0), (lambda x: ops.where(x > 1, x, 0), 1.0)])
def test_a_kink_or_a_jump_is_reported_as_one(kinked, at):
    x = Tensor([0.5, at], requires_grad=True, dtype=np.float64)
    with pytest.raises(GradcheckError, match="input 0 at index .1,.*slope is .* from the left and .* the right: .* kink"):
        gradcheck(kinked, [x])


def test_a_rule_that_gives_the_middle_of_both_slopes_passes_at_its_kink():
    for kinked, at in ((ops.absolute, 0.0), (lambda x: ops.maximum(x, 1.0), 1.0), (lambda x: ops.minimum(1.0, x), 1.0)):
        assert gradcheck(kinked, [Tensor([at], requires_grad=True, dtype=np.float64)])


def test_the_report_names_input_index_and_both_numbers():
    spot = np.array([[1.0, 1.0], [1.0, 3.0]])

    @op
    def wrong_in_one_place(a, b):
        return a + b, lambda dy: dy, lambda dy: dy * spot

    for names, called in ((None, "input 1"), (["weight", "bias"], "bias")):
        with pytest.raises(GradcheckError) as report:
            gradcheck(lambda a, b: wrong_in_one_place(a, b).sum(), [leaf(2, 2), leaf(2, 2)], rng=3, names=names)
        v = np.random.default_rng(3).standard_normal(())
        told = re.fullmatch(r"gradcheck: (.*) at index \(1, 1\): back-propagation gives (\S+), the finite difference (\S+) "
                            r"\(difference (\S+), allowed \S+\)", str(report.value))
        assert told[1] == called
        np.testing.assert_allclose([float(told[2]), float(told[3]), float(told[4])], [3 * v, v, 2 * v], rtol=1e-3)


def test_every_output_counts_also_one_whose_graph_was_cut():
    assert gradcheck(lambda x: (x * x, x.sum()), [leaf(3)])
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: (x * x, wrong_factor(x)), [leaf(3)])
    with pytest.raises(GradcheckError, match="input 0 at index"):
        gradcheck(lambda x: (x * x, x.detach() * 3.0), [leaf(3)])
    with pytest.raises(GradcheckError, match="no output depends on an input"):
        gradcheck(lambda x: x.detach() * 2, [leaf(3)])


def test_parameters_that_the_function_reads_elsewhere_are_checked_and_put_back():
    w = leaf(3, 2)
    before = w._data.copy()
    assert gradcheck(lambda *_: (Tensor(np.ones((4, 3))) @ w).tanh(), [w])
    with pytest.raises(GradcheckError, match="^gradcheck: weight"):
        gradcheck(lambda *_: wrong_factor(w), [w], names=["weight"])
    np.testing.assert_array_equal(w._data, before)
    assert w.grad is None


def test_inputs_are_put_back_when_the_function_fails():
    x = leaf(2)
    before, calls = x._data.copy(), []

    def fails_later(x):
        calls.append(1)
        if len(calls) > 2:
            raise KeyError
        return x * x

    with pytest.raises(KeyError):
        gradcheck(fails_later, [x])
    np.testing.assert_array_equal(x._data, before)


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(ValueError, match="no input requires grad"):
        gradcheck(ops.exp, [Tensor([1.0])])
    with pytest.raises(TypeError, match="input 1 is float32; finite differences need float64"):
        gradcheck(ops.add, [leaf(2), leaf(2, dtype=np.float32)])


def test_a_float32_step_inside_is_not_excused_by_the_tolerance():
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: x.float().double() * x, [leaf(3)])


# ------------------------------------------------------------------------------------------------ second derivatives
def test_a_rule_that_is_wrong_on_tensors_only_is_caught_by_gradgradcheck():
    @op
    def cube(x):
        values = x._data if isinstance(x, Tensor) else x  # cuts the gradient's graph
        return x * x * x, lambda dy: dy * (3 * values * values)

    assert gradcheck(cube, [leaf(3)])
    with pytest.raises(GradcheckError):
        gradgradcheck(cube, [leaf(3)])
    with pytest.raises(GradcheckError, match="the gradient changes with the input, but has no graph"):
        gradgradcheck(lambda x: cube(x).sum(), [leaf(3)])


def test_a_gradient_that_is_another_one_with_its_graph_is_caught_by_gradgradcheck():
    @op
    def square(x):
        return x * x, lambda dy: (3 if isinstance(dy, Tensor) else 2) * x * dy  # as if it were 1.5 x^2, consistently

    assert gradcheck(square, [leaf(3)])
    with pytest.raises(GradcheckError, match="gradient of input 0 is another one with create_graph=True, by up to"):
        gradgradcheck(square, [leaf(3)])


def test_a_rule_wrongly_marked_linear_is_caught_by_gradgradcheck():
    @op(linear=True)
    def square(x):
        return x * x, lambda dy: 2 * x * dy

    assert gradcheck(square, [leaf(3)])
    with pytest.raises(GradcheckError):
        gradgradcheck(square, [leaf(3)])


def test_gradgradcheck_passes_functions_with_and_without_a_second_derivative():
    assert gradgradcheck(lambda x, y: (x * y).exp(), [leaf(2), leaf(2, seed=1)])
    assert gradgradcheck(lambda x: x * 3 + 1, [leaf(2)])
    assert gradgradcheck(lambda x: (x, x * x), [leaf(2)])
    assert gradgradcheck(lambda x, y: x * x, [leaf(2), leaf(2)])


def test_the_same_seed_draws_the_same_covectors():
    drawn = []

    @op
    def spy(x):
        return x * 1, lambda dy: (drawn.append(dy.copy()), dy)[1]

    for rng in (5, 5, np.random.default_rng(5), 6):
        gradcheck(spy, [leaf(3)], rng=rng)
    assert np.array_equal(drawn[0], drawn[1]) and np.array_equal(drawn[0], drawn[2])
    assert not np.array_equal(drawn[0], drawn[3])
    assert not np.allclose(drawn[0], drawn[0][0]), "a covector of equal numbers would be blind to softmax"
    assert issubclass(tinydl.GradcheckError, AssertionError)
