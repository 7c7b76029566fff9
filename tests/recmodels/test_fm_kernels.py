"""Interactions equal the plain loops of their definition, in value and both derivatives, whichever way they go."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinydl
from recmodels import fm, kernels
from tinydl import RowGradient, Tensor, gradcheck, gradgradcheck
from tinydl.kernels import numba_enabled, use_numba

FORMS = list(itertools.product((2, 3), ("full", "distinct")))


def by_loops(z, order, form):
    """The definition: sum over i, j (, k) of the products of z (F, D), number by number."""
    y = np.zeros(z.shape[1])
    for d in range(z.shape[1]):
        for chosen in itertools.product(range(len(z)), repeat=order):
            if form == "full" or all(i < j for i, j in zip(chosen, chosen[1:], strict=False)):
                product = 1.0
                for i in chosen:
                    product *= z[i, d]
                y[d] += product
    return y


def each_way(run):
    """What run() gives on the references and, where kernels are compiled, compiled."""
    with use_numba(False):
        results = [run()]
    return [*results, run()]


def normal(rng, *shape):
    return rng.standard_normal(shape)


def made(rng, V=6, D=3, B=3, N=2, F_c=3, F_i=2):
    """A table, contexts and candidates with values, rows that repeat, some values 0."""
    def bag(*shape):
        return rng.integers(0, V, shape), normal(rng, *shape) * (rng.random(shape) < 0.8)
    return (normal(rng, V, D), *bag(B, F_c), *bag(B, N, F_i))


# ---------------------------------------------------------------- the definition
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FORMS), st.integers(0, 3), st.integers(0, 5), st.integers(1, 3), st.integers(0, 10**6))
def test_interactions_equal_the_plain_loops(setting, B, F, D, seed):
    rng = np.random.default_rng(seed)
    table, index, values = normal(rng, 4, D), rng.integers(0, 4, (B, F)), normal(rng, B, F)
    want = [by_loops(values[b, :, None] * table[index[b]], *setting) for b in range(B)]
    for y in each_way(lambda: fm.fm_interaction(index, Tensor(table), values, *setting).numpy()):
        assert y.shape == (B, D) and y.dtype == np.float64
        np.testing.assert_allclose(y, np.reshape(want, (B, D)), rtol=1e-10, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(FORMS), st.integers(1, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3),
       st.integers(0, 10**6))
def test_candidates_and_catalogue_equal_the_plain_loops(setting, B, N, F_c, F_i, seed):
    table, c, x_c, i, x_i = made(np.random.default_rng(seed), B=B, N=N, F_c=F_c, F_i=F_i)
    z_c, z_i = x_c[..., None] * table[c], x_i[..., None] * table[i]
    want = np.array([[by_loops(np.concatenate([z_c[b], z_i[b, n]]), *setting) for n in range(N)] for b in range(B)])
    for y in each_way(lambda: fm.fm_context_candidates(c, i, Tensor(table), x_c, x_i, *setting).numpy()):
        np.testing.assert_allclose(y, want.reshape(B, N, 3), rtol=1e-10, atol=1e-10)
    items, x_items = i.reshape(B * N, F_i), x_i.reshape(B * N, F_i)
    crossed = np.array([[by_loops(np.concatenate([z_c[b], z]), *setting) for z in z_i.reshape(B * N, F_i, 3)]
                        for b in range(B)]).reshape(B, B * N, 3)

    def catalogue():
        sums = fm.fm_sums(c, Tensor(table), x_c, *setting), fm.fm_sums(items, Tensor(table), x_items, *setting)
        return fm.fm_catalogue(*sums, *setting).numpy(), fm.fm_catalogue_scores(*sums, *setting).numpy()

    for y, scores in each_way(catalogue):
        np.testing.assert_allclose(y, crossed, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(scores, crossed.sum(axis=2), rtol=1e-10, atol=1e-10)


def test_the_slides_power_and_rendles_pairs_worked_by_hand():
    table, index, values = Tensor([[1.0], [2.0], [3.0]]), np.array([[0, 1, 2]]), np.array([[1.0, 0.5, -1.0]])  # z = 1, 1, -3
    for order, form, want in ((2, "full", 1.0), (3, "full", -1.0), (2, "distinct", 1 - 3 - 3), (3, "distinct", -3.0)):
        assert fm.fm_interaction(index, table, values, order, form).item() == want
    assert fm.fm_interaction(index, table).item() == 36.0  # no values: ones, pairs, the slide's form
    assert fm.fm_sums(index, table, values, 3, "distinct").tolist() == [[[-1.0], [-5.0], [-3.0]]]


def test_float32_is_enough_where_power_sums_cancel():
    """One large feature beside small ones: products and gradients keep their digits. By power sums they lose all."""
    z = np.array([[3000.0], [0.01], [0.02], [0.03], [0.015]])
    index = np.arange(5)[None]
    for order in (2, 3):
        exact, rough = (Tensor(z.astype(dtype), requires_grad=True) for dtype in (np.float64, np.float32))
        for table in (exact, rough):
            fm.fm_interaction(index, table, order=order, form="distinct").sum().backward()
        np.testing.assert_allclose(rough.grad.dense(), exact.grad.dense(), rtol=1e-5)
        y = [fm.fm_interaction(index, table.detach(), order=order, form="distinct").item() for table in (rough, exact)]
        assert y[0] == pytest.approx(y[1], rel=1e-5)
    p_1, p_2, p_3 = (np.sum(z.astype(np.float32) ** power) for power in (1, 2, 3))
    assert abs((p_1**3 - 3 * p_1 * p_2 + 2 * p_3) / 6 / y[1] - 1) > 0.1


# ---------------------------------------------------------------- gradients
@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
@pytest.mark.parametrize("order, form", FORMS)
def test_gradients(order, form, check, rng):
    table, c, x_c, i, x_i = made(rng)
    inputs = [Tensor(a, requires_grad=True) for a in (table, x_c, x_i)]
    settings = {"order": order, "form": form}
    assert check(lambda V, x, _: fm.fm_interaction(c, V, x, **settings, padding_idx=2), inputs)
    assert check(lambda V, x, _: fm.fm_sums(c, V, x, **settings), inputs)
    assert check(lambda V, x, a: fm.fm_context_candidates(c, i, V, x, a, **settings, padding_idx=2), inputs)
    assert check(lambda V, x, a: fm.fm_context_candidates(c[:1], i[:1], V, x[:1], a[:1], **settings), inputs)


@pytest.mark.parametrize("order, form", FORMS)
def test_a_gradient_that_is_differentiated_again_is_the_same_gradient(order, form, rng):
    """It takes another way, through tensors, and gradgradcheck compares it with itself only."""
    table, c, x_c, i, x_i = made(rng)
    inputs = [Tensor(a, requires_grad=True) for a in (table, x_c, x_i)]
    y = fm.fm_context_candidates(c, i, *inputs, order, form, padding_idx=2)
    v = normal(rng, *y.shape)
    recorded = tinydl.grad(y, inputs, v, create_graph=True)
    for one, other in zip(recorded, tinydl.grad(y, inputs, v), strict=True):
        assert one.requires_grad
        np.testing.assert_allclose(one.detach().numpy(), other.numpy(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("order, form", FORMS)
def test_gradients_of_the_catalogue(order, form, rng):
    T = 1 if form == "full" else order
    sums = [Tensor(normal(rng, n, T, 2), requires_grad=True) for n in (2, 3)]
    for function in (fm.fm_catalogue, fm.fm_catalogue_scores):
        assert gradcheck(lambda C, K, f=function: f(C, K, order, form), sums)
    C, K = (Tensor(s.data) for s in sums)  # without gradients wanted, the compiled loops
    np.testing.assert_allclose(fm.fm_catalogue(C, K, order, form).numpy(),
                               fm.fm_catalogue(*sums, order, form).detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("order, form", FORMS)
def test_the_tables_gradient_is_of_the_rows_that_were_read(order, form, compiled, rng):
    """Each once, in the order of reading; not the padding row, not a row whose value is 0."""
    index, values = np.array([[4, 1, 4, 5], [0, 2, 1, 3]]), np.array([[1.0, 2.0, 0.5, 1.0], [1.0, 0.0, 1.0, 1.0]])
    V = Tensor(normal(rng, 7, 2), requires_grad=True)
    with use_numba(compiled):
        for sparse in (False, True):
            V.grad = None
            fm.fm_interaction(index, V, values, order, form, padding_idx=3, sparse=sparse).sum().backward()
            assert isinstance(V.grad, RowGradient) and V.grad.unique and V.grad.sparse == sparse
            assert V.grad.rows.tolist() == [4, 1, 5, 0] and V.grad.shape == (7, 2)
        V.grad = None
        fm.fm_context_candidates(index, index[:, None, :2], V, values, values[:, None, :2], order, form).sum().backward()
        assert isinstance(V.grad, RowGradient) and sorted(set(V.grad.rows.tolist())) == [0, 1, 3, 4, 5]


def test_padding_counts_for_nothing(rng):
    table, values = normal(rng, 5, 3), normal(rng, 1, 4)
    index = np.array([[4, 1, 4, 2]])
    for order, form in FORMS:
        x = Tensor(values, requires_grad=True)
        y = fm.fm_interaction(index, Tensor(table), x, order, form, padding_idx=4)
        np.testing.assert_allclose(y.detach().numpy()[0], by_loops(values[0, [1, 3], None] * table[[1, 2]], order, form),
                                   atol=1e-12)
        y.sum().backward()
        dx = x.grad.numpy()[0]
        assert (dx[[0, 2]] == 0).all()
        assert (dx[[1, 3]] != 0).all() == ((order, form) != (3, "distinct"))  # two features make no triple


def test_a_value_of_zero_has_a_gradient(rng):
    """The feature is not there, but how the result would change with it is known."""
    table = normal(rng, 3, 2)
    x = Tensor([[1.5, 0.0]], requires_grad=True, dtype=np.float64)
    index = np.array([[0, 1]])
    for dx, in each_way(lambda: tinydl.grad(fm.fm_interaction(index, Tensor(table), x, form="distinct").sum(), x)):
        np.testing.assert_allclose(dx.numpy(), [[0.0, 1.5 * table[0] @ table[1]]], rtol=1e-12)


# ---------------------------------------------------------------- how it is done
def test_the_contexts_part_is_computed_once(rng, monkeypatch):
    table, c, x_c, i, x_i = made(rng, B=2, N=7)
    shapes = []

    def spy(C, table, index, *rest):
        shapes.append(index.shape)
        return kernels.fm.fm_interactions.reference(C, table, index, *rest)

    monkeypatch.setattr(fm.kernels, "fm_interactions", spy)
    fm.fm_context_candidates(c, i, Tensor(table), x_c, x_i, 3, "distinct")
    assert shapes == [(2, 1, 3), (2, 7, 2)]


@pytest.mark.parametrize("order, form", FORMS)
def test_dimensions_side_by_side_give_the_same_bits(order, form, rng, monkeypatch):
    table, c, x_c, i, x_i = made(rng, D=7)
    outcomes = []
    for least, part in ((1, 2), (1 << 60, 1)):
        monkeypatch.setattr(fm, "LEAST", least)
        monkeypatch.setattr(fm, "PART", part)
        V = Tensor(table, requires_grad=True)
        y = fm.fm_context_candidates(c, i, V, x_c, x_i, order, form)
        outcomes.append([y.tolist(), tinydl.grad(y, V, np.ones(y.shape))[0].tolist()])
    assert outcomes[0] == outcomes[1]


@pytest.mark.skipif(not numba_enabled(), reason="TINYDL_NUMBA=0: nothing is compiled")
def test_one_compilation_serves_every_memory_and_setting(rng):
    def calls():
        frozen = normal(rng, 2, 4).astype(np.float32)
        frozen.flags.writeable = False
        table = Tensor(normal(rng, 3, 6).astype(np.float32).T, requires_grad=True)
        for order, form in FORMS:
            for x in (None, frozen, Tensor(frozen.T.copy()).T, Tensor(np.ones((2, 4), np.float32), requires_grad=True)):
                y = fm.fm_interaction(rng.integers(0, 6, (2, 4)), table, x, order, form)
                y.sum().backward()  # a broadcast gradient, read-only
                y = fm.fm_interaction(rng.integers(0, 6, (4, 2)).T, table, x, order, form)
                y.backward(np.ones((3, 2), np.float32).T)

    calls()
    one, other = (set(k.compiled.signatures) for k in (kernels.fm_interactions, kernels.fm_interactions_gradient))
    calls()
    for k, before in ((kernels.fm_interactions, one), (kernels.fm_interactions_gradient, other)):
        assert set(k.compiled.signatures) == before and len(before) <= 2  # float32, and float64 of other tests


def test_the_graph_keeps_its_own_copy_of_index_and_values(rng):
    index, values, V = np.array([[0, 1]]), np.ones((1, 2)), Tensor(normal(rng, 4, 2), requires_grad=True)
    y = fm.fm_interaction(index, V, values)
    index[:], values[:] = 3, 9.0
    y.sum().backward()
    np.testing.assert_allclose(V.grad.dense()[:2], np.tile(2 * V.detach().numpy()[:2].sum(axis=0), (2, 1)))


def test_dtypes_stay(rng):
    V = Tensor(normal(rng, 4, 2).astype(np.float32), requires_grad=True)
    index = np.array([[0, 1, 2]], np.int32)
    for y in (fm.fm_interaction(index, V, np.ones((1, 3))), fm.fm_sums(index, V, [[1, 2, 3]]),
              fm.fm_context_candidates(index, index[:, None], V), fm.fm_interaction(index, V, padding_idx=1)):
        assert y.dtype == np.float32
    y.sum().backward()
    assert V.grad.dtype == np.float32
    with pytest.raises(TypeError, match="nothing is converted behind your back"):
        fm.fm_interaction(index, V, Tensor(np.ones((1, 3))))


def test_bad_input_is_named(rng):
    V, index = Tensor(normal(rng, 4, 2)), np.array([[0, 1]])
    for error, message, call in [
            (ValueError, r"got order=4, want 2 \(pairs\) or 3", lambda: fm.fm_interaction(index, V, order=4)),
            (ValueError, "got form='all', want 'full'", lambda: fm.fm_interaction(index, V, form="all")),
            (ValueError, r"index of shape \(2,\), want \(B, F\)", lambda: fm.fm_interaction(index[0], V)),
            (ValueError, r"index of shape \(1, 2\), want \(B, N, F\)", lambda: fm.fm_context_candidates(index, index, V)),
            (ValueError, r"values of shape \(2, 1\) for index \(1, 2\)", lambda: fm.fm_sums(index, V, np.ones((2, 1)))),
            (ValueError, r"a table of shape \(4,\), want \(V, D\)", lambda: fm.fm_interaction(index, V[:, 0])),
            (IndexError, "fm_interaction: id 4 at position 1 is out of range", lambda: fm.fm_interaction(index * 4, V)),
            (TypeError, "ids of dtype float64", lambda: fm.fm_interaction(index * 1.0, V)),
            (ValueError, r"got 2 contexts and candidates of shape \(1, 1, 2\)",
             lambda: fm.fm_context_candidates(np.zeros((2, 1), int), index[None], V)),
            (ValueError, r"\(1, 1, 2\) and \(1, 3, 2\), want .* T = 3",
             lambda: fm.fm_catalogue(fm.fm_sums(index, V, order=3), fm.fm_sums(index, V, order=3, form="distinct"), 3,
                                     "distinct"))]:
        with pytest.raises(error, match=message):
            call()
