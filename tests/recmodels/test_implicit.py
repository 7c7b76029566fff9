"""Implicit feedback: one contract for all models, networks against their formulas, evaluation against plain loops, leaks."""

import numpy as np
import pandas
import pytest

from recmodels import Interactions, user_random_split
from recmodels.estimator import NotFittedError
from recmodels.implicit_evaluation import compare_table, evaluate_implicit, fit_and_evaluate, liked
from recmodels.implicit_network import ImplicitNetwork
from recmodels.implicit_recommender import ImplicitRecommender
from recmodels.models import IMPLICIT_MODELS
from recmodels.models.graph_attention import GraphAttentionNetwork
from recmodels.models.lightgcn import LightGCNNetwork
from recmodels.negatives import NegativeSampler
from recmodels.ranking_metrics import ndcg, recall
from tests.recmodels.conftest import make_world
from tinydl import Tensor, gradcheck
from tinydl.ops import sum as total

SMALL = {"k": 5, "epochs": 3, "batch_size": 64, "sweeps": 2, "neighbours": 4, "negatives": 3}
NETWORKS = [name for name in IMPLICIT_MODELS if isinstance(IMPLICIT_MODELS[name](), ImplicitNetwork)]
GRAPHS = [name for name in NETWORKS if name != "bpr-mf"]


def make(name, **changes):
    model = IMPLICIT_MODELS[name]()
    keep = {key: value for key, value in SMALL.items() if key in model.get_params()}
    if isinstance(model, ImplicitNetwork):
        keep.pop("neighbours", None)
    return model.clone(**{**keep, **changes})


@pytest.fixture(scope="module")
def split():
    return user_random_split(liked(make_world(30, 25, 500)))


@pytest.fixture(scope="module", params=IMPLICIT_MODELS)
def fitted(request, split):
    return request.param, make(request.param).fit(split.train, split.valid)


# ---------------------------------------------------------------- the contract
def test_lists_are_the_best_unseen_items(fitted, split):
    _, model = fitted
    had = split.train.frame.groupby("user")["item"].agg(set)
    for user in split.train.users_seen[:6]:
        y = dict(zip(model.items_, model.scores([user])[0].tolist(), strict=True))
        best = sorted((i for i in y if i not in had[user]), key=lambda i: (-y[i], i))
        table = model.recommend([user], k=7)
        assert table["item"].tolist() == best[:7] and table["rank"].tolist() == list(range(1, len(table) + 1))
        np.testing.assert_allclose(table["score"], [y[i] for i in best[:7]], rtol=1e-5)  # BLAS rounds by a batch's size
        everything = model.recommend([user], k=1000, exclude_seen=False)
        assert set(everything["item"]) == set(split.train.items_seen)
        assert len(model.recommend([user], k=1000)) == len(y) - len(had[user])


def test_who_is_unknown_gets_what_is_popular(fitted, split):
    _, model = fitted
    count = split.train.frame.groupby("item")["user"].nunique()
    want = sorted(count.index, key=lambda i: (-count[i], i))[:5]
    assert model.recommend("nobody", k=5)["item"].tolist() == want
    both = model.recommend(["nobody", split.train.users_seen[0]], k=5)
    assert both["item"].tolist()[:5] == want and both["user"].tolist()[5:] == [split.train.users_seen[0]] * 5


def test_a_loaded_model_is_the_saved_one(fitted, split, tmp_path):
    name, model = fitted
    model.save(tmp_path / "m.npz")
    again = ImplicitRecommender.load(tmp_path / "m.npz")
    assert again.get_params() == model.get_params() and again.num_parameters() == model.num_parameters()
    pandas.testing.assert_frame_equal(again.recommend([1, "x"]), model.recommend([1, "x"]))
    np.testing.assert_array_equal(again.scores(split.train.users_seen), model.scores(split.train.users_seen))
    if name in NETWORKS:
        pandas.testing.assert_frame_equal(again.history_, model.history_)
        assert again.refit(split.refit).best_epoch_ == model.best_epoch_


