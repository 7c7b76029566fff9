"""The softmax over a whole catalogue as a loss, without the (N, I) array of scores between: a block of rows at a time.

A batch of N = 400 positions in a catalogue of I = 5,000 items has two million scores. Written out, read for the maximum, for
the exponentials, for their sum and again for the gradient, they cost more time than the products; here a kernel does all of
that to one row while it is in the innermost cache, a block of rows is multiplied out at once (Wijmans et al. 2025, "Cut your
losses in large-vocabulary language models", never store them either), and parts of the batch share the cores. Without r the
numbers are those of `F.cross_entropy(h @ W.T + b, target)`.
"""

import numpy as np

from tinydl import Tensor, kernels
from tinydl.nn import functional as F
from tinydl.op import is_grad_enabled, op
from tinydl.ops import scatter
from tinydl.ops.through_time import any_tensor, in_full

from .kernels import catalogue_loss

PARTS = 4  # of a batch, which the cores share; each has a W's gradient of its own
BLOCK = 1 << 20  # scores that a part holds at a time: four megabytes


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
        return in_full(lambda *inputs: _formula(*inputs, target, smoothing), (h, W, b, r))
    N, n_items = len(h), len(W)
    parts, size = kernels.cuts(N, PARTS), max(1, BLOCK // n_items)
    dh = np.empty_like(h) if wanted else None
    total, dW = np.zeros(len(parts)), np.empty((len(parts), *W.shape) if wanted else 0, h.dtype)
    db, dr = (np.zeros((len(parts), len(x)), h.dtype) for x in (b, r))

    def run(task):
        number, part = task
        for first in range(part.start, part.stop, size):
            rows = slice(first, min(first + size, part.stop))
            z = h[rows] @ W.T
            total[number] += catalogue_loss(z, b, r, target[rows], smoothing, N, wanted, db[number], dr[number])
            if wanted:
                np.matmul(z, W, out=dh[rows])
                if first == part.start:
                    np.matmul(z.T, h[rows], out=dW[number])
                else:
                    dW[number] += z.T @ h[rows]

    kernels.side_by_side(run, list(enumerate(parts)))
    gradients = [dh, *(np.sum(part, axis=0) for part in (dW, db, dr))] if wanted else None

    def pullback(dy, needs):
        return [gradient * dy for gradient in gradients]

    return np.asarray(np.sum(total) / N, h.dtype), pullback


def _formula(h, W, b, r, target, smoothing):
    n, a = np.nonzero(target[:, 1:] >= 0)
    z = h @ W.T + b + scatter(r[a], index=(n, target[n, 1 + a]), shape=(len(target), W.shape[0]))
    logp = F.log_softmax(z, 1)
    return (1 - smoothing) * F.nll_loss(logp, target[:, 0]) - smoothing * logp.mean()
