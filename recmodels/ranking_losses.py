"""Losses that make a target rank above a few sampled items. scores (B, 1 + N): column 0 the positive, the others negatives.

    bce_with_negatives        each column alone: was it chosen?            0/1, so scores are log-odds
    bpr_loss_over_negatives   pairs: does the positive score higher?       only differences count
    sampled_softmax           the list: which of all items was chosen?     nearest to what top-n lists are measured by

Negatives come from `NegativeSampler`. `reduction`: "mean" over rows, "sum" or "none" (B,).
"""

import numpy as np

from tinydl import ops


def _check(name, scores):
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ValueError(f"{name}: got scores of shape {scores.shape}, want (B, 1 + N) with N >= 1: the positive, then its "
                         "negatives")


def _reduced(name, loss, reduction):
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{name}: got reduction={reduction!r}, want 'mean', 'sum' or 'none'")
    if reduction == "mean" and loss.shape == (0,):
        raise ValueError(f"{name}: the mean over an empty batch does not exist; leave such batches out, or pass "
                         "reduction='sum'")
    return {"mean": ops.mean, "sum": ops.sum, "none": lambda x: x}[reduction](loss)


def _flags(name, what, flags, shape):
    flags = np.asarray(flags)
    if flags.shape != shape or flags.dtype != bool:
        raise ValueError(f"{name}: got {what} of {flags.dtype}, shape {flags.shape}, want True or False of shape {shape}")
    return flags


def bce_with_negatives(scores, mask=None, reduction="mean"):
    """L_b = softplus(-s_b0) + sum_n softplus(s_bn): BCE of the sigmoids with targets 1, 0, .., 0 (He et al. 2017, eq. 7)

    scores (B, 1 + N). mask (B, 1 + N) of bool, None for all: columns that count. The positives are 1 of 1 + N examples, so
    the sigmoid is the probability among such, not in the catalogue; the order of items is not touched by that.
    """
    _check("bce_with_negatives", scores)
    sign = np.ones(scores.shape[1], scores.dtype)
    sign[0] = -1
    loss = ops.softplus(scores * sign)  # (B, 1 + N)
    if mask is not None:
        loss = ops.where(_flags("bce_with_negatives", "mask", mask, scores.shape), loss, 0)
    return _reduced("bce_with_negatives", ops.sum(loss, axis=1), reduction)


def bpr_loss_over_negatives(scores, reduction="mean"):
    """L_b = 1/N sum_n -log sigmoid(s_b0 - s_bn): tinydl's BPR, for N negatives a positive   (Rendle et al. 2009)

    scores (B, 1 + N). A negative that is the target itself adds log 2 and no gradient, so nothing needs a mask.
    """
    _check("bpr_loss_over_negatives", scores)
    negative = scores[:, 1:]
    pairs = ops.bpr_loss(ops.broadcast_to(scores[:, :1], shape=negative.shape), negative, reduction="none")
    return _reduced("bpr_loss_over_negatives", ops.mean(pairs, axis=1), reduction)


def sampled_softmax(scores, log_q=None, accidental=None, reduction="mean"):
    """L_b = -log softmax(s_b - log q_b)_0: cross-entropy of the target among the columns   (Bengio and Senecal 2008)

    scores (B, 1 + N). log_q (B, 1 + N), None for zeros: a negative stands for the 1 / c items like it that were not
    drawn, so c = exp(log_q) is how often the column's item is expected, up to a factor of the row:
    `NegativeSampler.log_expected_counts`. With it the loss and its gradient are those of the softmax over all items as
    N grows. The target's own c is 1, not N q_0: it is in its row for certain, whatever q is. (log q_i in *every* column
    suits a sampler that may draw the target and is not masked; Ma and Collins 2018, the ranking form of NCE.)
    accidental (B, N) of bool: negatives that equal the target; they leave the sum.
    """
    _check("sampled_softmax", scores)
    if log_q is not None:
        log_q = np.asarray(log_q)
        if log_q.shape != scores.shape or not np.isfinite(log_q).all():
            raise ValueError(f"sampled_softmax: got log_q of shape {log_q.shape}" +
                             (" with nan or inf" if log_q.shape == scores.shape else "") + f", want {scores.shape} finite "
                             "numbers, one for each score: an item that is drawn has a probability above 0")
        scores = scores - log_q
    if accidental is not None:
        B, N = scores.shape[0], scores.shape[1] - 1
        out = _flags("sampled_softmax", "accidental", accidental, (B, N))
        scores = ops.where(np.concatenate([np.zeros((B, 1), bool), out], axis=1), -np.inf, scores)
    loss = -ops.log_softmax(scores, axis=1)[:, 0]
    return _reduced("sampled_softmax", loss, reduction)


LOSSES = {  # by name, as functions of scores (B, 1 + N) and the sampler's log c, a tensor of the same shape
    "bpr": lambda scores, log_c: bpr_loss_over_negatives(scores),
    "sampled-softmax": lambda scores, log_c: sampled_softmax(scores, log_c.numpy())}
