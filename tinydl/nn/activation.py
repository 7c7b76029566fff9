"""The nonlinearities as layers, so that they can stand in a Sequential. The formulas are in `tinydl.ops.activation`."""

from .. import ops
from .module import Module


class Sigmoid(Module):
    """y = 1 / (1 + e^-x)"""

    def forward(self, x):
        return ops.sigmoid(x)


class Tanh(Module):
    """y = tanh x"""

    def forward(self, x):
        return ops.tanh(x)


class ReLU(Module):
    """y = max(0, x)"""

    def forward(self, x):
        return ops.relu(x)


class LeakyReLU(Module):
    """y = x where x > 0, else negative_slope * x"""

    def __init__(self, negative_slope=0.01):
        self.negative_slope = negative_slope

    def forward(self, x):
        return ops.leaky_relu(x, negative_slope=self.negative_slope)

    def extra_repr(self):
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """y = x where x > 0, else alpha (e^x - 1)"""

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def forward(self, x):
        return ops.elu(x, alpha=self.alpha)

    def extra_repr(self):
        return f"alpha={self.alpha}"


class GELU(Module):
    """y = x Phi(x)"""

    def __init__(self, approximate="none"):
        self.approximate = approximate

    def forward(self, x):
        return ops.gelu(x, self.approximate)


class SiLU(Module):
    """y = x sigmoid(x)"""

    def forward(self, x):
        return ops.silu(x)


class Softplus(Module):
    """y = log(1 + e^x)"""

    def forward(self, x):
        return ops.softplus(x)


class LogSigmoid(Module):
    """y = log sigmoid(x)"""

    def forward(self, x):
        return ops.logsigmoid(x)


class Softmax(Module):
    """y_i = e^{x_i} / sum_j e^{x_j} along dim"""

    def __init__(self, dim):
        self.dim = dim

    def forward(self, x):
        return ops.softmax(x, axis=self.dim)

    def extra_repr(self):
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """y = log softmax(x) along dim"""

    def __init__(self, dim):
        self.dim = dim

    def forward(self, x):
        return ops.log_softmax(x, axis=self.dim)

    def extra_repr(self):
        return f"dim={self.dim}"
