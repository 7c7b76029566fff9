"""Neural FM's pairs as one operation are the same as in steps; candidates that repeat are computed once."""

import numpy as np
import pytest

import tinydl
from recmodels import neural_fm_pairs
from recmodels.models.neural_fm import NeuralFMNetwork
from recmodels.neural_fm_pairs import bag_sums, distinct_candidates, neural_fm_scores
from tinydl import RowGradient, Tensor, gradcheck, gradgradcheck, nn, no_grad, ops
from tinydl.kernels import use_numba

B, N, K, H, P = 3, 5, 2, 4, 2  # contexts, candidates, numbers a feature, hidden units, features that are numbers


def inputs(rng, W=1 + 2 * K, numbers=P, dtype=np.float64, items=7, of=(B, N)):
    """C, K, W_4, b_4, w_5, b_5 (, R, x) as tensors, and which item each pair has."""
    shapes = [(B, W), (items, W), (H, W), (H,), (1, H), (1,)] + ([(W, numbers), (B, N, numbers)] if numbers else [])
    return ([Tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True) for shape in shapes],
            rng.integers(0, items, of))


def scores(a, of, **options):
    return neural_fm_scores(*a[:2], of, *a[2:], k=K, **options)


SETTINGS = {"slide": {}, "shortcut": {"shortcut": True}, "dropout": {"dropout": nn.Dropout(0.4)}}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
@pytest.mark.parametrize("W, numbers", [(1 + 2 * K, P), (1 + K, 0)])
def test_gradients(name, check, W, numbers, rng):
    a, of = inputs(rng, W, numbers)

    def y(*a):
        tinydl.manual_seed(0)  # the same mask each time
        return scores(a, of, **SETTINGS[name])

    assert check(y, a)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("compiled", [True, False])
def test_it_is_the_formula_in_value_and_gradient(name, compiled, rng):
    for shape in ((B, N), (1, N)):
        a, of = inputs(rng, of=shape)
        tinydl.manual_seed(1)
        with use_numba(compiled):
            y = scores(a, of, **SETTINGS[name])
            dy = rng.standard_normal(y.shape)
            found = tinydl.grad(y, a, dy)
        tinydl.manual_seed(1)
        p = 0.4 if name == "dropout" else 0.0
        seed = nn.functional.mask_seed(None) if p else 0
        want = neural_fm_pairs._formula(*a, of=of, k=K, shortcut=name == "shortcut", p=p, seed=seed)
        np.testing.assert_allclose(y.detach().numpy(), want.detach().numpy(), rtol=1e-12)
        for one, other in zip(found, tinydl.grad(want, a, dy), strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-10, atol=1e-12)


def test_dropout_acts_in_training_only(rng):
    a, of = inputs(rng)
    layer = nn.Dropout(0.5, rng=0)
    assert scores(a, of, dropout=layer).tolist() != scores(a, of).tolist()
    assert scores(a, of, dropout=layer.eval()).tolist() == scores(a, of).tolist()


def test_parts_and_tiles_are_parts_of_one_result(rng, monkeypatch):
    """1,400 pairs: more than a tile, in four parts, whose borders are inside of a context's candidates."""
    shapes = [(7, 5), (30, 5), (H, 5), (H,), (1, H), (1,)]
    a = [Tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes]
    of = rng.integers(0, 30, (7, 200))
    outcomes = []
    for parts in (4, 1):
        monkeypatch.setattr(neural_fm_pairs, "PARTS", parts)
        y = scores(a, of)
        outcomes.append([y.detach(), *tinydl.grad(y, a, np.ones(y.shape))])
    for one, other in zip(*outcomes, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-11, atol=1e-12)
    with no_grad():
        np.testing.assert_allclose(scores(a, of).numpy(), outcomes[0][0].numpy(), rtol=1e-12)
        for b in range(7):  # a candidate's score does not depend on the pairs beside it
            alone = scores([a[0][b:b + 1], *a[1:]], of[b:b + 1])
            np.testing.assert_allclose(alone.numpy()[0], outcomes[0][0].numpy()[b], rtol=1e-12)


