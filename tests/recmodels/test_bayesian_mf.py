"""Bayesian Neural MF: its loss and gradients, what it pays of the divergence, and that its intervals are what they say."""

import numpy as np
import pandas
import pytest
import scipy.stats

from recmodels import Interactions
from recmodels.models import BayesianNeuralMF
from recmodels.splits import random_split
from tinydl import Tensor, gradcheck, nn
from tinydl.calibration import coverage

SMALL = dict(k=6, hidden=8, epochs=4, batch_size=64, lr=0.01, scale=0.1)


@pytest.fixture(scope="module")
def fitted(split):
    return BayesianNeuralMF(**SMALL).fit(split.train, split.valid)


@pytest.fixture
def trained(split):
    """A model whose network may be changed: in float64, every parameter at a random place, in training mode."""
    model = BayesianNeuralMF(**{**SMALL, "epochs": 1, "kl_weight": 0.7}).fit(split.train)
    rng = np.random.default_rng(2)
    for p in model.network_.double().train().parameters():
        p.copy_(p.detach().numpy() + 0.1 * rng.standard_normal(p.shape))
    return model


def output(network, users, items):
    """The network's output, the noise of its draws the same at each call."""
    for module in network.modules():
        if hasattr(module, "rng"):
            module.rng = np.random.default_rng(7)
    return network(Tensor(users), Tensor(items))


def test_gradients_of_what_training_makes_small(trained, split):
    users, items, ratings = (a[:30] for a in trained._encode(split.train))
    names, parameters = zip(*trained.network_.named_parameters(), strict=True)
    assert sum("rho" in name for name in names) == 4 and sum("log_std" in name for name in names) == 4

    def loss(*_):
        return trained._loss(output(trained.network_, users, items), Tensor(ratings.astype(float)))

    assert gradcheck(loss, parameters, per_element=0, directions=4, names=names)


def test_the_loss_is_the_gaussians_and_the_divergence(trained, split):
    users, items, ratings = (a[:30] for a in trained._encode(split.train))
    y, log_variance, kl = output(trained.network_, users, items).detach().numpy().T
    found = trained._loss(output(trained.network_, users, items), Tensor(ratings.astype(float))).item()
    want = -scipy.stats.norm.logpdf(ratings, y, np.exp(log_variance / 2)).mean() + 0.7 * kl.mean()
    assert found == pytest.approx(want, rel=1e-9)
    assert np.std(log_variance) > 0.01 and not np.allclose(y, trained._score(users, items))  # drawn
    network = trained.network_.eval()
    assert network(Tensor(users), Tensor(items)).shape == (30, 2)


def test_an_epoch_pays_the_divergence_of_each_row_once(trained, split):
    users, items, _ = trained._encode(split.train)
    network = trained.network_
    paid = output(network, users, items).detach().numpy()[:, 2].sum()
    want = sum(table.kl(np.unique(codes)).sum().item() for table, codes in
               ((network.E_u, users), (network.s_u, users), (network.E_m, items), (network.s_m, items)))
    assert paid == pytest.approx(want, rel=1e-9)


def test_warm_deviations_count_each_rating_once(trained, split):
    users, items, _ = trained._encode(split.train)
    table, before = trained.network_.E_u, trained.network_.E_u.std().detach().numpy().copy()
    prior = np.exp(table.prior.log_std.item())
    before[1, 0] = 2 * prior                                    # wider than the prior: the ratings add nothing
    table.weight_rho.copy_(np.log(np.expm1(before)))
    trained.network_.warm(users, items, 0.2)
    after, seen = table.std().detach().numpy(), np.bincount(users, minlength=len(before))
    assert seen[0] == 0 and seen[1] > 0
    for u, n in enumerate(seen):
        added = 0.2 * np.maximum(0, 1 / before[u] ** 2 - 1 / prior**2) if n else 0
        np.testing.assert_allclose(after[u], np.sqrt(1 / (1 / prior**2 + added)) * np.ones(6), rtol=1e-9)
    np.testing.assert_allclose(trained.network_.s_m.std().detach().numpy()[0],
                               np.exp(trained.network_.s_m.prior.log_std.item()), rtol=1e-9)


def test_all_is_trained_and_deviations_ten_times_as_fast(fitted):
    others, rho = fitted._parameter_groups()
    assert rho["lr"] == 10 * fitted.lr and len(rho["params"]) == 4
    assert len(others["params"]) + 4 == len(list(fitted.network_.parameters()))


