"""The greedy steps one by one, the network that comes out, machines that do not chain, and that it helps a deep network."""

import numpy as np
import pytest

import tinydl
from tinydl import Tensor, nn, optim
from tinydl.data import DataLoader, bars_and_stripes
from tinydl.training import Trainer
from tinydl.unsupervised import (
    RBM,
    Autoencoder,
    DenoisingAutoencoder,
    SparseAutoencoder,
    VariationalAutoencoder,
    feed_forward,
    greedy_pretraining,
    stack,
    unrolled,
)


def same(state, other):
    return list(state) == list(other) and all(np.array_equal(state[name], other[name]) for name in state)


@pytest.mark.parametrize("machine", [RBM, Autoencoder])
def test_each_machine_learns_from_the_features_of_the_one_below(machine, rng):
    x = rng.random((50, 6)).astype(np.float32)
    machines = stack((6, 4, 3), machine, rng=1)
    greedy_pretraining(machines, x, epochs=3, batch_size=10, rng=2)
    below, above = stack((6, 4, 3), machine, rng=1)
    order = np.random.default_rng(2)
    below.fit(x, epochs=3, batch_size=10, rng=order)
    above.fit(below.transform(x), epochs=3, batch_size=10, rng=order)
    for trained, expected in zip(machines, (below, above), strict=True):
        assert same(trained.state_dict(), expected.state_dict())


@pytest.mark.parametrize("machine, options", [(RBM, {}), (Autoencoder, {"tied": False}), (SparseAutoencoder, {})])
def test_the_network_gives_the_machines_features(machine, options, rng):
    x = rng.random((7, 6)).astype(np.float32)
    machines = stack((6, 4, 3), machine, rng=1, **options)
    for m in machines:
        m.b.copy_(rng.standard_normal(m.n_hidden))
    features = machines[1].transform(machines[0].transform(x))
    np.testing.assert_allclose(feed_forward(machines)(Tensor(x)).data, features, rtol=1e-5)
    network = feed_forward(machines, outputs=2, rng=3)
    top = nn.Linear(3, 2, rng=3)
    np.testing.assert_allclose(network(Tensor(x)).data, top(Tensor(features)).data, rtol=1e-4, atol=1e-6)
    assert [type(layer).__name__ for layer in network] == ["Linear", "Sigmoid", "Linear", "Sigmoid", "Linear"]
    assert len(feed_forward(machines[:1])) == 2


@pytest.mark.parametrize("visible", ["binary", "gaussian"])
@pytest.mark.parametrize("machine, options, above", [
    (RBM, {}, "binary"), (Autoencoder, {"tied": False}, "binary"), (Autoencoder, {}, "binary"),
    (Autoencoder, {}, "gaussian")])
def test_unrolled_machines_rebuild_the_data_as_they_would_one_by_one(machine, options, above, visible, rng):
    x = rng.random((7, 6)).astype(np.float32)
    below, above = machine(6, 4, visible=visible, rng=rng, **options), machine(4, 3, visible=above, rng=rng, **options)
    for p in [*below.parameters(), *above.parameters()]:
        p.copy_(rng.standard_normal(p.shape))
    h = above.reconstruct(below.transform(x))
    expected = below.p_visible(h) if machine is RBM else below.decode(Tensor(h)).data
    np.testing.assert_allclose(unrolled([below, above])(Tensor(x)).data, expected, rtol=1e-4, atol=1e-5)


def test_fine_tuning_leaves_the_machines_alone(rng):
    machines = stack((6, 4), RBM, rng=1)
    before = machines[0].state_dict()
    network = feed_forward(machines, 2, rng=0)
    for p in network.parameters():
        p.copy_(np.zeros(p.shape))
    assert same(before, machines[0].state_dict())


def test_the_network_has_the_machines_dtype():
    network = feed_forward([Autoencoder(4, 3, rng=0).double()], outputs=2, rng=0)
    assert {p.dtype for p in network.parameters()} == {np.dtype(np.float64)}


def test_making_a_network_draws_nothing_but_its_top():
    machines = stack((6, 4, 3), Autoencoder, rng=1)
    tinydl.manual_seed(5)
    feed_forward(machines, outputs=2, rng=0)
    assert tinydl.generator().random() == np.random.default_rng(5).random()


def test_a_deep_sigmoid_network_learns_after_pretraining_and_not_without():
    x, t = bars_and_stripes(4)
    x = np.repeat(x.reshape(len(x), -1), 8, axis=0)
    t = np.repeat(t, 8)
    sizes = (16, 24, 24, 24, 24)
    machines = stack(sizes, DenoisingAutoencoder, corruption=0.1, visible="binary", rng=0)
    pretrained = greedy_pretraining(machines, x, outputs=2, epochs=30, batch_size=16, learning_rate=0.01, rng=0)
    from_nothing = feed_forward(machines, outputs=2, rng=0)
    for p in from_nothing.parameters():
        nn.init.normal_(p, 0, 0.01, rng=0)
    losses = []
    for network in (pretrained, from_nothing):
        trainer = Trainer(network, nn.functional.cross_entropy, optim.Adam(network.parameters(), lr=0.01))
        losses.append(trainer.fit(DataLoader((x, t), 16, shuffle=True, rng=0), epochs=8)["train_loss"].iloc[-1])
    assert losses[0] < 0.2 and losses[1] > 0.6


@pytest.mark.parametrize("machines, message", [
    (lambda: [], "got no machines"),
    (lambda: [RBM(5, 4)], r"machine 0 takes 5 units, but the data is 6 wide; make it RBM\(6, 4\)"),
    (lambda: [RBM(6, 4), Autoencoder(3, 2)], r"machine 1 takes 3 units, but machine 0 below it gives features that are 4 "
                                             r"wide; make it Autoencoder\(4, 2\)"),
    (lambda: [RBM(6, 4), RBM(4, 2, visible="gaussian")], "machine 1 is an RBM with Gaussian units"),
])
def test_machines_that_do_not_chain_are_refused_before_any_is_trained(machines, message, rng):
    machines = machines()
    before = [m.state_dict() for m in machines]
    with pytest.raises(ValueError, match=message):
        greedy_pretraining(machines, rng.random((9, 6)), epochs=1)
    assert all(same(state, m.state_dict()) for state, m in zip(before, machines, strict=True))


def test_only_one_layer_of_sigmoids_can_be_a_layer(rng):
    with pytest.raises(TypeError, match="machine 1 is a VariationalAutoencoder, want an RBM or an Autoencoder"):
        greedy_pretraining([RBM(6, 4), VariationalAutoencoder(4, 2)], rng.random((9, 6)))
    with pytest.raises(TypeError, match="machine 0 is a Linear"):
        feed_forward([nn.Linear(6, 4)])
    with pytest.raises(ValueError, match=r"sizes \(6,\), want at least two"):
        stack((6,))


def test_data_that_is_not_in_rows_is_refused(rng):
    with pytest.raises(ValueError, match=r"\(3, 2, 3\), want numbers"):
        greedy_pretraining(stack((6, 4), Autoencoder), rng.random((3, 2, 3)))
