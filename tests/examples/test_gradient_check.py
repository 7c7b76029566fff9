"""The lesson on checking gradients keeps its claims, at any seed, and would notice a checker that sees nothing."""

import pytest

import tinydl
from examples import gradient_check as example


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_quick_run_keeps_its_claims(seed, tmp_path, capsys):
    assert example.main(["--quick", "--seed", str(seed), "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("does not pass") == 4 and "kink" in printed
    assert (tmp_path / "step_size.png").stat().st_size > 10_000


def test_a_blind_checker_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tinydl, "gradcheck", lambda *arguments, **options: True)
    assert example.main(["--quick", "--out", str(tmp_path)]) == 1
    assert "FAILS  the wrong sign" in capsys.readouterr().out


def test_the_same_seed_prints_the_same(tmp_path, capsys):
    printed = []
    for _ in range(2):
        example.main(["--quick", "--seed", "5", "--out", str(tmp_path)])
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
