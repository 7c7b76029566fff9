"""By hand and by the engine: equal, and a slip on either side is seen."""

import numpy as np
import pytest

from examples import backpropagation_by_hand as example


def test_quick_run_keeps_its_claims(tmp_path, capsys):
    assert example.main(["--quick", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for name in ("delta_3", "delta_1", "dL/dW_3", "dL/dW_1", "4,000,000"):
        assert name in printed
    assert (tmp_path / "seconds_by_depth.png").stat().st_size > 10_000


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_wrong_formula_fails(which, tmp_path, monkeypatch, capsys):
    right = example.by_hand

    def wrong(*arguments):
        lists = right(*arguments)
        lists[which][0] = -lists[which][0]
        return lists

    monkeypatch.setattr(example, "by_hand", wrong)
    monkeypatch.setattr(example, "cost", lambda *arguments: None)
    assert example.main(["--quick", "--out", str(tmp_path)]) == 1
    assert "FAILS " + " " + ["delta_n", "dL/dW_n", "dL/db_n"][which] in capsys.readouterr().out


def test_by_hand_is_the_derivative_of_the_loss(rng):
    W, b = [rng.standard_normal((4, 3)), rng.standard_normal((2, 4))], [rng.standard_normal(4), rng.standard_normal(2)]
    x, y_hat = rng.standard_normal(3), rng.standard_normal(2)
    delta, dW, db = example.by_hand(W, b, x, y_hat)

    def L():
        h = x
        for W_n, b_n in zip(W, b, strict=True):
            h = np.tanh(W_n @ h + b_n)
        return 0.5 * np.sum((h - y_hat) ** 2)

    for array, gradient in zip(W + b, dW + db, strict=True):
        for index in np.ndindex(array.shape):
            kept, eps = array[index], 1e-6
            array[index] = kept + eps
            ahead = L()
            array[index] = kept - eps
            behind = L()
            array[index] = kept
            assert gradient[index] == pytest.approx((ahead - behind) / (2 * eps), rel=1e-5, abs=1e-9)
    assert [d.shape for d in delta] == [(4,), (2,)]
