"""Autoencoders against their formulas, number by number; gradients; the Jacobian by the engine; training; bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinydl
from tinydl import Tensor, gradcheck
from tinydl.training import EarlyStopping
from tinydl.unsupervised import (
    Autoencoder,
    ContractiveAutoencoder,
    DenoisingAutoencoder,
    SparseAutoencoder,
    VariationalAutoencoder,
)
from tinydl.unsupervised.variational import divergence_from_normal

V, H, B = 5, 3, 4
KINDS = {"plain": Autoencoder, "denoising": DenoisingAutoencoder, "sparse": SparseAutoencoder,
         "contractive": ContractiveAutoencoder}
ALL = {**KINDS, "variational": VariationalAutoencoder}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def made(kind, rng, **options):
    """A machine in float64 with weights and biases that are all different."""
    model = ALL[kind](V, H, rng=rng, **options).double()
    for p in model.parameters():
        p.copy_(rng.normal(0, 0.7, p.shape))
    return model


def data(rng, n=B):
    return rng.uniform(0.05, 0.95, (n, V))


def rebuilt(model, h):
    W_prime = model.W.data.T if model.tied else model.W_prime.data
    a = h @ W_prime.T + model.b_prime.data
    return sigmoid(a) if model.visible == "binary" else a


def distance(model, x, y):
    """The loss of x' = y, by its definition."""
    if model.visible == "binary":
        return -np.sum(x * np.log(y) + (1 - x) * np.log(1 - y), axis=1)
    return np.sum((x - y) ** 2, axis=1)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("visible", ["gaussian", "binary"])
