"""RNN, LSTM and GRU against plain loops over each sequence alone, their own cells, and finite differences."""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinydl
from tinydl import Tensor, gradcheck, gradgradcheck, kernels, nn, ops
from tinydl.kernels import use_numba
from tinydl.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence, pad_sequence
from tinydl.ops import through_time

from .test_ops import PLAIN_CELLS

pytestmark = pytest.mark.usefixtures("float64")

KINDS = {nn.RNN: (nn.RNNCell, 1, 1), nn.LSTM: (nn.LSTMCell, 4, 2), nn.GRU: (nn.GRUCell, 3, 1)}  # cell, gates, states
EACH = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def normal(*shape, seed=3):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def drawn(module):
    """Parameters far from 0, so that every gate opens and shuts."""
    for k, p in enumerate(module.parameters()):
        p.copy_(0.8 * normal(*p.shape, seed=k))
    return module


def as_tuple(state):
    return state if isinstance(state, tuple) else (state,)


def given_state(kind, *shape):
    states = tuple(Tensor(normal(*shape, seed=20 + s), requires_grad=True) for s in range(KINDS[kind][2]))
    return states if kind is nn.LSTM else states[0]


def plain(module, x, state):
    """One sequence (T, I), state [(L D, H)] -> output (T, D H), state: loops over layers, directions and steps."""
    p, ends = {name: q.data for name, q in module.named_parameters()}, []
    cell = PLAIN_CELLS[type(module).__name__.lower() + "_cell"]
    for layer in range(module.num_layers):
        outputs = []
        for suffix in ("", "_reverse") if module.bidirectional else ("",):
            weights = [p[f"{name}_l{layer}{suffix}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                       if f"{name}_l{layer}{suffix}" in p]
            now, h = [s[len(ends)][None] for s in state], np.zeros((len(x), module.hidden_size))
            for t in reversed(range(len(x))) if suffix else range(len(x)):
                now = cell(x[t][None], *now, *weights)
                h[t] = now[0][0]
            outputs.append(h)
            ends.append([s[0] for s in now])
        x = np.concatenate(outputs, axis=1)
    return x, [np.stack(s) for s in zip(*ends, strict=True)]


# ------------------------------------------------------------------------------------------------ values
@pytest.mark.parametrize("options", [{}, {"num_layers": 3}, {"bidirectional": True}, {"bias": False, "batch_first": True},
                                     {"num_layers": 2, "bidirectional": True, "batch_first": True}], ids=str)
@EACH
def test_each_sequence_of_a_batch_is_the_plain_loop_over_it_alone(kind, options):
    module, T, B = drawn(kind(2, 3, **options)), 4, 3
    LD = module.num_layers * (1 + module.bidirectional)
    x, hx, first = normal(T, B, 2), given_state(kind, LD, B, 3), module.batch_first
    output, state = module(Tensor(x.swapaxes(0, 1) if first else x), hx)
    by_step = output.data.swapaxes(0, 1) if first else output.data
    assert output.shape == ((B, T) if first else (T, B)) + (3 * (1 + module.bidirectional),)
    for b in range(B):
        wanted, ends = plain(module, x[:, b], [s.data[:, b] for s in as_tuple(hx)])
        np.testing.assert_allclose(by_step[:, b], wanted, rtol=1e-12, atol=1e-14)
        for s, end in zip(as_tuple(state), ends, strict=True):
            assert s.shape == (LD, B, 3)
            np.testing.assert_allclose(s.data[:, b], end, rtol=1e-12, atol=1e-14)
        alone, ended = module(Tensor(x[:, b]), tuple(s[:, b] for s in hx) if kind is nn.LSTM else hx[:, b])
        np.testing.assert_allclose(alone.data, wanted, rtol=1e-12, atol=1e-14)
        assert [s.shape for s in as_tuple(ended)] == [(LD, 3)] * KINDS[kind][2]


@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4), kind=st.sampled_from(list(KINDS)),
       bidirectional=st.booleans(), batch_first=st.booleans(), layers=st.integers(1, 2))
