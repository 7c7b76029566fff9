"""Models of check-ins blended: probabilities and weights against their definitions, in both regimes; files and errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels import synthetic_checkins, time_split
from recmodels.checkin_recommender import CheckInRecommender
from recmodels.models import CHECKIN_MODELS
from recmodels.models.combined_venues import SCALES, CombinedVenues, best_scale, mixture_weights, probabilities
from recmodels.models.counters import Counter
from recmodels.recommender import NotFittedError
from tinydl.training import load, save

PARTS = ({"model": "user-slot-decay", "weight": 3.0}, "slot-popularity", "popularity")


class LogCounts(Counter):
    """log(1 + popularity) - 3: scores that are no counts, and ask for a scale near 1. It learns how long the log was."""

    def __init__(self, seed=0):
        self.seed = seed

    def _fit(self, train, valid):
        self.seen_ = len(self.log_)

    def _state(self):
        return {"seen": self.seen_}

    def _restore(self, state):
        self.seen_ = state["seen"]

    def _scores(self, users, local, timestamps):
        return np.log1p(self._popularity(np.zeros(len(users), int), timestamps, 0.0)[0]) - 3.0


@pytest.fixture(scope="module")
def split():
    return time_split(synthetic_checkins(users=15, venues=40, events=900, rng=0))


@pytest.fixture(scope="module")
def frozen(split):
    return CombinedVenues(PARTS).fit(split.train, split.valid)


@pytest.fixture(scope="module")
def streaming(split):
    return CombinedVenues(PARTS).fit(split.train, split.valid, split.data)


def queries(data):
    return tuple(data.frame[column].to_numpy() for column in ("user", "local", "timestamp"))


# ---------------------------------------------------------------- probabilities and weights
def test_shares_and_softmax(rng):
    counts = np.array([[3.0, 0, 1], [0, 0, 0], [0, 5, 0]])
    want = np.array([[3 / 4, 0, 1 / 4], [1 / 3] * 3, [0, 1, 0]])
    np.testing.assert_allclose(probabilities(counts, 0.0), want, atol=2e-6)
    y = rng.standard_normal((4, 6)) + 800  # whose exponential would overflow
    e = np.exp(2.0 * (y - 800))
    np.testing.assert_allclose(probabilities(y, 2.0), e / e.sum(axis=1, keepdims=True), atol=2e-6)
    for p in (probabilities(counts, 0.0), probabilities(y, 0.25), probabilities(counts - 1, 0.0)):
        assert (p > 0).all()
        np.testing.assert_allclose(p.sum(axis=1), 1)
    assert probabilities(np.zeros((0, 3)), 0.0).shape == (0, 3)


def test_the_scale_that_made_the_targets_is_found(rng):
    y = rng.standard_normal((3000, 8))
    for scale in SCALES[[2, 6, 9]]:
        target = np.argmax(scale * y + rng.gumbel(size=y.shape), axis=1)  # a draw from softmax(scale y)
        assert best_scale(y, target) == scale
    assert best_scale(np.abs(y), target) == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 5), st.integers(1, 60), st.integers(0, 10**6))
def test_mixture_weights_are_at_the_maximum(N, Q, seed):
    """The gradient mean_q p_qn / w'p_q is 1 where w_n > 0 and at most 1 where w_n = 0 (Karush, Kuhn, Tucker)."""
    p = np.random.default_rng(seed).uniform(1e-6, 1, (Q, N)) ** 3
    w = mixture_weights(p)
    assert (w >= 0).all() and w.sum() == pytest.approx(1)
    gradient = np.mean(p / (p @ w)[:, None], axis=0)
    assert (gradient < 1 + 2e-2).all() and (np.abs(gradient[w > 1e-2] - 1) < 2e-3).all()


def test_the_shares_of_a_known_mixture_are_found(rng):
    p = rng.dirichlet(np.full(20, 0.2), (3, 4000))  # (3 parts, 4000 queries, 20 venues)
    mixed = np.tensordot([0.6, 0.4, 0.0], p, 1)
    target = (rng.random((4000, 1)) < np.cumsum(mixed, axis=1)).argmax(axis=1)
    np.testing.assert_allclose(mixture_weights(p[:, np.arange(4000), target].T), [0.6, 0.4, 0], atol=0.04)


# ---------------------------------------------------------------- the model
@pytest.mark.parametrize("regime", ["frozen", "streaming"])
def test_a_score_is_the_log_of_the_mixture(regime, frozen, streaming, split):
    model = {"frozen": frozen, "streaming": streaming}[regime]
    log = None if regime == "frozen" else split.data
    alone = [CHECKIN_MODELS["user-slot-decay"]().clone(weight=3.0), CHECKIN_MODELS["slot-popularity"](),
             CHECKIN_MODELS["popularity"]()]
    y = [part.fit(split.train, log=log).scores(*queries(split.test)) for part in alone]
    p = [a / a.sum(axis=1, keepdims=True) for a in y]
    np.testing.assert_allclose(np.exp(model.scores(*queries(split.test))), np.tensordot(model.weights_, p, 1), atol=1e-5)
    assert model.scales_.tolist() == [0, 0, 0] and model.weights_.sum() == pytest.approx(1)
    assert (model.weights_ > 0.05).sum() >= 2


