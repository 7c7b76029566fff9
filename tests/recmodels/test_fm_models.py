"""FM, Neural FM and neural TF are the slide's formulas, in all three ways to a score; their gradients are those measured."""

import itertools

import numpy as np
import pytest

from recmodels.models.factorization_machine import FactorizationMachineNetwork
from recmodels.models.neural_fm import NeuralFMNetwork
from recmodels.models.neural_tf import NeuralTFNetwork
from tinydl import RowGradient, Tensor, enable_grad, gradcheck, no_grad, optim

V, K, H = 20, 4, 5  # vocabulary, numbers a feature, hidden units
FORMS = list(itertools.product((2, 3), ("full", "distinct")))
MAKERS = {
    **{f"fm-{order}-{form}": lambda order=order, form=form, **options: FactorizationMachineNetwork(
        V, K, order, form, rng=1, **options) for order, form in FORMS},
    **{f"nfm-{order}-{form}-{layer_4}": lambda order=order, form=form, layer_4=layer_4, **options: NeuralFMNetwork(
        V, K, H, order, form, layer_4, rng=1, **options) for order, form in FORMS for layer_4 in ("dense", "fm")},
    **{f"ntf-{interaction}": lambda interaction=interaction, **options: NeuralTFNetwork(
        V, K, H, interaction, rng=1, **options) for interaction in ("product", "concat")},
}
ALL = list(MAKERS)
WITH_VALUES = [name for name in ALL if not name.startswith("ntf")]


def make(name, **options):
    """The network in float64, every parameter at a random place."""
    network, rng = MAKERS[name](**options).double(), np.random.default_rng(2)
    for p in network.parameters():
        p.copy_(p.detach().numpy() + 0.5 * rng.standard_normal(p.shape))
    return network


def inputs(name, rng, B=3, N=4):
    """Ids (and values, some 0) of contexts and candidates; for neural TF one id of each mode and no values."""
    if name.startswith("ntf"):
        return rng.integers(0, V, (B, 2)), rng.integers(0, V, (B, N, 1)), None, None
    shapes = (B, 3), (B, N, 2)
    ids = [rng.integers(0, V, shape) for shape in shapes]
    return (*ids, *(rng.standard_normal(shape) * (rng.random(shape) < 0.8) for shape in shapes))


def present(*arguments):
    """The arguments without the values of a network that takes none."""
    return [a for a in arguments if a is not None]


# ---------------------------------------------------------------- the slide, in NumPy, for one x as a dense vector
def h_n(z, order, form):
    """Per dimension: the slide's power of the sum, or each tuple of different features once."""
    if form == "full":
        return z.sum(axis=0) ** order
    return sum((np.prod(z[list(chosen)], axis=0) for chosen in itertools.combinations(range(len(z)), order)), np.zeros(K))


def terms(network, w, index, values):
    return [values @ w["w.weight"][index]] + [h_n(values[:, None] * w[f"{table}.weight"][index], order, network.form)
                                             for order, table in ((2, "V"), (3, "U"))[:network.order - 1]]


def factorization_machine(network, w, index, values):
    return sum(h.sum() for h in terms(network, w, index, values)) + w["b"]


def neural_fm(network, w, index, values):
    h_4 = np.maximum(np.concatenate(terms(network, w, index, values)), 0)
    a = w["W_4.weight"] @ h_4 + w["W_4.bias"]
    if "V_4.weight" in w:
        a = a + (w["V_4.weight"] @ h_4) * (w["V_4.weight"] @ h_4)
    h_5 = np.tanh(a)
    return w["w_5.weight"][0] @ h_5 + w["w_5.bias"][0]


def neural_tf(network, w, index, values):
    e = w["E.weight"][index]
    h = e[0] * e[1] * e[2] if network.interaction == "product" else np.concatenate(e)
    h_1 = np.maximum(w["W_1.weight"] @ h + w["W_1.bias"], 0)
    return w["w_2.weight"][0] @ h_1 + w["w_2.bias"][0]


FORMULAS = {FactorizationMachineNetwork: factorization_machine, NeuralFMNetwork: neural_fm, NeuralTFNetwork: neural_tf}


