"""The paired bootstrap: intervals as wide as theory says, over groups, repeatable."""

import numpy as np
import pytest

from recmodels.ranking import paired_bootstrap


def test_the_bootstrap_interval_has_the_right_width_and_covers(rng):
    """Of groups of one event the standard error is that of a mean; 95 % of intervals hold the truth."""
    d = rng.normal(0.3, 1, 400)
    found = paired_bootstrap(d, np.zeros(400), np.arange(400))
    assert found.mean == pytest.approx(d.mean()) and found.groups == 400
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * d.std() / 20, rel=0.08)
    covered = sum(one.low <= 0.3 <= one.high for one in (
        paired_bootstrap(rng.normal(0.3, 1, 100), np.zeros(100), np.arange(100), n=300, rng=k) for k in range(200)))
    assert 178 <= covered <= 199


def test_the_bootstrap_draws_groups_and_weighs_events(rng):
    """Ten users whose 50 events are all alike: the interval is that of ten numbers, not of 500."""
    users = np.repeat(np.arange(10), 50)
    effect = rng.normal(0, 1, 10)
    found = paired_bootstrap(effect[users], np.zeros(500), users)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * effect.std() / 10 ** 0.5, rel=0.2)
    uneven = paired_bootstrap([1, 1, 1, 0], [0, 0, 0, 0], ["a", "a", "a", "b"], n=4000)
    assert (uneven.mean, uneven.low, uneven.high) == (0.75, 0, 1)


def test_the_bootstrap_repeats_with_its_seed_and_prints_itself():
    a, b, groups = np.arange(60) ** 0.5, np.zeros(60), np.arange(60) // 2
    assert paired_bootstrap(a, b, groups, rng=3) == paired_bootstrap(a, b, groups, rng=np.random.default_rng(3))
    assert paired_bootstrap(a, b, groups, rng=3) != paired_bootstrap(a, b, groups, rng=4)
    swapped, found = paired_bootstrap(b, a, groups), paired_bootstrap(a, b, groups)
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low))
    assert str(paired_bootstrap(a, a, groups)) == "+0.0000 (95 % from +0.0000 to +0.0000, 30 groups resampled)"


def test_bad_bootstraps_are_named():
    with pytest.raises(ValueError, match=r"a of shape \(2,\), b of shape \(3,\)"):
        paired_bootstrap([1, 2], [1, 2, 3], [0, 1])
    with pytest.raises(ValueError, match="event 1 has nan and 2.0"):
        paired_bootstrap([1, np.nan], [1, 2], [0, 1])
    with pytest.raises(ValueError, match="got 1 groups, want at least 2"):
        paired_bootstrap([1, 2], [1, 2], [0, 0])
    with pytest.raises(ValueError, match="got n=0"):
        paired_bootstrap([1, 2], [1, 2], [0, 1], n=0)
