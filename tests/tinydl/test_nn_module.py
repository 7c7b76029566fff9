"""Module and its containers: what is found, in which order and under which name; saving, modes, copies, errors."""

import copy

import numpy as np
import pytest

from tinydl import Tensor, nn, optim


class Net(nn.Module):
    def __init__(self):
        self.second = nn.Linear(3, 2)
        self.scale = nn.Parameter([1.0, 2.0])
        self.first = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Tanh())

    def forward(self, x):
        return self.second(self.first(x)) * self.scale


class Shared(nn.Module):
    """A module under two names, and a parameter in two modules."""

    def __init__(self):
        self.a = nn.Linear(2, 3)
        self.b = self.a
        self.c = nn.Linear(2, 3)
        self.c.weight = self.a.weight


PARAMETERS = ["scale", "second.weight", "second.bias", "first.0.weight", "first.0.bias", "first.1.weight", "first.1.bias"]
BUFFERS = ["first.1.running_mean", "first.1.running_var", "first.1.num_batches_tracked"]


# ---------------------------------------------------------------- what is found
def test_parameters_and_buffers_in_order_of_definition():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == PARAMETERS
    assert [name for name, _ in net.named_buffers()] == BUFFERS
    assert list(net.state_dict()) == PARAMETERS + BUFFERS
    assert all(p is q for p, (_, q) in zip(net.parameters(), net.named_parameters(), strict=True))
    assert [name for name, _ in net.named_modules()] == ["", "second", "first", "first.0", "first.1", "first.2"]
    assert [name for name, _ in net.named_children()] == ["second", "first"]
    assert list(net.children()) == [net.second, net.first]
    assert net.num_parameters() == 2 + 8 + 15 + 6


def test_what_is_shared_is_trained_once_and_saved_under_each_name():
    net = Shared()
    assert [name for name, _ in net.named_parameters()] == ["a.weight", "a.bias", "c.bias"]
    assert [name for name, _ in net.named_modules()] == ["", "a", "c"]
    assert list(net.state_dict()) == ["a.weight", "a.bias", "b.weight", "b.bias", "c.weight", "c.bias"]
    assert net.num_parameters() == 12
    (net.a(Tensor(np.ones((1, 2)), dtype=np.float32)) + net.c(Tensor(np.ones((1, 2)), dtype=np.float32))).sum().backward()
    before = net.a.weight.data.copy()
    optim.SGD(net.parameters(), lr=1.0).step()
    np.testing.assert_allclose(net.a.weight.data, before - 2, rtol=1e-6)


def test_a_module_that_stands_twice_in_a_sequence_runs_twice():
    double = nn.Linear(1, 1, bias=False)
    double.weight.fill_(2)
    assert nn.Sequential(double, double, double)(Tensor([[1.0]])).tolist() == [[8.0]]


def test_attributes_change_their_kind():
    net = Net()
    net.second = None
    assert "second.weight" not in net.state_dict() and net.second is None
    net.second = nn.Linear(3, 2)
    assert list(net.state_dict())[:4] == ["scale", "second.weight", "second.bias", "first.0.weight"]  # its old place
    net.scale = None
    assert "scale" not in dict(net.named_parameters())
    net.scale = nn.Tanh()
    assert [name for name, _ in net.named_children()] == ["second", "first", "scale"]
    assert "scale" not in net.state_dict()
    net.scale = nn.Parameter([3.0])
    assert [name for name, _ in net.named_children()] == ["second", "first"]
    assert dict(net.named_parameters())["scale"] is net.scale
    net.plain = 3
    net.plain = nn.Linear(1, 1)
    assert "plain.weight" in net.state_dict()
    del net.plain
    assert "plain.weight" not in net.state_dict() and not hasattr(net, "plain")
    net.first[1].running_mean = None
    assert "first.1.running_mean" not in net.state_dict()
    net.first[1].running_mean = np.ones(3)
    assert list(dict(net.named_buffers())) == BUFFERS


@pytest.mark.parametrize("name, value", [("scale", Tensor([1.0])), ("scale", np.ones(2)), ("scale", 1.0),
                                         ("second", np.tanh), ("second", "x")])
def test_a_parameter_or_module_is_not_replaced_by_something_else(name, value):
    net = Net()
    before = getattr(net, name)
    with pytest.raises(TypeError, match=f"Net.{name} is one of the module's .*{type(value).__name__}"):
        setattr(net, name, value)
    assert getattr(net, name) is before and len(net.state_dict()) == 10


