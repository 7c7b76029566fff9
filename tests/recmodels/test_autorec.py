"""AutoRec: the network is the paper's formula on dense rows; its loss counts known ratings alone; files and errors."""

import numpy as np
import pytest

from recmodels import metrics
from recmodels.models import AutoRec, Biases
from recmodels.models.autorec import AutoRecNetwork
from recmodels.rating_rows import RatingRows
from tinydl import Tensor, gradcheck, nn

SMALL = {"hidden": 6, "epochs": 4, "batch_size": 16, "lr": 0.01, "denoise": 0.0, "dropout": 0.0}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture(params=[True, False])
def network(request, float64):
    """7 columns, 4 hidden units, every parameter at a random place; with D and without."""
    rng = np.random.default_rng(0)
    network = AutoRecNetwork(7, 4, request.param, 0.0, 0.0, rng)
    for p in network.parameters():
        p.copy_(rng.standard_normal(p.shape))
    return network


@pytest.fixture
def rows():
    """Five rows, one of them empty, one full."""
    rng = np.random.default_rng(1)
    mask = rng.random((5, 7)) < 0.5
    mask[1], mask[3] = False, True
    r, c = np.nonzero(mask)
    dense = np.where(mask, rng.standard_normal((5, 7)), 0)
    return dense, mask, RatingRows((r, c, dense[r, c]), 5)


def test_the_paper_s_formula_on_dense_rows(network, rows):
    """h(r) = W sigmoid(V r + mu) + b, the mask on the loss (Sedhain et al. 2015, equations 1 and 2); D m beside V r."""
    dense, mask, data = rows
    w = {name: array.astype(float) for name, array in network.state_dict().items()}
    r, known = dense[data.rows], mask[data.rows]
    D = w.get("D.weight", np.zeros((7, 4)))
    y = sigmoid(r @ w["V.weight"] + known @ D + w["mu"]) @ w["W.weight"].T + w["b.weight"][:, 0]
    *inputs, target = map(Tensor, data[np.arange(len(data))])
    loss = nn.functional.mse_loss(network(*inputs), target)
    assert loss.item() == pytest.approx(np.sum((y - r)[known] ** 2) / known.sum(), rel=1e-12)


def test_the_gradient_of_the_masked_loss(network, rows):
    *inputs, target = map(Tensor, rows[2][np.array([2, 0, 3])])
    names, parameters = zip(*network.named_parameters(), strict=True)
    assert gradcheck(lambda *_: nn.functional.mse_loss(network(*inputs), target), parameters, names=names)


@pytest.mark.parametrize("by", ["item", "user"])
def test_predictions_read_training_ratings_alone(by, split):
    """mu + b_u + b_i + the formula, on a dense row of what remains of the training ratings."""
    model = AutoRec(by=by, biases=True, **SMALL).fit(split.train)
    users, items, ratings = model._encode(split.train)
    biases = Biases().fit(split.train)
    base = biases.mean_ + biases.b_u_[:, None] + biases.b_i_
    np.testing.assert_allclose(model.b_u_, biases.b_u_, atol=1e-5)
    R = np.zeros(base.shape)
    R[users, items] = ratings - base[users, items]
    R, w = R.T if by == "item" else R, model.network_.state_dict()
    y = sigmoid(R @ w["V.weight"] + (R != 0) @ w["D.weight"] + w["mu"]) @ w["W.weight"].T + w["b.weight"][:, 0]
    users, items, _ = model._encode(split.test)
    want = base[users, items] + (y.T if by == "item" else y)[users, items]
    np.testing.assert_allclose(model._score(users, items), want, rtol=1e-4)
    assert np.std(want - base[users, items]) > 0.02


def test_without_biases_nothing_is_added_but_the_mean(split):
    model = AutoRec(**SMALL).fit(split.train)
    assert not model.b_u_.any() and not model.b_i_.any()
    assert model._base(np.array([3]), np.array([4])) == np.float32(model.mean_)


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("dropout, changed", [((0.5, 0.0), True), ((0.0, 0.5), True), ((0.0, 0.0), False)])
def test_dropout_acts_in_training_on_what_is_read_and_on_hidden_units(dropout, changed, conditional):
    """Ratings of 0, where only that there are any can be left out; without D, ratings of 1."""
    network = AutoRecNetwork(5, 8, conditional, *dropout, np.random.default_rng(0))
    if conditional:
        network.D.weight.copy_(np.ones((5, 8), np.float32))
    x, j, i = np.full(400, 1 - conditional, np.float32), np.arange(400) % 5, np.repeat(np.arange(80), 5)
    batch = [Tensor(a) for a in (np.arange(80), x, i, j, i, j)]
    trained, rested = network.train()(*batch).data, network.eval()(*batch).data
    assert np.array_equal(trained, rested) != changed
    np.testing.assert_array_equal(network(*batch).data, rested)


def test_it_learns_more_than_biases(split):
    rating = split.test.frame["rating"].to_numpy()
    base = metrics.rmse(rating, Biases().fit(split.train).predict(split.test))
    for by in ("item", "user"):
        model = AutoRec(by=by, hidden=20, biases=True, batch_size=8, epochs=30, lr=0.005, weight_decay=0.5)
        model.fit(split.train, split.valid)
        assert metrics.rmse(rating, model.predict(split.test)) < 0.95 * base


@pytest.mark.parametrize("changes, message", [
    ({"by": "film"}, "got by='film', want 'item' or 'user'"), ({"hidden": 0}, "got hidden=0, want a whole number"),
    ({"batch_size": 1.5}, "got batch_size=1.5"), ({"denoise": 1.5}, "1.5")])
def test_parameters_that_cannot_be(changes, message, split):
    with pytest.raises(ValueError, match=message):
        AutoRec(**{**SMALL, **changes}).fit(split.train)
