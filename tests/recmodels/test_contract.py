"""One contract for all models; and each model against its definition: the slide in NumPy, the dense solution, a loop."""

import inspect
import itertools

import numpy as np
import pandas
import pytest
import scipy.optimize

import tinydl
from recmodels import metrics
from recmodels.epochs import TrainedInEpochs
from recmodels.evaluation import evaluate_ratings, rating_metrics
from recmodels.models import (
    MODELS,
    BayesianNeuralMF,
    BiasedMF,
    Biases,
    CombinedBlended,
    CombinedJoint,
    DeepRegression,
    FactorizationMachine,
    LogisticRegression,
    NeuralMF,
    RidgeRegression,
    WideDeep,
)
from recmodels.neural import NeuralRecommender
from recmodels.rating_rows import RowRecommender
from recmodels.recommender import NotFittedError, Recommender
from tinydl import Tensor, gradcheck
from tinydl.calibration import gaussian_nll

ALL = list(MODELS)
NEURAL = [name for name in ALL if isinstance(MODELS[name](), NeuralRecommender)]
TRAINED = [name for name in ALL if isinstance(MODELS[name](), TrainedInEpochs)]
CLOSED = [name for name in ALL if name not in TRAINED and name != "combined-blended"]
SMALL = {"k": 6, "k_attribute": 3, "hidden": 8, "epochs": 3, "batch_size": 64, "lr": 0.01, "scale": 0.3}


def small(name, model):
    """{parameter: value} of the small settings that the model has; parts of a combination have theirs."""
    settings = {key: value for key, value in SMALL.items() if key in model.get_params()}
    if isinstance(model, WideDeep):
        settings["hidden"] = (8, 5)
    if isinstance(model, RowRecommender):
        settings.update(hidden=12, batch_size=8)
    if "models" in model.get_params():
        settings["models"] = tuple({"model": part, **{key: value for key, value in small(part, MODELS[part]()).items()
                                                      if key not in settings}} for part in model.models)
    return settings


def make(name, **changes):
    """The model with small settings, where it has them, and `changes`."""
    model = MODELS[name]()
    return model.clone(**{**small(name, model), **changes})


def fit_without_validation(model, train, valid):
    """Fitted to `train` alone, but for the model that cannot do without."""
    return model.fit(train, valid=valid if isinstance(model, CombinedBlended) else None)


