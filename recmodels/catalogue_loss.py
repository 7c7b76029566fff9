"""The softmax over a whole catalogue as a loss, without the (N, I) array of scores between: a block of rows at a time.

A batch of N = 400 positions in a catalogue of I = 5,000 items has two million scores. Written out, read for the maximum, for
the exponentials, for their sum and again for the gradient, they cost more time than the products; a block of them stays in
the processor's cache, and their gradient is multiplied out at once (Wijmans et al. 2025, "Cut your losses in
large-vocabulary language models", never store them either). The numbers are `F.cross_entropy(h @ W.T + b, target)`'s.
"""

import numpy as np

from tinydl import Tensor
from tinydl.nn import functional as F
from tinydl.op import is_grad_enabled, op
from tinydl.ops.through_time import any_tensor, gradient_with_graph, own_names

BLOCK = 1 << 18  # scores that are held at a time: a megabyte


def catalogue_cross_entropy(h, W, b, target, smoothing=0.0):
    """L = -1/N sum_n sum_i q_ni log softmax(W h_n + b)_i,   q_n = (1 - smoothing) [i = t_n] + smoothing / I

    h (N, D), W (I, D), b (I,), targets t (N,) item codes -> (). smoothing: of labels, as PyTorch's label_smoothing has it
    (Szegedy et al. 2016, section 7).
    """
    target = target._data if isinstance(target, Tensor) else np.asarray(target)
    if h.ndim != 2 or W.ndim != 2 or b.shape != W.shape[:1] or h.shape[1] != W.shape[1] or target.shape != h.shape[:1]:
        raise ValueError(f"catalogue_cross_entropy: got h {h.shape}, W {W.shape}, b {b.shape} and targets {target.shape}, "
                         "want (N, D), (I, D), (I,) and (N,)")
    if len(target) == 0:
        raise ValueError("catalogue_cross_entropy: got no rows; the mean over nothing does not exist")
    if target.dtype.kind not in "iu" or target.min() < 0 or target.max() >= len(W):
        raise ValueError(f"catalogue_cross_entropy: got targets of {target.dtype} from {target.min()} to {target.max()}, "
                         f"want whole numbers from 0 to {len(W) - 1}, the codes of the catalogue")
    if not 0 <= smoothing < 1:
        raise ValueError(f"catalogue_cross_entropy: got smoothing={smoothing!r}, want a part from 0 to below 1")
    wanted = is_grad_enabled() and any(isinstance(x, Tensor) and x.requires_grad for x in (h, W, b))
    return _catalogue_cross_entropy(h, W, b, target=target, smoothing=float(smoothing), wanted=wanted)


@op(joint=True)
def _catalogue_cross_entropy(h, W, b, target=None, smoothing=0.0, wanted=True):
    """dz = (softmax(z) - q) dL / N for z = h W' + b;   dh = dz W,   dW = dz' h,   db = sum_n dz_n

    The gradients are made beside the value, while a block's scores are there, if they are `wanted`.
    """
    if any_tensor((h, W, b)):  # to be differentiated again: the formula
        inputs = own_names((h, W, b))
        return (y := _formula(*inputs, target, smoothing)), gradient_with_graph(y, inputs)
    N, n_items = len(h), len(W)
    size = max(1, BLOCK // n_items)
    total, gradients = 0.0, [np.empty_like(h), np.zeros_like(W), np.zeros_like(b)] if wanted else None
    for first in range(0, N, size):
        rows = slice(first, first + size)
        z = h[rows] @ W.T
        z += b
        z -= z.max(axis=1, keepdims=True)
        n, t = np.arange(len(z)), target[rows]
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

    def pullback(dy, needs):
        return [gradient * dy for gradient in gradients]

    return np.asarray(total / N, h.dtype), pullback


def _formula(h, W, b, target, smoothing):
    logp = F.log_softmax(h @ W.T + b, 1)
    return (1 - smoothing) * F.nll_loss(logp, target) - smoothing * logp.mean()
