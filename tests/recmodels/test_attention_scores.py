"""The six scores and the three kinds of attention against plain loops, with masks, gradients, and their bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels import attention
from recmodels.attention import mechanisms
from tinydl import Tensor, gradcheck, nn, ops

pytestmark = pytest.mark.usefixtures("float64")
EACH = pytest.mark.parametrize("name", attention.SCORES)


def normal(*shape, seed=5):
    return Tensor(np.random.default_rng([seed, *shape]).standard_normal(shape), requires_grad=True)


def one_score(module, s, h, i):
    """The slide's formula for one query and one key."""
    p = {name: q.data for name, q in module.named_parameters()}
    kind = type(module).__name__
    if kind == "ContentBased":
        return p.get("beta", [1.0])[0] * sum(s * h) / (sum(s * s) ** 0.5 * sum(h * h) ** 0.5)
    if kind == "Additive":
        return sum(p["v_a"] * np.tanh(p["W_a"] @ np.concatenate([s, h])))
    if kind == "LocationBased":
        return sum(p["W_a"][i] * s)
    if kind == "General":
        return s @ p["W_a"] @ h
    return sum(s * h) / (len(s) ** 0.5 if kind == "ScaledDot" else 1)


def plain_scores(module, s, h):
    return np.array([[[one_score(module, s[b, t], h[b, i], i) for i in range(h.shape[1])] for t in range(s.shape[1])]
                     for b in range(len(s))]).reshape(*s.shape[:2], h.shape[1])


def softmax(e, keep):
    w = np.exp(e) * keep
    total = w.sum(axis=-1, keepdims=True)
    return w / np.where(total > 0, total, 1)


MADE = {"content-based": {"beta": 1.7}, "additive": {"hidden": 5}, "location-based": {"places": 7}}


def made(name, query_size=3, key_size=None, **options):
    return attention.make_score(name, query_size, key_size, **{**MADE.get(name, {}), **options})


# ------------------------------------------------------------------------------------------------ scores
@EACH
@settings(max_examples=10, deadline=None)
@given(B=st.integers(1, 3), T=st.integers(1, 3), S=st.integers(1, 5), D=st.integers(1, 4))
def test_each_score_is_its_formula(name, B, T, S, D):
    module = made(name, D)
    s, h = normal(B, T, D), normal(B, S, D, seed=6)
    np.testing.assert_allclose(module(s, h).data, plain_scores(module, s.data, h.data), rtol=1e-9, atol=1e-12)


@EACH
def test_each_scores_gradients(name):
    module, s, h = made(name), normal(2, 2, 3), normal(2, 4, 3, seed=6)
    leaves = [s, *module.parameters(), *([] if name == "location-based" else [h])]  # that one never looks at the keys
    assert gradcheck(lambda *_: module(s, h), leaves)


def test_keys_of_another_size_where_the_score_has_a_map_for_them():
    s, h = normal(2, 2, 3), normal(2, 4, 5)
    for name in ("additive", "general", "location-based"):
        module = made(name, 3, 5)
        np.testing.assert_allclose(module(s, h).data, plain_scores(module, s.data, h.data), rtol=1e-9)
    for name in ("content-based", "dot", "scaled dot"):
        with pytest.raises(ValueError, match="General and Additive"):
            made(name, 3, 5)


def test_parameters_have_the_papers_names_and_come_from_the_seed():
    shapes = {name: {n: p.shape for n, p in made(name).named_parameters()} for name in attention.SCORES}
    assert shapes == {"content-based": {"beta": (1,)}, "additive": {"W_a": (5, 6), "v_a": (5,)}, "dot": {},
                      "location-based": {"W_a": (7, 3)}, "general": {"W_a": (3, 3)}, "scaled dot": {}}
    assert not list(attention.ContentBased(3).parameters())
    for name in ("additive", "general", "location-based"):
        one, other = made(name, rng=4), made(name, rng=4)
        np.testing.assert_array_equal(one.W_a.data, other.W_a.data)


