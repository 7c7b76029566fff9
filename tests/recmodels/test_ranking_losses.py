"""Losses of a positive and its negatives: formulas as plain loops, finite differences, and what sampling estimates."""

import math

import numpy as np
import pytest

import tinydl
from recmodels.negatives import NegativeSampler
from recmodels.ranking_losses import bce_with_negatives, bpr_loss_over_negatives, sampled_softmax
from tinydl import gradcheck, ops

LOSSES = (bce_with_negatives, bpr_loss_over_negatives, sampled_softmax)


def _scores(rng, *shape):
    return tinydl.tensor(rng.standard_normal(shape), requires_grad=True, dtype=np.float64)


def _sigmoid(x):
    return 1 / (1 + math.exp(-x))


def _bce(s, keep):
    return sum(-math.log(_sigmoid(x) if n == 0 else 1 - _sigmoid(x)) for n, x in enumerate(s) if keep[n])


def _bpr(s):
    return sum(-math.log(_sigmoid(s[0] - x)) for x in s[1:]) / (len(s) - 1)


def _softmax(s, log_q, keep):
    return -math.log(math.exp(s[0] - log_q[0]) / sum(math.exp(x - c) for n, (x, c) in enumerate(zip(s, log_q, strict=True))
                                                     if n == 0 or keep[n]))


@pytest.mark.parametrize("N", [1, 6])
def test_losses_are_their_formulas(rng, N):
    s, log_q, keep = _scores(rng, 5, 1 + N), rng.standard_normal((5, 1 + N)), rng.random((5, 1 + N)) < 0.6
    none, every = np.zeros((5, 1 + N)), np.ones((5, 1 + N), bool)
    for made, defined, *more in (
            (bce_with_negatives(s, reduction="none"), _bce, every),
            (bce_with_negatives(s, keep, "none"), _bce, keep),
            (bpr_loss_over_negatives(s, "none"), _bpr),
            (sampled_softmax(s, reduction="none"), _softmax, none, every),
            (sampled_softmax(s, log_q, reduction="none"), _softmax, log_q, every),
            (sampled_softmax(s, log_q, ~keep[:, 1:], "none"), _softmax, log_q, keep)):
        want = [defined(s.detach().numpy()[b], *(one[b] for one in more)) for b in range(5)]
        np.testing.assert_allclose(made.detach().numpy(), want, rtol=1e-12)


def test_reductions_are_over_rows(rng):
    s = _scores(rng, 4, 3)
    for loss in LOSSES:
        rows = loss(s, reduction="none").detach().numpy()
        np.testing.assert_allclose([loss(s).item(), loss(s, reduction="sum").item()], [rows.mean(), rows.sum()], rtol=1e-14)
        assert loss(s).dtype == np.float64
        assert loss(tinydl.tensor(s.detach().numpy(), dtype=np.float32)).dtype == np.float32
        assert loss(s[:0], reduction="sum").item() == 0 and loss(s[:0], reduction="none").shape == (0,)
        with pytest.raises(ValueError, match=f"^{loss.__name__}: the mean over an empty batch"):
            loss(s[:0])
        with pytest.raises(ValueError, match=f"^{loss.__name__}: got reduction='max'"):
            loss(s, reduction="max")
    log_q = np.zeros((4, 3))  # float64, beside float32 scores
    assert sampled_softmax(tinydl.tensor(s.detach().numpy(), dtype=np.float32), log_q).dtype == np.float32


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_gradients_are_finite_differences(rng, reduction):
    s, log_q, keep = _scores(rng, 4, 6), rng.standard_normal((4, 6)), rng.random((4, 6)) < 0.6
    for loss in (lambda s: bce_with_negatives(s, reduction=reduction), lambda s: bce_with_negatives(s, keep, reduction),
                 lambda s: bpr_loss_over_negatives(s, reduction), lambda s: sampled_softmax(s, reduction=reduction),
                 lambda s: sampled_softmax(s, log_q, ~keep[:, 1:], reduction)):
        assert gradcheck(loss, [s])


def test_a_nan_score_is_a_nan_loss_of_its_row_and_large_scores_stay_finite():
    s = np.zeros((3, 4))
    s[1, 2], s[2] = np.nan, [-1e4, 1e4, 0, 5e3]
    for loss in LOSSES:
        value = loss(tinydl.tensor(s), reduction="none").detach().numpy()
        assert np.isnan(value).tolist() == [False, True, False] and np.isfinite(value[2]) and value[2] > 1e3


def test_masked_columns_get_no_gradient(rng):
    out = np.array([[False, True, False, True], [True, True, True, True]])
    s = _scores(rng, 2, 5)
    sampled_softmax(s, accidental=out, reduction="sum").backward()
    g = s.grad.numpy()
    assert not g[:, 1:][out].any() and g[0, 1] and not g[1].any()  # with no negative left there is nothing to learn
    s = _scores(rng, 2, 5)
    bce_with_negatives(s, np.append([[True], [False]], ~out, axis=1), "sum").backward()
    assert (s.grad.numpy() != 0).tolist() == [[True, True, False, True, False], [False] * 5]


