"""Combined rating models: weights are at their minimum, parts are the models alone, files and errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.evaluation import evaluate_ratings
from recmodels.models import MODELS, CombinedBlended, CombinedJoint, WideDeep
from recmodels.models.combined import blend_likes, blend_ratings
from recmodels.recommender import NotFittedError, Recommender

MF = {"model": "biased-mf", "k": 4, "epochs": 3, "batch_size": 64, "lr": 0.02}
FM = {"model": "fm", "k": 3, "epochs": 6, "patience": 1, "batch_size": 64, "lr": 0.1}  # its first epochs are its best
DEEP = {"model": "wide-deep", "k": 4, "hidden": (6, 5), "epochs": 2, "batch_size": 64, "lr": 0.02}
ATTRIBUTES = {"model": "deep-regression", "k": 3, "hidden": 4, "epochs": 3, "batch_size": 64, "lr": 0.02}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logit(p):
    return np.log(p / (1 - p))


def network_of(part):
    """The dictionary without what says how it is trained."""
    return {key: value for key, value in part.items() if key not in ("epochs", "patience", "batch_size", "lr")}


@pytest.fixture(scope="module")
def blended(split):
    return CombinedBlended(models=("biases", MF, FM), seed=5).fit(split.train, split.valid)


@pytest.fixture(scope="module")
def joint(split):
    return CombinedJoint(models=tuple(map(network_of, (MF, FM, DEEP))), epochs=3, batch_size=64,
                         lr=0.01).fit(split.train, split.valid)


# ---------------------------------------------------------------- the weights
@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.integers(1, 40), st.sampled_from([0.0, 0.1, 30.0]), st.integers(0, 10**6))
def test_weights_of_ratings_are_at_the_minimum(N, E, reg, seed):
    """w >= 0; the gradient is 0 where w > 0 and not negative where w = 0 (Karush, Kuhn, Tucker); errors have the mean 0."""
    rng = np.random.default_rng(seed)
    y, r = 3 + rng.standard_normal((E, N)) * rng.uniform(0.1, 2, N), rng.integers(1, 6, E).astype(float)
    w, b = blend_ratings(y, r, reg)
    error = y @ w + b - r
    gradient = 2 * y.T @ error + 2 * reg * (w - 1 / N)
    assert w.shape == (N,) and (w >= 0).all() and abs(error.mean()) < 1e-8
    assert (gradient > -1e-6).all() and (np.abs(gradient[w > 0]) < 1e-6).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 4), st.integers(0, 10**6), st.sampled_from([0.5, 30.0]))
def test_weights_of_likes_are_at_the_minimum(N, seed, reg):
    rng = np.random.default_rng(seed)
    z, t = rng.standard_normal((60, N)), (rng.random(60) < 0.6).astype(float)
    w, b = blend_likes(z, t, reg)

    def objective(x):
        p = sigmoid(z @ x[:N] + x[N])
        return -np.sum(t * np.log(p) + (1 - t) * np.log(1 - p)) + reg / 2 * np.sum((x[:N] - 1 / N) ** 2)

    x, steps = np.append(w, b), 1e-5 * np.eye(N + 1)
    gradient = np.array([objective(x + h) - objective(x - h) for h in steps]) / 2e-5
    assert (w >= 0).all() and (gradient > -1e-3).all() and (np.abs(gradient[np.append(w > 0, True)]) < 1e-3).all()


def test_weights_of_a_known_blend_are_found(rng):
    y = 3 + rng.standard_normal((500, 3))
    w, b = blend_ratings(y, 0.7 * y[:, 0] + 0.2 * y[:, 2] - 0.4 * y[:, 1] + 0.5, 0.0)
    assert w[1] == 0  # a part that is worth less than nothing
    w, b = blend_ratings(y, 0.7 * y[:, 0] + 0.2 * y[:, 1] + 0.5, 0.0)
    np.testing.assert_allclose([*w, b], [0.7, 0.2, 0, 0.5], atol=1e-10)
    np.testing.assert_allclose(blend_ratings(y, y[:, 0], 1e12)[0], 1 / 3, rtol=1e-6)
    np.testing.assert_allclose(blend_likes(y, y[:, 0] > 3, 1e9)[0], 1 / 3, rtol=1e-3)
    z = rng.standard_normal((4000, 2))
    w, b = blend_likes(z, rng.random(4000) < sigmoid(1.5 * z[:, 0] + 0.5 * z[:, 1] - 1), 0.0)
    np.testing.assert_allclose([*w, b], [1.5, 0.5, -1], atol=0.2)


# ---------------------------------------------------------------- blended
def test_parts_are_the_models_alone(blended, split):
    """Part n is the model by its name and parameters with the seed `seed` + n, fitted to train and valid."""
    assert [type(part).__name__ for part in blended.parts_] == ["Biases", "BiasedMF", "FactorizationMachine"]
    assert [getattr(part, "seed", None) for part in blended.parts_] == [None, 6, 7]
    for part, said in zip(blended.parts_[1:], (MF, FM), strict=True):
        alone = MODELS[said["model"]]()
        alone = alone.clone(**{key: value for key, value in said.items() if key != "model"}, seed=part.seed)
        assert part.get_params() == alone.get_params()
        alone.fit(split.train, valid=split.valid)
        np.testing.assert_array_equal(part.predict(split.test), alone.predict(split.test))


def test_a_blend_is_the_weighted_sum_of_its_parts(blended, split):
    users, items, ratings = blended._encode(split.valid)
    y = np.stack([part._score(users, items) for part in blended.parts_], axis=1)
    w, b = blend_ratings(y, ratings, blended.reg)
    np.testing.assert_allclose(blended.weights_, w, rtol=1e-6, atol=1e-9)
    assert blended.intercept_ == pytest.approx(b, rel=1e-6) and (blended.weights_ > 0).sum() > 1
    np.testing.assert_allclose(blended.predict(split.valid), np.clip(y @ w + b, 1, 5), rtol=1e-6)
    assert blended.num_parameters() == sum(part.num_parameters() for part in blended.parts_) + 3 + 1


def test_on_the_validation_ratings_no_part_is_better(split):
    """Without `reg` each part alone, with weight 1, is one of the blends that were chosen from."""
    model = CombinedBlended(models=("ridge", "biases", MF), reg=0.0).fit(split.train, split.valid)
    users, items, ratings = model._encode(split.valid)
    alone = [np.mean((part._score(users, items) - ratings) ** 2) for part in model.parts_]
    assert np.mean((model._score(users, items) - ratings) ** 2) < min(alone)


def test_refit_keeps_the_weights_and_refits_the_parts(blended, split):
    again = blended.refit(split.refit)
    assert again.parts_[2].best_epoch_ == len(again.parts_[2].history_) == blended.parts_[2].best_epoch_ < 6
    assert again is not blended and again.get_params() == blended.get_params()
    np.testing.assert_array_equal(again.weights_, blended.weights_)
    assert again.intercept_ == blended.intercept_ and again.mean_ != blended.mean_
    for part, first in zip(again.parts_, blended.parts_, strict=True):
        np.testing.assert_array_equal(part.predict(split.test), first.refit(split.refit).predict(split.test))
    model, row = evaluate_ratings(blended.clone(), split, refit=True)
    np.testing.assert_array_equal(model.predict(split.test), again.predict(split.test))
    assert row["epochs"] is None and row["parameters"] == again.num_parameters()


def test_likes_are_blended_as_logits(split):
    model = CombinedBlended(models=("logistic", ATTRIBUTES), reg=0.1).fit(split.train, split.valid)
    assert model.output == "probability" and model.threshold == 4.0
    z = np.stack([logit(part.predict(split.test)) for part in model.parts_], axis=1)
    np.testing.assert_allclose(model.predict(split.test), sigmoid(z @ model.weights_ + model.intercept_), rtol=1e-5)
    z = np.stack([logit(part.predict(split.valid)) for part in model.parts_], axis=1)
    w, b = blend_likes(z, split.valid.frame["rating"].to_numpy() >= 4, 0.1)
    np.testing.assert_allclose([*model.weights_, model.intercept_], [*w, b], atol=1e-3)


def test_a_sure_part_does_not_break_the_blend(split):
    model = CombinedBlended(models=("logistic", ATTRIBUTES)).fit(split.train, split.valid)
    model.parts_[0]._score = lambda users, items: np.repeat([0.0, 1.0], [1, len(users) - 1])
    p = model.predict(split.test)
    assert np.isfinite(p).all() and (p >= 0).all() and (p <= 1).all()


def test_two_of_a_name_differ_by_their_seeds(split):
    model = CombinedBlended(models=(MF, MF, {**MF, "seed": 0}), seed=0).fit(split.train, split.valid)
    a, b, c = (part.predict(split.test) for part in model.parts_)
    assert (a != b).mean() > 0.9 and np.array_equal(a, c)


def test_a_combination_may_be_a_part(split):
    inner = {"model": "combined-joint", "models": (network_of(MF), network_of(FM)), "epochs": 2, "batch_size": 64}
    model = CombinedBlended(models=("biases", inner)).fit(split.train, split.valid)
    assert isinstance(model.parts_[1], CombinedJoint) and np.isfinite(model.predict(split.test)).all()


# ---------------------------------------------------------------- jointly
def test_one_optimizer_trains_every_part(joint, split):
    """A part alone from the same start would end elsewhere, and none of the parts stays where it began."""
    rng = np.random.default_rng(joint.seed)
    start = joint._network(rng).state_dict()
    end = joint.network_.state_dict()
    for n in range(3):
        moved = [name for name in end if name.startswith(f"parts.{n}.") and not np.array_equal(start[name], end[name])]
        assert len(moved) >= 3
    assert joint.num_parameters() == sum(part.num_parameters() for part in joint.network_.parts)
    assert len(joint.history_) == 3 and joint.history_["train_loss"].is_monotonic_decreasing


def test_the_mean_counts_once_and_each_part_reads_its_own_fields(joint, split):
    users, items, _ = joint._encode(split.test)
    y = joint.mean_
    for part, network in zip(joint.parts_, joint.network_.parts, strict=True):
        part.network_ = network
        y = y + part._score(users, items)
        assert network.mean == 0 and part.users_.fields == part.user_fields and part.items_.fields == part.item_fields
    np.testing.assert_allclose(joint._score(users, items), y, rtol=1e-6)
    assert joint.parts_[1].items_.dense.shape[1] == 4 and joint.parts_[2].items_.dense.shape[1] == 5  # genres; year too


def test_the_weights_of_the_sum_are_learned_from_one(split):
    model = CombinedJoint(models=(network_of(MF), network_of(FM)), weighted=True, epochs=2, batch_size=64, lr=0.01)
    model.fit(split.train)
    alpha = model.network_.alpha.detach().numpy()
    assert alpha.shape == (2,) and (np.abs(alpha - 1) > 1e-3).all() and (np.abs(alpha - 1) < 0.5).all()


# ---------------------------------------------------------------- parameters, files
@pytest.mark.parametrize("kind", ["joint", "blended", "refitted", "likes"])
def test_files(kind, joint, blended, split, tmp_path):
    likes = CombinedBlended(models=["logistic", ATTRIBUTES, {**ATTRIBUTES, "hidden": 5}])
    model = {"joint": lambda: joint, "blended": lambda: blended, "refitted": lambda: blended.refit(split.refit),
             "likes": lambda: likes.fit(split.train, split.valid)}[kind]()
    model.save(tmp_path / "model.npz")
    again = Recommender.load(tmp_path / "model.npz")
    assert again.get_params() == model.get_params() and again.output == model.output
    assert again.num_parameters() == model.num_parameters()
    for first, second in zip(model.parts_, again.parts_, strict=True):
        assert second.get_params() == first.get_params()
    pairs = [1, 4, None, 7], [2, None, 9, 16]
    np.testing.assert_array_equal(again.predict(*pairs), model.predict(*pairs))
    if kind != "joint":
        np.testing.assert_array_equal(again.parts_[1].predict(*pairs), model.parts_[1].predict(*pairs))
        assert again.parts_[0].recommend([1]).equals(model.parts_[0].recommend([1]))
    np.testing.assert_array_equal(again.refit(split.refit).predict(*pairs), model.refit(split.refit).predict(*pairs))


def test_tuples_stay_tuples_in_a_file(split, tmp_path):
    model = CombinedBlended(models=["biases", DEEP]).fit(split.train, split.valid)
    assert model.models == ("biases", DEEP) and isinstance(model.parts_[1], WideDeep)
    model.save(tmp_path / "model.npz")
    assert Recommender.load(tmp_path / "model.npz").get_params()["models"] == ("biases", DEEP)


# ---------------------------------------------------------------- errors
@pytest.mark.parametrize("models, message", [
    (("biases", "fmm"), "got 'fmm', want the name of a model, .*did you mean 'fm'. There are global-mean"),
    (("biases", 3), "got 3, want the name of a model"),
    (("biases", {"k": 3}), "got {'k': 3}, want the name of a model, or a dictionary with it under 'model'"),
    (("fm",), "got 1 of them, want at least 2"),
    ((), "got 0 of them"),
    (("biases", "logistic"), r"predict different things \(rating, probability of a rating of at least 4\), want the same"),
    (("logistic", {"model": "logistic", "threshold": 3}), "at least 4, probability of a rating of at least 3"),
])
@pytest.mark.parametrize("kind", [CombinedJoint, CombinedBlended])
def test_parts_that_cannot_be(kind, models, message):
    with pytest.raises(ValueError, match=message):
        kind(models=models)


@pytest.mark.parametrize("kind", [CombinedJoint, CombinedBlended])
@pytest.mark.parametrize("models", ["fm", {"model": "fm"}, 3])
def test_models_is_a_list(kind, models):
    with pytest.raises(TypeError, match="want a list of names and dictionaries"):
        kind(models=models)


def test_a_parameter_that_a_part_has_not():
    with pytest.raises(TypeError, match="Biases has no parameter 'k', only reg_user, reg_item, sweeps"):
        CombinedBlended(models=("fm", {"model": "biases", "k": 3}))
    with pytest.raises(ValueError, match="FactorizationMachine: got k=0, want a whole number"):
        CombinedJoint(models=("biased-mf", {"model": "fm", "k": 0}))


@pytest.mark.parametrize("part", ["biases", "ridge", "combined-joint", "combined-blended"])
def test_joint_wants_networks(part):
    with pytest.raises(ValueError, match=f"CombinedJoint: got '{part}', which is not one network.*blend other models"):
        CombinedJoint(models=("fm", part))


def test_joint_wants_networks_of_one_number():
    with pytest.raises(ValueError, match="got 'bayesian-neural-mf', whose network says its noise.*blend it"):
        CombinedJoint(models=("bayesian-neural-mf", "bayesian-neural-mf"))


def test_joint_has_one_way_to_train():
    with pytest.raises(ValueError, match=r"got 'lr' for a part.*want it for the whole: CombinedJoint\(lr=0.1\)"):
        CombinedJoint(models=("fm", {"model": "biased-mf", "lr": 0.1}))


def test_joint_wants_one_loss(monkeypatch):
    monkeypatch.setattr(WideDeep, "_loss", lambda self, output, target: (output - target).abs().mean(), raising=False)
    with pytest.raises(ValueError, match="whose losses differ"):
        CombinedJoint(models=("fm", "wide-deep"))


@pytest.mark.parametrize("reg", [-1, np.inf, np.nan])
def test_reg_is_a_finite_number(reg):
    with pytest.raises(ValueError, match="CombinedBlended: got reg=.*want a finite number of at least 0"):
        CombinedBlended(reg=reg)


def test_weights_need_validation_ratings(blended, split):
    with pytest.raises(ValueError, match=r"got no validation ratings, want fit\(train, valid\)"):
        blended.clone().fit(split.train)
    with pytest.raises(ValueError, match="valid has no ratings"):
        blended.clone().fit(split.train, split.valid.take([]))
    for use in (lambda m: m.refit(split.refit), lambda m: m.predict(split.test), lambda m: m.num_parameters()):
        with pytest.raises(NotFittedError):
            use(blended.clone())


def test_a_fit_that_failed_leaves_an_unfitted_model(split, monkeypatch):
    model = CombinedBlended(models=("biases", "global-mean")).fit(split.train, split.valid)
    monkeypatch.setattr(MODELS["biases"], "_fit", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.fit(split.train, split.valid)
    with pytest.raises(NotFittedError):
        model.predict(split.test)
