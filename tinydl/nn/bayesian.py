"""Bayesian layers: a weight is a distribution, and what the network predicts comes with a spread.

    q(w) = N(m, s^2),  s = log(1 + e^rho)           stands for the posterior p(w | data); a layer learns m and rho
    w    = m + s * eps,  eps ~ N(0, 1)              a draw, through which gradients reach m and rho
    L    = E_q[-log p(data | w)] + KL(q || p)       what is made small: the variational free energy, p(w) the prior

("Bayes by backprop", Blundell et al. 2015, section 3.) In training a layer draws, in evaluation w = m; `sampling` makes an
evaluated model draw again. A network with Dropout is one of these, its q a mixture of two points (MC dropout; Gal and
Ghahramani 2016). The means carry the names of the plain layers' parameters, so that a trained Linear is a place to start.
"""

import contextlib
import copy
import math

import numpy as np

from .. import ops
from ..op import no_grad
from ..random import generator
from . import init
from .dropout import Dropout
from .embedding import Embedding
from .linear import Linear
from .module import Module
from .parameter import empty


def _check_std(name, what, std):
    if not 0 < std < math.inf:
        raise ValueError(f"{name}: got {what}={std!r}, want a standard deviation: finite and above 0")


class GaussianPrior(Module):
    """p(w) = N(0, std^2);   KL(q || p) = log(std / s) + (s^2 + m^2) / (2 std^2) - 1/2   for each weight

    learned: std is a parameter too, so that the data say how far weights lie from 0: at the minimum std^2 is the mean of
    s^2 + m^2 (empirical Bayes). For tables of many rows; of a layer's few weights it would let the prior follow the noise.
    """

    def __init__(self, std=1.0, learned=False):
        _check_std("GaussianPrior", "std", std)
        self.learned = learned
        log_std = init.constant_(empty(), math.log(std))
        if learned:
            self.log_std = log_std
        else:
            self.register_buffer("log_std", log_std.detach().numpy().copy())

    def divergence(self, mean, std, rng):
        """KL of each weight, in the shape of `mean`. rng is not needed."""
        log_std = self.log_std
        return log_std - ops.log(std) + (0.5 * np.exp(-2 * log_std)) * (std * std + mean * mean) - 0.5

    def extra_repr(self):
        log_std = self.log_std.item()
        return f"std={math.exp(log_std):.4g}" + (", learned" if self.learned else "")


class ScaleMixturePrior(Module):
    """p(w) = pi N(w; 0, std1^2) + (1 - pi) N(w; 0, std2^2), std1 > std2: most weights near 0, some far   (their eq. 7)

    KL(q || p) has no closed form: log q(w) - log p(w) at one draw w ~ q is its unbiased estimate. (The paper takes the draw
    that made the prediction; one of its own has the same mean.)
    """

    def __init__(self, pi=0.5, std1=1.0, std2=0.0025):
        for what, std in (("std1", std1), ("std2", std2)):
            _check_std("ScaleMixturePrior", what, std)
        if not 0 < pi < 1:
            raise ValueError(f"ScaleMixturePrior: got pi={pi!r}, want a share between 0 and 1; for one Gaussian take "
                             "GaussianPrior")
        self.pi, self.std1, self.std2 = pi, std1, std2

    def divergence(self, mean, std, rng):
        """log q(w) - log p(w) of each weight at one draw, in the shape of `mean`."""
        noise = _noise(mean, rng)
        w = mean + std * noise
        wide = math.log(self.pi / self.std1) - w * w * (0.5 / self.std1**2)
        narrow = math.log((1 - self.pi) / self.std2) - w * w * (0.5 / self.std2**2)
        log_p = narrow + ops.softplus(wide - narrow)            # log(e^wide + e^narrow); log sqrt(2 pi) is in both
        return -ops.log(std) - 0.5 * noise * noise - log_p

    def extra_repr(self):
        return f"pi={self.pi:.4g}, std1={self.std1:.4g}, std2={self.std2:.4g}"