def test_the_slides_formulas(visible, tied, rng):
    model, x = made("plain", rng, tied=tied, visible=visible), data(rng)
    h = sigmoid(x @ model.W.data.T + model.b.data)
    y = rebuilt(model, h)
    np.testing.assert_allclose(model.encode(Tensor(x)).data, h, rtol=1e-12)
    np.testing.assert_allclose(model(Tensor(x)).data, y, rtol=1e-12)
    np.testing.assert_allclose(model.losses(Tensor(x)).data, distance(model, x, y), rtol=1e-12)
    assert len(list(model.parameters())) == (3 if tied else 4)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("visible", ["gaussian", "binary"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_every_loss(kind, visible, tied, rng):
    model, x = made(kind, rng, tied=tied, visible=visible), Tensor(data(rng), requires_grad=True)
    damaged = {"damaged": Tensor(data(rng))} if kind == "denoising" else {}
    assert gradcheck(lambda *_: model.losses(x, **damaged), [x, *model.parameters()])


@pytest.mark.parametrize("visible", ["gaussian", "binary"])
def test_gradients_of_the_elbo(visible, rng):
    model = made("variational", rng, hidden=4, visible=visible)
    x, noise = Tensor(data(rng), requires_grad=True), rng.standard_normal((B, H))
    assert gradcheck(lambda *_: model.elbo(x, noise), [x, *model.parameters()])


# ------------------------------------------------------------------------------------------------ denoising
def test_a_denoiser_sees_the_damaged_and_is_held_against_the_whole(rng):
    model, x, damaged = made("denoising", rng), data(rng), data(rng)
    y = rebuilt(model, sigmoid(damaged @ model.W.data.T + model.b.data))
    np.testing.assert_allclose(model.losses(Tensor(x), Tensor(damaged)).data, distance(model, x, y), rtol=1e-12)


@pytest.mark.parametrize("noise", ["masking", "salt-and-pepper", "gaussian"])
def test_noise_has_its_stated_distribution(noise, rng):
    model = DenoisingAutoencoder(V, H, corruption=0.3, noise=noise, rng=rng).double()
    x = np.full((40_000, V), 0.4)
    got = model.corrupted(Tensor(x)).data
    assert got.dtype == np.float64
    if noise == "gaussian":
        assert abs(got.mean() - 0.4) < 0.005 and abs(got.std() - 0.3) < 0.005
        return
    share = {value: np.mean(got == value) for value in (0.0, 0.4, 1.0)}
    assert abs(sum(share.values()) - 1) < 1e-12
    expected = {0.0: 0.3, 1.0: 0.0} if noise == "masking" else {0.0: 0.15, 1.0: 0.15}
    assert all(abs(share[value] - p) < 0.005 for value, p in expected.items())
    assert np.max(np.abs(np.corrcoef((got == 0.4).T) - np.eye(V))) < 0.02  # each unit on its own


def test_a_seed_gives_noise_that_is_not_the_weights_again():
    model, one = DenoisingAutoencoder(V, H, 1.0, "gaussian", rng=5), np.random.default_rng(5)
    again = DenoisingAutoencoder(V, H, 1.0, "gaussian", rng=one)
    zeros = Tensor(np.zeros((H, V), np.float32))
    np.testing.assert_array_equal(model.W.data, again.W.data)
    noise = model.corrupted(zeros).data
    np.testing.assert_array_equal(noise, again.corrupted(zeros).data)  # the generator's own, from behind the weights
    assert not np.array_equal(noise, np.random.default_rng(5).standard_normal(noise.shape, noise.dtype))


def test_noise_is_for_training_only(rng):
    model, x = made("denoising", rng), Tensor(data(rng))
    whole = model.losses(x, x).data
    assert not np.array_equal(model.train().losses(x).data, whole)
    assert np.array_equal(model.eval().losses(x).data, whole)
    assert np.array_equal(model.train().transform(x), model.encode(x).data)


# ------------------------------------------------------------------------------------------------ sparse
def test_sparsity_is_the_divergence_of_two_coins(rng):
    model, x = made("sparse", rng, activity=0.2, weight=3.0), data(rng)
    h = sigmoid(x @ model.W.data.T + model.b.data)
    total = 0.0
    for j in range(H):
        coin, target = (np.array([p, 1 - p]) for p in (h[:, j].mean(), 0.2))
        total += np.sum(target * np.log(target / coin))
    assert model.divergence(Tensor(h)).item() == pytest.approx(total, rel=1e-4)
    expected = distance(model, x, rebuilt(model, h)) + 3.0 * total
    np.testing.assert_allclose(model.losses(Tensor(x)).data, expected, rtol=1e-4)


def test_a_unit_that_is_always_on_or_off_costs_a_finite_amount():
    model = SparseAutoencoder(2, 2, rng=0)
    h = Tensor(np.array([[0.0, 1.0]] * 3, np.float32), requires_grad=True)
    cost = model.divergence(h)
    cost.backward()
    assert 0 < cost.item() < 100 and np.isfinite(h.grad.data).all()


def test_the_penalty_brings_the_activity_to_its_target(rng):
    x = (rng.random((300, V)) < 0.5).astype(np.float32)
    active = [np.mean(SparseAutoencoder(V, H, activity=0.1, weight=w, rng=0).fit(x, 100, 50, 0.02, rng=0).transform(x))
              for w in (0.0, 20.0)]
    assert active[0] > 0.3 and active[1] == pytest.approx(0.1, abs=0.03)


# ------------------------------------------------------------------------------------------------ contractive
def test_the_closed_form_is_the_norm_of_the_engines_jacobian(rng):
    model, x = made("contractive", rng), data(rng)
    for row in x:
        v = Tensor(row[None], requires_grad=True)
        h = model.encode(v)
        J = np.concatenate([tinydl.grad(h[0, j], v, retain_graph=True)[0].data for j in range(H)])  # (H, V)
        assert model.contraction(model.encode(Tensor(row[None]))).item() == pytest.approx(np.sum(J**2), rel=1e-12)


def test_the_penalty_is_added_with_its_weight(rng):
    model, x = made("contractive", rng, weight=2.5), Tensor(data(rng))
    h = model.encode(x)
    np.testing.assert_allclose((model.losses(x) - model.error(h, x)).data, 2.5 * model.contraction(h).data, rtol=1e-9)


# ------------------------------------------------------------------------------------------------ variational
def gauss_hermite(n=80):
    """Nodes and weights of the mean over N(0, 1)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    return nodes, weights / weights.sum()


@given(st.floats(-3, 3), st.floats(-3, 2))
@settings(max_examples=30, deadline=None)
def test_the_divergence_is_its_integral(mean, log_variance):
    nodes, weights = gauss_hermite()
    z = mean + np.exp(log_variance / 2) * nodes
    log_q, log_p = -(nodes**2 + log_variance) / 2, -(z**2) / 2
    got = divergence_from_normal(Tensor(np.array([[mean]])), Tensor(np.array([[log_variance]])))
    assert got.item() == pytest.approx(np.sum(weights * (log_q - log_p)), rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("visible", ["gaussian", "binary"])
def test_the_elbo_is_a_bound_whose_gap_is_the_divergence_from_the_posterior(visible, rng):
    model = VariationalAutoencoder(V, 1, hidden=4, visible=visible, rng=rng).double()
    for p in model.parameters():
        p.copy_(rng.normal(0, 0.5, p.shape))
    x = (rng.random((1, V)) < 0.5).astype(float)
    nodes, weights = gauss_hermite()
    log_p_x_of = model.log_likelihood(Tensor(nodes[:, None]), Tensor(np.repeat(x, len(nodes), 0))).data
    evidence = np.log(np.sum(weights * np.exp(log_p_x_of)))
    means = model.decoded(nodes[:, None])
    by_hand = np.sum(np.log(np.where(x == 1, means, 1 - means)) if visible == "binary"
                     else -(x - means) ** 2 / 2 - np.log(2 * np.pi) / 2, axis=1)
    np.testing.assert_allclose(log_p_x_of, by_hand, rtol=1e-10)
    bound = sum(w * model.elbo(Tensor(x), np.array([[n]])).item() for n, w in zip(nodes, weights, strict=True))
    mean, log_variance = (t.item() for t in model.posterior(Tensor(x)))
    z = mean + np.exp(log_variance / 2) * nodes
    log_q = -(nodes**2 + log_variance + np.log(2 * np.pi)) / 2
    log_joint = model.log_likelihood(Tensor(z[:, None]), Tensor(np.repeat(x, len(z), 0))).data
    log_joint = log_joint - (z**2 + np.log(2 * np.pi)) / 2
    gap = np.sum(weights * (log_q - (log_joint - evidence)))  # KL(Q(z | x) || P(z | x))
    assert gap > 1e-4 and evidence - bound == pytest.approx(gap, rel=1e-6)


def test_training_raises_the_elbo_and_samples_come_from_the_prior(rng):
    x = np.repeat(np.eye(V, dtype=np.float32)[:2], 100, axis=0)
    model = VariationalAutoencoder(V, 2, hidden=16, rng=0)
    before = model.elbo(Tensor(x)).data.mean()
    model.fit(x, epochs=60, batch_size=20, learning_rate=0.01, rng=0)
    assert model.elbo(Tensor(x)).data.mean() > before + 1
    drawn = model.sample(500, rng=1)
    assert drawn.shape == (500, V) and np.array_equal(drawn, model.sample(500, rng=1))
    assert np.max(drawn[:, 2:]) < 0.2 and 0.3 < np.mean(drawn[:, 0] > 0.5) < 0.7
    assert np.array_equal(model.transform(x), model.posterior(Tensor(x))[0].data)


# ------------------------------------------------------------------------------------------------ what all share
@pytest.mark.parametrize("kind", ALL)
def test_training_helps_and_the_same_seed_gives_the_same_bits(kind, rng):
    x = (rng.random((60, 2)) < 0.5).astype(np.float32)[:, [0, 0, 1, 1, 1]]
    first, second = (ALL[kind](V, 2, rng=0, visible="binary") for _ in range(2))
    before = np.mean((first.reconstruct(x) - x) ** 2)
    codes = [model.fit(x, epochs=150, batch_size=20, learning_rate=0.03, valid=x, rng=1).transform(x)
             for model in (first, second)]
    assert np.array_equal(*codes) and codes[0].shape == (60, 2)
    assert np.mean((first.reconstruct(x) - x) ** 2) < min(0.15, 0.7 * before)
    assert list(first.history_.columns) == ["train_loss", "lr", "seconds", "valid_loss"] and len(first.history_) == 150


def test_with_linear_units_no_code_beats_principal_components(rng):
    x = rng.standard_normal((200, V)) @ rng.standard_normal((V, V))
    x = ((x - x.mean(0)) / x.std()).astype(np.float32)
    model = Autoencoder(V, 2, tied=False, rng=0).fit(x, epochs=200, batch_size=50, learning_rate=0.02, rng=0)
    singular = np.linalg.svd(x, compute_uv=False)
    best, got = np.sum(singular[2:] ** 2) / x.size, np.mean((model.reconstruct(x) - x) ** 2)
    assert best < got < 1.5 * best


def test_weight_decay_shrinks_weights_only(rng):
    x = data(rng, 40)
    heavy, light = (Autoencoder(V, H, rng=0).fit(x, 20, 10, 0.01, weight_decay=w, rng=0) for w in (20.0, 0.0))
    assert np.linalg.norm(heavy.W.data) < 0.5 * np.linalg.norm(light.W.data)
    assert np.linalg.norm(heavy.b_prime.data) > np.linalg.norm(light.b_prime.data)  # which has to do the work alone


def test_the_learning_rate_falls_to_zero_where_that_is_asked_for(rng):
    model = Autoencoder(V, H, rng=0).fit(data(rng, 30), epochs=4, batch_size=10, learning_rate=0.1, falling=True, rng=0)
    np.testing.assert_allclose(model.history_["lr"], 0.05 * (1 + np.cos(np.pi * np.arange(1, 5) / 4)), atol=1e-12)
    assert model.fit(data(rng, 30), epochs=2, learning_rate=0.1).history_["lr"].tolist() == [0.1, 0.1]


def test_callbacks_and_validation_rows_take_part(rng):
    x = data(rng, 30)
    model = Autoencoder(V, H, rng=0).fit(x, epochs=50, valid=data(rng, 10), learning_rate=0.0,
                                         callbacks=[EarlyStopping(patience=2)], rng=0)
    assert len(model.history_) == 3


def test_long_data_goes_through_in_parts_and_empty_data_gives_nothing(rng, monkeypatch):
    model, x = made("plain", rng), data(rng, 11)
    whole = model.transform(x), model.reconstruct(x)
    monkeypatch.setattr("tinydl.unsupervised.reconstruction.PART", 4)
    np.testing.assert_allclose(model.transform(x), whole[0], rtol=1e-12)
    np.testing.assert_allclose(model.reconstruct(x), whole[1], rtol=1e-12)
    assert model.transform(x[:0]).shape == (0, H) and model.reconstruct(Tensor(x[:0])).shape == (0, V)


def test_a_machine_is_saved_and_loaded_as_any_module(rng, tmp_path):
    model, other = made("variational", rng), VariationalAutoencoder(V, H, rng=3).double()
    tinydl.save(model.state_dict(), tmp_path / "vae.npz")
    other.load_state_dict(tinydl.load(tmp_path / "vae.npz"))
    x = data(rng)
    assert np.array_equal(model.reconstruct(x), other.reconstruct(x))


@pytest.mark.parametrize("make, message", [
    (lambda: Autoencoder(0, 3), "n_visible=0, n_hidden=3, want whole numbers"),
    (lambda: Autoencoder(4, 2.5), "n_hidden=2.5"),
    (lambda: Autoencoder(4, 2, visible="bits"), "visible='bits', want 'gaussian' or 'binary'"),
    (lambda: DenoisingAutoencoder(4, 2, 1.2), "corruption=1.2, want a share"),
    (lambda: DenoisingAutoencoder(4, 2, -0.1), "corruption=-0.1"),
    (lambda: DenoisingAutoencoder(4, 2, noise="salt"), "noise='salt', want one of masking"),
    (lambda: SparseAutoencoder(4, 2, activity=0), "activity=0, want a share between"),
    (lambda: SparseAutoencoder(4, 2, activity=1), "activity=1, want a share between"),
    (lambda: SparseAutoencoder(4, 2, weight=-1), "weight=-1, want a finite number of at least 0"),
    (lambda: ContractiveAutoencoder(4, 2, weight=float("nan")), "weight=nan"),
    (lambda: VariationalAutoencoder(4, 2, hidden=0), "hidden=0, want a whole number"),
    (lambda: VariationalAutoencoder(4, 2).decoded(np.zeros((3, 4))), r"codes \(3, 4\), want \(N, 2\)"),
])
def test_settings_that_make_no_sense_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("x, message", [
    (np.zeros((3, 4, 4)), r"X: got float64 \(3, 4, 4\), want numbers \(N, 5\).*reshape"),
    (np.zeros((3, 4)), r"\(3, 4\), want numbers \(N, 5\)"),
    (np.zeros((0, 5)), "X has no rows"),
    (np.full((2, 5), np.nan), "numbers from nan to nan"),
    (np.full((2, 5), 1.5), "from 1.5 to 1.5, want 0 to 1 in binary units"),
    (np.full((2, 5), -0.5), "want 0 to 1 in binary units"),
    (np.full((2, 5), "a"), "want numbers"),
])
def test_data_that_does_not_fit_is_named(x, message):
    with pytest.raises(ValueError, match=message):
        DenoisingAutoencoder(5, 2, visible="binary", rng=0).fit(x)


def test_validation_rows_are_checked_under_their_name():
    with pytest.raises(ValueError, match="valid: got float64 .*want numbers"):
        Autoencoder(5, 2, rng=0).fit(np.zeros((3, 5)), valid=np.zeros((3, 4)))
    with pytest.raises(ValueError, match="from nan to nan, want finite"):
        Autoencoder(5, 2, rng=0).transform(np.full((3, 5), np.nan))