def test_padding_changes_nothing(lengths, kind, bidirectional, batch_first, layers):
    module = drawn(kind(2, 3, layers, bidirectional=bidirectional, batch_first=batch_first))
    T, B, LD = max(lengths) + 1, len(lengths), layers * (1 + bidirectional)
    x, hx = normal(T, B, 2), given_state(kind, LD, B, 3)
    input = Tensor(x.swapaxes(0, 1) if batch_first else x)
    packed = pack_padded_sequence(input, lengths, batch_first, enforce_sorted=False)
    output, state = module(packed, hx)
    padded, back = pad_packed_sequence(output, batch_first, padding_value=7.0, total_length=T)
    assert back.tolist() == lengths
    by_step = padded.data.swapaxes(0, 1) if batch_first else padded.data
    for b, n in enumerate(lengths):
        wanted, ends = plain(module, x[:n, b], [s.data[:, b] for s in as_tuple(hx)])
        np.testing.assert_allclose(by_step[:n, b], wanted, rtol=1e-12, atol=1e-14)
        assert (by_step[n:, b] == 7).all()
        for s, end in zip(as_tuple(state), ends, strict=True):
            np.testing.assert_allclose(s.data[:, b], end, rtol=1e-12, atol=1e-14)


@EACH
def test_a_sequence_in_pieces_is_the_whole_sequence_when_the_state_is_handed_on(kind):
    module, x = drawn(kind(2, 3, 2)), Tensor(normal(7, 2, 2))
    whole, end = module(x)
    first, state = module(x[:3])
    rest, state = module(x[3:], state)
    np.testing.assert_allclose(np.concatenate([first.data, rest.data]), whole.data, rtol=1e-13)
    for s, wanted in zip(as_tuple(state), as_tuple(end), strict=True):
        np.testing.assert_allclose(s.data, wanted.data, rtol=1e-13)


@EACH
def test_a_detached_state_cuts_back_propagation_through_time(kind):
    module, x = drawn(kind(2, 3)), Tensor(normal(6, 2, 2), requires_grad=True)
    _, state = module(x[:4])
    cut = tuple(s.detach() for s in state) if kind is nn.LSTM else state.detach()
    module(x[4:], cut)[0].sum().backward()
    assert not x.grad.data[:4].any() and x.grad.data[4:].all()
    x.grad = None
    module(x[4:], module(x[:4])[1])[0].sum().backward()
    assert x.grad.data.all()


def test_relu_is_the_other_nonlinearity():
    module, x = drawn(nn.RNN(2, 3, nonlinearity="relu", bias=False)), normal(4, 2)
    W, V = module.weight_ih_l0.data, module.weight_hh_l0.data
    h, wanted = np.zeros(3), []
    for x_t in x:
        h = np.maximum(W @ x_t + V @ h, 0)
        wanted.append(h)
    np.testing.assert_allclose(module(Tensor(x))[0].data, wanted, rtol=1e-13)
    assert (np.array(wanted) == 0).any() and (np.array(wanted) > 0).any()
    np.testing.assert_allclose(module.cell()(Tensor(x[0])).data, wanted[0], rtol=1e-13)
    assert "nonlinearity='relu'" in repr(module)
    inputs = [Tensor(x, requires_grad=True), *module.parameters()]
    assert gradcheck(lambda x, *_: module(x)[0], inputs)
    assert gradgradcheck(lambda x, *_: module(x)[0], inputs, per_element=4, directions=2)


# ------------------------------------------------------------------------------------------------ the cell
@pytest.mark.parametrize("bias", [True, False])
@EACH
def test_the_primitive_is_its_cell_in_a_loop_in_values_and_gradients(kind, bias):
    module = drawn(kind(2, 3, bias=bias))
    cell, x, hx = module.cell(), Tensor(normal(5, 4, 2), requires_grad=True), given_state(kind, 1, 4, 3)
    inputs, v = [x, *as_tuple(hx), *module.parameters()], Tensor(normal(5, 4, 3))
    fused, _ = module(x, hx)
    state, steps = tuple(s[0] for s in hx) if kind is nn.LSTM else hx[0], []
    for t in range(5):
        state = cell(x[t], state)
        steps.append(as_tuple(state)[0])
    looped = ops.stack(steps)
    np.testing.assert_allclose(fused.data, looped.data, rtol=1e-12, atol=1e-14)
    for one, other in zip(tinydl.grad(fused, inputs, v), tinydl.grad(looped, inputs, v), strict=True):
        np.testing.assert_allclose(one.data, other.data, rtol=1e-11, atol=1e-13)


