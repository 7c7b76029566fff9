"""What every model inherits, on a model whose scores are known: ids, lists, ties, parameters, files."""

import numpy as np
import pandas
import pytest

from recmodels import Interactions
from recmodels.models import BiasedMF, Biases, GlobalMean
from recmodels.recommender import NotFittedError, Recommender
from tinydl.training import CheckpointError, load, save


class Popular(Recommender):
    """Score = how often the item was rated, plus `bonus` for what the user rated himself; unknown items score nan."""

    def __init__(self, bonus=0.0, sizes=(1, 2)):
        self.bonus, self.sizes = bonus, sizes

    def _fit(self, users, items, ratings, valid):
        if self.bonus == "break":
            raise RuntimeError("broken on purpose")
        self.count_ = np.bincount(items, minlength=len(self.items_)).astype(float)
        self.own_ = np.zeros((len(self.users_), len(self.items_)))
        self.own_[users, items] = self.bonus
        self.count_[0], self.pairs_ = np.nan, 0

    def _score(self, users, items):
        self.pairs_ += len(users)
        return self.count_[items] + self.own_[users, items]

    def _state(self):
        return {"count": self.count_, "own": self.own_}

    def _restore(self, state):
        self.count_, self.own_, self.pairs_ = state["count"], state["own"], 0


def ratings(user, item, rating=None, **options):
    return Interactions(pandas.DataFrame({"user": user, "item": item, "rating": rating or [3.0] * len(user)}), **options)


@pytest.fixture(params=["numbers", "strings"])
def data(request):
    """Items 10, 20, 30, 40 rated 2, 3, 2, 1 times; user 9 and item 50 are known by name only."""
    user, item = [1, 1, 2, 2, 3, 3, 3, 1], [10, 20, 20, 30, 20, 30, 40, 10]
    users, items = [1, 2, 3, 9], [10, 20, 30, 40, 50]
    if request.param == "strings":
        user, item, users, items = ([str(x) for x in xs] for xs in (user, item, users, items))
    return ratings(user, item, users=pandas.DataFrame(index=users), items=pandas.DataFrame(index=items), rating_range=(1, 5))


def kind(data):
    return type(data.frame["user"].tolist()[0])


def lists(table):
    """{user: [(item as a number, score), ...]} in the order of ranks; the ranks must count from 1."""
    assert list(table.columns) == ["user", "rank", "item", "score"] and table["rank"].dtype == np.int64
    assert table.index.tolist() == list(range(len(table)))
    made = {}
    for user, group in table.groupby("user", sort=False, dropna=False):
        assert group["rank"].tolist() == list(range(1, len(group) + 1))
        made[user] = [(int(i), s) for i, s in zip(group["item"], group["score"], strict=True)]
    return made


# ---------------------------------------------------------------- recommend
def test_recommend_leaves_out_the_seen_and_the_never_rated(data):
    model, as_id = Popular().fit(data), kind(data)
    got = lists(model.recommend([as_id(1), as_id(3), as_id(2)], k=10))
    assert got == {as_id(1): [(30, 2), (40, 1)], as_id(3): [(10, 2)], as_id(2): [(10, 2), (40, 1)]}
    assert list(got) == [as_id(1), as_id(3), as_id(2)]
    everything = [(20, 3), (10, 2), (30, 2), (40, 1)]  # the tie of 10 and 30 in the order of ids; 50 is no candidate
    assert lists(model.recommend([as_id(1)], exclude_seen=False)) == {as_id(1): everything}
    assert lists(model.recommend([as_id(9)])) == {as_id(9): everything}
    assert isinstance(model.recommend([as_id(1)])["item"].tolist()[0], as_id)


def test_a_user_who_has_seen_everything_gets_an_empty_list():
    model = Popular().fit(ratings([1, 1, 2], [7, 8, 7]))
    assert lists(model.recommend([1, 2])) == {2: [(8, 1)]}
    assert lists(model.recommend([1])) == {}


