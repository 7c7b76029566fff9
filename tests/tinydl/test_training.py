"""The loop: the loss falls, rows of the history say what happened, nan stops with its cause, resuming changes no bit."""

import functools
import os
import subprocess
import sys
import tempfile

import numpy as np
import pytest

import tinydl
from tinydl import Tensor, nn, optim
from tinydl.data import DataLoader
from tinydl.nn import functional as F
from tinydl.training import AverageWeights, Callback, Checkpoint, CheckpointError, EarlyStopping, History, Schedule, Trainer

RNG = np.random.default_rng(3)
W = RNG.standard_normal((4, 2)).astype(np.float32)
X = RNG.standard_normal((90, 4)).astype(np.float32)
Y = (X @ W + 0.1 * RNG.standard_normal((90, 2))).astype(np.float32)
TRAIN, VALID = (X[:70], Y[:70]), (X[70:], Y[70:])


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def regression(callbacks=(), lr=0.1, **options):
    model = nn.Linear(4, 2, rng=0)
    return Trainer(model, F.mse_loss, optim.SGD(model.parameters(), lr=lr), callbacks, **options)


def loaders(batch_size=16, **options):
    return DataLoader(TRAIN, batch_size, shuffle=True, **options), DataLoader(VALID, 8)


# ---------------------------------------------------------------- the loop
def test_a_regression_is_learned():
    trainer = regression()
    history = trainer.fit(*loaders(), epochs=30)
    assert history["train_loss"].iloc[-1] < 0.02 < 1 < history["train_loss"].iloc[0]
    assert history["valid_loss"].iloc[-1] < 0.02
    np.testing.assert_allclose(trainer.model.weight.data, W.T, atol=0.1)


def test_history_is_a_frame_with_a_row_an_epoch():
    trainer = regression(metrics={"rmse": lambda p, t: np.sqrt(((p - t) ** 2).mean())})
    history = trainer.fit(*loaders(), epochs=3)
    assert list(history.columns) == ["train_loss", "lr", "seconds", "valid_loss", "valid_rmse"]
    assert list(history.index) == [1, 2, 3] and history.index.name == "epoch"
    assert (history["lr"] == 0.1).all() and (history["seconds"] > 0).all()
    np.testing.assert_allclose(history["valid_rmse"] ** 2, history["valid_loss"], rtol=1e-5)
    assert list(regression().fit(loaders()[0], epochs=1).columns) == ["train_loss", "lr", "seconds"]
    assert trainer.history["valid_loss"] == list(history["valid_loss"])
    with pytest.raises(KeyError, match="no column 'auc'.*valid_rmse"):
        trainer.history["auc"]


def test_an_empty_history():
    assert len(History()) == 0 and len(History().frame()) == 0 and repr(History()) == "History(0 epochs)"
    frame = regression().fit(*loaders(), epochs=0)
    assert len(frame) == 0


def test_losses_are_means_over_rows_and_not_over_batches():
    """With lr=0 the training loss is the loss of the fixed model over all 70 rows, 6 of them in a short last batch."""
    trainer = regression(lr=0.0)
    history = trainer.fit(*loaders(), epochs=1)
    for (x, y), column in ((TRAIN, "train_loss"), (VALID, "valid_loss")):
        loss = ((trainer.model(Tensor(x)).data - y) ** 2).mean()
        np.testing.assert_allclose(history[column].iloc[0], loss, rtol=1e-5)


def test_training_is_repeatable():
    weights = []
    for _ in range(2):
        tinydl.manual_seed(4)
        trainer = regression()
        trainer.fit(*loaders(), epochs=2)
        weights.append(trainer.model.weight.data)
    np.testing.assert_array_equal(*weights)


