"""One epoch of training on both sides: shuffling, batches, forward, backward, step, and the mean loss, as users run it.

tinydl's side is its Trainer. PyTorch's is the usual loop without DataLoader, whose row-wise collation is slow: tensors
in memory, batches cut out by index_select along a random permutation.
"""

import shutil

import numpy as np

from .common import Unavailable


# ------------------------------------------------------------------------------------------------ weights, gradients
def named_weights(weights):
    """A state_dict as part of a problem, which both sides read."""
    return {f"weights/{name}": array for name, array in weights.items()}


def weights_of(problem):
    return {key.removeprefix("weights/"): array for key, array in problem.items() if key.startswith("weights/")}


def torch_weights(problem):
    import torch

    return {name: torch.from_numpy(array) for name, array in weights_of(problem).items()}


def gradients_of(network, unseen=()):
    """{name: array}, in either library; of a sparse gradient the whole table. unseen: names to leave out."""
    dense = {name: p.grad.to_dense() if getattr(p.grad, "is_sparse", False) else p.grad
             for name, p in network.named_parameters() if name not in unseen}
    return {name: gradient.numpy().copy() for name, gradient in dense.items()}


def compiled(function):
    import torch

    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        raise Unavailable("torch.compile needs a C++ compiler")
    return torch.compile(function, dynamic=False)


# ------------------------------------------------------------------------------------------------ the loops
class TinydlTraining:
    """model(*inputs) against the last array of a batch, with `optimizer`. data: a Dataset, or arrays."""

    def __init__(self, model, loss, optimizer, data, batch_size):
        from tinydl.data import DataLoader
        from tinydl.training import Trainer

        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.loader = DataLoader(data, batch_size, shuffle=True, rng=0)
        self.trainer = Trainer(model, loss, optimizer)

    def run(self):
        self.trainer.fit(self.loader, epochs=self.trainer.epoch + 1)

    def check(self):
        """The loss of the first batch, and every parameter's gradient."""
        from tinydl import Tensor

        self.model.eval()  # without dropout, whose masks are drawn differently
        *inputs, target = map(Tensor, self.loader.dataset[slice(self.loader.batch_size)])
        loss = self.loss(self.model(*inputs), target)
        loss.backward()
        gradients = gradients_of(self.model)
        self.optimizer.zero_grad()
        self.model.train()
        return {"loss": np.array(loss.item(), np.float32), **gradients}


class TorchLoop:
    """The usual loop. A side has `model`, `optimizers`, `size`, `batch_size`, and loss(rows) of a batch of row numbers.

    given: what `check` passes to loss beside the rows, such as the draws of the first batch. unseen: as in `gradients_of`.
    """

    given, unseen = (), ()

    def run(self):
        import torch

        total = 0.0
        for rows in torch.randperm(self.size).split(self.batch_size):
            loss = self.loss(rows)
            total += loss.item() * len(rows)
            for optimizer in self.optimizers:
                optimizer.zero_grad()
            loss.backward()
            for optimizer in self.optimizers:
                optimizer.step()
        return total / self.size

    def check(self):
        import torch

        self.model.eval()
        loss = self.loss(torch.arange(min(self.batch_size, self.size)), *self.given)
        loss.backward()
        gradients = gradients_of(self.model, self.unseen)
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        self.model.train()
        return {"loss": loss.detach().numpy().copy(), **gradients}


class TorchTraining(TorchLoop):
    """As TinydlTraining, with a list of optimizers (one for tables with sparse gradients, one for the rest)."""

    def __init__(self, model, loss, optimizers, arrays, batch_size, compile=False):
        import torch

        torch.manual_seed(0)
        self.model, self.optimizers, self.batch_size, self.size = model, optimizers, batch_size, len(arrays[0])
        self.tensors = [torch.from_numpy(a) for a in arrays]
        self.objective = lambda *batch: loss(model(*batch[:-1]), batch[-1])
        if compile:
            self.objective = compiled(self.objective)

    def loss(self, rows):
        return self.objective(*(t.index_select(0, rows) for t in self.tensors))


class CovectorGradients:
    """loss = <v, output>, and the gradients of parameters and x, in either library. v is random: no sums of ones.

    Of a module that gives (output, state), the output counts.
    """

    def __init__(self, module, x, v):
        self.module, self.x, self.v = module, x, v

    def run(self):
        for leaf in (self.x, *self.module.parameters()):
            leaf.grad = None
        output = self.module(self.x)
        loss = ((output[0] if isinstance(output, tuple) else output) * self.v).sum()
        loss.backward()
        return loss

    def check(self):
        loss = self.run()
        gradients = {"x": self.x, **dict(self.module.named_parameters())}
        return {"loss": np.array(loss.item(), np.float32),
                **{name: leaf.grad.numpy().copy() for name, leaf in gradients.items()}}


def torch_optimizers(model, lr, sparse=False, decayed=(), weight_decay=0.0):
    """Adam in PyTorch's fastest form: fused; with `sparse`, SparseAdam for the tables whose gradients are sparse.

    SparseAdam is not Adam: it leaves rows alone until they are read, and has no decay for those `decayed`. It is measured
    as the faster choice of a user.
    """
    from torch import nn, optim

    tables = [m.weight for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag) and m.sparse]
    rest = [p for p in model.parameters() if not any(p is t for t in tables)]
    lazy = [optim.SparseAdam(tables, lr=lr)] if sparse else []
    groups = [{"params": [p for p in rest if any(p is d for d in decayed)], "weight_decay": weight_decay},
              {"params": [p for p in rest if not any(p is d for d in decayed)]}]
    return [optim.AdamW([group for group in groups if group["params"]], lr=lr, weight_decay=0.0, fused=True), *lazy]


def dense_flops(batch, layers):
    """Arithmetic of one step's matrix products: y = x W', dW = dy' x and, but for layers fed by data, dx = dy W.

    layers: (inputs, outputs, products).
    """
    return 2 * batch * sum(n * m * products for n, m, products in layers)