@pytest.fixture(scope="module")
def fitted(split):
    """fitted(name) -> the small model fitted to split.train with split.valid, once for all tests; nobody changes it."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = make(name).fit(split.train, valid=split.valid)
        return made[name]
    return get


@pytest.fixture(scope="module")
def little(split):
    return split.train.take(np.arange(400))


# ---------------------------------------------------------------- every model
def test_the_registry_covers_every_model():
    import recmodels.models as models

    exported = {c for _, c in inspect.getmembers(models, inspect.isclass) if issubclass(c, Recommender)}
    assert exported == {type(factory()) for factory in [*MODELS.values(), *models.REVIEW_MODELS.values()]}
    assert MODELS["neural-mf-1"]().version == 1 and MODELS["neural-mf-2"]().version == 2
    assert MODELS["wide-deep"]().ids and not MODELS["wide-deep-attributes"]().ids
    assert {name for name in ALL if MODELS[name]().output != "rating"} == {"deep-regression", "logistic"}
    for version in (1, 2):  # the slide's form has nothing but the slide's
        plain = MODELS[f"neural-mf-{version}-slide"]()
        assert (plain.version, plain.biases, plain.dropout, plain.weight_decay) == (version, False, 0.0, 0.0)


@pytest.mark.parametrize("name", ALL)
def test_predictions_are_finite_and_in_range(name, fitted, split):
    model, n = fitted(name), len(split.test)
    y = model.predict(split.test)
    assert y.shape == (n,) and y.dtype == np.float64 and np.isfinite(y).all()
    low, high = (1, 5) if model.output == "rating" else (0, 1)
    assert low <= y.min() and y.max() <= high
    assert name == "global-mean" or np.unique(y).size > n / 4
    frame = split.test.frame
    np.testing.assert_array_equal(y, model.predict(frame["user"].tolist(), frame["item"].tolist()))


@pytest.mark.parametrize("name", ALL)
def test_a_prediction_does_not_depend_on_its_company(name, fitted, split):
    """Batch by batch, backwards or alone: the same to rounding."""
    model, frame = fitted(name), split.test.frame.iloc[:20]
    y = model.predict(frame)
    np.testing.assert_allclose(model.predict(frame.iloc[::-1])[::-1], y, rtol=1e-5)
    np.testing.assert_allclose([model.predict(frame.iloc[n:n + 1])[0] for n in range(20)], y, rtol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_gives_the_same_bits(name, fitted, split):
    tinydl.manual_seed(99)  # a model draws from its own generator, never from the library's
    again = make(name).fit(split.train, valid=split.valid)
    np.testing.assert_array_equal(again.predict(split.test), fitted(name).predict(split.test))


@pytest.mark.parametrize("name", ALL)
def test_a_loaded_model_is_the_saved_one(name, fitted, split, tmp_path):
    model = fitted(name)
    model.save(tmp_path / "model.npz")
    again = Recommender.load(tmp_path / "model.npz")
    assert type(again) is type(model) and again.get_params() == model.get_params() and repr(again) == repr(model)
    np.testing.assert_array_equal(again.predict(split.test), model.predict(split.test))
    np.testing.assert_array_equal(again.predict([1, None, 4], [None, 9, 2]), model.predict([1, None, 4], [None, 9, 2]))
    pandas.testing.assert_frame_equal(again.recommend([1, 4, "x"]), model.recommend([1, 4, "x"]))
    assert again.num_parameters() == model.num_parameters()
    if name in TRAINED:
        pandas.testing.assert_frame_equal(again.history_, model.history_)
        assert again.best_epoch_ == model.best_epoch_
        np.testing.assert_array_equal(again.refit(split.refit).predict(split.test),
                                      model.refit(split.refit).predict(split.test))


@pytest.mark.parametrize("name", ALL)
def test_parameters_and_clones(name, fitted, split):
    model = fitted(name)
    assert list(model.get_params()) == list(inspect.signature(type(model)).parameters)
    clone = model.clone()
    assert type(clone) is type(model) and clone.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        clone.predict(split.test)
    assert eval(repr(model), {type(model).__name__: type(model)}).get_params() == model.get_params()


@pytest.mark.parametrize("name", ALL)
def test_recommendations(name, fitted, split):
    model, train = fitted(name), split.train.frame
    users = [1, 4, "nobody", 31]
    table = model.recommend(users, k=7)
    assert table["user"].tolist() == [u for u in users for _ in range(7)]
    for user, group in table.groupby("user", sort=False):
        seen = set(train["item"][train["user"] == user])
        items = [i for i in np.unique(train["item"]) if i not in seen]
        score = np.array([model._score(model.users_.codes([user]), model.items_.codes([i]))[0] for i in items])
        np.testing.assert_allclose(group["score"], np.sort(score)[::-1][:7], rtol=1e-5)
        assert not seen & set(group["item"])
        clipped = np.clip(group["score"], 1, 5) if model.output == "rating" else group["score"]
        np.testing.assert_allclose(model.predict([user] * 7, group["item"]), clipped, rtol=1e-5)
    if name == "global-mean":  # all scores are equal: the order is that of the ids
        assert table["item"].tolist()[14:21] == np.unique(train["item"])[:7].tolist()


@pytest.mark.parametrize("name", ALL)
def test_unknown_users_and_items(name, fitted, world):
    model = fitted(name)
    known, nobody = world.users.index[:5].tolist(), [None, "x", -1, np.nan, 2]
    nothing = [10**6, "y", None, 3.5, 1]
    for users, items in ((nobody, [2] * 5), (nobody, nothing)):
        y = model.predict(users, items)
        assert np.isfinite(y).all()
        np.testing.assert_allclose(y, y[0], rtol=1e-6)
    y = model.predict(known * 5, np.repeat(np.array(nothing, object), 5))
    np.testing.assert_allclose(y.reshape(5, 5), np.tile(y[:5], (5, 1)), rtol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_users_and_items_without_training_ratings(name, split):
    """They are in the side tables, so their attributes count, and nothing is left to the weights' random start."""
    rare, scarce = split.train.users_seen[0], split.train.items_seen[0]
    frame = split.train.frame
    without = split.train.take(np.flatnonzero((frame["user"] != rare) & (frame["item"] != scarce)))
    model = fit_without_validation(make(name), without, split.valid)
    assert np.isfinite(model.predict([rare, rare], [scarce, 9])).all()
    assert scarce not in model.recommend([4], k=1000, exclude_seen=False)["item"].tolist()
    if name in TRAINED:
        users, items, _ = model._encode(without)
        pair = model._sides(users, items) if isinstance(model, RowRecommender) else (users, items)
        unread = 0
        for table, codes, starts in model.network_.reads(*pair):
            weight = table.weight.detach().numpy()
            for first, last in itertools.pairwise(starts or (0, len(weight))):
                read = [row for row in range(first, last) if row in set(codes.ravel().tolist())]
                rest = [row for row in range(first, last) if row not in read]
                mean = np.tile(weight[read].mean(axis=0), (len(rest), 1))
                np.testing.assert_allclose(weight[rest], mean, rtol=1e-4, atol=1e-6)
                unread += len(rest)
        assert unread >= 3  # every field has a row for the unknown