def test_gradients_of_one_batch_do_not_leak_into_the_next():
    """Two steps of plain SGD by hand."""
    trainer, model = regression(), nn.Linear(4, 2, rng=0)
    trainer.fit(DataLoader(TRAIN, 35), epochs=1)
    weight, bias = model.weight.data.astype(float), model.bias.data.astype(float)
    for rows in (slice(0, 35), slice(35, 70)):
        d = 2 * (X[rows] @ weight.T + bias - Y[rows]) / 70
        weight, bias = weight - 0.1 * d.T @ X[rows], bias - 0.1 * d.sum(axis=0)
    np.testing.assert_allclose(trainer.model.weight.data, weight, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(trainer.model.bias.data, bias, rtol=1e-4, atol=1e-6)


def test_hooks_come_in_order_and_modes_are_right():
    seen = []

    class Spy(Callback):
        def __getattribute__(self, name):
            if name.startswith("on_"):
                return lambda t: seen.append((name, t.epoch, t.batch, t.model.training))
            return super().__getattribute__(name)

    trainer = regression([Spy()])
    trainer.fit(DataLoader(TRAIN, 35), epochs=1)
    assert seen == [("on_train_begin", 0, 0, True), ("on_epoch_begin", 0, 0, True),
                    ("on_backward_end", 0, 0, True), ("on_batch_end", 0, 1, True),
                    ("on_backward_end", 0, 1, True), ("on_batch_end", 0, 2, True),
                    ("on_epoch_end", 1, 0, True), ("on_train_end", 1, 0, True)]


def test_a_model_that_was_evaluated_before_trains_in_training_mode():
    modes = []

    class Spy(Callback):
        def on_batch_end(self, trainer):
            modes.append(trainer.model.training)

    trainer = regression([Spy()])
    trainer.model.eval()
    trainer.fit(DataLoader(TRAIN, 35), epochs=1)
    assert modes == [True, True]


def test_fit_again_goes_on():
    one, other = regression(), regression()
    one.fit(*loaders(rng=1), epochs=4)
    train, valid = loaders(rng=1)
    other.fit(train, valid, epochs=2)
    assert len(other.fit(train, valid, epochs=4)) == 4
    np.testing.assert_array_equal(one.model.weight.data, other.model.weight.data)


def test_models_of_several_inputs():
    model = nn.Bilinear(4, 2, 1)
    trainer = Trainer(model, F.mse_loss, optim.SGD(model.parameters(), lr=0.01))
    trainer.fit(DataLoader((X, Y, Y[:, :1]), 30), epochs=1)
    assert trainer.predict(DataLoader((X, Y, Y[:, :1]), 30)).shape == (90, 1)


# ---------------------------------------------------------------- predict and evaluate
def test_predict_is_in_evaluation_mode_and_puts_the_modes_back():
    model = nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.5), nn.BatchNorm1d(2))
    model[2].eval()  # frozen by the user
    trainer = Trainer(model, F.mse_loss, optim.SGD(model.parameters(), lr=0.1))
    before = [m.training for m in model.modules()]
    y = trainer.predict(DataLoader(VALID, 7))
    assert type(y) is np.ndarray and y.shape == (20, 2)
    assert [m.training for m in model.modules()] == before
    np.testing.assert_allclose(y, model.eval()(Tensor(VALID[0])).data, rtol=1e-5, atol=1e-6)
    model.train()
    with pytest.raises(ValueError):
        trainer.predict(DataLoader((X[:, :3], Y), 7))
    assert model.training and tinydl.is_grad_enabled()


def test_evaluate_sees_all_rows_at_once_and_in_order():
    trainer = regression(metrics={"largest": lambda p, t: np.abs(p - t).max(), "rows": lambda p, t: len(p)})
    found = trainer.evaluate(DataLoader(VALID, 7))
    d = trainer.model(Tensor(VALID[0])).data - VALID[1]
    assert list(found) == ["loss", "largest", "rows"] and found["rows"] == 20
    assert found["loss"] == pytest.approx((d**2).mean(), rel=1e-5) and found["largest"] == pytest.approx(np.abs(d).max())
    with pytest.raises(ValueError, match="shuffles"):
        trainer.evaluate(DataLoader(VALID, 7, shuffle=True))


