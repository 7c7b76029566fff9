"""The command in process, on a folder in the format of MovieLens 1M: what it prints, what it writes, what it refuses."""

import csv
import json
import re
import sys

import numpy as np
import pandas
import pytest

from recmodels import Interactions, cli, load_movielens, synthetic_ratings
from recmodels.datasets import named
from recmodels.evaluation import METRICS, evaluate_ratings, rating_metrics, results_table
from recmodels.models import MODELS, BiasedMF, Biases, WideDeep
from recmodels.recommender import Recommender
from recmodels.runs import fingerprint
from recmodels.splits import random_split

QUICK = ["--set", "epochs=2", "--set", "k=4", "--set", "batch_size=256"]


@pytest.fixture(scope="module")
def folder(movielens_folder):
    return movielens_folder


def refused(result):
    """The one line that says what was wrong."""
    code, out, err = result
    assert code == 2 and "Traceback" not in err
    assert err.startswith("recmodels: ") and err.count("\n") == 1 and err.endswith("\n")
    return err


# ---------------------------------------------------------------- train
@pytest.mark.parametrize("name", list(MODELS))
def test_train_evaluate_recommend(name, folder, tmp_path, run):
    settings = QUICK if "epochs" in MODELS[name]().get_params() else []
    settings = settings if "k" in MODELS[name]().get_params() or not settings else settings[:2] + settings[4:]
    code, out, err = run("train", "--model", name, "--data", folder, "--seed", 3, *settings, "--out", tmp_path / "a" / "run")
    assert code == 0
    neural = bool(settings)
    assert ("epoch  1/2" in err) == neural
    path, split = tmp_path / "a" / "run", random_split(load_movielens(folder), 0)
    model = Recommender.load(path / "model.npz")
    metrics = rating_metrics(model, split.test)
    row, kept = (json.loads((path / f"{file}.json").read_text()) for file in ("metrics", "settings"))
    assert {key: row[key] for key in metrics} == metrics and row["parameters"] == model.num_parameters()
    line = "test: " + "  ".join(f"{title} {metrics[key]:.4f}" for key, title in METRICS.items() if key in metrics)
    sizes = "1,400 train, 40 valid, 160 test"
    for text in (repr(split), split.protocol, sizes, line, "split seed 0; model seed 3", str(path)):
        assert text in out
    assert kept["model"] == name and kept["seed"] == 3 and kept["split_seed"] == 0 and kept["refit"] is False
    assert kept["data"] == str(folder) and kept["fingerprint"] == fingerprint(split.data) and not kept["synthetic"]
    assert kept["protocol"] == split.protocol and kept["sizes"] == sizes
    files = ["history.csv", "learning_curve.png"] * neural + ["metrics.json", "model.npz", "settings.json"]
    assert sorted(file.name for file in path.iterdir()) == files
    if neural:
        assert model.seed == 3 and model.epochs == kept["parameters"]["epochs"] == 2
        history = pandas.read_csv(path / "history.csv", index_col="epoch")
        pandas.testing.assert_frame_equal(history, model.history_)
        assert (path / "learning_curve.png").read_bytes().startswith(b"\x89PNG")

    code, out, err = run("evaluate", path)
    assert code == 0 and line in out and repr(split) in out and "split seed 0; model seed 3" in out and err == ""

    code, out, _ = run("recommend", path, "--user", 4, "--k", 3)
    want = model.recommend([4], 3)
    lines = out.splitlines()
    assert code == 0 and len(lines) == 4 and lines[0] == "user 4, films not rated in the training data"
    for text, rank, item, score in zip(lines[1:], (1, 2, 3), want["item"], want["score"], strict=True):
        assert text.split() == [str(rank), f"{score:.3f}", *split.data.items["title"][item].split(), f"[{item}]"]