@pytest.mark.parametrize("name", ALL)
def test_all_three_ways_equal_the_slides_formula(name, rng):
    network = make(name).eval()
    formula, w = FORMULAS[type(network)], network.state_dict()
    context, candidate, x_c, x_i = inputs(name, rng)
    B, N, F = candidate.shape
    index = np.concatenate([np.repeat(context[:, None], N, axis=1), candidate], axis=2)
    values = index * 0.0 + 1 if x_c is None else np.concatenate([np.repeat(x_c[:, None], N, axis=1), x_i], axis=2)
    want = np.array([[formula(network, w, index[b, n], values[b, n]) for n in range(N)] for b in range(B)])
    assert np.std(want) > 0.01

    flat = index.reshape(B * N, -1)
    y = network(*present(flat, None if x_c is None else values.reshape(B * N, -1)))
    assert y.shape == (B * N,)
    np.testing.assert_allclose(y.detach().numpy(), want.reshape(-1), rtol=1e-10, atol=1e-10)
    y = network.rank(*present(context, candidate, x_c, x_i))
    assert y.shape == (B, N)
    np.testing.assert_allclose(y.detach().numpy(), want, rtol=1e-10, atol=1e-10)
    items = candidate.reshape(B * N, F), None if x_i is None else x_i.reshape(B * N, F)
    place = np.arange(B)[:, None], np.arange(B * N).reshape(B, N)  # where b's own candidates stand
    for mode in (enable_grad, no_grad):
        with mode():
            y = network.rank_all(*present(context, network.item_sums(*present(*items)), x_c))
        assert y.shape == (B, B * N) and y.requires_grad == (mode is enable_grad)
        np.testing.assert_allclose(y.detach().numpy()[place], want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", WITH_VALUES)
def test_values_are_one_where_none_are_present(name, rng):
    network = make(name).eval()
    context, candidate, x_c, x_i = inputs(name, rng)
    ones = np.ones(x_c.shape), np.ones(x_i.shape)
    assert network(context).tolist() == network(context, ones[0]).tolist()
    assert network.rank(context, candidate).tolist() == network.rank(context, candidate, *ones).tolist()


@pytest.mark.parametrize("name", ALL)
def test_gradients_along_random_directions(name, rng):
    network = make(name)
    context, candidate, x_c, x_i = inputs(name, rng)
    names, parameters = zip(*network.named_parameters(), strict=True)

    def outputs(*_):
        one = np.concatenate([context, candidate[:, 0]], axis=1)
        x = None if x_c is None else np.concatenate([x_c, x_i[:, 0]], axis=1)
        items = network.item_sums(*present(candidate[0], None if x_i is None else x_i[0]))
        return (network(*present(one, x)), network.rank(*present(context, candidate, x_c, x_i)),
                network.rank_all(*present(context, items, x_c)))

    assert gradcheck(outputs, parameters, per_element=0, directions=4, names=names)


@pytest.mark.parametrize("name", WITH_VALUES)
def test_gradients_of_the_values(name, rng):
    context, candidate, x_c, x_i = inputs(name, rng)
    x_c, x_i = Tensor(x_c, requires_grad=True), Tensor(x_i, requires_grad=True)
    network = make(name).requires_grad_(False)
    assert gradcheck(lambda a, b: network.rank(context, candidate, a, b), [x_c, x_i])


# ---------------------------------------------------------------- as modules
def test_parameters_bear_the_slides_symbols():
    names = {name: list(make(name).state_dict()) for name in ALL}
    assert names["fm-3-full"] == ["b", "w.weight", "V.weight", "U.weight"]
    assert names["fm-2-distinct"] == ["b", "w.weight", "V.weight"]
    layers = ["W_4.weight", "W_4.bias", "w_5.weight", "w_5.bias"]
    assert names["nfm-3-full-dense"] == ["w.weight", "V.weight", "U.weight", *layers]
    assert names["nfm-2-full-fm"] == ["w.weight", "V.weight", *layers, "V_4.weight"]
    assert names["ntf-concat"] == ["E.weight", "W_1.weight", "W_1.bias", "w_2.weight", "w_2.bias"]
    assert "b" not in FactorizationMachineNetwork(V, K, bias=False, rng=0).state_dict()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("sparse", [False, True])
def test_a_step_touches_the_rows_that_were_read(name, sparse, rng):
    """In float32, by the gradients of rows that optimizers know; the padding row stays as it is."""
    options = {} if name.startswith("ntf") else {"padding_idx": 0}
    network = MAKERS[name](sparse=sparse, **options)
    assert all(p.dtype == np.float32 for p in network.parameters())
    tables = {key: p for key, p in network.named_parameters() if p.shape[:1] == (V,)}
    before = {key: p.detach().numpy().copy() for key, p in tables.items()}
    context, candidate = np.array([[1, 2], [3, 0]]), np.array([[[4], [5]], [[4], [0]]])
    optimizer = optim.SGD(network.parameters(), lr=0.1)
    y = network.rank(context, candidate)
    assert y.dtype == np.float32
    for p in network.parameters():  # away from the zeros where ReLU would keep everything still
        p.copy_(p.detach().numpy() + 0.5 * rng.standard_normal(p.shape).astype(np.float32))
    before = {key: p.detach().numpy().copy() for key, p in tables.items()}
    network.rank(context, candidate).sum().backward()
    for p in tables.values():
        assert isinstance(p.grad, RowGradient) and p.grad.sparse == sparse
    optimizer.step()
    for key, p in tables.items():
        moved = np.flatnonzero((p.detach().numpy() != before[key]).any(axis=1))
        assert set(moved) <= {1, 2, 3, 4, 5} | ({0} if name.startswith("ntf") else set())
        assert len(moved) > 0 or "U" in key or "nfm" in name


@pytest.mark.parametrize("name", [name for name in ALL if not name.startswith("ntf")])
def test_dropout_acts_in_training_only(name, rng):
    context = inputs(name, rng)[0]
    plain, network = make(name), make(name, dropout=0.5)
    network.load_state_dict(plain.state_dict())
    assert network(context).tolist() != network(context).tolist()
    assert network.eval()(context).tolist() == plain.eval()(context).tolist()


def test_neural_tf_takes_modes_of_any_number_when_it_concatenates(rng):
    network = NeuralTFNetwork(V, K, H, "concat", context_modes=3, item_modes=2, rng=0)
    context, item = rng.integers(0, V, (3, 3)), rng.integers(0, V, (4, 2))
    y = network.rank_all(context, network.item_sums(item))
    for n in range(4):
        one = network(np.concatenate([context, np.tile(item[n], (3, 1))], axis=1))
        np.testing.assert_allclose(y.detach().numpy()[:, n], one.detach().numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("message, call", [
    ("got order=4, want 2", lambda: FactorizationMachineNetwork(V, K, order=4)),
    ("got form='both'", lambda: NeuralFMNetwork(V, K, form="both")),
    ("got layer_4='deep', want 'dense' or 'fm'", lambda: NeuralFMNetwork(V, K, layer_4="deep")),
    ("got interaction='sum', want 'product' or 'concat'", lambda: NeuralTFNetwork(V, K, interaction="sum")),
    ("got context_modes=3 and item_modes=1", lambda: NeuralTFNetwork(V, K, context_modes=3)),
    ("got context_modes=2 and item_modes=0", lambda: NeuralTFNetwork(V, K, interaction="concat", item_modes=0)),
    (r"got index of shape \(2, 2\), want \(..., 3\)", lambda: NeuralTFNetwork(V, K)(np.zeros((2, 2), int))),
    (r"got candidate_index of shape \(2, 5, 2\), want \(..., 1\)",
     lambda: NeuralTFNetwork(V, K).rank(np.zeros((2, 2), int), np.zeros((2, 5, 2), int))),
    (r"got context_index of shape \(2, 3\), want \(..., 2\)",
     lambda: NeuralTFNetwork(V, K).rank_all(np.zeros((2, 3), int), None)),
    (r"NeuralFMNetwork.rank: got index of shape \(2, 5\), want \(B, N, F\)",
     lambda: NeuralFMNetwork(V, K).rank(np.zeros((2, 2), int), np.zeros((2, 5), int)))])
def test_bad_settings_and_shapes_are_named(message, call):
    with pytest.raises(ValueError, match=message):
        call()


P = 3  # features that are numbers


def with_numbers(name, **options):
    """A network of P numbers, and one that has them as P more features of its vocabulary, with the same parameters."""
    of, rng = make(name, **options), np.random.default_rng(4)
    kind, order, *layer_4 = name.split("-")[0], of.order, *name.split("-")[3:]
    more = {"numbers": P, **options}
    made = (FactorizationMachineNetwork(V, K, order, "full", rng=1, **more) if kind == "fm" else
            NeuralFMNetwork(V, K, H, order, "full", *layer_4, rng=1, **more)).double()
    wide = (FactorizationMachineNetwork(V + P, K, order, "full", rng=1, **options) if kind == "fm" else
            NeuralFMNetwork(V + P, K, H, order, "full", *layer_4, rng=1, **options)).double()
    for p in made.parameters():
        p.copy_(0.5 * rng.standard_normal(p.shape))
    state = {name: value for name, value in made.state_dict().items() if not name.startswith("of_numbers")}
    for table, rows in zip(("w", "V", "U"), made.of_numbers, strict=False):
        state[f"{table}.weight"] = np.concatenate([state[f"{table}.weight"], rows.weight.detach().numpy().T])
    wide.load_state_dict(state)
    return made, wide


@pytest.mark.parametrize("name", [name for name in WITH_VALUES if "full" in name])
def test_numbers_are_features_whose_values_are_seldom_0(name, rng):
    network, wide = with_numbers(name)
    context, candidate, x_c, x_i = inputs(name, rng)
    B, N, F = candidate.shape
    x = rng.standard_normal((B, N, P))
    more, values = np.broadcast_to(V + np.arange(P), (B, N, P)), np.concatenate([x_i, x], axis=2)
    want = wide.rank(context, np.concatenate([candidate, more], axis=2), x_c, values).detach().numpy()
    assert np.std(want) > 0.01
    y = network.rank(context, candidate, x_c, x_i, x)
    np.testing.assert_allclose(y.detach().numpy(), want, rtol=1e-10, atol=1e-10)
    one = np.concatenate([context, candidate[:, 0]], axis=1), np.concatenate([x_c, x_i[:, 0]], axis=1)
    np.testing.assert_allclose(network(*one, x[:, 0]).detach().numpy(), want[:, 0], rtol=1e-10, atol=1e-10)
    items = network.item_sums(candidate.reshape(B * N, F), x_i.reshape(B * N, F))
    y = network.rank_all(context, items, x_c, np.broadcast_to(x.reshape(1, B * N, P), (B, B * N, P)))
    place = np.arange(B)[:, None], np.arange(B * N).reshape(B, N)
    np.testing.assert_allclose(y.detach().numpy()[place], want, rtol=1e-10, atol=1e-10)

    names, parameters = zip(*network.named_parameters(), strict=True)
    x = Tensor(x, requires_grad=True)
    assert gradcheck(lambda x, *_: (network.rank(context, candidate, x_c, x_i, x), network(*one, x[:, 0])),
                     [x, *parameters], per_element=0, directions=4, names=["x", *names])


@pytest.mark.parametrize("name", ["fm-2-distinct", "nfm-3-distinct-dense"])
def test_numbers_want_the_full_form(name):
    with pytest.raises(ValueError, match="got numbers=3 with form='distinct', want form='full'"):
        MAKERS[name](numbers=P)


def test_the_shortcut_adds_the_linear_part_past_the_layers(rng):
    network = make("nfm-2-full-dense")
    short = make("nfm-2-full-dense", shortcut=True)
    short.load_state_dict(network.state_dict())
    context, candidate, x_c, x_i = inputs("nfm", rng)
    both = (context, x_c), (candidate.reshape(-1, 2), x_i.reshape(-1, 2))
    linear = [network._linear(*of).detach().numpy() for of in both]
    want = network.rank(context, candidate, x_c, x_i).detach().numpy() + linear[0] + linear[1].reshape(candidate.shape[:2])
    np.testing.assert_allclose(short.rank(context, candidate, x_c, x_i).detach().numpy(), want, rtol=1e-12)