# what each parameter is changed to, and where it has no effect by definition
CHANGES = {"reg": 500.0, "reg_user": 50.0, "reg_item": 50.0, "sweeps": 1, "steps": 1, "threshold": 3.0, "k": 4,
           "k_attribute": 2, "hidden": 5, "dropout": 0.55, "scale": 0.11, "epochs": 2, "batch_size": 32, "lr": 0.0031,
           "weight_decay": 0.77, "seed": 1, "order": 3, "form": "full", "models": ("biased-mf", "wide-deep-attributes"),
           "kl_weight": 0.7, "denoise": 0.4, "levels": (0, 1, 2, 3, 4, 5)}
WITHOUT_EFFECT = {
    ("*", "verbose"): "prints",
    ("*", "patience"): "acts with validation data only: test_early_stopping",
    ("wide-deep-attributes", "k"): "the size of the embeddings of ids, which it has not",
}


@pytest.mark.parametrize("name, parameter", [(name, p) for name in ALL for p in MODELS[name]().get_params()
                                             if ("*", p) not in WITHOUT_EFFECT])
def test_every_parameter_has_an_effect(name, parameter, little, split):
    model = make(name)
    before = getattr(model, parameter)
    if parameter == "version":
        value = 3 - before
    elif isinstance(before, bool):
        value = not before
    elif parameter == "by":
        value = "user" if before == "item" else "item"
    else:
        value = (8, 6) if parameter == "hidden" and isinstance(before, tuple) else CHANGES[parameter]
    assert value != before, "this test changes nothing"
    one, other = (fit_without_validation(m, little, split.valid)._score(*m._encode(little)[:2])
                  for m in (model, model.clone(**{parameter: value})))
    assert np.array_equal(one, other) == ((name, parameter) in WITHOUT_EFFECT)


def test_verbose_prints(little, capsys):
    make("biased-mf", verbose=False).fit(little)
    assert capsys.readouterr().err == ""
    make("biased-mf", verbose=True).fit(little)
    assert capsys.readouterr().err.count("BiasedMF epoch") == 3


@pytest.mark.parametrize("name", CLOSED)
def test_the_order_of_ratings_is_nothing_to_a_closed_form(name, fitted, split, rng):
    shuffled = make(name).fit(split.train.take(rng.permutation(len(split.train))))
    np.testing.assert_allclose(shuffled.predict(split.test), fitted(name).predict(split.test), rtol=1e-9)


@pytest.mark.parametrize("name", ALL)
def test_models_beat_the_mean(name, split):
    model, row = evaluate_ratings(make(name, **({"epochs": 15} if name in TRAINED else {})), split)
    rating = split.test.frame["rating"].to_numpy()
    if model.output == "probability":
        base = np.mean(split.train.frame["rating"] >= 4)
        assert row["auc"] > 0.55 and row["log_loss"] < metrics.log_loss(rating >= 4, np.full(len(rating), base))
    else:
        base = metrics.rmse(rating, np.full(len(rating), split.train.frame["rating"].mean()))
        assert row["rmse"] < 0.95 * base if name != "global-mean" else row["rmse"] == pytest.approx(base, rel=1e-12)


# ---------------------------------------------------------------- evaluation
@pytest.mark.parametrize("name", ["biases", "biased-mf", "logistic"])
@pytest.mark.parametrize("refit", [False, True])
def test_evaluate_ratings_is_fit_predict_and_measure(name, refit, split):
    model, row = evaluate_ratings(make(name), split, refit)
    first = make(name).fit(split.train, valid=split.valid)
    want = first.refit(split.refit) if refit else first
    np.testing.assert_array_equal(model.predict(split.test), want.predict(split.test))
    assert row["valid"] == rating_metrics(first, split.valid)
    assert {key: row[key] for key in row["valid"]} == rating_metrics(want, split.test)
    assert row["epochs"] == (first.best_epoch_ if name == "biased-mf" else None)
    assert row["parameters"] == model.num_parameters() and row["seconds"] > 0
    like = split.test.frame["rating"].to_numpy() >= 4
    assert list(row["valid"]) == (["auc", "log_loss"] if name == "logistic" else ["rmse", "mae"])
    if name == "logistic":
        assert row["auc"] == metrics.auc(like, model.predict(split.test))


