"""Bayesian layers: gradients under fixed noise, divergences against integrals and draws, the distribution of outputs."""

import math

import numpy as np
import pytest
import scipy.integrate

import tinydl
from tinydl import Tensor, gradcheck, nn, optim
from tinydl.data import DataLoader
from tinydl.nn import (
    BayesianEmbedding,
    BayesianLinear,
    GaussianPrior,
    ScaleMixturePrior,
    kl_divergence,
    posterior_draw,
    predictive_draws,
    sampling,
    variational_loss,
)
from tinydl.training import Trainer

PRIORS = {"Gaussian": lambda: GaussianPrior(0.7), "learned": lambda: GaussianPrior(0.7, learned=True),
          "mixture": lambda: ScaleMixturePrior(0.4, 1.0, 0.1)}


def softplus(x):
    return np.log1p(np.exp(x))


def spread_out(layer, rng):
    """The layer with every mean and every s somewhere else: s from 0.05 to 1."""
    for name, p in layer.named_parameters():
        p.copy_(np.log(np.expm1(rng.uniform(0.05, 1, p.shape))) if name.endswith("_rho") else rng.normal(0, 0.5, p.shape))
    return layer


def with_noise(layer, compute):
    """compute() with the layer's generator at the same place each time."""
    def again(*_):
        for module in layer.modules():
            if hasattr(module, "rng"):
                module.rng = np.random.default_rng(5)
        return compute()
    return again


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("local, bias", [(True, True), (True, False), (False, True), (False, False)])
def test_gradients_of_a_layer(local, bias, prior, float64, rng):
    layer = spread_out(BayesianLinear(3, 2, bias, prior=PRIORS[prior](), local=local, rng=0), rng)
    x = Tensor(rng.normal(size=(2, 4, 3)), requires_grad=True)
    names, parameters = zip(*layer.named_parameters(), strict=True)
    assert ("prior.log_std" in names) == (prior == "learned") and len(names) == 2 * (1 + bias) + (prior == "learned")
    assert gradcheck(with_noise(layer, lambda: (layer(x), layer.kl())), [x, *parameters], names=["x", *names])


@pytest.mark.parametrize("prior", PRIORS)
def test_gradients_of_a_table(prior, float64, rng):
    table = spread_out(BayesianEmbedding(5, 3, prior=PRIORS[prior](), rng=0), rng)
    names, parameters = zip(*table.named_parameters(), strict=True)
    index = np.array([[3, 0], [3, 1]])                          # row 3 twice, rows 2 and 4 never
    assert gradcheck(with_noise(table, lambda: (table(index), table.kl(index))), parameters, names=names)
    table(index).sum().backward()
    assert sorted(table.weight_rho.grad.rows) == sorted(table.weight.grad.rows) == [0, 1, 3]


@pytest.mark.parametrize("std, learned", [(1.0, False), (0.3, False), (2.5, True)])
def test_the_gaussian_divergence_is_the_integral(std, learned, float64, rng):
    mean, s = rng.normal(0, 1, 6), rng.uniform(0.05, 2, 6)
    found = GaussianPrior(std, learned).divergence(Tensor(mean), Tensor(s), None).detach().numpy()

    def density(w, m, s):
        return np.exp(-0.5 * ((w - m) / s) ** 2) / (s * math.sqrt(2 * math.pi))

    for n in range(6):
        def integrand(w, m=mean[n], s=s[n]):
            return density(w, m, s) * (-0.5 * ((w - m) / s) ** 2 - np.log(s) + 0.5 * (w / std) ** 2 + np.log(std))
        want, _ = scipy.integrate.quad(integrand, mean[n] - 12 * s[n], mean[n] + 12 * s[n], epsabs=1e-12)
        assert found[n] == pytest.approx(want, abs=1e-9)
    same = GaussianPrior(std, learned).divergence(Tensor(np.zeros(1)), Tensor([std]), None)
    assert same.item() == pytest.approx(0, abs=1e-12)


