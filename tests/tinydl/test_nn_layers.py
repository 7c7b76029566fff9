"""Every layer against its formula in plain NumPy, and its gradients against finite differences, on odd shapes."""

import inspect
import math

import numpy as np
import pytest

import tinydl
from tinydl import Tensor, gradcheck, gradgradcheck, nn
from tinydl.nn import functional as F

from . import test_nn_losses
from .test_ops_convolution import as_rows, convolved, transposed
from .test_ops_pooling import adaptive, pooled

pytestmark = pytest.mark.usefixtures("float64")

RNG = np.random.default_rng(7)
IDS = np.array([[0, 3, 2], [2, 2, 6]])
# Away from the kinks at 0, both signs, and large enough to see every branch.
X = np.array([[-1.7, 0.4, 2.3, -0.2, 0.9], [1.1, -0.6, 0.3, -2.9, 1.6], [0.7, 1.9, -1.2, 0.5, -0.8]])


def normal(*shape):
    return RNG.standard_normal(shape)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis):
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


def phi(x):
    return np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x.flat]).reshape(x.shape)


def normalized(x, axes, eps):
    mean = x.mean(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(((x - mean) ** 2).mean(axis=axes, keepdims=True) + eps)


def column(v, ndim):
    return v.reshape((1, -1) + (1,) * (ndim - 2))


def bags(W, index, divide, padding=None):
    rows = []
    for bag in index:
        kept = [i for i in bag if i != padding]
        rows.append(sum((W[i] for i in kept), np.zeros(W.shape[1])) / (max(len(kept), 1) if divide else 1))
    return np.stack(rows)


def bilinear(x1, x2, W, b):
    y = np.zeros((*x1.shape[:-1], len(W)))
    for place in np.ndindex(x1.shape[:-1]):
        for o in range(len(W)):
            y[place][o] = b[o] + sum(x1[place][i] * W[o, i, j] * x2[place][j]
                                     for i in range(W.shape[1]) for j in range(W.shape[2]))
    return y


def in_eval(module):
    """The module after two batches of training, in evaluation mode."""
    for _ in range(2):
        module(Tensor(normal(4, 5)))
    return module.eval()


def normed(x, weight, bias):
    return normalized(x, (0, 2, 3), 1e-5) * column(weight, 4) + column(bias, 4)


def relu(x):
    return np.maximum(x, 0)


def post_activation(x, f_0_weight, f_1_weight, f_1_bias, f_3_weight, f_4_weight, f_4_bias, shortcut_0_weight=None,
                    shortcut_1_weight=None, shortcut_1_bias=None):
    """He et al. 2016a, figure 2, and their option B where the shape changes."""
    stride = 1 if shortcut_0_weight is None else 2
    h = relu(normed(convolved(x, f_0_weight, None, stride, 1), f_1_weight, f_1_bias))
    h = normed(convolved(h, f_3_weight, None, 1, 1), f_4_weight, f_4_bias)
    if shortcut_0_weight is not None:
        x = normed(convolved(x, shortcut_0_weight, None, stride), shortcut_1_weight, shortcut_1_bias)
    return relu(h + x)


def pre_activation(x, f_0_weight, f_0_bias, f_2_weight, f_3_weight, f_3_bias, f_5_weight, shortcut_weight=None):
    """He et al. 2016b, figure 4e."""
    stride = 1 if shortcut_weight is None else 2
    h = convolved(relu(normed(x, f_0_weight, f_0_bias)), f_2_weight, None, stride, 1)
    h = convolved(relu(normed(h, f_3_weight, f_3_bias)), f_5_weight, None, 1, 1)
    return h + (x if shortcut_weight is None else convolved(x, shortcut_weight, None, stride))


# name of the case (the class first): (module, inputs, formula(inputs, parameters by name))
CASES = {
    "Linear": (lambda: nn.Linear(5, 4), [X], lambda x, weight, bias: x @ weight.T + bias),
    "Linear vector": (lambda: nn.Linear(5, 1), [X[0]], lambda x, weight, bias: weight @ x + bias),
    "Linear leading axes": (lambda: nn.Linear(3, 2), [normal(4, 1, 3)],
                            lambda x, weight, bias: np.einsum("abi,oi->abo", x, weight) + bias),
    "Linear without bias": (lambda: nn.Linear(5, 4, bias=False), [X], lambda x, weight: x @ weight.T),
    "Bilinear": (lambda: nn.Bilinear(5, 2, 3), [X, normal(3, 2)], lambda x, z, weight, bias: bilinear(x, z, weight, bias)),
    "Bilinear vectors": (lambda: nn.Bilinear(5, 2, 3), [X[0], normal(2)],
                         lambda x, z, weight, bias: bilinear(x, z, weight, bias)),
    "Bilinear leading axes": (lambda: nn.Bilinear(3, 2, 1), [normal(2, 4, 3), normal(2, 4, 2)],
                              lambda x, z, weight, bias: bilinear(x, z, weight, bias)),
    "Identity": (lambda: nn.Identity(), [X], lambda x: x),
    "Flatten": (lambda: nn.Flatten(), [normal(2, 3, 1, 4)], lambda x: x.reshape(2, 12)),
    "Flatten some": (lambda: nn.Flatten(1, 2), [normal(2, 3, 1, 4)], lambda x: x.reshape(2, 3, 4)),
    "Sigmoid": (lambda: nn.Sigmoid(), [X], lambda x: sigmoid(x)),
    "Tanh": (lambda: nn.Tanh(), [X], lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))),
    "ReLU": (lambda: nn.ReLU(), [X], lambda x: x * (x > 0)),
    "LeakyReLU": (lambda: nn.LeakyReLU(), [X], lambda x: np.where(x > 0, x, 0.01 * x)),
    "LeakyReLU steep": (lambda: nn.LeakyReLU(0.3), [X], lambda x: np.where(x > 0, x, 0.3 * x)),
    "ELU": (lambda: nn.ELU(), [X], lambda x: np.where(x > 0, x, np.exp(x) - 1)),
    "ELU deep": (lambda: nn.ELU(0.4), [X], lambda x: np.where(x > 0, x, 0.4 * (np.exp(x) - 1))),
    "GELU": (lambda: nn.GELU(), [X], lambda x: x * phi(x)),
    "GELU tanh": (lambda: nn.GELU("tanh"), [X],
                  lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))),
    "SiLU": (lambda: nn.SiLU(), [X], lambda x: x * sigmoid(x)),
    "Softplus": (lambda: nn.Softplus(), [X], lambda x: np.log(1 + np.exp(x))),
    "LogSigmoid": (lambda: nn.LogSigmoid(), [X], lambda x: np.log(sigmoid(x))),
    "Softmax": (lambda: nn.Softmax(-1), [X], lambda x: softmax(x, 1)),
    "Softmax first axis": (lambda: nn.Softmax(0), [X], lambda x: softmax(x, 0)),
    "LogSoftmax": (lambda: nn.LogSoftmax(dim=1), [X], lambda x: np.log(softmax(x, 1))),
    "Embedding": (lambda: nn.Embedding(7, 4), [IDS], lambda i, weight: np.stack([[weight[k] for k in row] for row in i])),
    "Embedding of one id": (lambda: nn.Embedding(7, 4), [np.array(3)], lambda i, weight: weight[3]),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(7, 4), [IDS], lambda i, weight: bags(weight, i, True)),
    "EmbeddingBag sum": (lambda: nn.EmbeddingBag(7, 4, mode="sum"), [IDS], lambda i, weight: bags(weight, i, False)),
    "LayerNorm": (lambda: nn.LayerNorm(5), [X], lambda x, weight, bias: normalized(x, -1, 1e-5) * weight + bias),
    "LayerNorm of two axes": (lambda: nn.LayerNorm((3, 2), eps=0.1), [normal(4, 3, 2)],
                              lambda x, weight, bias: normalized(x, (1, 2), 0.1) * weight + bias),
    "LayerNorm without bias": (lambda: nn.LayerNorm(5, bias=False), [X], lambda x, weight: normalized(x, -1, 1e-5) * weight),
    "LayerNorm plain": (lambda: nn.LayerNorm(5, elementwise_affine=False), [X], lambda x: normalized(x, -1, 1e-5)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(5), [X], lambda x, weight, bias: normalized(x, 0, 1e-5) * weight + bias),
    "BatchNorm1d of sequences": (lambda: nn.BatchNorm1d(3, eps=0.1), [normal(2, 3, 4)], lambda x, weight, bias:
                                 normalized(x, (0, 2), 0.1) * column(weight, 3) + column(bias, 3)),
    "BatchNorm1d plain": (lambda: nn.BatchNorm1d(5, affine=False), [X], lambda x: normalized(x, 0, 1e-5)),
    "BatchNorm1d without memory": (lambda: nn.BatchNorm1d(5, track_running_stats=False).eval(), [X],
                                   lambda x, weight, bias: normalized(x, 0, 1e-5) * weight + bias),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3), [normal(2, 3, 2, 4)], lambda x, weight, bias: normed(x, weight, bias)),
    "Conv1d": (lambda: nn.Conv1d(2, 3, 3, 2, 1), [normal(2, 2, 6)], lambda x, weight, bias:
               convolved(as_rows(x), as_rows(weight), bias, (1, 2), (0, 1))[:, :, 0]),
    "Conv2d": (lambda: nn.Conv2d(4, 2, (2, 3), (2, 1), 1, (1, 2), 2), [normal(2, 4, 3, 4)], lambda x, weight, bias:
               convolved(x, weight, bias, (2, 1), 1, (1, 2), 2)),
    "Conv2d same, no bias, no batch": (lambda: nn.Conv2d(2, 2, 3, padding="same", bias=False), [normal(2, 3, 4)],
                                       lambda x, weight: convolved(x[None], weight, padding=1)[0]),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(2, 2, 3, 2, 1, 1, 2, dilation=(1, 2)), [normal(2, 2, 2, 3)],
                        lambda x, weight, bias: transposed(x, weight, bias, 2, 1, 1, 2, (1, 2))),
    "MaxPool1d": (lambda: nn.MaxPool1d(3, 2, 1), [normal(2, 2, 6)],
                  lambda x: pooled(max, as_rows(x), (1, 3), (1, 2), (0, 1))[:, :, 0]),
    "MaxPool2d": (lambda: nn.MaxPool2d(2, (1, 2), 1, 2), [normal(2, 2, 4, 5)], lambda x: pooled(max, x, 2, (1, 2), 1, 2)),
    "MaxPool2d at once": (lambda: nn.MaxPool2d((2, 3)), [normal(2, 4, 7)], lambda x: pooled(max, x[None], (2, 3))[0]),
    "AvgPool1d": (lambda: nn.AvgPool1d(3, 2, 1), [normal(2, 2, 6)],
                  lambda x: pooled(np.mean, as_rows(x), (1, 3), (1, 2), (0, 1))[:, :, 0]),
    "AvgPool2d": (lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False), [normal(2, 2, 4, 5)],
                  lambda x: pooled(np.mean, x, 3, 2, 1, 1, False)),
    "AdaptiveAvgPool1d": (lambda: nn.AdaptiveAvgPool1d(3), [normal(2, 2, 5)],
                          lambda x: adaptive(as_rows(x), (1, 3))[:, :, 0]),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d((None, 2)), [normal(2, 2, 3, 5)], lambda x: adaptive(x, (3, 2))),
    "ResidualBlock": (lambda: nn.ResidualBlock(2, 2), [normal(2, 2, 3, 4)], post_activation),
    "ResidualBlock with a projection": (lambda: nn.ResidualBlock(2, 3, 2), [normal(2, 2, 3, 4)], post_activation),
    "ResidualBlock pre-activated": (lambda: nn.ResidualBlock(2, 2, pre_activation=True), [normal(2, 2, 3, 4)],
                                    pre_activation),
    "ResidualBlock pre-activated with a projection": (
        lambda: nn.ResidualBlock(2, 3, 2, pre_activation=True), [normal(2, 2, 3, 4)], pre_activation),
    "Residual": (lambda: nn.Residual(nn.Linear(5, 5)), [X], lambda x, f_weight, f_bias: x @ f_weight.T + f_bias + x),
    "Residual with a shortcut": (lambda: nn.Residual(nn.Linear(5, 2), nn.Linear(5, 2, bias=False)), [X],
                                 lambda x, f_weight, f_bias, shortcut_weight:
                                 x @ f_weight.T + f_bias + x @ shortcut_weight.T),
    "Sequential": (lambda: nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 2, bias=False)), [X],
                   lambda x, **p: np.tanh(x @ p["0_weight"].T + p["0_bias"]) @ p["2_weight"].T),
}
CONTAINERS = ("Module", "ModuleDict", "ModuleList")  # they have no forward; test_nn_module.py
OWN_TESTS = ("Dropout", "Dropout2d", "ResNet",       # random, or whole networks; below
             "RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell",  # test_nn_recurrent.py
             "MultiheadAttention", "TransformerEncoderLayer", "TransformerEncoder",  # test_nn_attention.py
             "PositionalEncoding",
             "BayesianLinear", "BayesianEmbedding", "GaussianPrior", "ScaleMixturePrior")  # test_nn_bayesian.py