def _noise(like, rng):
    """eps ~ N(0, 1), an array of the shape and dtype of `like`."""
    return generator(rng).standard_normal(like.shape, like.dtype)


def _rho(std, shape):
    """A parameter rho with log(1 + e^rho) = std everywhere."""
    return init.constant_(empty(*shape), math.log(math.expm1(std)) if std < 30 else std)  # e^std may be past all numbers


class _Bayesian:
    """Mixin of the layers here: what they keep beside the plain layer's parameters."""

    def _become_bayesian(self, std, prior, rng):
        _check_std(type(self).__name__, "std", std)
        if prior is not None and (isinstance(prior, type) or not hasattr(prior, "divergence")):
            raise TypeError(f"{type(self).__name__}: got prior={prior!r}, want GaussianPrior(...) or ScaleMixturePrior(...)")
        self.prior = GaussianPrior() if prior is None else prior
        self.rng = rng
        for name, parameter in self._means():
            setattr(self, f"{name}_rho", _rho(std, parameter.shape))

    def _means(self):
        return [(name, p) for name, p in self._table("_parameters").items() if p is not None and not name.endswith("_rho")]

    def std(self, name="weight"):
        """s = log(1 + e^rho) of the parameter `name`, in its shape."""
        return ops.softplus(getattr(self, f"{name}_rho"))

    def kl(self):
        """KL(q || p) of all weights together: a tensor with one number; an estimate where the prior has no closed form."""
        return sum(self.prior.divergence(mean, self.std(name), self.rng).sum() for name, mean in self._means())

    def draw_(self, rng=None):
        """Replace the means by one draw w ~ q, in place: the layer that evaluation then sees. See `posterior_draw`."""
        rng = generator(rng)
        with no_grad():
            for name, mean in self._means():
                mean.copy_(mean + self.std(name) * _noise(mean, rng))
        return self


class BayesianLinear(_Bayesian, Linear):
    """y = x W^T + b,   W ~ N(weight, s_W^2),   b ~ N(bias, s_b^2)

    x (..., in) -> y (..., out); weight (out, in), bias (out,); weight_rho and bias_rho in the same shapes, of s =
    softplus(rho). std: where s starts, by default 0.1 / sqrt(in). local=True draws outputs instead of weights, row by row:

        y = x weight^T + bias + sqrt(x^2 (s_W^2)^T + s_b^2) * eps

    which has the same distribution for each row, and gradients of less variance, since rows do not share a draw (Kingma et
    al. 2015, section 2.3). local=False draws one W and one b for the whole batch.
    """

    def __init__(self, in_features, out_features, bias=True, *, prior=None, std=None, local=True, rng=None):
        rng = None if rng is None else generator(rng)
        super().__init__(in_features, out_features, bias, rng=rng)
        self.local = local
        self._become_bayesian(0.1 / math.sqrt(max(1, in_features)) if std is None else std, prior, rng)

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        if not self.local:
            parts = [mean + self.std(name) * _noise(mean, self.rng) for name, mean in self._means()]
            return ops.linear(x, *parts)
        mean = super().forward(x)
        variance = ops.linear(x * x, *(ops.square(self.std(name)) for name, _ in self._means()))
        least = np.finfo(variance.dtype).tiny                  # a row of zeros without a bias: sqrt has no slope at 0
        return mean + ops.sqrt(ops.maximum(variance, least)) * _noise(mean, self.rng)

    def extra_repr(self):
        return super().extra_repr() + ("" if self.local else ", local=False")


