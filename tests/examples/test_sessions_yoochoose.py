"""Sessions: the example's quick run, its tuning by validation alone, and claims that can fail."""

import json

import numpy as np
import pytest

from examples import common
from examples import sessions_yoochoose as example
from recmodels.datasets import synthetic_sessions
from recmodels.session_evaluation import evaluate_sessions


@pytest.fixture(scope="module")
def split():
    return synthetic_sessions(sessions=300, items=25, rng=2)


@pytest.fixture(scope="module")
def found(split):
    return example.study(split, [0, 1], {"k": 4, "epochs": 1}, False)


def test_baselines_are_tuned_on_validation_and_measured_once(split, found):
    for name, grid in example.GRIDS.items():
        fits, tries = found[name], []
        assert len(fits["last"]) == len(fits["all"]) == 1 and len(fits["tried"]) == len(grid)
        for settings in grid:
            model = example.made(name, **settings).fit(split.train)
            tries.append(evaluate_sessions(model, split.valid)["Recall@20"])
            if settings == fits["settings"]:
                assert evaluate_sessions(model, split.test)["MRR@20"] == fits["last"][0]["MRR@20"]
        assert grid[int(np.argmax(tries))] == fits["settings"] and max(tries) == fits["valid"][0]["Recall@20"]
    for name in example.NEURAL:
        assert len(found[name]["last"]) == 2 and len(found[name]["epochs"]) == 2
    assert found["sasrec-ids"]["settings"]["categories"] is False and found["sasrec"]["settings"]["categories"] is True


def test_differences_are_of_the_same_questions(split, found):
    gaps = example.differences(found, "stamp", split)
    for prefixes in ("last", "all"):
        gap = gaps[prefixes]["Recall@20"]["gru4rec"]
        mean = [np.mean([result["Recall@20"] for result in found[name][prefixes]]) for name in ("stamp", "gru4rec")]
        assert gap.mean == pytest.approx(mean[0] - mean[1]) and gap.low < gap.mean < gap.high and gap.groups == 45
    assert not set(gaps["last"]["MRR@20"]) & set(example.ATTENTION)


def test_claims_fail_where_a_rival_is_better(split, found, capsys):
    common.arguments("test")
    example.claims(found, "narm", split, quick=False)  # one epoch of a small network: the chain is better
    assert common.finish() == 1
    assert "FAILS  MRR@20 of narm, last items, beside the Markov chain" in capsys.readouterr().out


def test_a_quick_run_writes_its_record_and_figure(tmp_path, capsys):
    assert example.main(["--data", "synthetic", "--quick", "--out", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "results.json").read_text())
    assert record["synthetic"] and record["best"] in example.ATTENTION and len(record["claims"]) == 4
    assert set(record["models"]) == {*example.GRIDS, *example.NEURAL}
    assert (tmp_path / "sessions.png").stat().st_size > 20_000
    text = capsys.readouterr().out
    assert "the last item of every test session" in text and "4 of 4 claims hold" in text


def test_a_quick_run_of_real_files_takes_a_sixth(real_data):
    split = example.load(str(real_data("yoochoose")), quick=True)
    assert [len(part) for part in (split.train, split.valid, split.test)] == [3_968, 1_410, 1_410]


def test_wrong_data_is_named(tmp_path):
    with pytest.raises(SystemExit, match="no such folder"):
        example.main(["--data", str(tmp_path / "none"), "--out", str(tmp_path)])
