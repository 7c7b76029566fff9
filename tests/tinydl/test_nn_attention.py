"""Attention in heads, the Transformer's layer and the encoding of places: definitions, masks, layouts, gradients."""

import inspect

import numpy as np
import pytest

import tinydl
from tinydl import Tensor, gradcheck, nn, ops
from tinydl.nn import functional as F

from .test_attention import normal, plain

pytestmark = pytest.mark.usefixtures("float64")


def drawn(module):
    for k, p in enumerate(module.parameters()):
        p.copy_(0.7 * normal(*p.shape, seed=k, grad=False).data)
    return module


def by_heads(module, query, key, value, bias=None, keep=()):
    """(y (L, E), weights (h, L, S)) of one sequence: each head alone, with its rows of the weights."""
    E, h = module.embed_dim, module.num_heads
    D, p = E // h, {name: q.data for name, q in module.named_parameters()}
    maps = ([p["in_proj_weight"][k * E:k * E + E] for k in range(3)] if "in_proj_weight" in p
            else [p[f"{name}_proj_weight"] for name in "qkv"])
    shift = p.get("in_proj_bias", np.zeros(3 * E))
    heads, weights = [], []
    for head in range(h):
        rows = slice(head * D, head * D + D)
        q, k, v = (x @ W[rows].T + shift[n * E:n * E + E][rows] for n, (x, W) in
                   enumerate(zip((query, key, value), maps, strict=True)))
        w, y = plain(q, k, v, None if bias is None else bias[head], keep)
        heads.append(y)
        weights.append(w)
    y = np.concatenate(heads, axis=1) @ p["out_proj.weight"].T + p.get("out_proj.bias", 0)
    return y, np.stack(weights)