def test_refit_measures_the_second_model(folder, tmp_path, run):
    code, out, err = run("train", "--model", "biased-mf", "--data", folder, "--out", tmp_path, "--refit", "--quiet",
                         "--split-seed", 5, "--set", "epochs=4", "--set", "lr=0.1")
    assert code == 0 and err == ""
    split = random_split(load_movielens(folder), 5)
    first = BiasedMF(epochs=4, lr=0.1)
    second, row = evaluate_ratings(first, split, refit=True)
    model = Recommender.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(model.predict(split.test), second.predict(split.test))
    assert f"test: RMSE {row['rmse']:.4f}  MAE {row['mae']:.4f} (refit on train and valid)" in out
    with open(tmp_path / "history.csv", newline="") as file:
        losses = [float(line["valid_loss"]) for line in csv.DictReader(file)]
    np.testing.assert_array_equal(losses, first.history_["valid_loss"])  # that which chose the epochs
    assert json.loads((tmp_path / "settings.json").read_text())["refit"] is True
    assert f"test: RMSE {row['rmse']:.4f}" in run("evaluate", tmp_path)[1]


def test_the_seed_and_the_settings_reach_the_model(folder, tmp_path, run):
    changes = (["--set", "hidden=6,4", "--set", "dropout=0.25"], ["--set", "hidden=(6, 4)", "--seed", 1])
    for n, arguments in enumerate(changes):
        assert run("train", "--model", "wide-deep", "--data", folder, *QUICK, *arguments, "--out", tmp_path / f"{n}")[0] == 0
    one, other = (Recommender.load(tmp_path / f"{n}" / "model.npz") for n in range(2))
    want = WideDeep(epochs=2, k=4, batch_size=256, hidden=(6, 4), dropout=0.25, verbose=True)
    assert one.get_params() == want.get_params()
    assert other.hidden == (6, 4) and other.dropout == WideDeep().dropout and other.seed == 1


def test_without_matplotlib_there_is_no_figure_but_a_run(folder, tmp_path, run, monkeypatch):
    for module in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, module, None)
    assert run("train", "--model", "biased-mf", "--data", folder, *QUICK, "--out", tmp_path)[0] == 0
    assert sorted(f.name for f in tmp_path.iterdir()) == ["history.csv", "metrics.json", "model.npz", "settings.json"]