FLOAT32 = [name for name in CASES if name.split()[0] in (
    "Linear", "Bilinear", "LayerNorm", "BatchNorm1d", "BatchNorm2d", "Conv1d", "Conv2d", "ConvTranspose2d", "ResidualBlock")]


def drawn(module):
    """The module with all parameters drawn anew: ones and zeros would hide a forgotten factor."""
    for p in module.parameters():
        p.copy_(RNG.standard_normal(p.shape))
    return module


def tensors(arrays):
    return [Tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]


def test_every_public_module_has_a_case():
    modules = [name for name, c in vars(nn).items() if inspect.isclass(c) and issubclass(c, nn.Module)]
    cases = {name.split()[0] for name in [*CASES, *test_nn_losses.CASES]} | {*CONTAINERS, *OWN_TESTS}
    assert [name for name in modules if name not in cases] == []
    assert len(modules) > 30


@pytest.mark.parametrize("name", CASES)
def test_formula(name):
    make, arrays, formula = CASES[name]
    module = drawn(make())
    parameters = {path.replace(".", "_"): p.data for path, p in module.named_parameters()}
    y, expected = module(*tensors(arrays)), formula(*arrays, **parameters)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y.data, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_gradients(name):
    make, arrays, _ = CASES[name]
    module = drawn(make())
    inputs, parameters = tensors(arrays), list(module.parameters())

    def function(*given):
        return module(*given[:len(inputs)])

    assert gradcheck(function, inputs + parameters)
    assert gradgradcheck(function, inputs + parameters)


