"""The command on models of implicit feedback: likes of a folder of MovieLens' form, a split by user, lists of titles."""

import json

import pytest

from recmodels import load_movielens, user_random_split
from recmodels.implicit_evaluation import METRICS, evaluate_implicit, fit_and_evaluate, liked
from recmodels.implicit_recommender import ImplicitRecommender
from recmodels.models import IMPLICIT_MODELS
from recmodels.models.bpr_mf import BPRMF
from recmodels.models.implicit_baselines import ImplicitItemKNN
from recmodels.runs import fingerprint

SMALL = {"k": 4, "epochs": 2, "batch_size": 256, "sweeps": 2}


def settings_for(name):
    """--set of the small settings that the model has."""
    return [word for key, value in SMALL.items() if key in IMPLICIT_MODELS[name]().get_params()
            for word in ("--set", f"{key}={value}")]


@pytest.fixture(scope="module")
def split(movielens_folder):
    return user_random_split(liked(load_movielens(movielens_folder)), seed=0)


@pytest.mark.parametrize("name", IMPLICIT_MODELS)
def test_train_evaluate_recommend(name, movielens_folder, split, tmp_path, run):
    code, out, _ = run("train", "--model", name, "--data", movielens_folder, *settings_for(name), "--seed", 1, "--quiet",
                       "--out", tmp_path / "run")
    assert code == 0
    model = ImplicitRecommender.load(tmp_path / "run" / "model.npz")
    result = evaluate_implicit(model, split.test)
    kept, row = (json.loads((tmp_path / "run" / f"{file}.json").read_text()) for file in ("settings", "metrics"))
    assert type(model) is type(IMPLICIT_MODELS[name]()) and getattr(model, "seed", 1) == 1
    assert row["test"]["all"]["nDCG@10"] == pytest.approx(result["nDCG@10"]) and row["parameters"] == model.num_parameters()
    assert kept["task"] == "implicit feedback" and kept["split_seed"] == 0 and kept["fingerprint"] == fingerprint(split.data)
    valid = f"validation:  Recall@10 {row['valid']['Recall@10']:.4f}  nDCG@10 {row['valid']['nDCG@10']:.4f}"
    for text in (repr(split), "split seed 0; model seed 1", valid, f"{result['nDCG@20']:.4f}", str(tmp_path / "run")):
        assert text in out
    code, out, err = run("evaluate", tmp_path / "run")
    assert code == 0 and str(result) in out and repr(split) in out and err == ""

    code, out, _ = run("recommend", tmp_path / "run", "--user", 4, "--k", 3)
    lines, want = out.splitlines(), model.recommend([4], 3)
    assert code == 0 and len(lines) == 4 and lines[0] == "user 4, films not liked in the training data"
    for text, row in zip(lines[1:], want.itertuples(), strict=True):
        title = split.data.items["title"][row.item].split()
        assert text.split() == [str(row.rank), f"{row.score:.5g}", *title, f"[{row.item}]"]


def test_lists_with_all_films_and_for_a_stranger(movielens_folder, split, tmp_path, run):
    assert run("train", "--model", "implicit-popularity", "--data", movielens_folder, "--out", tmp_path)[0] == 0
    out = run("recommend", tmp_path, "--user", 4, "--k", 1000, "--include-seen")[1].splitlines()
    assert out[0] == "user 4, all films" and len(out) == 1 + len(split.train.items_seen)
    out = run("recommend", tmp_path, "--user", "nobody", "--k", 1)[1]
    assert out.startswith("user nobody (unknown: the list of what is popular), films not liked")


def test_models_and_runs_are_compared(movielens_folder, split, tmp_path, run):
    code, out, err = run("compare", "--models", "implicit-item-knn,bpr-mf", "--data", movielens_folder, "--split-seed", 3,
                         "--seeds", "0,1,0", *settings_for("bpr-mf"))
    split = user_random_split(liked(load_movielens(movielens_folder)), seed=3)
    knn, mf = (line for line in out.splitlines() if line.startswith(("implicit", "bpr")))
    row = fit_and_evaluate(ImplicitItemKNN(), split)[1]
    assert code == 0 and repr(split) in out and "split seed 3; model seeds 0, 1\n" in out
    assert f"{row['test']['all']['nDCG@10']:.4f}" in knn and "+-" not in knn and knn.split()[-1] == "1"
    assert "+-" in mf and mf.split()[-1] == "2" and err.count("bpr-mf, seed") == 2
    assert f"implicit-item-knn, seed 0: nDCG@10 {row['test']['all']['nDCG@10']:.4f}" in err
    for name in ("implicit-popularity", "ials"):
        run("train", "--model", name, "--data", movielens_folder, *settings_for(name), "--out", tmp_path / name)
    code, out, _ = run("compare", tmp_path / "implicit-popularity", tmp_path / "ials")
    assert code == 0 and "ials k=4" in out and "implicit-popularity  " in out and out.count("each user's ratings") == 1


def test_a_refit_is_measured(movielens_folder, split, tmp_path, run):
    out = run("train", "--model", "bpr-mf", "--data", movielens_folder, "--refit", *settings_for("bpr-mf"), "--quiet",
              "--out", tmp_path)[1]
    first = BPRMF(k=4, epochs=2, batch_size=256)
    model, row = fit_and_evaluate(first, split, refit=True)
    valid = "".join(f"  {metric} {row['valid'][metric]:.4f}" for metric in METRICS)
    assert f"\nvalidation:{valid}\ntest: (refit on train and valid)\n" in out
    assert f"{row['test']['all']['nDCG@10']:.4f}" in out
    assert model is not first and model.start_[-1] == len(split.refit)
    assert row["test"]["all"]["nDCG@10"] == evaluate_implicit(model, split.test)["nDCG@10"]
    assert row["valid"]["nDCG@10"] == evaluate_implicit(first, split.valid)["nDCG@10"]
    assert ImplicitRecommender.load(tmp_path / "model.npz").start_[-1] == len(split.refit)


@pytest.mark.parametrize("arguments, error", [
    (["recommend", "RUN"], "holds a model of implicit feedback: say for whom, as in --user 17"),
    (["recommend", "RUN", "--user", "4", "--explain"], "--explain is for models of ratings, check-ins and reviews, got one"),
    (["recommend", "RUN", "--user", "4", "--new"], "--new is for models of check-ins and sessions, got one of implicit"),
    (["evaluate", "RUN", "--data", "synthetic"], "was trained on other data than synthetic"),
    (["compare", "--models", "ials,biases"], "got models of ratings and models of implicit feedback, want one kind"),
    (["train", "--model", "ials", "--data", "nowhere", "--out", "x"], "nowhere: no such folder; want ml-1m"),
    (["train", "--model", "ials", "--set", "layers=2", "--out", "x"], "--set layers: ials has no such parameter, only k")])
def test_what_is_wrong_is_one_line(movielens_folder, tmp_path, monkeypatch, run, arguments, error):
    assert run("train", "--model", "implicit-popularity", "--data", movielens_folder, "--out", tmp_path / "run")[0] == 0
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*[tmp_path / "run" if word == "RUN" else word for word in arguments])
    assert code == 2 and error in err and err.count("\n") == 1
