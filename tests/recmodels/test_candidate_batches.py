"""Batches of candidates: what they hold, and that draws counted by log c stand for the whole catalogue."""

import numpy as np
import pandas as pd
import pytest

from recmodels import synthetic_checkins
from recmodels.candidate_batches import CandidateBatches
from recmodels.checkin_features import OPTIONS, CheckInFeatures
from recmodels.negatives import NegativeSampler, known_by_user
from recmodels.visit_log import VisitLog
from tinydl.data import DataLoader

DAY = 86400


@pytest.fixture(scope="module")
def parts():
    """(features, visits, sampler, known) of a small city."""
    data = synthetic_checkins(users=6, venues=25, events=300, homes=3, rng=1)
    users, items = pd.Index(data.users_seen), pd.Index(data.items_seen)
    log = VisitLog.of(data, users, items)
    visits = log.by_time
    sampler = NegativeSampler(len(items), np.bincount(visits.item), 0.75)
    return (CheckInFeatures(log, len(users), data.items.loc[items], OPTIONS), visits, sampler,
            known_by_user(visits.user, visits.item, len(users)))


def test_a_batch_holds_the_features_of_its_check_ins_and_candidates(parts):
    features, visits, sampler, known = parts
    batches = CandidateBatches(features, *parts[1:], negatives=8, own=0.5, rng=3)
    assert len(batches) == 300
    rows = np.array([250, 7, 99, 180, 30, 211])
    context, values, candidates, numbers, log_c = batches[rows]
    asked = visits.user[rows], visits.local[rows], features.asof(visits.time[rows])
    for got, want in zip((context, values), features.context(*asked), strict=True):
        np.testing.assert_array_equal(got, want)
    items = candidates[:, :, 0] - features.start["venue"]
    np.testing.assert_array_equal(features.items[items], candidates)
    np.testing.assert_array_equal(features.candidates(*asked, items), numbers)
    assert candidates.shape == (6, 9, 2) and log_c.shape == (6, 9) and log_c.dtype == np.float32
    assert (items[:, 0] == visits.item[rows]).all()
    own = [set(known[1][known[0][u]:known[0][u + 1]]) for u in asked[0]]
    assert all(set(items[b, 1:5]) <= own[b] for b in range(6)) and not all(set(items[b, 5:]) <= own[b] for b in range(6))
    for b in range(6):
        for n in range(9):
            i = items[b, n]
            c = 4 * (i in own[b]) / len(own[b]) + 4 * sampler.table.p[i]
            want = np.inf if n and i == items[b, 0] else np.log(c)
            np.testing.assert_allclose(log_c[b, n], want, rtol=1e-6)
    assert np.isinf(log_c).any() and np.isfinite(log_c[:, 0]).all()


@pytest.mark.parametrize("own", [0.0, 0.5, 0.9])
def test_negatives_by_their_expected_count_stand_for_all_venues(parts, own):
    """sum over negatives of f / c is sum over all venues but the target of f, on average: no venue is forgotten."""
    features, visits, sampler, known = parts
    batches = CandidateBatches(features, *parts[1:], negatives=10, own=own, rng=np.random.default_rng(0))
    row, total, draws = 42, np.zeros(features.n_items), 3000
    users, items = visits.user[[row]].repeat(draws), visits.item[[row]].repeat(draws)
    candidates, log_c = batches._candidates(users, items, batches.rng)
    np.add.at(total, candidates[:, 1:].ravel(), np.exp(-log_c[:, 1:]).ravel())
    mean = total / draws
    assert mean[items[0]] == 0
    c = sampler.table.p * 10 * (1 - own)
    error = np.sqrt(1 / (c * draws)) + 1e-9  # of a count's mean, at least
    others = np.arange(features.n_items) != items[0]
    assert (np.abs(mean - 1) < 5 * error)[others].all()
    assert abs(mean[others].mean() - 1) < 0.02


def test_the_lag_ends_the_past_earlier_anew_each_time(parts):
    features, visits = parts[:2]
    seen = []

    class Spy:
        n_items, items = features.n_items, features.items

        def asof(self, time):
            return time

        def context(self, users, local, asof):
            seen.append(asof)
            return features.context(users, local, asof)

        def candidates(self, users, local, asof, candidates):
            seen.append(asof)
            return features.candidates(users, local, asof, candidates)

    batches = CandidateBatches(Spy(), *parts[1:], negatives=2, lag=10, rng=np.random.default_rng(0))
    rows = np.arange(300)
    batches[rows], batches[rows]
    first, again = ((visits.time - asof) / DAY for asof in seen[::2])
    assert (seen[0] == seen[1]).all() and (first >= 0).all() and (first < 10).all() and (first != again).mean() > 0.9
    np.testing.assert_allclose(np.quantile(first, [0.25, 0.5, 0.75]), [2.5, 5, 7.5], atol=1)


def test_a_seed_gives_the_same_batch_whenever_it_is_read(parts):
    batches = CandidateBatches(*parts, negatives=5, rng=7)
    loader = DataLoader(batches, 128)
    one, two = ([[x.numpy() for x in batch] for batch in loader] for _ in range(2))
    assert [len(batch[0]) for batch in one] == [128, 128, 44]
    for a, b in zip(one, two, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)
    drawn = [batch[2][:44, -3:] for batch in one]  # from the catalogue, whoever the users are
    assert not np.array_equal(drawn[0], drawn[2]) and not np.array_equal(drawn[0], drawn[1])
    anew = CandidateBatches(*parts, negatives=5, rng=np.random.default_rng(7))
    assert not np.array_equal(anew[np.arange(9)][2], anew[np.arange(9)][2])
