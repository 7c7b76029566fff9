"""Every optimizer against its formula, written out; then what they share: tables, groups, saving, refusals."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinydl
from tinydl import RowGradient, Tensor, kernels, nn, optim
from tinydl.kernels import updates

SHAPE = (6, 3)


def parameter(array):
    return Tensor(array, requires_grad=True)


def arrays(seed, count, shape=SHAPE, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(dtype) for _ in range(count)]


def trajectory(make, gradients, start):
    """The parameter after each step of the optimizer make([parameter]) along given gradients."""
    p = parameter(start)
    optimizer, points = make([p]), []
    for g in gradients:
        p.grad = Tensor(g) if isinstance(g, np.ndarray) else g
        optimizer.step()
        points.append(p.data.copy())
    return points


# ---------------------------------------------------------------- the formulas: the parameter after each gradient
def sgd(p, gradients, lr, momentum, dampening, weight_decay, nesterov):
    b = None
    for g in gradients:
        g = g + weight_decay * p
        b = g if b is None else momentum * b + (1 - dampening) * g
        d = g if momentum == 0 else g + momentum * b if nesterov else b
        p = p - lr * d
        yield p


def adagrad(p, gradients, lr, lr_decay, weight_decay, initial_accumulator_value, eps):
    s = np.full_like(p, initial_accumulator_value)
    for t, g in enumerate(gradients, start=1):
        g = g + weight_decay * p
        s = s + g**2
        p = p - lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(s) + eps)
        yield p


def rmsprop(p, gradients, lr, alpha, eps, weight_decay, momentum):
    s, b = np.zeros_like(p), np.zeros_like(p)
    for g in gradients:
        g = g + weight_decay * p
        s = alpha * s + (1 - alpha) * g**2
        b = momentum * b + g / (np.sqrt(s) + eps)
        p = p - lr * b
        yield p


def adam(p, gradients, lr, betas, eps, weight_decay, decoupled=False):
    (b1, b2), m, v = betas, np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gradients, start=1):
        if decoupled:
            p = p - lr * weight_decay * p
        else:
            g = g + weight_decay * p
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        p = p - lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
        yield p


def adamw(p, gradients, **options):
    return adam(p, gradients, **options, decoupled=True)


rate = st.sampled_from([0.0, 0.003, 0.5])
fraction = st.sampled_from([0.0, 0.4, 0.9])
betas = st.tuples(fraction, st.sampled_from([0.0, 0.5, 0.999]))
small = st.sampled_from([1e-8, 1e-2])
CASES = {
    "SGD": (sgd, st.fixed_dictionaries(dict(lr=rate, momentum=fraction, dampening=st.sampled_from([0.0, 0.3, -0.5]),
                                            weight_decay=rate, nesterov=st.booleans()))),
    "Adagrad": (adagrad, st.fixed_dictionaries(dict(lr=rate, lr_decay=rate, weight_decay=rate,
                                                    initial_accumulator_value=rate, eps=small))),
    "RMSprop": (rmsprop, st.fixed_dictionaries(dict(lr=rate, alpha=fraction, eps=small, weight_decay=rate,
                                                    momentum=fraction))),
    "Adam": (adam, st.fixed_dictionaries(dict(lr=rate, betas=betas, eps=small, weight_decay=rate))),
    "AdamW": (adamw, st.fixed_dictionaries(dict(lr=rate, betas=betas, eps=small, weight_decay=rate))),
}
DENSE = list(CASES)


@pytest.mark.parametrize("name", DENSE)
@settings(max_examples=60, deadline=None, database=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_equals_its_formula(name, data, seed):
    formula, options = CASES[name]
    options = data.draw(options)
    if options.get("nesterov") and (options["momentum"] == 0 or options["dampening"] != 0):
        options["nesterov"] = False
    start, *gradients = arrays(seed, 6)
    got = trajectory(lambda p: getattr(optim, name)(p, **options), gradients, start)
    want = list(formula(start, gradients, **options))
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-11)


DEFAULTS = {
    "SGD": dict(lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False),
    "Adagrad": dict(lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10),
    "RMSprop": dict(lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0),
    "Adam": dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0),
    "AdamW": dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2),
    "SparseAdam": dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8),
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_names_order_and_defaults_of_the_options_are_pytorchs(name):
    made = getattr(optim, name)
    group, = made([parameter([1.0])]).param_groups
    del group["params"]
    assert group == DEFAULTS[name]
    positional = made([parameter([1.0])], *DEFAULTS[name].values()).param_groups[0]
    assert {k: positional[k] for k in group} == group


def test_adam_two_steps_by_hand():
    """g = 2, then -1: m = 0.2, 0.08; v = 0.004, 0.004996; m^ = 2, 0.08/0.19; v^ = 4, 0.004996/0.001999."""
    first, second = trajectory(lambda p: optim.Adam(p, lr=0.1), [np.array([2.0]), np.array([-1.0])], np.ones(1))
    np.testing.assert_allclose(first, [0.9], rtol=1e-7)
    np.testing.assert_allclose(second, [0.9 - 0.1 * (0.08 / 0.19) / np.sqrt(0.004996 / 0.001999)], rtol=1e-6)


# ---------------------------------------------------------------- dtypes and what the kernels are given
TOUGH = {
    "SGD": [dict(lr=0.1), dict(lr=0.1, weight_decay=0.1), dict(lr=0.1, momentum=0.9),
            dict(lr=0.1, momentum=0.9, dampening=0.5, weight_decay=0.1), dict(lr=0.1, momentum=0.9, nesterov=True)],
    "Adagrad": [dict(lr=0.1), dict(lr=0.1, weight_decay=0.1), dict(lr=0.1, lr_decay=0.5, initial_accumulator_value=0.3)],
    "RMSprop": [dict(lr=0.1), dict(lr=0.1, weight_decay=0.1), dict(lr=0.1, momentum=0.9)],
    "Adam": [dict(lr=0.1), dict(lr=0.1, weight_decay=0.1)],
    "AdamW": [dict(lr=0.1, weight_decay=0.5)],
}
VARIANTS = [pytest.param(name, options, id=f"{name}-{i}") for name, many in TOUGH.items() for i, options in enumerate(many)]


@pytest.mark.parametrize("name, options", VARIANTS)
def test_float32_stays_float32_and_close_to_float64(name, options):
    start, *gradients = arrays(0, 5, dtype=np.float32)
    made = []
    got = trajectory(lambda p: made.append(getattr(optim, name)(p, **options)) or made[0], gradients, start)
    want = trajectory(lambda p: getattr(optim, name)(p, **options), [g.astype(np.float64) for g in gradients],
                      start.astype(np.float64))
    assert {x.dtype for x in got} == {np.dtype(np.float32)}
    state, = made[0].state.values()
    assert {v.dtype for v in state.values() if isinstance(v, np.ndarray)} <= {np.dtype(np.float32)}
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name, sparse", [*((name, kind) for name in DENSE for kind in (None, False)),
                                          ("SGD", True), ("Adagrad", True), ("SparseAdam", True)])
def test_kernels_get_flat_float32_arrays_and_plain_numbers(name, sparse, monkeypatch):
    """A float64 scalar type or an int would compile a second variant, another array type would lose the compiled one."""
    seen = []

    def spy(kernel):
        def call(*args):
            seen.append(args)
            return kernel(*args)
        return call

    for kernel in kernels.registry:
        if hasattr(updates, kernel):
            monkeypatch.setattr(kernels, kernel, spy(kernels.registry[kernel]))
    options = dict(lr=np.float64(0.1), **({} if name == "SGD" else {"eps": np.float32(0.01)}))
    p = parameter(np.ones(SHAPE, np.float32))
    optimizer = getattr(optim, name)([p], **options)
    p.grad = (Tensor(np.ones(SHAPE, np.float32)) if sparse is None
              else RowGradient(np.array([1, 1]), np.ones((2, 3), np.float32), SHAPE, sparse))
    optimizer.step()
    for lr in (1, np.float32(0.5)):
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
    assert len(seen) == 3
    for args in seen:
        assert {type(x) for x in args} <= {np.ndarray, float, bool}
        floating = [x for x in args if isinstance(x, np.ndarray) and x.dtype.kind == "f"]
        assert floating and all(x.dtype == np.float32 and x.flags.c_contiguous for x in floating)
    signatures = {tuple((x.dtype, x.ndim) if isinstance(x, np.ndarray) else type(x) for x in args) for args in seen}
    assert len(signatures) == 1


# ---------------------------------------------------------------- tables
def rows_and_dense(seed, count, shape=SHAPE, dtype=np.float64, sparse=False, top=4):
    """Gradients of a table with repeated rows, the last rows never read, and the same as dense arrays."""
    rng, some, same = np.random.default_rng(seed), [], []
    for _ in range(count):
        rows, values = rng.integers(0, top, 5), rng.normal(size=(5, *shape[1:])).astype(dtype)
        some.append(RowGradient(rows, values, shape, sparse))
        dense = np.zeros(shape, dtype)
        for row, value in zip(rows, values, strict=True):
            dense[row] += value
        same.append(dense)
    return some, same


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name, options", VARIANTS)
def test_a_row_gradient_acts_exactly_as_the_dense_one(name, options, dtype):
    start, some, same = arrays(1, 1, dtype=dtype)[0], *rows_and_dense(2, 6, dtype=dtype)
    def make(p):
        return getattr(optim, name)(p, **options)
    np.testing.assert_array_equal(trajectory(make, some, start), trajectory(make, same, start))


def test_adagrad_without_eps_divides_zero_by_zero_wherever_the_dense_one_does():
    some, same = rows_and_dense(2, 1)
    with np.errstate(invalid="ignore"):
        got, want = (trajectory(lambda p: optim.Adagrad(p, eps=0), g, np.ones(SHAPE))[0] for g in (some, same))
    assert np.isnan(want[4:]).all()
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name, options", [
    ("SGD", dict(lr=0.1, momentum=0.9)), ("SGD", dict(lr=0.1, weight_decay=0.1)), ("Adam", dict(lr=0.1)),
    ("RMSprop", dict(lr=0.1, momentum=0.9)), ("Adagrad", dict(lr=0.1, weight_decay=0.1)), ("AdamW", dict(lr=0.1)),
])
def test_rows_without_gradient_move_by_momentum_and_decay(name, options):
    """The second gradient does not touch row 0, the first does not touch row 1 (moved by decay alone)."""
    start = np.ones((2, 1))
    once, after = trajectory(lambda p: getattr(optim, name)(p, **options),
                             [RowGradient(np.array([0]), np.ones((1, 1)), (2, 1)),
                              RowGradient(np.array([1]), np.ones((1, 1)), (2, 1))], start)
    assert after[0, 0] < once[0, 0]
    assert (once[1, 0] < 1) == bool(options.get("weight_decay") or name == "AdamW")


def lazy_adam(p, gradients, lr, betas, eps):
    """The definition, row by row; gradients [(row, value), ...] with repeats."""
    p, (b1, b2), m, v = p.copy(), betas, np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gradients, start=1):
        for row in sorted(set(g.rows.tolist())):
            total = sum(g.values[n] for n in range(len(g.rows)) if g.rows[n] == row)
            m[row] = b1 * m[row] + (1 - b1) * total
            v[row] = b2 * v[row] + (1 - b2) * total**2
            p[row] -= lr * np.sqrt(1 - b2**t) / (1 - b1**t) * m[row] / (np.sqrt(v[row]) + eps)
        yield p.copy()


@settings(max_examples=40, deadline=None, database=None)
@given(seed=st.integers(0, 2**32 - 1), betas=betas, eps=small, lr=rate)
def test_sparse_adam_equals_its_definition(seed, betas, eps, lr):
    start, (some, _) = arrays(seed, 1)[0], rows_and_dense(seed, 6, sparse=True)
    got = trajectory(lambda p: optim.SparseAdam(p, lr=lr, betas=betas, eps=eps), some, start)
    np.testing.assert_allclose(got, list(lazy_adam(start, some, lr, betas, eps)), rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(got[-1][4:], start[4:])


def test_sparse_adam_counts_the_steps_of_the_table_also_without_any_row():
    one = RowGradient(np.array([0]), np.array([[2.0]]), (2, 1), sparse=True)
    none = RowGradient(np.array([], np.int64), np.zeros((0, 1)), (2, 1), sparse=True)
    *_, after = trajectory(lambda p: optim.SparseAdam(p, lr=0.1, eps=0), [none, none, one], np.zeros((2, 1)))
    m, v, t = 0.1 * 2, 0.001 * 4, 3
    np.testing.assert_allclose(after, [[-0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / np.sqrt(v)], [0]], rtol=1e-12)


@pytest.mark.parametrize("name, options", [("SGD", dict(lr=0.1)), ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True)),
                                           ("Adagrad", dict(lr=0.1, lr_decay=0.5))])
def test_sgd_and_adagrad_take_sparse_gradients_as_pytorch_does(name, options):
    start, (some, same) = arrays(1, 1)[0], rows_and_dense(2, 6, sparse=True)
    def make(p):
        return getattr(optim, name)(p, **options)
    np.testing.assert_array_equal(trajectory(make, some, start), trajectory(make, same, start))


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop"])
def test_sparse_gradients_are_refused_by_the_others(name):
    with pytest.raises(RuntimeError, match=f"{name} has no lazy updates; use SparseAdam, or Embedding\\(sparse=False\\)"):
        trajectory(getattr(optim, name), rows_and_dense(0, 1, sparse=True)[0], np.ones(SHAPE))


@pytest.mark.parametrize("name", ["SGD", "Adagrad"])
def test_weight_decay_cannot_be_lazy(name):
    with pytest.raises(RuntimeError, match="weight_decay=0.1 moves all rows"):
        trajectory(lambda p: getattr(optim, name)(p, weight_decay=0.1), rows_and_dense(0, 1, sparse=True)[0], np.ones(SHAPE))


@pytest.mark.parametrize("which", [0, 1], ids=["rows", "dense"])
def test_sparse_adam_refuses_dense_gradients(which):
    with pytest.raises(RuntimeError, match=r"SparseAdam.step: .*\(6, 3\).* has a dense gradient, want one of Embedding"):
        trajectory(optim.SparseAdam, rows_and_dense(0, 1)[which], np.ones(SHAPE))


def test_sparse_adam_on_an_embedding_moves_only_the_rows_read():
    table = nn.Embedding(5, 2, sparse=True)
    before = table.weight.data.copy()
    optimizer = optim.SparseAdam(table.parameters(), lr=0.1)
    table(np.array([3, 1, 3])).sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(table.weight.data[[0, 2, 4]], before[[0, 2, 4]])
    np.testing.assert_allclose(before[[1, 3]] - table.weight.data[[1, 3]], 0.1, rtol=1e-4)


def test_rows_outside_the_table_are_refused_before_anything_is_written():
    for row in (6, -1):
        bad = RowGradient(np.array([0, row]), np.ones((2, 3)), SHAPE)
        with pytest.raises(IndexError, match=f"Adam.step: the gradient's rows: id {row} at position 1"):
            trajectory(optim.Adam, [bad], np.ones(SHAPE))


@pytest.mark.parametrize("name", ["Adam", "SparseAdam"])
def test_large_arrays_shared_by_the_cores_equal_small_ones(name):
    """Above updates.FEW numbers the loops are parallel: the same bits as those of pieces, which are not."""
    V, D = 2 * updates.FEW // 64 + 3, 64
    start, g = arrays(0, 2, (V, D), np.float32)
    rows = np.random.default_rng(0).permutation(V)[:V - 10]
    make, sparse = getattr(optim, name), name == "SparseAdam"
    whole = trajectory(make, [RowGradient(rows, g[rows], (V, D), sparse)] * 2, start)[-1]
    if not sparse:
        dense = np.zeros_like(g)
        dense[rows] = g[rows]
        np.testing.assert_array_equal(trajectory(make, [dense] * 2, start)[-1], whole)
    for part in np.array_split(np.arange(V), 5):
        inside = rows[(rows >= part[0]) & (rows <= part[-1])]
        piece = [RowGradient(inside - part[0], g[inside], (len(part), D), sparse)] * 2
        np.testing.assert_array_equal(trajectory(make, piece, start[part])[-1], whole[part])


# ---------------------------------------------------------------- one step
def test_parameters_without_gradient_are_skipped_and_count_their_own_steps():
    p, q = parameter([1.0]), parameter([1.0])
    optimizer = optim.Adam([p, q], lr=0.1)
    for _ in range(3):
        p.grad = Tensor([1.0])
        optimizer.step()
    assert q.item() == 1.0 and q not in optimizer.state and optimizer.state[p]["step"] == 3
    q.grad = Tensor([5.0])
    optimizer.step()
    np.testing.assert_allclose(q.item(), 0.9, rtol=1e-6)


@pytest.mark.parametrize("name", ["Adagrad", "RMSprop", "Adam", "AdamW", "SparseAdam"])
def test_steps_are_counted(name):
    p = parameter(np.ones(SHAPE))
    optimizer = getattr(optim, name)([p])
    for p.grad in rows_and_dense(0, 3, sparse=name == "SparseAdam")[0]:
        optimizer.step()
    assert optimizer.state_dict()["state"][0]["step"] == 3


def test_zero_grad():
    p, q = parameter(np.ones(SHAPE)), parameter([1.0])
    optimizer = optim.SGD([p, q], lr=0.1, momentum=0.5)
    p.grad = RowGradient(np.array([1]), np.ones((1, 3)), SHAPE)
    q.grad = Tensor([2.0])
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    assert q.grad.tolist() == [0.0] and not p.grad.dense().any()
    optimizer.step()
    np.testing.assert_allclose(q.item(), 1 - 0.2 - 0.1, rtol=1e-6)
    p.grad = RowGradient(np.array([1]), np.ones((1, 3)), SHAPE, sparse=True)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.sparse and not p.grad.dense().any()
    optimizer.zero_grad()
    assert p.grad is None and q.grad is None
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is None


def test_the_closure_is_called_with_recording_on():
    p = parameter([3.0])
    optimizer = optim.SGD([p], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with tinydl.no_grad():
        assert optimizer.step(closure).item() == 9.0
    assert p.item() == 0.0 and optimizer.step() is None


@pytest.mark.parametrize("name", DENSE)
def test_backward_notices_that_a_step_has_changed_a_parameter(name):
    p = parameter([2.0])
    y = (p * p).sum()
    p.grad = Tensor([1.0])
    getattr(optim, name)([p]).step()
    with pytest.raises(RuntimeError, match=f"{name}.step has changed in place"):
        y.backward()


@pytest.mark.parametrize("name, options", VARIANTS)
def test_parameters_and_gradients_in_any_memory_layout(name, options):
    start, g = arrays(0, 2, (4, 5))
    some, _ = rows_and_dense(0, 1, (4, 5))
    want = trajectory(lambda p: getattr(optim, name)(p, **options), [g, *some, g], start)[-1]
    around = np.zeros((8, 10))
    for memory in (np.asfortranarray(start), around[::2, ::-2]):
        memory[...] = start
        p = tinydl.from_numpy(memory).requires_grad_()
        optimizer = getattr(optim, name)([p], **options)
        for one in (Tensor(np.asfortranarray(g)), *some, tinydl.from_numpy(np.repeat(g, 2, axis=1)[:, ::2])):
            p.grad = one
            optimizer.step()
        np.testing.assert_array_equal(memory, want)
    assert not around[1::2].any() and not around[:, ::2].any()


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (2, 1, 2)])
@pytest.mark.parametrize("name", DENSE)
def test_any_shape(name, shape):
    start, g = np.ones(shape), np.ones(shape)
    moved = trajectory(lambda p: getattr(optim, name)(p, lr=0.5, weight_decay=0), [g], start)[-1]
    assert moved.shape == shape and (moved < 1).all()


def test_a_step_that_is_refused_moves_nothing():
    p, q = parameter([1.0]), parameter([1.0, 1.0])
    optimizer = optim.SGD([p, q], lr=0.1)
    p.grad = Tensor([1.0])
    for bad, error, message in [
        (Tensor([1.0]), ValueError, "a parameter of shape (2,), float32, has a gradient of shape (1,), float32"),
        (Tensor(np.ones(2)), ValueError, "has a gradient of shape (2,), float64; want the same"),
        (np.ones(2, np.float32), TypeError, "has a .grad of type ndarray, want a Tensor"),
    ]:
        q.grad = bad
        with pytest.raises(error, match=re.escape(message)):
            optimizer.step()
    assert p.item() == 1.0 and not optimizer.state


def test_read_only_memory_is_refused():
    memory = np.ones(2)
    memory.flags.writeable = False
    p = tinydl.from_numpy(memory).requires_grad_()
    p.grad = Tensor(np.ones(2))
    with pytest.raises(ValueError, match="stands in read-only memory"):
        optim.SGD([p]).step()


def test_a_dtype_changed_between_steps_is_refused():
    layer = nn.Linear(2, 1)
    optimizer = optim.Adam(layer.parameters())
    layer(Tensor([[1.0, 2.0]])).sum().backward()
    optimizer.step()
    layer.double()
    layer(Tensor(np.array([[1.0, 2.0]]))).sum().backward()
    with pytest.raises(ValueError, match=r"float32 at its first step \(exp_avg\); make a new optimizer"):
        optimizer.step()


# ---------------------------------------------------------------- groups
def test_groups_have_their_own_options():
    p, q, r = (parameter([1.0]) for _ in range(3))
    optimizer = optim.SGD([{"params": [p]}, {"params": q, "lr": 0.5, "weight_decay": 0.1}], lr=0.1)
    optimizer.add_param_group({"params": [r], "momentum": 0.9})
    for x in (p, q, r):
        x.grad = Tensor([1.0])
    optimizer.step()
    optimizer.step()
    np.testing.assert_allclose([p.item(), q.item(), r.item()],
                               [0.8, 0.45 - 0.5 * 1.045, 0.9 - 0.1 * 1.9], rtol=1e-6, atol=1e-7)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5, 0.1]


INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize("name, options, message", [
    ("SGD", dict(lr=-1), "SGD: got lr=-1, want a finite number >= 0"),
    ("Adam", dict(lr=NAN), "Adam: got lr=nan, want a finite number >= 0"),
    ("AdamW", dict(lr=INF), "AdamW: got lr=inf, want a finite"),
    ("Adagrad", dict(lr="fast"), "Adagrad: got lr='fast', want a finite"),
    ("SGD", dict(momentum=-0.1), "got momentum=-0.1"),
    ("SGD", dict(dampening=NAN), "got dampening=nan, want a finite number"),
    ("SGD", dict(dampening=-INF), "got dampening=-inf, want a finite number"),
    ("SGD", dict(nesterov=True), "got nesterov=True with momentum=0, dampening=0; want momentum > 0 and dampening=0"),
    ("SGD", dict(nesterov=True, momentum=0.9, dampening=0.1), "dampening=0.1; want momentum > 0"),
    ("Adam", dict(betas=(0.9, 1.0)), "got betas=(0.9, 1.0), want a finite number >= 0 and < 1"),
    ("Adam", dict(betas=(-0.1, 0.9)), "got betas=(-0.1, 0.9)"),
    ("SparseAdam", dict(betas=0.9), "got betas=0.9, want two numbers"),
    ("RMSprop", dict(alpha=1.0), "got alpha=1.0, want a finite number >= 0 and < 1"),
    ("RMSprop", dict(eps=-1e-8), "got eps=-1e-08"),
    ("Adagrad", dict(initial_accumulator_value=-1), "got initial_accumulator_value=-1"),
    ("Adagrad", dict(lr_decay=-1), "got lr_decay=-1"),
    ("RMSprop", dict(weight_decay=INF), "got weight_decay=inf"),
])
def test_options_out_of_range(name, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(optim, name)([parameter([1.0])], **options)
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(optim, name)([{"params": [parameter([1.0])], **options}])


def test_parameters_that_cannot_be_optimized():
    p = parameter([1.0])
    for params, error, message in [
        ([], ValueError, "Adam: got no parameters"),
        (p, TypeError, "Adam: got params of type Tensor, want an ordered iterable"),
        ({p}, TypeError, "got params of type set"),
        ([{"params": {p}}], TypeError, "as a set, want a list"),
        ([p, p], ValueError, "parameter 1, shape (1,), is given twice"),
        ([{"params": [p]}, {"params": [p]}], ValueError, "parameter 0, shape (1,), is given twice"),
        ([p * 2], ValueError, "parameter 0, shape (1,), was made by multiply, want a leaf"),
        ([np.ones(2)], TypeError, "parameter 0 is a ndarray, want a Tensor"),
        (nn.Linear(1, 1).named_parameters(), TypeError, "pass model.parameters(), not named_parameters()"),
        ([Tensor([1, 2])], TypeError, "parameter 0 has dtype int64, want float32 or float64"),
        ([{"lr": 0.1}], TypeError, "a group that is not a dict with 'params'"),
        ([{"params": [p], "momentum": 0.9}], TypeError, "got option 'momentum', want some of lr, betas, eps, weight_decay"),
    ]:
        with pytest.raises(error, match=re.escape(message)):
            optim.Adam(params)
    with pytest.raises(TypeError, match="amsgrad"):
        optim.Adam([p], amsgrad=True)


def test_a_group_that_is_refused_is_not_added():
    p = parameter([1.0])
    optimizer = optim.SGD([p])
    with pytest.raises(ValueError, match="given twice"):
        optimizer.add_param_group({"params": [parameter([2.0]), p]})
    assert len(optimizer.param_groups) == 1


# ---------------------------------------------------------------- saving
def through_json(tree):
    """What a state dict becomes in a file: numbers through JSON, arrays as bytes."""
    stored = []

    def pack(x):
        if isinstance(x, np.ndarray):
            stored.append(x.copy())
            return {"array": len(stored) - 1}
        raise TypeError(type(x))

    return json.loads(json.dumps(tree, default=pack), object_hook=lambda d: stored[d["array"]] if "array" in d else d)


@pytest.mark.parametrize("name, options", [*VARIANTS, pytest.param("SparseAdam", dict(lr=0.1), id="SparseAdam")])
def test_training_resumed_from_a_state_dict_equals_training_never_interrupted(name, options):
    gradients = rows_and_dense(0, 6, dtype=np.float32, sparse=name == "SparseAdam")[0]

    def make(values):
        p, q, idle = parameter(values[0]), parameter(values[1]), parameter(values[2])
        return [p, q, idle], getattr(optim, name)([{"params": [idle, p], "lr": 0.03}, {"params": [q]}], **options)

    def steps(params, optimizer, some):
        for g in some:
            params[0].grad, params[1].grad = g, g * 0.5
            optimizer.step()

    start = arrays(3, 3, dtype=np.float32)
    params, optimizer = make(start)
    steps(params, optimizer, gradients[:3])
    saved, values = optimizer.state_dict(), [p.data.copy() for p in params]
    stored = through_json(saved)
    steps(params, optimizer, gradients[3:])
    again, other = make(values)
    other.param_groups[0]["lr"] = 77.0
    other.load_state_dict(stored)
    steps(again, other, gradients[3:])
    for p, q in zip(params, again, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
    np.testing.assert_equal(other.state_dict(), optimizer.state_dict())
    assert other.state_dict()["param_groups"] == optimizer.state_dict()["param_groups"]  # tuples are tuples again


def test_the_layout_of_a_state_dict_is_pytorchs_and_holds_copies():
    p, q, r = (parameter(np.ones(2)) for _ in range(3))
    optimizer = optim.Adam([{"params": [p, q]}, {"params": [r], "lr": 0.1}])
    for x in (p, r):
        x.grad = Tensor(np.ones(2))
    optimizer.step()
    saved = optimizer.state_dict()
    assert list(saved) == ["state", "param_groups"]
    assert list(saved["state"]) == [0, 2] and list(saved["state"][0]) == ["step", "exp_avg", "exp_avg_sq"]
    assert saved["state"][2]["step"] == 1
    assert saved["param_groups"] == [
        {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "params": [0, 1]},
        {"lr": 0.1, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "params": [2]}]
    before = saved["state"][0]["exp_avg"].copy()
    optimizer.step()
    np.testing.assert_array_equal(saved["state"][0]["exp_avg"], before)
    optimizer.load_state_dict(saved)
    optimizer.step()
    np.testing.assert_array_equal(saved["state"][0]["exp_avg"], before)
    assert optimizer.state[p]["step"] == 2 and q not in optimizer.state


def test_sgd_without_momentum_keeps_nothing():
    p = parameter([1.0])
    optimizer = optim.SGD([p])
    p.grad = Tensor([1.0])
    optimizer.step()
    assert optimizer.state_dict()["state"] == {0: {}}


def test_loading_refuses_what_does_not_fit_and_changes_nothing():
    p, q = parameter(np.ones(2)), parameter(np.ones(3))
    optimizer = optim.Adam([p, q])
    p.grad, q.grad = Tensor(np.ones(2)), Tensor(np.ones(3))
    optimizer.step()

    def entry(name, value):
        def edit(saved):
            saved["state"][1][name] = value
        return edit

    def option(name, value):
        def edit(saved):
            saved["param_groups"][0][name] = value
        return edit

    for edit, error, message in [
        (lambda s: s["param_groups"].append({"params": []}), ValueError, "got groups of [2, 0] parameters, want [2]"),
        (option("params", [0]), ValueError, "got groups of [1] parameters, want [2]"),
        (lambda s: s["param_groups"][0].pop("eps"), ValueError, "lacks option 'eps'; was it saved by Adam?"),
        (option("alpha", 0.5), TypeError, "got option 'alpha', want some of lr"),
        (option("lr", NAN), ValueError, "got lr=nan"),
        (entry("exp_avg", np.ones(2)), ValueError, "parameter 1: exp_avg has shape (2,), want (3,)"),
        (entry("step", np.ones(3)), ValueError, "parameter 1: step has shape (3,), want ()"),
        (entry("sum", np.ones(3)), ValueError, "parameter 1: unexpected 'sum'; Adam keeps step, exp_avg, exp_avg_sq"),
        (lambda s: s["state"][1].pop("exp_avg_sq"), ValueError, "parameter 1: missing 'exp_avg_sq'"),
        (lambda s: s["state"].update({7: {}}), ValueError, "got state of parameter 7, which is in no saved group"),
    ]:
        saved, before = optimizer.state_dict(), optimizer.state_dict()
        saved["param_groups"][0]["weight_decay"] = 0.5
        saved["state"][0]["exp_avg"] += 1
        edit(saved)
        with pytest.raises(error, match=re.escape(message)):
            optimizer.load_state_dict(saved)
        np.testing.assert_equal(optimizer.state_dict(), before)


def test_momentum_may_be_switched_on_later():
    """A buffer that does not exist yet starts with the gradient, as at the first step."""
    p = parameter([0.0])
    optimizer = optim.SGD([p], lr=1.0, dampening=0.5)
    p.grad = Tensor([1.0])
    optimizer.step()
    optimizer.param_groups[0]["momentum"] = 0.5
    optimizer.step()
    optimizer.step()
    assert p.item() == -1.0 - 1.0 - (0.5 + 0.5)


def test_repr_shows_groups_and_options():
    assert repr(optim.SGD([parameter([1.0])], lr=0.5)) == ("SGD(1 parameters, lr=0.5, momentum=0, dampening=0, "
                                                           "weight_decay=0, nesterov=False)")
