"""The assignment's table holds its rows' numbers, its claims can fail, and a quick run writes what README's tables read."""

import json
import re

import pytest

from examples import assignment1_movielens as example
from examples import common, readme_tables

ROWS = {
    "biases": [{"rmse": 0.92, "mae": 0.72, "refit_rmse": 0.91, "refit_mae": 0.71, "epochs": None, "parameters": 9925},
               {"rmse": 0.90, "mae": 0.72, "refit_rmse": 0.89, "refit_mae": 0.71, "epochs": None, "parameters": 9925}],
    "neural-mf-2": [{"rmse": 0.86, "mae": 0.67, "refit_rmse": 0.85, "refit_mae": 0.66, "epochs": 10, "parameters": 1000,
                     "seconds_per_epoch": 2.0},
                    {"rmse": 0.84, "mae": 0.67, "refit_rmse": 0.83, "refit_mae": 0.66, "epochs": 12, "parameters": 1000,
                     "seconds_per_epoch": 3.0}],
    "ridge": [{"rmse": 1.08, "mae": 0.9, "epochs": None, "parameters": 53}] * 2,
    "logistic": [{"auc": 0.62, "log_loss": 0.66, "epochs": None, "parameters": 53}] * 2}


def test_the_table_shows_the_mean_over_the_seeds_and_the_gain_over_the_biases(capsys):
    example.tables(ROWS, None)
    lines = capsys.readouterr().out.splitlines()
    table = {name: re.split(r"\s{2,}|(?<=\d) (?=\d)", line) for line in lines if (name := line.split(" ")[0]) in ROWS}
    assert table["neural-mf-2"] == ["neural-mf-2", "0.8500 +- 0.0141", "0.6700 +- 0.0000", "0.8400 +- 0.0141",
                                    "0.6600 +- 0.0000", "0.0600", "2.50", "10/12", "1,000"]
    assert table["ridge"] == ["ridge", "1.0800 +- 0.0000", "0.9000 +- 0.0000", "-0.1700", "53"]
    assert table["logistic"] == ["logistic", "0.6200 +- 0.0000", "0.6600 +- 0.0000"]
    assert len({len(line) for line in lines if line.startswith(("rating", "biases", "neural", "ridge"))}) == 1  # aligned


def test_the_way_to_the_floor_is_in_squares(capsys):
    example.tables({name: rows[:1] for name, rows in ROWS.items()}, floor=0.6)
    out = capsys.readouterr().out
    line = next(line for line in out.splitlines() if line.startswith("neural-mf-2"))
    assert float(line.split()[-1]) == pytest.approx((0.85**2 - 0.6) / (0.91**2 - 0.6), abs=5e-4)
    assert "+-" not in out


@pytest.mark.parametrize("rmse, failed", [(0.82, 0), (0.85, 1)])
def test_claims_are_of_the_refitted_models_mean(rmse, failed, capsys):
    common.arguments("assignment1_movielens")
    first, second = ROWS["neural-mf-2"]
    example.claims({"neural-mf-2": [{**first, "refit_rmse": rmse}, {**second, "refit_rmse": 0.85}]}, None)
    assert common.finish() == failed
    assert f"RMSE {(rmse + 0.85) / 2:.4f} <= 0.846" in capsys.readouterr().out


def test_a_quick_run_is_what_the_readmes_tables_read(tmp_path, capsys):
    names = "biases,biased-mf,logistic"
    assert example.main(["--quick", "--data", "synthetic", "--seeds", "0,1", "--models", names, "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    record = json.loads((tmp_path / "results.json").read_text())
    for name in names.split(","):
        assert [row["seed"] for row in record["results"][name]] == [0, 1]
    mf = record["results"]["biased-mf"]
    assert all(row["refit_rmse"] != row["rmse"] and row["refit_seconds"] > 0 and row["epochs"] >= 1 for row in mf)
    assert "refit_auc" not in record["results"]["logistic"][0]
    lines = readme_tables.assignment1(record)
    mean = f"{(mf[0]['refit_rmse'] + mf[1]['refit_rmse']) / 2:.4f}"
    assert f"{mean} ± " in next(line for line in lines if line.startswith("| biased-mf")) and f"{mean} +- " in out
    histories = json.loads((tmp_path / "histories.json").read_text())
    assert list(histories) == ["biased-mf"] and len(histories["biased-mf"][1]["train_loss"]) >= mf[1]["epochs"]


def test_models_that_are_not_there_are_named(capsys):
    with pytest.raises(SystemExit):
        example.main(["--models", "biases,svd"])
    assert "got 'svd', want some of global-mean" in capsys.readouterr().err