def test_a_key_of_zeros_has_a_cosine_of_zero_and_a_gradient():
    s, h = normal(1, 1, 3), Tensor(np.zeros((1, 2, 3)), requires_grad=True)
    e = attention.content_based(s, h)
    e.sum().backward()
    assert not e.data.any() and np.isfinite(h.grad.data).all()


@pytest.mark.parametrize("call, words", [
    (lambda: attention.dot(normal(2, 3, 4), normal(2, 3, 5)), r"dot: got queries \(2, 3, 4\) and keys \(2, 3, 5\)"),
    (lambda: attention.scaled_dot(normal(2, 3, 4), normal(3, 3, 4)), "equally many sequences"),
    (lambda: attention.general(normal(3, 4), normal(3, 4), normal(4, 4)), "general: got"),
    (lambda: made("location-based")(normal(1, 2, 3), normal(1, 8, 3)), "8 keys, want at most the 7 places"),
    (lambda: attention.make_score("cosine", 3), "want one of 'content-based'"),
    (lambda: made("additive", 3, 2)(normal(1, 2, 3), normal(1, 2, 3)), r"\(B, S, 2\)"),
])
def test_what_does_not_fit_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# ------------------------------------------------------------------------------------------------ global and self
LENGTHS = np.array([4, 2, 0])
KEEP = {"none": None, "padding": attention.padding_mask(LENGTHS),
        "pairs": np.random.default_rng(0).random((3, 2, 4)) < 0.6, "shared": attention.causal_mask(4)[:, :2]}


