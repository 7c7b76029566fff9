"""Expected metrics of lists with ties: the tied items stand in a random order, and each metric is its exact mean over it.

A tie group has g items above it, n members, r of them relevant, and c relevant items above. Of its positions g + 1 ..
g + n the first m = min(n, k - g) are within the list. A member is relevant with probability r / n, and another one
then with probability (r - 1) / (n - 1): that is all that sums of hits and products of two hits need. Only where the
*number* of hits matters (hit rate; AP over the number of hits) the group that the list's end cuts is worked out in full:
X, its relevant items within the first m, is hypergeometric, built up by drawing one position after the other.
"""

import numpy as np

from tinydl.kernels import kernel


def _expected_metrics_reference(greater, equal, start, discount, by_hits):
    Q, k = len(start) - 1, len(discount)
    R = np.diff(start)
    query = np.repeat(np.arange(Q), R)
    near = greater < k
    # One entry a tie group: its query, g, n, r, and c by a running sum that starts anew with each query.
    key, index, r = np.unique(np.stack([query, greater])[:, near], axis=1, return_index=True, return_counts=True)
    q, g, n = key[0], key[1], equal[near][index]
    before = np.cumsum(r) - r
    c = before - before[np.searchsorted(q, q)]
    m = np.minimum(n, k - g)
    cut = np.flatnonzero(m < n)  # at most one group a query
    sure = np.bincount(np.delete(q, cut), np.delete(r, cut), minlength=Q)  # hits that no tie decides

    hits = np.bincount(q, r * m / n, minlength=Q)
    gain, precisions = np.zeros(len(q)), _group_precisions(g, n, r, c, m)
    for j in range(k):
        inside = j < m
        gain[inside] += (r / n)[inside] * discount[(g + j)[inside]]
    gain, total = np.bincount(q, gain, minlength=Q), np.bincount(q, precisions, minlength=Q)

    chance = _hypergeometric(n[cut], r[cut], m[cut], k)  # (groups that are cut, k + 1)
    hit = (sure > 0).astype(np.float64)
    none = q[cut][sure[q[cut]] == 0]
    hit[none] = 1 - chance[sure[q[cut]] == 0, 0]
    if by_hits:
        whole = np.bincount(np.delete(q, cut), np.delete(precisions, cut), minlength=Q)
        total = np.divide(whole, sure, out=np.zeros(Q), where=sure > 0)
        total[q[cut]] = 0
        for x in range(k + 1):
            possible = (chance[:, x] > 0) & (c[cut] + x > 0)
            f = cut[possible]
            given = _group_precisions(g[f], m[f], np.full(len(f), x), c[f], m[f])
            total[q[f]] += chance[possible, x] * (whole[q[f]] + given) / (c[f] + x)
    some = np.maximum(R, 1)
    ideal = np.append(0.0, np.cumsum(discount))[np.minimum(R, k)]
    return np.stack([hit, hits / some, total, np.divide(gain, ideal, out=np.zeros(Q), where=ideal > 0)], axis=1)


def _group_precisions(g, n, r, c, m):
    """Expected sum of h_i P@i over the first m positions of a group with r relevant among n."""
    total, pair = np.zeros(len(g)), (r - 1) / np.maximum(n - 1, 1)
    for j in range(int(m.max(initial=0))):
        total += np.where(j < m, r / np.maximum(n, 1) * (c + 1 + j * pair) / (g + j + 1), 0)
    return total


def _hypergeometric(n, r, m, k):
    """P(X = x), x = 0 .. k: relevant items among the first m of n places that hold r."""
    chance, x = np.zeros((len(n), k + 1)), np.arange(k + 1)
    chance[:, 0] = 1
    for j in range(int(m.max(initial=0))):
        success = np.clip((r[:, None] - x) / np.maximum(n[:, None] - j, 1), 0, 1)
        drawn = chance * (1 - success)
        drawn[:, 1:] += (chance * success)[:, :-1]
        chance = np.where(j < m[:, None], drawn, chance)
    return chance


@kernel(_expected_metrics_reference)
def expected_metrics(greater, equal, start, discount, by_hits):
    """E[hit rate@k], E[Recall@k], E[sum_i<=k h_i P@i], E[nDCG@k] of each query, over the orders of tied items: (Q, 4)

    greater, equal (N,): how many candidates score higher than, or as high as, each relevant item (`rank_counts`), by
    start (Q + 1,). discount (k,): the gain of each place, 1 / log2(i + 1). by_hits: the third is divided by the number of
    hits within k, before the mean is taken (0 without hits). A query without relevant items has zeros.
    """
    Q, k = len(start) - 1, len(discount)
    result, chance = np.zeros((Q, 4)), np.zeros(k + 1)

    def group_precisions(g, n, r, c, m):
        total, pair = 0.0, (r - 1) / max(n - 1, 1)
        for j in range(m):
            total += r / n * (c + 1 + j * pair) / (g + j + 1)
        return total

    for q in range(Q):
        first, R = start[q], start[q + 1] - start[q]
        order = np.argsort(greater[first:start[q + 1]])
        hit, hits, total, gain, ideal = 0.0, 0.0, 0.0, 0.0, 0.0
        c, t, cut = 0, 0, False
        while t < R and greater[first + order[t]] < k:
            g, n, r = greater[first + order[t]], equal[first + order[t]], 0
            while t < R and greater[first + order[t]] == g:
                r += 1
                t += 1
            m = min(n, k - g)
            hits += r * m / n
            for j in range(m):
                gain += r / n * discount[g + j]
            if m == n:
                hit, total, c = 1.0, total + group_precisions(g, n, r, c, m), c + r
                continue
            cut = True  # the last group: the next one begins beyond k
            chance[:] = 0
            chance[0] = 1
            for j in range(m):
                for x in range(min(j + 1, r), 0, -1):
                    chance[x] = chance[x] * (1 - (r - x) / (n - j)) + chance[x - 1] * (r - x + 1) / (n - j)
                chance[0] *= 1 - r / (n - j)
            hit = 1.0 if c > 0 else 1 - chance[0]
            if not by_hits:
                total += group_precisions(g, n, r, c, m)
                continue
            sure, total = total, 0.0
            for x in range(min(m, r) + 1):
                if c + x > 0:
                    total += chance[x] * (sure + group_precisions(g, m, x, c, m)) / (c + x)
        if by_hits and not cut and c > 0:
            total /= c
        for i in range(min(R, k)):
            ideal += discount[i]
        result[q, 0], result[q, 1], result[q, 2] = hit, hits / max(R, 1), total
        result[q, 3] = gain / ideal if ideal > 0 else 0.0
    return result