@pytest.mark.parametrize("name", FLOAT32)
def test_float32_stays_float32(name):
    make, arrays, _ = CASES[name]
    module = drawn(make()).float()
    inputs = [Tensor(a.astype(np.float32), requires_grad=True) for a in arrays]
    y = module(*inputs)
    y.sum().backward()
    assert y.dtype == np.float32
    assert {t.grad.dtype for t in [*inputs, *module.parameters()]} == {np.dtype(np.float32)}


# ---------------------------------------------------------------- shapes that do not fit
@pytest.mark.parametrize("module, shapes, words", [
    (lambda: nn.Linear(5, 4), [(3, 4)], "5"),
    (lambda: nn.Linear(5, 4), [()], "5"),
    (lambda: nn.Bilinear(5, 2, 3), [(3, 5), (1, 2)], "equal shapes"),
    (lambda: nn.Bilinear(5, 2, 3), [(3, 5), (3, 5)], "5 and 2"),
    (lambda: nn.LayerNorm((3, 5)), [(5, 3)], r"\(3, 5\)"),
    (lambda: nn.LayerNorm((3, 5)), [(5,)], r"\(3, 5\)"),
    (lambda: nn.BatchNorm1d(5), [(5,)], r"\(B, 5\)"),
    (lambda: nn.BatchNorm1d(5), [(3, 4)], r"\(B, 5\)"),
    (lambda: nn.BatchNorm1d(5), [(3, 5, 2, 2)], r"\(B, 5\)"),
    (lambda: nn.BatchNorm1d(5), [(1, 5)], "at least 2 values"),
    (lambda: nn.Residual(nn.Linear(5, 4)), [(3, 5)], "shortcut="),
    (lambda: nn.BatchNorm2d(5), [(3, 5)], r"BatchNorm2d: got shape \(3, 5\), want \(B, 5, H, W\)"),
    (lambda: nn.BatchNorm2d(5), [(3, 4, 2, 2)], r"\(B, 5, H, W\)"),
    (lambda: nn.Conv2d(5, 2, 3), [(3, 4, 6, 6)], "4 channels for a weight"),
    (lambda: nn.Conv1d(5, 2, 3), [(2, 5, 2)], "a window of 3"),
    (lambda: nn.Dropout2d(), [(2, 3)], r"\(B, C, H, W\)"),
])
def test_wrong_shapes_name_what_is_wanted(module, shapes, words):
    with pytest.raises(ValueError, match=words):
        module()(*[Tensor(np.zeros(shape)) for shape in shapes])


