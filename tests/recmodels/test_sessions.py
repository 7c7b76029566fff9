"""Sessions: what they refuse, the files they come from, and a shop whose truth is known."""

import numpy as np
import pytest

from recmodels.datasets import Sessions, load_session_split, load_sessions, load_yoochoose, synthetic_sessions
from recmodels.datasets.sessions import joined

HEADER, LINES = "sessionId\tcategorys\titems", ["3\t2,2,2\t0,1,0", "5\t1\t7", "90\t0,4\t10,12"]
LISTS = [[5, 7, 5], [9], [7, 9, 9, 1]]


def _write(folder, lines=LINES, name="train.txt", header=HEADER, end="\n"):
    path = folder / name
    path.write_bytes(end.join([header, *lines, ""]).encode())
    return path


# ---------------------------------------------------------------- the class
def test_rows_prefixes_and_lists():
    data = Sessions.of(LISTS, [[0, 1, 0], [2], [1, 2, 2, 3]])
    assert len(data) == 3 and data.lengths.tolist() == [3, 1, 4] and data.items_seen.tolist() == [1, 5, 7, 9]
    part = data.take([2, 0])
    assert [one.tolist() for one in part.lists()] == [LISTS[2], LISTS[0]] and part.ids.tolist() == [2, 0]
    assert part.category.tolist() == [1, 2, 2, 3, 0, 1, 0]
    assert [x.tolist() for x in data.prefixes()] == [[0, 2], [2, 3]]
    assert [x.tolist() for x in data.prefixes("all")] == [[0, 0, 2, 2, 2], [1, 2, 1, 2, 3]]
    assert len(data.take([])) == 0 and "0 sessions" in repr(data.take([])) and data.take([]).lists() == []
    assert "3 sessions, 8 clicks on 4 items, 2.67 a session (1 to 4), 25 % of them" in repr(data)


@pytest.mark.parametrize("make, error", [
    (lambda: Sessions.of([[1], []]), "session 1 is empty"), (lambda: Sessions.of([[1.5]]), "list 0 has .* float64"),
    (lambda: Sessions.of([["a"]]), "list 0 has"), (lambda: Sessions.of([[[1]]]), r"list 0 has shape \(1, 1\)"),
    (lambda: Sessions.of([[1, 2]], [[1]]), "got category of shape"),
    (lambda: Sessions([1], [0, 2], [5]), "want .* from 0 to"),
    (lambda: Sessions([1, 1], [0, 1, 2], [5, 6]), "the id 1 is there 2 times"),
    (lambda: Sessions([1], [1, 2], [5, 6]), "got start"),
    (lambda: Sessions.of(LISTS).prefixes("first"), "want 'last' or 'all'")])
def test_wrong_sessions_are_refused(make, error):
    with pytest.raises(ValueError, match=error):
        make()


# ---------------------------------------------------------------- files
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_read(tmp_path, end):
    data = load_sessions(_write(tmp_path, end=end))
    assert data.ids.tolist() == [3, 5, 90] and [one.tolist() for one in data.lists()] == [[0, 1, 0], [7], [10, 12]]
    assert data.category.tolist() == [2, 2, 2, 1, 0, 4] and data.name == "train.txt"


@pytest.mark.parametrize("bad", ["", " ", "x", "3\t2\t", "3\t\t1", "\t2\t1", "3\t2,\t1,2", "3\t2,2\t1,", "3\t2,2\t1;2",
                                 "-3\t2\t1", "3\t2\t1.0", "3\t2\t1\t", "3\t2 \t1", "3 2 1", "3\t2\t\u0661", "3\t2,2\t1",
                                 "3\t2\t1,2",
                                 "1" * 19 + "\t2\t1", HEADER])
@pytest.mark.parametrize("place", [0, 2])
def test_a_malformed_line_is_named(tmp_path, bad, place):
    path = _write(tmp_path, [*LINES[1:place + 1], bad, *LINES[place + 1:]])
    with pytest.raises(ValueError, match=rf"train.txt, line {place + 2}: got .* want session id"):
        load_sessions(path)


def test_a_second_time_a_wrong_header_and_nothing_are_named(tmp_path):
    with pytest.raises(ValueError, match="line 5: session 3 stands in line 2 already"):
        load_sessions(_write(tmp_path, [*LINES, "3\t1\t2"]))
    with pytest.raises(ValueError, match="line 1: got .* want the header"):
        load_sessions(_write(tmp_path, header="sessionId\titems\tcategorys"))
    with pytest.raises(ValueError, match="line 1: got"):
        load_sessions(_write(tmp_path, header=""))
    with pytest.raises(ValueError, match="no sessions below the header"):
        load_sessions(_write(tmp_path, []))


