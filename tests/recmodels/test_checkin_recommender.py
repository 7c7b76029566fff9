"""One contract for all models of check-ins; and the base class on a model whose scores are known."""

import datetime

import numpy as np
import pandas
import pytest

from recmodels import CheckIns, synthetic_checkins, time_split
from recmodels.checkin_recommender import CheckInRecommender
from recmodels.models import CHECKIN_MODELS, GlobalMean
from recmodels.recommender import NotFittedError, Recommender
from recmodels.visit_log import VisitLog
from tinydl.training import CheckpointError, load, save

SMALL = {"k": 4, "hidden": 8, "epochs": 1, "batch_size": 64, "negatives": 5, "verbose": False}
DAY = 86400


def make(name):
    """The model with small settings, where it has them."""
    model = CHECKIN_MODELS[name]()
    return model.clone(**{key: value for key, value in SMALL.items() if key in model.get_params()})


@pytest.fixture(scope="module")
def split():
    return time_split(synthetic_checkins(users=15, venues=40, events=900, rng=0))


@pytest.fixture(scope="module")
def fitted(split):
    """fitted(name) -> the small model fitted to split.train with split.valid, once for all tests; nobody changes it."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = make(name).fit(split.train, split.valid)
        return made[name]
    return get


def queries(data):
    return tuple(data.frame[column].to_numpy() for column in ("user", "local", "timestamp"))


# ---------------------------------------------------------------- the contract
@pytest.mark.parametrize("name", CHECKIN_MODELS)
def test_scores_of_a_block_are_those_of_its_queries(name, fitted, split):
    model = fitted(name)
    assert model.items_.tolist() == split.train.items_seen.tolist()
    users, local, now = queries(split.test.take(np.arange(20)))
    y = model.scores(users, local, now)
    assert y.shape == (20, len(model.items_)) and y.dtype.kind == "f" and np.isfinite(y).all()
    order = np.arange(20)[::-3]
    np.testing.assert_allclose(model.scores(users[order], local[order], now[order]), y[order], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.scores(users[:1], local[:1], now[:1]), y[:1], rtol=1e-5, atol=1e-6)
    assert model.scores([], [], []).shape == (0, len(model.items_))
    strangers = model.scores([-1, "nobody", None], local[:3], now[:3])
    assert strangers.shape == (3, y.shape[1]) and np.isfinite(strangers).all()


@pytest.mark.parametrize("name", CHECKIN_MODELS)
def test_nothing_at_or_after_a_query_s_moment_is_read(name, fitted, split):
    """Deleting the present and the future changes no score, frozen scores no later visit does; streaming ones it may."""
    moment = split.test.frame["timestamp"].iloc[10]
    query = (fitted(name).users_[:6], [moment - 5 * 3600] * 6, [moment] * 6)
    past = split.data.take(np.flatnonzero(split.data.frame["timestamp"] < moment))
    streaming = fitted(name).streaming(split.data).scores(*query)
    np.testing.assert_array_equal(fitted(name).streaming(past).scores(*query), streaming)
    frozen = fitted(name).scores(*query)
    np.testing.assert_array_equal(fitted(name).streaming(split.data).frozen().scores(*query), frozen)
    np.testing.assert_array_equal(fitted(name).streaming(split.train).scores(*query), frozen)


@pytest.mark.parametrize("name", CHECKIN_MODELS)
def test_the_test_part_trains_nothing(name, split):
    """Fitted with a log that holds the test part, a model has the parameters, bit for bit, of one whose log does not."""
    query = queries(split.valid.take(np.arange(10)))
    known = split.data.take(np.sort(np.concatenate(split.rows[:2])))
    one, other = (make(name).fit(split.train, split.valid, log) for log in (split.data, known))
    np.testing.assert_array_equal(one.scores(*query), other.scores(*query))


@pytest.mark.parametrize("regime", ["frozen", "streaming"])
@pytest.mark.parametrize("name", CHECKIN_MODELS)
def test_a_loaded_model_is_the_saved_one(name, regime, fitted, split, tmp_path):
    model = fitted(name) if regime == "frozen" else fitted(name).streaming(split.data)
    model.save(tmp_path / "model.npz")
    again = CheckInRecommender.load(tmp_path / "model.npz")
    assert type(again) is type(model) and again.get_params() == model.get_params()
    assert again.num_parameters() == model.num_parameters()
    np.testing.assert_array_equal(again.scores(*queries(split.test)), model.scores(*queries(split.test)))
    lists = [m.recommend([1, 2], "2013-01-20 20:00", 4, exclude="visited") for m in (model, again)]
    pandas.testing.assert_frame_equal(*lists)
    pandas.testing.assert_frame_equal(again.venues_, model.venues_, check_names=False)
    np.testing.assert_array_equal(again.frozen().scores(*queries(split.test)), fitted(name).scores(*queries(split.test)))


@pytest.mark.parametrize("name", CHECKIN_MODELS)
def test_parameters_are_those_of_the_constructor(name, fitted, split):
    model = fitted(name)
    assert model.clone().get_params() == model.get_params() and repr(model).startswith(type(model).__name__ + "(")
    with pytest.raises(NotFittedError, match=f"{type(model).__name__} is not fitted yet"):
        model.clone().scores([1], [0], [0])
    with pytest.raises(TypeError, match="has no parameter 'nothing', only"):
        model.clone(nothing=1)
    again = model.refit(split.refit, split.data)
    assert again is not model and again.items_.tolist() == split.refit.items_seen.tolist()
    assert len(again.log_) > again.trained_.sum() == len(split.refit)
    assert len(model.log_) == len(split.train)


# ---------------------------------------------------------------- a model whose scores are known
class Near(CheckInRecommender):
    """y_i = -|i - start|; where `own` is not 0, own * visits of the user to i before now is added."""

    def __init__(self, start=0, own=0.0):
        self.start, self.own = start, own

    def _fit(self, train, valid):
        self.seen_ = None if valid is None else len(valid)
        self.base_ = -np.abs(np.arange(len(self.items_)) - self.start).astype(float)

    def _scores(self, users, local, timestamps):
        y = np.tile(self.base_, (len(users), 1))
        for row, user, now in zip(y, users, timestamps, strict=True):
            for e in range(self.log_.start[user], self.log_.start[user + 1]):
                row[self.log_.by_user.item[e]] += self.own * (self.log_.by_user.time[e] < now)
        return y

    def _state(self):
        return {"base": self.base_}

    def _restore(self, state):
        self.base_ = state["base"]

    def _read_log(self):
        self.size_ = len(self.log_)


VENUES = pandas.DataFrame({"category": ["c0", "c1", "c0", None, "c1", "c0"], "latitude": 40.0 + np.arange(6),
                           "category_name": ["Bar", "Café", "Bar", "Park", "Café", "Bar"], "longitude": -70.0},
                          index=pandas.Index([f"v{i}" for i in range(6)], name="item"))
START = 1_341_100_800  # 2012-07-01 00:00 UTC


def world(rows, ids=int):
    """CheckIns of (user, venue number, day); local is UTC - 4 h until day 10, then - 5 h."""
    user, venue, day = (np.array(column) for column in zip(*rows, strict=True))
    return CheckIns(pandas.DataFrame({"user": [ids(u) for u in user], "item": VENUES.index[venue],
                                      "timestamp": START + DAY * day,
                                      "local": START + DAY * day - np.where(day < 10, 4, 5) * 3600}), VENUES)


ROWS = [(1, 0, 0), (1, 2, 1), (2, 3, 2), (1, 2, 3), (2, 4, 4), (3, 1, 12), (1, 3, 13), (1, 5, 14)]


@pytest.fixture(params=[int, str])
def ids(request):
    return request.param


@pytest.fixture
def data(ids):
    return world(ROWS, ids)


@pytest.fixture
def model(data):
    return Near().fit(data.take(np.arange(5)))


def test_what_a_model_may_use(model, data, ids):
    assert model.items_.tolist() == ["v0", "v2", "v3", "v4"] and model.users_.tolist() == [ids(1), ids(2)]
    assert model.venues_["category_name"].tolist() == ["Bar", "Bar", "Park", "Café"]
    assert model.trained_.tolist() == [True] * 5 and model.size_ == 5 and model.seen_ is None
    later = model.streaming(data)
    assert later.log_.users.tolist() == [ids(1), ids(2), ids(3)] and later.size_ == 6  # v1 and v5 are not in the catalogue
    assert later.trained_.tolist() == [True] * 5 + [False] and model.size_ == 5 and later.base_ is model.base_
    assert later.log_.rows([ids(3), ids(2), ids(7)]).tolist() == [2, 1, 3]
    assert later.frozen().size_ == 5 and later.frozen().log_.users.tolist() == [ids(1), ids(2)]
    assert Near().fit(data.take(np.arange(5)), data.take([5, 6, 7])).seen_ == 3
    assert Near().fit(data.take(np.arange(5)), data.take([4, 5])).seen_ == 2  # a check-in twice in the data is no mistake


def test_the_log_by_time_and_by_user():
    shuffled = world(sorted(ROWS, key=lambda row: row[2]))
    items = pandas.Index(["v0", "v2", "v3", "v4"])
    log = VisitLog.of(shuffled, pandas.Index([2, 1]), items)
    assert log.users.tolist() == [2, 1, 3] and len(log) == 6
    assert log.by_time.item.tolist() == [0, 1, 2, 1, 3, 2] and (np.diff(log.by_time.time) > 0).all()
    assert log.by_user.user.tolist() == [0, 0, 1, 1, 1, 1] and log.by_user.item.tolist() == [2, 3, 0, 1, 1, 2]
    assert log.start.tolist() == [0, 2, 6, 6, 6]
    start, visited = log.visited(np.array([1, 1, 1, 0, 3]), START + DAY * np.array([1, 4, 99, 0, 99]))
    assert start.tolist() == [0, 1, 3, 6, 6, 6] and visited.tolist() == [0, 0, 1, 0, 1, 2]
    assert log.offset(START) == -4 * 3600 and log.offset(START + 13 * DAY) == -5 * 3600
    less = VisitLog.of(world(ROWS[1:4]), pandas.Index([1, 2]), items)
    assert log.contains(less).all() and less.contains(log).tolist() == [False, True, True, True, False, False]


def test_lists(model, ids):
    table = model.recommend([ids(2), ids(1), ids(2)], "2012-07-05 12:00", k=2)
    assert list(table.columns) == ["user", "rank", "item", "score"]
    assert table["user"].tolist() == [ids(2)] * 2 + [ids(1)] * 2 + [ids(2)] * 2 and table["rank"].tolist() == [1, 2] * 3
    assert table["item"].tolist() == ["v0", "v2"] * 3 and table["score"].tolist() == [0.0, -1.0] * 3
    assert model.recommend(ids(1), "2012-07-05", 4)["item"].tolist() == ["v0", "v2", "v3", "v4"]
    assert model.clone(start=1.5).fit(world(ROWS[:5], ids)).recommend(ids(1), "2012-07-05", 4)["item"].tolist() == \
        ["v2", "v3", "v0", "v4"]  # equal scores in the order of ids


def test_a_list_is_for_a_local_time(data, ids):
    """The log counts until that moment, strictly; UTC is that of the nearest check-in."""
    model = Near(own=100.0).fit(data.take(np.arange(5)), log=data)
    texts = ["2012-07-03 19:59:59", "2012-07-03 20:00:00", "2012-07-03 20:00:01"]  # UTC - 4: the visit of day 3 is at 20:00
    tops = [model.recommend(ids(1), at, 1)["score"][0] for at in texts]
    assert tops == [100.0, 100.0, 199.0]
    assert model.recommend([ids(1)] * 3, texts, 1)["score"].tolist() == tops
    for at in (np.datetime64(texts[2]), datetime.datetime(2012, 7, 3, 20, 0, 1), pandas.Timestamp(texts[2]),
               START + 3 * DAY - 4 * 3600 + 1, np.int64(START + 3 * DAY - 4 * 3600 + 1), texts[2].replace(" ", "T")):
        assert model.recommend(ids(1), at, 1)["score"].tolist() == [199.0]
    winter = START + 13 * DAY - 5 * 3600  # UTC - 5
    assert [model.recommend(ids(1), winter + s, 4)["score"].tolist()[2] for s in (0, 1)] == [-2.0, 98.0]


def test_what_lists_leave_out(data, model, ids):
    at = "2012-07-03 12:00"  # user 1 has been in v0 and v2, user 2 in v3
    new = model.recommend([ids(1), ids(2)], at, 3, exclude="visited")
    assert new["item"].tolist() == ["v3", "v4", "v0", "v2", "v4"] and new["rank"].tolist() == [1, 2, 1, 2, 3]
    assert model.recommend(ids(1), at, 4, exclude=["v2", "v4"])["item"].tolist() == ["v0", "v3"]
    assert model.recommend(ids(1), at, 4, exclude=[])["item"].tolist() == ["v0", "v2", "v3", "v4"]
    assert model.recommend(ids(1), at, 4, category="Bar")["item"].tolist() == ["v0", "v2"]
    assert model.recommend(ids(1), at, 4, category="Bar", exclude="visited").empty
    assert model.base_.tolist() == [0, -1, -2, -3]  # a model's own arrays are left alone


@pytest.mark.parametrize("arguments, error, message", [
    ({"users": 9}, KeyError, "user '?9'? has no check-in in the log, want one of its 2 users, such as"),
    ({"k": 0}, ValueError, "k=0"),
    ({"k": 5}, ValueError, "got k=5 and a catalogue of 4 venues, want k <= 4"),
    ({"at": "2012-06-30 19:59"}, ValueError, "2012-06-30 19:59 is out of range: the check-ins are from 2012-06-30 20:00 to "
     "2012-07-04 20:00 local time"),
    ({"at": "2013-07-05 20:00"}, ValueError, "2013-07-05 20:00 is out of range"),
    ({"at": ["2012-07-01"] * 2}, ValueError, "got 2 times for 1 users"),
    ({"at": "tomorrow"}, ValueError, "got the time 'tomorrow', want local time without a zone"),
    ({"at": "2012-07-01T12:00+02:00"}, ValueError, "without a zone"),
    ({"at": pandas.NaT}, ValueError, "got the time NaT"),
    ({"at": 1.5}, ValueError, "got the time 1.5"),
    ({"at": True}, ValueError, "got the time True"),
    ({"at": None}, ValueError, "got the time None"),
    ({"exclude": "seen"}, ValueError, "got exclude='seen', want 'visited', a list"),
    ({"exclude": ["v0", "v1"]}, KeyError, "exclude has 'v1', which is none of the 4 venues"),
    ({"category": "Cafe"}, KeyError, "the category 'Cafe'; did you mean 'Café'"),
    ({"category": "Zoo!"}, KeyError, "the category 'Zoo!', want a category_name of venues_"),
])
def test_lists_that_cannot_be_made(model, ids, arguments, error, message):
    arguments = {"users": 1, "at": "2012-07-03", "k": 2, **arguments}
    arguments["users"] = ids(arguments["users"])
    with pytest.raises(error, match=message):
        model.recommend(**arguments)
    assert len(model.recommend(ids(1), "2013-07-04 20:00", 2)) == 2  # a year after the last


def test_scores_that_are_no_numbers_are_in_no_list(model, ids):
    model.base_[1] = np.nan
    with pytest.raises(FloatingPointError, match="Near gives nan or inf scores"):
        model.recommend(ids(1), "2012-07-03", 2)


def test_mistakes_are_named(data, model):
    train, test = data.take(np.arange(5)), data.take([5, 6, 7])
    with pytest.raises(TypeError, match="Near.fit: got train of type DataFrame, want CheckIns"):
        Near().fit(train.frame)
    with pytest.raises(TypeError, match="Near.fit: got valid of type str"):
        Near().fit(train, "valid")
    nothing = train.take([])
    for what, given in (("train", (nothing,)), ("valid", (train, nothing)), ("log", (train, None, nothing))):
        with pytest.raises(ValueError, match=f"Near.fit: {what} has no check-ins"):
            Near().fit(*given)
    with pytest.raises(ValueError, match=r"valid holds all of train.*log="):
        Near().fit(train, data)
    with pytest.raises(ValueError, match=r"Near.fit: log lacks check-ins of train.*log=split.data"):
        Near().fit(train, log=test)
    with pytest.raises(ValueError, match="Near.streaming: log lacks check-ins of train"):
        model.streaming(data.take(np.arange(1, 8)))
    with pytest.raises(TypeError, match="Near.streaming: got log of type"):
        model.streaming(data.frame)
    for ask in (lambda: Near().streaming(data), lambda: Near().frozen(), lambda: Near().recommend(1, "2012-07-03")):
        with pytest.raises(NotFittedError, match=r"Near is not fitted yet: call fit\(train\) first"):
            ask()


def test_a_failed_fit_leaves_no_half_fitted_model(data, model, monkeypatch):
    monkeypatch.setattr(Near, "_fit", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.fit(data)
    with pytest.raises(NotFittedError):
        model.scores([1], [0], [0])


def test_files(data, model, tmp_path, ids):
    path = tmp_path / "near.npz"
    model.streaming(data).save(path)
    again = Near.load(path)
    assert again.size_ == 6 and again.trained_.tolist() == [True] * 5 + [False] and again.users_.tolist() == [ids(1), ids(2)]
    assert again.log_.users.tolist() == [ids(1), ids(2), ids(3)] and again.base_.tolist() == model.base_.tolist()
    assert again.venues_["category"].isna().tolist() == [False, False, True, False]
    with np.load(path, allow_pickle=False) as file:
        assert all(not file[name].dtype.hasobject for name in file.files)
    with pytest.raises(CheckpointError, match="holds a Near, not a Recommender; call load on the class"):
        Recommender.load(path)
    with pytest.raises(CheckpointError, match="not a GlobalMean"):
        GlobalMean.load(path)
    tree = load(path)
    for key in ("venues", "log", "trained", "items"):
        save({name: value for name, value in tree.items() if name != key}, path)
        with pytest.raises(CheckpointError, match=f"it lacks '{key}'"):
            Near.load(path)
    with pytest.raises(NotFittedError):
        Near().save(path)


def test_a_base_class_is_no_model(data):
    with pytest.raises(NotImplementedError, match="CheckInRecommender defines no _fit"):
        CheckInRecommender().fit(data)
    with pytest.raises(NotImplementedError, match="defines no _scores"):
        CheckInRecommender()._scores(None, None, None)