# ---------------------------------------------------------------- bags of several tables
def test_bags_of_several_tables_side_by_side(rng):
    tables = [Tensor(rng.standard_normal((6, D)), requires_grad=True) for D in (1, 3, 2)]
    index, values = rng.integers(0, 6, (4, 3)), Tensor(rng.standard_normal((4, 3)), requires_grad=True)
    y = bag_sums(values, *tables, index=index)
    x = values.detach().numpy()
    want = np.concatenate([np.einsum("bf,bfd->bd", x, table.detach().numpy()[index]) for table in tables], axis=1)
    np.testing.assert_allclose(y.detach().numpy(), want, rtol=1e-12)
    for check in (gradcheck, gradgradcheck):
        assert check(lambda *a: bag_sums(*a, index=index), [values, *tables])


@pytest.mark.parametrize("compiled", [True, False])
def test_gradients_of_the_tables_are_the_rows_that_were_read(compiled, rng):
    tables = [Tensor(rng.standard_normal((6, D)), requires_grad=True) for D in (1, 2)]
    index, values = np.array([[4, 1, 4], [0, 5, 1]]), np.array([[1.0, 2.0, 0.5], [1.0, 0.0, 1.0]])
    with use_numba(compiled):
        for sparse in (False, True):
            for table in tables:
                table.grad = None
            bag_sums(values, *tables, index=index, sparse=sparse).sum().backward()
            for table in tables:
                assert isinstance(table.grad, RowGradient) and table.grad.unique and table.grad.sparse == sparse
                assert table.grad.rows.tolist() == [4, 1, 0]
                assert table.grad.values[:, 0].tolist() == [1.5, 3.0, 1.0]


def test_a_large_batch_on_all_cores_is_the_same(rng, monkeypatch):
    index = rng.integers(0, 50, (40, 4))
    tables = [Tensor(rng.standard_normal((50, 8)), requires_grad=True) for _ in range(2)]
    outcomes = []
    for worth in (1, 1 << 40):
        monkeypatch.setattr(neural_fm_pairs, "LEAST", worth)
        y = bag_sums(np.ones(index.shape), *tables, index=index)
        outcomes.append([y.detach().tolist(), *(g.tolist() for g in tinydl.grad(y, tables, np.ones(y.shape)))])
    assert outcomes[0] == outcomes[1]


# ---------------------------------------------------------------- candidates that repeat
@pytest.mark.parametrize("compiled", [True, False])
def test_a_candidate_that_was_there_before_is_the_same_row(compiled):
    index = np.array([[[3, 1], [2, 0]], [[3, 1], [2, 0]], [[3, 0], [2, 0]]])  # item 3 once with another category
    values = np.ones(index.shape)
    values[1, 1, 0] = 0.5                                                     # and item 2 once with another value
    with use_numba(compiled):
        rows, x, of = distinct_candidates(index, values)
    assert rows.tolist() == [[3, 1], [2, 0], [2, 0], [3, 0]]
    assert x.tolist() == [[1, 1], [1, 1], [0.5, 1], [1, 1]]
    assert of.tolist() == [[0, 1], [0, 2], [3, 1]]


def test_values_that_are_a_tensor_keep_a_gradient_each():
    index, values = np.array([[[1], [1]]]), Tensor(np.ones((1, 2, 1)), requires_grad=True)
    rows, x, of = distinct_candidates(index, values)
    assert rows.tolist() == [[1], [1]] and of.tolist() == [[0, 1]]
    ops.sum(x * np.array([[2.0], [3.0]])).backward()
    assert values.grad.numpy().tolist() == [[[2.0], [3.0]]]


def test_a_network_computes_repeated_candidates_once(rng, monkeypatch):
    from recmodels.models import neural_fm

    seen = []
    real = neural_fm.bag_sums
    monkeypatch.setattr(neural_fm, "bag_sums", lambda *a, index, **options: seen.append(index.shape) or real(
        *a, index=index, **options))
    network = NeuralFMNetwork(20, K, H, rng=0)
    candidates = np.stack([rng.integers(0, 4, (B, 40)), np.full((B, 40), 19)], axis=2)
    network.rank(rng.integers(5, 9, (B, 2)), candidates)
    assert seen == [(B, 2), (4, 2)]


def test_contexts_and_candidates_of_different_batches_are_refused():
    with pytest.raises(ValueError, match=r"got 2 contexts and candidates of shape \(1, 1, 2\)"):
        NeuralFMNetwork(5, K, H).rank(np.zeros((2, 1), int), np.zeros((1, 1, 2), int))
