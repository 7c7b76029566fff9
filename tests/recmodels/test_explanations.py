"""Explanations: parts add up to scores; and NARRE: its formulas and gradients, no own review read, what moves scores."""

import itertools

import numpy as np
import pytest

from recmodels import synthetic_checkins, time_split
from recmodels.checkin_features import OPTIONS
from recmodels.datasets import Reviews, synthetic_reviews
from recmodels.explanations import Explanation, Read, faithfulness, fm_contributions, page
from recmodels.models import BiasedMF, FactorizationMachine
from recmodels.models.explainable import NARRE
from recmodels.models.factorization_machine import FactorizationMachineNetwork
from recmodels.models.venue_ranker import VenueRanker
from recmodels.recommender import Recommender
from recmodels.splits import random_split
from tinydl import Tensor, gradcheck

SMALL = dict(k=4, least=2, epochs=3, batch_size=256, lr=0.01)


# ---------------------------------------------------------------- factorization machines
@pytest.mark.parametrize(("order", "form"), list(itertools.product((2, 3), ("full", "distinct"))))
def test_contributions_are_those_of_the_loops(order, form, rng):
    network = FactorizationMachineNetwork(9, 3, order, form, rng=1).double()
    for p in network.parameters():
        p.copy_(rng.standard_normal(p.shape))
    fields, index, x = ("a", "b", "a", "a"), rng.integers(0, 9, (2, 4)), rng.standard_normal((2, 4))
    parts = fm_contributions(network, fields, index, x)
    tables = [table.weight.detach().numpy() for table in (network.w, *network.factors())]
    for n, table in enumerate(tables, start=1):
        expected = {}
        for places in itertools.product(range(4), repeat=n) if form == "full" else itertools.combinations(range(4), n):
            product = np.prod([x[:, p, None] * table[index[:, p]] for p in places], axis=0).sum(axis=1)
            name = tuple(sorted(fields[p] for p in places))
            expected[name] = expected.get(name, 0) + product
        assert {term for term in parts if len(term) == n} == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(parts[name], value, atol=1e-12)
    np.testing.assert_allclose(sum(parts.values()), network(index, x).detach().numpy(), atol=1e-12)
    with pytest.raises(ValueError, match="want a name for each column"):
        fm_contributions(network, fields[:3], index, x)


@pytest.mark.parametrize("settings", [dict(order=2, form="distinct"), dict(order=3, form="full")], ids=str)
def test_parts_of_a_recommended_film_add_up_to_its_score(split, settings):
    model = FactorizationMachine(**settings, k=4, epochs=2, batch_size=128, lr=0.01, scale=0.3).fit(split.train)
    users = [*split.train.users_seen[:3].tolist(), -1, split.train.users_seen[0]]
    lists = model.recommend(users, k=4, explain=True)
    plain = model.recommend(users, k=4)
    assert lists.drop(columns="why").equals(plain) and len(lists) == 20
    np.testing.assert_allclose([sum(why.values()) for why in lists["why"]], lists["score"], atol=1e-5)
    assert {"mean", "constant", "user", "item", "genres", "user x item", "gender x genres"} <= set(lists["why"][0])
    sizes = np.abs(list(lists["why"][0].values()))
    assert (np.diff(sizes) <= 0).all()


@pytest.mark.parametrize("features", [(), OPTIONS], ids=["four fields", "all options"])
def test_parts_of_a_recommended_venue_add_up_to_its_score(features):
    split = time_split(synthetic_checkins(users=20, venues=30, events=800, rng=0))
    model = VenueRanker("fm", k=4, epochs=1, batch_size=128, negatives=5, features=features).fit(split.train)
    users = split.train.users_seen[[2, 0, 2]]
    at = int(split.train.frame["local"].max())
    lists = model.recommend(users, at, k=3, explain=True)
    assert lists["user"].tolist() == np.repeat(users, 3).tolist()
    np.testing.assert_allclose([sum(why.values()) for why in lists["why"]], lists["score"], atol=1e-4)
    assert {"user x venue", "time x category", "constant"} <= set(lists["why"][0])
    assert ("history x venue" in lists["why"][0]) == bool(features) == ("number 0" in lists["why"][0])
    time = model.features_.start["time"] + model.features_._time(np.array([at]))
    assert lists["why"][0]["time"] == pytest.approx(model.network_.w.weight.detach().numpy()[time].item(), abs=1e-6)
    deep = VenueRanker(k=4, hidden=4, epochs=1, batch_size=128, negatives=5).fit(split.train)
    with pytest.raises(NotImplementedError, match="network='nfm'"):
        deep.recommend(users, at, k=3, explain=True)


