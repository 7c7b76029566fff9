"""Assignment II: its tables hold its rows' numbers, its claims can fail, a quick run writes what README's tables read."""

import json

import numpy as np
import pytest

from examples import assignment2_foursquare as example
from examples import assignment2_models as models
from examples import assignment2_page as page
from examples import assignment2_tables as numbers
from examples import common, readme_tables
from recmodels.bootstrap import paired_bootstrap
from recmodels.checkin_evaluation import REGIMES, evaluate_checkins
from recmodels.datasets import synthetic_checkins
from recmodels.ranking import RankingResult
from recmodels.splits import time_split

SMALL = {"epochs": 1, "k": 4, "hidden": 4, "negatives": 4, "verbose": False}


@pytest.fixture(scope="module")
def split():
    return time_split(synthetic_checkins(users=30, venues=60, events=1_500, rng=3))


@pytest.fixture(scope="module")
def counted(split):
    """{regime: {model: Results of its seeds}} of a counter and of item-kNN."""
    found = {name: models.study(name, split, [0, 1], dict.fromkeys(REGIMES, {})) for name in ("user-counts", "item-knn")}
    return {regime: {name: found[name][regime][0] for name in found} for regime in REGIMES}


def ranked(**per_query):
    """A RankingResult of these numbers, each query of a stratum by turns."""
    measured = {metric: np.array(values, float) for metric, values in per_query.items()}
    n = len(next(iter(measured.values())))
    strata = np.array(["revisit", "new"])[np.arange(n) % 2]
    return RankingResult(measured, np.arange(n), strata, np.zeros(n, bool), [], None)


def result(recall10, nine=0.5):
    metrics = {m: [nine] * 4 for m in (*numbers.EVENTS, *numbers.CONTEXTS) if m != "Recall@10"}
    events = ranked(**metrics, **{"Recall@10": recall10})
    return numbers.Result(events, events, ranked(**{"Recall@10": [0.25] * 4}), epochs=3, parameters=1000, seconds=2.0)


# ---------------------------------------------------------------- the numbers
def test_a_model_that_never_looks_back_is_scored_once_and_measured_in_both_regimes(split):
    found = models.study("nfm", split, [0], dict.fromkeys(REGIMES, {}), **SMALL)
    (frozen,), (model,) = found["frozen"]
    (streaming,), (same,) = found["streaming"]
    assert same is model and models.never_looks_back(model)
    straight = numbers.measure(model, split, "streaming", 0.0)
    assert streaming.numbers() == straight.numbers() and frozen.numbers() != streaming.numbers()
    assert (streaming.events.strata == straight.events.strata).all() and (frozen.events.strata == "new").sum() > (
        streaming.events.strata == "new").sum()
    back = numbers.measured_again(streaming, model, split, "frozen")
    assert back.numbers() == frozen.numbers() and (back.events.strata == frozen.events.strata).all()


def test_what_looks_back_is_fitted_for_each_regime_and_what_draws_nothing_once(split, monkeypatch):
    fitted = []
    monkeypatch.setattr(models, "fit", lambda model, split, regime: fitted.append((model, regime)) or 0.5)
    monkeypatch.setattr(models, "measure", lambda model, split, regime, seconds: result([1, 0, 0, 0]))
    found = models.study("nfm-options", split, [4, 7], {"frozen": {"lag": 3}, "streaming": {}}, **SMALL)
    assert [(model.seed, model.lag == 3, regime, model.regime) for model, regime in fitted] == [
        (4, True, "frozen", "frozen"), (4, False, "streaming", "streaming"),
        (7, True, "frozen", "frozen"), (7, False, "streaming", "streaming")]
    assert [len(of_seeds) for of_seeds, _ in found.values()] == [2, 2]
    fitted.clear()
    models.study("user-counts", split, [4, 7], dict.fromkeys(REGIMES, {}))
    assert [regime for _, regime in fitted] == ["frozen", "streaming"]


def test_streaming_looks_back_on_all_earlier_check_ins_and_frozen_on_training(split, counted):
    for regime in REGIMES:
        events, contexts = evaluate_checkins(models.make("user-counts").fit(split.train), split, regime)
        row = counted[regime]["user-counts"][0].numbers()
        assert row["events"]["MRR"] == events["MRR"] and row["contexts"]["MAP@10"] == contexts["MAP@10"]


