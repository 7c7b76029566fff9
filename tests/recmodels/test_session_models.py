"""One contract for all models of sessions, the baselines against their definitions, the networks against theirs."""

import numpy as np
import pytest

import tinydl
from recmodels.catalogue_loss import catalogue_cross_entropy
from recmodels.datasets import Sessions, synthetic_sessions
from recmodels.estimator import NotFittedError
from recmodels.models import SESSION_MODELS, FactorizationMachine
from recmodels.models.session_baselines import SessionItemKNN, SessionKNN, SessionMarkov, SessionPopularity
from recmodels.models.session_gru4rec import GRU4Rec, GRU4RecNetwork
from recmodels.models.session_narm import NARM, NARMNetwork
from recmodels.models.session_sasrec import SASRec, SASRecNetwork
from recmodels.models.session_stamp import STAMP, STAMPNetwork
from recmodels.models.session_two_readers import TwoReaders, TwoReadersNetwork
from recmodels.session_neural import SessionBatches, packed, pairs, unpacked
from recmodels.session_recommender import CodedSessions, SessionRecommender
from tinydl import Tensor, gradcheck
from tinydl.training import CheckpointError

SMALL = {"k": 6, "epochs": 1, "batch_size": 32, "lr": 0.01, "longest": 8}
NEURAL = [name for name in SESSION_MODELS if "k" in SESSION_MODELS[name]().get_params()]
QUESTIONS = [[3, 8, 3], [5], [1, 2, 4, 9], [7, 7], [20, 3, 8, 11, 12, 4, 2, 9, 10, 1]]


def make(name, **changes):
    model = SESSION_MODELS[name]()
    return model.clone(**{**{key: value for key, value in SMALL.items() if key in model.get_params()}, **changes})


@pytest.fixture(scope="module")
def split():
    return synthetic_sessions(sessions=240, items=24, rng=0)


