"""FPMC against its formula, finite differences and worlds whose chain or tastes are known; what a previous venue is."""

import numpy as np
import pandas as pd
import pytest

import tinydl
from recmodels import CheckIns, time_split
from recmodels.models.fpmc import FPMC, FPMCNetwork, SampledVisits
from recmodels.negatives import NegativeSampler
from recmodels.visit_log import VisitLog, Visits
from tinydl import gradcheck

START, HOUR, DAY = 1_340_000_000, 3600, 86400


def _checkins(user, item, time):
    frame = pd.DataFrame({"user": user, "item": item, "timestamp": time, "local": time}).sort_values(
        "timestamp", kind="stable")
    venues = pd.DataFrame({"category": "c", "category_name": "Bar", "latitude": 0.0, "longitude": 0.0},
                          index=np.unique(frame["item"]))
    return CheckIns(frame, venues)


def _queries(data):
    return tuple(data.frame[column].to_numpy() for column in ("user", "local", "timestamp"))


def _walk(rng, users=10, steps=60, venues=12):
    """Each user goes from venue v to v + 1 every hour, and starts anew somewhere, a day and a half later, after 6 hours."""
    rows = [(u, (begin + hour) % venues, START + u + HOUR * hour + trip * 2 * DAY) for u in range(users)
            for trip in range(steps // 6) for begin in [rng.integers(venues)] for hour in range(6)]
    return _checkins(*(np.array(column) for column in zip(*rows, strict=True)))


@pytest.fixture(scope="module")
def split():
    return time_split(_walk(np.random.default_rng(0)))


SMALL = dict(k=8, negatives=3, epochs=12, batch_size=32, lr=0.03, patience=4)


@pytest.fixture(scope="module")
def model(split):
    return FPMC(**SMALL).fit(split.train, split.valid)


# ---------------------------------------------------------------- network
def test_the_network_is_its_formula(rng, float64):
    net = FPMCNetwork(4, 5, 3, 1.0, rng)
    U, L, V = (table.weight.detach().numpy() for table in (net.U, net.L, net.V))
    user, previous, items = np.array([1, 4, 0]), np.array([2, 0, 5]), np.array([[0, 3], [1, 1], [4, 2]])
    y = net(*(tinydl.tensor(x) for x in (user, previous, items))).detach().numpy()
    full = net.rank_all(tinydl.tensor(user), tinydl.tensor(previous)).detach().numpy()
    assert y.shape == (3, 2) and full.shape == (3, 5)
    for b in range(3):
        for i in range(5):
            want = sum(U[user[b], d] * V[i, d] for d in range(3)) + sum(L[previous[b], d] * V[i, 3 + d] for d in range(3))
            np.testing.assert_allclose(full[b, i], want, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(y[b], full[b, items[b]], rtol=1e-12)
    assert not U[4].any() and not L[5].any() and U[:4].all() and L[:5].all() and V.all()


def test_the_network_s_gradients_are_finite_differences_and_unknown_rows_stay_0(rng, float64):
    net = FPMCNetwork(3, 4, 2, 1.0, rng)

    def y(*_, user=(0, 2, 2), previous=(3, 1, 1)):
        return net(*(tinydl.tensor(np.array(x)) for x in (user, previous, [[0, 3], [2, 2], [1, 0]])))
    assert gradcheck(y, list(net.parameters()))
    y(user=(3, 0, 3), previous=(4, 4, 0)).sum().backward()
    assert set(net.U.weight.grad.rows) == set(net.L.weight.grad.rows) == {0}


# ---------------------------------------------------------------- what it is trained on
def _log(rng, users=5, items=6, n=80):
    """Visits in steps of six hours, so that many of a user have the same time; the last user, and the unknown, have none."""
    time = np.sort(rng.integers(0, 60, n)) * 6 * HOUR + START
    user = rng.integers(0, users - 1, n)
    return VisitLog(pd.RangeIndex(users), Visits(user, rng.integers(0, items, n), time, time, np.zeros(n, int)))


@pytest.mark.parametrize("window", [None, 1.0, 0.25])
def test_the_previous_venue_is_the_last_one_strictly_before_and_within_the_window(rng, window):
    log, model = _log(rng), FPMC(window=window)
    model.items_ = range(6)
    users = rng.integers(0, 6, 200)
    now = rng.integers(-3, 66, 200) * 6 * HOUR + START + rng.integers(0, 2, 200)
    seen = model._previous(log, users, now)
    for user, moment, venue in zip(users, now, seen, strict=True):
        past = [(t, i) for u, t, i in zip(log.by_time.user, log.by_time.time, log.by_time.item, strict=True)
                if u == user and t < moment and (window is None or moment - t <= window * DAY)]
        assert venue == (past[-1][1] if past else 6)
    assert {6} < set(seen)


def test_rows_are_the_check_in_and_venues_that_are_not_it(rng):
    log, sampler = _log(rng), NegativeSampler(6, [1, 2, 3, 1, 1, 1])
    previous = np.arange(80) % 7
    fixed, fresh = (SampledVisits(log.by_time, previous, sampler, 4, seed) for seed in (3, np.random.default_rng(3)))
    rows = np.array([5, 70, 2])
    user, before, items, log_c = fixed[rows]
    assert len(fixed) == 80 and items.shape == log_c.shape == (3, 5) and log_c.dtype == np.float32
    assert user.tolist() == log.by_time.user[rows].tolist() and before.tolist() == [5, 0, 2]
    assert items[:, 0].tolist() == log.by_time.item[rows].tolist() and not (items[:, 1:] == items[:, :1]).any()
    np.testing.assert_allclose(log_c, sampler.log_expected_counts(user, items[:, 1:], items[:, 0]), rtol=1e-6)
    np.testing.assert_array_equal(fixed[rows][2], items)
    assert not np.array_equal(fresh[rows][2], fresh[rows][2])


# ---------------------------------------------------------------- the model
@pytest.mark.parametrize("loss", ["bpr", "sampled-softmax"])
def test_it_learns_a_chain_and_needs_the_log_to_use_it(split, model, loss):
    model = model if loss == "bpr" else FPMC(**SMALL, loss=loss).fit(split.train, split.valid)
    users, local, now = _queries(split.test)
    inside = (now - START) % (2 * DAY) >= HOUR  # not the first of a trip
    best = model.streaming(split.data).scores(users, local, now).argmax(axis=1)
    hit = model.items_[best].to_numpy() == split.test.frame["item"].to_numpy()
    assert hit[inside].mean() > 0.95 and hit[~inside].mean() < 0.5
    frozen = model.scores(users, local, now)  # all of it is more than a day ago, so only the user counts
    for user in np.unique(users[inside]):
        rows = frozen[inside & (users == user) & (now > START + 2 * DAY + split.train.frame["timestamp"].max() - START)]
        np.testing.assert_array_equal(rows, np.broadcast_to(rows[:1], rows.shape))


def test_it_learns_tastes(rng):
    user = np.repeat(np.arange(12), 40)
    data = _checkins(user, (user % 3) * 4 + rng.integers(0, 4, len(user)), START + rng.integers(0, 300, len(user)) * 9 * DAY)
    model = FPMC(**{**SMALL, "window": 0.5}).fit(data)
    y = model.scores(np.arange(12), [0] * 12, [START + 9000 * DAY] * 12)
    for u in range(12):
        assert sorted(np.argsort(-y[u])[:4] // 4) == [u % 3] * 4


def test_an_unknown_user_has_the_chain_only_and_without_a_previous_venue_all_scores_are_0(split, model):
    now = int(split.data.frame["timestamp"].max()) + 30
    streaming = model.streaming(split.data)
    assert not model.scores([-7], [0], [now]).any()
    stranger = split.data.frame[["user", "item", "timestamp", "local"]].copy()
    stranger.loc[stranger.index[-1], "user"] = 500  # one check-in, in the log only
    later = model.streaming(CheckIns(pd.concat([split.data.frame, stranger.iloc[-1:]]), split.data.items))
    y = later.scores([500], [0], [now + 10])
    venue = model.items_.get_loc(stranger["item"].iloc[-1])
    want = model.network_.V.weight.detach().numpy()[:, 8:] @ model.network_.L.weight.detach().numpy()[venue]
    np.testing.assert_allclose(y[0], want, rtol=1e-5, atol=1e-6)
    assert streaming.network_ is model.network_


def test_a_seed_repeats_everything_and_every_parameter_has_an_effect(split):
    few = {**SMALL, "epochs": 2}

    def scores(**changes):
        model = FPMC(**{**few, **changes}).fit(split.train)
        return model.streaming(split.data).scores(*_queries(split.test))
    base = scores()
    np.testing.assert_array_equal(base, scores())
    for change in ({"k": 7}, {"window": None}, {"loss": "sampled-softmax"}, {"negatives": 4}, {"power": 1.0},
                   {"scale": 0.02}, {"epochs": 3}, {"batch_size": 31}, {"lr": 0.02}, {"weight_decay": 1.0}, {"seed": 1}):
        assert not np.allclose(base, scores(**change), rtol=1e-3), change


def test_validation_chooses_the_epoch_and_a_refit_takes_it(split, model):
    history = model.history_
    assert model.best_epoch_ == history["valid_loss"].idxmin() and len(history) <= 12
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    again = model.refit(split.refit)
    assert len(again.history_) == again.best_epoch_ == model.best_epoch_ and "valid_loss" not in again.history_
    tired = FPMC(**{**SMALL, "patience": 1, "lr": 1.0}).fit(split.train, split.valid)
    assert len(tired.history_) == tired.best_epoch_ + 1 < 12
    assert model.num_parameters() == 8 * (len(model.users_) + 1 + len(model.items_) + 1 + 2 * len(model.items_))


def test_training_reads_only_the_training_part(split):
    """Later check-ins of the log, and other ones between those of the training part, change no parameter."""
    extra = split.train.frame.iloc[::3].assign(timestamp=lambda f: f["timestamp"] + 60, local=lambda f: f["local"] + 60,
                                               item=split.train.frame["item"].iloc[0])
    both = pd.concat([split.data.frame, extra]).sort_values("timestamp", kind="stable")
    one, other = (FPMC(**{**SMALL, "epochs": 1}).fit(split.train, log=log) for log in (
        None, CheckIns(both, split.data.items)))
    for a, b in zip(one.network_.parameters(), other.network_.parameters(), strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


@pytest.mark.parametrize("change, error", [
    ({"k": 0}, "k=0, want a whole number"), ({"negatives": 1.5}, "negatives=1.5"), ({"loss": "hinge"}, "'bpr' or 'sampled"),
    ({"window": 0}, "window=0, want days above 0"), ({"power": -1}, "power=-1"), ({"epochs": 0}, "epochs=0")])
def test_wrong_parameters_are_refused(split, change, error):
    with pytest.raises(ValueError, match=error):
        FPMC(**change).fit(split.train)