def test_registered_names_are_checked():
    net = Net()
    net.register_parameter("nothing", None)
    assert net.nothing is None and "nothing" not in net.state_dict()
    net.nothing = nn.Parameter([1.0])
    assert "nothing" in net.state_dict()
    net.register_buffer("counts", np.arange(3))
    assert net.state_dict()["counts"].tolist() == [0, 1, 2]
    with pytest.raises(TypeError, match="counts"):
        net.counts = [1, 2, 3]
    with pytest.raises(KeyError, match="already"):
        net.register_buffer("scale", np.ones(2))
    with pytest.raises(KeyError, match="already"):
        net.add_module("forward", nn.Tanh())
    with pytest.raises(KeyError, match="dots"):
        net.add_module("a.b", nn.Tanh())
    with pytest.raises(TypeError, match="list, want a ndarray"):
        net.register_buffer("more", [1.0])
    with pytest.raises(TypeError, match="Tensor, want a Parameter"):
        net.register_parameter("more", Tensor([1.0]))


def test_a_module_without_forward_says_so():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty has no forward"):
        Empty()(1)
    assert list(Empty().parameters()) == [] and Empty().state_dict() == {}


# ---------------------------------------------------------------- saving
def test_state_dict_round_trip():
    one, other = Net(), Net()
    one(Tensor(np.random.default_rng(0).standard_normal((5, 4)), dtype=np.float32))
    assert other.load_state_dict(one.state_dict()) == ([], [])
    for name, array in other.state_dict().items():
        np.testing.assert_array_equal(array, one.state_dict()[name])
        assert array.dtype == one.state_dict()[name].dtype
    assert other.first[1].num_batches_tracked == 1
    other.load_state_dict({name: Tensor(array) for name, array in one.state_dict().items()})


def test_state_dict_is_a_copy():
    net = Net()
    state = net.state_dict()
    net.scale.fill_(7)
    net(Tensor(np.random.default_rng(0).standard_normal((5, 4)), dtype=np.float32))
    assert state["scale"].tolist() == [1.0, 2.0] and not state["first.1.running_mean"].any()
    net.load_state_dict(state)
    state["scale"][:] = 5
    state["first.1.running_mean"][:] = 5
    assert net.scale.tolist() == [1.0, 2.0] and not net.first[1].running_mean.any()


@pytest.mark.parametrize("change, words", [
    (lambda s: s.pop("second.bias"), "missing: second.bias"),
    (lambda s: s.update(other=np.ones(2)), "unexpected: other"),
    (lambda s: s.update({"first.1.running_var": np.ones(4)}), r"first.1.running_var has shape \(4,\), want \(3,\)"),
    (lambda s: s.update({"first.1.bias": np.array(["a", "b", "c"])}), "first.1.bias has dtype"),
])
def test_a_state_that_does_not_fit_changes_nothing(change, words):
    net, state = Net(), {name: array + 1 for name, array in Net().state_dict().items()}
    before = net.state_dict()
    change(state)
    with pytest.raises(ValueError, match=words):
        net.load_state_dict(state)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_not_strict_takes_what_fits_and_names_the_rest():
    net = Net()
    result = net.load_state_dict({"scale": np.array([5.0, 6.0]), "more": np.ones(1)}, strict=False)
    assert net.scale.tolist() == [5.0, 6.0]
    assert result.missing_keys == PARAMETERS[1:] + BUFFERS and result.unexpected_keys == ["more"]
    with pytest.raises(ValueError, match="shape"):
        net.load_state_dict({"scale": np.ones(3)}, strict=False)


def test_loading_into_a_graph_that_still_needs_the_old_values_is_noticed():
    net = nn.Linear(2, 2)
    y = (net(Tensor([[1.0, 2.0]], requires_grad=True)) ** 2).sum()
    net.load_state_dict(nn.Linear(2, 2).state_dict())
    with pytest.raises(RuntimeError, match="load_state_dict"):
        y.backward()


# ---------------------------------------------------------------- modes, dtypes, gradients, copies
def test_train_and_eval_reach_all_modules():
    net = Net()
    assert all(m.training for m in net.modules())
    assert net.eval() is net and not any(m.training for m in net.modules())
    net.first.train()
    assert [m.training for m in net.modules()] == [False, False, True, True, True, True]
    assert net.train(True) is net and all(m.training for m in net.modules())


def test_dtype_changes_floats_only_and_in_place():
    net = Net()
    scale = net.scale
    scale.grad = Tensor([1.0, 1.0])
    assert net.double() is net and net.scale is scale and scale.grad is None
    dtypes = {name: array.dtype for name, array in net.state_dict().items()}
    assert dtypes.pop("first.1.num_batches_tracked") == np.int64
    assert set(dtypes.values()) == {np.dtype(np.float64)}
    assert net(Tensor(np.ones((2, 4)))).dtype == np.float64
    assert net.float().scale.dtype == np.float32 and net.first[1].running_var.dtype == np.float32
    assert net.to("float64").scale.dtype == np.float64
    assert Shared().double().c.weight.dtype == np.float64
    with pytest.raises(TypeError, match="int64"):
        net.to(np.int64)


