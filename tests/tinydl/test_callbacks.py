"""Callbacks one by one: what each prints, stops, restores, steps, averages, saves and draws."""

import io
import os
import re
import struct
import sys

import numpy as np
import pandas
import pytest

import tinydl
from tinydl import nn, optim
from tinydl.data import DataLoader
from tinydl.nn import functional as F
from tinydl.plotting import learning_curve
from tinydl.training import (
    AverageWeights,
    Callback,
    Checkpoint,
    EarlyStopping,
    LearningCurve,
    ProgressBar,
    Schedule,
    Trainer,
)

RNG = np.random.default_rng(5)
X, Y = RNG.standard_normal((22, 3)).astype(np.float32), RNG.standard_normal((22, 1)).astype(np.float32)


def trained(callbacks, epochs=4, valid=True, metrics=None, lr=0.1, optimizer=None):
    """A trainer that has fitted 3 -> 1 on batches of 5, 5, 5, 5, 2 rows."""
    model = nn.Linear(3, 1, rng=0)
    optimizer = optimizer(model.parameters()) if optimizer else optim.SGD(model.parameters(), lr=lr)
    trainer = Trainer(model, F.mse_loss, optimizer, callbacks(optimizer) if callable(callbacks) else callbacks, metrics)
    trainer.fit(DataLoader((X, Y), 5), DataLoader((X, Y), 11) if valid else None, epochs)
    return trainer


class Record(Callback):
    """The weights after each batch and each epoch."""

    def __init__(self):
        self.batches, self.epochs, self.rates = [], [], []

    def on_batch_end(self, trainer):
        self.batches.append(trainer.model.weight.data.copy())
        self.rates.append(trainer.optimizer.param_groups[0]["lr"])

    def on_epoch_end(self, trainer):
        self.epochs.append(trainer.model.weight.data.copy())


def scripted(values):
    """A metric that gives the values one after the other."""
    values = iter(values)
    return {"score": lambda prediction, target: next(values)}


# ---------------------------------------------------------------- ProgressBar
def test_progress_is_a_line_an_epoch():
    file = io.StringIO()
    trained([ProgressBar("Fit", file)], epochs=2, metrics={"rmse": lambda p, t: 0.25})
    lines = file.getvalue().splitlines()
    assert len(lines) == 2
    number = r"\d+\.\d{4}"
    for k, line in enumerate(lines):
        assert re.fullmatch(rf"Fit epoch  {k + 1}/2  train_loss {number}  valid_loss {number}  valid_rmse 0.2500  "
                            r"\(\d+\.\d s\)", line), line


def test_progress_on_a_terminal_is_a_bar_and_the_same_lines():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    file = Terminal()
    trained([ProgressBar("Fit", file)], epochs=2)
    text = file.getvalue()
    assert "Fit epoch 2/2" in text and "/5" in text  # the bar counts 5 batches
    assert len(re.findall(r"Fit epoch  \d/2  train_loss", text)) == 2


def test_progress_without_tqdm_and_to_stderr(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    trained([ProgressBar()], epochs=1, valid=False)
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("epoch  1/1  train_loss")


# ---------------------------------------------------------------- EarlyStopping
@pytest.mark.parametrize("scores, options, best, stopped", [
    ([3, 2, 4, 5, 1], dict(patience=2), 2, 4),
    ([3, 2, 4, 1, 5, 6, 7], dict(patience=2), 4, 6),
    ([3, 3, 3, 3], dict(patience=2), 1, 3),                          # equal is not better
    ([3, 2, 1], dict(patience=2), 3, 3),                             # ends by itself
    ([3, 4, 1], dict(patience=1), 1, 2),
    ([1, 3, 2, 2.5, 9], dict(patience=2, mode="max"), 2, 4),
    ([3, 2.95, 2.9, 2.0, 9], dict(patience=2, min_delta=0.2), 1, 3),
    ([3, 2.95, 2.75, 9, 9, 9], dict(patience=2, min_delta=0.2), 3, 5),
    ([1, 1.1, 1.15, 1.3], dict(patience=2, mode="max", min_delta=0.2), 1, 3),
])
def test_early_stopping(scores, options, best, stopped):
    record, stopping = Record(), EarlyStopping("valid_score", **options)
    trainer = trained([record, stopping], epochs=len(scores), metrics=scripted(scores))
    assert (stopping.best_epoch, stopping.best, trainer.epoch) == (best, scores[best - 1], stopped)
    np.testing.assert_array_equal(trainer.model.weight.data, record.epochs[best - 1])
    assert len({w.tobytes() for w in record.epochs}) == stopped  # so that the line above means something


def test_early_stopping_can_leave_the_last_weights():
    record = Record()
    trainer = trained([record, EarlyStopping("valid_score", patience=1, restore_best=False)], metrics=scripted([1, 2, 3]))
    np.testing.assert_array_equal(trainer.model.weight.data, record.epochs[1])


def test_early_stopping_restores_buffers_too():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1))
    stopping = EarlyStopping("valid_score", patience=5)
    trainer = Trainer(model, F.mse_loss, optim.SGD(model.parameters(), lr=0.1), [stopping], scripted([1, 2, 3]))
    trainer.fit(DataLoader((X, Y), 11), DataLoader((X, Y), 11), 3)
    assert model[0].num_batches_tracked == 2