def test_the_mixtures_estimate_has_the_divergence_as_its_mean(float64, rng):
    """Against the integral; and with both parts alike the mixture is one Gaussian."""
    prior, m, s, n = ScaleMixturePrior(0.4, 1.0, 0.1), 0.3, 0.2, 200_000

    def log_normal(w, m, s):
        return -0.5 * ((w - m) / s) ** 2 - np.log(s) - 0.5 * np.log(2 * np.pi)

    def integrand(w):
        log_p = np.logaddexp(np.log(0.4) + log_normal(w, 0, 1.0), np.log(0.6) + log_normal(w, 0, 0.1))
        return np.exp(log_normal(w, m, s)) * (log_normal(w, m, s) - log_p)

    want, _ = scipy.integrate.quad(integrand, m - 12 * s, m + 12 * s, points=[0, m])
    draws = prior.divergence(Tensor(np.full(n, m)), Tensor(np.full(n, s)), rng).numpy()
    assert abs(draws.mean() - want) < 4 * draws.std() / math.sqrt(n) < 0.02 * want
    one = ScaleMixturePrior(0.4, 0.7, 0.7).divergence(Tensor(np.full(n, m)), Tensor(np.full(n, s)), rng).numpy()
    want = GaussianPrior(0.7).divergence(Tensor([m]), Tensor([s]), None).item()
    assert abs(one.mean() - want) < 4 * one.std() / math.sqrt(n) < 0.02 * want
    far = prior.divergence(Tensor([1e4, -1e4]), Tensor([0.1, 0.1]), rng).numpy()
    assert np.isfinite(far).all()


@pytest.mark.parametrize("local", [True, False])
def test_outputs_have_the_stated_distribution(local, float64, rng):
    """Mean x W' + b, variance x^2 S' + s_b^2; rows of a batch share the draw of the weights only where local=False."""
    layer = spread_out(BayesianLinear(3, 2, local=local, rng=0), rng)
    x, n = rng.normal(size=(2, 3)), 6000
    y = np.stack([layer(Tensor(x)).detach().numpy() for _ in range(n)])
    w, b, sw, sb = (layer.state_dict()[name] for name in ("weight", "bias", "weight_rho", "bias_rho"))
    variance = x**2 @ softplus(sw).T ** 2 + softplus(sb) ** 2
    np.testing.assert_allclose(y.mean(axis=0), x @ w.T + b, atol=5 * math.sqrt(variance.max() / n))
    np.testing.assert_allclose(y.var(axis=0), variance, rtol=5 * math.sqrt(2 / n))
    shared = (x[0] * x[1]) @ softplus(sw).T ** 2 + softplus(sb) ** 2
    for unit in range(2):
        covariance = np.cov(y[:, 0, unit], y[:, 1, unit])[0, 1]
        assert covariance == pytest.approx(0 if local else shared[unit], abs=5 * variance.max() / math.sqrt(n))


def test_each_reading_of_a_row_is_a_draw_of_its_own(float64, rng):
    table, n = spread_out(BayesianEmbedding(3, 2, rng=0), rng), 6000
    y = table(np.full(n, 1)).detach().numpy()
    s = table.std().detach().numpy()[1]
    np.testing.assert_allclose(y.mean(axis=0), table.weight.detach().numpy()[1], atol=5 * s.max() / math.sqrt(n))
    np.testing.assert_allclose(y.std(axis=0), s, rtol=5 / math.sqrt(2 * n))


def test_in_evaluation_a_layer_is_the_plain_one_and_loads_its_weights(rng):
    plain, x = nn.Linear(4, 3, rng=1), Tensor(rng.normal(size=(5, 4)).astype(np.float32))
    layer = BayesianLinear(4, 3, rng=2).eval()
    missing = layer.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert missing == ["weight_rho", "bias_rho", "prior.log_std"]
    np.testing.assert_array_equal(layer(x).detach().numpy(), plain(x).detach().numpy())
    np.testing.assert_allclose(layer.std().detach().numpy(), 0.1 / 2, rtol=1e-5)
    np.testing.assert_allclose(BayesianLinear(4, 3, std=0.3).std("bias").detach().numpy(), 0.3, rtol=1e-5)
    table = BayesianEmbedding(6, 2, rng=3).eval()
    np.testing.assert_array_equal(table(np.array([4, 4])).detach().numpy(), table.weight.detach().numpy()[[4, 4]])


def test_a_row_of_zeros_without_bias_has_no_nan(float64):
    layer, x = BayesianLinear(3, 2, bias=False, rng=0), Tensor(np.zeros((1, 3)), requires_grad=True)
    layer(x).sum().backward()
    assert np.isfinite(x.grad.numpy()).all() and np.isfinite(layer.weight_rho.grad.numpy()).all()
    assert layer(Tensor(np.zeros((0, 3)))).shape == (0, 2)


