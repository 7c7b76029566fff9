"""The losses as modules. Formulas and shape rules are in `tinydl.ops.loss`; reduction is "mean", "sum" or "none"."""

import numpy as np

from .. import ops
from ..tensor import Tensor, get_default_dtype
from .module import Module


class _Loss(Module):
    def __init__(self, *, reduction="mean"):
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f"{type(self).__name__}: got reduction={reduction!r}, want 'mean', 'sum' or 'none'")
        self.reduction = reduction


class MSELoss(_Loss):
    """L = (p - t)^2"""

    def forward(self, prediction, target):
        return ops.mse_loss(prediction, target, self.reduction)


class L1Loss(_Loss):
    """L = |p - t|"""

    def forward(self, prediction, target):
        return ops.l1_loss(prediction, target, self.reduction)


class HuberLoss(_Loss):
    """L = d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2)"""

    def __init__(self, reduction="mean", delta=1.0):
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, prediction, target):
        return ops.huber_loss(prediction, target, self.reduction, self.delta)


class BCELoss(_Loss):
    """L = -t log p - (1 - t) log(1 - p), on probabilities"""

    def forward(self, probability, target):
        return ops.binary_cross_entropy(probability, target, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """BCELoss of sigmoid(x), without its rounding; t = 1 counts pos_weight times: a number, or one a class (C,)"""

    def __init__(self, *, reduction="mean", pos_weight=None):
        super().__init__(reduction=reduction)
        weight = pos_weight._data if isinstance(pos_weight, Tensor) else pos_weight
        self.register_buffer("pos_weight", None if weight is None else np.array(weight, get_default_dtype()))

    def forward(self, logit, target):
        return ops.binary_cross_entropy_with_logits(logit, target, self.reduction, self.pos_weight)


class CrossEntropyLoss(_Loss):
    """L = -log softmax(x)[t]"""

    def __init__(self, *, reduction="mean", ignore_index=-100):
        super().__init__(reduction=reduction)
        self.ignore_index = ignore_index

    def forward(self, logits, target):
        return ops.cross_entropy(logits, target, self.reduction, self.ignore_index)


class NLLLoss(_Loss):
    """L = -log p[t], on log-probabilities"""

    def __init__(self, *, reduction="mean", ignore_index=-100):
        super().__init__(reduction=reduction)
        self.ignore_index = ignore_index

    def forward(self, log_probability, target):
        return ops.nll_loss(log_probability, target, self.reduction, self.ignore_index)


class KLDivLoss(_Loss):
    """L = t (log t - log p); reduction="batchmean" divides by the batch, which is the mathematical KL divergence"""

    def __init__(self, *, reduction="mean", log_target=False):
        super().__init__(reduction="mean" if reduction == "batchmean" else reduction)
        self.reduction, self.log_target = reduction, log_target

    def forward(self, log_probability, target):
        return ops.kl_div(log_probability, target, self.reduction, self.log_target)


class BPRLoss(_Loss):
    """L = -log sigmoid(s_positive - s_negative)"""

    def forward(self, positive, negative):
        return ops.bpr_loss(positive, negative, self.reduction)
