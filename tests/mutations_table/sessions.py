"""Mutations of sessions: data, models, loss, evaluation."""

DATA = "recmodels/test_sessions.py -k 'not real_files'"
LOSS = "recmodels/test_catalogue_loss.py"
MODELS = "recmodels/test_session_models.py"
EVALUATION = "recmodels/test_session_evaluation.py -k 'not finds_what'"

CHAPTERS = [
    ("recmodels/datasets/sessions.py", DATA, [
        ("if (np.diff(start) < 1).any():", "if False:"),
        ("if (count > 1).any():", "if False:"),
        ("np.searchsorted(row, row) + 1", "np.searchsorted(row, row)"),
        ("row[self.lengths > 1], self.lengths[self.lengths > 1] - 1", "row, self.lengths - 1"),
        ("if len(category) != len(items):", "if False:"),
        ("if first.setdefault(found[1], number) != number:", "if False:"),
        ("enumerate(lines[1:], start=2)", "enumerate(lines[1:], start=1)"),
        ("self.category[at],", "self.category[:len(at)],"),
    ]),
    ("recmodels/datasets/synthetic_sessions.py", DATA, [
        ("successors += successors >= np.arange(items)[:, None]", "pass"),
        ("c = category[item[start[s]]]", "c = category[item[n - 1]] if s else 0"),
        ("explores[n]:", "explores[s]:"),
        ("self.items[self.start[row] + length - 1])", "self.items[self.start[row]])"),
    ]),
    ("recmodels/catalogue_loss.py", LOSS, [
        ("dW[number] += z.T @ h[rows]", "dW[number][:] = z.T @ h[rows]"),
        ("if first == part.start:", "if True:"),
        ("(part, axis=0) for part in (dW, db, dr)", "(part[:2], axis=0) for part in (dW, db, dr)"),
        ("np.sum(total) / N", "np.sum(total) / len(parts)"),
        ("[gradient * dy for gradient in gradients]", "gradients"),
        ("target[:, 0].min() < 0 or", ""),
    ]),
    ("recmodels/kernels/catalogue.py", f"{LOSS} tinydl/test_kernels.py -k 'catalogue or formula or differences'", [
        ("shift_rows(z[k:k + 1], top)", "pass"),
        ("row[t] -= dtype.type((1 - smoothing) / count)", "row[t] -= dtype.type(1 / count)"),
        ("row[i] = row[i] * factor - floor", "row[i] = row[i] * factor"),
        ("dr[a] += row[target[k, 1 + a]]", "dr[a] = row[target[k, 1 + a]]"),
        ("row[target[k, 1 + a]] += r[a]", "row[target[k, 1 + a]] = r[a]"),
        ("- smoothing * more / items", "- smoothing * more"),
        ("of_target = row[t]\n", "of_target = row[t] - top[0]\n"),
        ("z[at, i] += r[a]", "z[at, i] = r[a]"),
    ]),
    ("recmodels/session_neural.py", f"{MODELS} -k 'rows_are or batch_is or another or same_scores or own_and'", [
        ("F.embedding(np.argsort(order), sequence.data)", "sequence.data"),
        ("seen = steps(lengths) + 1", "seen = steps(lengths)"),
        ("np.where(at >= a,", "np.where(at >= 0,"),
        ("np.flatnonzero(sessions.lengths > 1)", "np.flatnonzero(sessions.lengths > 0)"),
        ("sessions.last(longest + 1)", "sessions.last(longest)"),
        ("self.E.weight + self.C(self.category)", "self.E.weight"),
        ("y + ops.scatter(self.r[a], index=(row, before[row, a]), shape=y.shape)", "y"),
    ]),
    ("recmodels/session_neural.py", f"{MODELS} -k 'every_parameter or chooses or refused'", [
        ("self.smoothing if is_grad_enabled() else 0.0", "self.smoothing"),
        ("self.category_ if self.categories else None", "self.category_"),
        ("\"weight_decay\": self.weight_decay}", "\"weight_decay\": 0.0}"),
        ("if not 0 <= getattr(self, parameter) < 1:", "if False:"),
    ]),
    ("recmodels/session_recommender.py", f"{MODELS} -k 'another or unknown or lists or refused or category_of'", [
        (".keep(code >= 0)", ""),
        ("check_k(\"recommend\", k, len(self.items_))", "check_k(\"recommend\", k)"),
        ("y[known] = self._scores(coded.take(known))", "pass"),
        ("y[:, never] = -np.inf", "pass"),
        ("y[some.row, some.items] = -np.inf", "pass"),
        ("np.lexsort((pairs, -n, pairs // len(names)))", "np.lexsort((pairs, pairs // len(names)))"),
        ("if not (data.lengths > 1).any():", "if False:"),
        ("np.isin(valid.ids, train.ids).all()", "False"),
    ]),
    ("recmodels/estimator.py", f"{MODELS} -k 'wrong_parameters or chooses'", [
        ("if not isinstance(value, numbers.Integral) or value < least:", "if False:"),
        ("self.clone().fit(data, **self._refit_settings())", "self.clone().fit(data)"),
    ]),
    ("recmodels/sparse_model.py", f"{MODELS} -k saved", [
        ("len(state[\"start\"]) - 1, len(self.items_)", "len(self.items_), len(self.items_)"),
    ]),
    ("recmodels/models/session_baselines.py", f"{MODELS} -k 'popularity or item_knn or session_knn or markov'", [
        ("np.add.at(y, (sessions.row, sessions.items), self.own)", "y[sessions.row, sessions.items] += self.own"),
        ("np.flatnonzero(train.ago)", "np.flatnonzero(train.ago >= 0)[:-1]"),
        ("sessions.items[sessions.start[1:] - 1]]", "sessions.items[sessions.start[:-1]]]"),
        ("np.where(j == i, 0,", "np.where(j < 0, 0,"),
        ("at = len(key) - 1 - from_end", "at = np.unique(key, return_index=True)[1]"),
        ("mine[mine < np.partition(mine, -self.neighbours)[-self.neighbours]] = 0", "pass"),
        ("/ np.sqrt(length)[:, None]", "/ length[:, None]"),
        ("(1 + ago)**-self.decay", "(2 + ago)**-self.decay"),
    ]),
    ("recmodels/models/session_narm.py", f"{MODELS} -k 'formulas or future or NARM'", [
        ("F.embedding(j, self.A_2(h))", "F.embedding(j, self.A_1(h))"),
        ("ops.concatenate([h, local], axis=1)", "ops.concatenate([local, h], axis=1)"),
        ("self.attention(h, t, j), h, t, j, len(h))", "self.attention(h, t, j), h, j, t, len(h))"),
    ]),
    ("recmodels/models/session_stamp.py", f"{MODELS} -k 'formulas or future'", [
        ("self.W_2(x) + self.W_3(m)", "self.W_2(m) + self.W_3(x)"),
        ("steps(lengths) + 1", "steps(lengths) + 2"),
        ("* F.tanh(self.W_t(x))", "+ F.tanh(self.W_t(x))"),
    ]),
    ("recmodels/models/session_sasrec.py", f"{MODELS} -k 'sasrec_is or (future and SASRec)'", [
        ("causal=True", "causal=False"),
        ("self.P(steps(lengths))", "self.P(steps(lengths) * 0)"),
        ("* self.P.embedding_dim**0.5", ""),
        ("x = x + self.dropout(self.W_o(a))", "x = self.dropout(self.W_o(a))"),
        ("heads=self.heads", "heads=1"),
    ]),
    ("recmodels/models/session_two_readers.py", f"{MODELS} -k 'two_readers or wrong_parameters'", [
        ("(first + second) / 2", "first + second"),
        ("if self.training else", "if not self.training else"),
        ("(len(h) // len(target), 1)", "(1, 1)"),
        ("if reader == \"attention\"", "if reader != \"attention\""),
        ("not set(self.readers) <= set(READERS)", "False"),
    ]),
    ("recmodels/session_evaluation.py", EVALUATION, [
        ("sessions.items[sessions.start[row] + length]", "sessions.items[sessions.start[row] + length - 1]"),
        ("cold_items=targets < 0,", ""),
        ("(result.greater, result.equal, k)", "(result.greater, result.equal)"),
        ("side=\"right\") - 1]", "side=\"left\") - 1]"),
        ("[result.rows]", "[:len(result.rows)]"),
        ("model._scored(prefixes.keep(prefixes.items >= 0))", "model._scored(prefixes)"),
        ("fitted(model, split, refit)", "fitted(model, split)"),
    ]),
]