@pytest.mark.parametrize("wrong", [
    lambda: nn.Embedding(7, 4, 0, 2.0),            # max_norm in PyTorch
    lambda: nn.EmbeddingBag(7, 4, "sum"),          # max_norm in PyTorch
    lambda: nn.Dropout(0.5, True),                 # inplace in PyTorch
    lambda: nn.ReLU(inplace=True),
    lambda: nn.Softplus(beta=2),
    lambda: nn.CrossEntropyLoss(np.ones(3)),       # weight in PyTorch
    lambda: nn.CrossEntropyLoss(label_smoothing=0.1),
    lambda: nn.MSELoss("sum"),                     # size_average in PyTorch
])
def test_what_is_left_out_is_an_error_and_not_something_else(wrong):
    with pytest.raises(TypeError):
        wrong()


# ---------------------------------------------------------------- Linear's start
@pytest.mark.parametrize("layer, fan_in", [(lambda rng: nn.Linear(16, 300, rng=rng), 16),
                                           (lambda rng: nn.Bilinear(16, 3, 100, rng=rng), 16)])
def test_weights_start_uniform_within_one_over_the_root_of_fan_in(layer, fan_in, rng):
    made = layer(rng)
    for p in made.parameters():
        bound = 1 / np.sqrt(fan_in)
        assert np.abs(p.data).max() <= bound
        assert np.abs(p.data).max() > 0.95 * bound
        assert abs(p.data.mean()) < 0.1 * bound
    np.testing.assert_array_equal(layer(3).weight.data, layer(3).weight.data)
    assert not np.array_equal(layer(3).weight.data, layer(4).weight.data)