@EACH
@pytest.mark.parametrize("mask", KEEP)
def test_global_attention_is_a_weighted_mean_over_what_may_be_seen(name, mask):
    module, keep = attention.GlobalAttention(made(name)), KEEP[mask]
    s, h, a = normal(3, 2, 3), normal(3, 4, 3, seed=6), normal(3, 4, 2)
    context, weights = module(s, h, a, keep=keep)
    seen = np.ones((3, 2, 4), bool) if keep is None else keep[:, None] if keep.ndim == 2 else keep
    seen = np.broadcast_to(seen, (3, 2, 4))
    wanted = softmax(plain_scores(module.score, s.data, h.data), seen)
    np.testing.assert_allclose(weights.data, wanted, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(context.data, wanted @ a.data, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(weights.data.sum(axis=2), seen.any(axis=2), rtol=1e-12)
    np.testing.assert_allclose(module(s, h, keep=keep)[0].data, wanted @ h.data, rtol=1e-9, atol=1e-12)


@EACH
def test_gradients_through_the_context_with_a_mask(name):
    module = attention.GlobalAttention(made(name))
    s, h, a = normal(3, 2, 3), normal(3, 4, 3, seed=6), normal(3, 4, 2)
    leaves = [s, a, *module.parameters(), *([] if name == "location-based" else [h])]
    assert gradcheck(lambda s, a, *_: module(s, h, a, keep=KEEP["padding"]), leaves)


@EACH
def test_self_attention_never_sees_what_comes_later(name):
    module, x = attention.SelfAttention(made(name), causal=True), normal(2, 4, 3)
    keep = attention.padding_mask([4, 3])
    context, weights = module(x, keep)
    wanted = softmax(plain_scores(module.score, x.data, x.data), np.tri(4, dtype=bool) & keep[:, None])
    np.testing.assert_allclose(weights.data, wanted, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(context.data, wanted @ x.data, rtol=1e-9, atol=1e-12)
    changed = x.data.copy()
    changed[:, 2:] += 3.0
    np.testing.assert_array_equal(module(Tensor(changed), keep)[0].data[:, :2], context.data[:, :2])
    module.causal = False
    np.testing.assert_allclose(module(x)[1].data, softmax(plain_scores(module.score, x.data, x.data), 1), rtol=1e-9)


def test_one_head_of_scaled_dots_is_multihead_attention_with_maps_that_do_nothing():
    module, x = nn.MultiheadAttention(3, 1, batch_first=True), normal(2, 4, 3)
    module.in_proj_weight.copy_(np.concatenate([np.eye(3)] * 3))
    module.out_proj.weight.copy_(np.eye(3))
    context, weights = attention.SelfAttention(attention.ScaledDot(3), causal=True)(x, attention.padding_mask([4, 2]))
    y, w = module(x, x, x, ~attention.padding_mask([4, 2]), is_causal=True)
    np.testing.assert_allclose(y.data, context.data, rtol=1e-10)
    np.testing.assert_allclose(w.data, weights.data, rtol=1e-10)


@pytest.mark.parametrize("keep", [np.ones((2, 4)), np.ones((2, 3), bool), np.ones((4,), bool), np.ones((2, 1, 4), bool)])
def test_masks_that_do_not_fit_are_refused(keep):
    with pytest.raises(ValueError, match=r"want booleans.*\(2, 4\), one row a sequence, or \(2, 3, 4\)"):
        attention.GlobalAttention(attention.Dot(3))(normal(2, 3, 3), normal(2, 4, 3), keep=keep)


@pytest.mark.parametrize("lengths, S, words", [([1, 5], 4, "length of 5, more than the 4"), ([-1], None, "at least 0"),
                                               ([1.5], None, "whole numbers"), ([[1]], None, r"\(1, 1\)")])
def test_lengths_that_cannot_be_are_refused(lengths, S, words):
    with pytest.raises(ValueError, match=words):
        attention.padding_mask(lengths, S)


# ------------------------------------------------------------------------------------------------ local
@pytest.mark.parametrize("predictive", [False, True])
@pytest.mark.parametrize("mask", KEEP)
def test_local_attention_sees_a_window_around_its_place(predictive, mask):
    keep = KEEP[mask]
    module = attention.LocalAttention(attention.General(3), 2 if predictive else 1, predictive, 3, hidden=2)
    s, h, a = normal(3, 2, 3), normal(3, 4, 3, seed=6), normal(3, 4, 2)
    context, weights = module(s, h, a, keep=keep)
    e, seen = plain_scores(module.score, s.data, h.data), np.zeros((3, 2, 4))
    full = np.broadcast_to(True if keep is None else keep[:, None] if keep.ndim == 2 else keep, (3, 2, 4))
    for b in range(3):
        last = max(0, full[b].any(axis=0).sum() - 1)
        for t in range(2):
            p = t
            if predictive:
                p = last / (1 + np.exp(-module.v_p.data @ np.tanh(module.W_p.data @ s.data[b, t])))
            for i in range(4):
                seen[b, t, i] = full[b, t, i] and abs(i - p) <= module.window
                e[b, t, i] -= (i - p) ** 2 / (2 * (module.window / 2) ** 2) if predictive else 0
    np.testing.assert_allclose(weights.data, softmax(e, seen), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(context.data, weights.data @ a.data, rtol=1e-9, atol=1e-12)
    assert gradcheck(lambda s, h, a, *_: module(s, h, a, keep=keep), [s, h, a, *module.parameters()])


def test_a_window_needs_a_width():
    with pytest.raises(ValueError, match="at least 1 and the queries' size"):
        attention.LocalAttention(attention.Dot(3), 0, predictive=True, query_size=3)
    with pytest.raises(ValueError, match="window=-1"):
        attention.LocalAttention(attention.Dot(3), -1)


# ------------------------------------------------------------------------------------------------ hard
def test_hard_attention_draws_places_as_often_as_their_weights_say():
    module = attention.HardAttention(attention.Dot(2), rng=0)
    s, h = normal(1, 1, 2), normal(1, 4, 2, seed=6)
    keep = np.array([[[True, True, False, True]]])
    many = Tensor(np.broadcast_to(s.data, (1, 4000, 2)).copy())
    context, weights, place = module(many, h, keep=np.broadcast_to(keep, (1, 4000, 4)))
    np.testing.assert_array_equal(context.data[0], h.data[0][place[0]])
    np.testing.assert_allclose(np.bincount(place[0], minlength=4) / 4000, weights.data[0, 0], atol=0.03)
    assert weights.data[0, 0, 2] == 0 and abs(weights.data[0, 0].sum() - 1) < 1e-12
    module.eval()
    context, weights, place = module(many, h)
    assert (place == weights.data[0, 0].argmax()).all()


def test_where_nothing_may_be_seen_nothing_is_drawn():
    module = attention.HardAttention(attention.Dot(2), rng=0)
    context, weights, place = module(normal(2, 3, 2), normal(2, 4, 2), keep=attention.padding_mask([0, 4]))
    assert not context.data[0].any() and not weights.data[0].any() and context.data[1].any()
    assert mechanisms.log_probability(weights, place).data[0] == 0
    assert np.isfinite(mechanisms.entropy(weights).data).all()


def test_reinforces_mean_is_the_gradient_of_the_expected_log_likelihood():
    """All draws of two queries among three places, each weighed by its probability: no sampling error."""
    module = attention.HardAttention(attention.General(2))
    s, h, v = normal(1, 2, 2), normal(1, 3, 2, seed=6), normal(2, seed=8)

    def log_likelihood(context):
        return ops.sum(ops.logsigmoid(ops.matmul(context, v)), axis=1)

    def weights_of():
        return ops.masked_softmax(module.score(s, h))

    leaves = [s, h, v, *module.parameters()]
    moments = []
    for baseline in (0.0, -1.3):
        mean = [np.zeros(p.shape) for p in leaves]
        for places in np.ndindex(3, 3):
            place, weights = np.array([places]), weights_of()
            p = float(weights.data[0, 0, places[0]] * weights.data[0, 1, places[1]])
            likelihood = log_likelihood(h[:, list(places)])
            L = attention.reinforce_loss(likelihood, weights, place, baseline, lambda_e=0.0)
            for leaf in leaves:
                leaf.grad = None
            L.backward()
            for total, leaf in zip(mean, leaves, strict=True):
                total += p * leaf.grad.data
        moments.append(mean)
    weights, expected = weights_of(), 0
    for places in np.ndindex(3, 3):
        p = weights[0, 0, places[0]] * weights[0, 1, places[1]]
        expected = expected - p * log_likelihood(h[:, list(places)])[0]
    for leaf in leaves:
        leaf.grad = None
    expected.backward()
    for k, leaf in enumerate(leaves):
        for mean in moments:
            np.testing.assert_allclose(mean[k], leaf.grad.data, rtol=1e-9, atol=1e-12)


def test_entropy_and_the_size_of_the_two_terms():
    weights, place = Tensor([[[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]], requires_grad=True), np.array([[1, 0]])
    np.testing.assert_allclose(mechanisms.entropy(weights).data, [np.log(2)])
    np.testing.assert_allclose(mechanisms.log_probability(weights, place).data, [np.log(0.5)])
    L = attention.reinforce_loss(Tensor([-3.0]), weights, place, baseline=-1.0, lambda_r=2.0, lambda_e=0.1)
    np.testing.assert_allclose(L.item(), -(-3 + 2 * (-3 + 1) * np.log(0.5) + 0.1 * np.log(2)))
    with pytest.raises(ValueError, match="one number a sequence"):
        attention.reinforce_loss(Tensor([[-3.0]]), weights, place)


def test_the_baseline_follows_the_log_likelihood():
    baseline = attention.MovingBaseline(0.9)
    assert baseline.update(Tensor([-2.0, -4.0])) == -3.0
    assert baseline.update(Tensor([-5.0])) == -3.0
    assert baseline.value == pytest.approx(0.9 * -3 + 0.1 * -5)
