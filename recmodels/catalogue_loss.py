"""The softmax over a whole catalogue as a loss, without the (N, I) array of scores between: a block of rows at a time.

A batch of N = 400 positions in a catalogue of I = 5,000 items has two million scores. Written out, read for the maximum, for
the exponentials, for their sum and again for the gradient, they cost more time than the products; a block of them stays in
the processor's cache, and their gradient is multiplied out at once (Wijmans et al. 2025, "Cut your losses in
large-vocabulary language models", never store them either). Without r the numbers are those of
`F.cross_entropy(h @ W.T + b, target)`.
"""

import numpy as np

from tinydl import Tensor
from tinydl.nn import functional as F
from tinydl.op import is_grad_enabled, op
from tinydl.ops import scatter
from tinydl.ops.through_time import any_tensor, gradient_with_graph, own_names

BLOCK = 1 << 18  # scores that are held at a time: a megabyte


def catalogue_cross_entropy(h, W, b, r, target, smoothing=0.0):
    """L = -1/N sum_n sum_i q_ni log softmax(z_n)_i,   z_ni = <W_i, h_n> + b_i + sum_a r_a [i = target_n,1+a]
    q_ni = (1 - smoothing) [i = target_n0] + smoothing / I

    h (N, D), W (I, D), b (I,), r (A,), target (N, 1 + A) item codes -> (): column 0 is what came next, column 1 + a what had
    come a steps before the last one, -1 for nothing. smoothing: of labels, as PyTorch's label_smoothing has it (Szegedy et
    al. 2016, section 7).
    """
    target = target._data if isinstance(target, Tensor) else np.asarray(target)
    if not (h.ndim == W.ndim == target.ndim == 2 and r.ndim == 1) or (
            b.shape, h.shape[1], target.shape) != (W.shape[:1], W.shape[1], (h.shape[0], 1 + r.shape[0])):
        raise ValueError(f"catalogue_cross_entropy: got h {h.shape}, W {W.shape}, b {b.shape}, r {r.shape} and targets "
                         f"{target.shape}, want (N, D), (I, D), (I,), (A,) and (N, 1 + A)")
    if len(target) == 0:
        raise ValueError("catalogue_cross_entropy: got no rows; the mean over nothing does not exist")
    if target.dtype.kind not in "iu" or target[:, 0].min() < 0 or target.min() < -1 or target.max() >= len(W):
        raise ValueError(f"catalogue_cross_entropy: got targets of {target.dtype} from {target[:, 0].min()} to "
                         f"{target.max()}, want whole numbers from 0 to {len(W) - 1}, the codes of the catalogue, or -1 "
                         "for nothing in all columns but the first")
    if not 0 <= smoothing < 1:
        raise ValueError(f"catalogue_cross_entropy: got smoothing={smoothing!r}, want a part from 0 to below 1")
    wanted = is_grad_enabled() and any(isinstance(x, Tensor) and x.requires_grad for x in (h, W, b, r))
    return _catalogue_cross_entropy(h, W, b, r, target=target, smoothing=float(smoothing), wanted=wanted)


@op(joint=True)
def _catalogue_cross_entropy(h, W, b, r, target=None, smoothing=0.0, wanted=True):
    """dz = (softmax(z) - q) dL / N;   dh = dz W,   dW = dz' h,   db = sum_n dz_n,   dr_a = sum_n dz at target_n,1+a

    The gradients are made beside the value, while a block's scores are there, if they are `wanted`.
    """
    if any_tensor((h, W, b, r)):  # to be differentiated again: the formula
        inputs = own_names((h, W, b, r))
        return (y := _formula(*inputs, target, smoothing)), gradient_with_graph(y, inputs)
    N, n_items = len(h), len(W)
    size = max(1, BLOCK // n_items)
    total, gradients = 0.0, [np.empty_like(h), *map(np.zeros_like, (W, b, r))] if wanted else None
    for first in range(0, N, size):
        rows = slice(first, first + size)
        z = h[rows] @ W.T
        z += b
        before = [(a, n := np.flatnonzero(column >= 0), column[n]) for a, column in enumerate(target[rows, 1:].T)]
        for a, n, i in before:
            z[n, i] += r[a]
        z -= z.max(axis=1, keepdims=True)
        n, t = np.arange(len(z)), target[rows, 0]
        of_target, mean = z[n, t], z.mean(axis=1) if smoothing else 0.0
        np.exp(z, out=z)
        s = z.sum(axis=1)
        total += float(np.sum(np.log(s) - (1 - smoothing) * of_target - smoothing * mean, dtype=np.float64))
        if wanted:
            z *= (1 / (N * s))[:, None]
            if smoothing:
                z -= smoothing / (n_items * N)
            z[n, t] -= (1 - smoothing) / N
            np.matmul(z, W, out=gradients[0][rows])
            gradients[1] += z.T @ h[rows]
            gradients[2] += z.sum(axis=0)
            for a, n, i in before:
                gradients[3][a] += z[n, i].sum()

    def pullback(dy, needs):
        return [gradient * dy for gradient in gradients]

    return np.asarray(total / N, h.dtype), pullback


def _formula(h, W, b, r, target, smoothing):
    n, a = np.nonzero(target[:, 1:] >= 0)
    z = h @ W.T + b + scatter(r[a], index=(n, target[n, 1 + a]), shape=(len(target), W.shape[0]))
    logp = F.log_softmax(z, 1)
    return (1 - smoothing) * F.nll_loss(logp, target[:, 0]) - smoothing * logp.mean()