def test_unknown_users_get_the_average_list(data):
    table = Popular(bonus=5.0).fit(data).recommend([None, "nobody", 77.5], k=2)
    assert table["item"].astype(int).tolist() == [20, 10] * 3 and table["score"].tolist() == [3, 2] * 3
    assert table["user"].isna().tolist() == [True] * 2 + [False] * 4 and table["user"].tolist()[2] == "nobody"


def test_a_single_user_and_a_user_named_twice(data):
    model, as_id = Popular().fit(data), kind(data)
    one = model.recommend(as_id(2), k=1)
    assert one["item"].astype(int).tolist() == [10]
    twice = model.recommend([as_id(2), as_id(3), as_id(2)], k=1)
    assert twice["user"].tolist() == [as_id(2), as_id(3), as_id(2)] and twice["rank"].tolist() == [1, 1, 1]


def test_no_users_no_rows(data):
    table = Popular().fit(data).recommend([])
    assert len(table) == 0 and list(table.columns) == ["user", "rank", "item", "score"]


@pytest.mark.parametrize("k", [0, -1, 2.5, 3.0, "3", None, np.nan])
def test_k_is_a_whole_number(data, k):
    with pytest.raises(ValueError, match="recommend: got k=.*, want a whole number of at least 1"):
        Popular().fit(data).recommend([1], k=k)


def test_k_cuts_and_may_exceed_the_catalogue(data):
    model, as_id = Popular().fit(data), kind(data)
    for k in (1, 2, np.int64(3), 4, 5, 10**9):
        assert len(model.recommend([as_id(9)], k=k)) == min(k, 4)


def test_many_users_are_scored_once_a_pair_and_in_blocks(rng):
    """200 users x 700 items is more than one block; every list equals the one made alone."""
    user, item = rng.integers(0, 200, 3000), np.r_[np.arange(700), rng.integers(0, 700, 2300)]
    model = Popular(bonus=0.5).fit(ratings(user, item))
    everybody = np.unique(user)
    together = model.recommend(everybody, k=700)
    assert model.pairs_ == len(everybody) * 700
    alone = pandas.concat([model.recommend(u, k=700) for u in everybody], ignore_index=True)
    pandas.testing.assert_frame_equal(together, alone)
    for u in (everybody[0], everybody[-1]):
        seen = set(item[user == u])
        count = np.bincount(item)
        want = sorted((i for i in range(700) if i not in seen), key=lambda i: (-count[i], i))  # ties by id
        assert together["item"][together["user"] == u].tolist() == want


def test_scores_that_are_nan_are_an_error(data):
    model, as_id = Popular().fit(data), kind(data)
    with pytest.raises(FloatingPointError, match="Popular gives nan or inf scores"):
        model.predict([as_id(1)], ["unknown"])
    model.count_[:] = np.inf
    with pytest.raises(FloatingPointError, match="was its training stable"):
        model.recommend([as_id(1)])


# ---------------------------------------------------------------- predict
def test_predict_takes_pairs_frames_and_interactions(data):
    model, as_id = Popular(bonus=1.0).fit(data), kind(data)
    want = np.clip([3, 4, 4, 3, 4, 3, 2, 3], 1, 5)  # the item's count + 1, by row
    np.testing.assert_array_equal(model.predict(data), want)
    np.testing.assert_array_equal(model.predict(data.frame), want)
    np.testing.assert_array_equal(model.predict(data.frame["user"], data.frame["item"]), want)
    np.testing.assert_array_equal(model.predict(data.frame["user"].tolist(), data.frame["item"].tolist()), want)
    np.testing.assert_array_equal(model.predict(np.array([as_id(9), as_id(1)]), np.array([as_id(20), as_id(50)])), [3, 1])
    assert model.predict([], []).shape == (0,)


def test_predictions_are_clipped_to_the_scale():
    model = Popular(bonus=-2.0).fit(ratings([1, 1, 2, 3, 4, 5, 6], [7, 8, 7, 7, 7, 7, 7], rating_range=(2, 4)))
    np.testing.assert_array_equal(model.predict([1, 9, 9], [8, 8, 7]), [2, 2, 4])  # -1, 1 and 6
    assert model.recommend(9)["score"].tolist() == [6, 1]


