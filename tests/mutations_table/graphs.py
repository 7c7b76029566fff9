"""Mutations of graphs and of recommenders of implicit feedback."""

from tests.mutations_table.common import KERNELS

GRAPH, IMPLICIT = "recmodels/test_graph.py", "recmodels/test_implicit.py"

CHAPTERS = [
    ("recmodels/kernels/graph.py", f"{KERNELS} {GRAPH} -k 'neighbour or segment or gradients'", [
        ("len(columns) * (part + 1) // PARTS", "len(columns) * part // PARTS"),
        ("y_i[d] += w * x_n[d]", "y_i[d] = w * x_n[d]"),
        ("y = np.exp(e - top[row])", "y = np.exp(e)"),
        ("y * (dy - np.bincount", "y * (0 * dy - np.bincount"),
        ("de[n] = y[n] * (dy[n] - total)", "de[n] = y[n] * dy[n]"),
    ]),
    ("recmodels/graph.py", GRAPH, [
        ("np.lexsort((self.rows, self.columns))", "np.argsort(self.rows)"),
        ("pair = np.unique(users * n_items + items)", "pair = users * n_items + items"),
        ("lambda dy: _propagate(dy, graph=graph.T)", "lambda dy: _propagate(dy, graph=graph)"),
        ("alpha[graph.order]", "alpha"),
        ("np.bincount(items, minlength=n_items)[items])", "np.bincount(users, minlength=n_users)[users])"),
        ("frontier = new[place[new] < 0]", "frontier = new"),
        ("scale = degree / np.minimum(degree, neighbours)", "scale = 1.0"),
        ("np.lexsort((rng.random(len(edges)), row))", "np.arange(len(edges))[::-1]"),
        ("if (place[nodes] != np.arange(len(nodes))).any():", "if False:"),
    ]),
    ("recmodels/implicit_recommender.py", IMPLICIT, [
        ("(user >= 0) & (item >= 0) & ~np.isin(pairs, seen)", "(user >= 0) & (item >= 0)"),
        ("items] = -np.inf", "items] = 0"),
        ("np.append(self.start_, self.start_[-1])", "self.start_"),
        ("np.where(rows < 0, len(self.users_), rows)", "rows"),
        ("y[known] = self._finite(self._scores(rows[known]))", "y[known] = self._finite(self._scores(known))"),
        ("if exclude_seen:", "if True:"),
    ]),
    ("recmodels/implicit_evaluation.py", IMPLICIT, [
        (">= threshold\n", "> threshold\n"),
        ("exclude=seen,", "exclude=None,"),
        ("[item >= 0].any()", "[item < -1].any()"),
        ("side=\"right\")", "side=\"left\")"),
        ("cold_users=~np.isin(users, model.users_)", "cold_users=None"),
    ]),
    ("recmodels/implicit_network.py", IMPLICIT, [
        ("seen if pairwise else None", "None"),
        ("self.patience, mode=\"max\"", "self.patience, mode=\"min\""),
        ("self.best_epoch_ = stopping.best_epoch", "pass"),
        ("self.n_users + item.numpy()", "item.numpy()"),
        ("user, item = self.propagated(self.E(Tensor(nodes)), graph), place[:B], place[B:]",
         "user, item = self.propagated(self.E(Tensor(nodes)), graph), place[:B], item"),
        ("e[:self.n_users], e[self.n_users:]", "e[:self.n_users], e[self.n_users - 1:]"),
        ("super()._restore(state)\n        self._keep_vectors()", "super()._restore(state)"),
    ]),
    ("recmodels/models/lightgcn.py", IMPLICIT, [("total / (self.layers + 1)", "total"), ("total = total + x", "total = x")]),
    ("recmodels/models/ngcf.py", IMPLICIT, [("W_1(x + a)", "W_1(a)"), ("W_2(a * x)", "W_2(a)"), ("0.2)", "0.01)")]),
    ("recmodels/models/graph_attention.py", IMPLICIT, [
        ("* graph.degree[graph.rows]", "* 1 + 0 * graph.degree[graph.rows]"),
        ("[graph.rows] + right", "[graph.columns] + right"),
        ("/ np.sqrt(h.shape[1])", "* np.sqrt(h.shape[1])"),
        ("total = total + h", "total = h"),
        ("for before in range(layer):", "for before in range(0):"),
        ("np.argsort(-alpha[edges]", "np.argsort(alpha[edges]"),
        ("segment_softmax(e, graph.start)", "e"),
    ]),
    ("recmodels/models/ials.py", IMPLICIT, [
        ("G += everybody", "pass"),
        ("** self.nu)", "** 1)"),
        ("self.weight * len(H)) **", "self.weight) **"),
        ("h.sum(axis=0)", "h.mean(axis=0)"),
    ]),
    ("recmodels/splits.py", f"{IMPLICIT} -k each_user", [
        ("np.maximum(border, 1)", "np.maximum(border, 0)"),
        ("order = np.lexsort((np.random.default_rng(seed)", "order = np.argsort((np.random.default_rng(seed)"),
    ]),
    ("recmodels/negatives.py", f"{IMPLICIT} recmodels/test_fpmc.py", [
        ("self.negatives, self.rng, target)", "self.negatives, self.rng)"),
        ("np.append(target[:, None], negatives, axis=1)", "np.append(negatives, target[:, None], axis=1)"),
        ("if not self.corrected:", "if self.corrected:"),
    ]),
]
