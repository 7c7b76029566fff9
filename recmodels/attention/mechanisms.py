"""What is done with scores: look everywhere (global, soft), in a window (local), at one place (hard), at oneself.

B sequences, T queries s (B, T, D), S keys h (B, S, E), values a (B, S, F), the keys where nothing else is given. Every
mechanism takes any score of `scores.py` and returns (context (B, T, F), weights (B, T, S)); the weights add up to 1 over
what may be seen, and are zeros where that is nothing. keep: booleans, True for what may be seen, (B, S), one row a
sequence, as `padding_mask` makes them, or (B, T, S), or (1, T, S), as `causal_mask` does.
"""

import numpy as np

from tinydl import Tensor, nn, ops
from tinydl.nn import init
from tinydl.nn.parameter import empty
from tinydl.random import generator


def padding_mask(lengths, S=None):
    """keep (B, S): the first lengths[b] places of each sequence"""
    lengths = np.asarray(lengths)
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or (lengths < 0).any():
        raise ValueError(f"padding_mask: got lengths of shape {lengths.shape} and {lengths.dtype}, want (B,) whole numbers "
                         "of at least 0")
    S = int(lengths.max(initial=0)) if S is None else S
    if (lengths > S).any():
        raise ValueError(f"padding_mask: got a length of {lengths.max()}, more than the {S} places")
    return np.arange(S) < lengths[:, None]


def causal_mask(T):
    """keep (1, T, T): place t sees the places up to t"""
    return np.tri(T, dtype=bool)[None]


def _three_axes(keep, B, T, S):
    """keep, or None, as booleans that broadcast to (B, T, S)."""
    if keep is None:
        return None
    keep = np.asarray(keep)
    if keep.dtype != bool or keep.shape not in ((B, S), (1, T, S), (B, T, S)):
        raise ValueError(f"attention: got a mask {keep.shape} of {keep.dtype}, want booleans, True for what may be seen, of "
                         f"shape {(B, S)}, one row a sequence, or {(B, T, S)}")
    return keep[:, None] if keep.ndim == 2 else keep


class GlobalAttention(nn.Module):
    """alpha_t = softmax_i(score(s_t, h_i)),   context_t = sum_i alpha_ti a_i: the soft attention of Xu et al. 2015, and the
    global one of Luong et al. 2015 (section 3.1). Differentiable everywhere.

    >>> from recmodels.attention import Dot
    >>> from tinydl import randn
    >>> context, weights = GlobalAttention(Dot(2))(randn(1, 3, 2), randn(1, 5, 2))
    >>> context.shape, weights.shape
    ((1, 3, 2), (1, 3, 5))
    """

    def __init__(self, score):
        self.score = score

    def forward(self, s, h, values=None, keep=None):
        e = self.score(s, h)
        weights = ops.masked_softmax(e, _three_axes(keep, *e.shape))
        return ops.matmul(weights, h if values is None else values), weights


class SelfAttention(GlobalAttention):
    """Queries and keys are the same sequence x (B, T, D): context_t = sum_i softmax_i(score(x_t, x_i)) x_i

    causal=True: place t sees the places up to t, so that what comes later never changes what was (Cheng et al. 2016; with
    maps of its own for queries, keys and values, and several heads: `tinydl.nn.MultiheadAttention`).
    """

    def __init__(self, score, causal=False):
        super().__init__(score)
        self.causal = causal

    def forward(self, x, keep=None):
        B, T, _ = x.shape
        if self.causal:
            keep = causal_mask(T) if keep is None else causal_mask(T) & _three_axes(keep, B, T, T)
        return super().forward(x, x, keep=keep)


class LocalAttention(nn.Module):
    """Attention to the keys near p_t only:   alpha_t = softmax_i(score(s_t, h_i)),   |i - p_t| <= window

    Monotonic (predictive=False): p_t = t. Predictive: p_t = (S - 1) sigmoid(v_p' tanh(W_p s_t)), S the keys that may be
    seen, and scores fall by (i - p_t)^2 / (2 sigma^2), sigma = window / 2, which is how the gradient reaches W_p (A, D) and
    v_p (A,), A = `hidden`. (Luong et al. 2015, section 3.2. The paper multiplies the weights with the Gaussian after the
    softmax, so that they add up to less than 1; here it is inside. Its places are 1 .. S, ours 0 .. S - 1.)
    """

    def __init__(self, score, window, predictive=False, query_size=None, hidden=None, *, rng=None):
        if window < (1 if predictive else 0) or predictive and query_size is None:
            raise ValueError(f"LocalAttention: got window={window} and query_size={query_size}, want a window of at least "
                             "0, and to predict the place a window of at least 1 and the queries' size")
        self.score, self.window, self.predictive = score, window, predictive
        if predictive:
            A = query_size if hidden is None else hidden
            self.W_p = init.xavier_uniform_(empty(A, query_size), rng=rng)
            self.v_p = init.uniform_(empty(A), -A**-0.5, A**-0.5, rng)

    def places(self, s, S):
        """p_t (B or 1, T, 1), for S keys, a number or one for each sequence"""
        if not self.predictive:
            return np.arange(s.shape[1])[None, :, None]
        share = ops.sigmoid(ops.matmul(ops.tanh(ops.linear(s, self.W_p)), self.v_p))  # (B, T)
        last = np.maximum(np.reshape(S, (-1, 1)) - 1, 0).astype(s.dtype)
        return ops.expand_dims(share * last, axis=2)

    def forward(self, s, h, values=None, keep=None):
        e = self.score(s, h)
        B, T, S = e.shape
        keep = _three_axes(keep, B, T, S)
        p = self.places(s, S if keep is None else np.sum(np.any(keep, axis=1), axis=1))
        distance = np.arange(S).astype(s.dtype) - p  # (B, T, S)
        near = np.absolute(distance.data if isinstance(distance, Tensor) else distance) <= self.window
        if self.predictive:
            e = e - distance * distance * (2 / self.window**2)
        weights = ops.masked_softmax(e, near if keep is None else near & keep)
        return ops.matmul(weights, h if values is None else values), weights


