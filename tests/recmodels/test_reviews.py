"""Reviews: the loader and its errors, the made world, words, vocabulary, and which reviews may be read for a pair."""

import json

import numpy as np
import pandas
import pytest

from recmodels import Interactions
from recmodels.datasets import Reviews, load_amazon_reviews, synthetic_reviews
from recmodels.datasets.reviews import ASPECTS
from recmodels.reviews import ReviewTable, Vocabulary, spans, words


def line(**changes):
    row = {"reviewerID": "A", "asin": "1", "reviewText": "Good.", "overall": 5.0, "unixReviewTime": 10, **changes}
    return json.dumps({key: value for key, value in row.items() if value is not None}).encode()


def written(tmp_path, *lines):
    path = tmp_path / "reviews.json"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


# ---------------------------------------------------------------- the file
def test_a_file_is_read_with_its_texts(tmp_path):
    data = load_amazon_reviews(written(tmp_path, line(), line(asin="2", overall=1.0, reviewText="  "), line(reviewerID="B")))
    assert data.frame["text"].tolist() == ["Good.", "  ", "Good."] and data.frame["timestamp"].tolist() == [10] * 3
    assert data.frame["rating"].tolist() == [5, 1, 5] and data.rating_range == (1, 5) and data.name == "reviews.json"
    assert repr(data).startswith("Reviews 'reviews.json': 3 ratings") and "1 of the reviews is without text" in repr(data)


@pytest.mark.parametrize(("bad", "message"), [
    (b"{", "want a JSON object"), (b"", "want a JSON object"), (b"[1]", "reviewerID = None"),
    (line(asin=None), "asin = None"),
    (line(overall="5"), "overall = '5'"), (line(overall=True), "overall = True"), (line(overall=6), "overall = 6"),
    (line(overall=float("nan")), "overall = nan"), (line(reviewText=3), "reviewText = 3"),
    (line(unixReviewTime=1.5), "unixReviewTime = 1.5"), (line(), "in line 1 already")])
def test_a_malformed_line_is_named(tmp_path, bad, message):
    with pytest.raises(ValueError, match=f"line 2: .*{message}"):
        load_amazon_reviews(written(tmp_path, line(), bad, line(asin="3")))


def test_bytes_that_are_not_utf8_are_counted(tmp_path):
    data = load_amazon_reviews(written(tmp_path, line(), line(asin="2", reviewText="caf#").replace(b"#", b"\xe9")))
    assert data.frame["text"][1] == "caf\ufffd" and "1 lines hold bytes that are not UTF-8" in repr(data)


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYDL_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="amazon-musical-instruments"):
        load_amazon_reviews()


def test_the_real_file(real_data):
    real_data("amazon-musical-instruments")
    data = load_amazon_reviews()
    assert len(data) == 10_261 and data.frame["user"].nunique() == 1_429 and data.frame["item"].nunique() == 900
    assert "7 of the reviews are without text" in repr(data) and data.name == "amazon-musical-instruments"


def test_texts_are_wanted_and_stay_beside_their_ratings():
    frame = pandas.DataFrame({"user": [1, 1, 2], "item": [5, 6, 5], "rating": [1, 2, 3], "text": ["a", "b", "c"]})
    part = Reviews(frame).take([2, 0])
    assert isinstance(part, Interactions) and part.frame["text"].tolist() == ["c", "a"]
    with pytest.raises(ValueError, match="want text beside"):
        Reviews(frame.drop(columns="text"))
    with pytest.raises(TypeError, match="text in row 1 is 3"):
        Reviews(frame.assign(text=["a", 3, "c"]))


# ---------------------------------------------------------------- the made world
def test_words_of_the_made_world_tell_an_items_quality():
    data = synthetic_reviews(users=50, items=20, reviews=300)
    for n in range(0, 300, 7):
        row, found = data.frame.loc[n], set(words(data.frame["text"][n]))
        said = [a for a, (_, *judged) in enumerate(ASPECTS.values()) if found & set(" ".join(judged).split())]
        assert row["about"] in said
        for a in said:
            praised = bool(found & set(list(ASPECTS.values())[a][1].split()))
            assert praised == (data.quality[row["item"], a] > 0) and data.cares[row["user"], a] > 0