def test_three_files_are_a_split_and_a_session_in_two_of_them_is_refused(tmp_path, monkeypatch):
    for n, name in enumerate(("train.txt", "valid.txt", "test.txt")):
        _write(tmp_path, [LINES[n]], name)
    split = load_yoochoose(tmp_path)
    assert [part.ids.tolist() for part in (split.train, split.valid, split.test)] == [[3], [5], [90]]
    assert split.refit.ids.tolist() == [3, 5] and split.data.name == "yoochoose"
    assert load_session_split(str(tmp_path))[1].test.items.tolist() == [10, 12]
    _write(tmp_path, [LINES[0]], "test.txt")
    with pytest.raises(ValueError, match="the id 3 is there 2 times.*a session that trains must not test"):
        load_yoochoose(tmp_path)
    (tmp_path / "valid.txt").unlink()
    with pytest.raises(FileNotFoundError, match="no train.txt, valid.txt, test.txt in"):
        load_yoochoose(tmp_path)
    with pytest.raises(ValueError, match="no such folder; want yoochoose, synthetic-sessions"):
        load_session_split(str(tmp_path / "elsewhere"))
    monkeypatch.setenv("TINYDL_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_session_split("auto")[0] == "synthetic-sessions"


def test_categories_that_one_part_lacks_are_left_out():
    split = joined([Sessions.of([[1, 2]], [[0, 0]]), Sessions([7], [0, 1], [2]), Sessions([8], [0, 1], [3])], "by hand")
    assert split.data.category is None and split.test.items.tolist() == [3]


def test_the_real_files(real_data):
    split = load_yoochoose(real_data("yoochoose"))
    assert [len(part) for part in (split.train, split.valid, split.test)] == [23_806, 8_455, 8_456]
    assert len(split.train.items) == 92_522 and len(split.train.items_seen) == 5_394 and split.data.lengths.max() == 50
    assert split.train.lists()[3].tolist() == [11, 12, 13]


# ---------------------------------------------------------------- the synthetic shop
def test_the_shop_does_what_its_truth_says():
    split = synthetic_sessions(sessions=6_000, items=12, intents=2, exploration=0.3, more=0.6, rng=1)
    data, truth = split.data, split.data.truth
    row, length = data.prefixes("all")
    first, last, seen = (data.items[data.start[row] + at] for at in (0, length - 1, length))
    y = truth.probabilities(first, last)
    np.testing.assert_allclose(y.sum(axis=1), 1)
    for case in ((truth.category[first - 1] == 0) & (last == 3), (truth.category[first - 1] == 1) & (last == 5)):
        share = np.bincount(seen[case] - 1, minlength=12) / case.sum()
        assert np.abs(share - y[case][0]).max() < 4 * np.sqrt(0.25 / case.sum())
    best = np.argsort(-y, axis=1)[:, :1]
    hit = (best == seen[:, None] - 1).mean()
    assert abs(hit - data.best_recall(1)) < 0.03 and data.best_recall(12) == pytest.approx(1)
    assert np.array_equal(truth.category[data.items - 1], data.category)
    assert not (truth.successors == np.arange(12)[:, None]).any()
    row, length = split.test.prefixes()
    asked = [one.tolist()[:-1] for one in split.test.lists() if len(one) > 1]
    y = truth.probabilities([one[0] for one in asked], [one[-1] for one in asked])
    assert split.test.best_recall(2) == pytest.approx(np.sort(y, axis=1)[:, -2:].sum(axis=1).mean())


def test_people_explore_now_and_then_not_for_a_whole_session():
    data = synthetic_sessions(sessions=3_000, items=40, intents=2, exploration=0.3, more=0.7, rng=1).data
    row, length = data.prefixes("all")
    first, last, seen = (data.items[data.start[row] + at] for at in (0, length - 1, length))
    known = (data.truth.successors[data.truth.category[first - 1], last - 1] == seen[:, None] - 1).any(axis=1)
    again = (row[1:] == row[:-1]) & ~known[:-1]  # the click before was an exploration
    assert abs(known[1:][again].mean() - known.mean()) < 4 * np.sqrt(0.25 / again.sum())


def test_a_seed_makes_the_same_shop_and_wrong_settings_are_refused():
    one, same, other = (synthetic_sessions(sessions=50, items=10, rng=seed).data.items for seed in (0, 0, 1))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    for wrong in ({"sessions": 3}, {"items": 2}, {"intents": 0}, {"exploration": 1.0}, {"more": -0.1}):
        with pytest.raises(ValueError, match="synthetic_sessions: got"):
            synthetic_sessions(**wrong)
    with pytest.raises(ValueError, match="best_recall: got k=0"):
        synthetic_sessions(sessions=20, items=5).test.best_recall(0)
