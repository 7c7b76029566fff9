"""The options, the folder and the claims of the examples."""

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