def test_early_stopping_errors():
    with pytest.raises(ValueError, match="'auto'"):
        EarlyStopping(mode="auto")
    with pytest.raises(KeyError, match="no 'valid_loss' in the history.*validation loader"):
        trained([EarlyStopping()], valid=False)
    with pytest.raises(FloatingPointError, match="valid_score is nan after epoch 2"):
        trained([EarlyStopping("valid_score")], metrics=scripted([1, np.nan]))


# ---------------------------------------------------------------- Schedule
def test_schedule_each_epoch():
    record = Record()
    trainer = trained(lambda optimizer: [Schedule(optim.StepLR(optimizer, 2, 0.1)), record])
    np.testing.assert_allclose(record.rates, np.repeat([0.1, 0.1, 0.01, 0.01], 5))
    np.testing.assert_allclose(trainer.history["lr"], [0.1, 0.1, 0.01, 0.01])


def test_schedule_each_batch():
    record = Record()
    trained(lambda optimizer: [record, Schedule(optim.LinearLR(optimizer, 0.5, 1.0, 4), every="batch")], epochs=2)
    np.testing.assert_allclose(record.rates, [0.05, 0.0625, 0.075, 0.0875] + [0.1] * 6)


def test_schedule_on_a_plateau():
    trainer = trained(lambda optimizer: [Schedule(optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=1),
                                                  monitor="valid_score")], epochs=5, metrics=scripted([3, 3, 3, 2, 2]))
    np.testing.assert_allclose(trainer.history["lr"], [0.1, 0.1, 0.1, 0.05, 0.05])
    with pytest.raises(KeyError, match="valid_auc"):
        trained(lambda optimizer: [Schedule(optim.ReduceLROnPlateau(optimizer), monitor="valid_auc")])


def test_schedule_wants_to_know_when():
    with pytest.raises(ValueError, match="'step'"):
        Schedule(None, every="step")


# ---------------------------------------------------------------- Checkpoint
class Saves(Checkpoint):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.moments = []

    def on_batch_end(self, trainer):
        before = self._stamp()
        super().on_batch_end(trainer)
        self._note(before, trainer)

    def on_epoch_end(self, trainer):
        before = self._stamp()
        super().on_epoch_end(trainer)
        self._note(before, trainer)

    def _stamp(self):
        return os.stat(self.path).st_ino if os.path.exists(self.path) else None

    def _note(self, before, trainer):
        if self._stamp() != before:
            self.moments.append((trainer.epoch, trainer.batch))
            state = tinydl.load(self.path)
            assert (state["epoch"], state["batch"]) == (trainer.epoch, trainer.batch)
            np.testing.assert_array_equal(state["model"]["weight"], trainer.model.weight.data)


@pytest.mark.parametrize("options, moments", [
    (dict(), [(1, 0), (2, 0), (3, 0)]),
    (dict(every=2), [(2, 0), (3, 0)]),  # the last epoch always
    (dict(every=3, every_batches=2), [(0, 2), (0, 4), (1, 2), (1, 4), (2, 2), (2, 4), (3, 0)]),
    (dict(every=3, every_batches=5), [(3, 0)]),  # the end of an epoch is the epoch's to save
])
def test_checkpoints_are_written_when_asked(options, moments, tmp_path):
    saves = Saves(tmp_path / "new" / "folder" / "x", **options)
    trained([saves], epochs=3)
    assert saves.moments == moments


def test_the_epoch_that_stops_is_saved(tmp_path):
    saves = Saves(tmp_path / "x", every=10)
    trained([EarlyStopping("valid_score", patience=1), saves], epochs=5, metrics=scripted([1, 2]))
    assert saves.moments == [(2, 0)]


