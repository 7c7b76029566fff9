"""The command on models of sessions: what it prints is what it measured, what is wrong is one line."""

import json

import pytest

from recmodels.datasets import synthetic_sessions
from recmodels.runs import fingerprint
from recmodels.session_evaluation import evaluate_sessions
from recmodels.session_recommender import SessionRecommender

NAMES = ("train.txt", "valid.txt", "test.txt")
SMALL = ("--set", "k=6", "--set", "epochs=2", "--quiet")


@pytest.fixture(scope="module")
def split():
    return synthetic_sessions(sessions=120, items=20, rng=0)


@pytest.fixture(scope="module")
def folder(split, tmp_path_factory):
    """The shop's sessions as three files."""
    path = tmp_path_factory.mktemp("shop")
    for name, part in zip(NAMES, (split.train, split.valid, split.test), strict=True):
        category = [",".join(["0"] * len(one)) for one in part.lists()]
        lines = [f"{i}\t{c}\t{','.join(map(str, one))}" for i, c, one in zip(part.ids, category, part.lists(), strict=True)]
        (path / name).write_text("\n".join(["sessionId\tcategorys\titems", *lines, ""]))
    return path


@pytest.fixture
def trained(folder, tmp_path, run):
    assert run("train", "--model", "sasrec", "--data", folder, "--out", tmp_path / "run", *SMALL)[0] == 0
    return tmp_path / "run"


def test_a_run_is_kept_measured_again_and_recommends(folder, split, trained, run):
    settings, row = (json.loads((trained / f"{name}.json").read_text()) for name in ("settings", "metrics"))
    model = SessionRecommender.load(trained / "model.npz")
    result = evaluate_sessions(model, split.test)
    assert row["last"]["all"]["Recall@20"] == pytest.approx(result["Recall@20"]) and settings["task"] == "sessions"
    assert settings["sizes"] == "84 train, 18 valid, 18 test" and settings["parameters"]["k"] == 6
    code, out, _ = run("evaluate", trained)
    assert code == 0 and f"{result['MRR@20']:.4f}" in out and "every item but the first" in out
    code, out, _ = run("recommend", trained, "--session", "3, 8,3", "--k", "4")
    lines = out.splitlines()
    assert code == 0 and lines[0] == "after 3, 8, 3" and len(lines) == 5
    assert [line.split("[")[1] for line in lines[1:]] == [f"{i}]" for i in model.recommend([[3, 8, 3]], 4)["item"]]
    new = run("recommend", trained, "--session", "3,8", "--new", "--k", "18")[1]
    assert new.startswith("after 3, 8, none of these again") and "[3]" not in new and "[8]" not in new


def test_models_and_runs_are_compared(folder, trained, tmp_path, run):
    code, out, err = run("compare", "--models", "session-markov,stamp", "--data", folder, "--seeds", "0,1", *SMALL[:-1])
    assert code == 0 and "session-markov" in out and "stamp, seed 1: Recall@20" in err
    assert run("train", "--model", "session-knn", "--data", folder, "--out", tmp_path / "knn", "--refit")[0] == 0
    code, out, _ = run("compare", trained, tmp_path / "knn")
    assert code == 0 and "sasrec k=6 epochs=2" in out and "session-knn (refit)" in out and "84 train, 18 valid" in out


def test_other_data_are_another_fingerprint(split):
    assert fingerprint(split.data) == fingerprint(synthetic_sessions(sessions=120, items=20, rng=0).data)
    assert fingerprint(split.data) != fingerprint(synthetic_sessions(sessions=120, items=20, rng=1).data)


@pytest.mark.parametrize("arguments, error", [
    (["recommend", "RUN"], "holds a model of sessions: say for whom, as in --session 12,45,3"),
    (["recommend", "RUN", "--user", "3"],
     "--user is for models of ratings, check-ins, implicit feedback and reviews, got one of sessions"),
    (["recommend", "RUN", "--session", "a,b"], "--session a,b: want the items so far"),
    (["recommend", "RUN", "--session", "3", "--k", "21"], "k=21 and a catalogue of"),
    (["evaluate", "RUN", "--data", "synthetic-sessions"], "was trained on other data than synthetic-sessions"),
    (["evaluate", "RUN", "--regime", "frozen"], "--regime is for models of check-ins, got one of sessions"),
    (["train", "--model", "narm", "--out", "x", "--data", "nowhere"], "--data nowhere: no such folder; want yoochoose"),
    (["compare", "--models", "biases,sasrec"], "got models of ratings and models of sessions, want one kind")])
def test_what_is_wrong_is_one_line(trained, tmp_path, monkeypatch, run, arguments, error):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*[str(trained) if word == "RUN" else word for word in arguments])
    assert code == 2 and error in err and err.count("\n") == 1