def test_parameters_are_counted(fitted):
    users, items, k = 61, 51, 6
    assert fitted("global-mean").num_parameters() == 0
    assert fitted("biases").num_parameters() == users + items
    assert fitted("biased-mf").num_parameters() == (users + items) * (k + 1)
    assert fitted("ridge").num_parameters() == (3 + 4 + 6) + (4 + 1) + 1


# ---------------------------------------------------------------- networks: training
@pytest.mark.parametrize("name", TRAINED)
def test_early_stopping(name, split):
    """It stops `patience` epochs after the best one, whose weights come back."""
    settings = dict(epochs=40, lr=0.05)
    model = make(name, patience=2, **settings).fit(split.train, valid=split.valid)
    loss = model.history_["valid_loss"].to_numpy()
    assert model.best_epoch_ == np.argmin(loss) + 1 and len(loss) == model.best_epoch_ + 2 < 40
    longer = make(name, patience=4, **settings).fit(split.train, valid=split.valid)
    np.testing.assert_array_equal(longer.history_["valid_loss"][:len(loss)], loss)
    assert len(longer.history_) > len(loss)

    users, items, ratings = model._encode(split.valid)
    y = model._score(users, items)
    if model.output == "probability":
        found = metrics.log_loss(ratings >= 4, y)
    elif isinstance(model, BayesianNeuralMF):
        found = gaussian_nll(ratings, y, np.sqrt(model._moments(users, items)[1]))
    else:
        found = metrics.mse(ratings, y)
    assert found == pytest.approx(loss.min(), rel=1e-5)


@pytest.mark.parametrize("name", TRAINED)
def test_refit_trains_on_all_for_the_chosen_epochs(name, split):
    model = make(name, epochs=6, lr=0.05, patience=1).fit(split.train, valid=split.valid)
    before = model.predict(split.test)
    again = model.refit(split.refit)
    assert type(again) is type(model) and again.get_params() == model.get_params() and again is not model
    assert len(again.history_) == again.best_epoch_ == model.best_epoch_
    assert "valid_loss" not in again.history_
    np.testing.assert_array_equal(model.predict(split.test), before)
    everything = make(name, epochs=6, lr=0.05).fit(split.refit)  # the same learning rates, epoch by epoch
    np.testing.assert_array_equal(again.history_["train_loss"], everything.history_["train_loss"][:model.best_epoch_])
    np.testing.assert_array_equal(again.history_["lr"], everything.history_["lr"][:model.best_epoch_])


# ---------------------------------------------------------------- networks: gradients and formulas
@pytest.fixture(scope="module")
def pairs(split):
    """Codes of users and items, the unknown ones among them, and ratings."""
    rng = np.random.default_rng(1)
    return rng.integers(0, 61, 40), rng.integers(0, 51, 40), rng.integers(1, 6, 40).astype(float)


def doubled(name, split, **changes):
    """A model whose network is in float64, every parameter at a random place, dropout off."""
    model = make(name)
    changes = {key: value for key, value in changes.items() if key in model.get_params()}
    model = model.clone(epochs=1, **changes).fit(split.train)
    rng = np.random.default_rng(2)
    for p in model.network_.double().parameters():
        p.copy_(p.detach().numpy() + 0.1 * rng.standard_normal(p.shape))
    return model


VARIANTS = [(name, {}) for name in NEURAL] + [
    (name, {"biases": not MODELS[name]().biases}) for name in ("neural-mf-1", "neural-mf-2")] + [
    ("fm", {"order": order, "form": form}) for order, form in ((3, "distinct"), (2, "full"), (3, "full"))] + [
    ("combined-joint", {"weighted": True}), ("combined-joint", {"models": ("deep-regression", "deep-regression")})]


