"""The command's verbs for models of check-ins, on a file of Foursquare's form."""

import datetime
import json
import re

import numpy as np
import pytest

from recmodels import cli, load_foursquare, synthetic_checkins, time_split
from recmodels.checkin_evaluation import evaluate_checkins, evaluate_new_venues, fit_and_evaluate
from recmodels.checkin_recommender import CheckInRecommender
from recmodels.datasets import load_checkins, named
from recmodels.models.counters import COUNTERS, VisitCounts
from recmodels.runs import fingerprint


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small city as dataset_TSMC2014_NYC.txt."""
    city, path = synthetic_checkins(users=10, venues=40, events=600, rng=0), tmp_path_factory.mktemp("city")
    lines = []
    for event in city.frame.itertuples():
        venue, utc = city.items.loc[event.item], datetime.datetime.fromtimestamp(event.timestamp, datetime.timezone.utc)
        lines.append("\t".join(map(str, (
            event.user, event.item, venue.category, venue.category_name, f"{venue.latitude:.6f}", f"{venue.longitude:.6f}",
            (event.local - event.timestamp) // 60, utc.strftime("%a %b %d %H:%M:%S +0000 %Y")))))
    (path / "dataset_TSMC2014_NYC.txt").write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def split(folder):
    return time_split(load_foursquare(folder))


@pytest.fixture(scope="module")
def streaming_run(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "decay"
    assert cli.main(["train", "--model", "user-slot-decay", "--data", str(folder), "--regime", "streaming", "--set",
                     "decay=20.0", "--out", str(path)]) == 0
    return path


def refused(result):
    """The one line that says what was wrong."""
    code, out, err = result
    assert code == 2 and err.startswith("recmodels: ") and err.count("\n") == 1
    return err


def test_train_and_evaluate(folder, split, tmp_path, run):
    code, out, err = run("train", "--model", "user-slot-counts", "--data", folder / "dataset_TSMC2014_NYC.txt", "--set",
                         "weight=4.0", "--out", tmp_path / "run")
    assert code == 0 and err == ""
    model, row = fit_and_evaluate(VisitCounts(weight=4.0), split)
    kept, stored = (json.loads((tmp_path / "run" / f"{name}.json").read_text()) for name in ("settings", "metrics"))
    assert {**stored, "seconds": 0} == {**row, "seconds": 0}
    assert kept["regime"] == "frozen" and "split_seed" not in kept and kept["parameters"]["weight"] == 4.0
    assert kept["fingerprint"] == fingerprint(split.data) and kept["protocol"] == split.protocol
    for text in (repr(split), split.protocol, f"Recall@10 {row['valid']['Recall@10']:.4f}", "frozen",
                 f"{row['events']['all']['Recall@10']:.4f}", f"{row['contexts']['all']['MAP@5']:.4f}", "MAP over min(k,R)"):
        assert text in out
    assert type(CheckInRecommender.load(tmp_path / "run" / "model.npz")) is VisitCounts

    for regime, option in (("frozen", ()), ("streaming", ("--regime", "streaming"))):
        code, out, err = run("evaluate", tmp_path / "run", *option)
        assert code == 0 and err == ""
        for result in (*evaluate_checkins(model, split, regime), evaluate_new_venues(model, split, regime)):
            assert str(result) in out


def test_refit(folder, split, tmp_path, run):
    out = run("train", "--model", "popularity", "--data", folder, "--refit", "--out", tmp_path)[1]
    model, row = fit_and_evaluate(COUNTERS["popularity"](), split, refit=True)
    assert "(refit on train and valid)" in out and f"{row['events']['all']['MRR']:.4f}" in out
    assert CheckInRecommender.load(tmp_path / "model.npz").trained_.sum() == len(split.refit) == model.trained_.sum()
    assert run("evaluate", tmp_path)[0] == 0 and run("evaluate", tmp_path, "--regime", "streaming")[0] == 0


def test_recommend(streaming_run, split, folder, run, tmp_path):
    model = VisitCounts(6.0, 20.0).fit(split.train, log=split.data)
    at = "2013-01-20 20:00"
    for options, arguments in (((), {}), (("--new",), {"exclude": "visited"}), (("--category", "Bar"), {"category": "Bar"})):
        code, out, _ = run("recommend", streaming_run, "--user", 3, "--at", at, "--k", 4, *options)
        want, lines = model.recommend([3], at, 4, **arguments), out.splitlines()
        assert code == 0 and len(lines) == 1 + len(want) > 1
        assert lines[0] == f"user 3 at {at}, {'venues not visited until then' if '--new' in options else 'all venues'}" \
            f"{', Bar only' if '--category' in options else ''}, streaming"
        for line, row in zip(lines[1:], want.itertuples(), strict=True):
            venue = split.data.items.loc[row.item]
            assert line.split() == [str(row.rank), f"{row.score:.5g}", *venue.category_name.split(),
                                    f"{venue.latitude:.5f},", f"{venue.longitude:.5f}", f"[{row.item}]"]
    moved = tmp_path / "moved"
    moved.mkdir()
    for file in streaming_run.iterdir():  # a list needs no data
        text = file.read_bytes()
        (moved / file.name).write_bytes(text.replace(str(folder).encode(), b"/nowhere") if file.suffix == ".json" else text)
    assert run("recommend", moved, "--user", 3, "--at", at)[0] == 0
    assert "no such file or folder" in refused(run("evaluate", moved))


def test_nothing_left(streaming_run, run):
    """A category all of whose venues the user has been in."""
    model = CheckInRecommender.load(streaming_run / "model.npz")
    names, late = model.venues_["category_name"], "2013-02-17 12:00"
    user, category = next((user, name) for user in model.users_ for name in names.unique()
                          if model.recommend(user, late, 1, "visited", name).empty)
    out = run("recommend", streaming_run, "--user", user, "--at", late, "--new", "--category", category)[1]
    assert out.splitlines()[1:] == ["      nothing is left: the user has been in every such venue; see them without --new"]


def test_compare(folder, split, streaming_run, tmp_path, run):
    code, out, err = run("compare", "--models", "popularity,user-counts", "--data", folder, "--regime", "streaming")
    assert code == 0 and err.count("Recall@10") == 2
    for name in ("popularity", "user-counts"):
        row = fit_and_evaluate(COUNTERS[name](), split, "streaming")[1]
        events, contexts = [line for line in out.splitlines() if re.match(name, line)]
        for part, metric in (("events", "nDCG@20"), ("new venues", "Recall@10")):
            assert f"{row[part]['all'][metric]:.4f}" in events
        assert f"{row['contexts']['all']['nDCG@5']:.4f}" in contexts
    run("train", "--model", "user-counts", "--data", folder, "--out", tmp_path / "a")
    run("train", "--model", "user-counts", "--data", folder, "--regime", "streaming", "--out", tmp_path / "b")
    code, out, _ = run("compare", streaming_run, tmp_path / "a", tmp_path / "b")
    assert code == 0 and out.count("\nevents\n") == 2  # a table for each regime
    first, second = out.split("; frozen\n")
    assert "user-slot-decay decay=20.0" in first and "user-counts" in first and "user-slot-decay" not in second


@pytest.mark.parametrize("arguments, message", [
    (["recommend", "RUN", "--user", "3"], 'say for what local time, as in --at "2012-12-01 20:00"'),
    (["recommend", "RUN", "--user", "999", "--at", "2013-01-20"], "user 999 has no check-in in the log"),
    (["recommend", "RUN", "--user", "me", "--at", "2013-01-20"], "user 'me' has no check-in in the log"),
    (["recommend", "RUN", "--user", "3", "--at", "soon"], "got the time 'soon'"),
    (["recommend", "RUN", "--user", "3", "--at", "2011-01-01"], "2011-01-01 00:00 is out of range"),
    (["recommend", "RUN", "--user", "3", "--at", "2013-01-20", "--k", "999"], "got k=999 and a catalogue of"),
    (["recommend", "RUN", "--user", "3", "--at", "2013-01-20", "--category", "Barr"], "did you mean 'Bar'"),
    (["recommend", "RUN", "--user", "3", "--at", "2013-01-20", "--include-seen"], "--include-seen is for models of ratings"),
    (["compare", "RUN", "--split-seed", "0"],
     "--split-seed is for models of ratings, implicit feedback and reviews, got one of check-ins"),
    (["compare", "--models", "popularity,biases"], "want one kind"),
    (["train", "--model", "biases", "--regime", "frozen", "--out", "x"], "--regime is for models of check-ins"),
    (["train", "--model", "popularity", "--regime", "live", "--out", "x"], "invalid choice: 'live'"),
    (["train", "--model", "popularity", "--data", "nowhere", "--out", "x"], "nowhere: no such file or folder; want foursq"),
    (["train", "--model", "popularity", "--set", "weight=-1", "--out", "x"], "--set weight=-1: want a number, 0 or more"),
    (["train", "--model", "user-counts", "--set", "decay=x", "--out", "x"], "want a number, 0 or more, or None"),
    (["train", "--model", "user-counts", "--set", "regime=frozen", "--out", "x"], "say --regime frozen or"),
])
def test_wrong_use(arguments, message, streaming_run, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refused(run(*[streaming_run if a == "RUN" else a for a in arguments]))


def test_a_run_is_not_evaluated_on_other_data(streaming_run, folder, tmp_path, run):
    text = (folder / "dataset_TSMC2014_NYC.txt").read_text()
    (tmp_path / "dataset_TSMC2014_NYC.txt").write_text(text.split("\n", 1)[1])
    assert "was trained on other data" in refused(run("evaluate", streaming_run, "--data", tmp_path))


def test_check_ins_by_name(folder, tmp_path, monkeypatch, capsys):
    small = synthetic_checkins(users=5, venues=20, events=100, rng=0)
    monkeypatch.setattr(named, "synthetic_checkins", lambda: small)
    monkeypatch.setenv("TINYDL_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_checkins("auto") == ("synthetic-checkins", small)
    assert capsys.readouterr().out.startswith("*** NO REAL DATA (load_foursquare: no dataset_TSMC2014_NYC.txt")
    with pytest.raises(OSError, match="TKY"):
        load_checkins("foursquare-tky")
    monkeypatch.setattr(named, "load_foursquare", lambda *where, **city: (where, city))
    assert load_checkins("foursquare-tky") == ("foursquare-tky", ((), {"city": "tky"}))
    assert load_checkins("auto") == ("foursquare-nyc", ((), {}))
    assert load_checkins(str(folder)) == (str(folder), ((folder, "nyc"), {}))
    tokyo = tmp_path / "dataset_TSMC2014_TKY.csv"
    tokyo.write_text("")
    for path in (tokyo, tmp_path):
        assert load_checkins(str(path)) == (str(path), ((path, "tky"), {}))


def test_fingerprints_see_every_column():
    small = synthetic_checkins(users=5, venues=20, events=100, rng=0)
    marks = {fingerprint(small), fingerprint(small.take(np.arange(100)[::-1]))}
    for column, other in (("user", 1), ("item", small.frame["item"][50]), ("timestamp", 1), ("local", 1)):
        changed = small.take(np.arange(100))
        assert changed.frame[column][5] != other
        changed.frame.loc[5, column] = other
        marks.add(fingerprint(changed))
    assert len(marks) == 6