# ---------------------------------------------------------------- recommend
@pytest.fixture(scope="module")
def biases_run(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "biases"
    assert cli.main(["train", "--model", "biases", "--data", str(folder), "--out", str(path)]) == 0
    return path


def test_recommend_options(biases_run, run):
    model = Recommender.load(biases_run / "model.npz")
    everything = run("recommend", biases_run, "--user", 1, "--k", 1000, "--include-seen")[1].splitlines()
    assert everything[0] == "user 1, all films" and len(everything) == 51
    assert len(run("recommend", biases_run, "--user", 1)[1].splitlines()) == 11
    top = model.recommend(1, 1000)
    assert len(run("recommend", biases_run, "--user", 1, "--k", 1000)[1].splitlines()) == 1 + len(top) < 51
    for user in ("77777", "nobody", "-1"):
        out = run("recommend", biases_run, f"--user={user}", "--k", 1)[1]
        assert f"user {user} (unknown: the list of an average user)" in out
        assert f"[{model.recommend(None, 1)['item'][0]}]" in out


def test_a_user_who_has_rated_everything(folder, tmp_path, run):
    """Nothing is left for one who rated all the items that anybody rated."""
    path = tmp_path / "data"
    path.mkdir()
    for file in folder.iterdir():
        (path / file.name).write_bytes(file.read_bytes())
    films = [line.split("::")[0] for line in (folder / "movies.dat").read_text().splitlines()]
    few = [f"1::{film}::4::{n}\n" for n, film in enumerate(films)]
    (path / "ratings.dat").write_text("".join(few))
    assert run("train", "--model", "biases", "--data", path, "--out", tmp_path / "run")[0] == 0
    out = run("recommend", tmp_path / "run", "--user", 1)[1]
    assert out.splitlines()[1:] == ["      nothing is left: the user has rated every film; see them with --include-seen"]


# ---------------------------------------------------------------- compare
def test_compare_models_over_seeds(folder, run):
    code, out, err = run("compare", "--models", "biases,biased-mf,logistic", "--data", folder, "--seeds", "0,1", *QUICK)
    assert code == 0
    split = random_split(load_movielens(folder), 0)
    assert repr(split) in out and "split seed 0; model seeds 0, 1" in out
    rows = [evaluate_ratings(BiasedMF(epochs=2, k=4, batch_size=256, seed=seed), split)[1] for seed in (0, 1)]
    biases, mf, logistic = (line for line in out.splitlines() if re.match("bias|logistic", line))
    rmse = [row["rmse"] for row in rows]
    assert f"{np.mean(rmse):.4f} +- {abs(rmse[0] - rmse[1]) / np.sqrt(2):.4f}" in mf and mf.split()[-1] == "2"
    assert f"{evaluate_ratings(Biases(), split)[1]['rmse']:.4f} " in biases and "+-" not in biases
    assert biases.split()[-1] == "1" and logistic.split()[-1] == "1"
    assert err.count("biased-mf, seed") == 2 and err.count("biases, seed") == 1
    assert [word for word in ("RMSE", "MAE", "AUC", "log loss", "parameters", "seconds") if word not in out] == []


def test_compare_refits(folder, run):
    out = run("compare", "--models", "biases", "--data", folder, "--refit", "--quiet", "--split-seed", 2)[1]
    split = random_split(load_movielens(folder), 2)
    assert f"biases (refit)  {evaluate_ratings(Biases(), split, refit=True)[1]['rmse']:.4f}" in out
    assert "split seed 2" in out and "AUC" not in out


def test_compare_runs(folder, biases_run, tmp_path, run):
    for name, arguments in (("a", []), ("b", ["--seed", 1]), ("c", ["--set", "scale=0.2"]), ("d", ["--split-seed", 1])):
        run("train", "--model", "biased-mf", "--data", folder, *QUICK, *arguments, "--quiet", "--out", tmp_path / name)
    code, out, _ = run("compare", biases_run, *(tmp_path / n for n in "abcd"))
    assert code == 0
    first, second = out.split(f"{folder}: ")[1:]  # one table for each split
    assert "random split, seed 0: 10 % test" in first and "split seed 0; model seeds 0, 1" in first
    assert "random split, seed 1" in second and "split seed 1; model seed 0" in second
    labels = [re.split(r"\s{2,}", line)[0] for line in first.splitlines()[3:]]
    assert labels == ["biases", "biased-mf k=4 epochs=2 batch_size=256", "biased-mf k=4 scale=0.2 epochs=2 batch_size=256"]
    a, b = (json.loads((tmp_path / n / "metrics.json").read_text()) for n in "ab")
    assert f"{(a['rmse'] + b['rmse']) / 2:.4f} +- " in first


def test_results_table():
    rows = [("a", {"rmse": 0.5, "mae": 0.25, "epochs": 3, "parameters": 1000, "seconds": 1.0}),
            ("b", {"auc": 0.75, "log_loss": 0.5, "epochs": None, "parameters": 10, "seconds": 2.0}),
            ("a", {"rmse": 0.7, "mae": 0.25, "epochs": 5, "parameters": 1000, "seconds": 2.0})]
    table = results_table(rows)
    assert list(table.index) == ["a", "b"]
    assert table.loc["a"].tolist() == ["0.6000 +- 0.1414", "0.2500 +- 0.0000", "", "", "4", "1,000", "1.5", "2"]
    assert table.loc["b"].tolist() == ["", "", "0.7500", "0.5000", "", "10", "2.0", "1"]
    assert list(results_table(rows[:1]).columns) == ["RMSE", "MAE", "epochs", "parameters", "seconds", "fits"]


# ---------------------------------------------------------------- data
def test_auto_falls_back_to_the_synthetic_world_and_says_so(tmp_path, run, monkeypatch):
    def absent(version):
        raise OSError("no network\nhere")

    small = synthetic_ratings(users=30, items=60, ratings=800, rng=0)
    monkeypatch.setattr(named, "load_movielens", absent)
    monkeypatch.setattr(named, "synthetic_ratings", lambda: small)
    code, out, _ = run("train", "--model", "biased-mf", "--out", tmp_path, *QUICK, "--quiet")
    assert code == 0
    assert out.splitlines()[0] == "*** NO REAL DATA (no network here): everything below is SYNTHETIC ***"
    settings = json.loads((tmp_path / "settings.json").read_text())
    assert settings["data"] == "synthetic" and settings["synthetic"] is True
    assert "SYNTHETIC" in run("recommend", tmp_path, "--user", 1)[1]
    assert "(SYNTHETIC)" in run("compare", tmp_path)[1]
    assert "no network here" in refused(run("compare", "--models", "biases", "--data", "ml-1m"))


def test_auto_is_movielens_where_it_is(folder, run, monkeypatch):
    monkeypatch.setattr(named, "load_movielens", lambda version: load_movielens(folder, version))
    out = run("compare", "--models", "global-mean")[1]
    assert "Split of 'ml-1m': 1,400 train" in out and "SYNTHETIC" not in out


def test_a_run_is_not_evaluated_on_other_data(biases_run, folder, tmp_path, run):
    for file in folder.iterdir():
        text = file.read_text()
        (tmp_path / file.name).write_text(text.replace("::5::", "::4::", 1) if file.name == "ratings.dat" else text)
    message = refused(run("evaluate", biases_run, "--data", tmp_path))
    assert "was trained on other data" in message and "may have trained the model" in message
    (tmp_path / "ratings.dat").write_bytes((folder / "ratings.dat").read_bytes())
    assert run("evaluate", biases_run, "--data", tmp_path)[0] == 0  # the same data at another place


def test_fingerprints_see_every_column():
    small = synthetic_ratings(users=30, items=60, ratings=800, rng=0)
    words = small.frame["user"].astype(str)
    marks = {fingerprint(small), fingerprint(small.take(np.arange(800)[::-1]))}
    for ids in (words, words + "a", words.iloc[::-1].tolist()):
        marks.add(fingerprint(Interactions(small.frame.assign(user=ids))))
    for column in ("user", "item", "rating"):
        other = small.take(np.arange(800))
        other.frame.loc[5, column] += 1
        marks.add(fingerprint(other))
    assert len(marks) == 8 and fingerprint(small.take(np.arange(800))) in marks


# ---------------------------------------------------------------- what is refused
@pytest.mark.parametrize("arguments, message", [
    ([], "the following arguments are required"),
    (["fit"], "invalid choice: 'fit'"),
    (["train", "--out", "x"], "--model"),
    (["train", "--model", "biases"], "--out"),
    (["train", "--model", "biased_mf", "--out", "x"], "no model is called 'biased_mf'; did you mean biased-mf?"),
    (["train", "--model", "svd", "--out", "x"], "There are global-mean, biases, ridge"),
    (["compare", "--models", "biases,nothing"], "no model is called 'nothing'"),
    (["compare"], "name either run folders or --models a,b,c"),
    (["compare", "x", "--models", "biases"], "name either run folders or --models"),
    (["train", "--model", "biases", "--out", "x", "--seed", "-1"], "got '-1', want a whole number, 0 or more"),
    (["train", "--model", "biases", "--out", "x", "--seed", "one"], "got 'one', want a whole number"),
    (["compare", "--models", "biases", "--seeds", "0,x"], "got 'x', want a whole number"),
    (["recommend", "x", "--user", "1", "--k", "0"], "got '0', want a whole number of at least 1"),
    (["train", "--model", "biases", "--out", "x", "--set", "k"], "got 'k', want PARAM=VALUE"),
    (["train", "--model", "biases", "--out", "x", "--set", "k=3"], "biases has no such parameter, only reg_user, reg_item"),
    (["train", "--model", "global-mean", "--out", "x", "--set", "k=3"], "only none at all"),
    (["train", "--model", "biased-mf", "--out", "x", "--set", "seed=3"], "say --seed S"),
    (["train", "--model", "biased-mf", "--out", "x", "--set", "k=four"], "--set k=four: want a whole number of at least 1"),
    (["train", "--model", "biased-mf", "--out", "x", "--set", "k=0"], "--set k=0: want a whole number of at least 1"),
    (["train", "--model", "biased-mf", "--out", "x", "--set", "lr=-0.1"], "--set lr=-0.1: want a number, 0 or more"),
    (["train", "--model", "neural-mf-2", "--out", "x", "--set", "biases=1"], "--set biases=1: want True or False"),
    (["train", "--model", "wide-deep", "--out", "x", "--set", "hidden=64"], "want whole numbers such as 128,64"),
    (["compare", "--models", "biases", "--set", "k=3"], "none of these models has such a parameter"),
    (["train", "--model", "biases", "--out", "x", "--data", "nowhere"], "--data nowhere: no such folder; want ml-1m"),
    (["evaluate", "nowhere"], "nowhere is not a run folder (it has no settings.json)"),
    (["recommend", "nowhere", "--user", "1"], "is not a run folder"),
    (["compare", "nowhere"], "is not a run folder"),
])
def test_wrong_use(arguments, message, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refused(run(*arguments))


def test_wrong_settings_are_found_before_training(folder, run, tmp_path):
    for setting, message in (("dropout=1.5", "want a probability|want .*0.* 1"), ("version=3", "version=3, want 1 or 2")):
        error = refused(run("train", "--model", "neural-mf-2", "--data", folder, "--out", tmp_path, "--set", setting))
        assert re.search(message, error)


def test_folders_that_cannot_be_used(folder, biases_run, tmp_path, run):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        assert "cannot write to the folder" in refused(run("train", "--model", "biases", "--data", folder, "--out", out))
    message = refused(run("train", "--model", "biases", "--data", folder, "--out", biases_run))
    assert "holds a run already: choose another folder" in message
    message = refused(run("train", "--model", "biases", "--data", tmp_path, "--out", tmp_path / "run"))
    assert "ratings.dat" in message
    (tmp_path / "ratings.dat").write_text("1::2::9::4\n")
    for name in ("users.dat", "movies.dat"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    assert "ratings.dat, line 1" in refused(run("compare", "--models", "biases", "--data", tmp_path))


@pytest.mark.parametrize("file, content, message", [
    ("settings.json", "{", "settings.json is damaged"),
    ("settings.json", "[]", "settings.json is damaged (it lacks 'model'): train the run again"),
    ("settings.json", "7", "settings.json is damaged"),
    ("metrics.json", None, "metrics.json is damaged"),
    ("metrics.json", "{}", "metrics.json is damaged (it lacks 'parameters')"),
    ("model.npz", None, "model.npz"),
    ("model.npz", "PK", "model.npz is damaged or not a checkpoint"),
])
def test_damaged_runs(file, content, message, biases_run, tmp_path, run):
    for other in biases_run.iterdir():
        (tmp_path / other.name).write_bytes(other.read_bytes())
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_text(content)
    for command in (["evaluate", tmp_path], ["recommend", tmp_path, "--user", 1]):
        assert message in refused(run(*command))


def test_stopped_by_the_user(folder, tmp_path, run, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Biases, "_fit", stop)
    code, _, err = run("train", "--model", "biases", "--data", folder, "--out", tmp_path)
    assert code == 130 and err == "recmodels: stopped\n"
    assert not list(tmp_path.iterdir())


def test_the_module_is_the_command(monkeypatch, capsys):
    import runpy

    monkeypatch.setattr(sys, "argv", ["recmodels", "train", "--model", "nothing", "--out", "x"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("recmodels", run_name="__main__")
    assert stopped.value.code == 2 and "no model is called 'nothing'" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        cli.main(["train", "--help"])
    assert stopped.value.code == 0 and "--split-seed" in capsys.readouterr().out