@pytest.mark.parametrize("name, changes", VARIANTS)
def test_gradients(name, changes, split, pairs):
    model, (users, items, ratings) = doubled(name, split, **changes), pairs
    names, parameters = zip(*model.network_.named_parameters(), strict=True)

    def loss(*_):
        return model._loss(model.network_(Tensor(users), Tensor(items)), Tensor(model._target(ratings)))

    assert gradcheck(loss, parameters, per_element=0, directions=4, names=names)


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def dense(w, layer, x):
    return w[f"{layer}.weight"] @ x + w[f"{layer}.bias"]


def biased_mf(model, w, u, i):
    return model.mean_ + w["b_u.weight"][u, 0] + w["b_i.weight"][i, 0] + sum(
        w["P.weight"][u, d] * w["Q.weight"][i, d] for d in range(model.k))


def neural_mf(model, w, u, i):
    a = model.items_.dense[i].astype(float)
    c = np.zeros(model.users_.vocabulary)
    c[model.users_.onehot[u]] = 1
    h_m, e_m = relu(dense(w, "W_m", a)), w["E_m.weight"][i]
    h_u, e_u = w["A_u.weight"].T @ c, w["E_u.weight"][u]
    h_3, h_4 = np.concatenate([h_m, e_m]), np.concatenate([h_u, e_u])
    h_5, h_6 = relu(dense(w, "W_3", h_3)), relu(dense(w, "W_4", h_4))
    if model.version == 1:
        y = h_5 @ h_6
    else:
        h_8 = relu(dense(w, "W_7", h_5 * h_6))
        y = dense(w, "w_8", h_8)[0]
    return y + (model.mean_ + w["b_u.weight"][u, 0] + w["b_i.weight"][i, 0] if "b_u.weight" in w else 0)


def deep_regression(model, w, u, i):
    a = model.items_.dense[i].astype(float)
    b, c, d = model.users_.onehot[u] - model.users_.offsets[:3]
    h_1, e_2, e_3, e_4 = relu(dense(w, "W_1", a)), w["E_2.weight"][b], w["E_3.weight"][c], w["E_4.weight"][d]
    h_6 = np.tanh(dense(w, "W_5", np.concatenate([h_1, e_2, e_3, e_4])))
    return sigmoid(dense(w, "w_6", h_6)[0])


def wide_deep(model, w, u, i):
    codes = [c for c in model.network_.crosses(np.array([u]), np.array([i]))[0] if c != 0]
    h = np.concatenate([model.items_.dense[i], *w["E_c.weight"][model.users_.onehot[u]]]
                       + ([w["E_u.weight"][u], w["E_i.weight"][i]] if model.ids else []))
    for n in range(len(model.hidden)):
        h = relu(dense(w, f"deep.{3 * n}", h))
    return model.mean_ + sum(w["wide.weight"][c, 0] for c in codes) + dense(w, "w_L", h)[0]


def factorization_machine(model, w, u, i):
    genres = np.flatnonzero(model.items_.multihot[i])
    starts = np.cumsum([0, len(model.users_), len(model.items_), model.users_.vocabulary])
    x = np.zeros(len(w["fm.w.weight"]))
    x[[u, starts[1] + i, *(starts[2] + model.users_.onehot[u])]] = 1
    x[starts[3] + 1 + genres] = np.float32(1 / max(1, len(genres)))
    y = model.mean_ + w["fm.b"] + sum(w["fm.w.weight"][p, 0] * x[p] for p in np.flatnonzero(x))
    for order, name in ((2, "fm.V.weight"), (3, "fm.U.weight"))[:model.order - 1]:
        tuples = itertools.product if model.form == "full" else itertools.combinations
        options = {"repeat": order} if model.form == "full" else {"r": order}
        z = {p: w[name][p] * x[p] for p in np.flatnonzero(x)}
        y = y + sum(np.prod([z[p] for p in chosen], axis=0).sum() for chosen in tuples(z, **options))
    return y


def combined_joint(model, w, u, i):
    y = []
    for n, part in enumerate(model.parts_):
        own = {name.removeprefix(f"parts.{n}."): value for name, value in w.items() if name.startswith(f"parts.{n}.")}
        y_n = FORMULAS[type(part)](part, own, u, i)
        y.append(np.log(y_n / (1 - y_n)) if model.output == "probability" else y_n)
    y = w.get("alpha", np.ones(len(y))) @ y
    return sigmoid(y) if model.output == "probability" else model.mean_ + y


FORMULAS = {BiasedMF: biased_mf, NeuralMF: neural_mf, BayesianNeuralMF: neural_mf,
            FactorizationMachine: factorization_machine,
            DeepRegression: deep_regression, WideDeep: wide_deep, CombinedJoint: combined_joint}


