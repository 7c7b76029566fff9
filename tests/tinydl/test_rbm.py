"""The RBM against its definition: every probability from the energy by counting, CD from its two means, bad input."""

import itertools
import warnings

import numpy as np
import pytest

import tinydl
from tinydl import optim
from tinydl.data import bars_and_stripes
from tinydl.kernels.registry import use_numba
from tinydl.kernels.units import uniform
from tinydl.unsupervised import RBM, likelihood_gradient
from tinydl.unsupervised.units import base_rates


def machine(n_visible=4, n_hidden=3, visible="binary", seed=1):
    """In float64, with no parameter at 0."""
    rng = np.random.default_rng(seed)
    rbm = RBM(n_visible, n_hidden, visible, rng=rng).double()
    for p in rbm.parameters():
        p.copy_(rng.normal(0, 0.8, p.shape))
    return rbm


def bits(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def loops(rbm, v, h):
    """The energy as on the slide, one product at a time."""
    W, a, b = rbm.W.data, rbm.a.data, rbm.b.data
    visible = sum((v[i] - a[i]) ** 2 / 2 if rbm.visible == "gaussian" else -a[i] * v[i] for i in range(len(v)))
    return visible - sum(v[i] * W[i, j] * h[j] for i in range(len(v)) for j in range(len(h))) - sum(b * h)


@pytest.mark.parametrize("visible", ["binary", "gaussian"])
def test_energies_and_probabilities_of_hidden_units_follow_from_the_definition(visible, rng):
    rbm, H = machine(visible=visible), bits(3)
    for v in bits(4) if visible == "binary" else rng.standard_normal((5, 4)):
        energies = np.array([loops(rbm, v, h) for h in H])
        np.testing.assert_allclose(rbm.energy(np.tile(v, (8, 1)), H), energies, rtol=1e-12)
        weights = np.exp(-energies)
        np.testing.assert_allclose(rbm.free_energy(v[None]), [-np.log(weights.sum())], rtol=1e-12)
        np.testing.assert_allclose(rbm.p_hidden(v[None])[0], weights @ H / weights.sum(), rtol=1e-12)


def test_probabilities_of_visible_units_follow_from_the_energy():
    rbm, V = machine(), bits(4)
    for h in bits(3):
        weights = np.exp([-loops(rbm, v, h) for v in V])
        np.testing.assert_allclose(rbm.p_visible(h[None])[0], weights @ V / weights.sum(), rtol=1e-12)


def test_a_gaussian_unit_has_the_least_energy_at_its_mean_and_a_spread_of_one(rng):
    rbm, h = machine(visible="gaussian"), np.array([[1.0, 0.0, 1.0]])
    mean = rbm.p_visible(h)
    for i in range(4):
        step = np.eye(4)[[i]]
        for sign in (-1, 1):
            np.testing.assert_allclose(rbm.energy(mean + sign * step, h) - rbm.energy(mean, h), [0.5], rtol=1e-10)
    drawn = rbm.sample_visible(np.tile(h, (20_000, 1)), rng)
    np.testing.assert_allclose(drawn.mean(0), mean[0], atol=0.03)
    np.testing.assert_allclose(drawn.std(0), 1, atol=0.03)


def test_draws_have_their_probabilities_and_come_from_the_hash(rng):
    rbm = machine()
    v, h = np.tile([1.0, 0.0, 1.0, 1.0], (20_000, 1)), np.tile([0.0, 1.0, 1.0], (20_000, 1))
    np.testing.assert_allclose(rbm.sample_hidden(v, rng).mean(0), rbm.p_hidden(v[:1])[0], atol=0.015)
    np.testing.assert_allclose(rbm.sample_visible(h, rng).mean(0), rbm.p_visible(h[:1])[0], atol=0.015)
    low, high = np.random.default_rng(5).integers(0, 2**32, 2).tolist()
    expected = uniform(60_000, low, high).reshape(20_000, 3) < rbm.p_hidden(v)
    np.testing.assert_array_equal(rbm.sample_hidden(v, 5), expected)


def test_the_hash_is_uniform_in_each_cell_and_along_them_and_each_half_of_the_seed_counts():
    seeds = np.random.default_rng(0).integers(0, 2**32, (3000, 2)).tolist()
    u = np.array([uniform(20, *seed) for seed in seeds])
    assert 0 <= u.min() and u.max() < 1 and np.all(u * 2**24 % 1 == 0)
    for numbers in (*u.T, uniform(3000, 1, 2)):
        counts = np.histogram(numbers, 10, (0, 1))[0]
        assert np.sum((counts - 300) ** 2) / 300 < 30  # chi^2 of 9: above with probability 0.0004
    together = np.corrcoef(u.T) - np.eye(20)
    assert np.abs(together).max() < 5 / 3000**0.5
    for low, high in ((1, 3), (2, 2)):
        assert abs(np.corrcoef(uniform(3000, 1, 2), uniform(3000, low, high))[0, 1]) < 5 / 3000**0.5


def test_gibbs_keeps_the_machines_own_distribution():
    rbm, V = machine(), bits(4)
    p = np.exp(-rbm.free_energy(V))
    p /= p.sum()
    start = np.repeat(V, np.round(p * 40_000).astype(int), axis=0)
    after = rbm.gibbs(start, steps=3, rng=0)
    assert not np.array_equal(start, after)
    counts = np.bincount((after @ [8, 4, 2, 1]).astype(int), minlength=16) / len(after)
    np.testing.assert_allclose(counts, p, atol=0.01)


def test_a_long_chain_from_random_bits_arrives_at_the_same_distribution():
    rbm, V = machine(), bits(4)
    p = np.exp(-rbm.free_energy(V))
    found = rbm.sample(20_000, steps=60, rng=0)
    counts = np.bincount((found @ [8, 4, 2, 1]).astype(int), minlength=16) / len(found)
    np.testing.assert_allclose(counts, p / p.sum(), atol=0.02)
    assert machine(visible="gaussian").sample(3, steps=1).shape == (3, 4)


# ------------------------------------------------------------------------------------------------ learning
@pytest.mark.parametrize("visible", ["binary", "gaussian"])
@pytest.mark.parametrize("k", [1, 3])
def test_the_gradient_is_that_of_the_free_energies_of_the_data_and_the_chains_end(visible, k, rng):
    """d/dw of mean F(data) - mean F(chain), which autograd knows too."""
    rbm = machine(5, 3, visible)
    v = rng.integers(0, 2, (7, 5)).astype(float) if visible == "binary" else rng.standard_normal((7, 5))
    rbm.contrastive_divergence(v, k, rng=3)
    end = rbm.gibbs(v, k, rng=3)
    W, a, b = (tinydl.Tensor(p.data, requires_grad=True) for p in rbm.parameters())

    def free(v):
        v = tinydl.Tensor(v)
        own = ((v - a) ** 2).sum(1) / 2 if visible == "gaussian" else -(v @ a)
        return (own - tinydl.ops.softplus(v @ W + b).sum(1)).mean()

    (free(v) - free(end)).backward()
    for mine, theirs in zip(rbm.parameters(), (W, a, b), strict=True):
        np.testing.assert_allclose(mine.grad.data, theirs.grad.data, rtol=1e-10, atol=1e-12)


def test_a_persistent_chain_goes_on_where_it_was_and_keeps_its_size(rng):
    rbm, v = machine(), rng.integers(0, 2, (6, 4)).astype(float)
    rbm.contrastive_divergence(v, persistent=True, rng=0)
    first = rbm.particles
    np.testing.assert_array_equal(first, rbm.gibbs(v, 1, rng=0))
    rbm.contrastive_divergence(v[:2], k=2, persistent=True, rng=1)
    np.testing.assert_array_equal(rbm.particles, rbm.gibbs(first, 2, rng=1))
    assert rbm.particles.shape == (6, 4)
    expected = (rbm.particles.T @ rbm.p_hidden(rbm.particles)) / 6 - v[:2].T @ rbm.p_hidden(v[:2]) / 2
    np.testing.assert_allclose(rbm.W.grad.data, expected, rtol=1e-12)
    np.testing.assert_allclose(rbm.a.grad.data, rbm.particles.mean(0) - v[:2].mean(0), rtol=1e-12)


def test_sparsity_adds_its_term_to_each_units_input(rng):
    rbm, v = machine(), rng.integers(0, 2, (6, 4)).astype(float)
    gradients = []
    for sparsity in (None, 0.2):
        rbm.contrastive_divergence(v, sparsity=sparsity, sparsity_cost=0.5, rng=0)
        gradients.append([p.grad.data.copy() for p in rbm.parameters()])
    term = 0.5 * (rbm.p_hidden(v).mean(0) - 0.2)
    for plain, sparse, added in zip(*gradients, (np.outer(v.mean(0), term), np.zeros(4), term), strict=True):
        np.testing.assert_allclose(sparse - plain, added, rtol=1e-9, atol=1e-14)


def test_sparse_units_are_on_about_as_often_as_they_should():
    x = np.repeat(bars_and_stripes(3)[0].reshape(14, 9), 10, axis=0)
    on = [RBM(9, 12, rng=0).fit(x, 30, 20, sparsity=s, sparsity_cost=1.0, rng=0).transform(x).mean() for s in (None, 0.1)]
    assert abs(on[1] - 0.1) < 0.03 < on[0] - 0.2


def test_fit_is_the_loop_of_contrastive_divergence_and_sgd_whose_decay_acts_on_W_alone(rng):
    x = rng.integers(0, 2, (7, 4)).astype(np.uint8)
    one, other = RBM(4, 3, rng=0), RBM(4, 3, rng=0)
    assert one.fit(x, epochs=2, batch_size=3, k=2, learning_rate=0.1, momentum=0.9, weight_decay=0.3, rng=5) is one
    generator = np.random.default_rng(5)
    sgd = optim.SGD([{"params": [other.W], "weight_decay": 0.3}, {"params": [other.a, other.b]}], lr=0.1, momentum=0.9)
    for _ in range(2):
        order = generator.permutation(7)
        for rows in (order[:3], order[3:6], order[6:]):
            other.contrastive_divergence(x[rows], 2, rng=generator)
            sgd.step()
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        assert np.array_equal(p.data, q.data) and p.dtype == np.float32


def test_a_fitted_machine_reconstructs_bars_and_stripes_and_finds_them_likely():
    x = bars_and_stripes(3)[0].reshape(14, 9)
    rbm = RBM(9, 16, rng=0).start_from(x)
    before = rbm.free_energy(1 - np.eye(9)).mean() - rbm.free_energy(x).mean()
    rbm.fit(np.repeat(x, 10, axis=0), epochs=200, batch_size=20, learning_rate=0.1, rng=0)
    assert np.abs(rbm.reconstruct(x) - x).mean() < 0.05
    assert rbm.free_energy(1 - np.eye(9)).mean() - rbm.free_energy(x).mean() > before + 2


def test_the_same_seed_gives_the_same_machine_and_numba_changes_nothing_but_rounding(rng):
    x = rng.integers(0, 2, (40, 6))
    machines = []
    for compiled in (True, True, False):
        with use_numba(compiled):
            machines.append(RBM(6, 4, rng=0).fit(x, 3, 10, k=2, persistent=True, rng=1).W.data)
    assert np.array_equal(machines[0], machines[1])
    np.testing.assert_allclose(machines[0], machines[2], rtol=1e-5, atol=1e-6)


def test_without_weights_it_starts_at_the_datas_means(rng):
    x = (rng.random((50, 3)) < [0.1, 0.5, 1.0]).astype(float)
    rbm = RBM(3, 2, std=0.0, rng=0).double().start_from(x)
    np.testing.assert_allclose(rbm.p_visible(np.zeros((1, 2)))[0], (x.sum(0) + 1) / 52, rtol=1e-12)
    assert np.all(np.isfinite(rbm.a.data))
    np.testing.assert_allclose(base_rates(x, "gaussian"), x.mean(0))


# ------------------------------------------------------------------------------------------------ use
def test_pseudo_likelihood_is_the_sum_of_the_conditionals_and_one_drawn_unit_has_its_mean(rng):
    rbm, V = machine(), bits(4)
    joint = {tuple(v): np.exp(-f) for v, f in zip(V, rbm.free_energy(V), strict=True)}
    expected = []
    for v in V:
        flipped = [tuple(np.where(np.arange(4) == i, 1 - v, v)) for i in range(4)]
        expected.append(sum(np.log(joint[tuple(v)] / (joint[tuple(v)] + joint[f])) for f in flipped))
    np.testing.assert_allclose(rbm.pseudo_log_likelihood(V, exact=True), expected, rtol=1e-10)
    drawn = rbm.pseudo_log_likelihood(np.repeat(V, 3000, axis=0), rng=rng).reshape(16, 3000)
    np.testing.assert_allclose(drawn.mean(1), expected, atol=0.3)
    assert len(np.unique(drawn[0])) == 4


def test_as_a_layer_it_gives_the_features_with_their_gradient(rng):
    rbm, v = machine(), rng.random((6, 4))
    y = rbm(tinydl.Tensor(v))
    np.testing.assert_allclose(y.detach().numpy(), rbm.p_hidden(v), rtol=1e-12)
    tinydl.gradcheck(lambda v, *p: rbm(v), (tinydl.Tensor(v, requires_grad=True), *rbm.parameters()))


def test_transform_and_reconstruct_go_in_parts_and_take_tensors_bits_and_nothing(rng, monkeypatch):
    rbm, v = machine(), rng.integers(0, 2, (10, 4)).astype(bool)
    whole, back = rbm.p_hidden(v), rbm.p_visible(rbm.p_hidden(v))
    monkeypatch.setattr("tinydl.unsupervised.rbm.PART", 4)
    np.testing.assert_allclose(rbm.transform(v), whole, rtol=1e-14)
    np.testing.assert_allclose(rbm.reconstruct(tinydl.Tensor(v.astype(float))), back, rtol=1e-14)
    assert rbm.transform(v[:0]).shape == (0, 3) and rbm.reconstruct(v[:0]).shape == (0, 4)
    assert np.array_equal(RBM(4, 3, rng=0).fit_transform(v, epochs=1, rng=1), RBM(4, 3, rng=0).fit(v, 1, rng=1).transform(v))


def test_it_is_saved_and_loaded_as_every_module(tmp_path, rng):
    rbm, other = machine(), RBM(4, 3).double()
    tinydl.save(rbm.state_dict(), tmp_path / "rbm.npz")
    other.load_state_dict(tinydl.load(tmp_path / "rbm.npz"))
    v = rng.random((3, 4))
    assert list(rbm.state_dict()) == ["W", "a", "b"] and np.array_equal(rbm.p_hidden(v), other.p_hidden(v))
    assert "RBM(4, 3)" in repr(rbm) and "visible='gaussian'" in repr(machine(visible="gaussian"))


# ------------------------------------------------------------------------------------------------ bad input
@pytest.mark.parametrize("x, message", [
    (np.full((2, 4), 1.5), "from 1.5 to 1.5, want 0 to 1"), (np.full((2, 4), -1), "from -1 to -1, want 0 to 1"),
    (np.array([[0.0, 1.0, np.nan, 0.0]]), "from nan to nan"), (np.zeros((2, 5)), r"\(2, 5\), want numbers \(N, 4\)"),
    (np.zeros(4), r"\(4,\), want numbers"), (np.array([["a"] * 4]), "<U1"), (np.array(1.0), "want numbers")])
def test_bad_visible_units_are_refused_by_every_method(x, message):
    rbm = machine()
    for method in (rbm.p_hidden, rbm.free_energy, rbm.gibbs, rbm.contrastive_divergence, rbm.fit, rbm.start_from):
        with pytest.raises(ValueError, match=message):
            method(x)


def test_bad_hidden_units_steps_sizes_and_options_are_refused(rng):
    rbm, v = machine(), np.zeros((2, 4))
    with pytest.raises(ValueError, match=r"hidden units: got float64 \(2, 4\), want numbers \(N, 3\)"):
        rbm.p_visible(v)
    with pytest.raises(ValueError, match="got 2 rows of visible and 1 of hidden units, want equally many"):
        rbm.energy(v, np.zeros((1, 3)))
    for k in (0, 1.5, -1):
        with pytest.raises(ValueError, match=f"got k={k}, want a whole number of at least 1"):
            rbm.contrastive_divergence(v, k)
        with pytest.raises(ValueError, match=f"got k={k}, want"):
            rbm.fit(v, k=k)
        with pytest.raises(ValueError, match=f"got epochs={k}, want"):
            rbm.fit(v, epochs=k)
        with pytest.raises(ValueError, match=f"got steps={k}, want"):
            rbm.gibbs(v, k)
    for sparsity in (0, 1, 2.0):
        with pytest.raises(ValueError, match="want 0 < sparsity < 1"):
            rbm.fit(v, sparsity=sparsity)
    for fit in (rbm.fit, rbm.start_from, rbm.contrastive_divergence):
        with pytest.raises(ValueError, match="got no rows"):
            fit(v[:0])
    with pytest.raises(ValueError, match="want 'binary' or 'gaussian'"):
        RBM(4, 3, "real")
    for sizes in ((0, 3), (4, -1), (4.0, 3)):
        with pytest.raises(ValueError, match="want whole numbers of at least 1"):
            RBM(*sizes)
    for bad in (np.full((1, 4), 0.5), rng.standard_normal((1, 4)).clip(0, 1)):
        with pytest.raises(ValueError, match="other than 0 and 1"):
            rbm.pseudo_log_likelihood(bad)
    with pytest.raises(ValueError, match="cannot be flipped"):
        machine(visible="gaussian").pseudo_log_likelihood(v)


def test_a_part_with_bad_numbers_is_found_wherever_it_is(monkeypatch):
    monkeypatch.setattr("tinydl.unsupervised.rbm.PART", 4)
    x = np.zeros((10, 4))
    x[9, 3] = 2
    with pytest.raises(ValueError, match="to 2.0"):
        machine().start_from(x)


def test_gaussian_units_warn_where_data_are_not_standardised_and_refuse_nan(rng):
    x, rbm = rng.standard_normal((300, 4)), machine(visible="gaussian")
    x[:, 3] = 0  # constant: standardised as well as can be
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rbm.fit(x, epochs=1)
    for bad, what in ((3 * x, "spreads of about 2.9"), (x + 2, "means of about 2"), (x / 255, "spreads of about 0.00")):
        with pytest.warns(UserWarning, match=f"{what}.*standardise them"):
            rbm.fit(bad, epochs=1)
    with pytest.raises(ValueError, match="want finite ones"):
        rbm.fit(np.where(x > 2, np.inf, x))


@pytest.mark.parametrize("rate", [1.0, 1000.0])
def test_training_that_leaves_all_bounds_stops_with_its_reason(rng, rate):
    z = rng.standard_normal((300, 3)) @ rng.standard_normal((3, 30))
    with pytest.raises(FloatingPointError, match=rf"are nan or inf after epoch \d+; make a new RBM.*rate, {rate}"):
        RBM(30, 20, "gaussian", rng=0).fit(z / z.std(0), epochs=20, learning_rate=rate, rng=0)


def test_a_chain_of_data_that_the_machine_has_learned_leaves_a_small_gradient():
    """At the maximum of the likelihood both means agree: what the exact gradient says, long chains say too."""
    rbm, V = machine(), bits(4)
    p = np.exp(-rbm.free_energy(V))
    data = np.repeat(V, np.round(p / p.sum() * 40_000).astype(int), axis=0)
    rbm.contrastive_divergence(data, k=2, rng=0)
    assert np.abs(rbm.W.grad.data).max() < 0.01
    assert np.abs(likelihood_gradient(rbm, data)["W"]).max() < 1e-3