PADDING = np.array([[False, False, True, False, True], [False] * 5, [True] * 5])
NOT_ALLOWED = np.triu(np.ones((4, 5), bool), 1)


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"batch_first": True, "kdim": 5, "vdim": 2}], ids=str)
@pytest.mark.parametrize("masks", ["", "p", "m", "pm", "float", "heads"])
def test_each_sequence_is_its_heads_one_by_one(options, masks):
    module = drawn(nn.MultiheadAttention(4, 2, **options))
    first = module.batch_first
    q, k, v = normal(3, 4, 4, seed=1), normal(3, 5, module.kdim, seed=2), normal(3, 5, module.vdim)
    given, bias = {}, None
    if "p" in masks:
        given["key_padding_mask"] = PADDING
    if masks in ("m", "pm"):
        given["attn_mask"] = NOT_ALLOWED
    if masks == "float":
        given["attn_mask"], given["key_padding_mask"] = normal(4, 5), np.where(PADDING, -np.inf, 0.5)
        bias = given["attn_mask"].data + given["key_padding_mask"][:, None, None]
    if masks == "heads":
        bias = normal(6, 4, 5).data
        given["attn_mask"], bias = bias, bias.reshape(3, 2, 4, 5)
    turned = [x if first else ops.swapaxes(x, axis1=0, axis2=1) for x in (q, k, v)]
    y, weights = module(*turned, average_attn_weights=False, **given)
    fast, none = module(*turned, need_weights=False, **given)
    np.testing.assert_allclose(fast.data, y.data, rtol=1e-10, atol=1e-12)
    assert none is None and weights.shape == (3, 2, 4, 5)
    np.testing.assert_allclose(module(*turned, **given)[1].data, weights.data.mean(axis=1), rtol=1e-12)
    y = y.data if first else y.data.swapaxes(0, 1)
    for b in range(3):
        keep = ([~PADDING[b]] if "p" in masks else []) + ([~NOT_ALLOWED] if masks in ("m", "pm") else [])
        b_bias = None if bias is None else np.broadcast_to(bias, (3, 2, 4, 5))[b]
        if masks == "float":
            keep, b_bias = [~PADDING[b]], np.where(np.isinf(b_bias), 0, b_bias)
        wanted, w = by_heads(module, q.data[b], k.data[b], v.data[b], b_bias, keep)
        np.testing.assert_allclose(y[b], wanted, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(weights.data[b], w, rtol=1e-10, atol=1e-12)
        hidden = PADDING[b].all() and masks in ("p", "pm", "float")
        np.testing.assert_allclose(weights.data[b].sum(axis=-1), 0 if hidden else 1, atol=1e-12)
        if first:
            alone, w = module(*(x[b] for x in turned), **{name: m[b] if name == "key_padding_mask" else m
                                                          for name, m in given.items() if masks != "heads"})
            if masks != "heads":
                np.testing.assert_allclose(alone.data, y[b], rtol=1e-10, atol=1e-12)
                np.testing.assert_allclose(w.data, weights.data[b].mean(axis=0), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("need_weights", [False, True])
def test_a_sequence_to_itself_is_the_same_by_either_way(need_weights):
    module, x = drawn(nn.MultiheadAttention(6, 3, batch_first=True)), normal(3, 5, 6)
    same = module(x, x, x, PADDING, need_weights, is_causal=True)[0]
    apart = module(x, x + 0, x + 0, PADDING, need_weights, attn_mask=np.triu(np.ones((5, 5), bool), 1))[0]
    np.testing.assert_allclose(same.data, apart.data, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(same.data[2], np.broadcast_to(module.out_proj.bias.data, (5, 6)))  # nothing seen: values of 0


@pytest.mark.parametrize("need_weights", [False, True])
def test_gradients_of_multihead_attention_with_masks(need_weights):
    module, x, y = drawn(nn.MultiheadAttention(4, 2)), normal(3, 2, 4, seed=1), normal(2, 2, 4, seed=2)
    mask, padding = normal(3, 3), np.array([[False, False, True], [True, True, True]])
    leaves = [x, y, mask, *module.parameters()]
    assert gradcheck(lambda x, y, m, *_: module(x, x, x, padding, need_weights, m)[0], leaves)
    leaves = [x, y, *module.parameters()]
    assert gradcheck(lambda x, y, *_: module(x, y, y, padding[:, :2], need_weights)[0], leaves)


def test_weights_come_after_dropout_and_dropout_ends_with_training():
    module, x = drawn(nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True, rng=3)), normal(2, 30, 4)
    _, weights = module(x, x, x, average_attn_weights=False)
    share = (weights.data == 0).mean()
    assert 0.4 < share < 0.6
    first, second = (module(x, x, x, need_weights=False)[0].data for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    nothing = nn.MultiheadAttention(4, 2, dropout=1.0)
    assert not nothing(x, x, x)[0].data.any() and not nothing(x, x, x, need_weights=False)[0].data.any()
    module.eval()
    y, weights = module(x, x, x, average_attn_weights=False)
    assert (weights.data > 0).all()
    np.testing.assert_allclose(module(x, x, x, need_weights=False)[0].data, y.data, rtol=1e-10)


def test_parameters_have_pytorchs_names_order_and_starts():
    assert list(nn.MultiheadAttention(6, 2).state_dict()) == [
        "in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]
    apart = nn.MultiheadAttention(6, 2, kdim=3)
    assert {n: p.shape for n, p in apart.named_parameters()} == {
        "q_proj_weight": (6, 6), "k_proj_weight": (6, 3), "v_proj_weight": (6, 6), "in_proj_bias": (18,),
        "out_proj.weight": (6, 6), "out_proj.bias": (6,)}
    module = nn.MultiheadAttention(200, 2, rng=0)
    bound = (6 / 800) ** 0.5
    assert 0.99 * bound < module.in_proj_weight.data.max() <= bound and not module.in_proj_bias.data.any()
    assert not module.out_proj.bias.data.any() and module.out_proj.weight.data.max() <= 200**-0.5
    assert list(inspect.signature(nn.MultiheadAttention).parameters)[:9] == [
        "embed_dim", "num_heads", "dropout", "bias", "add_bias_kv", "add_zero_attn", "kdim", "vdim", "batch_first"]
    layer = nn.TransformerEncoderLayer(6, 2, 8)
    assert [n.split(".")[0] for n in layer.state_dict()] == ["self_attn"] * 4 + [
        "linear1"] * 2 + ["linear2"] * 2 + ["norm1"] * 2 + ["norm2"] * 2
    same = nn.MultiheadAttention(6, 2, rng=1), nn.MultiheadAttention(6, 2, rng=1)
    np.testing.assert_array_equal(same[0].in_proj_weight.data, same[1].in_proj_weight.data)


@pytest.mark.parametrize("make, error, words", [
    (lambda: nn.MultiheadAttention(5, 2), ValueError, "divides embed_dim"),
    (lambda: nn.MultiheadAttention(4, 0), ValueError, "at least 1"),
    (lambda: nn.MultiheadAttention(4, 2, add_zero_attn=True), NotImplementedError, "leave them out"),
    (lambda: nn.MultiheadAttention(4, 2, dropout=1.5), ValueError, "probability"),
    (lambda: nn.MultiheadAttention(4, 2)(*[normal(3, 2, 5)] * 3), ValueError, r"\(L, B, 4\)"),
    (lambda: nn.MultiheadAttention(4, 2)(normal(3, 2, 4), *[normal(3, 3, 4)] * 2), ValueError, "batch_first=False"),
    (lambda: nn.MultiheadAttention(4, 2, batch_first=True)(normal(3, 2, 4), normal(2, 2, 4), normal(2, 2, 4)), ValueError,
     r"\(B, L, 4\)"),
    (lambda: nn.MultiheadAttention(4, 2)(*[normal(3, 2, 4)] * 3, np.ones((3, 2), bool)), ValueError,
     r"key_padding_mask \(3, 2\), want \(2, 3\): sequences, keys"),
    (lambda: nn.MultiheadAttention(4, 2)(*[normal(3, 2, 4)] * 3, attn_mask=np.ones((3, 2), bool)), ValueError,
     r"attn_mask \(3, 2\), want \(3, 3\) or \(4, 3, 3\)"),
    (lambda: nn.MultiheadAttention(4, 2)(*[normal(3, 2, 4)] * 3, attn_mask=np.ones((3, 3), int)), TypeError, "booleans"),
    (lambda: ops.self_attention(normal(1, 2, 6), heads=0), ValueError, "0 heads"),
    (lambda: nn.TransformerEncoderLayer(4, 2, activation="tahn"), ValueError, "'relu', 'gelu' or a function"),
    (lambda: nn.PositionalEncoding(4, max_len=3)(normal(4, 2, 4)), ValueError, "larger max_len"),
])
def test_bad_input_is_refused_with_advice(make, error, words):
    with pytest.raises(error, match=words):
        make()


# ------------------------------------------------------------------------------------------------ the encoder
@pytest.mark.parametrize("norm_first", [False, True])
def test_the_layer_is_its_formula(norm_first):
    layer, x = drawn(nn.TransformerEncoderLayer(4, 2, 6, norm_first=norm_first, activation="gelu")).eval(), normal(3, 2, 4)
    mask, padding = np.triu(np.ones((3, 3), bool), 1), np.array([[False] * 3, [False, False, True]])

    def attended(x):
        return layer.self_attn(x, x, x, padding, attn_mask=mask)[0]

    def transformed(x):
        return layer.linear2(F.gelu(layer.linear1(x)))

    if norm_first:
        h = x + attended(layer.norm1(x))
        wanted = h + transformed(layer.norm2(h))
    else:
        h = layer.norm1(x + attended(x))
        wanted = layer.norm2(h + transformed(h))
    np.testing.assert_allclose(layer(x, mask, padding).data, wanted.data, rtol=1e-10)
    np.testing.assert_allclose(layer(x, None, padding, is_causal=True).data, wanted.data, rtol=1e-10)
    assert gradcheck(lambda x, *_: layer(x, mask, padding), [x, *layer.parameters()], directions=4, per_element=30)


def test_three_dropouts_of_the_layer_act_in_training():
    x, seen = normal(3, 2, 4), []
    for name in ("self_attn", "dropout", "dropout1", "dropout2"):
        layer = drawn(nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0))
        still = layer(x).data
        for part in layer.named_children():
            if part[0] == name:
                setattr(part[1], "dropout" if name == "self_attn" else "p", 0.9)
        seen.append(np.abs(layer(x).data - still).max())
    assert min(seen) > 1e-3


def test_the_encoder_is_its_layers_one_after_the_other_and_never_sees_the_future():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 6, batch_first=True), 2, nn.LayerNorm(4)).eval()
    drawn(encoder)
    x = normal(2, 5, 4)
    y = encoder(x, is_causal=True)
    np.testing.assert_allclose(y.data, encoder.norm(encoder.layers[1](encoder.layers[0](x, is_causal=True),
                                                                      is_causal=True)).data)
    changed = x.data.copy()
    changed[0, 3:] += 1
    other = encoder(Tensor(changed), is_causal=True).data
    np.testing.assert_array_equal(other[0, :3], y.data[0, :3])
    np.testing.assert_array_equal(other[1], y.data[1])
    assert (other[0, 3:] != y.data[0, 3:]).any()
    assert len(list(encoder.parameters())) == 2 * 12 + 2
    assert not np.array_equal(encoder(x).data, y.data)


def test_layers_of_an_encoder_do_not_all_drop_the_same():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 50, rng=0), 2)
    masks = [layer.dropout(Tensor(np.ones(50, np.float32))).data for layer in encoder.layers]
    assert not np.array_equal(*masks)