class HardAttention(nn.Module):
    """One place instead of a mean: i_t ~ alpha_t = softmax_i(score(s_t, h_i)),   context_t = a_{i_t}   (Xu et al. 2015, 4.1)

    Returns (context, weights, place (B, T)). The place is drawn in training, from `rng`, and the likeliest in evaluation. No
    gradient goes through the draw: `reinforce_loss` gives the score one. Where nothing may be seen the context is 0.
    """

    def __init__(self, score, *, rng=None):
        self.score, self.rng = score, None if rng is None else generator(rng)

    def forward(self, s, h, values=None, keep=None):
        e = self.score(s, h)
        B, T, S = e.shape
        weights = ops.masked_softmax(e, _three_axes(keep, B, T, S))
        if self.training:
            reached = np.cumsum(weights.data, axis=2, dtype=np.float64)
            drawn = generator(self.rng).random((B, T, 1)) * reached[..., -1:]
            place = np.sum(reached <= drawn, axis=2)
            place = np.minimum(place, S - 1)  # where nothing may be seen, none is reached
        else:
            place = np.argmax(weights.data, axis=2)
        chosen = (np.arange(S) == place[..., None]) & (weights.data > 0)
        return ops.matmul(chosen.astype(e.dtype), h if values is None else values), weights, place


def log_probability(weights, place):
    """sum_t log alpha_t,i_t over a sequence's queries, without those that saw nothing.  (B, T, S), (B, T) -> (B,)"""
    p = ops.sum(weights * (np.arange(weights.shape[2]) == place[..., None]).astype(weights.dtype), axis=2)
    return ops.sum(ops.log(ops.where(p.data > 0, p, 1)), axis=1)


def entropy(weights):
    """-sum_ti alpha_ti log alpha_ti of each sequence.  (B, T, S) -> (B,)"""
    return -ops.sum(weights * ops.log(ops.where(weights.data > 0, weights, 1)), axis=(1, 2))


def reinforce_loss(log_likelihood, weights, place, baseline=0.0, lambda_r=1.0, lambda_e=0.01):
    """L = -mean_b [log p(y | places) + lambda_r (log p(y | places) - baseline) log p(places) + lambda_e H(alpha)]

    log_likelihood (B,): log p(y | places, a) of each sequence, a tensor. The factor (log p - baseline) is a number: the
    mean of dL over draws is, with lambda_r = 1 and lambda_e = 0, the gradient of -sum_places p(places) log p(y | places),
    the bound that the paper trains; a baseline changes its variance only (Williams 1992; Xu et al. 2015, eq. 12).
    """
    if log_likelihood.shape != weights.shape[:1]:
        raise ValueError(f"reinforce_loss: got a log-likelihood of shape {log_likelihood.shape} for weights {weights.shape}"
                         f", want one number a sequence, {weights.shape[:1]}: sum it over the steps")
    reward = log_likelihood.data - baseline
    gain = log_likelihood + (lambda_r * reward) * log_probability(weights, place)
    return -ops.mean(gain + lambda_e * entropy(weights))


class MovingBaseline:
    """b = momentum b + (1 - momentum) mean_b log p(y | places): what to expect, so that REINFORCE weighs the surprise only

    (Xu et al. 2015, section 4.1; momentum .9.) The first batch sets b.
    """

    def __init__(self, momentum=0.9):
        self.momentum, self.value = momentum, None

    def update(self, log_likelihood):
        """b before this batch, or of this batch if it is the first; then b moves."""
        now = float(np.mean(log_likelihood.data))
        before = now if self.value is None else self.value
        self.value = self.momentum * before + (1 - self.momentum) * now
        return before
