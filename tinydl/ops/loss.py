"""What a network is asked to make small. Shapes of prediction and target must be equal: no silent broadcasting.

`reduction` is "mean" (over all numbers), "sum" or "none", as in PyTorch. Each loss is a short formula on primitives, so
its gradient needs no rule of its own.
"""

import numpy as np

from ..op import op
from ..tensor import Tensor
from .activation import log_softmax, softplus
from .arithmetic import log, where
from .indexing import gather
from .reduction import mean, sum
from .shape import reshape


def _same_shape(name, prediction, target):
    target_shape = target.shape if hasattr(target, "shape") else np.shape(target)
    if prediction.shape != target_shape:
        raise ValueError(f"{name}: got a prediction of shape {prediction.shape} and a target of shape {target_shape}; "
                         "they must be equal (reshape one: (B,) against (B, 1) would compare everything with everything)")


def _reduce(name, loss, reduction):
    if reduction == "none":
        return loss
    if reduction not in ("mean", "sum"):
        raise ValueError(f"{name}: got reduction={reduction!r}, want 'mean', 'sum' or 'none'")
    if loss.shape and 0 in loss.shape and reduction == "mean":
        raise ValueError(f"{name}: the mean over an empty batch (shape {loss.shape}) does not exist; leave such batches "
                         "out, or pass reduction='sum'")
    return mean(loss) if reduction == "mean" else sum(loss)


@op
def _squared_error(prediction, target):
    """y = (p - t)^2;   dp = 2 (p - t) dy,   dt = -dp"""
    d = prediction - target
    return d * d, lambda dy: 2 * d * dy, lambda dy: -2 * d * dy


def mse_loss(prediction, target, reduction="mean"):
    """L = (p - t)^2"""
    _same_shape("mse_loss", prediction, target)
    return _reduce("mse_loss", _squared_error(prediction, target), reduction)


def l1_loss(prediction, target, reduction="mean"):
    """L = |p - t|"""
    _same_shape("l1_loss", prediction, target)
    return _reduce("l1_loss", np.absolute(prediction - target), reduction)


def huber_loss(prediction, target, reduction="mean", delta=1.0):
    """L = d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2);  d = p - t   (Huber 1964)"""
    _same_shape("huber_loss", prediction, target)
    d = prediction - target
    size = np.absolute(d)
    return _reduce("huber_loss", where(size <= delta, 0.5 * d * d, delta * (size - 0.5 * delta)), reduction)


@op
def _binary_cross_entropy(p, t):
    """y = -t log p - (1 - t) log(1 - p);   dp = dy (p - t) / (p (1 - p)),   dt = dy (log(1 - p) - log p)

    The logarithms are kept above -100 and dp's denominator above 1e-12, so that a certain and wrong p stays finite.
    """
    with np.errstate(divide="ignore"):
        yes, no = np.maximum(np.log(p), -100), np.maximum(np.log(1 - p), -100)
    return (-(t * yes + (1 - t) * no), lambda dy: dy * (p - t) / np.maximum(p * (1 - p), 1e-12),
            lambda dy: dy * (no - yes))


def binary_cross_entropy(probability, target, reduction="mean"):
    """L = -t log p - (1 - t) log(1 - p), the logarithms cut at -100 as in PyTorch. Prefer the version on logits."""
    _same_shape("binary_cross_entropy", probability, target)
    values = probability._data if isinstance(probability, Tensor) else probability
    if not np.all((values >= 0) & (values <= 1)):  # nan neither
        raise ValueError(f"binary_cross_entropy: got probabilities from {values.min():.4g} to {values.max():.4g}, want "
                         "[0, 1]; for unbounded scores use binary_cross_entropy_with_logits")
    return _reduce("binary_cross_entropy", _binary_cross_entropy(probability, target), reduction)


def binary_cross_entropy_with_logits(logit, target, reduction="mean", pos_weight=None):
    """L = w t softplus(-x) + (1 - t) softplus(x), which is BCE of sigmoid(x) without its rounding. w: pos_weight or 1."""
    _same_shape("binary_cross_entropy_with_logits", logit, target)
    positive = target * softplus(-logit)
    if pos_weight is not None:
        positive = positive * pos_weight
    return _reduce("binary_cross_entropy_with_logits", positive + (1 - target) * softplus(logit), reduction)


def nll_loss(log_probability, target, reduction="mean", ignore_index=-100):
    """L_b = -log p_b[t_b]. log_probability (B, C), (C,) or (B, C, ...), target (B,), () or (B, ...) of class numbers.

    Rows whose target is `ignore_index` count for nothing; the mean is over the others.
    """
    target = target._data if isinstance(target, Tensor) else np.asarray(target)
    if log_probability.ndim == 1 and target.ndim == 0:  # one row without a batch axis
        loss = nll_loss(reshape(log_probability, shape=(1, -1)), np.reshape(target, 1), reduction, ignore_index)
        return reshape(loss, shape=())
    wanted = log_probability.shape[:1] + log_probability.shape[2:] if log_probability.ndim > 1 else ()
    if target.shape != wanted or target.dtype.kind not in "iu":
        raise ValueError(f"nll_loss: got log-probabilities {log_probability.shape} and a target of shape {target.shape}, "
                         f"{target.dtype}; want integers of shape {wanted}")
    kept = target != ignore_index
    classes = log_probability.shape[1]
    if np.any(kept & ((target < 0) | (target >= classes))):
        bad = target[kept & ((target < 0) | (target >= classes))][0]
        raise IndexError(f"nll_loss: got class {bad}, want 0 <= class < {classes} (or ignore_index={ignore_index}): "
                         "count classes from 0, or make the last layer wider")
    picked = gather(log_probability, 1, np.expand_dims(np.where(kept, target, 0), 1))
    loss = where(kept, -np.reshape(picked, target.shape), 0)
    if reduction == "mean":
        if not kept.any():
            raise ValueError("nll_loss: every target is ignore_index; the mean over nothing does not exist")
        return sum(loss) / int(kept.sum())
    return _reduce("nll_loss", loss, reduction)


def cross_entropy(logits, target, reduction="mean", ignore_index=-100):
    """L_b = -log softmax(x_b)[t_b] for class numbers t (B,), or -sum_c t_bc log softmax(x_b)_c for probabilities (B, C)."""
    logp = log_softmax(logits, axis=1 if logits.ndim > 1 else 0)
    shape = target.shape if hasattr(target, "shape") else np.shape(target)
    if shape == logits.shape:
        return _reduce("cross_entropy", -sum(logp * target, axis=1 if logits.ndim > 1 else 0), reduction)
    return nll_loss(logp, target, reduction, ignore_index)


def kl_div(log_probability, target, reduction="mean", log_target=False):
    """L = t (log t - log p), 0 where t = 0; the first argument is log p, as in PyTorch. "batchmean" divides by B."""
    _same_shape("kl_div", log_probability, target)
    if log_target:
        loss = np.exp(target) * (target - log_probability)
    else:
        loss = target * (log(where(target > 0, target, 1.0)) - log_probability)
    if reduction == "batchmean":
        return sum(loss) / loss.shape[0]
    return _reduce("kl_div", loss, reduction)


def bpr_loss(positive, negative, reduction="mean"):
    """L = -log sigmoid(s_positive - s_negative): Bayesian personalised ranking (Rendle et al. 2009, section 4)."""
    _same_shape("bpr_loss", positive, negative)
    return _reduce("bpr_loss", softplus(negative - positive), reduction)
