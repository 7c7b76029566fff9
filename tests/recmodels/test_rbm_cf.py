"""The RBM for ratings: distributions and gradients against enumeration of all states; predictions; errors."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.models import RatingRBM
from recmodels.models.rbm_cf import RatingRBMNetwork, polynomials
from tinydl import Tensor, gradcheck, no_grad, ops

LEVELS = (1, 2, 3, 4, 5)
SMALL = {"hidden": 6, "epochs": 3, "batch_size": 16, "lr": 0.02}


def machine(columns=2, hidden=3, order=4, conditional=True, k=1, spread=0.7):
    """A machine with every parameter at a random place."""
    rng = np.random.default_rng(0)
    network = RatingRBMNetwork(columns, LEVELS, order, hidden, conditional, k, 0.1, rng)
    for p in network.parameters():
        p.copy_(spread * rng.standard_normal(p.shape))
    return network


def energy(w, v, h, columns):
    """-sum_l (a_l[v_l] + W_l[v_l]'h) - (b + sum_l D_l)'h, in plain loops; v has a level for each of the columns."""
    H, C, e = len(h), w["S"].shape[1], 0.0
    for level, q in zip(v, columns, strict=True):
        e -= w["a.weight"][q, level]
        for f in range(H):
            for c in range(C):
                e -= w["S"][level, c] * w["U.weight"][q, c * H + f] * h[f]
            e -= w["D.weight"][q, f] * h[f] if "D.weight" in w else 0.0
    return e - sum(w["b"][f] * h[f] for f in range(H))


def states(w, columns, H=3):
    """{v: {h: e^-E(v, h)}} over every v and h."""
    return {v: {h: np.exp(-energy(w, v, h, columns)) for h in itertools.product((0, 1), repeat=H)}
            for v in itertools.product(range(5), repeat=len(columns))}


def row(v, columns):
    """(x, i, j, size) of one row."""
    return np.array(v), np.zeros(len(v), np.int64), np.array(columns), 1


@pytest.mark.parametrize("order, conditional", [(4, True), (4, False), (1, True), (2, False)])
@pytest.mark.parametrize("columns", [(0, 1), (2,), (1, 3)])
def test_distributions_are_those_of_the_energy(columns, order, conditional, float64):
    """Of a row that has ratings in some of four columns: the others are in no formula."""
    network = machine(columns=4, order=order, conditional=conditional)
    weight = states(network.state_dict(), columns)
    v = tuple([3, 0][:len(columns)])
    with no_grad():
        total = sum(weight[v].values())
        want = [sum(weight[v][h] for h in weight[v] if h[f]) / total for f in range(3)]
        np.testing.assert_allclose(network.encode(*row(v, columns)).numpy()[0], want, rtol=1e-10)
        assert network.free_energy(*row(v, columns)).item() == pytest.approx(-np.log(total), rel=1e-10)
        h, first = (1, 0, 1), columns[0]
        given = {u: weight[u][h] for u in weight}
        want = [sum(given[u] for u in given if u[0] == k) / sum(given.values()) for k in range(5)]
        p = network.p_levels(Tensor(np.array([h], float)), np.array([0]), np.array([first])).numpy()[0]
        np.testing.assert_allclose(p, want, rtol=1e-10)
        expected = network.decode(Tensor(np.array([h], float)), np.array([0]), np.array([first]))
        assert expected.item() == pytest.approx(np.dot(LEVELS, want), rel=1e-6)


def data(n):
    """n rows of two ratings, from a table that no product of margins gives."""
    rng = np.random.default_rng(3)
    table = rng.random((5, 5)) ** 3
    v = rng.choice(25, n, p=(table / table.sum()).ravel())
    return np.stack([v // 5, v % 5], axis=1).reshape(-1), np.repeat(np.arange(n), 2), np.tile([0, 1], n), n


def gradient(network, loss):
    for p in network.parameters():
        p.grad = None
    loss.backward()
    return np.concatenate([p.grad.numpy().ravel() for p in network.parameters()])


def log_likelihood_loss(network, x, i, j, size):
    """-sum log p(v) / n over the rows' n ratings, with Z by enumeration: (sum F(v) + rows log Z) / n."""
    every = ops.stack([-network.free_energy(*row(v, (0, 1))) for v in itertools.product(range(5), repeat=2)])
    return (network.free_energy(x, i, j, size) + size * ops.logsumexp(every)) / len(i)


def test_the_exact_gradient_is_that_of_the_enumerated_log_likelihood(float64):
    """Finite differences of log p(v), summed in plain loops over all (v, h)."""
    network, batch = machine(), data(6)
    found = gradient(network, log_likelihood_loss(network, *batch))
    names, start, worst = list(network.state_dict()), network.state_dict(), 0.0

    def loss(w):
        weight = states(w, (0, 1))
        Z = sum(sum(of_h.values()) for of_h in weight.values())
        return -np.mean([np.log(sum(weight[tuple(v)].values()) / Z) for v in batch[0].reshape(-1, 2)]) / 2

    trainable = [name for name in names if name not in ("levels", "S")]
    rng = np.random.default_rng(0)
    for _ in range(3):
        step = {name: rng.standard_normal(start[name].shape) for name in trainable}
        moved = [loss({**start, **{n: start[n] + e * step[n] for n in trainable}}) for e in (1e-4, -1e-4)]
        flat = np.concatenate([step[name].ravel() for name, _ in network.named_parameters()])
        worst = max(worst, abs((moved[0] - moved[1]) / 2e-4 - flat @ found))
    assert worst < 1e-7


def test_contrastive_divergence_approaches_the_exact_gradient(float64):
    """CD-k's bias shrinks as k grows: 8,000 chains leave a spread of two hundredths of the gradient."""
    batch = data(8000)
    exact = gradient(network := machine(spread=0.6), log_likelihood_loss(network, *batch))
    error = {}
    for k in (1, 3, 25):
        network.k = k
        found = gradient(network.train(), network.contrastive_divergence(*batch))
        error[k] = np.linalg.norm(found - exact) / np.linalg.norm(exact)
    assert error[25] < 0.06 < 0.15 < error[3] < 0.4 < error[1]


def test_the_gradient_of_the_free_energy(float64):
    network = machine(columns=4)
    x, i, j = np.array([0, 4, 2, 2]), np.array([0, 0, 2, 2]), np.array([1, 3, 0, 1])
    names, parameters = zip(*network.named_parameters(), strict=True)
    assert gradcheck(lambda *_: network.free_energy(x, i, j, 3), parameters, names=names)


def test_levels_are_drawn_as_often_as_they_are_probable():
    network = machine(conditional=False)
    network.U.weight.copy_(np.zeros((2, 12), np.float32))  # then hidden units change nothing
    n = 20_000
    x = network.gibbs(np.zeros(n, np.int64), np.arange(n), np.ones(n, np.int64), n)
    a = network.a.weight.data[1]
    np.testing.assert_allclose(np.bincount(x, minlength=5) / n, np.exp(a) / np.exp(a).sum(), atol=0.015)


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=2, max_size=7), st.data())
def test_polynomials_are_uncorrelated(count, data):
    order = data.draw(st.integers(1, len(count) - 1))
    levels = np.cumsum(data.draw(st.lists(st.integers(1, 3), min_size=len(count), max_size=len(count)))) / 2
    S, p = polynomials(levels, np.array(count), order), np.array(count) / sum(count)
    np.testing.assert_allclose(p @ S, 0, atol=1e-4)
    np.testing.assert_allclose(S.T @ (p[:, None] * S), np.eye(order), atol=1e-4)
    for c in range(order):  # of degree c + 1, and rising at the end
        fit = np.polynomial.Polynomial.fit(levels, S[:, c].astype(float), c + 1)
        np.testing.assert_allclose(fit(levels), S[:, c], atol=1e-3)
        assert S[-1, c] > 0