def test_zero_grad_and_freezing():
    net = Net()
    net(Tensor(np.random.default_rng(0).standard_normal((5, 4)), dtype=np.float32)).sum().backward()
    net.scale.grad = None
    net.zero_grad(set_to_none=False)
    assert net.scale.grad is None and net.second.weight.grad.tolist() == [[0.0] * 3] * 2
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    assert net.requires_grad_(False) is net and not any(p.requires_grad for p in net.parameters())


def test_apply_goes_from_the_leaves_up():
    net, seen = Net(), []
    assert net.apply(seen.append) is net
    assert seen == [net.second, net.first[0], net.first[1], net.first[2], net.first, net]


def test_a_copied_model_is_on_its_own():
    net = Shared()
    net.norm, net.drop = nn.BatchNorm1d(3), nn.Dropout(0.5, rng=3)
    net.eval()
    net.c.bias.requires_grad_(False)
    net.a(Tensor([[1.0, 1.0]])).sum().backward()
    twin = copy.deepcopy(net)
    assert twin.b is twin.a and twin.c.weight is twin.a.weight and twin.a is not net.a
    assert list(twin.state_dict()) == list(net.state_dict()) and not twin.training
    assert twin.a.weight.requires_grad and not twin.c.bias.requires_grad
    assert twin.a.weight.grad is None and net.a.weight.grad is not None
    assert twin.a._parameters["weight"] is twin.a.weight and twin.norm._buffers["running_mean"] is twin.norm.running_mean
    twin.a.weight.fill_(9)
    twin.norm.running_mean += 1
    assert net.a.weight.data.max() < 9 and not net.norm.running_mean.any()
    twin.drop.rng.random()
    assert twin.drop.rng.bit_generator.state != net.drop.rng.bit_generator.state


# ---------------------------------------------------------------- showing itself
def test_repr_is_the_tree_with_shapes_and_counts():
    assert repr(Net()) == """\
Net()  # scale (2,) = 31
  (second): Linear(3, 2)  # weight (2, 3), bias (2,) = 8
  (first): Sequential()  # total 21
    (0): Linear(4, 3)  # weight (3, 4), bias (3,) = 15
    (1): BatchNorm1d(3, eps=1e-05, momentum=0.1)  # weight (3,), bias (3,) = 6
    (2): Tanh()"""


@pytest.mark.parametrize("module, text", [
    (nn.Linear(1, 2, bias=False), "Linear(1, 2, bias=False)"), (nn.Bilinear(1, 2, 3), "Bilinear(1, 2, 3)"),
    (nn.Embedding(9, 2, padding_idx=-1, sparse=True), "Embedding(9, 2, sparse=True, padding_idx=8)"),
    (nn.EmbeddingBag(9, 2, padding_idx=0), "EmbeddingBag(9, 2, mode='mean', padding_idx=0)"),
    (nn.LayerNorm((2, 3), eps=0.1), "LayerNorm((2, 3), eps=0.1)"), (nn.Dropout(0.2), "Dropout(p=0.2)"),
    (nn.LeakyReLU(0.2), "LeakyReLU(negative_slope=0.2)"), (nn.ELU(2.0), "ELU(alpha=2.0)"), (nn.Softmax(1), "Softmax(dim=1)"),
    (nn.LogSoftmax(0), "LogSoftmax(dim=0)"),
])
def test_repr_of_layers(module, text):
    assert repr(module).split("  #")[0] == text