@pytest.mark.parametrize("name", IMPLICIT_MODELS)
def test_wrong_use(name, split):
    model = make(name)
    with pytest.raises(NotFittedError):
        model.recommend([1])
    with pytest.raises(TypeError, match="want Interactions"):
        model.fit(split.train.frame)
    with pytest.raises(ValueError, match="train has no rows"):
        model.fit(split.train.take([]))
    with pytest.raises(ValueError, match="valid has no pair"):
        model.fit(split.train, split.train)
    with pytest.raises(ValueError, match="got k=0"):
        make(name, **({"epochs": 1} if name in NETWORKS else {})).fit(split.train).recommend([1], k=0)


@pytest.mark.parametrize("name, changes", [
    ("bpr-mf", {"loss": "mse"}), ("lightgcn", {"layers": -1}), ("lightgcn", {"neighbours": 0}), ("bpr-mf", {"negatives": 0}),
    ("graph-attention", {"score": "cosine"}), ("ngcf", {"k": 1.5})])
def test_parameters_that_make_no_sense(name, changes, split):
    with pytest.raises(ValueError, match=f"got {next(iter(changes))}="):
        make(name, **changes).fit(split.train)


@pytest.mark.parametrize("name, changes", [("ials", {"reg": 0.0}), ("ials", {"k": 0}),
                                           ("implicit-item-knn", {"shrink": -1.0}),
                                           ("implicit-item-knn", {"neighbours": 0})])
def test_parameters_that_are_refused_when_given(name, changes):
    with pytest.raises(ValueError, match=f"{next(iter(changes))}="):
        make(name, **changes)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_has_an_effect(name, split):
    base = make(name, epochs=1, seed=1).fit(split.train).scores(split.train.users_seen)
    changes = {"k": 4, "loss": "bpr" if name != "bpr-mf" else "sampled-softmax", "negatives": 2, "power": 1.0, "scale": 0.3,
               "epochs": 2, "batch_size": 32, "lr": 0.03, "weight_decay": 5.0, "seed": 2, "layers": 1, "neighbours": 2,
               "score": "dot"}
    for key in changes.keys() & IMPLICIT_MODELS[name]().get_params().keys():
        other = make(name, **{"epochs": 1, "seed": 1, key: changes[key]}).fit(split.train).scores(split.train.users_seen)
        assert not np.allclose(base, other, rtol=1e-6, atol=0), key


@pytest.mark.parametrize("name", ["bpr-mf", "lightgcn", "graph-attention"])
def test_the_epoch_is_that_of_the_best_ranking(name, split):
    model = make(name, epochs=12, lr=0.05, patience=2).fit(split.train, split.valid)
    found = model.history_["valid_ndcg"]
    assert model.best_epoch_ == found.idxmax() and len(found) == min(12, model.best_epoch_ + 2)
    assert evaluate_implicit(model, split.valid)["nDCG@10"] == pytest.approx(found.max(), rel=1e-6)


# ---------------------------------------------------------------- models against their definitions
def test_item_knn_is_its_definition(split):
    model = make("implicit-item-knn", neighbours=3, shrink=1.0).fit(split.train)
    who = split.train.frame.groupby("item")["user"].agg(set)
    items, s = model.items_.tolist(), {}
    for j in items:
        alike = [(len(who[i] & who[j]) / (np.sqrt(len(who[i]) * len(who[j])) + 1.0), i) for i in items if i != j]
        s[j] = sorted([pair for pair in alike if pair[0] > 0], key=lambda pair: (-pair[0], pair[1]))[:3]
    for user, had in split.train.frame.groupby("user")["item"]:
        want = dict.fromkeys(items, 0.0)
        for value, i in (pair for j in had for pair in s[j]):
            want[i] += value
        np.testing.assert_allclose(model.scores([user])[0], list(want.values()), atol=1e-12)


