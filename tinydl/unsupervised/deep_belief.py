"""The deep belief net: a stack of RBMs as one model of the data, which can dream   (Hinton, Osindero and Teh 2006)

    P(v, h_1, ..., h_N) = P(v | h_1) P(h_1 | h_2) ... P(h_{N-2} | h_{N-1}) P(h_{N-1}, h_N)

The top two layers are an RBM; below it arrows point down only, to the data. The way up, Q(h_n | h_{n-1}), is a guess at the
causes, with weights of its own as soon as up-down training has begun.

    machines = stack((784, 500, 500), RBM, rng=0)
    greedy_pretraining(machines, X, epochs=5, rng=0)
    belief = DeepBeliefNet(machines).fit(X, epochs=5, rng=0)       # up-down, an option
    belief.sample(10, rng=0), belief.network(outputs=10)           # dreams; a network to be fine-tuned
"""

import copy

from .. import nn
from ..data import DataLoader
from ..op import no_grad
from ..optim import SGD
from ..random import generator
from ..tensor import Tensor
from .pretraining import check_chain, feed_forward, sigmoid_layer
from .rbm import RBM
from .units import bernoulli, check_finite, checked, sigmoid


class DeepBeliefNet(nn.Module):
    """down: layers P(h_{n-1} | h_n), up: layers Q(h_n | h_{n-1}), all sigmoid(W x + b), from the data up; top: an RBM

    machines: at least two trained RBMs with binary units. Their weights are copied: at first, `up` and `down` are
    transposes. N rows of V units.
    """

    def __init__(self, machines):
        check_chain(machines)
        if len(machines) < 2 or not all(isinstance(m, RBM) and m.visible == "binary" for m in machines):
            raise ValueError(f"DeepBeliefNet: got {', '.join(type(m).__name__ for m in machines)}, want at least two RBMs "
                             "with binary units; make them with stack((784, 500, 500), RBM)")
        self.up = nn.ModuleList([sigmoid_layer(machine) for machine in machines[:-1]])
        self.down = nn.ModuleList([sigmoid_layer(machine, down=True) for machine in machines[:-1]])
        self.top = copy.deepcopy(machines[-1])

    def losses(self, v, k=1, rng=None):
        """(wake, sleep): two losses whose gradients train `down` and `up`. The top RBM gets its gradient in `.grad` here.

        wake:   h_1, h_2, ... are drawn upwards from the data; -log P(h_{n-1} | h_n) is the loss of the way down
        top:    contrastive divergence with k steps, from the last of them
        sleep:  from the top's chain, k steps on, down to a dreamt v; -log Q(h_n | h_{n-1}) is the loss of the way up

        Summed over layers and units, the mean over the rows. v (N, V); what is drawn counts as given.
        """
        rng = generator(rng)
        wake = [Tensor._of(self._rows(v))]
        for layer in self.up:
            wake.append(_drawn(layer, wake[-1], rng))
        self.top.contrastive_divergence(wake[-1], k, rng=rng)
        sleep = [Tensor._of(self.top.gibbs(wake[-1], k, rng))]
        for layer in reversed(list(self.down)):
            sleep.insert(0, _drawn(layer, sleep[0], rng))
        return (sum(_surprise(layer, above, below) for layer, below, above in zip(self.down, wake, wake[1:], strict=False)),
                sum(_surprise(layer, below, above) for layer, below, above in zip(self.up, sleep, sleep[1:], strict=False)))

    def fit(self, X, epochs=10, batch_size=100, k=1, learning_rate=0.05, momentum=0.5, rng=None):
        """Train all layers on X (N, V) by the up-down algorithm, from where they stand. Returns self.

        Wake and sleep (Hinton, Dayan, Frey and Neal 1995), but that a dream begins near the data (the paper's appendix B).
        """
        rng, optimizer = generator(rng), SGD(self.parameters(), lr=learning_rate, momentum=momentum)
        loader = DataLoader((self._rows(X),), batch_size, shuffle=True, rng=rng)
        for epoch in range(epochs):
            for (v,) in loader:
                optimizer.zero_grad()
                wake, sleep = self.losses(v, k, rng)
                (wake + sleep).backward()
                optimizer.step()
            check_finite("DeepBeliefNet", self, epoch, learning_rate)
        return self

    def network(self, outputs=None, *, rng=None):
        """The way up as a network, Linear, Sigmoid, ..., to be fine-tuned; outputs, rng: as `feed_forward` has them."""
        layers = [part for layer in self.up for part in (copy.deepcopy(layer), nn.Sigmoid())]
        return nn.Sequential(*layers, *feed_forward([self.top], outputs, rng=rng))

    def sample(self, n, steps=1000, rng=None):
        """n dreams (n, V): so many steps of Gibbs sampling in the top RBM, then down; the last layer's P(v = 1 | h_1)."""
        rng = generator(rng)
        h = Tensor._of(self.top.sample(n, steps, rng))
        for layer in list(self.down)[:0:-1]:
            h = _drawn(layer, h, rng)
        return _probability(self.down[0], h)

    def _rows(self, v):
        v = checked(v, self.up[0].in_features, "binary", "DeepBeliefNet: visible units")
        return v.astype(self.top.W.dtype, copy=False)


def _probability(layer, x):
    """sigmoid(W x + b), an array, without a graph"""
    with no_grad():
        return sigmoid(layer(x)._data)


def _drawn(layer, x, rng):
    return Tensor._of(bernoulli(_probability(layer, x), rng))


def _surprise(layer, given, x):
    """-log P(x | given), the mean over the rows"""
    return nn.functional.binary_cross_entropy_with_logits(layer(given), x, "sum") / len(x)