@pytest.mark.parametrize("given, message", [
    (([1, 2], [3]), r"users of shape \(2,\) and items of shape \(1,\), want two lists of the same length"),
    ((1, 2), r"users of shape \(\)"),
    (([1, 2],), "got a list without user and item, want predict"),
    ((pandas.DataFrame({"user": [1]}),), "got a DataFrame without item, want predict"),
])
def test_predict_says_what_it_wants(data, given, message):
    with pytest.raises(ValueError, match=message):
        Popular().fit(data).predict(*given)


# ---------------------------------------------------------------- fit
def test_not_fitted():
    for use in (lambda m: m.predict([1], [1]), lambda m: m.recommend([1]), lambda m: m.save("x"),
                lambda m: m.num_parameters()):
        with pytest.raises(NotFittedError, match=r"Popular is not fitted yet: call fit\(train\) first"):
            use(Popular())


def test_a_fit_that_failed_leaves_an_unfitted_model(data):
    model = Popular().fit(data)
    model.bonus = "break"
    with pytest.raises(RuntimeError, match="on purpose"):
        model.fit(data)
    with pytest.raises(NotFittedError):
        model.predict(data)


def test_fit_takes_a_frame_and_names_what_is_wrong(data):
    frame = data.frame
    np.testing.assert_array_equal(Biases().fit(frame).predict(frame), Biases().fit(Interactions(frame)).predict(frame))
    for bad, message in ((frame.rename(columns={"item": "movie"}), "want user, item and rating"),
                         (frame.assign(rating=np.nan), "rating in row 0 is nan"),
                         (frame.iloc[:0], "empty")):
        with pytest.raises(ValueError, match=message):
            Biases().fit(bad)
    with pytest.raises(TypeError, match="Biases.fit: got train of type ndarray, want Interactions or a DataFrame"):
        Biases().fit(frame.to_numpy())
    with pytest.raises(ValueError, match="Biases.fit: train has no ratings"):
        Biases().fit(data.take([]))
    with pytest.raises(ValueError, match="Biases.fit: valid has no ratings.*leave it out"):
        Biases().fit(data, valid=data.take([]))


def test_fitting_again_forgets_the_first_data(data):
    other = ratings([5, 6], [60, 70], [1.0, 2.0])
    again, fresh = Biases().fit(data).fit(other), Biases().fit(other)
    np.testing.assert_array_equal(again.predict([5, 6, 1], [70, 60, 20]), fresh.predict([5, 6, 1], [70, 60, 20]))
    pandas.testing.assert_frame_equal(again.recommend([5]), fresh.recommend([5]))
    assert again.rating_range_ == (1, 2)


def test_the_mean_is_exact():
    """A mean of float32 numbers, taken in float32, would be off in the eighth digit."""
    r = [4.1] * 3 + [2.7] * 4
    assert Popular().fit(ratings([1] * 7, range(7), r)).mean_ == pytest.approx(np.float32(r).astype(float).mean(), rel=1e-15)


# ---------------------------------------------------------------- parameters
def test_parameters_clone_and_repr(data):
    model = Popular(bonus=2.0).fit(data)
    assert model.get_params() == {"bonus": 2.0, "sizes": (1, 2)}
    assert repr(model) == "Popular(bonus=2.0, sizes=(1, 2))"
    clone = model.clone(sizes=(3,))
    assert clone.get_params() == {"bonus": 2.0, "sizes": (3,)} and model.sizes == (1, 2)
    with pytest.raises(NotFittedError):
        clone.predict(data)
    with pytest.raises(TypeError, match="Popular has no parameter 'bonsu', only bonus, sizes"):
        model.clone(bonsu=1)


