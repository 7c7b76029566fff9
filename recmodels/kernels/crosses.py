"""Crossed features: the code of "this category and that one" for the wide part of Wide & Deep."""

import numpy as np

from tinydl.kernels import kernel


def _cross_codes_reference(left, right, start, width):
    codes = start + left[:, :, None] * width + right[:, None, :]
    return np.reshape(np.where(right[:, None, :] > 0, codes, 0), (len(left), left.shape[1] * right.shape[1]))


@kernel(_cross_codes_reference)
def cross_codes(left, right, start, width):
    """code(b, f, l) = start + left_bf * width + right_bl, 0 where right_bl = 0 (no such category).

    (B, F), (B, L) -> (B, F L), int64; width: how many codes the right side has.
    """
    B, F = left.shape
    L = right.shape[1]
    codes = np.zeros((B, F * L), np.int64)
    for b in range(B):
        for f in range(F):
            for n in range(L):
                if right[b, n] > 0:
                    codes[b, f * L + n] = start + left[b, f] * width + right[b, n]
    return codes