def test_deviations_are_noise_and_spread_of_the_draws(fitted, split):
    users, items, ratings = fitted._encode(split.valid)
    w = fitted.network_.state_dict()
    noise = np.exp((w["s"] + w["s_u.weight"][users, 0] + w["s_m.weight"][items, 0]).astype(float))
    y = fitted._score(users, items)
    draws = [nn.posterior_draw(fitted.network_, np.random.default_rng([0, n])) for n in range(20)]
    spread = np.mean([(fitted._score(users, items, draw) - y) ** 2 for draw in draws], axis=0)
    factor = np.mean((ratings - np.clip(y, 1, 5)) ** 2 / (noise + spread))
    assert fitted.factor_ == pytest.approx(factor, rel=1e-6) and spread.mean() > 1e-4
    found = fitted.deviations(split.valid)
    np.testing.assert_allclose(found[0] ** 2, factor * noise, rtol=1e-5)
    np.testing.assert_allclose(found[1] ** 2, factor * spread, rtol=1e-5)
    mean, std = fitted.predict(split.valid, return_std=True)
    np.testing.assert_array_equal(mean, fitted.predict(split.valid))
    np.testing.assert_allclose(std**2, factor * (noise + spread), rtol=1e-5)
    assert np.mean((ratings - mean) ** 2 / std**2) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("level, z", [(0.9, 1.644854), (0.5, 0.674490)])
def test_intervals(level, z, fitted, split):
    low, high = fitted.predict_interval(split.test, level=level)
    y, std = fitted.predict(split.test, return_std=True)
    np.testing.assert_allclose(low, np.maximum(1, y - z * std), rtol=1e-5)
    np.testing.assert_allclose(high, np.minimum(5, y + z * std), rtol=1e-5)
    frame = split.test.frame
    again = fitted.predict_interval(frame["user"], frame["item"], level=level)
    np.testing.assert_array_equal(low, again[0])
    np.testing.assert_allclose([fitted.predict_interval(frame.iloc[n:n + 1], level=level)[1][0] for n in range(3)], high[:3],
                               rtol=1e-5)


def test_who_is_unknown_has_a_wider_interval(fitted, split):
    items = split.test.frame["item"].to_numpy()
    known, unknown = (fitted.deviations(users, items)[1] for users in (split.test.frame["user"], [None] * len(items)))
    assert unknown.mean() > 1.1 * known.mean()


def test_a_saved_and_a_refitted_model_keep_the_factor(fitted, split, tmp_path):
    fitted.save(tmp_path / "model.npz")
    again = BayesianNeuralMF.load(tmp_path / "model.npz")
    for one, other in zip(again.predict_interval(split.test), fitted.predict_interval(split.test), strict=True):
        np.testing.assert_array_equal(one, other)
    assert fitted.refit(split.refit).factor_ == fitted.factor_ != 1
    assert BayesianNeuralMF(**{**SMALL, "epochs": 1}).fit(split.train).factor_ == 1


def test_noisy_users_are_found_and_all_intervals_cover():
    """Half of the users rate with deviation 0.25, the others with 0.9; the films are the same."""
    rng = np.random.default_rng(3)
    u, i = np.divmod(rng.permutation(80 * 60)[:4000], 60)
    steady = u % 2 == 0
    rating = np.clip(3 + rng.normal(0, 0.4, 60)[i] + np.where(steady, 0.25, 0.9) * rng.standard_normal(4000), 1, 5)
    users = pandas.DataFrame({"gender": "F", "age": 1, "occupation": 0}, index=range(80))
    items = pandas.DataFrame({"title": "Film", "genres": [("War",)] * 60, "year": 1990.0 + np.arange(60)}, index=range(60))
    data = Interactions(pandas.DataFrame({"user": u, "item": i, "rating": rating}), users, items, rating_range=(1, 5))
    split = random_split(data, 0)
    settings = {**SMALL, "epochs": 15, "kl_weight": 0.3, "lr": 0.03, "batch_size": 128}
    model = BayesianNeuralMF(**settings).fit(split.train, split.valid)
    steady = split.test.frame["user"].to_numpy() % 2 == 0
    noise, r = model.deviations(split.test)[0], split.test.frame["rating"].to_numpy()
    low, high = model.predict_interval(split.test)
    assert noise[~steady].mean() > 2 * noise[steady].mean()
    for group in (steady, ~steady):
        assert 0.8 < coverage(r[group], low[group], high[group]) < 0.98  # one width: 1 and 0.77


@pytest.mark.parametrize("changes, message", [
    ({"kl_weight": 0}, "BayesianNeuralMF: got kl_weight=0 and scale=0.1, want both above 0"),
    ({"scale": -1}, "scale=-1"), ({"k": 0}, "got k=0"), ({"version": 3}, "version=3, want 1 or 2")])
def test_bad_settings(changes, message, split):
    with pytest.raises(ValueError, match=message):
        BayesianNeuralMF(**{**SMALL, **changes}).fit(split.train)


@pytest.mark.parametrize("level", [0, 1, 90, float("nan")])
def test_bad_levels(level, fitted, split):
    with pytest.raises(ValueError, match=f"got level={level}, want a probability between 0 and 1"):
        fitted.predict_interval(split.test, level=level)