@EACH
def test_a_cell_has_the_very_parameters_of_its_layer_and_direction(kind):
    module = kind(2, 3, 2, bidirectional=True)
    for layer, reverse in ((0, False), (1, True)):
        cell = module.cell(layer, reverse)
        assert type(cell) is KINDS[kind][0] and cell.input_size == (6 if layer else 2)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            assert getattr(cell, name) is getattr(module, f"{name}_l{layer}" + "_reverse" * reverse)


@EACH
def test_a_cell_takes_a_batch_or_one_row_and_starts_from_zeros(kind):
    cell, x = drawn(KINDS[kind][0](2, 3)), Tensor(normal(4, 2))
    zeros = tuple(tinydl.zeros(4, 3) for _ in range(KINDS[kind][2]))
    many, started = as_tuple(cell(x)), as_tuple(cell(x, zeros if kind is nn.LSTM else zeros[0]))
    for s, same in zip(many, started, strict=True):
        np.testing.assert_array_equal(s.data, same.data)
    for b in range(4):
        for s, one in zip(many, as_tuple(cell(x[b])), strict=True):
            assert one.shape == (3,)
            np.testing.assert_allclose(one.data, s.data[b], rtol=1e-13)


# ------------------------------------------------------------------------------------------------ gradients
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
@EACH
def test_gradients_of_outputs_and_states(kind, options):
    module = drawn(kind(1, 2, **options))
    LD = module.num_layers * (1 + module.bidirectional)
    x, hx = Tensor(normal(3, 2, 1), requires_grad=True), given_state(kind, LD, 2, 2)

    def run(x, *rest):
        packed = pack_padded_sequence(x, [2, 3], enforce_sorted=False)
        state = rest[:len(as_tuple(hx))]
        output, state = module(packed, state if kind is nn.LSTM else state[0])
        return (output.data, *as_tuple(state))

    assert gradcheck(run, [x, *as_tuple(hx), *module.parameters()], per_element=2, directions=3)
    if not options:
        assert gradgradcheck(run, [x, *as_tuple(hx), *module.parameters()], per_element=2, directions=1)


def test_a_gradient_with_a_graph_does_not_flow_twice_where_one_input_was_made_of_another():
    x, w, v = Tensor(normal(2, 2), requires_grad=True), Tensor(normal(6, 2)), Tensor(normal(6, 2, seed=4))
    plain, = tinydl.grad(ops.gru(x, x * x, w, v).sum(), x)
    recorded, = tinydl.grad(ops.gru(x, x * x, w, v).sum(), x, create_graph=True)
    np.testing.assert_allclose(recorded.data, plain.data, rtol=1e-12)
    assert gradgradcheck(lambda x: ops.gru(x, x * x, w, v), [x])


@pytest.mark.parametrize("block", [1, 60])
@EACH
def test_gradients_do_not_depend_on_how_many_steps_a_block_has(kind, block, monkeypatch):
    module, x = drawn(kind(2, 3, bidirectional=True)), Tensor(normal(5, 3, 2), requires_grad=True)

    def gradients():
        output, _ = module(pack_padded_sequence(x, [5, 3, 2]))
        return tinydl.grad(output.data, [x, *module.parameters()], normal(10, 6))

    whole = gradients()
    monkeypatch.setattr(through_time, "BLOCK", block)
    for one, other in zip(gradients(), whole, strict=True):
        np.testing.assert_allclose(one.data, other.data, rtol=1e-11, atol=1e-13)


@EACH
def test_compiled_and_plain_kernels_give_the_same(kind):
    module, x = drawn(kind(3, 5, 2).float()), tinydl.randn(6, 4, 3, dtype=np.float32)
    results = []
    for compiled in (True, False):
        with use_numba(compiled):
            output, _ = module(x)
            results.append([output, *tinydl.grad(output.sum(), list(module.parameters()))])
    for one, other in zip(*results, strict=True):
        assert one.dtype == other.dtype == np.float32
        np.testing.assert_allclose(one.data, other.data, rtol=2e-4, atol=2e-5)


