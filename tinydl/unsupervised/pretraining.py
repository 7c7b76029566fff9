"""Greedy layer-wise pre-training: a deep network starts from features that were learned without labels, layer by layer.

    P(task | h_N)  P(h_N | h_{N-1})  ...  P(h_2 | h_1)  P(h_1 | data)

Back-propagation starved the front layers of deep sigmoid networks. So the layers learned one after the other, each on what
the one below made of the data, and the labels had only to fine-tune them (Hinton, Osindero and Teh 2006, with RBMs; Bengio,
Lamblin, Popovici and Larochelle 2007, with autoencoders).

    machines = stack((784, 500, 250), RBM, rng=0)
    network = greedy_pretraining(machines, X, outputs=10, epochs=5, rng=0)             # steps 1 to 4
    Trainer(network, nn.functional.cross_entropy, Adam(network.parameters())).fit(...)  # the end of step 4: fine-tuning
"""

import itertools

from .. import nn
from ..random import generator
from .autoencoder import Autoencoder
from .rbm import RBM


def stack(sizes, machine=RBM, *, rng=None, **options):
    """Machines, one a layer, from sizes[0] visible units to sizes[-1] features; options: of every machine.

    >>> [m.W.shape for m in stack((6, 4, 3), RBM, rng=0)]
    [(6, 4), (4, 3)]
    """
    if len(sizes) < 2:
        raise ValueError(f"stack: got sizes {tuple(sizes)}, want at least two: the data's width and one layer's, as (784, "
                         "500)")
    rng = generator(rng)
    return [machine(below, above, rng=rng, **options) for below, above in itertools.pairwise(sizes)]


def greedy_pretraining(machines, X, outputs=None, *, rng=None, **options):
    """Train each machine on the features of the one below. Returns an nn.Sequential that is ready to be fine-tuned.

    machines: RBMs or autoencoders (of one layer of sigmoids), from the data up; they are trained in place. X (N, V).
    outputs, rng: see `feed_forward`. options: of the machines' `fit`, as epochs, batch_size, learning_rate.

    >>> import numpy as np, tinydl
    >>> X = np.random.default_rng(0).random((20, 6))
    >>> network = greedy_pretraining(stack((6, 4, 3), Autoencoder, rng=0), X, outputs=2, epochs=1, rng=0)
    >>> network(tinydl.tensor(X, dtype=np.float32)).shape
    (20, 2)
    """
    check_chain(machines, X.shape[1] if getattr(X, "ndim", 0) == 2 else None)
    rng, h = generator(rng), X
    for n, machine in enumerate(machines):
        # 1. Train the first layer on the data, without labels: P(h_1 | data).
        machine.fit(h, rng=rng, **options)
        # 2. Hold it still, and take its features of the data as data.
        h = machine.transform(h) if n + 1 < len(machines) else None
        # 3. Do the same with the next layer, and so on up: P(h_n | h_{n-1}).
    # 4. Put the task's layer on top, P(task | h_N), and fine-tune the whole by back-propagation (with a Trainer).
    return feed_forward(machines, outputs, rng=rng)


def feed_forward(machines, outputs=None, *, rng=None):
    """The machines as one network: Linear, Sigmoid, Linear, Sigmoid, ..., with copies of their weights.

    outputs: how many units the task's Linear on top has, whose weights `rng` draws; None: the network ends with features.
    The first machines of a list make a network that is less deep.
    """
    check_chain(machines)
    layers = [layer for machine in machines for layer in (sigmoid_layer(machine), nn.Sigmoid())]
    if outputs is not None:
        layers.append(nn.Linear(machines[-1].n_hidden, outputs, rng=rng).to(machines[-1].W.dtype))
    return nn.Sequential(*layers)


def unrolled(machines):
    """The machines as one deep autoencoder, up and down again, to be fine-tuned on L = ||x - x'||^2.  (B, V) -> (B, V)

    Linear, Sigmoid, ... up to the code, then down as each machine rebuilds its data: a Linear, and a Sigmoid where its
    units are binary. The two halves start alike and then learn apart (Hinton and Salakhutdinov 2006, figure 1).
    """
    layers = list(feed_forward(machines))
    for machine in reversed(machines):
        layers += [sigmoid_layer(machine, down=True), *([nn.Sigmoid()] if machine.visible == "binary" else [])]
    return nn.Sequential(*layers)


def sigmoid_layer(machine, down=False):
    """What goes into a machine's sigmoids: the layer W x + b, or W'h + b' downwards. An RBM's W is (V, H), its b' is a."""
    if isinstance(machine, RBM):
        weight, bias = (machine.W._data, machine.a) if down else (machine.W._data.T, machine.b)
    elif down:
        weight, bias = machine.W._data.T if machine.tied else machine.W_prime._data, machine.b_prime
    else:
        weight, bias = machine.W._data, machine.b
    layer = nn.Linear(*weight.shape[::-1], rng=0).to(weight.dtype)
    layer.weight.copy_(weight)
    layer.bias.copy_(bias._data)
    return layer


def check_chain(machines, width=None):
    """Refuse machines that do not fit on each other, or on data `width` wide, before the first one is trained."""
    if not machines:
        raise ValueError("pre-training: got no machines, want at least one; make them with stack((784, 500), RBM)")
    for n, machine in enumerate(machines):
        if not isinstance(machine, (RBM, Autoencoder)):
            raise TypeError(f"pre-training: machine {n} is a {type(machine).__name__}, want an RBM or an Autoencoder, whose "
                            "features are one layer of sigmoids")
        if width is not None and machine.n_visible != width:
            below = "the data is" if n == 0 else f"machine {n - 1} below it gives features that are"
            raise ValueError(f"pre-training: machine {n} takes {machine.n_visible} units, but {below} {width} wide; make it "
                             f"{type(machine).__name__}({width}, {machine.n_hidden})")
        if n > 0 and machine.visible == "gaussian" and isinstance(machine, RBM):
            raise ValueError(f"pre-training: machine {n} is an RBM with Gaussian units, but the features below it are "
                             "probabilities; only the lowest machine sees data that may need visible='gaussian'")
        width = machine.n_hidden