def test_refit_is_a_new_model(data):
    model = Popular(bonus=1.0).fit(data.take(range(4)))
    again = model.refit(data)
    np.testing.assert_array_equal(again.predict(data), Popular(bonus=1.0).fit(data).predict(data))
    assert model.count_[1] == 1 and again.count_[1] == 2


# ---------------------------------------------------------------- files
def test_save_and_load(tmp_path, data):
    model, as_id = Popular(bonus=2.0, sizes=[3, 4]).fit(data), kind(data)
    model.save(tmp_path / "model.npz")
    for reader in (Recommender, Popular):
        again = reader.load(tmp_path / "model.npz")
        assert type(again) is Popular and again.get_params() == {"bonus": 2.0, "sizes": (3, 4)}
        np.testing.assert_array_equal(again.predict(data), model.predict(data))
        for exclude_seen in (True, False):
            everybody = [as_id(3), as_id(1), as_id(9), "nobody"]
            pandas.testing.assert_frame_equal(again.recommend(everybody, exclude_seen=exclude_seen),
                                              model.recommend(everybody, exclude_seen=exclude_seen))
        assert again.rating_range_ == model.rating_range_ and again.mean_ == model.mean_


def test_nothing_is_pickled(tmp_path, data):
    Popular().fit(data).save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)


def test_load_checks_the_class(tmp_path, data):
    GlobalMean().fit(data).save(tmp_path / "model.npz")
    with pytest.raises(CheckpointError, match="holds a GlobalMean, not a Popular; call load on the class"):
        Popular.load(tmp_path / "model.npz")
    assert isinstance(Recommender.load(tmp_path / "model.npz"), GlobalMean)


@pytest.mark.parametrize("module, name", [("os", "system"), ("recmodels.__main__", "main"), ("builtins", "dict"),
                                          ("recmodels.models.nothing", "X"), ("recmodels.models", "MODELS")])
def test_a_file_cannot_name_code_to_run(tmp_path, data, module, name):
    Popular().fit(data).save(tmp_path / "model.npz")
    tree = load(tmp_path / "model.npz")
    save({**tree, "class": [module, name]}, tmp_path / "model.npz")
    with pytest.raises(CheckpointError, match=f"holds a {name}, not a Recommender"):
        Recommender.load(tmp_path / "model.npz")


def test_other_files_and_damaged_files(tmp_path, data):
    path = tmp_path / "model.npz"
    for tree in ({"weights": np.zeros(3)}, [1, 2], {"class": 3}, {"class": [1, 2]},
                 {"class": [Popular.__module__, "Popular"]}):
        save(tree, path)
        with pytest.raises(CheckpointError, match="is a checkpoint, but not of a recommender"):
            Recommender.load(path)
    model = BiasedMF(k=2, epochs=1).fit(data)
    model.save(path)
    tree = load(path)
    for change in ({"params": {"k": 3}}, {"params": {"rank": 3}}, {"model": {}}, {"users": {"fields": []}}):
        save({**tree, **change}, path)
        with pytest.raises(CheckpointError, match="fit the model again and save it"):
            Recommender.load(path)
    with pytest.raises(FileNotFoundError):
        Recommender.load(tmp_path / "nothing.npz")
    path.write_text("no model")
    with pytest.raises(CheckpointError, match="damaged or not a checkpoint"):
        Recommender.load(path)


def test_every_damaged_byte_is_noticed(tmp_path, data):
    """A byte changed anywhere gives the same model (padding) or a CheckpointError, never another model."""
    path = tmp_path / "model.npz"
    model = Biases().fit(data)
    model.save(path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 97):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        try:
            again = Recommender.load(path)
        except CheckpointError:
            continue
        np.testing.assert_array_equal(again.predict(data), model.predict(data))
    for size in range(0, len(whole), 501):
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError):
            Recommender.load(path)


def test_a_folder_that_cannot_be_written(tmp_path, data):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "nowhere" / "model.npz", tmp_path / "file" / "model.npz"):
        with pytest.raises(OSError, match="cannot write .*choose a folder that exists and is writable"):
            Popular().fit(data).save(path)