# ---------------------------------------------------------------- what is not finite
def with_bad(array, value=np.nan):
    array = array.copy()
    array[40, 0] = value
    return array


@pytest.mark.parametrize("data, words", [
    ((with_bad(TRAIN[0]), TRAIN[1]), r"the loss is nan in epoch 1, batch 3: an input of shape \(16, 4\) holds nan"),
    ((TRAIN[0], with_bad(TRAIN[1], np.inf)), r"the loss is inf in epoch 1, batch 3: an input of shape \(16, 2\) holds inf"),
])
def test_bad_data_stops_the_training(data, words):
    with pytest.raises(FloatingPointError, match=words):
        regression().fit(DataLoader(data, 16), epochs=1)


def test_a_bad_parameter_is_named():
    trainer = regression()
    trainer.model.bias.copy_([np.nan, 0.0])
    with pytest.raises(FloatingPointError, match=r"batch 1: parameter bias of shape \(2,\) holds nan"):
        trainer.fit(*loaders(), epochs=1)


def test_the_operation_that_made_nan_is_named():
    trainer = regression()
    trainer.loss = lambda p, t: F.mse_loss(tinydl.log(p - 100), t)
    with pytest.raises(FloatingPointError, match="log was the first to give nan.*lower the learning rate"):
        trainer.fit(*loaders(), epochs=1)


def test_a_parameter_that_the_last_step_spoiled_is_named():
    """The slope of sqrt at 0 is infinite: the loss is finite, the gradient is not."""
    trainer = regression()
    trainer.model.bias.zero_()
    trainer.model.weight.zero_()
    trainer.loss = lambda p, t: np.sqrt(p * p).sum()
    with pytest.raises(FloatingPointError, match="parameter weight holds nan or inf at the end of epoch 1"):
        trainer.fit(DataLoader(TRAIN, 70), epochs=1)


def test_bad_validation_data_is_told_apart():
    with pytest.raises(FloatingPointError, match="validation loss is nan after epoch 1.*validation data"):
        regression().fit(loaders()[0], DataLoader((VALID[0] * np.nan, VALID[1]), 8), epochs=1)


def test_a_loader_without_batches_is_refused():
    with pytest.raises(ValueError, match="no batch.*drop_last=False"):
        regression().fit(DataLoader(TRAIN, 100, drop_last=True), epochs=1)


# ---------------------------------------------------------------- resuming
class Interrupt(Callback):
    """Raises, as a crash would, at the given batch of the given epoch."""

    def __init__(self, epoch, batch):
        self.epoch, self.batch = epoch, batch

    def on_batch_end(self, trainer):
        if (trainer.epoch, trainer.batch) == (self.epoch, self.batch):
            raise KeyboardInterrupt


def training(path, interrupt, rng, patience=2, epochs=5):
    """A training with everything that has a state; generators: the default one, the loader's own, or one for all."""
    tinydl.manual_seed(0)
    own = {"default": None, "own": np.random.default_rng(8), "shared": np.random.default_rng(9)}[rng]
    layers = {"default": (None, None), "own": (np.random.default_rng(10), 11), "shared": (own, own)}[rng]
    model = nn.Sequential(nn.Linear(4, 6, rng=1), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.3, rng=layers[0]),
                          nn.Linear(6, 6, rng=2), nn.Dropout(0.2, rng=layers[1]), nn.Linear(6, 2, rng=3))
    optimizer = optim.AdamW([{"params": [p for p in model.parameters() if p.ndim == 2]},
                             {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0}], lr=0.05)
    callbacks = [Schedule(optim.LinearLR(optimizer, 0.5, 1.0, 9), every="batch"),
                 Schedule(optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=0), monitor="valid_loss"),
                 AverageWeights(0.9), EarlyStopping(patience=patience), Checkpoint(path, every_batches=2), interrupt]
    trainer = Trainer(model, F.mse_loss, optimizer, callbacks)
    return trainer, lambda **options: trainer.fit(DataLoader(TRAIN, 16, shuffle=True, rng=own), DataLoader(VALID, 8), epochs,
                                                  **options)