def test_ials_solves_its_least_squares(split):
    """After the last half of a sweep no change of an item's vector lowers the loss, which is written out over all pairs."""
    model = make("ials", k=3, weight=0.2, reg=0.05, nu=0.7, sweeps=2).fit(split.train)
    there = np.zeros((len(model.users_), len(model.items_)))
    there[model._user_of_seen(), model.seen_] = 1
    W, H = model.W_, model.H_

    def loss(H):
        y = W @ H.T
        n = there.sum(axis=0) + 0.2 * len(W)
        return (there * (1 - y) ** 2).sum() + 0.2 * (y**2).sum() + 0.05 * (n**0.7 * (H**2).sum(axis=1)).sum()

    rng = np.random.default_rng(0)
    for _ in range(5):
        d = 1e-4 * rng.standard_normal(H.shape)
        assert abs(loss(H + d) - loss(H - d)) < 1e-9 * loss(H) and loss(H + d) > loss(H)
    assert loss(H) < loss(0 * H)


def dense(graph):
    return graph.matrix.toarray()


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_lightgcn_is_its_definition(layers, split):
    network = make("lightgcn", layers=layers, epochs=1).fit(split.train).network_
    A, E = dense(network.graph), network.E.weight.detach().numpy()
    e = sum(np.linalg.matrix_power(A, power) @ E for power in range(layers + 1)) / (layers + 1)
    users, items = network.vectors()
    np.testing.assert_allclose(np.concatenate([users, items]), e, atol=1e-5)


def test_ngcf_is_its_definition(split):
    network = make("ngcf", layers=2, epochs=1).fit(split.train).network_
    A, x = dense(network.graph), network.E.weight.detach().numpy()
    parts = [x]
    for W_1, W_2 in zip(network.W_1, network.W_2, strict=True):
        (a, b), (c, d) = ([p.detach().numpy() for p in (W.weight, W.bias)] for W in (W_1, W_2))
        z = (x + A @ x) @ a.T + b + (A @ x * x) @ c.T + d
        x = np.where(z > 0, z, 0.2 * z)
        parts.append(x)
    np.testing.assert_allclose(np.concatenate(network.vectors()), np.concatenate(parts, axis=1), atol=1e-5)


@pytest.mark.parametrize("score", ["additive", "dot"])
def test_graph_attention_is_its_definition(score, split):
    model = make("graph-attention", layers=2, epochs=2, score=score, lr=0.1).fit(split.train)
    network, h = model.network_, model.network_.E.weight.detach().numpy().astype(float)
    A, outs, K = dense(network.graph), [h], h.shape[1]
    for layer in range(2):
        left, right = (part[layer].weight.detach().numpy() for part in (network.left, network.right))
        new = np.zeros_like(h)
        for i in range(len(A)):
            near = np.flatnonzero(A[i])
            if score == "additive":
                z = left[0] @ h[i] + h[near] @ right[0]
                e = np.where(z > 0, z, 0.2 * z)
            else:
                e = (h[near] @ right.T) @ (left @ h[i]) / np.sqrt(K)
            alpha = np.exp(e - e.max()) / np.exp(e - e.max()).sum()
            new[i] = sum(alpha[n] * len(near) * A[i, j] * h[j] for n, j in enumerate(near))
            if i == 3:
                looks = model.attention(model.users_[3], layer)
                assert looks["weight"].sum() == pytest.approx(1, rel=1e-5) and looks["weight"].is_monotonic_decreasing
                want = dict(zip(model.items_[near - len(model.users_)], alpha, strict=True))
                np.testing.assert_allclose(looks["weight"], [want[item] for item in looks["item"]], atol=1e-5)
        h = new
        outs.append(h)
    np.testing.assert_allclose(np.concatenate(network.vectors()), sum(outs) / 3, atol=1e-5)


def test_attention_that_prefers_nobody_is_lightgcn(split):
    graph = make("lightgcn", epochs=1).fit(split.train).network_.graph
    one = LightGCNNetwork(graph, 30, 4, 2, 0.1, None, np.random.default_rng(0))
    other = GraphAttentionNetwork(graph, 30, 4, 2, 0.1, None, "additive", np.random.default_rng(0))
    other.E.load_state_dict(one.E.state_dict())
    for x, y in zip(one.vectors(), other.vectors(), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-6)