def test_a_negative_that_is_the_target_moves_nothing_in_bpr(rng):
    s = _scores(rng, 6)
    columns = np.array([[2, 2, 2], [4, 4, 4]])
    bpr_loss_over_negatives(s[columns]).backward()
    assert not s.grad.numpy().any()


# ---------------------------------------------------------------- sampled softmax as an estimate
def test_with_all_items_as_candidates_it_is_the_softmax(rng):
    s, target = _scores(rng, 5, 9), rng.integers(0, 9, 5)
    order = np.array([[t, *(i for i in range(9) if i != t)] for t in target])

    def value_and_gradient(loss):
        s.grad = None
        loss.backward()
        return np.append(loss.item(), s.grad.numpy())

    full = value_and_gradient(ops.cross_entropy(s, target))
    for log_q in (None, np.full((5, 9), 0.7)):
        sampled = sampled_softmax(s[np.arange(5)[:, None], order], log_q)
        np.testing.assert_allclose(value_and_gradient(sampled), full, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("masked", [False, True])
def test_corrected_gradients_approach_the_softmax_s_as_negatives_grow_and_others_do_not(rng, masked):
    """30 items drawn by popularity; the target is excluded from the draws, or drawn and masked."""
    n_items, target, rows = 30, 3, 400
    sampler, s = NegativeSampler(n_items, rng.random(n_items) ** 3 + 0.02), _scores(rng, n_items)
    full = np.exp(s.detach().numpy()) / np.exp(s.detach().numpy()).sum() - (np.arange(n_items) == target)

    def mean_gradient(n, corrected):
        users, targets = np.zeros(rows, int), np.full(rows, target)
        exclude = None if masked else targets
        negatives = sampler.sample(users, n, rng, exclude)
        log_q = sampler.log_expected_counts(users, negatives, exclude) if corrected else None
        s.grad = None
        sampled_softmax(s[np.append(targets[:, None], negatives, axis=1)], log_q, negatives == target).backward()
        return np.abs(s.grad.numpy() - full).sum()

    few, more, many = (mean_gradient(n, True) for n in (2, 40, 2000))
    assert few > 2 * more > 2 * many and many < 0.01
    assert min(mean_gradient(n, False) for n in (2, 40, 2000)) > 0.2


@pytest.mark.parametrize("log_c0, right", [("one", True), ("q", False)])
def test_the_target_s_own_correction_is_1_and_not_its_q(rng, log_c0, right):
    """A target that is always there is not one draw among others: with log q_0 the estimate misses the softmax."""
    sampler, s = NegativeSampler(20, rng.random(20) ** 2 + 0.01), _scores(rng, 20)
    users, targets = np.zeros(200, int), np.full(200, 5)
    full = np.exp(s.detach().numpy()) / np.exp(s.detach().numpy()).sum() - (np.arange(20) == 5)
    negatives = sampler.sample(users, 3000, rng, targets)
    log_q = sampler.log_expected_counts(users, negatives, targets)
    if log_c0 == "q":
        log_q = sampler.log_q[np.append(targets[:, None], negatives, axis=1)]
    sampled_softmax(s[np.append(targets[:, None], negatives, axis=1)], log_q).backward()
    assert (np.abs(s.grad.numpy() - full).max() < 0.005) == right


# ---------------------------------------------------------------- arguments
@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 2, 2)])
def test_scores_of_another_shape_are_refused(shape):
    for loss in LOSSES:
        with pytest.raises(ValueError, match=rf"^{loss.__name__}: got scores of shape .*want \(B, 1 \+ N\)"):
            loss(tinydl.zeros(*shape))


def test_masks_and_corrections_of_another_shape_are_refused():
    s = tinydl.zeros(3, 5)
    with pytest.raises(ValueError, match=r"got mask of bool, shape \(3, 4\), want True or False of shape \(3, 5\)"):
        bce_with_negatives(s, np.ones((3, 4), bool))
    with pytest.raises(ValueError, match="got mask of float64"):
        bce_with_negatives(s, np.ones((3, 5)))
    with pytest.raises(ValueError, match=r"got accidental of bool, shape \(3, 5\), want True or False of shape \(3, 4\)"):
        sampled_softmax(s, accidental=np.zeros((3, 5), bool))
    with pytest.raises(ValueError, match=r"log_q of shape \(5,\), want \(3, 5\) finite"):
        sampled_softmax(s, np.zeros(5))
    with pytest.raises(ValueError, match="with nan or inf, want"):
        sampled_softmax(s, np.full((3, 5), -np.inf))
