"""The command on reviews: NARRE and models of ratings in one table; lists that say why, of these and of other models."""

import json

import numpy as np
import pytest

from recmodels import load_movielens, random_split, synthetic_checkins
from recmodels.datasets import are_reviews, load_amazon_reviews, named, synthetic_reviews
from recmodels.evaluation import evaluate_ratings, rating_metrics
from recmodels.models import NARRE, Biases, FactorizationMachine
from recmodels.recommender import Recommender
from recmodels.runs import fingerprint

SMALL = dict(k=4, least=2, epochs=2, batch_size=128)
QUICK = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]


def write(path, data):
    lines = [json.dumps({"reviewerID": f"U{row.user}", "asin": f"I{row.item}", "reviewText": row.text, "overall": row.rating,
                         "unixReviewTime": row.timestamp}) for row in data.frame.itertuples()]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Reviews as a file of Amazon's form."""
    return write(tmp_path_factory.mktemp("reviews") / "few.json", synthetic_reviews(users=60, items=30, reviews=700))


@pytest.fixture(scope="module")
def split(file):
    return random_split(load_amazon_reviews(file), 0, (0.8, 0.1, 0.1))


@pytest.fixture
def trained(file, tmp_path, run):
    assert run("train", "--model", "narre", "--data", file, *QUICK, "--quiet", "--out", tmp_path / "narre")[0] == 0
    return tmp_path / "narre"


def test_train_evaluate_recommend(file, split, trained, run):
    model = Recommender.load(trained / "model.npz")
    kept, row = (json.loads((trained / f"{name}.json").read_text()) for name in ("settings", "metrics"))
    found = rating_metrics(model, split.test)
    assert type(model) is NARRE and row["rmse"] == found["rmse"] and kept["task"] == "reviews"
    assert kept["protocol"] == "random split, seed 0: 80 % train, 10 % validate, 10 % test" == split.protocol
    assert kept["sizes"] == "560 train, 70 valid, 70 test" and kept["data"] == str(file)
    code, out, _ = run("evaluate", trained)
    assert code == 0 and f"test: RMSE {found['rmse']:.4f}  MAE {found['mae']:.4f}" in out and repr(split) in out
    code, out, _ = run("recommend", trained, "--user", "U3", "--k", 2)
    want = model.recommend(["U3"], 2)
    assert code == 0 and out.splitlines() == ["user U3, items not rated in the training data"] + [
        f"{row.rank:4d}  {row.score:.3f}  {row.item}  [{row.item}]" for row in want.itertuples()]


def test_ratings_and_reviews_share_a_table(file, split, trained, tmp_path, run):
    code, out, err = run("compare", "--models", "biases,biased-mf,narre", "--data", file, *QUICK)
    errors = [evaluate_ratings(model, split)[1]["rmse"] for model in (Biases(), NARRE(**SMALL))]
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert code == 0 and repr(split) in out and repr(split.data) in out and "split seed 0; model seed 0" in out
    assert [lines[name].split()[1] for name in ("biases", "narre")] == [f"{rmse:.4f}" for rmse in errors]
    assert err.count("RMSE") == 3
    alone = run("compare", "--models", "biases", "--data", file)[1]  # the data say what is meant
    assert repr(split) in alone and lines["biases"].split()[1] in alone
    assert run("train", "--model", "biases", "--data", file, "--split-seed", 1, "--out", tmp_path / "other")[0] == 0
    assert run("train", "--model", "biases", "--data", file, "--out", tmp_path / "biases")[0] == 0
    out = run("compare", trained, tmp_path / "biases", tmp_path / "other")[1]
    first, second = out.split(f"{file}: ")[1:]
    assert "narre k=4 least=2 epochs=2 batch_size=128" in first and "biases" in first and "narre" not in second
    assert "split seed 1" in second


def test_what_data_are_reviews(file, tmp_path):
    assert are_reviews(str(file)) and are_reviews("synthetic-reviews") and are_reviews("amazon-musical-instruments")
    assert not any(map(are_reviews, ("auto", "ml-1m", "synthetic", str(tmp_path), "nowhere")))


def test_without_data_models_decide(file, run, monkeypatch):
    """auto is MovieLens for models of ratings, and reviews where a model of these is among them."""
    small = synthetic_reviews(users=20, items=20, reviews=200)
    monkeypatch.setattr(named, "load_amazon_reviews", lambda: small)
    monkeypatch.setattr(named, "load_movielens", lambda version: 1 / 0)
    code, out, _ = run("compare", "--models", "global-mean,narre", *QUICK)
    assert code == 0 and "Reviews 'synthetic reviews' (SYNTHETIC)" in out
    with pytest.raises(ZeroDivisionError):
        run("compare", "--models", "global-mean")