def test_a_model_whose_score_is_no_sum_says_so(split):
    model = BiasedMF(k=2, epochs=1).fit(split.train)
    with pytest.raises(NotImplementedError, match="BiasedMF does not explain"):
        model.recommend(split.train.users_seen[:1], explain=True)


# ---------------------------------------------------------------- NARRE
@pytest.fixture(scope="module")
def reviews():
    return random_split(synthetic_reviews(users=60, items=30, reviews=700), seed=0)


@pytest.fixture(scope="module")
def model(reviews):
    return NARRE(**SMALL).fit(reviews.train, reviews.valid)


def softmax(scores):
    e = np.exp(scores - scores.max())
    return e / e.sum()


def test_a_score_is_that_of_the_formulas_by_loops(model, reviews):
    w = {name: np.asarray(p, float) for name, p in model.network_.state_dict().items()}
    frame = reviews.train.frame
    texts = [model.vocabulary_.codes(text, model.longest) for text in frame["text"]]

    def document(n):
        return softmax(w["s.weight"][texts[n], 0]) @ w["E.weight"][texts[n]]

    def context(rows, side, others):
        o = [document(n) for n in rows]
        h, A, b, C = (w[f"{name[0]}_{side}.{name[2:]}"] for name in ("h weight", "A weight", "A bias", "C weight"))
        e = [h[0] @ np.maximum(0, A @ d + b + C[c]) for d, c in zip(o, others, strict=True)]
        return w[f"W_{side}.weight"] @ (softmax(np.array(e)) @ o) if rows else np.zeros(model.k)

    for data, n in ((reviews.test, 0), (reviews.test, 5), (reviews.train, 3)):
        user, item = data.frame.loc[n, ["user", "item"]]
        u, i = model.users_.codes([user])[0], model.items_.codes([item])[0]
        of_user = [row for row in frame.index if frame["user"][row] == user and frame["item"][row] != item]
        of_item = [row for row in frame.index if frame["item"][row] == item and frame["user"][row] != user]
        X = context(of_user, "u", model.items_.codes(frame["item"][of_user]))
        Y = context(of_item, "i", model.users_.codes(frame["user"][of_item]))
        y = (model.mean_ + model.b_u_[u] + model.b_i_[i] + w["v_u.weight"][0] @ X + w["v_i.weight"][0] @ Y
             + w["w.weight"][0] @ ((w["Q.weight"][u] + X) * (w["P.weight"][i] + Y)))
        assert model.score_without(np.array([u]), np.array([i]), "item", None)[0] == pytest.approx(y, abs=1e-5)
        assert model.predict([user], [item])[0] == pytest.approx(np.clip(y, 1, 5), abs=1e-5)


def test_gradients_of_the_network_are_those_measured(model):
    network = model._network(np.random.default_rng(0)).double()
    rng = np.random.default_rng(1)
    for p in network.parameters():
        p.copy_(p.detach().numpy() + 0.3 * rng.standard_normal(p.shape))
    network.eval()
    users, items = Tensor(np.array([1, 2, 0, 5])), Tensor(np.array([3, 1, 2, 0]))
    names = ("h_i.weight", "A_u.weight", "W_i.weight", "v_u.weight", "w.weight", "h_u.weight", "A_i.bias", "v_i.weight")
    parameters = dict(network.named_parameters())
    assert gradcheck(lambda *_: network(users, items), [parameters[name] for name in names])


