"""Residual: a block learns what to add to its input, and the gradient has a path around it."""

from .. import ops
from . import init
from .activation import ReLU
from .container import Sequential
from .convolution import Conv2d
from .linear import Linear
from .module import Module
from .normalization import BatchNorm2d


class Residual(Module):
    """h_{N+1} = f(h_N) + h_N;   dh_N = df/dh_N' dh_{N+1} + dh_{N+1}   (He et al. 2016)

    f: any module. shortcut: what the input goes through instead of the identity, e.g. a Linear where f changes the
    shape. The lecture's slide writes h_{N+1} = f_N(h_N) + f_{N-3}(h_{N-3}) and derives the short path only; the gradient
    of a sum is the sum over both paths, as here.
    """

    def __init__(self, f, shortcut=None):
        self.f = f
        self.shortcut = shortcut

    def forward(self, h):
        y, x = self.f(h), h if self.shortcut is None else self.shortcut(h)
        if y.shape != x.shape:
            raise ValueError(f"Residual: the block gives {y.shape} and the shortcut {x.shape}; pass shortcut= a module that "
                             "maps the input to the block's shape")
        return y + x


class ResidualBlock(Residual):
    """Two 3 x 3 convolutions f, after batch normalization as the papers place it, and a plus sign around them.

    post-activation   h_{N+1} = ReLU(f(h_N) + h_N),   f = conv, norm, ReLU, conv, norm          (He et al. 2016a, fig. 2)
    pre-activation    h_{N+1} = f(h_N) + h_N,         f = norm, ReLU, conv, norm, ReLU, conv    (He et al. 2016b, fig. 4e)

    h (B, in, H, W) -> (B, out, ceil(H / stride), ceil(W / stride)). Where that changes the shape, the shortcut is a 1 x 1
    convolution (with norm, in post-activation: the papers' option B); else it is the identity. Convolutions start from
    He's N(0, 2 / (9 out)) and have no bias: the normalization after them would take it out again.
    """

    def __init__(self, in_channels, out_channels, stride=1, pre_activation=False, *, rng=None):
        first = _he(Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False, rng=rng), rng)
        second = _he(Conv2d(out_channels, out_channels, 3, padding=1, bias=False, rng=rng), rng)
        shortcut = None
        if stride != 1 or in_channels != out_channels:
            shortcut = _he(Conv2d(in_channels, out_channels, 1, stride, bias=False, rng=rng), rng)
        if pre_activation:
            f = Sequential(BatchNorm2d(in_channels), ReLU(), first, BatchNorm2d(out_channels), ReLU(), second)
        else:
            f = Sequential(first, BatchNorm2d(out_channels), ReLU(), second, BatchNorm2d(out_channels))
            shortcut = shortcut and Sequential(shortcut, BatchNorm2d(out_channels))
        super().__init__(f, shortcut)
        self.pre_activation = pre_activation

    def forward(self, h):
        y = super().forward(h)
        return y if self.pre_activation else ops.relu(y)

    def extra_repr(self):
        return f"pre_activation={self.pre_activation}"


def _he(convolution, rng):
    init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu", rng=rng)
    return convolution


class ResNet(Module):
    """The residual network for small images: a convolution, stages of blocks, the mean of each channel, a linear map.

    x (B, in, H, W) -> logits (B, classes). widths: the channels of each stage; every stage but the first halves the image.
    blocks: how many a stage. pool: the largest of each 2 x 2 numbers of the first convolution go on, so that the stages cost
    a quarter. With the widths (16, 32, 64) these are the networks of 6 blocks + 2 layers of He et al. 2016a, section 4.2;
    the pooling is that of their larger ones, but before the normalization, which then has a quarter to do.
    """

    def __init__(self, in_channels=1, classes=10, widths=(16, 32, 64), blocks=2, pre_activation=False, pool=False, *,
                 rng=None):
        self.stem = _he(Conv2d(in_channels, widths[0], 3, padding=1, bias=False, rng=rng), rng)
        self.norm = BatchNorm2d(widths[-1] if pre_activation else widths[0])
        before, row = widths[0], []
        for stage, width in enumerate(widths):
            for n in range(blocks):
                row.append(ResidualBlock(before, width, 2 if stage and not n else 1, pre_activation, rng=rng))
                before = width
        self.blocks = Sequential(*row)
        self.last = Linear(widths[-1], classes, rng=rng)
        self.pre_activation, self.pool = pre_activation, pool

    def forward(self, x):
        h = self.stem(x)
        if self.pool:
            h = ops.max_pool2d(h, 2)
        if self.pre_activation:
            h = ops.relu(self.norm(self.blocks(h)))
        else:
            h = self.blocks(ops.relu(self.norm(h)))
        return self.last(ops.mean(h, axis=(2, 3)))
