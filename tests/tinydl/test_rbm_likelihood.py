"""What an RBM really says: enumeration against sums over both layers, its gradient against finite differences, CD and AIS
against both."""

import itertools
import math

import numpy as np
import pytest

from tinydl.data import bars_and_stripes
from tinydl.unsupervised import RBM, annealed_importance_sampling
from tinydl.unsupervised.ais import inverse_temperatures
from tinydl.unsupervised.exact import likelihood_gradient, log_likelihood, log_partition, mean_contrastive_divergence

from .test_rbm import bits, loops, machine

CORNERS = bars_and_stripes(3)[0].reshape(14, 9)


@pytest.mark.parametrize("sizes", [(4, 3), (3, 4), (1, 1), (2, 5)])
def test_log_partition_is_the_sum_over_both_layers_whichever_is_counted(sizes):
    rbm = machine(*sizes)
    energies = [loops(rbm, v, h) for v, h in itertools.product(bits(sizes[0]), bits(sizes[1]))]
    assert log_partition(rbm) == pytest.approx(math.log(sum(np.exp(-np.array(energies)))), rel=1e-12)
    np.testing.assert_allclose(np.exp(log_likelihood(rbm, bits(sizes[0]))).sum(), 1, rtol=1e-12)


def test_a_gaussian_machine_is_a_mixture_of_normals_whose_density_integrates_to_one():
    rbm = machine(2, 3, "gaussian")
    grid = np.linspace(-9, 9, 181)
    v = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    assert np.exp(log_likelihood(rbm, v)).sum() * 0.1**2 == pytest.approx(1, abs=1e-6)
    assert np.abs(v[np.argmax(log_likelihood(rbm, v))]).max() < 8  # the grid holds all of it


@pytest.mark.parametrize("n_visible, n_hidden, visible", [(12, 8, "binary"), (3, 5, "binary"), (6, 4, "gaussian")])
def test_the_exact_gradient_is_the_finite_difference_of_the_likelihood(n_visible, n_hidden, visible, rng):
    rbm = machine(n_visible, n_hidden, visible)
    v = rng.integers(0, 2, (5, n_visible)).astype(float) if visible == "binary" else rng.standard_normal((5, n_visible))
    gradient = likelihood_gradient(rbm, v)
    for name, p in rbm.named_parameters():
        direction, values, found = rng.standard_normal(p.shape), p.data.copy(), []
        for step in (1e-5, -1e-5):
            p.copy_(values + step * direction)
            found.append(log_likelihood(rbm, v).mean())
        p.copy_(values)
        assert (found[0] - found[1]) / 2e-5 == pytest.approx(np.sum(gradient[name] * direction), rel=1e-6, abs=1e-8)


def test_counting_does_not_change_the_machine_and_is_done_in_float64():
    rbm = RBM(6, 3, std=1.0, rng=0)
    before = rbm.state_dict()
    found = log_likelihood(rbm, np.eye(6, dtype=np.float32)), likelihood_gradient(rbm, np.eye(6, dtype=np.float32))["W"]
    assert found[0].dtype == found[1].dtype == np.float64 and rbm.W.dtype == np.float32
    assert all(np.array_equal(before[name], after) for name, after in rbm.state_dict().items())


def test_too_many_states_are_refused_before_they_are_counted():
    with pytest.raises(ValueError, match=r"21 visible and 22 hidden units with 2\^21 states to count, want at most 20"):
        log_partition(RBM(21, 22))
    with pytest.raises(ValueError, match=r"2\^21 states .* in the hidden layer"):
        log_partition(RBM(2, 21, "gaussian"))
    assert math.isfinite(log_partition(RBM(2, 500)))


@pytest.fixture(scope="module")
def trained():
    rbm = RBM(9, 6, rng=0).start_from(CORNERS)
    return rbm.fit(np.repeat(CORNERS, 10, axis=0), epochs=150, batch_size=20, learning_rate=0.1, rng=0).double()


def test_the_bias_of_contrastive_divergence_shrinks_as_k_grows_and_ends_at_nothing(trained):
    exact = likelihood_gradient(trained, CORNERS)
    for name in exact:
        bias = [np.linalg.norm(mean_contrastive_divergence(trained, CORNERS, k)[name] - exact[name])
                for k in (1, 2, 5, 10, 25, 10_000)]
        assert all(less < 0.9 * more for more, less in itertools.pairwise(bias)), bias
        assert bias[-1] < 1e-9 < 0.01 < bias[0]


@pytest.mark.parametrize("k", [1, 2])
def test_the_mean_of_contrastive_divergence_over_many_chains_is_the_counted_one(trained, k):
    data = CORNERS[[0, 3, 3, 9]]
    mean = mean_contrastive_divergence(trained, data, k)
    trained.contrastive_divergence(np.repeat(data, 5000, axis=0), k, rng=0)
    for name, p in trained.named_parameters():
        np.testing.assert_allclose(-p.grad.data, mean[name], atol=0.015)
    assert np.abs(mean["W"]).max() > 0.05