@EACH
def test_only_what_needs_a_gradient_gets_one(kind):
    module, x = kind(2, 3), Tensor(normal(4, 2, 2))
    module.weight_hh_l0.requires_grad_(False)
    module(x)[0].sum().backward()
    assert x.grad is None and module.weight_hh_l0.grad is None
    assert all(p.grad is not None for p in module.parameters() if p.requires_grad)
    with tinydl.no_grad():
        assert not module(x)[0].requires_grad


def test_a_graph_that_is_kept_gives_the_same_gradient_again():
    module, x = nn.LSTM(2, 3), Tensor(normal(4, 2, 2), requires_grad=True)
    loss = (module(x)[0] ** 2).sum()
    first, = tinydl.grad(loss, x, retain_graph=True)
    again, = tinydl.grad(loss, x)
    np.testing.assert_array_equal(first.data, again.data)


# ------------------------------------------------------------------------------------------------ dropout
def test_dropout_falls_between_layers_in_training_only():
    module, x = drawn(nn.LSTM(2, 3, 2, dropout=0.5, rng=1)), Tensor(normal(4, 2, 2))
    bare = drawn(nn.LSTM(2, 3, 2))
    assert not np.allclose(module(x)[0].data, module(x)[0].data)
    np.testing.assert_array_equal(module.eval()(x)[0].data, bare(x)[0].data)
    silent = drawn(nn.LSTM(2, 3, 2, dropout=1.0))
    np.testing.assert_array_equal(silent(x)[1][0].data[0], bare(x)[1][0].data[0])  # the first layer's own state is whole
    assert silent(x)[0].data.all()  # nothing falls behind the last
    assert np.ptp(silent(x)[0].data, axis=1).max() == 0 and np.ptp(bare(x)[0].data, axis=1).max() > 0.01


def test_dropout_after_the_only_layer_is_refused_with_a_warning():
    with pytest.warns(UserWarning, match="there is one layer"):
        nn.GRU(2, 3, dropout=0.5)


# ------------------------------------------------------------------------------------------------ as PyTorch has it
@EACH
def test_parameters_have_pytorchs_names_shapes_and_start(kind):
    gates, module = KINDS[kind][1], kind(2, 50, 2, bidirectional=True, rng=0)
    wanted = {}
    for layer, width in ((0, 2), (1, 100)):
        for suffix in ("", "_reverse"):
            wanted |= {f"weight_ih_l{layer}{suffix}": (gates * 50, width), f"weight_hh_l{layer}{suffix}": (gates * 50, 50),
                       f"bias_ih_l{layer}{suffix}": (gates * 50,), f"bias_hh_l{layer}{suffix}": (gates * 50,)}
    assert {name: p.shape for name, p in module.named_parameters()} == wanted
    assert list(module.state_dict()) == list(wanted)
    for p in module.parameters():
        assert 0.9 / np.sqrt(50) < np.abs(p.data).max() <= 1 / np.sqrt(50)
    assert [n for n, _ in kind(2, 3, bias=False).named_parameters()] == ["weight_ih_l0", "weight_hh_l0"]
    cell = KINDS[kind][0](2, 3)
    assert [n for n, _ in cell.named_parameters()] == ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
    np.testing.assert_array_equal(kind(2, 3, rng=5).weight_hh_l0.data, kind(2, 3, rng=5).weight_hh_l0.data)


def test_arguments_come_in_pytorchs_order_with_its_defaults():
    common = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
    for kind in (nn.LSTM, nn.GRU):
        assert defaults(kind) == common
    assert list(defaults(nn.RNN)) == ["num_layers", "nonlinearity", *list(common)[1:]]
    assert defaults(nn.RNN)["nonlinearity"] == "tanh"
    with pytest.raises(TypeError, match="proj_size"):
        nn.LSTM(2, 3, proj_size=2)


def defaults(kind):
    parameters = inspect.signature(kind).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is not p.empty}