def test_other_texts_are_other_data(file):
    data = load_amazon_reviews(file)
    other = data.take(np.arange(len(data)))
    assert fingerprint(other) == fingerprint(data)
    other.frame.loc[5, "text"] += "!"
    assert fingerprint(other) != fingerprint(data)


# ---------------------------------------------------------------- why
def test_a_list_from_reviews_says_why(trained, run):
    code, out, _ = run("recommend", trained, "--user", "U3", "--k", 2, "--explain")
    want = Recommender.load(trained / "model.npz").recommend(["U3"], 2, explain=True)
    lines = [line for why in want["why"] for line in ["", *("      " + text for text in why.text().splitlines())]]
    assert code == 0 and [line if line.startswith("      ") else "" for line in out.splitlines()[1:]] == lines
    assert "attention" in out and "stars" in out


def test_a_list_of_films_says_why(movielens_folder, tmp_path, run):
    settings = ["--set", "k=4", "--set", "epochs=2", "--set", "scale=0.3"]
    assert run("train", "--model", "fm", "--data", movielens_folder, *settings, "--quiet", "--out", tmp_path)[0] == 0
    code, out, _ = run("recommend", tmp_path, "--user", 4, "--k", 2, "--explain")
    model = FactorizationMachine(k=4, epochs=2, scale=0.3)
    split = random_split(load_movielens(movielens_folder), 0)
    why = model.fit(split.train, split.valid).recommend([4], 2, explain=True)["why"]
    lines = out.splitlines()
    assert code == 0 and len(lines) == 5
    for line, parts in zip(lines[2::2], why, strict=True):
        words = [f"{part:+.3f} {what}" for what, part in list(parts.items())[:5]]
        rest = sum(list(parts.values())[5:])
        assert line == f"      {' '.join(words)} {rest:+.3f} in {len(parts) - 5} smaller parts"
    assert len(run("recommend", tmp_path, "--user", 4, "--k", 2)[1].splitlines()) == 3


def test_a_list_of_venues_says_why(tmp_path, run, monkeypatch):
    small = synthetic_checkins(users=10, venues=20, events=300, rng=0)
    monkeypatch.setattr(named, "synthetic_checkins", lambda: small)
    for name, settings in (("fm-venues", QUICK[:2] + QUICK[4:]), ("user-counts", [])):
        assert run("train", "--model", name, "--data", "synthetic-checkins", *settings, "--quiet", "--out",
                   tmp_path / name)[0] == 0
    user = small.frame["user"][0]
    at = ("--at", str(np.datetime64(int(small.frame["local"].max()), "s")))
    code, out, _ = run("recommend", tmp_path / "fm-venues", "--user", user, *at, "--k", 3, "--explain")
    lines = out.splitlines()
    assert code == 0 and len(lines) == 7 and all("smaller parts" in line for line in lines[2::2])
    code, _, err = run("recommend", tmp_path / "user-counts", "--user", user, *at, "--explain")
    assert code == 2 and "user-counts does not explain its scores, want a model that does, such as fm-venues" in err


@pytest.mark.parametrize("arguments, error", [
    (["recommend", "RUN"], "holds a model of reviews: say for whom, as in --user 17"),
    (["recommend", "RUN", "--user", "U3", "--explain"], "--explain: biases does not explain its scores, want a model that "
     "does, such as narre; or leave --explain out"),
    (["recommend", "RUN", "--user", "U3", "--category", "Bar"], "--category is for models of check-ins, got one of reviews"),
    (["evaluate", "RUN", "--data", "synthetic-reviews"], "was trained on other data than synthetic-reviews"),
    (["compare", "RUN", "OTHER"], "'soups', want one of ratings, check-ins, sessions, implicit feedback and reviews"),
    (["compare", "--models", "biases,narre,sasrec"], "models of ratings and models of sessions and models of reviews, want"),
    (["compare", "--models", "narre", "--data", "ml-1m"], "--data ml-1m: no such file; want amazon-musical-instruments"),
    (["train", "--model", "ridge", "--data", "FILE", "--out", "x"], "take a model that needs no attributes")])
def test_what_is_wrong_is_one_line(file, tmp_path, monkeypatch, run, arguments, error):
    for name in ("run", "other"):
        assert run("train", "--model", "biases", "--data", file, "--out", tmp_path / name)[0] == 0
    settings = tmp_path / "other" / "settings.json"
    settings.write_text(settings.read_text().replace('"reviews"', '"soups"'))
    monkeypatch.chdir(tmp_path)
    words = {"RUN": tmp_path / "run", "OTHER": tmp_path / "other", "FILE": file}
    code, _, err = run(*[words.get(word, word) for word in arguments])
    assert code == 2 and error in err and err.count("\n") == 1