def test_what_cannot_be_counted_through_both_layers_is_refused():
    with pytest.raises(ValueError, match="got 11 . 10 units, want 20 at most"):
        mean_contrastive_divergence(RBM(11, 10), np.zeros((1, 11)), 1)
    for rbm, v in ((machine(), np.full((1, 4), 0.5)), (machine(visible="gaussian"), np.zeros((1, 4)))):
        with pytest.raises(ValueError, match="other than 0 and 1"):
            mean_contrastive_divergence(rbm, v, 1)
    for of_nothing in (lambda v: mean_contrastive_divergence(machine(), v, 1), lambda v: likelihood_gradient(machine(), v)):
        with pytest.raises(ValueError, match="got no rows, want at least one"):
            of_nothing(np.zeros((0, 4)))


def test_a_persistent_chain_comes_to_the_models_own_mean():
    rbm = RBM(9, 6, std=0.5, rng=0).double()
    data = np.repeat(CORNERS, 1000, axis=0)
    for seed in range(40):
        rbm.contrastive_divergence(data, persistent=True, rng=seed)
    np.testing.assert_allclose(rbm.W.grad.data, -likelihood_gradient(rbm, data)["W"], atol=0.02)


# ------------------------------------------------------------------------------------------------ AIS
@pytest.mark.parametrize("visible", ["binary", "gaussian"])
@pytest.mark.parametrize("base", [False, True])
def test_annealed_importance_sampling_is_near_the_exact_partition_and_knows_how_near(visible, base, rng):
    rbm = machine(12, 8, visible)
    rbm.W.copy_(0.5 * rbm.W.data)
    x = rng.integers(0, 2, (30, 12)).astype(float) if visible == "binary" else rng.standard_normal((3000, 12)) + 0.1
    found = annealed_importance_sampling(rbm, 1000, 200, data=x if base else None, rng=0)
    exact = log_partition(rbm)
    assert abs(found.log_z - exact) < 0.05 and 0.0005 < found.spread < 0.04
    assert found.low < exact < found.high and found.low < found.log_z < found.high
    assert found.log_weights.shape == (200,)


def test_its_spread_is_how_much_it_varies_and_its_mean_is_unbiased():
    """Of few steps, where weights vary much: exp(log_z) over many runs has the mean Z and the deviation Z * spread."""
    rbm = machine(6, 4)
    runs = [annealed_importance_sampling(rbm, 3, 50, rng=seed) for seed in range(400)]
    z = np.exp(np.array([run.log_z for run in runs]) - log_partition(rbm))
    spread = np.mean([run.spread for run in runs])
    assert 0.02 < spread and abs(z.mean() - 1) < 4 * z.std() / 20
    assert z.std() == pytest.approx(spread, rel=0.15)
    run = runs[0]
    assert run.high - run.log_z == pytest.approx(math.log(1 + 3 * run.spread))
    assert run.low - run.log_z == pytest.approx(math.log(1 - 3 * run.spread))


def test_without_weights_it_is_exact_from_any_base_model(rng):
    rbm = RBM(5, 3, std=0.0).double()
    rbm.a.copy_(rng.standard_normal(5))
    found = annealed_importance_sampling(rbm, 2000, 500, data=np.zeros((3, 5)), rng=0)
    assert found.log_z == pytest.approx(np.log1p(np.exp(rbm.a.data)).sum() + 3 * math.log(2), abs=4 * found.spread)
    assert found.spread < 0.01
    rbm.a.zero_()  # now the base model is the machine itself
    assert annealed_importance_sampling(rbm, 1, 2, rng=0)[:2] == pytest.approx((8 * math.log(2), 0), abs=1e-12)


def test_one_chain_has_no_spread_to_tell_and_wide_weights_no_lower_end():
    assert annealed_importance_sampling(machine(), 10, 1, rng=0)[1:4] == (math.inf, -math.inf, math.inf)
    rbm = machine(12, 8)
    rbm.W.copy_(5 * rbm.W.data)
    found = annealed_importance_sampling(rbm, 2, 10, rng=0)
    assert 3 * found.spread > 1 and found.low == -math.inf and math.isfinite(found.high)


def test_temperatures_rise_in_the_papers_proportions_and_a_list_of_them_is_taken():
    betas = inverse_temperatures(14500)
    np.testing.assert_allclose(betas[[0, 500, 4500, 14500]], [0, 0.5, 0.9, 1], atol=1e-12)
    np.testing.assert_allclose(np.diff(betas)[[0, 1000, -1]], [0.5 / 500, 0.4 / 4000, 0.1 / 10000])
    rbm = machine()
    one, other = (annealed_importance_sampling(rbm, steps, 5, rng=3) for steps in (7, inverse_temperatures(7)))
    assert one.log_z == other.log_z
    assert one.log_z != annealed_importance_sampling(rbm, np.linspace(0, 1, 8), 5, rng=3).log_z


@pytest.mark.parametrize("steps", [[], [[0, 1]], [0, 0.5], [0.1, 1], [0, 0.5, 0.5, 1], [0, 0.7, 0.6, 1]])
def test_bad_temperatures_chains_and_data_are_refused(steps):
    with pytest.raises(ValueError, match="do not rise from 0 to 1"):
        annealed_importance_sampling(machine(), steps)
    for bad in ({"steps": 0}, {"chains": 0}, {"chains": 1.5}):
        with pytest.raises(ValueError, match=f"{[*bad][0]}={[*bad.values()][0]}, want a whole number of at least 1"):
            annealed_importance_sampling(machine(), **bad)
    with pytest.raises(ValueError, match=r"want numbers \(N, 4\)"):
        annealed_importance_sampling(machine(), data=np.zeros((2, 5)))