# ------------------------------------------------------------------------------------------------ packing
def test_packing_as_in_the_picture():
    a, b, c = (Tensor(np.array(rows, float)[:, None]) for rows in ([1, 2, 3], [4, 5], [6]))
    packed = pack_sequence([a, b, c])
    assert packed.data.tolist() == [[1], [4], [6], [2], [5], [3]] and packed.batch_sizes.tolist() == [3, 2, 1]
    assert packed.sorted_indices is None
    unsorted = pack_sequence([c, a, b], enforce_sorted=False)
    assert unsorted.data.tolist() == packed.data.tolist()
    assert unsorted.sorted_indices.tolist() == [1, 2, 0] and unsorted.unsorted_indices.tolist() == [2, 0, 1]
    padded, lengths = pad_packed_sequence(unsorted, batch_first=True, padding_value=-1)
    assert padded[:, :, 0].tolist() == [[6, -1, -1], [1, 2, 3], [4, 5, -1]] and lengths.tolist() == [1, 3, 2]
    assert pad_sequence([a, c])[:, :, 0].tolist() == [[1, 6], [2, 0], [3, 0]]
    assert pad_sequence([c, b], batch_first=True, padding_value=9)[:, :, 0].tolist() == [[6, 9], [4, 5]]
    assert packed.to(np.float32).data.dtype == np.float32


def test_gradients_of_packing_and_padding():
    x = Tensor(normal(3, 2, 2), requires_grad=True)
    assert gradcheck(lambda x: pack_padded_sequence(x, [1, 3], enforce_sorted=False).data, [x])
    assert gradcheck(lambda x: pad_packed_sequence(pack_padded_sequence(x, [3, 1]), total_length=5)[0], [x])


def test_ids_can_be_packed_and_embedded():
    packed = pack_padded_sequence(Tensor(np.array([[1, 2, 0], [3, 3, 3]])), [2, 3], batch_first=True, enforce_sorted=False)
    assert packed.data.tolist() == [3, 1, 3, 2, 3]
    embedded = packed._replace(data=nn.Embedding(4, 2)(packed.data))
    assert nn.GRU(2, 3)(embedded)[1].shape == (1, 2, 3)