def test_attention_of_nobody_and_of_no_layer(split):
    model = make("graph-attention", epochs=1).fit(split.train)
    with pytest.raises(KeyError, match="who has no neighbours looks nowhere"):
        model.attention("nobody")
    with pytest.raises(IndexError, match="got layer=2 of 2 layers"):
        model.attention(split.train.users_seen[0], 2)


@pytest.mark.parametrize("name, changes", [*((name, {}) for name in NETWORKS), ("graph-attention", {"score": "dot"})])
def test_gradients_of_networks(name, changes, split):
    network = make(name, epochs=1, k=3, lr=0.05, **changes).fit(split.train).network_.double()
    rng = np.random.default_rng(0)
    for p in network.parameters():
        p._writable("test")[...] += 0.3 * rng.standard_normal(p.shape)  # away from kinks and zeros
    user, item = Tensor(np.array([0, 3, 3, 7])), Tensor(rng.integers(0, 20, (4, 3)))
    parameters = list(network.parameters())
    assert gradcheck(lambda *p: network(user, item), parameters, directions=3, per_element=20)


@pytest.mark.parametrize("name", GRAPHS)
def test_with_neighbours_enough_a_batch_is_scored_as_by_the_whole_graph(name, split):
    network = make(name, epochs=1).fit(split.train).network_
    user, item = Tensor(np.array([0, 3, 3])), Tensor(np.random.default_rng(0).integers(0, 20, (3, 4)))
    want, gradients = network(user, item), []
    for neighbours in (None, 1000):
        network.train()
        network.neighbours = neighbours
        network.zero_grad()
        y = network(user, item)
        np.testing.assert_allclose(y.detach().numpy(), want.detach().numpy(), atol=1e-5)
        total(y * y).backward()
        gradients.append([p.grad.numpy() for p in network.parameters()])
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4 * max(1e-3, np.abs(one).max()))
    network.neighbours = 1
    assert not np.allclose(network(user, item).detach().numpy(), want.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_batch_is_scored_by_the_vectors(name, split):
    network = make(name, epochs=1).fit(split.train).network_
    user, item = np.array([0, 3, 3]), np.random.default_rng(0).integers(0, 20, (3, 4))
    users, items = network.vectors()
    want = np.einsum("bd,bnd->bn", users[user], items[item])
    np.testing.assert_allclose(network(Tensor(user), Tensor(item)).detach().numpy(), want, atol=1e-5)


@pytest.mark.parametrize("loss", ["bpr", "sampled-softmax"])
def test_bpr_alone_draws_none_of_the_users_items(loss, split, monkeypatch):
    drawn = []

    def sample(self, *arguments, sample=NegativeSampler.sample):
        drawn.append((arguments[0], sample(self, *arguments)))
        return drawn[-1][1]
    monkeypatch.setattr(NegativeSampler, "sample", sample)
    model = make("bpr-mf", loss=loss, negatives=20).fit(split.train)
    seen = set(zip(model._user_of_seen().tolist(), model.seen_.tolist(), strict=True))
    pairs = [(u, i) for users, items in drawn for u, row in zip(users.tolist(), items.tolist(), strict=True) for i in row]
    hits = len([pair for pair in pairs if pair in seen])
    assert (hits == 0) == (loss == "bpr")


# ---------------------------------------------------------------- leaks
@pytest.mark.parametrize("name", GRAPHS)
def test_the_graph_holds_the_training_pairs_and_nothing_else(name, split):
    model = make(name, epochs=1).fit(split.train, split.valid)
    graph, n_users = model.network_.graph, len(model.users_)
    mine = {(model.users_[i], model.items_[j - n_users])
            for i, j in zip(graph.rows, graph.columns, strict=True) if i < n_users}
    pairs = [set(zip(part.frame["user"], part.frame["item"], strict=True))
             for part in (split.train, split.valid, split.test)]
    assert mine == pairs[0] and not mine & (pairs[1] | pairs[2]) and len(graph) == 2 * len(mine)


def test_who_is_measured_on_what_it_was_trained_on_is_refused(fitted, split):
    with pytest.raises(ValueError, match="trained on pairs of this part"):
        evaluate_implicit(fitted[1], split.train)
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        evaluate_implicit(fitted[1].clone(), split.test)


# ---------------------------------------------------------------- split, data, evaluation
@pytest.mark.parametrize("seed", [0, 1])
def test_each_user_is_cut_alone(seed):
    rng, counts = np.random.default_rng(5), [1, 2, 5, 9, 10, 37]
    user = rng.permutation(np.repeat(np.arange(6), counts))
    data = Interactions(pandas.DataFrame({"user": user, "item": np.arange(len(user)), "rating": 1}))
    split = user_random_split(data, seed=seed)
    sizes = [[int((part.frame["user"] == u).sum()) for part in (split.train, split.valid, split.test)] for u in range(6)]
    assert sizes == [[1, 0, 0], [1, 0, 1], [4, 0, 1], [7, 1, 1], [8, 1, 1], [29, 4, 4]]
    again, other = user_random_split(data, seed=seed), user_random_split(data, seed=seed + 7)
    assert again.rows[2].tolist() == split.rows[2].tolist() != other.rows[2].tolist()
    with pytest.raises(ValueError, match="fractions"):
        user_random_split(data, (0.5, 0.1, 0.1))


def test_liked_is_what_was_rated_high():
    world = make_world(20, 30, 200)
    assert (liked(world).frame["rating"] >= 4).all() and len(liked(world)) == (world.frame["rating"] >= 4).sum()
    assert "ratings of 4 or more" in liked(world).name and len(world) == 200
    with pytest.raises(ValueError, match="none of the 200 ratings is 6 or more"):
        liked(world, 6)


def test_evaluation_is_its_definition(split):
    model = make("lightgcn").fit(split.train, split.valid)
    result = evaluate_implicit(model, split.test)
    had, found = split.train.frame.groupby("user")["item"].agg(set), {"Recall@10": [], "nDCG@20": []}
    for user, items in split.test.frame.groupby("user")["item"]:
        y = dict(zip(model.items_, model.scores([user])[0].tolist(), strict=True))
        ranked = sorted((i for i in y if i not in had[user]), key=lambda i: -y[i])
        relevant = set(items) & set(y)
        if relevant:
            found["Recall@10"].append(recall(ranked, relevant, 10))
            found["nDCG@20"].append(ndcg(ranked, relevant, 20))
    for metric, values in found.items():
        np.testing.assert_allclose(result.per_query[metric], values, atol=1e-12)


def test_cold_users_and_items_are_apart(split):
    frame = split.train.frame
    without = split.train.take(np.flatnonzero((frame["user"] != frame["user"][0]) & (frame["item"] != frame["item"][0])))
    model = make("implicit-popularity").fit(without)
    result = evaluate_implicit(model, split.test)
    cold_items = int((split.test.frame["item"] == frame["item"][0]).sum())
    assert f"{cold_items} relevant cold items" in str(result) and len(result.cold_users["Recall@10"]) == 1
    assert set(result.strata) <= {"1-19", "20-49"}


def test_a_row_of_the_table(split):
    rows = [("a", fit_and_evaluate(make("bpr-mf", seed=seed), split)[1]) for seed in (0, 1)]
    rows.append(("b", fit_and_evaluate(make("implicit-popularity"), split)[1]))
    table = compare_table(rows)
    assert "+-" in table["nDCG@10"]["a"] and table["epochs"]["b"] == "" and table["fits"].tolist() == ["2", "1"]
    assert rows[0][1]["seconds_epoch"] > 0 and rows[0][1]["parameters"] == 5 * (26 + 25)
