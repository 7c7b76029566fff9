"""Attention in several heads, the Transformer's encoder, and the places of a sequence as numbers, by PyTorch's names.

L queries, S keys, B sequences, E embed_dim, h heads of D = E / h columns. Sequences are (L, B, E), with batch_first=True
(B, L, E), and (L, E) alone. Masks are PyTorch's: among booleans True is what may NOT be seen, numbers are added to the
scores. (In `functional.scaled_dot_product_attention` True is what may be seen, there as here.) Where a query may see no key
at all PyTorch has nan; here its weights and its value are zeros.
"""

import copy

import numpy as np

from .. import ops
from ..random import generator
from ..tensor import Tensor, get_default_dtype
from . import functional as F
from . import init
from .container import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm
from .parameter import empty


class MultiheadAttention(Module):
    """head_i = softmax(Q_i K_i^T / sqrt(D)) V_i,  Q_i = query W_Qi^T + b, ...;   y = concat(head_1 .. head_h) W_O^T + b

    (Vaswani et al. 2017, section 3.2.2.) query (L, B, E), key (S, B, kdim), value (S, B, vdim) -> y (L, B, E), weights
    (B, L, S), the heads' mean, or (B, h, L, S) with average_attn_weights=False, as they multiplied the values (after
    dropout); None with need_weights=False, which is faster and needs no L x S numbers a head.

    key_padding_mask (B, S), attn_mask (L, S) or (B h, L, S): see above. is_causal=True needs no mask here: query i sees keys
    up to i. Parameters: in_proj_weight (3E, E), W_Q on W_K on W_V (q_proj_weight, k_proj_weight, v_proj_weight where kdim
    or vdim is not E), in_proj_bias (3E,), out_proj. Not here: add_bias_kv, add_zero_attn.
    """

    def __init__(self, embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, add_zero_attn=False, kdim=None,
                 vdim=None, batch_first=False, *, rng=None):
        if add_bias_kv or add_zero_attn:
            raise NotImplementedError("MultiheadAttention: add_bias_kv and add_zero_attn are not here; leave them out")
        if num_heads < 1 or embed_dim < 1 or embed_dim % num_heads:
            raise ValueError(f"MultiheadAttention: got embed_dim={embed_dim} and num_heads={num_heads}, want heads of equal "
                             "size: a num_heads of at least 1 that divides embed_dim")
        F.check_probability("MultiheadAttention", dropout)
        E = embed_dim
        rng = None if rng is None else generator(rng)
        self.embed_dim, self.num_heads, self.dropout, self.batch_first, self.rng = E, num_heads, dropout, batch_first, rng
        self.kdim, self.vdim = E if kdim is None else kdim, E if vdim is None else vdim
        packed = self.kdim == self.vdim == E
        for name, columns in (("q", E), ("k", self.kdim), ("v", self.vdim)):
            weight = None if packed else init.xavier_uniform_(empty(E, columns), rng=rng)
            self.register_parameter(f"{name}_proj_weight", weight)
        self.register_parameter("in_proj_weight", init.xavier_uniform_(empty(3 * E, E), rng=rng) if packed else None)
        self.register_parameter("in_proj_bias", init.zeros_(empty(3 * E)) if bias else None)
        self.out_proj = Linear(E, E, bias=bias, rng=rng)
        if bias:
            init.zeros_(self.out_proj.bias)

    def forward(self, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None, average_attn_weights=True,
                is_causal=False):
        self._check(query, key, value)
        alone = query.ndim == 2
        axis = 0 if alone or self.batch_first else 1  # where the sequences are
        given = [x[None] if alone else x if axis == 0 else ops.swapaxes(x, axis1=0, axis2=1)
                 for x in ([query] if query is key and key is value else [query, key, value])]
        B, L, S = given[0].shape[0], given[0].shape[1], given[-1].shape[1]
        bias, keep = self._masks(key_padding_mask, attn_mask, B, L, S, query.dtype)
        p, weights = self.dropout if self.training else 0.0, None
        options = {"keep": keep, "causal": is_causal, "p": p, "seed": F.mask_seed(self.rng) if 0 < p < 1 else 0}
        if need_weights or p == 1:
            q, k, v = self._heads(given)
            weights = F.dropout(ops.attention_weights(q, k, bias, keep, is_causal), p, rng=self.rng)
            y = self._out(ops.matmul(weights, v))
        elif len(given) == 1 and self.in_proj_weight is not None:
            y = ops.multihead_self_attention(given[0], self.in_proj_weight, self.in_proj_bias, self.out_proj.weight,
                                             self.out_proj.bias, bias, heads=self.num_heads, **options)
        else:
            y = self._out(ops.attention(*self._heads(given), bias, **options))
        y = y[0] if alone else y if axis == 0 else ops.swapaxes(y, axis1=0, axis2=1)
        if not need_weights:
            return y, None
        weights = ops.mean(weights, axis=1) if average_attn_weights else weights
        return y, weights[0] if alone else weights

    def _heads(self, given):
        """Queries, keys and values of all heads, (B, h, L or S, D) each."""
        E, h = self.embed_dim, self.num_heads
        for part, (x, name) in enumerate(zip(given * (3 // len(given)), "qkv", strict=True)):
            rows = slice(part * E, part * E + E)
            weight = getattr(self, f"{name}_proj_weight") if self.in_proj_weight is None else self.in_proj_weight[rows]
            a = _affine(x, weight, None if self.in_proj_bias is None else self.in_proj_bias[rows])
            yield ops.swapaxes(ops.reshape(a, shape=(*a.shape[:2], h, E // h)), axis1=1, axis2=2)

    def _out(self, heads):
        """(B, h, L, D) -> (B, L, E), through the last affine map"""
        B, h, L, D = heads.shape
        y = ops.reshape(ops.swapaxes(heads, axis1=1, axis2=2), shape=(B, L, h * D))
        return _affine(y, self.out_proj.weight, self.out_proj.bias)

    def _masks(self, padding, mask, B, L, S, dtype):
        """What is added to the scores, or None, and what may be seen, a tuple; both broadcast to (B, h, L, S)."""
        bias, keep = None, ()
        for name, given, wanted in (("key_padding_mask", padding, [(B, S)]),
                                    ("attn_mask", mask, [(L, S), (B * self.num_heads, L, S)])):
            if given is None:
                continue
            shape = np.shape(given)
            if shape not in wanted and not (name == "key_padding_mask" and B == 1 and shape == (S,)):
                raise ValueError(f"MultiheadAttention: got {name} {shape}, want {' or '.join(map(str, wanted))}"
                                 + ("" if len(wanted) > 1 else ": sequences, keys"))
            shape = (B, 1, 1, S) if name == "key_padding_mask" else (-1, self.num_heads if len(shape) == 3 else 1, L, S)
            given = ops.reshape(given if isinstance(given, Tensor) else np.asarray(given), shape=shape)
            numbers = given.data if isinstance(given, Tensor) else given
            if numbers.dtype == bool:
                keep = *keep, ~numbers
            elif numbers.dtype.kind == "f":
                given = given if isinstance(given, Tensor) else given.astype(dtype)
                bias = given if bias is None else bias + given
            else:
                raise TypeError(f"MultiheadAttention: got {name} of {numbers.dtype}, want booleans, True for what may not "
                                "be seen, or floating numbers to add to the scores")
        return bias, keep

    def _check(self, query, key, value):
        shapes = [x.shape for x in (query, key, value)]
        lead = "" if query.ndim == 2 else "B, " if self.batch_first else ", B"
        names = [f"({lead}{n}, {E})" if lead != ", B" else f"({n}, B, {E})"
                 for n, E in zip("LSS", (self.embed_dim, self.kdim, self.vdim), strict=True)]
        q, k, v = shapes
        fits = len(q) in (2, 3) and len(q) == len(k) == len(v) and k[:-1] == v[:-1]
        fits = fits and (q[-1], k[-1], v[-1]) == (self.embed_dim, self.kdim, self.vdim)
        at = 0 if self.batch_first else 1
        if not fits or len(q) == 3 and q[at] != k[at]:
            raise ValueError(f"MultiheadAttention: got query {q}, key {k} and value {v}, want {', '.join(names)}; "
                             f"batch_first={self.batch_first} says where the sequences are")

    def extra_repr(self):
        return f"{self.embed_dim}, {self.num_heads}" + (f", dropout={self.dropout}" if self.dropout else "")


def _affine(x, weight, bias):
    """x W^T + b over all leading axes, in one matrix product.  (..., in) -> (..., out)"""
    rows = ops.reshape(x, shape=(-1, x.shape[-1]))
    y = ops.linear(rows, weight) if bias is None else ops.linear(rows, weight, bias)
    return ops.reshape(y, shape=(*x.shape[:-1], weight.shape[0]))


class TransformerEncoderLayer(Module):
    """x = norm1(x + attention(x, x, x));   y = norm2(x + linear2(activation(linear1(x))))

    or with norm_first=True x = x + attention(norm1(x)), y = x + linear2(activation(linear1(norm2(x)))), which learns without
    warming up (Xiong et al. 2020). Dropout follows the attention, the activation and both parts before they are added
    (Vaswani et al. 2017, section 3.1 and 5.4). src (L, B, E) -> (L, B, E), or as `batch_first` says; the masks are those of
    `MultiheadAttention`. activation: "relu", "gelu" or a function.
    """

    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation=F.relu, layer_norm_eps=1e-5,
                 batch_first=False, norm_first=False, bias=True, *, rng=None):
        named = {"relu": F.relu, "gelu": F.gelu}
        if not callable(activation) and activation not in named:
            raise ValueError(f"TransformerEncoderLayer: got activation={activation!r}, want 'relu', 'gelu' or a function")
        rng = None if rng is None else generator(rng)
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, rng=rng)
        self.linear1 = Linear(d_model, dim_feedforward, bias, rng=rng)
        self.dropout = Dropout(dropout, rng=rng)
        self.linear2 = Linear(dim_feedforward, d_model, bias, rng=rng)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.dropout1, self.dropout2 = Dropout(dropout, rng=rng), Dropout(dropout, rng=rng)
        self.norm_first, self.activation = norm_first, named.get(activation, activation)

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        def attended(x):
            y, _ = self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)
            return self.dropout1(y)

        def transformed(x):
            return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        if self.norm_first:
            x = src + attended(self.norm1(src))
            return x + transformed(self.norm2(x))
        x = self.norm1(src + attended(src))
        return self.norm2(x + transformed(x))


class TransformerEncoder(Module):
    """y = layer_n(... layer_1(x)), then `norm`, if there is one.  num_layers copies of `encoder_layer`, equal at the start

    (As PyTorch has it, which also starts all layers alike.) Copies draw their dropout from one generator, that of
    `encoder_layer`, or all would drop the same. src, masks: as `TransformerEncoderLayer`.
    """

    def __init__(self, encoder_layer, num_layers, norm=None):
        rngs = [module.rng for module in encoder_layer.modules() if getattr(module, "rng", None) is not None]
        self.layers = ModuleList([copy.deepcopy(encoder_layer, {id(rng): rng for rng in rngs}) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.add_module("norm", norm)

    def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=False):
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, is_causal)
        return src if self.norm is None else self.norm(src)


class PositionalEncoding(Module):
    """y = dropout(x + P),   P[t, 2i] = sin(t / 10000^(2i / E)),   P[t, 2i + 1] = cos(t / 10000^(2i / E))

    Attention alone does not know the order of its keys. P of a place further on is a rotation of P here, so that a layer can
    look a fixed way back (Vaswani et al. 2017, section 3.5). x (L, B, E), with batch_first=True (B, L, E), or (L, E).
    Learned places are an `Embedding` of arange(L).
    """

    def __init__(self, d_model, dropout=0.1, max_len=5000, batch_first=False, *, rng=None):
        self.d_model, self.max_len, self.batch_first = d_model, max_len, batch_first
        self.dropout = Dropout(dropout, rng=rng)
        self.register_buffer("pe", sinusoids(max_len, d_model).astype(get_default_dtype()))

    def forward(self, x):
        axis = 1 if self.batch_first and x.ndim == 3 else 0
        if x.ndim not in (2, 3) or x.shape[-1] != self.d_model or x.shape[axis] > self.max_len:
            raise ValueError(f"PositionalEncoding: got shape {x.shape}, want up to {self.max_len} places on axis {axis} and "
                             f"{self.d_model} numbers each; a larger max_len allows longer sequences")
        places = self.pe[:x.shape[axis]]
        return self.dropout(x + (places[:, None] if x.ndim == 3 and axis == 0 else places))


def sinusoids(T, E):
    """P of `PositionalEncoding`, an array (T, E)."""
    angle = np.arange(T)[:, None] / 10000 ** (np.arange(E) // 2 * 2 / E)
    return np.where(np.arange(E) % 2 == 0, np.sin(angle), np.cos(angle))