# ---------------------------------------------------------------- Embedding
def test_padding_row_starts_at_zero_and_gets_no_gradient():
    for layer in (nn.Embedding(7, 4, padding_idx=2), nn.Embedding(7, 4, padding_idx=-5)):
        assert layer.padding_idx == 2
        assert not layer.weight.data[2].any() and layer.weight.data[[0, 1, 3, 4, 5, 6]].all()
        layer(IDS).sum().backward()
        counts = np.array([1, 0, 0, 1, 0, 0, 1.0])
        np.testing.assert_array_equal(layer.weight.grad.dense(), np.repeat(counts[:, None], 4, axis=1))


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_padding_counts_for_nothing_in_a_bag(mode):
    layer = drawn(nn.EmbeddingBag(7, 4, mode=mode, padding_idx=2))
    index = np.array([[0, 3, 2], [2, 2, 6], [2, 2, 2]])
    np.testing.assert_allclose(layer(index).data, bags(layer.weight.data, index, mode == "mean", padding=2), rtol=1e-12)
    assert not layer(index).data[2].any()
    layer(index).sum().backward()
    half = 0.5 if mode == "mean" else 1.0
    np.testing.assert_allclose(layer.weight.grad.dense()[:, 0], [half, 0, 0, half, 0, 0, 1])


def test_weights_of_a_bags_members():
    layer, s = drawn(nn.EmbeddingBag(7, 4, mode="sum", padding_idx=6)), Tensor(normal(2, 3), requires_grad=True)
    W, expected = layer.weight.data, np.zeros((2, 4))
    for b in range(2):
        for k in range(3):
            if IDS[b, k] != 6:
                expected[b] += s.data[b, k] * W[IDS[b, k]]
    np.testing.assert_allclose(layer(IDS, per_sample_weights=s).data, expected, rtol=1e-12)
    mean = nn.EmbeddingBag(7, 4)
    with pytest.raises(ValueError, match="mode='sum'"):
        mean(IDS, per_sample_weights=s)
    free = drawn(nn.EmbeddingBag(7, 4, mode="sum"))
    assert gradcheck(lambda s, W: free(IDS, per_sample_weights=s), [s, free.weight])
    assert gradgradcheck(lambda s, W: free(IDS, per_sample_weights=s), [s, free.weight])


def test_embedding_of_a_given_table():
    table = normal(7, 4).astype(np.float32)
    before = tinydl.generator().bit_generator.state
    layer = nn.Embedding.from_pretrained(table, padding_idx=1)
    assert tinydl.generator().bit_generator.state == before
    assert layer.weight.dtype == np.float32 and not layer.weight.requires_grad
    np.testing.assert_array_equal(layer.weight.data, table)  # the padding row too: the table is taken as it is
    assert nn.Embedding.from_pretrained(Tensor(table), freeze=False).weight.requires_grad
    table[:] = 0
    assert layer.weight.data.all()


