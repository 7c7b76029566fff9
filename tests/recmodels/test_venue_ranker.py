"""VenueRanker: it learns what the synthetic city does, in each network, loss and regime, and says what it cannot do."""

import numpy as np
import pytest

from recmodels import synthetic_checkins, time_split
from recmodels.checkin_features import OPTIONS
from recmodels.models.counters import Popularity, VisitCounts
from recmodels.models.venue_ranker import VenueRanker
from recmodels.ranking import evaluate_events
from recmodels.visit_log import VisitLog
from tinydl import Tensor

SMALL = dict(k=8, hidden=8, epochs=2, batch_size=128, negatives=10)


@pytest.fixture(scope="module")
def split():
    return time_split(synthetic_checkins(users=30, venues=60, events=3_000, rng=0))


def queries(data):
    return tuple(data.frame[column].to_numpy() for column in ("user", "local", "timestamp"))


def weights(model):
    return list(model.network_.state_dict().values())


def recall(model, data, k=5):
    data = data.take(np.flatnonzero(data.frame["item"].isin(model.items_) & data.frame["user"].isin(model.users_)))
    return evaluate_events(lambda q: model.scores(*(q[c].to_numpy() for c in ("user", "local", "timestamp"))), data.frame,
                           model.items_.get_indexer(data.frame["item"]), ks=(k,))[f"Recall@{k}"]


# ---------------------------------------------------------------- quality
@pytest.mark.parametrize("options", [
    dict(network="nfm"), dict(network="fm"), dict(network="nfm", order=3, loss="bce"), dict(network="fm", form="distinct"),
    dict(network="ntf", sampler="uniform"), dict(network="nfm", loss="bpr", own=0.0, time="hour of week")], ids=str)
def test_four_fields_beat_popularity(split, options):
    model = VenueRanker(**{**SMALL, "epochs": 12, "patience": 12, "lr": 0.01, **options}).fit(split.train, split.valid)
    assert recall(model, split.test) > 1.5 * recall(Popularity().fit(split.train), split.test)
    assert len(model.history_) == 12 and 1 <= model.best_epoch_ <= 12


def test_with_all_options_it_is_as_good_as_the_counter_and_near_the_best_possible(split):
    model = VenueRanker(**{**SMALL, "epochs": 5}, regime="streaming", features=OPTIONS, weight_decay=4.0)
    model = model.fit(split.train, split.valid).streaming(split.data)
    counter = VisitCounts(3.0).fit(split.train, log=split.data)
    best = split.test.best_recall(5)
    assert recall(model, split.test) > recall(counter, split.test) - 0.02 and recall(model, split.test) > 0.85 * best


@pytest.mark.parametrize("option", OPTIONS)
def test_each_option_alone_is_of_use_to_the_network(split, option):
    """It changes the scores, and the gradient reaches what belongs to it."""
    plain, more = (VenueRanker(**SMALL, regime="streaming", features=f).fit(split.train) for f in ((), (option,)))
    asked = queries(split.valid.take(np.arange(20)))
    assert np.abs(more.scores(*asked) - plain.scores(*asked)).max() > 1e-3
    if option in ("counts", "distance"):
        assert all((rows.weight.detach().numpy() != 0).any(axis=0).all() for rows in more.network_.of_numbers)
    else:
        start = more.features_.start
        w = more.network_.w.weight.detach().numpy()[:, 0]
        assert (w[start[option]:start[option] + 61] != 0).sum() > 10


