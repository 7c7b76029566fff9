"""The deep belief net against the distribution that it states, counted through; up-down training; what it refuses."""

import numpy as np
import pytest

from tinydl import Tensor, gradcheck
from tinydl.data import bars_and_stripes
from tinydl.unsupervised import RBM, Autoencoder, DeepBeliefNet, feed_forward, greedy_pretraining, log_likelihood, stack

SIZES = (3, 4, 3, 2)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def states(n):
    return (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(float)


def conditional(layer, above, below):
    """P(below | above) for all rows of both.  (S, H), (R, V) -> (S, R)"""
    p = sigmoid(above @ layer.weight.data.T + layer.bias.data)
    return np.prod(np.where(below[None] == 1, p[:, None], 1 - p[:, None]), axis=2)


def distribution(belief):
    """P(v) of all 2^V states, by its definition."""
    h = states(belief.top.n_visible)
    p = np.exp(log_likelihood(belief.top, h))
    for layer in reversed(list(belief.down)):
        below = states(layer.out_features)
        p, h = p @ conditional(layer, h, below), below
    return p


def made(rng, sizes=SIZES, spread=1.0):
    machines = stack(sizes, RBM, rng=rng)
    for machine in machines:
        for p in machine.double().parameters():
            p.copy_(rng.normal(0, spread, p.shape))
    return machines, DeepBeliefNet(machines)


def test_dreams_have_the_stated_distribution(rng):
    _, belief = made(rng)
    p = distribution(belief)
    assert p.sum() == pytest.approx(1, abs=1e-6) and p.max() > 2 * p.min()
    means = belief.sample(20_000, steps=60, rng=1)
    found = np.mean(np.prod(np.where(states(3)[:, None] == 1, means, 1 - means), axis=2), axis=1)
    np.testing.assert_allclose(found, p, atol=0.012)


def test_gradients_of_wake_and_sleep(rng):
    _, belief = made(rng)
    v = (rng.random((5, 3)) < 0.5).astype(float)
    parameters = [*belief.up.parameters(), *belief.down.parameters()]
    assert gradcheck(lambda *_: belief.losses(v, k=2, rng=3), parameters)


def test_wake_is_the_surprise_at_the_states_below_in_the_mean_over_rows(rng):
    _, belief = made(rng)
    drawn = [np.array([[1.0, 0.0, 0.0, 1.0]]), np.array([[0.0, 1.0, 1.0]])]
    for layer, h in zip(belief.up, drawn, strict=True):  # certain of h, whatever it sees
        layer.weight.copy_(np.zeros(layer.weight.shape))
        layer.bias.copy_(100 * h[0] - 50)
    v = (rng.random((5, 3)) < 0.5).astype(float)
    wake, _ = belief.losses(v, rng=3)
    expected = (-np.log(conditional(belief.down[0], drawn[0], v)).mean()
                - np.log(conditional(belief.down[1], drawn[1], drawn[0])).item())
    assert wake.item() == pytest.approx(expected, rel=1e-9)


def test_wake_trains_the_way_down_sleep_the_way_up_and_the_top_gets_its_own(rng):
    _, belief = made(rng)
    v = (rng.random((5, 3)) < 0.5).astype(float)
    wake, sleep = belief.losses(v, rng=3)
    assert belief.top.W.grad is not None
    wake.backward()
    assert belief.down[1].weight.grad is not None and belief.up[1].weight.grad is None
    belief.zero_grad()
    sleep.backward()
    assert belief.down[0].weight.grad is None and belief.up[0].weight.grad is not None


def test_up_down_training_makes_the_data_more_likely():
    x = bars_and_stripes(3)[0].reshape(-1, 9)
    number = (x @ 2 ** np.arange(9)).astype(int)
    machines = stack((9, 8, 6), RBM, rng=0)
    greedy_pretraining(machines, np.repeat(x, 20, 0), epochs=20, batch_size=20, rng=0)
    belief = DeepBeliefNet(machines)
    before = np.log(distribution(belief)[number]).mean()
    belief.fit(np.repeat(x, 20, 0), epochs=60, batch_size=20, learning_rate=0.1, rng=0)
    after = np.log(distribution(belief)[number]).mean()
    assert after > before + 0.3 and after < np.log(1 / 14)


def test_at_first_it_is_the_stack_and_the_stack_stays_as_it_was(rng):
    machines, belief = made(rng)
    x = Tensor(rng.random((4, 3)))
    np.testing.assert_allclose(belief.network()(x).data, feed_forward(machines)(x).data, rtol=1e-12)
    np.testing.assert_allclose(belief.network(2, rng=5)(x).data, feed_forward(machines, 2, rng=5)(x).data, rtol=1e-12)
    before = machines[-1].state_dict()
    assert belief.fit(x, epochs=2, rng=0) is belief
    for p in belief.network(2, rng=0).parameters():
        p.copy_(np.zeros(p.shape))
    assert all(np.array_equal(before[name], machines[-1].state_dict()[name]) for name in before)
    assert belief.up[0].weight.data.any() and not np.array_equal(before["W"], belief.top.W.data)


def test_the_same_seed_dreams_the_same(rng):
    _, belief = made(rng)
    assert np.array_equal(belief.sample(5, 10, rng=1), belief.sample(5, 10, rng=1))
    assert belief.sample(5, 10, rng=1).shape == (5, 3)
    still = belief.top.sample(5, 10, rng=1)
    belief.top.sample = lambda n, steps, rng: still if steps == 10 else 1 - still
    assert not np.array_equal(belief.sample(5, 10, rng=1), belief.sample(5, 9, rng=1))


def test_what_is_no_deep_belief_net_is_refused(rng):
    for machines, got in (([RBM(4, 3)], "RBM,"), ([RBM(4, 3), Autoencoder(3, 2)], "RBM, Autoencoder,"),
                          ([RBM(4, 3, visible="gaussian"), RBM(3, 2)], "RBM, RBM,")):
        with pytest.raises(ValueError, match=f"DeepBeliefNet: got {got} want at least two RBMs with binary units"):
            DeepBeliefNet(machines)
    with pytest.raises(ValueError, match=r"visible units: got float64 \(2, 5\), want numbers \(N, 3\)"):
        made(rng)[1].fit(np.zeros((2, 5)))
    with pytest.raises(ValueError, match="want 0 to 1"):
        made(rng)[1].losses(np.full((2, 3), 2.0))
    with pytest.raises(ValueError, match="visible units: got numbers from nan to nan, want 0 to 1"):
        made(rng)[1].fit(np.full((2, 3), np.nan))


def test_training_that_leaves_all_bounds_stops_with_its_reason(rng):
    belief = DeepBeliefNet(stack((3, 4, 2), RBM, rng=rng))  # float32: steps of 1e39 are infinite
    with np.errstate(all="ignore"), pytest.raises(
            FloatingPointError, match=r"DeepBeliefNet.fit: parameters are nan or inf after epoch 1; make.*rate, 1e\+39"):
        belief.fit(states(3), epochs=3, learning_rate=1e39, rng=rng)