def outcome(trainer):
    """All that must be equal, as one tree without the times."""
    state = trainer.state_dict()
    state["seconds"] = 0.0
    state["history"] = [{k: v for k, v in row.items() if k != "seconds"} for row in state["history"]]
    return state


def assert_same(a, b, path=""):
    if isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for key in a:
            assert_same(a[key], b[key], f"{path}/{key}")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), path
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{path}/{i}")
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes(), path
    else:
        assert a == b, path


@functools.cache
def uninterrupted(rng):
    """The outcome of the training, and its last checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        trainer, fit = training(os.path.join(folder, "x"), Never(-1, 0), rng)
        fit()
        return outcome(trainer), tinydl.load(os.path.join(folder, "x"))


class Never(Interrupt):
    """The same callback's name without its effect: a checkpoint wants the same callbacks."""


Never.__name__ = "Interrupt"


@pytest.mark.parametrize("rng", ["default", "own", "shared"])
@pytest.mark.parametrize("epoch, batch, saved", [(0, 1, None), (0, 3, (0, 2)), (2, 1, (2, 0)), (2, 5, (2, 4)),
                                                 (3, 4, (3, 4))])
def test_resuming_changes_no_bit(rng, epoch, batch, saved, tmp_path):
    """Interrupted in the first batch (nothing saved yet), within epochs, after an epoch; then built anew and resumed."""
    expected, last = uninterrupted(rng)
    cut, fit_cut = training(tmp_path / "cut", Interrupt(epoch, batch), rng)
    with pytest.raises(KeyboardInterrupt):
        fit_cut()
    if saved is None:
        assert not os.path.exists(tmp_path / "cut")
    else:
        state = tinydl.load(tmp_path / "cut")
        assert (state["epoch"], state["batch"]) == saved
    resumed, fit_resumed = training(tmp_path / "cut", Never(-1, 0), rng)
    if saved is not None:  # what stands in the new objects must not matter
        resumed.model[0].weight.fill_(3)
        tinydl.manual_seed(99)
    history = fit_resumed(resume_from=tmp_path / "cut")
    assert_same(expected, outcome(resumed))
    assert history.drop(columns="seconds").reset_index().to_dict("records") == expected["history"]
    assert_same(last["model"], tinydl.load(tmp_path / "cut")["model"])


def test_resuming_a_training_that_had_stopped_early_stays_stopped(tmp_path):
    whole, fit = training(tmp_path / "x", Never(-1, 0), "default", patience=1, epochs=60)
    fit()
    assert whole.stop and whole.epoch < 60
    resumed, fit = training(tmp_path / "x", Never(-1, 0), "default", patience=1, epochs=60)
    fit(resume_from=tmp_path / "x")
    assert_same(outcome(whole), outcome(resumed))
    assert resumed.callbacks[3].best_epoch == whole.callbacks[3].best_epoch < whole.epoch


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
import test_training as here
class Kill(here.Interrupt):
    def on_batch_end(self, trainer):
        if trainer.epoch == 2 and trainer.batch == 3:
            os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
