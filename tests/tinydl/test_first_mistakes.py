"""What somebody who knows PyTorch and NumPy gets wrong first: each mistake is told what was given, wanted, to be done."""

import copy

import numpy as np
import pytest

import tinydl
from tinydl import RowGradient, nn, optim
from tinydl.data import DataLoader
from tinydl.nn import functional as F
from tinydl.training import EarlyStopping, Trainer

x = tinydl.tensor(np.arange(6.0, dtype=np.float32).reshape(2, 3))
X, Y = np.ones((8, 2), np.float32), np.ones((8, 1), np.float32)


def trainer(**changes):
    model = nn.Linear(2, 1, rng=0)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    return Trainer(**{"model": model, "loss": F.mse_loss, "optimizer": optimizer, **changes})


def loader(x=X, y=Y):
    return DataLoader((x, y), 4)


def rows():
    """The gradient that an embedding leaves."""
    table = nn.Embedding(4, 2, rng=0)
    table(np.array([1, 2, 1])).sum().backward()
    assert isinstance(table.weight.grad, RowGradient)
    return table.weight.grad


class Holds(nn.Module):
    """A module with an attribute of the test's making."""

    def __init__(self, value):
        self.inside = value


MISTAKES = {
    # ---------------------------------------------------------------- NumPy's float64
    "float64 in": (lambda: trainer().fit(loader(x=X.astype(float))), TypeError,
                   r"float64 and float32; .*\.float\(\).*array.astype\(np.float32\) before it goes into a Tensor"),
    "float64 out": (lambda: trainer().fit(loader(y=Y.astype(float))), TypeError, r"astype\(np.float32\) before"),
    # ---------------------------------------------------------------- modules and sizes
    "list of layers": (lambda: Holds([nn.Linear(2, 2)]), TypeError,
                       r"Holds.inside: got a Linear in a plain list, where nobody finds it.*nn.ModuleList\(\[...\]\)"),
    "tuple of layers": (lambda: Holds((1, nn.ReLU())), TypeError, "got a ReLU in a plain tuple"),
    "dict of layers": (lambda: Holds({"a": nn.Linear(2, 2)}), TypeError, r"plain dict.*nn.ModuleDict\(\{...\}\)"),
    "list of parameters": (lambda: Holds([nn.Parameter([1.0])]), TypeError, "got a Parameter .* an attribute of its own"),
    "tuple as a size": (lambda: nn.Linear(3, (4,)), ValueError, r"shape \(\(4,\), 3\), want whole numbers of at least 0"),
    "tuple as the first size": (lambda: nn.Linear((3,), 4), ValueError, r"shape \(4, \(3,\)\), want whole numbers"),
    "float as a size": (lambda: nn.Linear(3, 4.0), ValueError, r"shape \(4.0, 3\).*one number a size"),
    "text as a size": (lambda: nn.Bilinear("3", 2, 2), ValueError, r"shape \(2, '3', 2\), want whole"),
    "negative size": (lambda: nn.Linear(3, -4), ValueError, r"shape \(-4, 3\), want"),
    "negative table": (lambda: nn.Embedding(-5, 2), ValueError, r"shape \(-5, 2\), want"),
    # ---------------------------------------------------------------- the trainer's arguments
    "another model's optimizer": (lambda: trainer(model=nn.Linear(2, 1)), ValueError,
                                  r"optimizer that holds none of the parameters of this Linear.*of model.parameters"),
    "epochs as text": (lambda: trainer().fit(loader(), epochs="5"), ValueError, "fit: got epochs='5', want a whole number"),
    "negative epochs": (lambda: trainer().fit(loader(), epochs=-1), ValueError, "got epochs=-1, want .* at least 0"),
    "arrays to train on": (lambda: trainer().fit((X, Y)), TypeError, r"fit: got a tuple, want a DataLoader; wrap"),
    "arrays to validate on": (lambda: trainer().fit(loader(), (X, Y)), TypeError, "fit: got a tuple, want a DataLoader"),
    "arrays to predict": (lambda: trainer().predict(X), TypeError, "predict: got a ndarray, want a DataLoader"),
    "arrays to evaluate": (lambda: trainer().evaluate((X, Y)), TypeError, "evaluate: got a tuple, want a DataLoader"),
    "callback alone": (lambda: trainer(callbacks=EarlyStopping()), TypeError,
                       r"got callbacks of type EarlyStopping, want a list .*\[EarlyStopping\(\)\]"),
    "function as a callback": (lambda: trainer(callbacks=[print]), TypeError, "got a callback of type builtin.*as a method"),
    "loss by name": (lambda: trainer(loss="mse"), TypeError, r"got loss='mse', want a function .*nn.MSELoss\(\)"),
    "loss's class": (lambda: trainer(loss=nn.MSELoss), TypeError, r"got loss=.*want a function .*nn.MSELoss\(\)"),
    "loss of each row": (lambda: trainer(loss=nn.MSELoss(reduction="none")).fit(loader()), TypeError,
                         r"the loss gave a tensor of shape \(4, 1\), want .* one number.*reduction=\"mean\""),
    "loss as a number": (lambda: trainer(loss=lambda p, t: F.mse_loss(p, t).item()).fit(loader()), TypeError,
                         r"the loss gave a float, want a tensor.*without .item\(\)"),
    # ---------------------------------------------------------------- PyTorch's words and NumPy's
    "axis": (lambda: x.sum(axis=0), TypeError, "Tensor.sum: got axis=0; .* write dim=0"),
    "axis of softmax": (lambda: x.softmax(axis=0), TypeError, "Tensor.softmax: got axis=0; .* write dim=0"),
    "axis of max": (lambda: x.max(axis=1), TypeError, "Tensor.max: got axis=1; .* write dim=1"),
    "keepdims": (lambda: x.mean(dim=0, keepdims=True), TypeError, "Tensor.mean: got keepdims=True; .* write keepdim=True"),
    "another keyword": (lambda: x.sum(where=3), TypeError, r"^Tensor.sum\(\) got an unexpected keyword argument 'where'"),
    "keyword of another method": (lambda: x.float(dim=3), TypeError, r"^Tensor.float\(\) got an unexpected keyword"),
    "dim and axis": (lambda: tinydl.softmax(x, dim=0, axis=1), TypeError, "softmax: got both dim and axis"),
    # ---------------------------------------------------------------- names that are not here
    "layer": (lambda: nn.Conv3d, AttributeError, r"^tinydl.nn has no 'Conv3d'; it offers tinydl.nn.Conv2d.*README"),
    "layer like nothing": (lambda: nn.Xyzzyx, AttributeError, "'Xyzzyx'; it offers nothing of a name like it"),
    "function as a layer": (lambda: nn.softplus, AttributeError, r"it offers tinydl.nn.functional.softplus \("),
    "function": (lambda: F.pad, AttributeError, r"^tinydl.nn.functional has no 'pad'; it offers tinydl.ops.pad \("),
    "top level": (lambda: tinydl.sum, AttributeError, "'sum'; it offers tinydl.ops.sum, Tensor.sum, numpy.sum"),
    "dtype": (lambda: tinydl.float32, AttributeError, r"tinydl has no 'float32'; it offers numpy.float32 \("),
    "method": (lambda: x.view_as(x), AttributeError, r"^Tensor has no 'view_as': write x.reshape\(other.shape\)"),
    "cuda": (lambda: x.cuda(), AttributeError, "Tensor has no 'cuda': tinydl computes on the CPU.* leave it out"),
    "model on cuda": (lambda: nn.Linear(2, 2).cuda(), AttributeError, "Linear has no 'cuda': tinydl computes on the CPU"),
    "to cuda": (lambda: x.to("cuda"), TypeError, r"Tensor.to: got 'cuda', want a dtype such as np.float32, or 'cpu'"),
    "model to cuda": (lambda: nn.Linear(2, 2).to("cuda:0"), TypeError, "Linear.to: got 'cuda:0', want a dtype"),
    # ---------------------------------------------------------------- an embedding's gradient
    "method of rows": (lambda: rows().abs(), AttributeError, r"\.abs is not defined for a RowGradient.*call .dense\(\)"),
    "rows minus": (lambda: rows() - 1, TypeError, r"^- is not defined for a RowGradient.*call .dense\(\)"),
    "minus rows": (lambda: X - rows(), TypeError, r"np.subtract is not .*call .dense\(\)"),
    "function of rows": (lambda: np.abs(rows()), TypeError, r"np.absolute is not .*call .dense\(\)"),
    "array of rows": (lambda: np.linalg.norm(rows()), TypeError, r"call .dense\(\)"),
    "a row of rows": (lambda: rows()[0], TypeError, r"^\[...\] is not defined .*call .dense\(\)"),
    "rows by a vector": (lambda: rows() * np.ones(2), TypeError, r"^\* is not .*call .dense\(\)"),
    "rows by a matrix": (lambda: np.ones((4, 2)) * rows(), TypeError, r"np.multiply is not .*call .dense\(\)"),
    # ---------------------------------------------------------------- shapes
    "reshape": (lambda: x.reshape(4, 2), ValueError, r"^reshape: got shape \(2, 3\); want as many numbers.*shape \(4,2\)"),
    "view": (lambda: x.view(5), ValueError, r"^reshape: got shape \(2, 3\); want as many.*may be -1"),
    "index": (lambda: x[5], IndexError, r"^getitem: got shape \(2, 3\).*index 5 is out of bounds for axis 0 with size 2"),
    "indices": (lambda: x[0, 0, 0], IndexError, r"^getitem: got shape \(2, 3\).*too many indices"),
    "mask": (lambda: x[np.array([True])], IndexError, r"^getitem: got shape \(2, 3\); want a mask as long as"),
    "dim of sum": (lambda: x.sum(dim=5), IndexError, r"^sum: got shape \(2, 3\).*axis 5 is out of bounds"),
    "dim of mean": (lambda: x.mean(dim=5), IndexError, r"^mean: got shape \(2, 3\).*count from 0"),
    "dim of max": (lambda: x.max(dim=5), IndexError, r"^argmax: got shape \(2, 3\).*axis 5 is out of bounds"),
    "dims of permute": (lambda: x.permute(0, 1, 2), ValueError, r"^transpose: got shape \(2, 3\); want each axis once"),
    "dim of flatten": (lambda: x.flatten(2), IndexError, r"^flatten: got axes 2 to -1 of shape \(2, 3\), want .* below 2"),
    "last dim of flatten": (lambda: x.flatten(0, -3), IndexError, "^flatten: got axes 0 to -3 .* at least -2"),
    "dim of gather": (lambda: x.gather(5, np.zeros((1, 1), int)), IndexError, "^gather: got axis 5 for an index of shape"),
    "expand": (lambda: x.expand(4, 5), ValueError, r"^broadcast_to: got shape \(2, 3\).*lengths must be equal or 1"),
    "comparison": (lambda: x > np.ones(4), ValueError, r"^greater: got shapes \(2, 3\) and \(4,\); counted from the last"),
    "ragged list": (lambda: nn.Linear(3, 2)([[1.0, 2.0], [3.0]]), ValueError, "^linear: got a list whose parts differ"),
    "text into a layer": (lambda: nn.Linear(3, 2)("abc"), TypeError, r"linear: got x of type str, want a tensor \(..., 3\)"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_first_mistake_is_told(mistake):
    make, error, message = MISTAKES[mistake]
    with pytest.raises(error, match=message):
        make()


# ---------------------------------------------------------------- what stays allowed beside them
def test_a_list_that_grows_later_is_noticed_by_those_who_ask_for_parameters():
    model = Holds([])
    model.inside.append(nn.Linear(2, 2))
    with pytest.raises(TypeError, match="Holds.inside: got a Linear in a plain list"):
        optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(TypeError, match="Holds.inside: got a Linear in a plain list"):
        list(nn.Sequential(nn.Linear(2, 2), model).parameters())


def test_a_plain_list_may_hold_what_the_module_has_anyway():
    model = Holds([1, "two", x])
    model.layer = nn.Linear(2, 2)
    model.again, model.weights = [model.layer], {"w": model.layer.weight}
    assert [name for name, _ in model.named_parameters()] == ["layer.weight", "layer.bias"]


def test_an_optimizer_of_a_part_of_the_model_will_do():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    before = model.state_dict()
    Trainer(model, F.mse_loss, optim.SGD(model[1].parameters(), lr=0.1)).fit(loader(), epochs=1)
    moved = [name for name, value in model.state_dict().items() if not np.array_equal(value, before[name])]
    assert moved == ["1.weight", "1.bias"]


def test_at_top_level_dim_is_another_word_for_axis():
    for words in ({"dim": 0}, {"axis": 0}):
        np.testing.assert_array_equal(tinydl.softmax(x, **words).numpy(), x.softmax(0).numpy())
        np.testing.assert_array_equal(tinydl.cat([x, x], **words).numpy(), np.tile(x.numpy(), (2, 1)))
        np.testing.assert_array_equal(tinydl.concatenate([x, x], **words).numpy(), np.tile(x.numpy(), (2, 1)))
        np.testing.assert_array_equal(tinydl.stack([x, x], **words).numpy(), np.stack([x.numpy()] * 2))
        np.testing.assert_array_equal(tinydl.logsumexp(x, **words).numpy(), x.logsumexp(0).numpy())
    assert tinydl.logsumexp(x, dim=1, keepdim=True).shape == (2, 1)


def test_the_cpu_is_where_everything_is():
    model = nn.Linear(2, 2)
    assert x.to("cpu") is x and model.to("cpu") is model and x.to("float64").dtype == np.float64


def test_a_missing_name_is_no_trap_for_those_who_ask_whether_it_is_there():
    assert not any(hasattr(owner, "cuda") for owner in (tinydl, nn, F, x, rows(), nn.Linear(2, 2)))
    g = copy.deepcopy(rows())
    np.testing.assert_array_equal(g.dense(), rows().dense())


def test_rows_add_up_and_scale_on_either_side():
    g, dense = rows(), rows().dense()
    np.testing.assert_array_equal((0.5 * g).dense(), 0.5 * dense)
    np.testing.assert_array_equal((np.float32(0.5) * g).dense(), 0.5 * dense)
    total = np.ones((4, 2), np.float32)
    total += g
    np.testing.assert_array_equal(total, dense + 1)
    np.testing.assert_array_equal(np.add(g, 1), dense + 1)