# ---------------------------------------------------------------- the recommender
@pytest.mark.parametrize("by, order", [("item", 1), ("user", 4)])
def test_predictions_are_the_machine_s(by, order, split):
    """Up with all training ratings of the row, down to one column, in plain NumPy."""
    model = RatingRBM(by=by, order=order, **SMALL).fit(split.train, split.valid)
    users, items, ratings = model._encode(split.train)
    rows, columns = model._sides(users, items)
    w = {name: array.astype(float) for name, array in model.network_.state_dict().items()}
    W, test = np.einsum("kc,jch->jkh", w["S"], w["U.weight"].reshape(-1, order, 6)), split.test.take(np.arange(12))
    p = model.p_levels(test.frame["user"], test.frame["item"])
    codes = model._encode(test)[:2]
    for n, (r, q) in enumerate(zip(*model._sides(*codes), strict=True)):
        z = w["b"].copy()
        for c, rating in zip(columns[rows == r], ratings[rows == r], strict=True):
            z += W[c, int(rating) - 1] + w["D.weight"][c]
        logit = w["a.weight"][q] + W[q] @ (1 / (1 + np.exp(-z)))
        want = np.exp(logit) / np.exp(logit).sum()
        np.testing.assert_allclose(p[n], want, rtol=1e-4)
        assert model._score(*(c[n:n + 1] for c in codes))[0] == pytest.approx(want @ LEVELS, rel=1e-5)