def test_sparse_says_so_in_its_gradient():
    for sparse in (False, True):
        for layer in (nn.Embedding(7, 4, sparse=sparse), nn.EmbeddingBag(7, 4, sparse=sparse)):
            layer(IDS).sum().backward()
            assert layer.weight.grad.sparse is sparse


@pytest.mark.parametrize("wrong, error, words", [
    (lambda: nn.Embedding(7, 4)(np.array([7])), IndexError, "7"),
    (lambda: nn.Embedding(7, 4)(np.array([-1])), IndexError, "-1"),
    (lambda: nn.Embedding(7, 4)(np.array([1.0])), TypeError, "float64"),
    (lambda: nn.Embedding(7, 4, padding_idx=7), ValueError, "padding_idx=7"),
    (lambda: nn.EmbeddingBag(7, 4, mode="max"), ValueError, "'max'"),
    (lambda: nn.EmbeddingBag(7, 4)(np.array([1, 2])), ValueError, r"\(B, L\)"),
    (lambda: nn.EmbeddingBag(7, 4)(np.array([1, 2]), np.array([0, 1])), NotImplementedError, "offsets"),
    (lambda: nn.Embedding.from_pretrained(np.zeros(3)), ValueError, r"\(V, D\)"),
])
def test_embedding_errors(wrong, error, words):
    with pytest.raises(error, match=words):
        wrong()


def test_functional_bag_is_a_mean_unless_asked():
    W = normal(7, 4)
    np.testing.assert_allclose(F.embedding_bag(IDS, W), bags(W, IDS, True), rtol=1e-12)
    np.testing.assert_allclose(F.embedding_bag(IDS, W, mode="sum"), bags(W, IDS, False), rtol=1e-12)


# ---------------------------------------------------------------- BatchNorm1d
@pytest.mark.parametrize("momentum", [0.1, 0.3, 0.0, None])
@pytest.mark.parametrize("shape", [(4, 5), (2, 5, 3)])
def test_running_statistics(momentum, shape):
    layer, mean, var = nn.BatchNorm1d(5, momentum=momentum), np.zeros(5), np.ones(5)
    for t in range(1, 4):
        x = normal(*shape) * t + 1
        layer(Tensor(x))
        m = 1 / t if momentum is None else momentum
        rows = np.moveaxis(x, 1, -1).reshape(-1, 5)
        mean, var = (1 - m) * mean + m * rows.mean(axis=0), (1 - m) * var + m * rows.var(axis=0, ddof=1)
        np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(layer.running_var, var, rtol=1e-12)
        assert layer.num_batches_tracked == t and layer.num_batches_tracked.dtype == np.int64


def test_evaluation_uses_the_running_statistics_and_leaves_them():
    layer = drawn(nn.BatchNorm1d(5))
    in_eval(layer)
    before = layer.state_dict()
    expected = ((X - layer.running_mean) / np.sqrt(layer.running_var + 1e-5)) * layer.weight.data + layer.bias.data
    np.testing.assert_allclose(layer(Tensor(X)).data, expected, rtol=1e-12)
    np.testing.assert_allclose(layer(Tensor(X[:1])).data, expected[:1], rtol=1e-12)  # one row is enough here
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert gradcheck(lambda x, *_: layer(x), [Tensor(X, requires_grad=True), *layer.parameters()])
    assert gradgradcheck(lambda x, *_: layer(x), [Tensor(X, requires_grad=True), *layer.parameters()])


def test_a_graph_of_evaluation_outlives_further_training():
    layer = in_eval(nn.BatchNorm1d(5))
    x = Tensor(X, requires_grad=True)
    y = layer(x)
    expected = np.broadcast_to(1 / np.sqrt(layer.running_var + 1e-5), X.shape).copy()
    in_eval(layer.train())
    y.sum().backward()
    np.testing.assert_allclose(x.grad.data, expected, rtol=1e-12)


def test_batch_norm_without_memory_has_no_buffers():
    assert list(nn.BatchNorm1d(5, track_running_stats=False).state_dict()) == ["weight", "bias"]
    assert list(nn.BatchNorm1d(5).state_dict()) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]