@pytest.mark.parametrize("regime", ["frozen", "streaming"])
def test_weights_are_those_of_the_regime_on_the_validation_part(regime, frozen, streaming, split):
    model = {"frozen": frozen, "streaming": streaming}[regime]
    target = model.items_.get_indexer(split.valid.frame["item"])
    asked = split.valid.take(np.flatnonzero(target >= 0))
    p = [probabilities(part.scores(*queries(asked)), 0.0)[np.arange(len(asked)), target[target >= 0]]
         for part in model.parts_]
    np.testing.assert_allclose(model.weights_, mixture_weights(np.array(p).T), atol=1e-8)
    likelihood = np.log(np.array(p)).mean(axis=1)
    assert np.log(model.weights_ @ np.array(p)).mean() > likelihood.max()
    assert not np.allclose(frozen.weights_, streaming.weights_, atol=1e-3)


def test_scores_that_are_no_counts_get_a_scale(split, monkeypatch):
    monkeypatch.setitem(CHECKIN_MODELS, "log-counts", LogCounts)
    model = CombinedVenues(("user-counts", "log-counts")).fit(split.train, split.valid)
    assert model.scales_[0] == 0 and 0.5 <= model.scales_[1] <= 2 and model.parts_[1].seed == 1
    y = model.parts_[1].scores(*queries(split.valid))
    target = model.items_.get_indexer(split.valid.frame["item"])
    assert (target >= 0).all() and best_scale(y, target) == model.scales_[1]
    p = [probabilities(part.scores(*queries(split.test)), scale)
         for part, scale in zip(model.parts_, model.scales_, strict=True)]
    np.testing.assert_allclose(np.exp(model.scores(*queries(split.test))), np.tensordot(model.weights_, p, 1), rtol=1e-9)


def test_parts_are_fitted_in_the_regime_and_what_they_learned_is_saved(split, tmp_path, monkeypatch):
    monkeypatch.setitem(CHECKIN_MODELS, "log-counts", LogCounts)
    model = CombinedVenues(("user-counts", "log-counts"))
    assert model.fit(split.train, split.valid).parts_[1].seen_ == len(split.train)
    assert model.fit(split.train, split.valid, split.data).parts_[1].seen_ == len(model.log_) > len(split.train)
    model.save(tmp_path / "model.npz")
    assert CheckInRecommender.load(tmp_path / "model.npz").parts_[1].seen_ == len(model.log_)
    again = model.refit(split.refit, split.data)
    assert again.parts_[1].seen_ == len(again.log_)


def test_a_copy_with_another_log_leaves_the_model_as_it_was(frozen, split):
    query = queries(split.test)
    before = frozen.scores(*query)
    later = frozen.streaming(split.data)
    assert not np.allclose(later.scores(*query), before)
    np.testing.assert_array_equal(frozen.scores(*query), before)
    np.testing.assert_array_equal(later.frozen().scores(*query), before)
    np.testing.assert_array_equal(later.parts_[0].scores(*query), frozen.parts_[0].streaming(split.data).scores(*query))
    assert all(part.log_ is later.log_ for part in later.parts_)


def test_refit_keeps_the_weights(frozen, split):
    again = frozen.refit(split.refit, split.data)
    np.testing.assert_array_equal(again.weights_, frozen.weights_)
    np.testing.assert_array_equal(again.scales_, frozen.scales_)
    part = frozen.parts_[0].refit(split.refit, split.data)
    np.testing.assert_array_equal(again.parts_[0].scores(*queries(split.test)), part.scores(*queries(split.test)))
    assert again.items_.tolist() == split.refit.items_seen.tolist() and len(frozen.log_) == len(split.train)
    assert frozen.num_parameters() == sum(part.num_parameters() for part in frozen.parts_) + 6


def test_files(streaming, split, tmp_path):
    streaming.save(tmp_path / "model.npz")
    again = CheckInRecommender.load(tmp_path / "model.npz")
    assert again.get_params() == streaming.get_params() and again.models == PARTS
    query = queries(split.test)
    np.testing.assert_array_equal(again.scores(*query), streaming.scores(*query))
    np.testing.assert_array_equal(again.frozen().scores(*query), streaming.frozen().scores(*query))
    for one, other in zip(again.parts_, streaming.parts_, strict=True):
        np.testing.assert_array_equal(one.scores(*query), other.scores(*query))
    tree = load(tmp_path / "model.npz")
    save({**tree, "model": {**tree["model"], "parts": tree["model"]["parts"][:2]}}, tmp_path / "model.npz")
    with pytest.raises(Exception, match="fit the model again and save it"):
        CheckInRecommender.load(tmp_path / "model.npz")


# ---------------------------------------------------------------- errors
def test_weights_need_validation_check_ins(frozen, split):
    with pytest.raises(ValueError, match=r"got no validation check-ins, want fit\(train, valid\)"):
        frozen.clone().fit(split.train)
    first = split.train.take(np.arange(3))
    never = split.valid.take(np.flatnonzero(~split.valid.frame["item"].isin(first.frame["item"])))
    with pytest.raises(ValueError, match="no venue of valid has a training check-in"):
        frozen.clone().fit(first, never)
    with pytest.raises(NotFittedError):
        frozen.clone().refit(split.refit)


def test_parts_that_cannot_be():
    with pytest.raises(ValueError, match="got 'user-count', want the name of a model.*did you mean 'user-counts'"):
        CombinedVenues(("popularity", "user-count"))
    with pytest.raises(ValueError, match="got 'biases', want the name of a model"):
        CombinedVenues(("popularity", "biases"))
    with pytest.raises(ValueError, match="got 1 of them, want at least 2"):
        CombinedVenues(("popularity",))


def test_a_fit_that_failed_leaves_an_unfitted_model(split, monkeypatch):
    model = CombinedVenues().fit(split.train, split.valid)
    monkeypatch.setattr(Counter, "_fit", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.fit(split.train, split.valid)
    with pytest.raises(NotFittedError):
        model.scores([1], [0], [0])