@pytest.mark.parametrize("name, changes", VARIANTS)
def test_networks_equal_the_slides_formulas(name, changes, split, pairs):
    model, (users, items, _) = doubled(name, split, dropout=0.5, **changes), pairs
    formula, w = FORMULAS[type(model)], model.network_.state_dict()
    want = [formula(model, w, u, i) for u, i in zip(users, items, strict=True)]
    np.testing.assert_allclose(model._score(users, items), want, rtol=1e-10)
    assert np.std(want) > 0.01


@pytest.mark.parametrize("ids", [False, True])
def test_the_wide_part_sees_every_cross_once(ids, split):
    """By name, in a plain loop over all pairs: each feature has one code, each code one feature, and nothing is left out."""
    few = split.train.take(np.arange(60))
    model = make("wide-deep", ids=ids, epochs=1).fit(few)
    users, items = model.users_, model.items_
    everything = list(itertools.product(range(len(users)), range(len(items))))
    by_name, by_code = {}, {}
    for row, (u, i) in enumerate(everything):
        attributes = [("user's", f, code) for f, code in enumerate(users.onehot[u])]
        genres = [("genre", g) for g in range(items.multihot.shape[1]) if items.multihot[i, g]]
        names = attributes + genres + [(a, g) for a in attributes for g in genres]
        if ids:
            names += [("user", u), ("item", i)]
            names += [("user", u, g) for g in genres] + [("item", i, a) for a in attributes]
        for name in names:
            by_name.setdefault(name, []).append(row)
        for code in model.network_.crosses(np.array([u]), np.array([i]))[0]:
            if code != 0:
                by_code.setdefault(int(code), []).append(row)
    assert sorted(by_name.values()) == sorted(by_code.values())
    assert max(by_code) < model.network_.wide.num_embeddings


# ---------------------------------------------------------------- baselines against direct solutions
def one_hot(codes, size):
    return np.eye(size)[codes]


def test_biases_solve_the_normal_equations(split):
    model = Biases(reg_user=3.0, reg_item=1.5, sweeps=300).fit(split.train)
    users, items, ratings = model._encode(split.train)
    X = np.hstack([one_hot(users, 61), one_hot(items, 51)])
    penalty = np.diag([3.0] * 61 + [1.5] * 51)
    b = np.linalg.solve(X.T @ X + penalty, X.T @ (ratings - ratings.mean(dtype=float)))
    np.testing.assert_allclose(np.concatenate([model.b_u_, model.b_i_]), b, atol=1e-9)
    assert np.abs(b).max() > 0.3 and b[0] == b[61] == 0  # the unknown user and item


def design(model, users, items):
    X = np.zeros((len(users), model.users_.vocabulary))
    for row, u in enumerate(users):
        X[row, model.users_.onehot[u]] = 1
    return np.hstack([X, model.items_.dense[items]])


def test_ridge_solves_the_normal_equations(split):
    model = RidgeRegression(reg=4.0).fit(split.train)
    users, items, ratings = model._encode(split.train)
    X = np.hstack([design(model, users, items), np.ones((len(users), 1))])
    penalty = 4.0 * np.eye(X.shape[1])
    penalty[-1, -1] = 0  # the constant is free
    w = np.linalg.solve(X.T @ X + penalty, X.T @ ratings)
    np.testing.assert_allclose(np.append(model.w_, model.w0_), w, rtol=1e-7, atol=1e-9)


def test_logistic_regression_is_at_the_minimum(split):
    model = LogisticRegression(threshold=4.0, reg=2.0).fit(split.train)
    users, items, ratings = model._encode(split.train)
    X, like = design(model, users, items), ratings >= 4

    def objective(w):
        z = X @ w[:-1] + w[-1]
        loss = np.sum(np.logaddexp(0, z) - like * z) + 2.0 * np.sum(w[:-1] ** 2) / 2
        error = sigmoid(z) - like
        return loss, np.append(X.T @ error + 2.0 * w[:-1], error.sum())

    best = scipy.optimize.minimize(objective, np.zeros(X.shape[1] + 1), jac=True, method="L-BFGS-B",
                                   options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-9})
    np.testing.assert_allclose(np.append(model.w_, model.w0_), best.x, atol=1e-4)
    assert np.abs(objective(np.append(model.w_, model.w0_))[1]).max() < 1e-6  # Newton is nearer than the comparison
