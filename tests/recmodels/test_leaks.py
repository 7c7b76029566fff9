"""Leaks: targets without a pattern are found by chance alone, the test part trains nothing, and who peeks is caught."""

import numpy as np
import pytest

from recmodels import CheckIns, synthetic_checkins, time_split
from recmodels.checkin_features import OPTIONS
from recmodels.leaks import leak_audit
from recmodels.models.counters import VisitCounts
from recmodels.models.venue_ranker import VenueRanker
from recmodels.ranking import evaluate_events

SMALL = dict(k=4, hidden=8, epochs=2, batch_size=128, negatives=10, features=OPTIONS, regime="streaming")


class Peeking(VenueRanker):
    """Its features see the check-in that is asked for: visits with time <= now."""

    def _scores(self, users, local, timestamps, block=16):
        return super()._scores(users, local, timestamps + 1, block)


@pytest.fixture(scope="module")
def split():
    return time_split(synthetic_checkins(users=25, venues=50, events=2_000, rng=0))


def weights(model):
    return list(model.network_.state_dict().values())


def recall(model, data, k=5):
    data = data.take(np.flatnonzero(data.frame["item"].isin(model.items_)))
    return evaluate_events(lambda q: model.scores(*(q[c].to_numpy() for c in ("user", "local", "timestamp"))), data.frame,
                           model.items_.get_indexer(data.frame["item"]), ks=(k,))


def test_targets_at_random_are_found_by_chance_alone(split):
    data, rng = split.data, np.random.default_rng(5)
    frame = data.frame.assign(item=rng.choice(data.items.index.to_numpy(), len(data)))
    random = time_split(CheckIns(frame, data.items, data.users))
    model = VenueRanker(**SMALL).fit(random.train, random.valid).streaming(random.data)
    result = recall(model, random.test)
    chance = 5 / len(model.items_)
    assert abs(result["Recall@5"] - chance) < 4 * np.sqrt(chance / len(result))
    real = VenueRanker(**SMALL).fit(split.train, split.valid).streaming(split.data)
    assert recall(real, split.test)["Recall@5"] > 4 * chance


@pytest.mark.parametrize("regime", ["frozen", "streaming"])
def test_deleting_the_test_part_changes_no_training_byte(split, regime):
    known = split.data.take(np.sort(np.concatenate(split.rows[:2])))
    one, other = (VenueRanker(**{**SMALL, "regime": regime}).fit(split.train, split.valid, log)
                  for log in (split.data, known))
    for a, b in zip(weights(one), weights(other), strict=True):
        assert a.tobytes() == b.tobytes()
    losses = ["train_loss", "valid_loss"]
    assert one.history_[losses].to_numpy().tobytes() == other.history_[losses].to_numpy().tobytes()


def test_validation_check_ins_change_no_parameter_but_the_number_of_epochs(split):
    one, other = (VenueRanker(**{**SMALL, "patience": 2}).fit(split.train, valid) for valid in (None, split.valid))
    assert other.best_epoch_ == 2
    for a, b in zip(weights(one), weights(other), strict=True):
        assert a.tobytes() == b.tobytes()


def test_the_audit_catches_who_is_given_the_future(split):
    honest = VenueRanker(**SMALL).fit(split.train, split.valid)
    peeking = Peeking(**SMALL).fit(split.train, split.valid)
    peeking._restore(honest._state())
    for model in (honest, VisitCounts().fit(split.train)):
        found = leak_audit(model, split.test, split.data)
        assert not found and found.events >= 8 and str(found).startswith("no leak: ") and found.rank == found.rank_without
    found = leak_audit(peeking, split.test, split.data)
    assert found and found.changed == found.events and found.rank < found.rank_without
    assert str(found).startswith(f"LEAK: the scores of {found.changed} of {found.events} check-ins change, by up to ")
    assert not leak_audit(peeking, split.test)  # frozen, it has no future to read
    high, low = (recall(model.streaming(split.data), split.test, 1)["Recall@1"] for model in (peeking, honest))
    assert high > low + 0.1  # suspiciously high


def test_what_cannot_be_audited_is_refused(split):
    model = VisitCounts().fit(split.train)
    with pytest.raises(ValueError, match="leak_audit: data begins at .* before the training check-ins end"):
        leak_audit(model, split.train, split.data)
    new = split.test.frame.assign(item="nowhere")
    venues = split.data.items.rename(index={split.data.items.index[0]: "nowhere"})
    with pytest.raises(ValueError, match="none of the check-ins is in a venue of the catalogue"):
        leak_audit(model, CheckIns(new, venues))


def test_real_check_ins_are_read_only_before_their_moment(foursquare):
    split = time_split(foursquare.take(np.arange(20_000)))
    model = VenueRanker(**{**SMALL, "epochs": 1}).fit(split.train)
    assert not leak_audit(model, split.test, split.data, moments=4)