@pytest.mark.parametrize("need_weights", [False, True])
def test_sequences_without_keys_have_the_value_of_nothing_and_masks_may_be_lists(need_weights):
    module = nn.MultiheadAttention(4, 2, batch_first=True, rng=0)
    y, weights = module(normal(2, 3, 4), normal(2, 0, 4), normal(2, 0, 4), need_weights=need_weights)
    np.testing.assert_array_equal(y.data, np.zeros((2, 3, 4)))
    assert not need_weights or weights.shape == (2, 3, 0)
    x, mask = normal(1, 2, 4), [[False, True], [False, False]]
    np.testing.assert_array_equal(module(x, x, x, attn_mask=mask, need_weights=need_weights)[0].data,
                                  module(x, x, x, attn_mask=np.array(mask), need_weights=need_weights)[0].data)


def test_places_are_waves_and_a_step_is_a_rotation():
    encoding = nn.PositionalEncoding(6, dropout=0.0, max_len=50)
    P = encoding.pe
    for t, i in ((0, 0), (3, 1), (49, 2)):
        angle = t / 10000 ** (2 * i / 6)
        np.testing.assert_allclose(P[t, 2 * i:2 * i + 2], [np.sin(angle), np.cos(angle)], atol=1e-12)
    step = P[:-1] @ np.linalg.lstsq(P[:-1], P[1:], rcond=None)[0]  # one matrix for every place
    np.testing.assert_allclose(step, P[1:], atol=1e-9)
    x = normal(4, 2, 6)
    np.testing.assert_allclose(encoding(x).data, x.data + P[:4, None])
    np.testing.assert_allclose(encoding(x[:, 0]).data, x.data[:, 0] + P[:4])
    first = nn.PositionalEncoding(6, dropout=0.0, batch_first=True)
    np.testing.assert_allclose(first(x).data, x.data + P[:2])
    assert "pe" in encoding.state_dict() and not list(encoding.parameters())
    assert np.abs(nn.PositionalEncoding(5, 0.9, rng=0)(tinydl.ones(4, 2, 5)).data).max() > 2
