"""Attention against its definition by plain loops: blocks, masks, broadcasting, nothing to see, nothing there, memory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinydl
from tinydl import Tensor, gradcheck, gradgradcheck, kernels, ops
from tinydl.kernels import numba_enabled
from tinydl.nn import functional as F

pytestmark = pytest.mark.usefixtures("float64")


def normal(*shape, seed=3, grad=True):
    return Tensor(np.random.default_rng([seed, *shape]).standard_normal(shape), requires_grad=grad)


def weighed(q, k, bias, keep, scale):
    """Weights of one head by the definition: for each query, e^score over the sum of those that it may see."""
    p = np.zeros((len(q), len(k)))
    for i in range(len(q)):
        e = {j: np.exp(scale * sum(a * b for a, b in zip(q[i], k[j], strict=True)) + bias[i, j])
             for j in range(len(k)) if keep[i, j]}
        for j, number in e.items():
            p[i, j] = number / sum(e.values())
    return p


def plain(q, k, v, bias=None, keep=(), causal=False, scale=None):
    """(weights, values) of every problem in turn."""
    L, S = q.shape[-2], k.shape[-2]
    lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    whole = [np.broadcast_to(a, (*lead, *a.shape[-2:])) for a in (q, k, v)]
    bias = np.broadcast_to(0.0 if bias is None else bias, (*lead, L, S))
    seen = np.broadcast_to(np.tri(L, S, dtype=bool) if causal else True, (*lead, L, S))
    for mask in keep:
        seen = seen & mask
    weights = np.zeros((*lead, L, S))
    for at in np.ndindex(lead):
        weights[at] = weighed(whole[0][at], whole[1][at], bias[at], seen[at],
                              max(1, q.shape[-1]) ** -0.5 if scale is None else scale)
    return weights, weights @ whole[2]


def in_tiles(monkeypatch, rows):
    """Tiles of so many queries."""
    monkeypatch.setattr(kernels, "queries_of_a_tile", lambda *shape: rows)


# ------------------------------------------------------------------------------------------------ the primitive
@settings(max_examples=30, deadline=None)
@given(st.data())
def test_attention_is_the_plain_loop_whatever_the_masks_and_the_tiles(data):
    numbers = st.integers(1, 5)
    lead = data.draw(st.sampled_from([(), (2,), (3, 2)]))
    L, E, F_ = (data.draw(numbers) for _ in range(3))
    S = data.draw(st.sampled_from([1, 2, 3, 5, 128, 131, 257]))  # tiles have up to 128 keys
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    q, k, v = (rng.standard_normal((*lead, *shape)) for shape in ((L, E), (S, E), (S, F_)))
    masks = [(*lead, L, S), (L, S), (1, S), (L, 1), (*lead[:1], *(1,) * len(lead[1:]), 1, S)]
    keep = tuple(rng.random(data.draw(st.sampled_from(masks))) < 0.6 for _ in range(data.draw(st.integers(0, 2))))
    bias = rng.standard_normal(data.draw(st.sampled_from(masks))) if data.draw(st.booleans()) else None
    options = {"keep": keep, "causal": data.draw(st.booleans()), "scale": data.draw(st.sampled_from([None, 0.3]))}
    weights, values = plain(q, k, v, bias, **options)
    with pytest.MonkeyPatch.context() as patch:
        in_tiles(patch, data.draw(st.sampled_from([1, 2, 16])))
        np.testing.assert_allclose(ops.attention(q, k, v, bias, **options), values, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(ops.attention_weights(q, k, bias, **options), weights, rtol=1e-10, atol=1e-12)


def test_a_tile_has_few_queries_which_one_core_multiplies():
    assert kernels.queries_of_a_tile(50, 50, 32, 32) == 50
    assert kernels.queries_of_a_tile(4096, 4096, 32, 16) == kernels.queries_of_a_tile(4096, 10, 4, 4) == 64
    assert kernels.queries_of_a_tile(4096, 4096, 64, 32) == kernels.queries_of_a_tile(4096, 4096, 32, 64) == 32
    assert kernels.queries_of_a_tile(4096, 4096, 512, 512) == kernels.queries_of_a_tile(3, 0, 0, 0) == 16


@pytest.mark.parametrize("rows", [1, 3, 16])
@pytest.mark.parametrize("shape", [(4, 3), (1, 3), (2, 2, 4, 3), (2, 1, 1, 3), (1, 2, 4, 1)])
@pytest.mark.parametrize("causal, p", [(False, 0.0), (True, 0.0), (True, 0.4)])
def test_gradients_to_everything_with_masks(monkeypatch, rows, shape, causal, p):
    in_tiles(monkeypatch, rows)
    inputs = [normal(2, 2, 4, 3, seed=1), normal(2, 2, 3, 3, seed=2), normal(2, 2, 3, 2), normal(*shape)]
    keep = (np.array([[[[True, False, True]]], [[[False, False, False]]]]),)
    assert gradcheck(lambda *x: ops.attention(*x, keep=keep, causal=causal, p=p, seed=7), inputs)


@pytest.mark.parametrize("causal, p", [(False, 0.0), (True, 0.3)])
def test_gradients_across_tiles_of_keys(monkeypatch, causal, p):
    in_tiles(monkeypatch, 70)
    inputs = [normal(2, 1, 140, 2), normal(2, 1, 135, 2, seed=4), normal(2, 1, 135, 3), normal(140, 135)]
    assert gradcheck(lambda *x: ops.attention(*x, causal=causal, p=p, seed=7), inputs)
    weights = ops.attention_weights(*inputs[:2], inputs[3], causal=causal)
    plainly = ops.matmul(ops.dropout(weights, p=p, seed=7) if p else weights, inputs[2])  # the same numbers are dropped
    np.testing.assert_allclose(ops.attention(*inputs, causal=causal, p=p, seed=7).data, plainly.data, rtol=1e-10, atol=1e-12)


def test_leading_axes_broadcast_and_their_gradients_are_sums():
    q, k, v = normal(2, 3, 4, 3), normal(3, 5, 3), normal(1, 5, 2)
    np.testing.assert_allclose(ops.attention(q, k, v).data, plain(q.data, k.data, v.data)[1], rtol=1e-12)
    assert gradcheck(ops.attention, [q, k, v]) and gradgradcheck(ops.attention, [q, k, v])


def test_gradients_of_the_gradient_see_the_same_dropout():
    inputs = [normal(2, 2, 4, 3, seed=1), normal(2, 2, 3, 3, seed=2), normal(2, 2, 3, 2), normal(4, 3)]
    keep = (np.array([True, True, False]),)
    def run(*x):
        return ops.attention(*x, keep=keep, causal=True, p=0.4, seed=7)

    assert gradgradcheck(run, inputs)
    v = normal(2, 2, 4, 2, seed=9).data
    plainly, with_graph = (tinydl.grad(run(*inputs), inputs, v, create_graph=graph) for graph in (False, True))
    for one, other in zip(plainly, with_graph, strict=True):
        np.testing.assert_allclose(one.data, other.data, rtol=1e-9, atol=1e-12)


def test_a_mask_of_minus_infinity_is_a_mask():
    q, k, v = normal(4, 3), normal(5, 3, seed=2), normal(5, 2)
    keep = (np.arange(5) != np.array([[1], [0], [7], [4]])) & (np.arange(4) != 3)[:, None]  # the last query sees nothing
    bias = np.where(keep, 0, -np.inf)
    for run in (lambda *x: ops.attention(*x, bias), lambda *x: ops.matmul(ops.attention_weights(*x[:2], bias), x[2])):
        np.testing.assert_allclose(run(q, k, v).data, plain(q.data, k.data, v.data, keep=[keep])[1], rtol=1e-12)
        assert gradcheck(run, [q, k, v])
    assert gradgradcheck(lambda *x: ops.attention(*x, bias), [q, k, v])


def test_a_query_that_may_see_nothing_gets_zeros_and_gives_no_gradient():
    q, k, v = normal(3, 2), normal(4, 2, seed=2), normal(4, 2)
    keep = np.array([[True] * 4, [False] * 4, [True, False, False, False]])
    y = F.scaled_dot_product_attention(q, k, v, keep)
    assert not y.data[1].any() and y.data[0].any()
    np.testing.assert_allclose(y.data[2], v.data[0])
    y.sum().backward()
    assert not q.grad.data[1].any() and q.grad.data[0].any() and np.isfinite(k.grad.data).all()
    weights = ops.attention_weights(q, k, keep=(keep,)).data
    np.testing.assert_allclose(weights.sum(axis=1), [1, 0, 1])


@pytest.mark.parametrize("shapes", [((2, 0, 3), (2, 4, 3), (2, 4, 2)), ((2, 3, 3), (2, 0, 3), (2, 0, 2)),
                                    ((0, 3, 3), (0, 4, 3), (0, 4, 2)), ((2, 3, 0), (2, 4, 0), (2, 4, 2))])
def test_nothing_may_be_there(shapes):
    inputs = [normal(*shape) for shape in shapes]
    for causal in (False, True):
        y = ops.attention(*inputs, causal=causal)
        wanted = plain(*(x.data for x in inputs), causal=causal)[1]
        np.testing.assert_allclose(y.data, wanted, atol=1e-14)
        y.sum().backward()


def test_numbers_of_any_size_neither_overflow_nor_vanish():
    q, k, v = normal(3, 2).float(), normal(4, 2).float(), normal(4, 2).float()
    y = ops.attention(1e4 * q, 1e4 * k, v)
    np.testing.assert_allclose(y.data, v.data[np.argmax(q.data @ k.data.T, axis=1)], rtol=1e-5)
    assert y.dtype == np.float32


def test_every_head_is_dropped_in_its_own_way():
    zeros, one_hot = np.zeros((2, 2, 8, 8)), np.broadcast_to(np.eye(8), (2, 2, 8, 8))
    kept = (ops.attention(zeros, zeros, one_hot, p=0.5, seed=1) > 0).reshape(4, 64)
    assert len({row.tobytes() for row in kept}) == 4


def test_dropout_drops_weights_by_its_share_and_keeps_their_mean():
    ones = np.ones((1, 2, 200, 50))
    y = F.scaled_dot_product_attention(0 * ones, 0 * ones, ones, dropout_p=0.4, rng=0)[..., 0]
    assert abs(y.mean() - 1) < 0.02 and y.std() == pytest.approx((0.4 / 0.6 / 200) ** 0.5, rel=0.2)
    assert (F.scaled_dot_product_attention(ones, ones, ones, dropout_p=1.0) == 0).all()


@pytest.mark.skipif(not numba_enabled(), reason="TINYDL_NUMBA=0: one task after the other")
def test_problems_side_by_side_give_the_same_bits(monkeypatch):
    import threading

    import numba

    results, seen = [], set()
    plain_run = kernels.side_by_side

    def watched(run, tasks):
        def task(one):
            seen.add(threading.current_thread().name)
            run(one)
        plain_run(task, tasks)

    monkeypatch.setattr(kernels, "side_by_side", watched)
    for threads in (1, 3):
        monkeypatch.setattr(numba, "get_num_threads", lambda threads=threads: threads)
        inputs = [normal(40, 2, 4, 3, seed=1), normal(40, 2, 3, 3, seed=2), normal(40, 2, 3, 2)]
        y = ops.attention(*inputs, causal=True, p=0.3, seed=5)
        results.append([y.data, *(g.data for g in tinydl.grad(y, inputs, normal(40, 2, 4, 2).data))])
        assert len(seen) == 1 or threads == 3
    assert any(name.startswith("tinydl") for name in seen)
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


# ------------------------------------------------------------------------------------------------ of a sequence to itself
@pytest.mark.parametrize("p", [0.0, 0.4])
@pytest.mark.parametrize("lengths", [[3, 0, 5, 1], [4], [0, 0], []])
def test_sequences_of_different_lengths_are_each_by_itself(lengths, p):
    qkv, start = normal(sum(lengths), 12), np.append(0, np.cumsum(np.array(lengths, int)))
    bias, keep = normal(1, 2, 5, 5)[:, :, :max(lengths, default=0), :max(lengths, default=0)], np.arange(5) != 1
    options = {"heads": 2, "causal": p > 0, "p": p, "seed": 5}
    y = ops.self_attention(qkv, bias, lengths=np.array(lengths, int), keep=(keep[:max(lengths, default=0)],), **options)
    assert y.shape == (sum(lengths), 4)
    for first, last in zip(start, start[1:], strict=False):
        n = last - first
        if n and p == 0:
            alone = ops.self_attention(qkv[first:last][None], bias[:, :, :n, :n], keep=(keep[:n],), **options)
            np.testing.assert_allclose(y.data[first:last], alone.data[0], rtol=1e-12)
    if sum(lengths):
        def run(x, bias):
            return ops.self_attention(x, bias, lengths=np.array(lengths), **options)
        assert gradcheck(run, [qkv, bias.detach().requires_grad_()]) and gradgradcheck(run, [qkv, normal(bias.shape[2], 1)])


@pytest.mark.parametrize("lengths, rows, words", [([2, 2], 5, "4 in all, for 5 rows"), ([6, -1], 5, "add up"),
                                                  ([2.0, 3.0], 5, "float64 lengths"), ([[5]], 5, r"\(1, 1\)")])
def test_lengths_that_do_not_fit_are_refused(lengths, rows, words):
    with pytest.raises(ValueError, match=words):
        ops.self_attention(normal(rows, 6), lengths=np.array(lengths))


@pytest.mark.parametrize("run", [
    lambda x, bias: ops.self_attention(x, bias, heads=2),
    lambda x, bias: ops.multihead_self_attention(x[:, :, :4], np.ones((12, 4)), None, np.ones((4, 4)), None, bias, heads=2)])
def test_who_shares_a_bias_adds_to_its_gradient_in_turn(monkeypatch, run):
    counts, plainly = [], kernels.side_by_side
    monkeypatch.setattr(kernels, "side_by_side", lambda run, tasks: counts.append(len(tasks)) or plainly(run, tasks))
    x, bias = normal(16, 3, 12), normal(3, 3)
    for wanted, most in ((x, 8), (bias, 1)):
        y = run(x, bias).sum()
        counts.clear()
        tinydl.grad(y, wanted)
        assert counts == [most]


@pytest.mark.parametrize("B", [2, 9])  # as a whole, and in parts side by side
@pytest.mark.parametrize("affine, bias", [(True, None), (False, None), (True, (2, 3, 1)), (True, (1, 3))])
def test_all_of_a_layer_at_once_is_its_parts(B, affine, bias):
    x, in_weight, out_weight = normal(B, 3, 4), normal(12, 4), normal(4, 4)
    in_bias, out_bias = (normal(12), normal(4)) if affine else (None, None)
    bias, options = None if bias is None else normal(*bias), {"heads": 2, "causal": True, "p": 0.3, "seed": 3}

    def apart(x, in_weight, in_bias, out_weight, out_bias, bias):
        y = ops.self_attention(ops.linear(x, in_weight, in_bias), bias, **options)
        return ops.linear(y, out_weight, out_bias)

    inputs = [x, in_weight, in_bias, out_weight, out_bias, bias]
    there = [a for a in inputs if a is not None]

    def run(one):
        def called(*given):
            found = iter(given)
            return one(*(None if a is None else next(found) for a in inputs))
        return called

    def at_once(*inputs):
        return ops.multihead_self_attention(*inputs, **options)

    np.testing.assert_allclose(at_once(*inputs).data, apart(*inputs).data, rtol=1e-12)
    v = normal(B, 3, 4, seed=8).data
    for one, other in zip(*(tinydl.grad(way(*inputs), there, v) for way in (at_once, apart)), strict=True):
        np.testing.assert_allclose(one.data, other.data, rtol=1e-10, atol=1e-12)
    assert gradcheck(run(at_once), there)
    if B == 2:
        assert gradgradcheck(run(at_once), there)


def test_an_error_in_a_task_is_not_lost():
    for tasks in ([0], [1, 0, 2]):
        with pytest.raises(ZeroDivisionError):
            kernels.side_by_side(lambda x: 1 // x, tasks)


def test_memory_grows_with_the_length_and_not_its_square():
    import tracemalloc

    peaks = []
    for T in (1024, 4096):
        q, k, v = (Tensor(np.ones((1, 1, T, 8), np.float32), requires_grad=True) for _ in range(3))
        ops.attention(q[:, :, :64], k[:, :, :64], v[:, :, :64]).sum().backward()  # compiled before it is measured
        tracemalloc.start()
        ops.attention(q, k, v, causal=True).sum().backward()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 4096 * 4096 * 4 / 10 and peaks[1] < 4.5 * peaks[0]


def test_masked_softmax_refuses_numbers_for_a_mask_and_gives_zeros_where_nothing_is_kept():
    x, keep = normal(2, 3), np.array([[True, False, True], [False, False, False]])
    p = ops.masked_softmax(x, keep).data
    np.testing.assert_allclose(p[0], np.exp(x.data[0]) * keep[0] / np.sum(np.exp(x.data[0]) * keep[0]))
    assert not p[1].any()
    with pytest.raises(TypeError, match="want booleans"):
        ops.masked_softmax(x, keep.astype(float))


def test_the_mask_is_copied_when_the_graph_keeps_it():
    q, keep = normal(3, 2), np.array([True, True, False])
    y = F.scaled_dot_product_attention(q, q, q, keep)
    first = tinydl.grad(y.sum(), q, retain_graph=True)[0].data
    keep[:] = True
    np.testing.assert_array_equal(tinydl.grad(y.sum(), q)[0].data, first)


@pytest.mark.parametrize("shapes, mask, error, words", [
    (((4, 3), (5, 2), (5, 2)), None, ValueError, r"got q \(4, 3\), k \(5, 2\)"),
    (((4, 3), (5, 3), (6, 2)), None, ValueError, "want .* with at most two leading axes"),
    (((2, 4, 3), (3, 5, 3), (3, 5, 2)), None, ValueError, "which broadcast"),
    (((1, 1, 1, 4, 3), (5, 3), (5, 3)), None, ValueError, "reshape more"),
    (((2, 4, 3), (2, 5, 3), (2, 5, 3)), (2, 5), ValueError, r"mask of shape \(2, 5\).*\(2, 4, 5\)"),
    (((4, 3), (5, 3), (5, 3)), (1, 1, 4, 5), ValueError, "broadcasts to"),
])
def test_what_does_not_fit_is_refused_with_its_shapes(shapes, mask, error, words):
    with pytest.raises(error, match=words):
        F.scaled_dot_product_attention(*(normal(*s) for s in shapes), None if mask is None else np.ones(mask, bool))


def test_whole_numbers_are_refused():
    whole = np.ones((2, 3), int)
    with pytest.raises(TypeError, match="want floating numbers"):
        ops.attention(whole, whole, whole)


def test_numbers_among_booleans_are_refused():
    with pytest.raises(TypeError, match="want booleans"):
        ops.attention(normal(2, 3), normal(2, 3), normal(2, 3), keep=(np.ones((2, 2)),))
    with pytest.raises(ValueError, match="heads that divide E"):
        ops.self_attention(normal(2, 3, 9), heads=2)