# ---------------------------------------------------------------- fitting
def test_the_same_seed_gives_the_same_bits_and_another_one_others(split):
    one, two, other = (VenueRanker(**SMALL, features=("counts",), seed=seed).fit(split.train, split.valid)
                       for seed in (3, 3, 4))
    for a, b in zip(weights(one), weights(two), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.history_["valid_loss"].tolist() == two.history_["valid_loss"].tolist()
    assert one.history_["valid_loss"].tolist() != other.history_["valid_loss"].tolist()


def test_refit_trains_for_the_epochs_that_validation_chose(split, tmp_path):
    model = VenueRanker(**{**SMALL, "epochs": 3}).fit(split.train, split.valid)
    model.best_epoch_ = 2
    again = model.refit(split.refit, split.data)
    assert len(again.history_) == 2 and again.best_epoch_ == 2 and len(again.log_) >= len(again.items_)
    assert again.clone().fit(split.train).best_epoch_ == 3  # what was chosen is no parameter
    model.save(tmp_path / "model.npz")
    loaded = VenueRanker.load(tmp_path / "model.npz")
    assert len(loaded.refit(split.refit).history_) == 2 and loaded.history_.equals(model.history_)


def test_an_unknown_user_is_the_mean_of_the_known_ones(split):
    model = VenueRanker(**SMALL, network="fm").fit(split.train)
    U = len(model.users_)
    for table in (model.network_.w, model.network_.V):
        weight = table.weight.detach().numpy()
        np.testing.assert_allclose(weight[U], weight[:U].mean(axis=0), rtol=1e-6)
    stranger, = model.scores(["nobody"], *([x] for x in (queries(split.test)[1][0], queries(split.test)[2][0])))
    assert np.isfinite(stranger).all() and np.corrcoef(
        stranger, np.bincount(model.items_.get_indexer(split.train.frame["item"])))[0, 1] > 0.3


def test_validation_sees_what_the_regime_allows(split):
    """Streaming validation reads the check-ins of its own part that came before, frozen validation does not."""
    later = split.valid.take(np.arange(len(split.valid) // 2, len(split.valid)))
    losses = {}
    for regime in ("frozen", "streaming"):
        model = VenueRanker(**{**SMALL, "epochs": 1}, regime=regime, features=("counts",), lag=0)
        assert model.clone(regime=None).fit(split.train, log=None if regime == "frozen" else split.data)._streaming() == (
            regime == "streaming")
        losses[regime] = [model.fit(split.train, valid).history_["valid_loss"][1] for valid in (split.valid, later)]
        log = model._valid_batches(split.train, split.valid).features.log
        assert len(log) == len(VisitLog.of(split.train if regime == "frozen" else split.refit, model.users_, model.items_))
    assert losses["frozen"] != losses["streaming"]


def test_frozen_training_sees_the_past_as_of_some_time_before(split):
    for regime, lag in (("frozen", 40), ("streaming", 0)):
        model = VenueRanker(**SMALL, regime=regime, lag=40).fit(split.train)
        assert model._batches(split.train, np.random.default_rng(0)).lag == lag


def test_weight_decay_acts_on_embeddings_alone(split):
    free, held = (VenueRanker(**SMALL, features=("counts",), weight_decay=w).fit(split.train) for w in (0.0, 50.0))
    size = [{name: float(np.linalg.norm(p.detach().numpy())) for name, p in m.network_.named_parameters()}
            for m in (free, held)]
    assert size[1]["V.weight"] < 0.5 * size[0]["V.weight"]
    assert size[1]["of_numbers.1.weight"] > 0.8 * size[0]["of_numbers.1.weight"]
    tables, others = (group["params"] for group in held._parameter_groups())
    assert len(tables) == 2 and len(tables) + len(others) == len(list(held.network_.parameters()))


def test_scores_do_not_depend_on_the_block(split):
    model = VenueRanker(**SMALL, features=OPTIONS).fit(split.train)
    asked = queries(split.test.take(np.arange(10)))
    rows = model.log_.rows(asked[0])
    np.testing.assert_allclose(model._scores(rows, *asked[1:], block=3), model.scores(*asked), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("network", ["fm", "nfm"])
def test_a_score_is_the_networks_of_that_check_in(split, network):
    model = VenueRanker(**SMALL, network=network, features=OPTIONS).fit(split.train)
    users, local, timestamps = queries(split.test.take(np.arange(3)))
    features, rows, every = model.features_, model.log_.rows(users), np.arange(len(model.items_))
    asof = features.asof(timestamps)
    (context, values), items = features.context(rows, local, asof), features.items
    numbers = features.candidates(rows, local, asof, np.tile(every, (3, 1)))
    assert (values != 1).any()
    for n, scores in enumerate(model.scores(users, local, timestamps)):
        index = np.concatenate([np.repeat(context[n:n + 1], len(items), axis=0), items], axis=1)
        factors = np.concatenate([np.repeat(values[n:n + 1], len(items), axis=0), np.ones(items.shape, np.float32)], axis=1)
        want = model.network_(index, factors, numbers[n]).detach().numpy()
        np.testing.assert_allclose(scores, want, rtol=1e-4, atol=1e-4)


def test_losses_know_how_often_a_venue_is_sampled(rng):
    """log c (B, 1 + N), of the positive and of the sampled, -inf where one is the positive again."""
    s, log_c, items = rng.standard_normal((4, 4)), rng.standard_normal((4, 4)), 50
    log_c[1, 2] = -np.inf
    there = np.isfinite(log_c)

    def loss(name):
        model = VenueRanker(loss=name)
        model.items_ = np.arange(items)
        return model._loss(Tensor(s, dtype=np.float64), Tensor(log_c)).item()
    z = np.where(there, s - log_c, -np.inf)
    z[:, 0] = s[:, 0]  # it is in its list for certain
    assert loss("sampled-softmax") == pytest.approx(np.mean(np.log(np.exp(z).sum(axis=1)) - z[:, 0]))
    z = (s - log_c - np.log(items)) * [-1, 1, 1, 1]
    assert loss("bce") == pytest.approx(np.mean(np.where(there, np.log1p(np.exp(z)), 0).sum(axis=1)), rel=1e-6)
    assert loss("bpr") == pytest.approx(np.mean(np.log1p(np.exp(s[:, 1:] - s[:, :1]))))


# ---------------------------------------------------------------- bad input
@pytest.mark.parametrize("options, message", [
    (dict(network="mlp"), "got network='mlp', want one of 'nfm', 'fm', 'ntf'"),
    (dict(loss="mse"), "got loss='mse', want one of 'sampled-softmax', 'bce', 'bpr'"),
    (dict(regime="live"), "got regime='live', want one of 'frozen', 'streaming'"),
    (dict(time="month"), "got time='month', want one of 'slot', 'hour of week'"),
    (dict(sampler="all"), "got sampler='all', want one of 'popularity', 'uniform'"),
    (dict(features=("weather",)), r"got features=\('weather',\), want some of"),
    (dict(features="counts"), "got features='counts', want some of .* as a tuple"),
    (dict(network="ntf", features=("counts",)), "got network='ntf' with features=.* want none"),
    (dict(features=("counts",), form="distinct"), "with form='distinct', want form='full'"),
    (dict(own=1.0), "got own=1.0 with loss='sampled-softmax', want a part from 0 to below 1"),
    (dict(loss="bpr"), "got own=0.5 with loss='bpr', want .* 0 with 'bpr'"),
    (dict(lag=-1), "got lag=-1, want days of at least 0"),
    (dict(negatives=0), "got negatives=0, want a whole number of at least 1"),
    (dict(k=2.5), "got k=2.5, want a whole number of at least 1"),
    (dict(order=4), "got order=4, want 2"),
], ids=str)
def test_bad_parameters_are_named(split, options, message):
    with pytest.raises(ValueError, match=message):
        VenueRanker(**{**SMALL, **options}).fit(split.train)