@pytest.fixture(scope="module")
def fitted(split):
    """fitted(name) -> the small model fitted to split.train with split.valid, once for all tests; nobody changes it."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = make(name).fit(split.train, split.valid)
        return made[name]
    return get


# ---------------------------------------------------------------- the contract
@pytest.mark.parametrize("name", SESSION_MODELS)
def test_another_session_of_the_block_never_matters(name, fitted, split):
    model = fitted(name)
    assert model.items_.tolist() == split.train.items_seen.tolist()
    y = model.scores(QUESTIONS)
    assert y.shape == (5, len(model.items_)) and y.dtype.kind == "f" and np.isfinite(y).all()
    for n, question in enumerate(QUESTIONS):
        np.testing.assert_allclose(model.scores([question])[0], y[n], rtol=1e-4, atol=1e-6)
    order = [3, 0, 4, 1, 2]
    np.testing.assert_allclose(model.scores([QUESTIONS[n] for n in order]), y[order], rtol=1e-4, atol=1e-6)
    assert model.scores([]).shape == (0, len(model.items_))


@pytest.mark.parametrize("name", SESSION_MODELS)
def test_unknown_items_are_passed_over_and_who_is_left_with_none_gets_what_is_popular(name, fitted, split):
    model = fitted(name)
    y = model.scores([[3, 999, 8, 3], [-1, 5], [999], [1, 2, 4, 9, 1000]])
    np.testing.assert_allclose(y[[0, 1, 3]], model.scores([[3, 8, 3], [5], [1, 2, 4, 9]]), rtol=1e-4, atol=1e-6)
    assert y[2].tolist() == [np.sum(split.train.items == i) for i in model.items_]


@pytest.mark.parametrize("name", SESSION_MODELS)
def test_lists(name, fitted):
    model = fitted(name)
    y = model.scores(QUESTIONS)
    table = model.recommend(QUESTIONS, k=4)
    assert table.columns.tolist() == ["session", "rank", "item", "score"] and len(table) == 20
    for n in range(5):
        mine = table[table["session"] == n]
        assert mine["item"].tolist() == model.items_[np.argsort(-y[n], kind="stable")[:4]].tolist()
    unseen = model.recommend(QUESTIONS, k=24 - 2, exclude="seen")
    for n, question in enumerate(QUESTIONS):
        assert not unseen[unseen["session"] == n]["item"].isin(question).any()
    assert len(unseen[unseen["session"] == 4]) == len(model.items_) - 10
    assert not model.recommend(QUESTIONS, k=5, exclude=[3, 8])["item"].isin([3, 8]).any()


@pytest.mark.parametrize("name", SESSION_MODELS)
def test_a_saved_model_is_the_same_and_a_seed_repeats_it(name, fitted, split, tmp_path):
    model = fitted(name)
    model.save(tmp_path / "model.npz")
    again = SessionRecommender.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.scores(QUESTIONS), model.scores(QUESTIONS))
    assert repr(again) == repr(model) and again.num_parameters() == model.num_parameters()
    np.testing.assert_array_equal(make(name).fit(split.train, split.valid).scores(QUESTIONS), model.scores(QUESTIONS))
    with pytest.raises(CheckpointError, match="not a FactorizationMachine"):
        FactorizationMachine.load(tmp_path / "model.npz")


@pytest.mark.parametrize("name", SESSION_MODELS)
def test_a_refit_is_fitted_to_more_and_takes_the_epochs(name, fitted, split):
    again = fitted(name).refit(split.refit)
    assert again.items_.tolist() == split.refit.items_seen.tolist() and again is not fitted(name)
    assert not np.array_equal(again.scores([[3, 8]]), fitted(name).scores([[3, 8]]))
    assert getattr(again, "best_epoch_", None) == getattr(fitted(name), "best_epoch_", None)


def test_what_cannot_be_is_refused(split, fitted):
    model = fitted("session-markov")
    with pytest.raises(NotFittedError, match="not fitted"):
        SessionMarkov().scores([[1]])
    for call, error in ((lambda: model.scores([[1], []]), "session 1 is empty.*lists of item ids"),
                        (lambda: model.scores([1, 2]), r"list 0 has shape \(\)"),
                        (lambda: model.scores(3), "want Sessions, or"),
                        (lambda: model.recommend([[1]], k=25), "k=25 and a catalogue of 24"),
                        (lambda: model.recommend([[1]], exclude="visited"), "want 'seen'"),
                        (lambda: make("sasrec").fit(Sessions.of([[1], [2]])), "train has no session of two items"),
                        (lambda: make("sasrec").fit(split.train, split.train), "valid's sessions are all in train"),
                        (lambda: make("sasrec").fit(split.train, Sessions([-1], [0, 2], [10**6, 10**6 + 1])),
                         "no session with two items of train")):
        with pytest.raises(ValueError, match=error):
            call()
    with pytest.raises(TypeError, match="got train of type list, want Sessions"):
        make("sasrec").fit([[1, 2]])
    with pytest.raises(KeyError, match="exclude has 99, which is none"):
        model.recommend([[1]], exclude=[3, 99])


@pytest.mark.parametrize("name, change, error", [
    ("session-popularity", {"own": -1}, "own=-1"), ("session-markov", {"backoff": -1}, "backoff=-1"),
    ("session-item-knn", {"decay": 1.5}, "decay=1.5"), ("session-item-knn", {"shrink": -1}, "shrink=-1"),
    ("session-knn", {"neighbours": 0}, "neighbours=0"), ("session-knn", {"decay": -1}, "decay=-1"),
    *((name, {"k": 0}, "k=0, want a whole number") for name in NEURAL), ("narm", {"dropout": 1.0}, "dropout=1.0"),
    ("stamp", {"smoothing": -0.1}, "smoothing=-0.1"), ("gru4rec", {"longest": 1.5}, "longest=1.5"),
    ("narm", {"recent": -1}, "recent=-1"), ("sasrec", {"heads": 4}, "heads that divide k"),
    ("sasrec", {"blocks": 0}, "blocks=0"),
    ("two-readers", {"readers": ("attention",)}, "want two of attention, recurrence"),
    ("two-readers", {"readers": ("attention", "gru")}, "got readers=.*'gru'"),
    ("two-readers", {"k": 5, "heads": 2}, "TwoReaders: got k=5")])
def test_wrong_parameters_are_refused(split, name, change, error):
    with pytest.raises(ValueError, match=error):
        make(name, **change).fit(split.train)


def test_the_category_of_an_item_is_that_of_most_of_its_clicks():
    model = SessionMarkov().fit(Sessions.of([[4, 2, 4], [2, 4, 9]], [[30, 10, 20], [10, 30, 20]]))
    assert model.category_.tolist() == [0, 2, 1]
    assert SessionMarkov().fit(Sessions.of([[4, 2], [2, 4]])).category_.tolist() == [0, 0]


# ---------------------------------------------------------------- baselines against their definitions
TRAIN = [[1, 2, 3], [2, 3], [3, 1, 2, 2], [4, 1], [2, 4, 3]]


def test_popularity_and_markov():
    data = Sessions.of(TRAIN)
    y = SessionPopularity(own=2.0).fit(data).scores([[1, 4, 1]])
    np.testing.assert_allclose(y, [[3 / 14 + 4, 5 / 14, 4 / 14, 2 / 14 + 2]])
    after = {1: [2, 2], 2: [3, 3, 2, 4], 3: [1], 4: [1, 3]}
    y = SessionMarkov(backoff=0.1).fit(data).scores([[4, i] for i in (1, 2, 3, 4)])
    for row, i in zip(y, after, strict=True):
        want = [after[i].count(j) / len(after[i]) + 0.1 * n / 14 for j, n in ((1, 3), (2, 5), (3, 4), (4, 2))]
        np.testing.assert_allclose(row, want)


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0])
def test_item_knn(decay):
    y = SessionItemKNN(decay=decay, shrink=2.0).fit(Sessions.of(TRAIN)).scores([[1, 3, 1, 4]])[0]
    sets = [set(one) for one in TRAIN]
    n = {i: sum(i in one for one in sets) for i in (1, 2, 3, 4)}

    def similar(i, j):
        return 0 if i == j else sum(i in one and j in one for one in sets) / np.sqrt((n[i] + 2) * (n[j] + 2))
    want = [similar(i, 4) + decay * similar(i, 1) + decay**2 * similar(i, 3) for i in (1, 2, 3, 4)]  # 1 at its last place
    np.testing.assert_allclose(y, want)


@pytest.mark.parametrize("decay", [0.0, 1.5])
@pytest.mark.parametrize("neighbours", [1, 2, 10])
def test_session_knn(rng, decay, neighbours):
    train = [rng.integers(1, 9, rng.integers(2, 6)).tolist() for _ in range(30)] + [[1, 2, 3, 4, 5, 6, 7, 8]]
    query = [2, 5, 2, 7]
    y = SessionKNN(neighbours, decay).fit(Sessions.of(train)).scores([query, [1]])[0]
    weight = {7: 1.0, 2: 2.0**-decay, 5: 3.0**-decay}
    similar = [sum(w for i, w in weight.items() if i in one) / np.sqrt(3 * len(set(one))) for one in train]
    least = sorted(similar)[-neighbours]
    want = [sum(s for s, one in zip(similar, train, strict=True) if i in one and s >= least - 1e-12) for i in range(1, 9)]
    np.testing.assert_allclose(y, want, rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------- layouts
def test_rows_are_packed_and_paired_by_session(rng):
    lengths = np.array([2, 4, 1, 3])
    x = tinydl.tensor(rng.normal(size=(10, 3)), requires_grad=True)
    sequence, order = packed(x, lengths)
    assert sequence.batch_sizes.tolist() == [4, 3, 2, 1] and order.tolist() == [2, 7, 0, 6, 3, 8, 1, 4, 9, 5]
    np.testing.assert_array_equal(unpacked(sequence, order).detach().numpy(), x.detach().numpy())
    query, key = pairs(lengths)
    session = np.repeat(np.arange(4), lengths)
    assert list(zip(query, key, strict=True)) == [(t, j) for t in range(10) for j in range(10)
                                                  if j <= t and session[j] == session[t]]


def test_a_batch_is_what_came_and_what_came_next():
    data = SessionBatches(CodedSessions(np.array([0, 3, 4, 9]), np.array([5, 6, 7, 1, 2, 3, 4, 5, 6])), longest=3, recent=2)
    assert len(data) == 2  # a session of one item has no next one
    items, lengths, target = data[np.array([1, 0])]
    assert items.tolist() == [3, 4, 5, 5, 6] and lengths.tolist() == [3, 2]
    assert target.tolist() == [[4, 3, -1], [5, 4, 3], [6, 5, 4], [6, 5, -1], [7, 6, 5]]
    assert data[:1][0].tolist() == [5, 6]


# ---------------------------------------------------------------- networks
ITEMS, LENGTHS, CATEGORY = np.array([3, 1, 3, 0, 4, 2, 1]), np.array([2, 1, 4]), np.array([0, 1, 1, 0, 2])


def network(kind, rng, category=CATEGORY, dropout=0.0):
    if kind is SASRecNetwork:
        made = kind(5, category, 3, 4, 2, 2, 5, dropout, rng)
    elif kind is TwoReadersNetwork:
        made = kind(5, category, 3, 4, ("attention", "recurrence"), 2, 2, 5, dropout, rng).eval()
    else:
        made = kind(5, category, 3, 4, dropout, rng)
    for p in made.parameters():
        p._writable("test")[...] = rng.normal(0, 0.5, p.shape)
    return made


KINDS = [GRU4RecNetwork, NARMNetwork, STAMPNetwork, SASRecNetwork, TwoReadersNetwork]


@pytest.mark.parametrize("kind", KINDS)
def test_the_future_never_changes_the_past_and_no_session_another(kind, rng, float64):
    net = network(kind, rng)
    h = net(Tensor(ITEMS), Tensor(LENGTHS)).detach().numpy()
    assert h.shape == (7, 4)
    for n in range(7):
        for item in range(5):
            other = ITEMS.copy()
            other[n] = item
            changed = np.abs(net(Tensor(other), Tensor(LENGTHS)).detach().numpy() - h).max(axis=1) > 1e-12
            end = np.cumsum(LENGTHS)[np.searchsorted(np.cumsum(LENGTHS), n, side="right")]
            reached = (np.arange(7) >= n) & (np.arange(7) < end) & (item != ITEMS[n])
            np.testing.assert_array_equal(changed, reached)
    alone = net(Tensor(ITEMS[3:6]), Tensor(np.array([3]))).detach().numpy()
    np.testing.assert_allclose(alone, h[3:6], rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("category", [None, CATEGORY])
def test_gradients_are_finite_differences(kind, category, rng, float64):
    net = network(kind, rng, category)
    inner = [p for p in net.parameters() if p is not net.b and p is not net.r]
    assert gradcheck(lambda *_: net(Tensor(ITEMS), Tensor(LENGTHS)), inner)
    assert gradcheck(lambda *_: net.rank_all(Tensor(ITEMS), Tensor(LENGTHS)), [net.E.weight, net.b, net.r])


def test_an_item_is_its_own_and_its_category_s_embedding(rng, float64):
    net = network(STAMPNetwork, rng)
    want = net.E.weight.detach().numpy() + net.C.weight.detach().numpy()[CATEGORY]
    np.testing.assert_allclose(net.catalogue().detach().numpy(), want)
    np.testing.assert_allclose(net.read(Tensor(ITEMS)).detach().numpy(), want[ITEMS])
    h = net(Tensor(ITEMS), Tensor(LENGTHS)).detach().numpy()[[1, 2, 6]]
    y, r = h @ want.T + net.b.detach().numpy(), net.r.detach().numpy()
    for row, session in enumerate(([3, 1], [3], [0, 4, 2, 1])):
        for a, item in enumerate(session[::-1][:3]):
            y[row, item] += r[a]
    np.testing.assert_allclose(net.rank_all(Tensor(ITEMS), Tensor(LENGTHS)).detach().numpy(), y)


def test_training_and_scoring_have_the_same_scores(rng, float64):
    net = network(GRU4RecNetwork, rng)
    items, lengths, target = SessionBatches(CodedSessions(np.array([0, 5, 8]), np.array([3, 1, 3, 0, 4, 2, 1, 2])), 9, 3)[:2]
    h = net(Tensor(items), Tensor(lengths))
    ends = np.cumsum(lengths) - 1
    loss = catalogue_cross_entropy(h[ends], net.catalogue(), net.b, net.r, target[ends])
    y = net.rank_all(Tensor(items), Tensor(lengths)).detach().numpy()
    np.testing.assert_allclose(loss.item(), np.mean(np.log(np.exp(y).sum(axis=1)) - y[[0, 1], target[ends, 0]]))


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_narm_and_stamp_are_their_formulas(rng, float64):
    net = network(NARMNetwork, rng)
    x = net.catalogue().detach().numpy()
    p = {name: value.detach().numpy() for name, value in net.named_parameters()}
    h = net.gru(tinydl.tensor(x[ITEMS[3:]]))[0].detach().numpy()  # the session of four items
    got = net(Tensor(ITEMS), Tensor(LENGTHS)).detach().numpy()[3:]
    for t in range(4):
        s = sum((p["v.weight"][0] @ _sigmoid(p["A_1.weight"] @ h[t] + p["A_2.weight"] @ h[j])) * h[j] for j in range(t + 1))
        np.testing.assert_allclose(got[t], p["B.weight"] @ np.concatenate([h[t], s]), rtol=1e-9)
    net = network(STAMPNetwork, rng)
    x = net.catalogue().detach().numpy()[ITEMS[3:]]
    p = {name: value.detach().numpy() for name, value in net.named_parameters()}
    got = net(Tensor(ITEMS), Tensor(LENGTHS)).detach().numpy()[3:]
    for t in range(4):
        m = x[:t + 1].mean(axis=0)
        a = [p["w_0.weight"][0] @ _sigmoid(p["W_1.weight"] @ x[j] + p["W_2.weight"] @ x[t] + p["W_3.weight"] @ m
                                           + p["W_1.bias"]) for j in range(t + 1)]
        s = sum(a[j] * x[j] for j in range(t + 1))
        np.testing.assert_allclose(got[t], np.tanh(p["W_s.weight"] @ s + p["W_s.bias"]) * np.tanh(
            p["W_t.weight"] @ x[t] + p["W_t.bias"]), rtol=1e-9)


def test_sasrec_is_its_formula(rng, float64):
    net = SASRecNetwork(5, None, 0, 4, 1, 2, 5, 0.0, rng)
    for p in net.parameters():
        p._writable("test")[...] = rng.normal(0, 0.5, p.shape)
    p = {name.removeprefix("reader."): value.detach().numpy() for name, value in net.named_parameters()}

    def affine(name, x):
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    def norm(name, x):
        z = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
        return z * p[f"{name}.weight"] + p[f"{name}.bias"]
    x = 2 * p["E.weight"][ITEMS[3:]] + p["P.weight"][:4]
    qkv, a = affine("blocks.0.W_qkv", norm("blocks.0.norm_1", x)), np.zeros((4, 4))
    for head in (slice(0, 2), slice(2, 4)):
        q, k, v = (qkv[:, 4 * part:4 * part + 4][:, head] for part in range(3))
        for t in range(4):
            w = np.exp(k[:t + 1] @ q[t] / np.sqrt(2))
            a[t, head] = w @ v[:t + 1] / w.sum()
    x = x + affine("blocks.0.W_o", a)
    x = x + affine("blocks.0.W_2", np.maximum(affine("blocks.0.W_1", norm("blocks.0.norm_2", x)), 0))
    np.testing.assert_allclose(net(Tensor(ITEMS), Tensor(LENGTHS)).detach().numpy()[3:], norm("norm", x), rtol=1e-9)


def test_two_readers_answer_each_by_itself_in_training_and_by_their_mean_after(rng, float64):
    net = TwoReadersNetwork(5, CATEGORY, 3, 4, ("recurrence", "attention"), 1, 2, 5, 0.0, rng)
    h = net(Tensor(ITEMS), Tensor(LENGTHS))
    x = net.read(Tensor(ITEMS))
    alone = [reader(x, LENGTHS).detach().numpy() for reader in net.readers]
    assert [type(reader).__name__ for reader in net.readers] == ["GRUReader", "SelfAttentionReader"]
    np.testing.assert_array_equal(h.detach().numpy(), np.concatenate(alone))
    assert not np.allclose(*alone)
    np.testing.assert_allclose(net.eval()(Tensor(ITEMS), Tensor(LENGTHS)).detach().numpy(), np.mean(alone, axis=0))
    model, target = TwoReaders(smoothing=0.2), np.column_stack([rng.integers(0, 5, 7), rng.integers(-1, 5, (7, 3))])
    model.network_ = net
    got = model._loss(h, Tensor(target)).item()
    parts = [catalogue_cross_entropy(Tensor(one), net.catalogue(), net.b, net.r, target, 0.2).item() for one in alone]
    assert got == pytest.approx(np.mean(parts)) and parts[0] != pytest.approx(parts[1])
    y = net.rank_all(Tensor(ITEMS), Tensor(LENGTHS)).detach().numpy()
    one_by_one = []
    for reader in net.readers:
        net.forward = lambda items, lengths, reader=reader: reader(x, LENGTHS)
        one_by_one.append(net.rank_all(Tensor(ITEMS), Tensor(LENGTHS)).detach().numpy())
    np.testing.assert_allclose(y, np.mean(one_by_one, axis=0))


# ---------------------------------------------------------------- training
@pytest.mark.parametrize("kind, settings", [(GRU4Rec, {"lr": 0.03}), (NARM, {"lr": 0.03}), (STAMP, {}), (SASRec, {}),
                                            (TwoReaders, {})])
def test_it_learns_what_follows_what(kind, settings):
    """Items 0 .. 9 in a circle, upwards where the session begins with an even one, else downwards; no noise."""
    rng = np.random.default_rng(0)
    begin, length = rng.integers(0, 10, 500), rng.integers(3, 7, 500)
    lists = [((b + (1 if b % 2 == 0 else -1) * np.arange(n)) % 10).tolist() for b, n in zip(begin, length, strict=True)]
    model = kind(**{"k": 16, "dropout": 0.0, "smoothing": 0.0, "epochs": 12, "batch_size": 16, "lr": 0.01, **settings})
    model.fit(Sessions.of(lists[:400]))
    hit = model.scores([one[:-1] for one in lists[400:]]).argmax(axis=1) == [one[-1] for one in lists[400:]]
    assert hit.mean() > 0.9
    assert model.history_["train_loss"].iloc[-1] < 0.5 * model.history_["train_loss"].iloc[0]


@pytest.mark.parametrize("name", NEURAL)
def test_every_parameter_has_an_effect(name, split):
    def scores(**changes):
        return make(name, **changes).fit(split.train).scores(QUESTIONS)
    base = scores()
    changes = [{"k": 8}, {"dropout": 0.1}, {"smoothing": 0.5}, {"categories": False}, {"recent": 0}, {"longest": 3},
               {"epochs": 2},
               {"batch_size": 16}, {"lr": 0.02}, {"weight_decay": 5.0}, {"seed": 1}]
    changes += [{"blocks": 2}, {"heads": 2}] if name in ("sasrec", "two-readers") else []
    for change in changes + ([{"readers": ("recurrence", "recurrence")}] if name == "two-readers" else []):
        assert not np.allclose(base, scores(**change), rtol=1e-3), change


def test_validation_chooses_by_the_loss_without_smoothing(split):
    model = make("gru4rec", smoothing=0.5).fit(split.train, split.valid)
    network = model.network_.eval()
    batches = SessionBatches(model._coded(split.valid), model.longest, model.recent)
    items, lengths, target = map(Tensor, batches[np.arange(len(batches))])
    with tinydl.no_grad():
        h = network(items, lengths)
        loss = catalogue_cross_entropy(h, network.catalogue(), network.b, network.r, target, 0.0).item()
    assert model.history_["valid_loss"].min() == pytest.approx(loss, rel=1e-4)


def test_validation_chooses_the_epoch(split):
    model = make("sasrec", epochs=8, patience=1, lr=0.5, seed=1).fit(split.train, split.valid)
    assert model.best_epoch_ == model.history_["valid_loss"].idxmin() == len(model.history_) - 1 < 7
    assert len(model.refit(split.refit).history_) == model.best_epoch_
    with tinydl.no_grad():
        items, lengths, target = (Tensor(a) for a in SessionBatches(model._coded(split.valid), 8, 10)[np.arange(36)])
        assert model._loss(model.network_(items, lengths), target).item() == pytest.approx(
            model.history_["valid_loss"].min(), rel=1e-4)