# ---------------------------------------------------------------- Dropout
@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_dropout_keeps_the_mean(p):
    y = nn.Dropout(p)(Tensor(np.full((400, 500), 3.0))).data
    values = np.unique(y)
    np.testing.assert_allclose(values, [0, 3 / (1 - p)], rtol=1e-12)
    n = y.size
    assert abs((y == 0).mean() - p) < 4 * np.sqrt(p * (1 - p) / n)
    # No row or column is favoured: their means spread as those of independent draws.
    assert (y == 0).mean(axis=0).std() < 1.2 * np.sqrt(p * (1 - p) / 400)
    assert (y == 0).mean(axis=1).std() < 1.2 * np.sqrt(p * (1 - p) / 500)


def test_dropout_gradient_has_the_mask_of_the_value():
    x = Tensor(np.ones((9, 11)), requires_grad=True)
    y = nn.Dropout(0.3)(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, y.data)
    layer = nn.Dropout(0.3)

    def function(x):
        layer.rng = np.random.default_rng(5)  # the same mask at each evaluation
        return layer(x * x)

    assert gradcheck(function, [Tensor(X, requires_grad=True)])
    assert gradgradcheck(function, [Tensor(X, requires_grad=True)])


def test_dropout_is_drawn_anew_each_time_and_the_same_from_the_same_seed():
    x = Tensor(np.ones((20, 20)))
    masks = []
    for _ in range(2):
        layer = nn.Dropout(0.5, rng=3)
        masks.append([layer(x).data for _ in range(3)])
    np.testing.assert_array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0][0], masks[0][1]) and not np.array_equal(masks[0][1], masks[0][2])
    tinydl.manual_seed(5)
    first = nn.Dropout(0.5)(x).data
    tinydl.manual_seed(5)
    np.testing.assert_array_equal(nn.Dropout(0.5)(x).data, first)


def test_dropout_in_evaluation_and_at_the_ends():
    x, before = Tensor(X), tinydl.generator().bit_generator.state
    np.testing.assert_array_equal(nn.Dropout(0.5).eval()(x).data, X)
    np.testing.assert_array_equal(nn.Dropout(0.0)(x).data, X)
    np.testing.assert_array_equal(nn.Dropout(1.0)(x).data, 0 * X)
    assert tinydl.generator().bit_generator.state == before
    for p in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="probability"):
            nn.Dropout(p)
        with pytest.raises(ValueError, match="probability"):
            F.dropout(x, p)


# ---------------------------------------------------------------- functions
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax_as_a_function_sums_to_one_along_dim(dim):
    np.testing.assert_allclose(F.softmax(Tensor(X), dim).data, softmax(X, dim), rtol=1e-12)
    np.testing.assert_allclose(F.log_softmax(Tensor(X), dim).data, np.log(softmax(X, dim)), rtol=1e-12)


# ---------------------------------------------------------------- Residual
def test_the_gradient_has_a_path_around_the_block():
    block = nn.Linear(5, 5, bias=False)
    block.weight.zero_()
    x = Tensor(X, requires_grad=True)
    nn.Residual(nn.Residual(block))(x).sum().backward()
    np.testing.assert_array_equal(x.grad.data, np.full(X.shape, 2.0))


