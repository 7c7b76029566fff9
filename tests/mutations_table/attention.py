"""Mutations of attention."""

from tests.mutations_table.common import KERNELS

ATTENTION = "tinydl/test_attention.py"
HEADS = "tinydl/test_nn_attention.py"
SCORES = "recmodels/test_attention_scores.py"
SCENES = "examples/test_scenes.py"
CAPTIONS = "examples/test_image_captioning.py -k 'not quick'"

CHAPTERS = [
    ("tinydl/ops/attention.py", ATTENTION, [
        ("p * np.any(keep, axis=axis, keepdims=True).astype(p.dtype)", "p"),
        ("keep = *keep, (bias._data if isinstance(bias, Tensor) else bias) > -np.inf", "keep = *keep, np.array(True)"),
        ("weights = weights * np.reshape(factors(weights, p, seed, causal), weights.shape)", "pass"),
        ("1 / math.sqrt(max(1, q.shape[-1])) if scale is None else scale", "1 / math.sqrt(max(1, q.shape[-1]))"),
    ]),
    ("tinydl/ops/attention_blocks.py", ATTENTION, [
        ("np.arange(keys) <= np.arange(i.start, i.stop)[:, None]", "np.arange(keys) < np.arange(i.start, i.stop)[:, None]"),
        ("np.copyto(s, -np.inf, where=~_piece(mask, b, i, keys))", "pass"),
        ("s += _piece(masks[0], b, i, keys)", "pass"),
        ("if i.start == 0:", "if True:"),
        ("P -= logs[b, :, i, None]", "P -= P.max(axis=3, keepdims=True)"),
        ("piece += np.sum(dP, axis=shared, keepdims=True)", "piece[:] = np.sum(dP, axis=shared, keepdims=True)"),
        ("dQ_i *= scale", "pass"),
        ("return (seed + 0xC2B2AE35 * number) % 2**32", "return seed"),
        ("rows = max(1, L if H * L * S <= BLOCK else BLOCK // (H * S))", "rows = max(1, L)"),
    ]),
    ("tinydl/kernels/attention.py", f"{KERNELS} -k 'rows'", [
        ("top[top == -np.inf] = 0", "pass"),
        ("if best == lowest:", "if False:"),
        ("for j in range(whole, S):", "for j in range(whole, whole):"),
        ("total[total == 0] = 1", "total += 0"),
        ("if total == 0:", "if False:"),
        ("top[i] += np.log(total)", "top[i] = np.log(total)"),
        ("dp_i[j] = p_i[j] * (dp_i[j] - d_i)", "dp_i[j] = p_i[j] * dp_i[j] - d_i"),
    ]),
    ("tinydl/kernels/threads.py", f"{ATTENTION} -k 'lost'", [
        ("        for task in tasks:\n            run(task)", "        pass"),
    ]),
    ("tinydl/nn/attention.py", HEADS, [
        ("keep = *keep, ~numbers", "keep = *keep, numbers"),
        ("bias = given if bias is None else bias + given", "bias = given"),
        ("slice(part * E, part * E + E)", "slice(0, E)"),
        ("p, weights = self.dropout if self.training else 0.0, None", "p, weights = self.dropout, None"),
        ("init.zeros_(self.out_proj.bias)", "pass"),
        ("weights = ops.mean(weights, axis=1) if average_attn_weights else weights", "weights = ops.mean(weights, axis=1)"),
        ("if self.norm_first:", "if not self.norm_first:"),
        ("return self.dropout1(y)", "return y"),
        ("copy.deepcopy(encoder_layer, {id(rng): rng for rng in rngs})", "encoder_layer"),
        ("copy.deepcopy(encoder_layer, {id(rng): rng for rng in rngs})", "copy.deepcopy(encoder_layer)"),
        ("np.where(np.arange(E) % 2 == 0, np.sin(angle), np.cos(angle))", "np.sin(angle)"),
        ("places[:, None] if x.ndim == 3 and axis == 0 else places", "places"),
        ("is_causal=is_causal)\n            return", "is_causal=False)\n            return"),
    ]),
    ("recmodels/attention/scores.py", SCORES, [
        ("x / ops.sqrt(ops.sum(x * x, axis=-1, keepdims=True) + least**2)", "x"),
        ("from_h = ops.linear(h, W_a[:, D:])", "from_h = ops.linear(h, W_a[:, :D])"),
        ("ops.linear(s, W_a[:S])", "ops.linear(s, W_a[-S:])"),
        ("s * (1 / math.sqrt(max(1, s.shape[-1])))", "s"),
        ("1.0 if self.beta is None else self.beta", "1.0"),
        ("if S > W_a.shape[0]:", "if False:"),
        ("if self.query_size != self.key_size:", "if False:"),
    ]),
    ("recmodels/attention/mechanisms.py", SCORES, [
        ("np.arange(S) < lengths[:, None]", "np.arange(S) <= lengths[:, None]"),
        ("np.tri(T, dtype=bool)[None]", "np.tri(T, k=1, dtype=bool)[None]"),
        ("<= self.window", "< self.window"),
        ("(2 / self.window**2)", "(1 / self.window**2)"),
        ("near if keep is None else near & keep", "near"),
        ("np.sum(reached <= drawn, axis=2)", "np.argmax(weights.data, axis=2)"),
        ("& (weights.data > 0)", ""),
        ("reward = log_likelihood.data - baseline", "reward = log_likelihood - baseline"),
        ("(lambda_r * reward)", "reward"),
        ("return -ops.mean(gain + lambda_e * entropy(weights))", "return -ops.mean(gain - lambda_e * entropy(weights))"),
        ("self.momentum * before + (1 - self.momentum) * now", "now"),
        ("causal_mask(T) & _three_axes(keep, B, T, T)", "_three_axes(keep, B, T, T)"),
    ]),
    ("examples/scenes.py", SCENES, [
        ("    if colour == shape:\n        return \"pairs\"\n", ""),
        ("if (column - row - colour - shape) % 3:", "if (column - row) % 3:"),
        ("if (row - colour) % 3 == 0 else", "if row == 0 else"),
        ("if part_of(c, s, p) == part]", "if part_of(c, s, p) != \"pairs\"]"),
        ("divmod(place, 3)\n        down", "divmod(place, 3)[::-1]\n        down"),
        ("(paint[:, None, None] - image)", "paint[:, None, None]"),
        ("columns.max() + 1, rows.max() + 1", "rows.max() + 1, columns.max() + 1"),
        ("key=lambda thing: thing[2])", "key=lambda thing: thing[0])"),
        ("(centre <= bottom))[:, None]", "(centre <= bottom + 4))[:, None]"),
        ("np.maximum(np.abs(x) - 0.5 * (y + 1), y - 0.9)", "np.maximum(np.abs(x) - 0.5 * (1 - y), -y - 0.9)"),
        (".split(WORDS[END])[0]", ""),
    ]),
    ("examples/image_captioning.py", CAPTIONS, [
        ("ops.matmul(weights[half:], a[half:])", "z[half:]"),
        ("            if self.training:\n                half", "            if True:\n                half"),
        ("for x in (y, h))", "for x in (ops.flip(y, axis=0), h))"),
        ("self.attention(h, a)\n        else", "self.attention(y, a)\n        else"),
        ("real = np.flatnonzero(y.data != PAD)", "real = np.arange(y.data.size)"),
        ("np.flatnonzero(y.data[:half] != PAD)", "np.arange(len(gain))"),
        ("soft_loss([logits[half:]], y[half:])", "soft_loss([logits], y)"),
        ("self.baselines[t].update", "self.baselines[0].update"),
        ("lambda_e=self.lambda_e)", ")"),
        ("written[t] == due[t] and bool", "bool"),
        ("regions_in(box)[np.argmax(w[t])]", "regions_in(box)[np.argmax(w[t - 1])]"),
        ("if word in SHAPES]", "if word not in (\"a\", \"and\")]"),
        ("[words]) for text", "[:]) for text"),
    ]),
]
