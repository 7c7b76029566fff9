"""The example on reviews: it runs, explains by its rules, and its intervals are those of the book."""

import json

import numpy as np
import pytest

from examples import explainable_reviews as example
from recmodels.explanations import Explanation, Read


def test_it_runs_and_says_what_it_found(tmp_path, capsys):
    assert example.main(["--data", "synthetic", "--quick", "--out", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "results.json").read_text())
    assert record["synthetic"] and record["splits"] == 2 and set(record["models"]) == {"biases", "biased MF", "NARRE"}
    assert (tmp_path / "reviews.png").stat().st_size > 10_000
    text, html = capsys.readouterr().out, (tmp_path / "explanations.html").read_text()
    assert "(SYNTHETIC)" in html and "<blockquote>" in html and "and two that fail" in text and "1 of 1 claims hold" in text
    assert record["better"] in ("biases", "biased MF") and len(record["faithfulness"]["item"]) == 2


def test_t_intervals_are_students():
    mean, plain, wide = example.t_intervals([1.0, 2.0, 3.0])
    assert mean == 2 and plain == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)
    assert wide == pytest.approx(4.302653 * np.sqrt(1 / 3 + 1 / 8), rel=1e-6)


def made(n, score, stars, part, user=None):
    reads = tuple(Read(side, "u", "i", stars, "text", 0.3, part, {"word": (1.0, part)}) for side in ("item", "user") * 3)
    return Explanation(n if user is None else user, n, score, {"user's reviews": part, "item's reviews": part}, reads)


def test_the_rules_choose_what_they_say():
    pairs = [(made(n, 4.0, 5.0, 0.1 * n), 4.0) for n in range(1, 9)]
    pairs += [(made(n, 4.0, 3.0, -0.1 * n), 4.0) for n in range(9, 12)]
    pairs += [(made(20, 4.0, 5.0, 0.95), 3.0), (made(21, 4.0, 1.0, 0.99), 4.0), (made(22, 4.0, 5.0, 0.9, user=8), 4.0)]
    chosen = [one.item for one, _ in example.sensible(pairs, mean=4.2, n=6)]
    assert chosen == [22, 7, 6, 11, 10, 9]  # 20 is off by 1, 21 contradicts its stars, 8 is of the user of 22
    bad = example.failing(pairs, mean=4.2)
    assert [one.item for one, *_ in bad] == [20, 21] and "most wrong" in bad[0][2] and "contradicts" in bad[1][2]
    assert example.failing([], 4.2) == []


def test_wrong_data_is_named(tmp_path):
    with pytest.raises(SystemExit, match="no such file"):
        example.main(["--data", str(tmp_path / "none"), "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="want at least 1"):
        example.main(["--data", "synthetic", "--quick", "--splits", "0", "--out", str(tmp_path)])