class BayesianEmbedding(_Bayesian, Embedding):
    """y = W[index],   W ~ N(weight, s^2)

    index: integers of any shape; y (*index.shape, embedding_dim); weight and weight_rho (V, D), s = softplus(weight_rho). A
    row that few examples speak to keeps a wide s, and so does what is predicted from it. std: where s starts. In training
    each reading is a draw of its own. `kl(index)` gives the divergences of single rows: an example that reads row v, as n_v
    of all do, pays KL_v / n_v, and all together have paid the whole, without a step that visits the whole table.
    """

    def __init__(self, num_embeddings, embedding_dim, *, prior=None, std=0.1, sparse=False, rng=None):
        rng = None if rng is None else generator(rng)
        super().__init__(num_embeddings, embedding_dim, sparse=sparse, rng=rng)
        self._become_bayesian(std, prior, rng)

    def _read_std(self, index):
        return ops.softplus(ops.embedding(index, self.weight_rho, sparse=self.sparse))

    def forward(self, index):
        mean = super().forward(index)
        return mean + self._read_std(index) * _noise(mean, self.rng) if self.training else mean

    def kl(self, index=None):
        """KL(q || p) of the table, one number; with an index that of each row it names, in the index's shape."""
        if index is None:
            return super().kl()
        mean = ops.embedding(index, self.weight, sparse=self.sparse)
        return self.prior.divergence(mean, self._read_std(index), self.rng).sum(dim=-1)


def kl_divergence(model):
    """The sum of KL(q || p) over the Bayesian layers of `model`: a tensor with one number."""
    layers = [module for module in model.modules() if isinstance(module, _Bayesian)]
    if not layers:
        raise ValueError(f"kl_divergence: this {type(model).__name__} has no Bayesian layer; build it with BayesianLinear")
    return sum(layer.kl() for layer in layers)


def variational_loss(loss, model, n, kl_weight=1.0):
    """The loss L(prediction, target) = loss(prediction, target) + kl_weight * KL(model) / n, as Trainer takes it.

    loss: a mean of -log p(target | prediction) over the batch, as cross_entropy; n: how many examples there are in all, so
    that an epoch pays the KL once. kl_weight below 1 trusts the data more than Bayes' rule does (a "cold posterior").
    """
    if n < 1 or not kl_weight >= 0:
        raise ValueError(f"variational_loss: got n={n!r} and kl_weight={kl_weight!r}, want the number of training examples, "
                         "at least 1, and a weight of at least 0")
    return lambda prediction, target: loss(prediction, target) + kl_divergence(model) * (kl_weight / n)


@contextlib.contextmanager
def sampling(model):
    """Inside, Dropout and Bayesian layers of `model` draw, and everything else (batch norm) evaluates. Modes come back.

    With Dropout that is MC dropout: each call is the prediction of one network out of the posterior. Dropout that is an
    option of another layer, as of an LSTM, stays off.
    """
    modes = [(module, module.training) for module in model.modules()]
    drawn = [module for module, _ in modes if isinstance(module, (Dropout, _Bayesian))]
    if not drawn:
        raise ValueError(f"sampling: this {type(model).__name__} has no Dropout and no Bayesian layer, so that every draw "
                         "would be the same; add one, or call the model once")
    model.eval()
    for module in drawn:
        module.training = True
    try:
        yield model
    finally:
        for module, training in modes:
            module.training = training


def predictive_draws(model, *inputs, samples=50):
    """(S, ...): the outputs of `samples` draws of the model. Their mean predicts, their deviation is the spread.

    Of a classifier average the probabilities (softmax of each draw), not the logits. The spread is what the weights leave
    open; the noise of single targets comes on top.
    """
    if samples < 1:
        raise ValueError(f"predictive_draws: got samples={samples!r}, want at least 1")
    with sampling(model), no_grad():
        return np.stack([model(*inputs).numpy() for _ in range(samples)])


def posterior_draw(model, rng=None):
    """A copy of `model`, evaluating, whose Bayesian layers hold one draw w ~ q for good: one function out of many."""
    twin = copy.deepcopy(model).eval()
    layers = [module for module in twin.modules() if isinstance(module, _Bayesian)]
    if not layers:
        raise ValueError(f"posterior_draw: this {type(model).__name__} has no Bayesian layer; with Dropout use sampling")
    rng = generator(rng)
    for layer in layers:
        layer.draw_(rng)
    return twin