def test_divergences_add_up(float64, rng):
    """Row by row, n_v readings paying KL_v / n_v each, layer by layer: the same whole."""
    table = spread_out(BayesianEmbedding(4, 3, prior=GaussianPrior(0.5), rng=0), rng)
    index = np.array([2, 0, 2, 1, 3, 2])
    shares = table.kl(index).detach().numpy() / np.bincount(index)[index]
    assert shares.sum() == pytest.approx(table.kl().item(), rel=1e-12)
    layer = BayesianLinear(3, 2, rng=1)
    net = nn.Sequential(table, layer, nn.ReLU())
    assert kl_divergence(net).item() == pytest.approx(table.kl().item() + layer.kl().item(), rel=1e-12)
    loss = variational_loss(nn.functional.mse_loss, net, 40, kl_weight=0.5)
    y, t = Tensor([1.0, 2.0]), Tensor([1.0, 4.0])
    assert loss(y, t).item() == pytest.approx(2 + 0.5 * kl_divergence(net).item() / 40, rel=1e-12)
    with pytest.raises(ValueError, match="no Bayesian layer; build it with BayesianLinear"):
        kl_divergence(nn.Linear(2, 2))


def test_a_learned_prior_settles_where_the_weights_are(float64, rng):
    table = spread_out(BayesianEmbedding(50, 4, prior=GaussianPrior(3.0, learned=True), rng=0), rng)
    best = math.sqrt(np.mean(table.std().detach().numpy() ** 2 + table.weight.detach().numpy() ** 2))
    table.prior.log_std.copy_(np.array(math.log(best)))
    table.kl().backward()
    assert abs(table.prior.log_std.grad.item()) < 1e-9
    assert f"std={best:.4g}, learned" in repr(table)


def test_draws_of_the_posterior(float64, rng):
    table = spread_out(BayesianEmbedding(3, 2, rng=0), rng)
    net = nn.Sequential(table, nn.Linear(2, 1, rng=1))
    draws = [posterior_draw(net, seed) for seed in range(1500)]
    w = np.stack([twin[0].weight.detach().numpy() for twin in draws])
    s = table.std().detach().numpy()
    np.testing.assert_allclose(w.mean(axis=0), table.weight.detach().numpy(), atol=5 * s.max() / math.sqrt(1500))
    np.testing.assert_allclose(w.std(axis=0), s, rtol=5 / math.sqrt(3000))
    twin, again = draws[1], posterior_draw(net, 1)
    assert not twin.training and net.training and np.array_equal(twin[0].weight.detach().numpy(), w[1])
    np.testing.assert_array_equal(twin(np.array([1, 2])).detach().numpy(), again(np.array([1, 2])).detach().numpy())
    np.testing.assert_array_equal(twin[1].weight.detach().numpy(), net[1].weight.detach().numpy())
    with pytest.raises(ValueError, match="no Bayesian layer; with Dropout use sampling"):
        posterior_draw(nn.Sequential(nn.Linear(1, 1), nn.Dropout()))


def test_a_seed_draws_the_parameters_of_a_layer_apart():
    layer = BayesianLinear(1, 3, std=1.0, rng=0)
    before = [p.detach().numpy().copy() for p in (layer.weight, layer.bias)]
    layer.draw_(5)
    weight, bias = ((p.detach().numpy() - b).reshape(-1) for p, b in zip((layer.weight, layer.bias), before, strict=True))
    assert np.abs(weight - bias).min() > 1e-3


def test_a_deviation_may_be_wide():
    np.testing.assert_allclose(BayesianLinear(2, 1, std=1000.0, rng=0).std().detach().numpy(), 1000.0)


def test_sampling_wakes_dropout_and_bayesian_layers_alone(rng):
    net = nn.Sequential(nn.Linear(3, 64, rng=0), nn.BatchNorm1d(64), nn.Dropout(0.5, rng=1), BayesianLinear(64, 2, rng=2))
    net.eval()
    net[2].train()                                              # a mode of its own, which must come back
    seen = net[1].running_mean.copy()
    with sampling(net) as inside:
        assert inside is net and [m.training for m in net] == [False, False, True, True]
    assert [m.training for m in net] == [False, False, True, False] and not net.training
    with pytest.raises(KeyError), sampling(net.train()):
        raise KeyError
    assert all(module.training for module in net.modules())
    x = Tensor(rng.normal(size=(5, 3)).astype(np.float32))
    draws = predictive_draws(net, x, samples=4)
    assert draws.shape == (4, 5, 2) and draws.std(axis=0).min() > 0 and net.training
    np.testing.assert_array_equal(net[1].running_mean, seen)
    with pytest.raises(ValueError, match="no Dropout and no Bayesian layer"), sampling(nn.Linear(1, 1)):
        pass
    with pytest.raises(ValueError, match="got samples=0, want at least 1"):
        predictive_draws(net, x, samples=0)


