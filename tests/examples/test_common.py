"""The options, the folder, the claims and the record of the examples."""

import json

import numpy as np
import pytest

from examples import common


def test_exit_code_tells_a_failed_claim(capsys):
    common.arguments("a")
    assert common.check("one is one", True) and common.finish() == 0
    assert not common.check("one is two", False)
    assert common.finish() == 1
    assert "FAILS  one is two" in capsys.readouterr().out


def test_a_new_example_forgets_the_claims_of_the_last_one():
    common.arguments("a")
    common.check("wrong", False)
    common.arguments("b")
    assert common.finish() == 0


@pytest.mark.parametrize("comparison, goal, holds", [
    ("<", 2.0, False), ("<=", 2.0, True), (">", 2.0, False), (">=", 2.0, True), ("<", 2.001, True), (">", 1.999, True),
    ("<=", 1.999, False), (">=", 2.001, False)])
def test_a_claim_is_about_the_mean_of_the_seeds(comparison, goal, holds, capsys):
    common.arguments("a")
    assert common.claim("length in metres", [1.0, 3.0], comparison, goal) is holds
    assert common.finish() == (not holds)
    assert f"{'holds ' if holds else 'FAILS '} length in metres: 2 {comparison} {goal:.4g}" in capsys.readouterr().out


def test_the_record_holds_the_call_the_claims_and_what_was_found(tmp_path, capsys):
    args = common.arguments("a", seeds=True).parse_args(["--seeds", "0,2", "--out", str(tmp_path), "--quick"])
    common.claim("accuracy", np.float32([0.5, 0.75]), ">=", 0.6)
    common.claim("loss", np.float64(2), "<", 1)
    common.check("the sky is blue", np.True_)
    common.write_record(args, data="pixels", deep={"a": [1]})
    assert f"record: {tmp_path / 'results.json'}" in capsys.readouterr().out
    assert json.loads((tmp_path / "results.json").read_text()) == {
        "example": "a", "command": "python -m examples.a --seeds 0,2 --quick", "seeds": [0, 2], "quick": True,
        "claims": [{"what": "accuracy", "value": [0.5, 0.75], "goal": ">= 0.6", "holds": True},
                   {"what": "loss", "value": 2.0, "goal": "< 1", "holds": False},
                   {"what": "the sky is blue", "value": None, "goal": None, "holds": True}],
        "data": "pixels", "deep": {"a": [1]}}


def test_one_seed_is_a_list_of_seeds_and_wrong_seeds_end_with_the_reason(capsys):
    assert common.arguments("a", seeds=True).parse_args(["--seed", "3"]).seeds == [3]
    assert common.arguments("a").parse_args(["--seed", "3", "--out=x"]).command == "python -m examples.a --seed 3"
    with pytest.raises(SystemExit):
        common.arguments("a", seeds=True).parse_args(["--seeds", "0;1"])
    assert "'0;1' is not whole numbers" in capsys.readouterr().err


def test_options_and_folder(tmp_path):
    args = common.arguments("a").parse_args(["--seed", "3", "--quick", "--out", str(tmp_path / "new" / "folder")])
    assert (args.seed, args.quick) == (3, True)
    assert common.output_folder(args).is_dir() and not list(args.out.iterdir())
    assert str(common.arguments("a").parse_args([]).out).replace("\\", "/") == "runs/a"


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    args = common.arguments("a").parse_args(["--out", str(tmp_path / "file")])
    with pytest.raises(SystemExit, match="--out .*cannot write there"):
        common.output_folder(args)


def test_data_that_cannot_be_read_end_the_example_with_the_reason():
    args = common.arguments("a").parse_args([])
    args.data = "nowhere"

    def load(which, error):
        raise error

    assert common.loaded(args, lambda which, quick: (which, quick), True) == ("nowhere", True)
    for error in (FileNotFoundError("no such file"), ValueError("--data nowhere: no such file")):
        with pytest.raises(SystemExit, match="^--data nowhere: no such file$"):
            common.loaded(args, load, error)


def test_without_matplotlib_an_example_ends_before_it_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(common.importlib.util, "find_spec", lambda name: None)
    args = common.arguments("a").parse_args(["--out", str(tmp_path / "new")])
    with pytest.raises(SystemExit, match=r"need matplotlib: pip install"):
        common.output_folder(args)
    assert not args.out.exists() and common.output_folder(args, figures=False) == args.out


def test_a_figure_from_generated_data_says_so(tmp_path, capsys):
    fig, _ = common.figure(synthetic=True)
    assert "synthetic" in fig.get_supxlabel()
    assert "synthetic" not in common.figure()[0].get_supxlabel()
    common.save_figure(fig, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
