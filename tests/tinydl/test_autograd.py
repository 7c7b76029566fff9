"""The chain rule: what backward and grad leave where, when they refuse, without recursion and without shared gradients."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinydl
from tinydl import RowGradient, Tensor, grad, ops
from tinydl.autograd import first_nonfinite


def leaf(*values, dtype=np.float64):
    return Tensor(np.array(values, dtype), requires_grad=True)


def values(x):
    return None if x is None else x.tolist()


# ------------------------------------------------------------------------------------------------ backward
def test_gradients_of_a_value_used_twice_add_up():
    x = leaf(2.0, 3.0)
    y = x * x
    (y + y * x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [2 * 2 + 3 * 4, 2 * 3 + 3 * 9])  # 2x + 3x^2


def test_backward_adds_to_what_is_in_grad():
    x = leaf(1.0, 2.0)
    (x * 3).sum().backward()
    (x * 4).sum().backward()
    assert values(x.grad) == [7.0, 7.0]


def test_an_output_that_is_named_twice_counts_twice():
    x = Tensor([3.0], requires_grad=True)
    y = x * x
    g, = grad([y, y, x], x, grad_outputs=[np.ones(1), np.full(1, 10.0), np.full(1, 0.5)])
    assert g.tolist() == [6 * 11 + 0.5]


def test_a_gradient_has_the_dtype_of_its_input():
    x = Tensor([1.0, 2.0], requires_grad=True, dtype=np.float32)
    y = x * 1.0
    (y.double() * 3).sum().backward()
    assert x.grad.dtype == np.float32 and x.grad.tolist() == [3.0, 3.0]
    for create_graph in (False, True):
        g, = grad((x.double() * 3).sum(), x, create_graph=create_graph)
        assert g.dtype == np.float32 and g.tolist() == [3.0, 3.0]


def test_a_leaf_is_its_own_graph():
    x = leaf(5.0)
    x.backward()
    assert values(x.grad) == [1.0]


def test_backward_takes_the_gradient_of_what_follows():
    x = leaf(1.0, 2.0, 3.0)
    (x * x).backward(np.array([1.0, 10.0, 100.0]))
    assert values(x.grad) == [2.0, 40.0, 600.0]
    x.grad = None
    (x * x).backward(Tensor([1.0, 10.0, 100.0], dtype=np.float64))
    assert values(x.grad) == [2.0, 40.0, 600.0]


def test_only_tensors_that_ask_get_a_gradient_and_only_their_pullbacks_run():
    ran = []

    @tinydl.op
    def product(a, b):
        return a * b, lambda dy: (ran.append("a"), dy * b)[1], lambda dy: (ran.append("b"), dy * a)[1]

    x, data = leaf(1.0, 2.0), Tensor([3.0, 4.0], dtype=np.float64)
    product(data, x).sum().backward()
    assert data.grad is None and values(x.grad) == [3.0, 4.0] and ran == ["b"]
    product(x * 2, x).sum().backward()
    assert ran == ["b", "a", "b"]
    u, v = leaf(1.0), leaf(1.0)
    grad(product(u, v), v)
    grad(product(u * 2, v), v)  # nobody asked for u's
    assert u.grad is None and ran[3:].count("b") == 2


def test_a_joint_rule_is_told_who_wants_a_gradient():
    seen = []

    @tinydl.op(joint=True)
    def product(a, b):
        def pullback(dy, needs):
            seen.append(list(needs))
            return dy * b if needs[0] else None, dy * a if needs[1] else None
        return a * b, pullback

    x = leaf(3.0)
    product(x, np.array([2.0])).backward()
    product(Tensor([5.0], dtype=np.float64), x).backward()
    assert seen == [[True, False], [False, True]] and values(x.grad) == [7.0]
    assert tinydl.gradcheck(product, [leaf(1.5, -2.0), leaf(0.3, 0.4)])
    assert tinydl.gradgradcheck(product, [leaf(1.5, -2.0), leaf(0.3, 0.4)])


def test_a_pullback_of_none_gives_no_gradient():
    a, b = leaf(1.0), leaf(2.0)
    y = ops.clip(a, b - 5.0, b)
    y.backward()
    assert values(a.grad) == [1.0] and b.grad is None


@pytest.mark.parametrize("gives", [lambda dy: dy.T, lambda dy: dy[0], lambda dy: dy[:1], lambda dy: np.sum(dy)])
def test_a_gradient_of_a_wrong_shape_is_refused_even_where_its_size_fits(gives):
    @tinydl.op
    def broken(x):
        return x * 1, gives
    with pytest.raises(ValueError, match=r"a rule gave a gradient of shape \(.*\) for its input of shape \(3, 2\)"):
        broken(Tensor(np.ones((3, 2)), requires_grad=True)).sum().backward()


def test_a_chain_of_100_000_nodes_works_and_is_released_without_recursion():
    x = leaf(1.0)

    def chain():
        y = x
        for _ in range(100_000):
            y = y * 1.0
        return y

    y = chain()
    assert values(grad(y, x, retain_graph=True)[0]) == [1.0]
    del y  # with all its nodes
    y = chain()
    y.backward()
    assert values(x.grad) == [1.0]


def test_two_outputs_may_share_a_graph():
    x = leaf(2.0)
    y = x * x
    dx, = grad([y * 3, y * y], x, [np.array([1.0]), np.array([0.5])])
    assert values(dx) == [12.0 + 0.5 * 4 * 8]


# ------------------------------------------------------------------------------------------------ freeing and retaining
def test_a_second_backward_through_a_freed_graph_names_the_op():
    x = leaf(1.0)
    y = x.exp()
    z = y * 2
    z.backward()
    with pytest.raises(RuntimeError, match="the graph behind multiply was freed .* retain_graph=True"):
        z.backward()
    with pytest.raises(RuntimeError, match="the graph behind exp was freed"):
        (y * 3).backward()
    assert x.grad.item() == pytest.approx(2 * np.e), "the refused ones left nothing"


def test_grad_through_a_freed_graph_is_refused_where_its_inputs_need_it_and_only_there():
    x, w = leaf(1.0), leaf(2.0)
    h = x.exp()
    h.backward()
    for outputs in (h * w, h * w + x):
        assert grad(outputs, w, retain_graph=True)[0].item() == pytest.approx(np.e)
        with pytest.raises(RuntimeError, match="the graph behind exp was freed"):
            grad(outputs, x, allow_unused=True)


def test_retain_graph_allows_a_second_backward():
    x = leaf(3.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert values(x.grad) == [12.0]


def test_backward_frees_what_the_graph_held():
    x = leaf(*range(5))
    y = x.exp()
    node = (y * 1)._node
    z = y.sum()
    before = z._node
    z.backward()
    assert before.inputs == () and before.pullbacks is None and node.inputs != ()


def test_retain_grad_leaves_gradients_in_the_middle_and_they_add_up_too():
    x = leaf(1.0, 2.0)
    y = x * 3
    y.retain_grad()
    z = y * y
    assert y.grad is None
    z.sum().backward(retain_graph=True)
    assert values(y.grad) == [6.0, 12.0] and z.grad is None
    z.sum().backward()
    assert values(y.grad) == [12.0, 24.0]


# ------------------------------------------------------------------------------------------------ no gradient shares memory
def share(*tensors):
    arrays = [x.values if isinstance(x, RowGradient) else x._data for x in tensors]
    return any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[i + 1:])


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("join", [
    lambda a, b: a + b, lambda a, b: (a * 1 + 0) + (b + 0), lambda a, b: a.reshape(3, 1) + b.reshape(3, 1),
    lambda a, b: ops.concatenate([a, b]), lambda a, b: ops.stack([a.T, b.T]), lambda a, b: a.expand(2, 3) + b.expand(2, 3),
    lambda a, b: ops.where(True, a, 0) + ops.where(False, 0, b), lambda a, b: a.double() + b.double()])
def test_two_leaves_never_share_a_gradient(join, create_graph):
    a, b = leaf(1.0, 2.0, 3.0), leaf(4.0, 5.0, 6.0)
    y = join(a, b)
    v = Tensor(np.ones(y.shape))
    y.backward(v, create_graph=create_graph)
    assert not share(a.grad, b.grad, v)
    y = join(a, b)
    assert not share(*grad(y, [a, b, y], v, create_graph=create_graph), v)


def test_a_rule_that_returns_one_array_for_two_inputs_makes_no_shared_gradients():
    @tinydl.op(joint=True)
    def total(a, b):
        def pullback(dy, needs):
            both = dy * 2
            return both, both
        return 2 * (a + b), pullback

    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    total(a, b).sum().backward()
    assert not share(a.grad, b.grad)


def test_retained_gradients_are_their_own():
    x = leaf(1.0, 2.0)
    y = x * 2
    z = y + 1
    w = z + 1
    for t in (y, z, w):
        t.retain_grad()
    w.backward(np.ones(2), retain_graph=True)
    assert not share(x.grad, y.grad, z.grad, w.grad)
    assert not share(*grad(w, [x, y, z, w], np.ones(2)))


def test_two_tables_never_share_a_gradient():
    one, other = Tensor(np.ones((4, 2)), requires_grad=True), Tensor(np.ones((4, 2)), requires_grad=True)
    ids = np.array([1, 3])
    (ops.embedding(ids, one) + ops.embedding(ids, other)).backward(np.ones((2, 2)))
    assert not share(one.grad, other.grad)


def test_x_plus_x_and_a_gradient_of_a_gradient_of_it():
    x = leaf(1.0, 2.0)
    (x + x).sum().backward()
    assert values(x.grad) == [2.0, 2.0]
    held = x.grad
    (x * x).sum().backward()
    assert values(held) == [2.0, 2.0], "adding makes a new gradient: who holds the old one keeps it"


# ------------------------------------------------------------------------------------------------ grad and its graph
def test_grad_leaves_dot_grad_alone_and_answers_per_input():
    x, y = leaf(2.0), leaf(5.0)
    dx, dy = grad(x * x * y, [x, y])
    assert (values(dx), values(dy)) == ([20.0], [4.0]) and x.grad is None and y.grad is None
    assert not dx.requires_grad


def test_grad_with_respect_to_a_tensor_in_the_middle():
    x = leaf(2.0)
    y = x * x
    z = y * y + x
    assert [values(g) for g in grad(z, [y, x])] == [[8.0], [33.0]]


def test_an_input_that_does_not_matter_is_an_error_or_none():
    x, other = leaf(2.0), leaf(3.0)
    with pytest.raises(RuntimeError, match=r"do not depend on input 1 \(shape \(1,\)\); allow_unused=True"):
        grad(x * 2, [x, other])
    assert grad(x * 2, [x, other], allow_unused=True)[1] is None
    with pytest.raises(RuntimeError, match="input 0 does not require grad"):
        grad(x * 2, Tensor([1.0]))


def test_derivatives_of_every_order():
    x = leaf(1.3)
    y = x**5
    for wanted in (5 * 1.3**4, 20 * 1.3**3, 60 * 1.3**2, 120 * 1.3, 120):
        y, = grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(wanted, rel=1e-12)


def test_backward_with_create_graph_leaves_a_gradient_that_can_be_differentiated():
    x = leaf(1.0, 2.0)
    (x**3).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    again, = grad(x.grad.sum(), x, retain_graph=True)
    np.testing.assert_allclose(again._data, [6.0, 12.0])
    y = (x**3).sum()
    with tinydl.no_grad():  # create_graph says that a graph is wanted, in the sum with the old gradient, too
        y.backward(create_graph=True)
    np.testing.assert_allclose(grad(x.grad.sum(), x)[0]._data, [12.0, 24.0])


def test_a_gradient_penalty_trains_its_weight():
    """d/dw |df/dx|^2: the second derivative across two different inputs, through linear and other nodes."""
    w, x = leaf(0.5, -1.0), leaf(0.3, 0.7)

    def penalty(w, x):
        with tinydl.enable_grad():
            g, = grad((ops.tanh(w * x) + w.flip(0) * 2).sum(), x, create_graph=True)
            return (g * g).sum()
    assert tinydl.gradcheck(lambda w: penalty(w, x), [w])


def test_a_hessian_vector_product_equals_its_finite_difference(rng):
    x, u = Tensor(rng.standard_normal(4), requires_grad=True), rng.standard_normal(4)
    A = rng.standard_normal((4, 4))

    def gradient(x, create_graph=False):
        y = ops.logsumexp(x @ A) + ops.sigmoid(x).sum() * (x[0] / (2 + x[1] * x[1]))
        return grad(y, x, create_graph=create_graph)[0]

    product, = grad(gradient(x, create_graph=True), x, u)
    ahead, behind = (gradient(Tensor(x._data + step * u, requires_grad=True))._data for step in (1e-5, -1e-5))
    np.testing.assert_allclose(product._data, (ahead - behind) / 2e-5, rtol=1e-7, atol=1e-9)


def test_the_second_derivative_passes_through_a_change_of_dtype():
    x = leaf(1.0, 2.0, dtype=np.float32)
    dx, = grad((x.double() ** 3).sum(), x, create_graph=True)
    assert dx.dtype == np.float32
    assert values(grad(dx.sum(), x)[0]) == [6.0, 12.0]


# ------------------------------------------------------------------------------------------------ no_grad
def test_no_grad_records_nothing_and_ends_with_its_block_even_after_an_exception():
    x = leaf(1.0)
    with pytest.raises(KeyError), tinydl.no_grad():
        assert not tinydl.is_grad_enabled() and not (x * 2).requires_grad
        with tinydl.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
        raise KeyError
    assert tinydl.is_grad_enabled() and (x * 2).requires_grad


def test_no_grad_decorates_functions():
    @tinydl.no_grad()
    def double(x):
        return x * 2
    for _ in range(2):
        assert not double(leaf(1.0)).requires_grad
    assert tinydl.is_grad_enabled()


def test_no_grad_concerns_its_own_thread_only():
    recorded = []
    with tinydl.no_grad():
        thread = threading.Thread(target=lambda: recorded.append((leaf(1.0) * 2).requires_grad))
        thread.start()
        thread.join()
    assert recorded == [True]


def test_threads_may_run_backward_at_the_same_time():
    results = [None] * 4

    def work(k):
        w = Tensor(np.full((3, 3), float(k)), requires_grad=True)
        for _ in range(50):
            ((w @ w).relu() * w).sum().backward()
        results[k] = w.grad._data
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for k in range(4):  # sum of w^3-like terms: every entry 50 * 9 k^2
        np.testing.assert_allclose(results[k], 50 * 9.0 * k**2)


def test_detach_cuts_the_graph_and_shares_the_memory():
    x = leaf(2.0, 3.0)
    y = x * x
    cut = y.detach()
    assert not cut.requires_grad and cut.is_leaf and np.shares_memory(cut._data, y._data)
    (y * cut).sum().backward()
    assert values(x.grad) == [2 * 2 * 4.0, 2 * 3 * 9.0]


# ------------------------------------------------------------------------------------------------ refusals
@pytest.mark.parametrize("start, error, message", [
    (lambda: Tensor([1.0]).backward(), RuntimeError, "does not require grad and has no graph"),
    (lambda: (leaf(1.0, 2.0) * 2).backward(), RuntimeError, r"output of shape \(2,\) needs the gradient of what follows"),
    (lambda: (leaf(1.0, 2.0) * 2).backward(np.ones(3)), ValueError, r"shape \(3,\) for an output of shape \(2,\)"),
    (lambda: grad(leaf(1.0, 2.0) * 2, leaf(1.0), np.ones((2, 1))), ValueError, r"\(2, 1\) for an output of shape \(2,\)"),
])
def test_backward_says_what_it_was_given_and_wants(start, error, message):
    with pytest.raises(error, match=message):
        start()


CHANGES = {
    "copy_": lambda x: x.copy_(np.zeros(x.shape)),
    "fill_": lambda x: x.fill_(1.0),
    "zero_|fill_": lambda x: x.zero_(),
    r"\+=": lambda x: x.__iadd__(1.0),
    r"\*=": lambda x: x.__imul__(2.0),
    r"x\[\.\.\.\] =": lambda x: x.__setitem__(0, 5.0),
    "SGD.step": lambda x: x._writable("SGD.step").__isub__(0.1),
}


@pytest.mark.parametrize("writer", CHANGES)
def test_an_input_that_was_changed_since_is_refused_with_the_names_of_op_and_writer(writer):
    w, x = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = (w * x).sum()
    with tinydl.no_grad():
        CHANGES[writer](w)
    with pytest.raises(RuntimeError, match=rf"multiply needs its input 0 \(shape \(2,\), a leaf\), which ({writer})"):
        y.backward()
    assert w.grad is None and x.grad is None
    (w * x).sum().backward()  # recorded after the change
    np.testing.assert_array_equal(x.grad._data, w._data)


@pytest.mark.parametrize("alias", [lambda x: x.detach(), lambda x: x[1:], lambda x: x.reshape(2, 2).T[1],
                                   lambda x: x.detach()[::2]])
def test_a_change_through_a_view_is_noticed(alias):
    x = leaf(1.0, 2.0, 3.0, 4.0)
    y = (x * x).sum()
    with tinydl.no_grad():
        alias(x).fill_(0.0)
    with pytest.raises(RuntimeError, match="multiply needs its input 0 .* which fill_ has changed"):
        y.backward()


def test_a_changed_view_is_noticed_when_its_base_is_written():
    x = leaf(1.0, 2.0)
    y = (x[:1].exp() * x[:1]).sum()
    with tinydl.no_grad():
        x.fill_(0.0)
    with pytest.raises(RuntimeError, match="which fill_ has changed"):
        y.backward()


def test_a_result_that_was_changed_since_is_refused():
    y = leaf(1.0, 2.0).exp()
    z = y.sum()
    with tinydl.no_grad():
        y += 1
    with pytest.raises(RuntimeError, match=r"the result of exp, which its gradient needs, was changed in place by \+="):
        z.backward()


def test_a_changed_input_of_a_linear_op_is_no_harm():
    x, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = (x + b).sum()
    b.fill_(0.0)
    y.backward()
    assert values(x.grad) == values(b.grad) == [1.0, 1.0]


@pytest.mark.parametrize("array", [np.array([3.0, 4.0]), np.array([[3.0, 4.0]])[0]])
def test_an_array_of_the_user_may_change_after_it_was_used(array):
    x, index = leaf(1.0, 2.0), np.array([0])
    y = (x * array).sum() + ops.take(x, indices=index).sum() + x[index].sum() + ops.clip(x, high=array).sum()
    array[:] = -100.0
    index[:] = 1
    y.backward()
    assert values(x.grad) == [3.0 + 3, 4.0 + 1]


def test_a_list_of_the_user_may_change_after_it_was_used_and_changes_no_dtype():
    x, factors = Tensor([1.0, 2.0, 3.0], requires_grad=True), [1.0, 2.0, 3.0]
    y = x * factors
    factors[0] = 100.0
    y.sum().backward()
    assert values(x.grad) == [1.0, 2.0, 3.0] and y.dtype == (x * [1, 2, 3]).dtype == np.float32
    assert (Tensor([1, 2]) * [0.5, 1.5]).tolist() == [0.5, 3.0]


def test_a_read_only_view_of_changing_memory_is_no_exception():
    x, c = leaf(1.0, 2.0), Tensor([3.0, 4.0], dtype=np.float64)
    y = (x * c.numpy()).sum() + (x * np.broadcast_to(c.data[:1], 2)).sum()
    c.fill_(0.0)
    y.backward()
    assert values(x.grad) == [6.0, 7.0]


def test_a_constant_that_nobody_can_write_to_is_not_copied():
    constant = np.ones(1000)
    constant.flags.writeable = False
    y = leaf(*range(1000)) * constant
    assert y._node.inputs[1] is constant
    assert (leaf(*range(10)) * constant[:10])._node.inputs[1].base is constant


def test_a_tensor_of_a_graph_cannot_be_changed_in_place_while_recording():
    x = leaf(1.0, 2.0)
    for change in (lambda: x.__iadd__(1), lambda: x.__setitem__(0, 1.0), lambda: Tensor([1.0, 2.0]).__imul__(x)):
        with pytest.raises(RuntimeError, match="cannot be changed in place"):
            change()
    assert values(x) == [1.0, 2.0]


# ------------------------------------------------------------------------------------------------ nan and inf
def test_the_first_op_that_made_a_nan_or_an_inf_is_named():
    x = leaf(1.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = (x.log() * 0).sum() + x.sum()
    assert first_nonfinite(y) == "log was the first to give inf (result of shape (2,))"
    assert first_nonfinite(x.sum()) is None
    w = leaf(np.nan)
    assert first_nonfinite(w * 2, {w: "layer.weight"}) == "parameter layer.weight of shape (1,) holds nan"


# ------------------------------------------------------------------------------------------------ against forward mode
# A program is a list of steps; a step takes earlier values by number. Each op stands here with its derivative in forward
# mode, written independently of the rules under test: value and tangent from values and tangents.
SHAPES = [(), (3,), (2, 1), (2, 3), (1, 3)]
FORWARD = {
    "add": (lambda a, b: a + b, lambda a, da, b, db: da + db),
    "subtract": (lambda a, b: a - b, lambda a, da, b, db: da - db),
    "multiply": (lambda a, b: np.sin(a) * b, lambda a, da, b, db: np.cos(a) * da * b + np.sin(a) * db),
    "divide": (lambda a, b: a / (1.5 + np.cos(b)),
               lambda a, da, b, db: da / (1.5 + np.cos(b)) + a * np.sin(b) * db / (1.5 + np.cos(b)) ** 2),
    "tanh": (np.tanh, lambda a, da: da / np.cosh(a) ** 2),
    "sin": (np.sin, lambda a, da: np.cos(a) * da),
    "exp": (lambda a: np.exp(np.sin(a)), lambda a, da: np.exp(np.sin(a)) * np.cos(a) * da),
    "square": (lambda a: np.square(np.tanh(a)), lambda a, da: 2 * np.tanh(a) * da / np.cosh(a) ** 2),
    "sum": (lambda a: np.sum(a, axis=-1, keepdims=True) if np.ndim(a) else a,
            lambda a, da: np.sum(da, axis=-1, keepdims=True) if np.ndim(da) else da),
    "turn": (lambda a: np.transpose(a) if np.shape(a) in ((2, 1), (1, 3)) else a + 0,
             lambda a, da: np.transpose(da) if np.shape(a) in ((2, 1), (1, 3)) else da),
    "places": (lambda a: a[..., [0, 0]] if np.ndim(a) else a * 2, lambda a, da: da[..., [0, 0]] if np.ndim(a) else da * 2),
    "mean": (lambda a: np.mean(a), lambda a, da: np.mean(da)),
}
steps = st.tuples(st.sampled_from(sorted(FORWARD)), st.integers(0, 30), st.integers(0, 30))
programs = st.lists(steps, min_size=1, max_size=12)


def run(program, xs, tangents=None):
    """The values of a program's every step (and their tangents). A step whose shapes do not fit is left out."""
    made, moved = list(xs), list(tangents or [])
    for name, i, j in program:
        value, tangent = FORWARD[name]
        operands = [i % len(made), j % len(made)][:value.__code__.co_argcount if hasattr(value, "__code__") else 1]
        try:
            np.broadcast_shapes(*(np.shape(made[k]) for k in operands))
        except ValueError:
            continue
        if tangents is not None:
            moved.append(tangent(*(x for k in operands for x in (made[k], moved[k]))))
        made.append(value(*(made[k] for k in operands)))
    return made, moved