def test_mc_dropout_has_dropouts_mean_and_variance(rng):
    """y = sum of w_j m_j x_j / (1 - p): mean w'x, variance p / (1 - p) sum (w_j x_j)^2."""
    net = nn.Sequential(nn.Dropout(0.25, rng=0), nn.Linear(6, 1, bias=False, rng=1)).eval()
    x = Tensor(rng.normal(size=(1, 6)).astype(np.float32))
    y = predictive_draws(net, x, samples=6000)[:, 0, 0]
    parts = net[1].weight.detach().numpy()[0] * x.numpy()[0]
    want = 0.25 / 0.75 * np.sum(parts**2)
    assert y.mean() == pytest.approx(parts.sum(), abs=5 * math.sqrt(want / 6000))
    assert y.var() == pytest.approx(want, rel=0.1)


def test_training_recovers_the_posterior_of_a_line(float64):
    """One weight, noise of known variance: the exact posterior is N(m, s^2), 1 / s^2 = 1 / prior^2 + sum x^2 / noise^2."""
    rng, noise = np.random.default_rng(0), 0.5
    x = rng.normal(size=(40, 1))
    t = 1.5 * x + noise * rng.normal(size=x.shape)
    precision = 1 / 0.8**2 + np.sum(x**2) / noise**2
    layer = BayesianLinear(1, 1, bias=False, prior=GaussianPrior(0.8), rng=0)

    def negative_log(prediction, target):
        return nn.functional.mse_loss(prediction, target) / (2 * noise**2)

    adam = optim.Adam(layer.parameters(), lr=0.03)
    trainer = Trainer(layer, variational_loss(negative_log, layer, len(x)), adam)
    trainer.fit(DataLoader((x, t), 40, shuffle=True, rng=0), epochs=500)
    assert layer.weight.item() == pytest.approx(np.sum(x * t) / noise**2 / precision, abs=0.02)
    assert layer.std().item() == pytest.approx(precision**-0.5, rel=0.15)


def test_the_same_seed_gives_the_same_bits_and_the_default_generator_is_used_without_one(rng):
    x = Tensor(rng.normal(size=(4, 3)).astype(np.float32))
    one, other = (BayesianLinear(3, 2, rng=4) for _ in range(2))
    np.testing.assert_array_equal(one(x).detach().numpy(), other(x).detach().numpy())
    assert one(x).dtype == np.float32 and not np.array_equal(one(x).detach().numpy(), one(x).detach().numpy())
    own = BayesianEmbedding(3, 2)
    first, again = (tinydl.manual_seed(8) and own(np.array([0])).detach().numpy() for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("make, message", [
    (lambda: GaussianPrior(0.0), "GaussianPrior: got std=0.0, want a standard deviation: finite and above 0"),
    (lambda: GaussianPrior(math.inf), "got std=inf"),
    (lambda: ScaleMixturePrior(1.0), "ScaleMixturePrior: got pi=1.0, want a share between 0 and 1"),
    (lambda: ScaleMixturePrior(0.5, 1.0, -1.0), "got std2=-1.0"),
    (lambda: BayesianLinear(3, 2, std=0), "BayesianLinear: got std=0"),
    (lambda: BayesianEmbedding(3, 2, std=math.nan), "BayesianEmbedding: got std=nan"),
    (lambda: variational_loss(None, None, 0), "got n=0 and kl_weight=1.0, want the number of training examples"),
    (lambda: variational_loss(None, None, 9, -1), "and a weight of at least 0")])
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_prior_must_be_one():
    with pytest.raises(TypeError, match=r"got prior=0.5, want GaussianPrior\(...\) or ScaleMixturePrior"):
        BayesianLinear(3, 2, prior=0.5)
    with pytest.raises(TypeError, match="want GaussianPrior"):
        BayesianLinear(3, 2, prior=GaussianPrior)
    assert "pi=0.5, std1=1, std2=0.5" in repr(BayesianLinear(1, 1, prior=ScaleMixturePrior(std2=0.5), local=False))