def test_an_impossible_folder_is_noticed_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    record = Record()
    with pytest.raises(OSError, match="Checkpoint: cannot make the folder .*choose one that is writable"):
        trained([record, Checkpoint(tmp_path / "file" / "x")])
    assert record.batches == []


def test_a_folder_without_permission_is_noticed_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="not writable"):
        trained([Checkpoint(tmp_path / "x")])


# ---------------------------------------------------------------- AverageWeights
@pytest.mark.parametrize("decay", [0.5, 0.15])
def test_average_is_its_formula(decay):
    """The batches' weights are those of a training without averaging: the average only stands in between epochs."""
    plain, seen, between = Record(), Record(), Record()
    reference = trained([plain], epochs=3)
    trainer = trained([seen, AverageWeights(decay), between], epochs=3)
    average, w = nn.Linear(3, 1, rng=0).weight.data.astype(np.float64), reference.model.weight.data
    for t, w in enumerate(plain.batches, start=1):
        d = min(decay, (1 + t) / (10 + t))
        average = d * average + (1 - d) * w
        np.testing.assert_array_equal(seen.batches[t - 1], w)
        if t % 5 == 0:
            np.testing.assert_allclose(between.epochs[t // 5 - 1], average, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(trainer.model.weight.data, average, rtol=1e-5, atol=1e-7)
    assert not np.allclose(average, w, rtol=1e-3)
    predicted = X @ average.T + trainer.model.bias.data
    assert trainer.history["valid_loss"][-1] == pytest.approx(((predicted - Y) ** 2).mean(), rel=1e-4)


def test_early_stopping_restores_the_average():
    averaged, plain = Record(), Record()
    trainer = trained([plain, AverageWeights(0.9), averaged, EarlyStopping("valid_score", patience=3)], epochs=3,
                      metrics=scripted([2, 1, 3]))
    np.testing.assert_array_equal(trainer.model.weight.data, averaged.epochs[1])
    assert not np.array_equal(averaged.epochs[1], plain.batches[9])


# ---------------------------------------------------------------- figures
def size_of_png(path):
    with open(path, "rb") as file:
        head = file.read(24)
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", head[16:24])


def test_learning_curve_is_a_picture(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # no display, no state: not even imported
    frame = trained([], epochs=3).history.frame()
    assert learning_curve(frame, tmp_path / "one.png", title="MF") == str(tmp_path / "one.png")
    assert size_of_png(tmp_path / "one.png") == (840, 540)
    learning_curve({"first": frame, "second": frame.drop(columns="valid_loss")}, tmp_path / "two.png")
    assert size_of_png(tmp_path / "two.png") == (840, 540)
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "two.png").read_bytes()
    learning_curve(frame, tmp_path / "x.svg")
    assert b"<svg" in (tmp_path / "x.svg").read_bytes()
    for empty in (frame.iloc[:0], pandas.DataFrame(), {}):
        with pytest.raises(ValueError, match="without epochs"):
            learning_curve(empty, tmp_path / "y.png")


def test_learning_curve_shows_the_numbers(tmp_path, monkeypatch):
    """What stands in the axes: both losses over the epochs, a dot at the best one, a legend, the title."""
    figure_class = pytest.importorskip("matplotlib.figure").Figure
    made = []
    monkeypatch.setattr(figure_class, "savefig", lambda self, path: made.append(self))
    frame = pandas.DataFrame({"epoch": [1, 2, 3], "train_loss": [3.0, 2.0, 1.0], "valid_loss": [4.0, 2.5, 2.75]})
    learning_curve({"MF": frame.set_index("epoch")}, "x.png", title="Ratings")
    axes, = made[0].axes
    lines = [(line.get_label(), list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
    assert lines[0] == ("MF training", [1, 2, 3], [3.0, 2.0, 1.0])
    assert lines[1] == ("MF validation", [1, 2, 3], [4.0, 2.5, 2.75])
    assert lines[2][1:] == ([2], [2.5])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["MF training", "MF validation"]
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("Ratings", "epoch", "loss")


def test_learning_curve_while_training(tmp_path):
    pytest.importorskip("matplotlib")
    trained([LearningCurve(tmp_path / "x.png", "Fit")], epochs=2)
    assert size_of_png(tmp_path / "x.png") == (840, 540)


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    frame = trained([], epochs=1).history.frame()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"tinydl\[plots\]"):
        learning_curve(frame, tmp_path / "x.png")
    record = Record()
    with pytest.raises(ImportError, match=r"tinydl\[plots\]"):
        trained([record, LearningCurve(tmp_path / "x.png")])
    assert record.batches == []