@given(program=programs, shapes=st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3), seed=st.integers(0, 2**16))
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_reverse_mode_equals_forward_mode_on_random_programs(program, shapes, seed):
    """<v, J u> = <J^T v, u> for random v and u: forward mode gives the left side, the engine the right."""
    rng = np.random.default_rng(seed)
    arrays, u = ([rng.standard_normal(shape) for shape in shapes] for _ in range(2))
    made, moved = run(program, arrays, u)
    xs = [Tensor(a, requires_grad=True) for a in arrays]
    outputs = run(program, xs)[0][len(xs):]
    for y, value in zip(outputs, made[len(xs):], strict=True):
        np.testing.assert_allclose(y._data, value, rtol=1e-12)
    covectors = [rng.standard_normal(y.shape) for y in outputs]
    for create_graph in (False, True):
        gradients = grad(outputs, xs, [Tensor(v) for v in covectors], retain_graph=True, create_graph=create_graph,
                         allow_unused=True)
        reverse = sum(np.sum(g._data * d) for g, d in zip(gradients, u, strict=True) if g is not None)
        forward = sum(np.sum(v * d) for v, d in zip(covectors, moved[len(xs):], strict=True))
        np.testing.assert_allclose(reverse, forward, rtol=1e-9, atol=1e-9)