def test_tables_have_a_number_for_each_seed_and_strata_of_their_own():
    first, second = result([1, 0, 1, 0.5]), result([0, 1, 0, 1])
    made = numbers.tables({"frozen": {"nfm": [first, second]}})
    assert list(made) == ["frozen", "contexts-frozen"]
    row = made["frozen"]["nfm"]
    assert row["Recall@10"] == [0.625, 0.5] and row["MRR"] == [0.5, 0.5]
    assert row[numbers.REVISIT] == [1.0, 0.0] and row[numbers.NEW] == [0.25, 1.0] and row[numbers.UNVISITED] == [0.25, 0.25]
    assert list(made["contexts-frozen"]["nfm"]) == list(numbers.CONTEXTS)


def test_a_table_shows_mean_and_deviation_and_what_a_model_took(capsys):
    both = {"nfm": [result([1, 0, 1, 0.5]), result([0, 1, 0, 1])], "popularity": [result([0, 0, 0, 1])]}
    both["popularity"][0].epochs = None
    numbers.show("events", numbers.tables({"frozen": both})["frozen"], numbers.effort(both))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "events" and "0.5625 +- 0.0884" in lines[3] and "3/3      1,000" in lines[3]
    assert "0.2500  " in lines[4] and "3" not in lines[4]


@pytest.mark.parametrize("seeds", [1, 2])
def test_differences_are_to_the_counter_that_is_best_in_that_column(seeds):
    ranker = [result([1, 0, 1, 0.5]), result([1, 1, 1, 0.5])][:seeds]
    results = {"frozen": {"popularity": [result([0, 0, 1, 0], nine=0.9)], "user-counts": [result([1, 0, 1, 0], nine=0.2)],
                          "nfm": ranker}}
    users = {"events": np.array([1, 1, 2, 3]), "contexts": np.array([5, 6, 7, 8])}
    found = numbers.differences(results, users)["frozen"]
    assert list(found) == ["nfm"]
    expected = paired_bootstrap([[1, 0, 1, 0.5], [1, 0.5, 1, 0.5]][seeds - 1], [1, 0, 1, 0], users["events"])
    assert found["nfm"]["events Recall@10"] == {"counter": "user-counts", **expected._asdict()}
    assert found["nfm"]["events Recall@1"]["counter"] == "popularity"
    assert found["nfm"]["events Recall@1"]["mean"] == pytest.approx(-0.4)
    assert found["nfm"]["contexts MAP@5"]["groups"] == 4 and len(found["nfm"]) == 7


def test_without_counters_there_are_no_differences():
    assert numbers.differences({"frozen": {"nfm": [result([1, 0, 1, 0])]}}, {}) == {"frozen": {}}


def test_the_users_are_those_who_asked(split, counted):
    model = models.make("user-counts").fit(split.train)
    some = counted["frozen"]["item-knn"][0]
    users = numbers.asking_users(model, split, some)
    known = split.test.frame[split.test.frame["item"].isin(model.items_)]
    assert users["events"].tolist() == known["user"].tolist()
    assert (np.diff(users["contexts"]) >= 0).all() and set(users["contexts"]) == set(known["user"])


# ---------------------------------------------------------------- settings, ablation
def test_the_setting_that_is_best_on_validation_is_chosen_in_each_regime(split, monkeypatch, capsys):
    def validation(model, split, regime):
        return model.weight * (1 if regime == "frozen" else -1) / 100
    monkeypatch.setattr(models, "validation", validation)
    assert models.tune(["popularity", "slot-popularity"], split) == {
        "frozen": {"slot-popularity": {"weight": 100}}, "streaming": {"slot-popularity": {"weight": 3}}}
    assert "{'weight': 100}                1.0000  (of 4; the worst 0.0300)" in capsys.readouterr().out


def test_validation_is_recall_of_the_validation_events(split):
    for regime in REGIMES:
        events, _ = evaluate_checkins(models.make("user-counts").fit(split.train), split, regime, "valid")
        assert models.validation(models.make("user-counts"), split, regime) == events["Recall@10"]


def test_every_setting_can_be_made():
    for name, tried in {**{name: [] for name in models.CHECKIN_MODELS}, **models.TRIED}.items():
        for changes in tried:
            model = models.make(name, **changes)
            assert all(getattr(model, key) == value for key, value in changes.items())
            assert repr(model) != repr(models.make(name))
    for name, grid in models.GRID.items():
        assert set(grid) <= set(models.make(name).get_params())
    for name, changes in models.ABLATION.values():
        assert set(changes) <= set(models.make(name).get_params())


