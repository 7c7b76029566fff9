"""Dates and their answers fit, alignment is measured as it says, and the quick run keeps its claim."""

import datetime
import json
import re

import numpy as np
import pytest

import tinydl
from examples import attention_alignment as example
from examples import dates


def test_quick_run_keeps_its_claims_and_leaves_a_figure_and_a_record(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(example, "SCORES", {"additive": example.SCORES["additive"]})  # one score is enough, and no attention
    monkeypatch.setattr(example, "FIRST", ("additive",))
    assert example.main(["--quick", "--out", str(tmp_path)]) == 0
    assert "3 of 3 claims hold" in capsys.readouterr().out
    assert (tmp_path / "attention_alignment.png").stat().st_size > 10_000
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert list(rows) == ["additive", "no attention"] and "weight_on_it" not in rows["no attention"]
    assert rows["additive"]["parameters"] - rows["no attention"]["parameters"] == 48 * 96 + 48 + 48 * 48


def test_the_claims_fail_where_a_number_misses(capsys):
    good = {"exact": 0.995, "dates_2": 0.99, "largest_there": 0.9}
    rows = {**{name: dict(good) for name in example.BEST}, "no attention": {"dates_2": 0.5}}
    for change, missed in (({}, 0), ({"exact": 0.98}, 1), ({"dates_2": 0.54}, 1)):
        example.arguments("attention_alignment")  # forgets the claims before
        example.claims({**rows, "general": {**good, **change}}, quick=False)
        assert capsys.readouterr().out.count("FAILS") == missed


def test_every_way_to_write_a_date_says_the_same_day():
    for date in (datetime.date(1987, 3, 1), datetime.date(2011, 11, 22), datetime.date(1999, 1, 13)):
        for form in dates.forms(date):
            said = {what: text for text, what in form if what}
            assert sorted(said) == ["d", "m", "y"] and int(said["d"]) == date.day and said["y"] == str(date.year)
            assert said["m"].lstrip("0") == str(date.month) or date.strftime("%B").startswith(said["m"])
    written = ["".join(text for text, _ in form) for form in dates.forms(datetime.date(1987, 3, 3))]
    assert written == ["3 March 1987", "March 3, 1987", "3 Mar 1987", "3.3.1987", "3/3/1987", "03.03.1987",
                       "Tuesday, March 3rd, 1987", "the 3rd of March 1987", "1987, 3 March", "Tue 03 Mar 1987"]
    endings = [re.search(r"the \d+(..)", "".join(t for t, _ in dates.forms(datetime.date(2000, 1, day))[7]))[1]
               for day in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 30)]
    assert endings == ["st", "nd", "rd", "th", "th", "th", "th", "st", "nd", "rd", "th"]


def test_letters_that_say_it_are_the_ones_needed(rng):
    for text, answer, says in dates.draw(60, "train", rng):
        assert says.shape == (len(answer), len(text)) and set(text) <= set(dates.LETTERS)
        for t, letter in enumerate(answer):
            there = "".join(c for c, s in zip(text, says[t], strict=True) if s)
            if letter in "-,":
                assert not there
            elif t % 11 < 4:  # a digit of the year is that very digit
                assert there == letter
            else:
                number = int(answer[t // 11 * 11 + (5 if t % 11 < 7 else 8):][:2])
                month = datetime.date(2000, number, 1).strftime("%B") if t % 11 < 7 else ""
                assert there.lstrip("0") == str(number) or there and month.startswith(there)


def test_no_date_is_in_two_parts_and_every_part_has_its_share(rng):
    found = {part: {day for _, answer, _ in dates.draw(400, part, rng) for day in answer.split(",")}
             for part in ("train", "valid", "test")}
    for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        assert found[one] and not found[one] & found[other]
    parts = [dates.part_of(o) for o in range(dates.FIRST, dates.LAST + 1)]
    np.testing.assert_allclose(np.bincount(parts) / len(parts), 0.1, atol=0.01)


def test_texts_come_back_from_their_codes():
    texts = ["1987-03-03", "a", "1987-03-03,2001-05-12"]
    codes = dates.coded(texts, end=True)
    assert codes.shape == (3, 22) and (codes == dates.END).sum() == 3 and codes[1, 2:].sum() == 0
    assert dates.decoded(codes) == texts
    np.testing.assert_array_equal(example.shifted(codes)[:, 1:], codes[:, :-1])
    assert (example.shifted(codes)[:, 0] == dates.START).all()


@pytest.mark.parametrize("score", ["additive", None])
def test_a_sentence_alone_is_translated_as_in_company(score, rng):
    model = example.Translator(score, 8, 60, rng)
    samples = dates.draw(6, "train", rng)
    x, before = dates.coded([s[0] for s in samples]), example.shifted(dates.coded([s[1] for s in samples]))
    together = model(tinydl.tensor(x), tinydl.tensor(before)).data
    short = min(range(6), key=lambda k: len(samples[k][0]))
    alone = model(tinydl.tensor(x[short:short + 1]), tinydl.tensor(before[short:short + 1])).data
    np.testing.assert_allclose(alone[0], together[short], rtol=1e-4, atol=1e-6)
    written = model.translate(x, 5)
    logits = model(tinydl.tensor(x), tinydl.tensor(example.shifted(written))).data  # what it wrote is its own likeliest
    np.testing.assert_array_equal(np.argmax(logits, axis=2), written)


def test_alignment_counts_weight_on_the_letters_and_the_largest_on_or_beside_them():
    says = np.array([[False, True, False, False], [False, False, False, False], [True, True, False, False]])
    weights = np.array([[0.1, 0.2, 0.7, 0.0], [0.9, 0.1, 0.0, 0.0], [0.1, 0.1, 0.2, 0.6]])
    on, beside = example.alignment([weights], [("abcd", "xyz", says)])
    assert on == pytest.approx((0.2 + 0.2) / 2) and beside == 0.5
    weights[2] = [0.1, 0.6, 0.2, 0.1]
    assert example.alignment([weights], [("abcd", "xyz", says)])[1] == 1.0