def test_expected_ratings_are_the_best_that_can_be_predicted():
    data = synthetic_reviews(noise=0.4)
    assert 0.3 < data.best_rmse < 0.6 and data.best_rmse < data.frame["rating"].std() / 2
    part = data.take(np.arange(100))
    assert part.best_rmse == pytest.approx(data.best_rmse, rel=0.3) and part.synthetic
    for wrong in (dict(users=1), dict(reviews=10), dict(users=5, items=5, reviews=50), dict(noise=-1)):
        with pytest.raises(ValueError, match="synthetic_reviews: got"):
            synthetic_reviews(**wrong)


# ---------------------------------------------------------------- words
def test_a_negation_makes_another_word_of_the_next_that_counts():
    assert words("It's NOT good; I can't really complain. Never! \ufffd 5x") == ["not good", "not really", "complain"]
    assert words("") == [] and words("the and of") == []
    text = "Do not, ever, buy: no hum"
    found = [(word, text[a:b]) for word, a, b in spans(text)]
    assert found == [("not ever", "not, ever"), ("buy", "buy"), ("not hum", "no hum")]


def test_a_vocabulary_counts_texts_not_words():
    texts = ["hum hum hum hum", "hum loud", "loud warm", "warm loud", "rare"]
    found = Vocabulary.learn(texts, size=10, least=2)
    assert found.words == ["loud", "hum", "warm"] and len(found) == 4
    np.testing.assert_allclose(found.idf, [0, np.log(5 / 3), np.log(5 / 2), np.log(5 / 2)], rtol=1e-6)
    assert Vocabulary.learn(texts, size=1, least=2).words == ["loud"]
    assert found.codes("loud warm nothing warm hum", longest=9) == [1, 3, 2]
    assert found.codes("loud warm nothing warm hum", longest=2) == [3, 2]  # the commonest one is left out
    assert len(Vocabulary.learn([], least=1)) == 1


# ---------------------------------------------------------------- documents
def make_table(most=100):
    texts = ["warm tone", "", "hum", "tone hum", "warm"]
    users, items = np.array([1, 1, 2, 2, 1]), np.array([1, 2, 1, 2, 3])
    return ReviewTable.of(texts, users, items, 4, 4, Vocabulary.learn(texts, least=1), most=most)


def test_reviews_of_users_and_items_are_listed_without_empty_ones():
    table = make_table()
    assert [sorted(rows[rows > 0].tolist()) for rows in table.of_user] == [[], [1, 5], [3, 4], []]
    assert [sorted(rows[rows > 0].tolist()) for rows in table.of_item] == [[], [1, 3], [4], [5]]
    assert table.words.shape == (6, 2) and not table.words[[0, 2]].any()
    few = make_table(most=1)
    assert few.of_user[:, 0].tolist() == [0, 5, 4, 0] and few.of_item[:, 0].tolist() == [0, 3, 4, 5]


def test_what_the_user_wrote_about_the_very_item_is_never_readable():
    table = make_table()
    (user_rows, user_keep), (item_rows, item_keep) = table.readable(np.array([1, 2, 3, 1]), np.array([1, 3, 1, 2]))
    assert [sorted(r[k].tolist()) for r, k in zip(user_rows, user_keep, strict=True)] == [[5], [3, 4], [], [1, 5]]
    assert [sorted(r[k].tolist()) for r, k in zip(item_rows, item_keep, strict=True)] == [[3], [5], [1, 3], [4]]


def test_no_reviews_at_all_make_a_table_of_nothing():
    table = ReviewTable.of([], np.zeros(0, int), np.zeros(0, int), 2, 2, Vocabulary.learn([], least=1))
    (_, of_user), (_, of_item) = table.readable(np.array([0, 1]), np.array([1, 0]))
    assert not of_user.any() and not of_item.any()