# ---------------------------------------------------------------- containers
@pytest.mark.parametrize("layers, last", [
    ([nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.ReLU(), nn.Linear(4, 2)], "linear"),
    ([nn.ReLU(), nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Dropout(0.0), nn.Linear(4, 2), nn.Tanh()], "tanh"),
    ([nn.Linear(3, 2), nn.ReLU()], "linear_relu"), ([nn.Linear(3, 2), nn.Tanh(), nn.ReLU()], "relu"),
    ([nn.Conv2d(2, 3, 2, padding=1), nn.ReLU(), nn.Conv2d(3, 2, (1, 2), bias=False), nn.ReLU(),
      nn.Conv2d(2, 4, 2, stride=2, groups=2), nn.ReLU()], "convolve_relu"),
    ([nn.Conv2d(2, 32, 1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()], "convolve_relu"),
    ([nn.Conv2d(2, 32, 1), nn.ReLU(), nn.MaxPool2d(2, 1), nn.Conv2d(32, 33, 3, (1, 2), 1), nn.ReLU(),
      nn.MaxPool2d((2, 3), (1, 2), (0, 1))], "convolve_relu_pool"),
    ([nn.Linear(3, 2), nn.ReLU(), nn.MaxPool2d(1), nn.Conv2d(2, 2, 1, bias=False), nn.ReLU(), nn.MaxPool2d(2)], "pick")])
def test_a_layer_and_its_relu_are_one_operation_with_the_same_numbers(layers, last):
    net = nn.Sequential(*layers)
    shape = (2, 2, 4, 5) if isinstance(layers[0], nn.Conv2d) else (2, 2, 4, 3) if last == "pick" else (6, 3)
    x = Tensor(np.random.default_rng(0).standard_normal(shape).astype(np.float32), requires_grad=True)
    y = net(x)
    node = y._node.inputs[0]._node if y._node.name == "laid" else y._node
    name = node.name
    y.sum().backward()
    got = [p.grad.data.copy() for p in (x, *net.parameters())]
    net.zero_grad()
    x.grad, want = None, x
    for layer in layers:
        want = layer(want)
    np.testing.assert_array_equal(y.data, want.data)
    want.sum().backward()
    for one, p in zip(got, (x, *net.parameters()), strict=True):
        np.testing.assert_allclose(one, p.grad.data, rtol=1e-5, atol=1e-6)
    assert name == last


def test_sequential():
    layers = [nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1)]
    net = nn.Sequential(*layers)
    assert len(net) == 3 and list(net) == layers and net[0] is layers[0] and net[-1] is layers[2]
    assert list(net[1:]) == layers[1:] and isinstance(net[1:], nn.Sequential)
    assert list(net[1:].state_dict()) == ["2.weight", "2.bias"]
    x = Tensor([[1.0, -1.0]])
    np.testing.assert_array_equal(net(x).data, net[1:](net[:1](x)).data)
    net[1] = nn.ReLU()
    assert isinstance(net[1], nn.ReLU) and len(net) == 3
    assert net.append(nn.Tanh()) is net and len(net) == 4 and list(net.state_dict())[-1] == "2.bias"
    named = nn.Sequential({"up": nn.Linear(1, 2), "down": nn.Linear(2, 1)})
    assert list(named.state_dict()) == ["up.weight", "up.bias", "down.weight", "down.bias"] and named.up is named[0]
    np.testing.assert_array_equal(nn.Sequential()(x).data, x.data)
    with pytest.raises(TypeError, match="got function at position 1.*nn.Tanh"):
        nn.Sequential(nn.Tanh(), lambda x: x)
    with pytest.raises(TypeError, match="want a Module"):
        net[0] = 3
    with pytest.raises(IndexError):
        net[4]


def test_module_list():
    layers = [nn.Linear(1, k) for k in (1, 2, 3)]
    modules = nn.ModuleList(layers)
    assert len(modules) == 3 and list(modules) == layers and modules[-1] is layers[2]
    assert list(modules[1:]) == layers[1:] and list(modules[1:].state_dict())[0] == "0.weight"
    assert modules.append(nn.Tanh()) is modules and len(modules.extend([nn.Tanh(), nn.Tanh()])) == 6
    modules[0] = nn.Linear(5, 5)
    assert modules.state_dict()["0.weight"].shape == (5, 5)
    with pytest.raises(TypeError, match="int, want a Module"):
        modules.append(3)
    with pytest.raises(NotImplementedError, match="ModuleList has no forward"):
        modules(Tensor([1.0]))


def test_module_dict():
    modules = nn.ModuleDict({"b": nn.Linear(1, 2), "a": nn.Tanh()})
    assert list(modules) == list(modules.keys()) == ["b", "a"] and len(modules) == 2
    assert "a" in modules and "c" not in modules
    assert list(modules.values()) == [modules["b"], modules["a"]] and dict(modules.items())["b"] is modules["b"]
    assert list(modules.state_dict()) == ["b.weight", "b.bias"]
    modules.update({"c": nn.Linear(1, 1), "b": nn.Tanh()})
    assert list(modules.state_dict()) == ["c.weight", "c.bias"] and list(modules) == ["b", "a", "c"]
    del modules["c"]
    assert list(modules) == ["b", "a"]
    with pytest.raises(KeyError, match="already"):
        modules["items"] = nn.Tanh()
    assert list(modules.items())  # still the method
    with pytest.raises(TypeError, match="want a Module"):
        modules["d"] = 3
    with pytest.raises(KeyError):
        modules["d"]