@given(program=programs, shapes=st.lists(st.sampled_from(SHAPES), min_size=1, max_size=2), seed=st.integers(0, 2**16))
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_second_derivatives_of_random_programs_equal_finite_differences(program, shapes, seed):
    rng = np.random.default_rng(seed)
    xs = [Tensor(0.5 * rng.standard_normal(shape), requires_grad=True) for shape in shapes]
    assert tinydl.gradgradcheck(lambda *xs: run(program, xs)[0][-1] * 1, xs)


@given(data=st.data())
@settings(max_examples=100, deadline=None, derandomize=True, database=None)
def test_broadcasting_is_undone_for_any_two_shapes(data):
    """d<v, a + b> / da sums v over what a was repeated along, found here by adding up one place at a time."""
    full = data.draw(st.lists(st.integers(0, 3), max_size=3).map(tuple))
    one, other = (tuple(1 if data.draw(st.booleans()) else n for n in full)[data.draw(st.integers(0, len(full))):]
                  for _ in range(2))
    a, b = Tensor(np.zeros(one), requires_grad=True), Tensor(np.zeros(other), requires_grad=True)
    y = a + b
    v = np.random.default_rng(0).standard_normal(y.shape)
    y.backward(v)
    for x in (a, b):
        wanted = np.zeros(x.shape)
        for place in np.ndindex(y.shape):
            wanted[tuple(0 if n == 1 else i for i, n in zip(place[y.ndim - x.ndim:], x.shape, strict=True))] += v[place]
        np.testing.assert_allclose(x.grad._data, wanted, rtol=1e-12, atol=1e-14)