Kill.__name__ = "Interrupt"
trainer, fit = here.training(sys.argv[1], Kill(-1, 0), "own")
fit()
"""


def test_resuming_after_a_kill_in_the_middle_of_writing_a_checkpoint(tmp_path):
    source = os.path.dirname(os.path.dirname(tinydl.__file__))
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "cut", os.path.dirname(__file__)],
                          env={**os.environ, "PYTHONPATH": source}, timeout=120)
    assert done.returncode == -9 and os.path.exists(tmp_path / "cut.tmp")
    state = tinydl.load(tmp_path / "cut")
    assert (state["epoch"], state["batch"]) == (2, 2)
    resumed, fit = training(tmp_path / "cut", Never(-1, 0), "own")
    fit(resume_from=tmp_path / "cut")
    assert_same(uninterrupted("own")[0], outcome(resumed))


def spoil(name, value):
    def change(state):
        state[name] = value(state[name]) if callable(value) else value
    return change


@pytest.mark.parametrize("change, words", [
    (lambda s: s["model"].pop("0.bias"), "missing: 0.bias"),
    (spoil("callbacks", lambda c: c[:-1]), "build the trainer as it was"),
    (spoil("callbacks", lambda c: [c[1], c[0], *c[2:]][::-1]), "build the trainer as it was"),
    (spoil("module_rngs", []), "build the model as it was"),
    (spoil("batches", 9), "9 batches, and the loader has 5"),
    (lambda s: s["optimizer"]["param_groups"].pop(), "groups"),
    (lambda s: s["optimizer"]["state"][1].update(exp_avg=np.ones(9)), "exp_avg"),
    (spoil("default_rng", {"bit_generator": "MT19937"}), "PCG64"),
    (spoil("history", None), "NoneType"),
])
def test_a_checkpoint_that_does_not_fit_changes_nothing(change, words, tmp_path):
    cut, fit = training(tmp_path / "cut", Interrupt(1, 3), "own")
    with pytest.raises(KeyboardInterrupt):
        fit()
    state = tinydl.load(tmp_path / "cut")
    change(state)
    tinydl.save(state, tmp_path / "spoiled")
    trainer, fit = training(tmp_path / "other", Interrupt(1, 4), "own")
    with pytest.raises(KeyboardInterrupt):
        fit()
    before = outcome(trainer)
    with pytest.raises((ValueError, TypeError), match=words):
        fit(resume_from=tmp_path / "spoiled")
    trainer.stop = before["stop"]
    after = outcome(trainer)
    after["loader_rng"] = before["loader_rng"]  # a new loader has a new generator
    assert_same(before, after)


def test_strange_files_are_refused_before_anything_changes(tmp_path):
    trainer = regression()
    before = trainer.model.state_dict()
    (tmp_path / "damaged").write_bytes(b"PK\x03\x04 and no more")
    tinydl.save({"weights": 1}, tmp_path / "foreign")
    for name, words in (("damaged", "damaged"), ("foreign", "not of a training")):
        with pytest.raises(CheckpointError, match=words):
            trainer.fit(*loaders(), epochs=1, resume_from=tmp_path / name)
    assert_same(before, trainer.model.state_dict())
    assert trainer.epoch == 0


def test_state_before_the_first_fit(tmp_path):
    trainer, other = regression(), regression()
    trainer.model.weight.fill_(2)
    trainer.save(tmp_path / "x")
    other.load_state_dict(tinydl.load(tmp_path / "x"))
    assert (other.model.weight.data == 2).all()


def test_a_state_is_not_changed_by_further_training():
    trainer, fit = training(os.devnull, Never(-1, 0), "own")
    trainer.callbacks = trainer.callbacks[:4]
    fit()
    state = outcome(trainer)
    kept = tinydl.training.checkpoint._unpack(*_packed(state))
    trainer.epoch, trainer.stop = 0, False
    fit()
    assert_same(kept, state)


def _packed(state):
    arrays = {}
    packed = tinydl.training.checkpoint._pack(state, arrays)
    return packed, {name: array.copy() for name, array in arrays.items()}


# ---------------------------------------------------------------- lightness
def test_importing_the_library_costs_numpy_and_little_more():
    code = ("import sys, tinydl, tinydl.training, tinydl.plotting; "
            "print([m for m in ('pandas', 'scipy', 'matplotlib', 'numba', 'tqdm', 'torch') if m in sys.modules])")
    source = os.path.dirname(os.path.dirname(tinydl.__file__))
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": source}, timeout=60,
                          capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stdout + done.stderr


def test_the_unsupervised_part_is_loaded_when_it_is_asked_for():
    code = ("import sys, tinydl; before = set(sys.modules); assert 'unsupervised' in dir(tinydl); tinydl.unsupervised.RBM; "
            "print('tinydl.unsupervised' in before)")
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "False"