def test_the_pairs_own_review_is_never_read(reviews, model):
    """Another text for one training review: nothing of that pair's score may change but by way of the parameters."""
    frame = reviews.train.frame
    row = int(np.argmax(frame["text"].str.len()))
    u, i = (table.codes([frame[column][row]]) for table, column in ((model.users_, "user"), (model.items_, "item")))
    before = model.score_without(u, i, "item", None)[0]
    kept, table = model.table_.words[row + 1].copy(), model.table_
    others = [(table.user[r], table.item[r]) for r in (*table.of_user[u[0]], *table.of_item[i[0]]) if r and r != row + 1]
    try:
        model.table_.words[row + 1] = np.where(kept > 0, 1 + (kept + 7) % (len(model.vocabulary_) - 1), 0)
        assert model.score_without(u, i, "item", None)[0] == before
        pairs = np.array(others).T
        changed = model.score_without(*pairs, "item", None)
    finally:
        model.table_.words[row + 1] = kept
    assert (changed != model.score_without(*pairs, "item", None)).any()  # others do read it
    read = model.explain(frame["user"][[row]], frame["item"][[row]])[0].reads
    assert read and all((one.user, one.item) != (frame["user"][row], frame["item"][row]) for one in read)


def test_texts_of_validation_and_test_ratings_are_never_read(reviews):
    """The same model comes of other texts there, and of none."""
    def emptied(data):
        return Reviews(data.frame.assign(text=""), rating_range=(1, 5))

    one = NARRE(**SMALL).fit(reviews.train, reviews.valid)
    other = NARRE(**SMALL).fit(reviews.train, emptied(reviews.valid))
    np.testing.assert_array_equal(one.predict(reviews.test), other.predict(emptied(reviews.test)))


def test_biases_of_training_are_without_the_pairs_own_rating(reviews):
    frame = reviews.train.frame
    model = NARRE(**SMALL, reg_user=3.0, reg_item=2.0)
    seen = {}
    model._train = lambda network, loss, optimizer, loader, *rest: seen.update(
        targets=np.concatenate([batch[2].numpy() for batch in loader]))
    model.network_, model.best_epoch_ = None, 0
    model.fit(reviews.train)
    b_u, b_i, expected = model.b_u_, model.b_i_, []
    r = frame["rating"].to_numpy() - model.mean_
    u, i = model.users_.codes(frame["user"].to_numpy()), model.items_.codes(frame["item"].to_numpy())
    for n in range(len(frame)):
        mine, its = (u == u[n]) & (np.arange(len(r)) != n), (i == i[n]) & (np.arange(len(r)) != n)
        expected.append(r[n] - (r[mine] - b_i[i[mine]]).sum() / (mine.sum() + 3)
                        - (r[its] - b_u[u[its]]).sum() / (its.sum() + 2))
    np.testing.assert_allclose(np.sort(seen["targets"]), np.sort(expected), atol=1e-3)  # the loader has shuffled them


def test_training_makes_the_loss_smaller(model):
    loss = model.history_["train_loss"]
    assert len(loss) >= 2 and loss.iloc[-1] < loss.iloc[0]


def test_save_load_refit_and_unknown_ids(model, reviews, tmp_path):
    model.save(tmp_path / "m.npz")
    again = Recommender.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(again.predict(reviews.test), model.predict(reviews.test))
    user, item = reviews.test.frame.loc[0, ["user", "item"]]
    assert again.explain([user], [item])[0] == model.explain([user], [item])[0]
    assert np.isfinite(model.predict([-5, user], [item, -5])).all()
    stranger = model.explain([-5], [-5])[0]
    assert stranger.user is None and stranger.reads == () and stranger.parts["item's reviews"] == 0
    refitted = model.refit(reviews.refit)
    assert len(refitted.texts_) == len(reviews.refit) and refitted.best_epoch_ == model.best_epoch_
    with pytest.raises(TypeError, match="want Reviews"):
        NARRE().fit(reviews.train.frame)


def test_reviews_without_a_word_leave_the_biases_and_the_taste(reviews):
    empty = Reviews(reviews.train.frame.assign(text="..."), rating_range=(1, 5))
    model = NARRE(**SMALL).fit(empty)
    one = model.explain(reviews.test.take([0]))[0]
    assert one.reads == () and one.parts["user's reviews"] == one.parts["item's reviews"] == 0 and np.isfinite(one.score)