def test_the_ablation_trains_only_what_is_not_there(split, monkeypatch):
    asked = []

    def study(name, split, seeds, settings, **parameters):
        asked.append((name, settings["frozen"]))
        return {regime: ([result([0, 0, 0, 1])], [None]) for regime in REGIMES}
    monkeypatch.setattr(models, "study", study)
    there = {regime: {"nfm": [result([1, 1, 1, 0]), result([0, 0, 0, 0])]} for regime in REGIMES}
    rows = models.ablation(there, split, 0)
    assert list(rows) == list(models.ABLATION) and len(asked) == len(rows) - 1 and ("nfm", {}) not in asked
    assert ("nfm", {"features": ("history",)}) in asked
    assert ("nfm-options", {"features": ("previous", "history", "counts")}) in asked
    assert rows["nfm, four fields"]["frozen Recall@10"] == [0.75] and rows["ntf"]["streaming Recall@10"] == [0.25]
    assert list(rows["ntf"]) == [f"{regime} {title}" for regime in REGIMES for title in numbers.ROW]


# ---------------------------------------------------------------- the page
def test_moments_are_of_the_weekday_after_the_first_day_of_the_test_part(split):
    first = split.test.frame["local"].iloc[0]
    for weekday, hour in ((1, 9), (5, 22), (3, 0)):
        at = np.datetime64(page.moment(split, weekday, hour), "s").item()
        assert (at.weekday(), at.hour, at.minute) == (weekday, hour, 0)
        assert 0 < np.datetime64(at, "s").astype(int) - first <= 8 * 86400


def test_activity_is_by_thirds_of_the_training_users(split, counted):
    some = counted["frozen"]["item-knn"][0]
    users = split.test.frame["user"].to_numpy()[some.events.rows]
    lines = "\n".join(page.activity(counted, users, split)).splitlines()
    table = {line.split()[0]: line.split()[1:] for line in lines[2:7]}  # of the first regime
    counts = split.train.frame["user"].value_counts()
    low, high = np.floor(np.quantile(counts, [1 / 3, 2 / 3]))
    few = (counts[users] <= low).to_numpy()
    assert table["events"][0] == f"{few.sum()}" and sum(map(int, table["events"])) == len(users)
    assert table["item-knn"][0] == f"{some.events.per_query['Recall@10'][few].mean():.4f}"
    many = (counts[users] > high).to_numpy()
    assert table["item-knn"][-1] == f"{some.events.per_query['Recall@10'][many].mean():.4f}"


def test_three_users_are_few_median_and_many(split):
    users = page.three_users(split)
    counts = split.train.frame["user"].value_counts()
    assert list(users.values()) == sorted(users.values()) and all(counts[user] == n for user, n in users.items())
    assert set(users) <= set(split.test.frame["user"])


def test_lists_are_shown_of_the_ranker_with_options_where_there_is_one(split, capsys):
    assert page.first_choice({"popularity": 1, "nfm": 2, "nfm-options": 3}) == "nfm-options"
    assert page.first_choice({"popularity": 1}) == "popularity"
    page.top_five({"popularity": models.make("popularity").fit(split.train)}, split)
    out = capsys.readouterr().out
    assert out.count("popularity: top 5 for user") == 6 and out.count("  5. ") == 6
    assert out.count("Tuesday morning") == out.count("Saturday night") == 3


# ---------------------------------------------------------------- claims, options, the whole
class City:
    def __init__(self, name, synthetic=False):
        self.name, self.synthetic, self.data, self.test = name, synthetic, self, self

    def best_recall(self, k):
        return 0.5


def claimed(recall, unvisited, low, name="foursquare-nyc", synthetic=False):
    row = {"Recall@10": [recall, recall], numbers.UNVISITED: [unvisited, unvisited]}
    made = {regime: {"nfm": row, "nfm-options": row} for regime in REGIMES}
    columns = {"events Recall@1": low, "events Recall@10": 1, "contexts MAP@5": 1}
    found = {regime: {"nfm-options": {column: {"mean": low and 1, "low": value, "counter": "user-counts"}
                                      for column, value in columns.items()}} for regime in REGIMES}
    common.arguments("assignment2_foursquare")
    example.claims(made, found, City(name, synthetic))
    return common.finish()


@pytest.mark.parametrize("given, held", [
    ((0.61, 0.05, 0.01), "7 of 7"), ((0.59, 0.05, 0.01), "6 of 7"), ((0.61, 0.04, 0.01), "6 of 7"),
    ((0.61, 0.05, -0.01), "6 of 7"), ((0.61, 0.05, 0), "4 of 7")])
def test_claims_of_new_york(given, held, capsys):
    """At frozen an interval of Recall@1 that includes 0 is none of them; of contexts the mean alone is."""
    assert claimed(*given) == (held != "7 of 7")
    assert f"{held} claims hold" in capsys.readouterr().out