# ---------------------------------------------------------------- images
@pytest.mark.parametrize("call, words", [
    (lambda: nn.Conv2d(3, 4, 3, groups=2), "in_channels=3 and out_channels=4 for groups=2"),
    (lambda: nn.Conv2d(4, 3, 3, groups=2), "for groups=2"),
    (lambda: nn.Conv2d(0, 4, 3), "in_channels=0"),
    (lambda: nn.Conv2d(3, 4, (3, 3, 3)), r"kernel_size=\(3, 3, 3\)"),
    (lambda: nn.Conv1d(3, 4, 3, stride=2, padding="same"), "padding='same' with stride=2"),
    (lambda: nn.ConvTranspose2d(3, 4, 3, output_padding=-1), "output_padding=-1"),
])
def test_a_convolution_that_cannot_be_is_refused_when_it_is_made(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("call, words", [
    (lambda: nn.Conv2d(3, 4, 3, padding_mode="reflect"), "padding_mode='reflect'"),
    (lambda: nn.MaxPool2d(2, ceil_mode=True), "ceil_mode"),
    (lambda: nn.MaxPool1d(2, return_indices=True), "return_indices"),
    (lambda: nn.AvgPool2d(2, ceil_mode=True), "ceil_mode"),
])
def test_what_is_left_out_says_so(call, words):
    with pytest.raises(NotImplementedError, match=words):
        call()


@pytest.mark.parametrize("make, shapes, bound", [
    (lambda: nn.Conv1d(4, 6, 3, groups=2), [(6, 2, 3), (6,)], 1 / math.sqrt(6)),
    (lambda: nn.Conv2d(4, 6, (3, 5), bias=False), [(6, 4, 3, 5)], 1 / math.sqrt(60)),
    (lambda: nn.ConvTranspose2d(4, 6, 3, groups=2), [(4, 3, 3, 3), (6,)], 1 / math.sqrt(27)),
])
def test_convolutions_start_as_pytorchs(make, shapes, bound):
    parameters = list(make().parameters())
    assert [p.shape for p in parameters] == shapes
    largest = max(float(np.abs(p.data).max()) for p in parameters)
    assert 0.9 * bound < largest <= bound


def test_convolutions_say_what_they_are():
    assert nn.Conv2d(1, 8, 3, padding=1).extra_repr() == "1, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1)"
    assert nn.Conv1d(2, 4, 3, groups=2).extra_repr() == "2, 4, kernel_size=(3,), stride=(1,), groups=2"
    assert nn.Conv1d(2, 4, 3, bias=False).extra_repr().endswith("stride=(1,), bias=False")
    assert nn.Conv2d(2, 4, 3, padding="same").extra_repr().endswith("padding='same'")
    assert nn.ConvTranspose2d(2, 4, 3, 2, output_padding=1).extra_repr().endswith("output_padding=(1, 1)")


def test_dropout2d_silences_whole_channels():
    x = Tensor(np.ones((40, 30, 2, 3)), requires_grad=True)
    layer = nn.Dropout2d(0.25, rng=1)
    y = layer(x)
    channels = y.data.reshape(1200, 6)
    assert np.all(channels == channels[:, :1]) and set(channels[:, 0]) == {0.0, 1 / 0.75}
    assert abs(np.mean(channels[:, 0] == 0) - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 1200)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, y.data)
    assert layer.eval()(x) is x
    assert nn.Dropout2d(1.0)(x[0]).data.sum() == 0


@pytest.mark.parametrize("pre_activation", [False, True])
def test_a_resnet_is_its_stem_blocks_mean_and_linear_map(pre_activation):
    net = nn.ResNet(2, 3, widths=(4, 6), blocks=2, pre_activation=pre_activation, rng=0)
    assert [block.f[-1 if pre_activation else -2].weight.shape[:2] for block in net.blocks] == [
        (4, 4), (4, 4), (6, 6), (6, 6)]
    assert [block.shortcut is None for block in net.blocks] == [True, True, False, True]
    x = Tensor(normal(3, 2, 5, 6))
    h = net.stem(x)
    h = net.blocks(h if pre_activation else F.relu(net.norm(h)))
    assert h.shape == (3, 6, 3, 3)
    h = F.relu(net.norm(h)) if pre_activation else h
    expected = h.data.mean(axis=(2, 3)) @ net.last.weight.data.T + net.last.bias.data
    np.testing.assert_allclose(net(x).data, expected, rtol=1e-10)
    assert gradcheck(lambda *_: net(x), list(net.parameters()), per_element=0, directions=1)


def test_a_resnet_may_pool_what_its_stem_gives():
    net = nn.ResNet(1, 3, widths=(4, 6), blocks=1, pool=True, rng=0).eval()
    x = Tensor(normal(2, 1, 8, 6))
    largest = net.stem(x).data.reshape(2, 4, 4, 2, 3, 2).max(axis=(3, 5))
    h = net.blocks(F.relu(net.norm(Tensor(largest))))
    np.testing.assert_allclose(net(x).data, net.last(h.mean(dim=(2, 3))).data, rtol=1e-12)


def test_a_residual_block_starts_from_hes_weights():
    block = nn.ResidualBlock(8, 32, rng=0)
    for weight in (block.f[0].weight, block.f[3].weight):
        assert abs(weight.data.std() / math.sqrt(2 / (9 * 32)) - 1) < 0.06
    assert nn.ResidualBlock(4, 4).shortcut is None and nn.ResidualBlock(4, 4, stride=2).shortcut is not None
