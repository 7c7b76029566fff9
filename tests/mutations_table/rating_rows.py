"""Mutations of models that read rows of ratings: products at known places, batches of rows, AutoRec, the RBM."""

from .common import KERNELS

CHAPTERS = [
    ("recmodels/kernels/ratings.py", f"recmodels/test_sampled.py {KERNELS} -k 'equal_to_dense or tiles or sparse_matmul'", [
        ("np.add.at(y, i, x[:, None] * b[j])", "y[i] += x[:, None] * b[j]"),
        ("min(D, (tile + 1) * TILE)", "min(D, TILE)"),
        ("y_n[d] += x_n * b_n[d]", "y_n[d] = x_n * b_n[d]"),
    ]),
    ("recmodels/sampled.py", "recmodels/test_sampled.py", [
        ("lambda dy: _sampled_matmul(dy, b, i=i, j=j),", "lambda dy: _sampled_matmul(b, dy, i=j, j=i) * 2,"),
        ("_sparse_matmul(x, dy, i=j, j=i, size=columns))", "_sparse_matmul(x * x, dy, i=j, j=i, size=columns))"),
        ("_sparse_matmul(dy, a, i=j, j=i, size=columns))", "_sparse_matmul(dy, a * a, i=j, j=i, size=columns))"),
        ("if i.shape != np.shape(x):", "if False:"),
    ]),
    ("recmodels/rating_rows.py", "recmodels/test_rating_rows.py recmodels/test_autorec.py", [
        ("np.lexsort((columns, rows))", "np.argsort(rows, kind=\"stable\")"),
        ("np.flatnonzero(np.diff(self._wanted[0]))", "np.arange(size)"),
        ("(items, users) if self.by == \"item\" else (users, items)", "(items, users)"),
        ("return scores + self._base(users, items)", "return scores"),
    ]),
    ("recmodels/models/autorec.py", "recmodels/test_autorec.py", [
        ("m = self.denoise(np.ones(len(i), self.mu.dtype))", "m = np.ones(len(i), self.mu.dtype)"),
        ("self._hidden(x * m, m, i, j, len(rows))", "self._hidden(x, m, i, j, len(rows))"),
        ("self.dropout(self._hidden(", "(self._hidden("),
        (" + self.b(q).reshape(-1)", ""),
        ("self.V.weight, i, j, size) + self.mu", "self.V.weight, i, j, size)"),
        ("sparse_matmul(m, self.D.weight, i, j, size)", "sparse_matmul(m, self.V.weight, i, j, size)"),
        ("        if self.biases:\n", "        if True:\n"),
        ("return ratings - self._base(users, items)", "return ratings - self.mean_"),
    ]),
    ("recmodels/models/rbm_cf.py", "recmodels/test_rbm_cf.py", [
        ("return -a.sum() - ops.softplus(", "return a.sum() - ops.softplus("),
        ("ops.softplus(self._input(x, i, j, size)).sum()", "ops.softplus(self._input(x, i, j, size)).mean()"),
        ("(self.rng.random(p.shape, p.dtype) < p)", "(0.5 < p)"),
        ("(until[:, :-1] <= u).sum(axis=1)", "(until[:, 1:] <= u).sum(axis=1)"),
        ("for _ in range(self.k):", "for _ in range(1):"),
        ("self.free_energy(x, i, j, size) - self.free_energy(v, i, j, size)", "self.free_energy(x, i, j, size)"),
        ("return self.p_levels(h, p, q) @ self.levels", "return self.p_levels(h, p, q) @ np.arange(5.0)"),
        ("_array(columns)[:, None] * C + np.arange(C)", "_array(columns)[:, None] + np.arange(C)"),
        ("np.sign(np.diag(R))", "np.abs(np.sign(np.diag(R)))"),
        ("if wrong.any():", "if False:"),
        ("1 <= self.order < len(levels)", "1 <= self.order <= len(levels)"),
        ("share = count + K *", "share = count + 1 *"),
    ]),
]