# ---------------------------------------------------------------- its explanations
def test_parts_reviews_and_words_add_up(model, reviews):
    users, items = (reviews.test.frame[c].to_numpy()[:20] for c in ("user", "item"))
    found = model.explain(users, items)
    np.testing.assert_allclose(np.clip([one.score for one in found], 1, 5), model.predict(users, items), atol=1e-5)
    for one, user, item in zip(found, users, items, strict=True):
        assert (one.user, one.item) == (user, item) and sum(one.parts.values()) == pytest.approx(one.score)
        for side in ("user", "item"):
            reads = one.of(side)
            assert sum(read.part for read in reads) == pytest.approx(one.parts[f"{side}'s reviews"], abs=1e-5)
            assert sum(read.attention for read in reads) == pytest.approx(1, abs=1e-5) or not reads
            assert sorted((r.attention for r in reads), reverse=True) == [r.attention for r in reads]
            for read in reads:
                assert getattr(read, side) == getattr(one, side) and read.words
                assert sum(weight for weight, _ in read.words.values()) == pytest.approx(1, abs=1e-5)
                assert sum(part for _, part in read.words.values()) == pytest.approx(read.part, abs=1e-6)
    frame = reviews.train.frame
    read = found[0].of("item")[0]
    own = frame[(frame["user"] == read.user) & (frame["item"] == read.item)]
    assert own["text"].tolist() == [read.text] and own["rating"].tolist() == [read.rating]


def test_lists_are_explained_too(model, reviews):
    lists = model.recommend(reviews.train.users_seen[:2], k=3, explain=True)
    assert [one.score for one in lists["why"]] == pytest.approx(lists["score"].tolist(), abs=1e-5)
    assert [one.item for one in lists["why"]] == lists["item"].tolist()


def test_text_and_page_show_reviews_and_escape_them():
    words = {"not hum": (0.75, -0.2), "warm": (0.25, 0.05)}
    read = Read("item", "<b>", "i&1", 4.0, "Not a <b> hum,\n<i> warm.", 0.6, -0.15, words)
    one = Explanation("u", "i&1", 4.25, {"mean": 4.4, "item's reviews": -0.15}, (read,))
    text = one.text()
    assert text.startswith("user u, item i&1: 4.25 = +4.40 mean -0.15 item's reviews") and str(one) == text
    assert "4 stars (attention 0.60 of 1 reviews, -0.150): \"Not a <b> hum, <i> warm.\"" in text
    assert text.index("not hum -0.200") < text.index("warm +0.050")
    assert "..\"" in one.text(width=5) and "warm +" not in one.text(words=1)
    html = page([one], "Why?", notes=["a > b"])
    assert "<b> hum" not in html and "Not a &lt;b&gt; hum</span>" in html and "<title>Why?</title>" in html
    assert "</span>,\n&lt;i&gt; <span" in html and "a &gt; b" in html and "user &lt;b&gt; on item i&amp;1" in html
    assert "rgba(213,94,0,0.70)" in html and "rgba(0,158,115,0.17)" in html


def test_faithfulness_compares_two_deletions_of_each_pair(model, reviews):
    for side, place in (("user", 0), ("item", 1)):
        found = faithfulness(model, reviews.test, side)
        users, items = model.codes(reviews.test)
        several = [len(one.of(side)) >= 2 for one in model.explain(reviews.test)]
        assert len(found.most) == len(found.other) == len(found.users) == sum(several) > 10
        for k, n in enumerate(np.flatnonzero(several)):
            rows, keep = (array[0] for array in model.table_.readable(users[[n]], items[[n]])[place])
            alpha = model.parts(users[[n]], items[[n]])[1][place][1][0]
            whole = model.score_without(users[[n]], items[[n]], side, None)
            moved = [abs(model.score_without(users[[n]], items[[n]], side, np.array([c])) - whole)[0]
                     for c in np.flatnonzero(keep)]
            best = np.flatnonzero(keep).tolist().index(int(alpha.argmax()))
            for c, m in zip(np.flatnonzero(keep), moved, strict=True):
                readable = model.table_.readable(users[[n]], items[[n]])
                readable[place][1][0, c] = False
                shift = sum(model.parts(users[[n]], items[[n]], readable)[0].values()) - sum(
                    model.parts(users[[n]], items[[n]])[0].values())
                assert m == pytest.approx(abs(shift[0]), abs=1e-6)
            assert found.most[k] == pytest.approx(moved[best], abs=1e-6)
            assert min(abs(found.other[k] - m) for c, m in enumerate(moved) if c != best) < 1e-6
        assert found.difference(n=200).groups == len(set(found.users.tolist()))
