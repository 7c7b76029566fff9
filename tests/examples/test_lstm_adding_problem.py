"""The tasks are what they say, the gradient through time is one, and the quick study keeps its claims."""

import json

import numpy as np
import pytest

import tinydl
from examples import lstm_adding_problem as example
from tinydl import ops


def test_quick_run_keeps_its_claims(tmp_path, capsys):
    assert example.main(["--quick", "--out", str(tmp_path)]) == 0
    assert "4 of 4 claims hold" in capsys.readouterr().out
    assert (tmp_path / "adding_problem.png").stat().st_size > 10_000


@pytest.mark.parametrize("changes, kept", [
    ({}, 4), ({"adding": {"LSTM": 0.0051, "RNN": 0.15}}, 3), ({"adding": {"LSTM": 0.004, "RNN": 0.139}}, 3),
    ({"copying": {"LSTM": 0.985}}, 3), ({"gradient": {"RNN, start": 0.002, "LSTM, gates that keep": 1.0}}, 3)])
def test_its_claims_are_the_stated_ones(changes, kept, tmp_path, monkeypatch, capsys):
    good = {"adding": {"LSTM": 0.004, "RNN": 0.15}, "copying": {"LSTM": 0.992},
            "gradient": {"RNN, start": 1e-30, "LSTM, gates that keep": 0.01}}
    drawn = []
    monkeypatch.setattr(example, "study", lambda seed, quick, path: drawn.append(path) or {**good, **changes})
    assert example.main(["--seeds", "0,1", "--out", str(tmp_path)]) == (kept < 4)
    assert f"{kept} of 4 claims hold" in capsys.readouterr().out and drawn == [tmp_path / "adding_problem.png", None]
    record = json.loads((tmp_path / "results.json").read_text())
    assert record["seeds"] == [0, 1] and len(record["claims"][0]["value"]) == 2


def test_the_answer_is_the_sum_of_one_number_of_each_half(rng):
    x, t = example.adding(10, 300, rng)
    assert x.shape == (10, 300, 2) and t.shape == (300, 1)
    numbers, marks = x[..., 0], x[..., 1]
    assert set(np.unique(marks)) == {0, 1} and (marks[:5].sum(axis=0) == 1).all() and (marks[5:].sum(axis=0) == 1).all()
    np.testing.assert_allclose(t[:, 0], [numbers[:, b][marks[:, b] == 1].sum() for b in range(300)], rtol=1e-6)
    assert marks.sum(axis=1).min() > 30  # every place is marked sometimes
    assert abs(np.mean((t - 1) ** 2) - example.CONSTANT) < 0.03


def test_symbols_come_first_and_are_asked_for_after_the_sign(rng):
    x, t = example.copying(3, 4, 5, rng, alphabet=6)
    codes = x.argmax(axis=2)
    assert x.shape == (10, 5, 8) and (x.sum(axis=2) == 1).all()
    np.testing.assert_array_equal(codes[:3], t)
    assert (codes[7] == 7).all() and (codes[3:7] == 6).all() and (codes[8:] == 6).all()


def test_gates_keep_for_as_long_as_they_are_told(rng):
    for kind in ("LSTM", "GRU"):
        module = example.Reader(kind, 2, 500, 1, 100, rng).recurrence
        steps = np.exp(module.bias_ih_l0.data[500:1000])
        assert 1 <= steps.min() < 3 and 95 < steps.max() <= 99 and not module.bias_hh_l0.data.any()
    assert not module.bias_ih_l0.data[:500].any()


@pytest.mark.parametrize("kind", list(example.KINDS))
def test_the_gradient_at_a_step_is_that_of_the_rest_of_the_sequence(kind, rng):
    network = example.Reader(kind, 2, 4, 1, 6, rng).double()
    x, t = (a.astype(np.float64) for a in example.adding(6, 3, rng))
    norms = example.gradient_through_time(network, x, t)
    assert norms.shape == (6,)
    for step in (1, 4):
        _, state = network.recurrence(tinydl.tensor(x[:step]))
        state = tuple(s.detach().requires_grad_() for s in (state if kind == "LSTM" else (state,)))
        output, _ = network.recurrence(tinydl.tensor(x[step:]), state if kind == "LSTM" else state[0])
        gradients = tinydl.grad(ops.mse_loss(network.last(output[-1]), t, reduction="sum"), state)
        norm = np.sqrt(sum(np.sum(g.numpy() ** 2) for g in gradients))
        np.testing.assert_allclose(norms[step - 1], norm, rtol=1e-10)


def test_an_lstm_whose_gates_forget_starves_like_the_rnn(monkeypatch):
    kept = example.study_gradients(60, 16, {}, 0)
    monkeypatch.setattr(example, "keep_for", lambda *args: None)
    forgotten = example.study_gradients(60, 16, {}, 0)
    share = {True: kept["LSTM, gates that keep"], False: forgotten["LSTM, gates that keep"]}
    assert share[True][0] / share[True][-1] > 1e-3 > 1e-8 > share[False][0] / share[False][-1]