# ------------------------------------------------------------------------------------------------ bad input
@pytest.mark.parametrize("wrong, words", [
    (lambda: nn.LSTM(2, 3)(Tensor(np.zeros((4, 2, 5)))), r"\(4, 2, 5\), want \(T, B, 2\)"),
    (lambda: nn.LSTM(2, 3, batch_first=True)(Tensor(np.zeros((4, 2, 5)))), r"want \(B, T, 2\)"),
    (lambda: nn.GRU(2, 3)(Tensor(np.zeros(2))), "pack_padded_sequence"),
    (lambda: nn.GRU(2, 3)(Tensor(np.zeros((0, 4, 2)))), "no steps"),
    (lambda: nn.GRU(2, 3)(Tensor(np.zeros((5, 4, 2))), tinydl.zeros(1, 5, 3)), r"\(1, 5, 3\).*want h \(1, 4, 3\)"),
    (lambda: nn.GRU(2, 3)(Tensor(np.zeros((5, 2))), tinydl.zeros(1, 1, 3)), r"want h \(1, 3\)"),
    (lambda: nn.LSTM(2, 3)(Tensor(np.zeros((5, 4, 2))), (tinydl.zeros(1, 4, 3),)), r"want \(h, c\), each \(1, 4, 3\)"),
    (lambda: nn.LSTM(2, 3)(PackedSequence(Tensor(np.zeros((3, 5))), np.array([2, 1]))), r"packed data \(3, 5\)"),
    (lambda: nn.LSTM(2, 3)(PackedSequence(Tensor(np.zeros((3, 2))), np.array([1, 2]))), "never grow"),
    (lambda: nn.LSTM(2, 3)(PackedSequence(Tensor(np.zeros((4, 2))), np.array([2, 1]))), "add up to the rows"),
    (lambda: nn.RNN(2, 3, nonlinearity="sigmoid"), "'tanh' or 'relu'"),
    (lambda: nn.RNNCell(2, 3, nonlinearity="sigmoid"), "'tanh' or 'relu'"),
    (lambda: ops.rnn(normal(2, 1), normal(1, 2), normal(2, 1), normal(2, 2), nonlinearity="no"), "'tanh' or 'relu'"),
    (lambda: ops.gru(normal(2, 3, 1), normal(3, 2), normal(6, 1), normal(6, 2)), r"want packed rows \(N, I\)"),
    (lambda: ops.gru(normal(5, 1), normal(3, 2), normal(6, 1), normal(6, 2)), "whole steps"),
    (lambda: nn.LSTM(2, 0), "hidden_size=0"),
    (lambda: nn.LSTM(2, 3, 0), "num_layers=0"),
    (lambda: nn.LSTMCell(0, 3), "input_size=0"),
    (lambda: nn.LSTM(2, 3, 2, dropout=1.5), "probability"),
    (lambda: nn.LSTMCell(2, 3)(Tensor(np.zeros((4, 3)))), r"want \(B, 2\)"),
    (lambda: nn.LSTMCell(2, 3)(Tensor(np.zeros((4, 2))), (tinydl.zeros(1, 3),) * 2), r"want 2 of \(4, 3\)"),
    (lambda: pack_padded_sequence(Tensor(normal(3, 2, 1)), [1, 3]), "enforce_sorted=False"),
    (lambda: pack_padded_sequence(Tensor(normal(3, 2, 1)), [3, 0]), r"\[1, 3\]"),
    (lambda: pack_padded_sequence(Tensor(normal(3, 2, 1)), [4, 1]), r"\[1, 3\]"),
    (lambda: pack_padded_sequence(Tensor(normal(3, 2, 1)), [3, 2, 1]), "batch_first=True"),
    (lambda: pack_padded_sequence(Tensor(normal(3, 2, 1)), [2.5, 1.0]), "whole number"),
    (lambda: pack_padded_sequence(Tensor(normal(3)), [3]), r"want \(T, B, ...\)"),
    (lambda: pad_packed_sequence(pack_sequence([Tensor(normal(3, 1))]), total_length=2), "total_length=2"),
])
def test_what_does_not_fit_says_what_would(wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong()


def test_an_empty_batch_passes_through():
    output, (h, c) = nn.LSTM(2, 3)(Tensor(np.zeros((4, 0, 2))))
    assert output.shape == (4, 0, 3) and h.shape == c.shape == (1, 0, 3)


# ---------------------------------------------------------------- parts of a batch side by side
@EACH
@pytest.mark.parametrize("reverse", [False, True])
def test_parts_of_a_batch_side_by_side_do_not_show(kind, reverse, monkeypatch):
    op, count = getattr(ops, kind.__name__.lower()), KINDS[kind][2]
    H, G, sizes = 3, KINDS[kind][1], (7, 7, 6, 3, 1)
    inputs = [Tensor(0.7 * normal(*shape, seed=k), requires_grad=True) for k, shape in enumerate(
        [(sum(sizes), 4), *[(7, H)] * count, (G * H, 4), (G * H, H), (G * H,), (G * H,)])]
    v = normal(sum(sizes) + 7 * count, H)

    def results():
        y = op(*inputs, batch_sizes=sizes, reverse=reverse)
        return [y.data, *(g.data for g in tinydl.grad(y, inputs, v))]
    whole, several, tasks = results(), [], []
    beside = kernels.threads.side_by_side
    monkeypatch.setattr(kernels, "side_by_side", lambda run, parts: tasks.append(len(parts)) or beside(run, parts))
    monkeypatch.setattr(through_time, "PART", 2)
    monkeypatch.setattr(through_time, "LEAST", 7 * G * H * H)
    for threads in (1, 3):
        if kernels.numba_enabled():
            monkeypatch.setattr("numba.get_num_threads", lambda threads=threads: threads)
        several.append(results())
    assert tasks and set(tasks) == {3}
    for one, alone, together in zip(whole, *several, strict=True):
        np.testing.assert_allclose(alone, one, rtol=1e-12, atol=1e-13)
        np.testing.assert_array_equal(alone, together)
    monkeypatch.setattr(through_time, "LEAST", 7 * G * H * H + 1)  # one number less is not worth it
    monkeypatch.setattr(kernels, "side_by_side", lambda run, tasks: pytest.fail("in parts"))
    for one, other in zip(whole, results(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_part_has_its_sequences_rows_in_their_order_of_steps():
    steps = through_time.ordered("lstm", normal(9, 2), normal(4, 3), (4, 3, 2), True)
    rows, own = through_time._part_of(steps, 1, 3)
    assert rows.tolist() == [1, 2, 5, 6, 8] and own == [(slice(4, 5), 1), (slice(2, 4), 2), (slice(0, 2), 2)]