@pytest.mark.parametrize("recall, failed", [(0.48, 0), (0.47, 1)])
def test_in_the_synthetic_city_the_ceiling_is_known(recall, failed, capsys):
    assert claimed(recall, 0, 0, "synthetic check-ins", synthetic=True) == failed
    assert f"{1 - failed} of 1 claims" in capsys.readouterr().out


def test_of_tokyo_nothing_is_claimed(capsys):
    assert claimed(0.1, 0, 0, "foursquare-tky") == 0
    assert "0 of 0" in capsys.readouterr().out


@pytest.mark.parametrize("which, city, asked", [
    ("auto", "nyc", "auto"), ("auto", "tky", "foursquare-tky"), ("synthetic", "nyc", "synthetic-checkins"),
    ("foursquare-nyc", "nyc", "foursquare-nyc"), ("some/file.txt", "nyc", "some/file.txt")])
def test_what_data_means(which, city, asked, monkeypatch):
    real = synthetic_checkins(users=30, venues=40, events=500)
    real.synthetic = False
    monkeypatch.setattr(example, "load_checkins", lambda what: (what, real) if what == asked else None)
    assert example.load(which, city, quick=False) is real
    if which != "synthetic":
        part = example.load(which, city, quick=True)
        assert part.frame["user"].unique().tolist() and set(part.frame["user"]) == {7, 14, 21, 28}


def test_mistakes_are_named(capsys, tmp_path):
    with pytest.raises(SystemExit):
        example.main(["--models", "popularity,svd"])
    assert "got 'svd', want some of popularity" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="--data nowhere.txt: .*no such file"):
        example.main(["--data", "nowhere.txt", "--out", str(tmp_path)])


def test_a_quick_run_is_what_the_readmes_tables_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(example, "synthetic_checkins",
                        lambda **sizes: synthetic_checkins(users=30, venues=60, events=1_500))
    monkeypatch.setattr(example, "QUICK", SMALL)
    monkeypatch.setattr(models, "GRID", {"user-slot-decay": {"decay": (30, 60)}})
    rows = {"nfm": ("nfm", {}), "and distance": ("nfm", {"features": ("distance",)})}
    monkeypatch.setattr(models, "ABLATION", rows)
    names = "popularity,user-slot-decay,nfm"
    assert example.main(["--quick", "--data", "synthetic", "--seeds", "0,1", "--models", names, "--ablation", "--out",
                         str(tmp_path)]) == 0
    out = capsys.readouterr().out
    record = json.loads((tmp_path / "results.json").read_text())
    assert (record["assignment"], record["synthetic"], record["quick"], record["seeds"]) == (2, True, True, [0, 1])
    assert record["rows"]["test"] == 150 and record["tuned"]["frozen"]["user-slot-decay"]["decay"] in (30, 60)
    assert list(record["tables"]) == ["frozen", "streaming", "contexts-frozen", "contexts-streaming"]
    table = record["tables"]["streaming"]
    assert list(table) == names.split(",") and len(table["popularity"]["MRR"]) == 1
    first, second = table["nfm"]["Recall@10"]
    assert first != second and list(record["ablation"]) == list(rows)
    assert record["ablation"]["nfm"]["streaming Recall@10"] == [first]
    assert list(record["differences"]["frozen"]) == ["nfm"]
    mean = f"{(first + second) / 2:.4f}"
    lines = readme_tables.assignment2(record)
    assert any(line.startswith("| nfm") and f"{mean} ± " in line for line in lines) and f"{mean} +- " in out
    for name in ("learning_curves", "recall_curves", "suggestions_map"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "bias.txt").read_text()
    assert "LEAK" not in text and text.count("no leak") == 3 and text in out


def test_tune_shows_what_was_tried_and_stops(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(models, "validation", lambda model, split, regime: 0.5)
    monkeypatch.setattr(example, "load", lambda *_: synthetic_checkins(users=30, venues=60, events=1_500))
    assert example.main(["--tune", "--models", "user-slot-decay,fpmc", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.count("fpmc") == 2 * (1 + len(models.TRIED["fpmc"])) and "{'window': 7.0}" in out
    assert not list(tmp_path.iterdir())


def test_a_result_keeps_its_effort_when_it_is_measured_again(split):
    found = models.study("fm-venues", split, [0], dict.fromkeys(REGIMES, {}), **SMALL)
    frozen, streaming = (found[regime][0][0] for regime in REGIMES)
    for name in ("epochs", "parameters", "seconds"):
        assert getattr(frozen, name) == getattr(streaming, name)