def test_visible_biases_start_at_the_columns_shares(split):
    model = RatingRBM(by="user", conditional=False, hidden=1, epochs=1, lr=1e-9, scale=0.0).fit(split.train)
    users, items, ratings = model._encode(split.train)
    film = np.bincount(items).argmax()
    own, all_of_them = ratings[items == film], np.bincount(ratings.astype(int), minlength=6)[1:]
    share = np.bincount(own.astype(int), minlength=6)[1:] + 5 * (all_of_them + 1) / (len(ratings) + 5)
    p = model.p_levels([1], [model.items_.ids[film - 1]])[0]
    np.testing.assert_allclose(p, share / share.sum(), rtol=1e-4)


@pytest.mark.parametrize("changes, message", [
    ({"k": 0}, "got k=0, want a whole number of at least 1"), ({"k": 1.5}, "got k=1.5"),
    ({"levels": (1, 2, 4, 5)}, r"got a rating of 3, want one of \(1, 2, 4, 5\)"),
    ({"levels": (5, 4, 3, 2, 1)}, "at least two rising numbers"), ({"levels": (3,)}, "at least two rising numbers"),
    ({"by": "row"}, "got by='row'"), ({"order": 5}, "got order=5, want a whole number from 1 to 4"),
    ({"order": 0}, "got order=0")])
def test_what_cannot_be(changes, message, split):
    with pytest.raises(ValueError, match=message):
        RatingRBM(**{**SMALL, **changes}).fit(split.train)


def test_levels_may_be_fractions_that_float32_rounds(split):
    tenths = split.train.frame.assign(rating=split.train.frame["rating"] / 10)
    one, other = RatingRBM(**SMALL, levels=(0.1, 0.2, 0.3, 0.4, 0.5)).fit(tenths), RatingRBM(**SMALL).fit(split.train)
    np.testing.assert_allclose(one.predict(split.test), other.predict(split.test) / 10, rtol=1e-3)


def test_levels_of_pairs_are_asked_for_as_predictions_are(split):
    model = RatingRBM(**SMALL).fit(split.train)
    pairs = split.test.frame
    np.testing.assert_array_equal(model.p_levels(split.test), model.p_levels(pairs["user"], pairs["item"]))
    with pytest.raises(ValueError, match=r"got users of shape \(2,\) and items of shape \(1,\)"):
        model.p_levels([1, 2], [1])


def test_ratings_outside_of_the_levels(split):
    wrong = split.train.frame.copy()
    wrong.loc[3, "rating"] = 6
    with pytest.raises(ValueError, match="got a rating of 6, want one of"):
        RatingRBM(**SMALL).fit(wrong)
