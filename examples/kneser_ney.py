"""An n-gram model of characters with interpolated Kneser-Ney smoothing: what a model with a memory must beat."""

import numpy as np

START = 0  # the code of what stands before each text


class KneserNey:
    """P_n(c | ctx) = max(k(ctx c) - D, 0) / k(ctx) + D u(ctx) / k(ctx) P_{n-1}(c | ctx without its first)

    k counts for the highest order occurrences, below it the different characters seen before (a lower order is asked only
    where the higher knows nothing, so it should know where c is new, not where it is frequent); u(ctx) is how many
    different characters follow. D = n_1 / (n_1 + 2 n_2), n_r the number of (ctx c) with k = r; 1/2 where n_1 = 0, since with
    D = 0 what is new would be impossible. P_0 = 1 / V.
    """

    def __init__(self, files, order, V):
        self.order, self.V, self.tables = order, V, {}
        codes = np.concatenate([self._grams(f, order) for f in files])
        for n in range(order, 0, -1):
            grams, counts = np.unique(codes, return_counts=True)
            contexts, start, following = np.unique(grams // V, return_index=True, return_counts=True)
            once, twice = np.sum(counts == 1), np.sum(counts == 2)
            D = once / (once + 2 * twice) if once else 0.5
            self.tables[n] = grams, counts, contexts, np.add.reduceat(counts, start), following, D
            codes = grams % V ** (n - 1)  # each different n-gram once: the character before is what is counted next

    def _grams(self, f, n):
        """One number for each character and the n - 1 before it; before a file stand STARTs.  (L,) -> (L,)"""
        padded = np.concatenate([np.full(n - 1, START), f])
        return sum(padded[n - 1 - k:len(padded) - k] * self.V**k for k in range(n))

    def bits(self, f):
        """-log2 P of each character of a file.  (L,) -> (L,)"""
        P = np.full(len(f), 1 / self.V)
        for n in range(1, self.order + 1):
            grams, counts, contexts, totals, following, D = self.tables[n]
            wanted = self._grams(f, n)
            k, (total, u) = _looked_up(grams, wanted, counts), _looked_up(contexts, wanted // self.V, totals, following)
            known = total > 0
            P[known] = (np.maximum(k - D, 0)[known] + D * u[known] * P[known]) / total[known]
        return -np.log2(P)


def _looked_up(keys, wanted, *columns):
    """Each column's value at the sorted key, 0 where there is no such key."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found = [np.where(keys[place] == wanted, column[place], 0) for column in columns]
    return found if len(found) > 1 else found[0]
