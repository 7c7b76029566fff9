"""Learning without labels, layer by layer: restricted Boltzmann machines, autoencoders, stacks of either.

    rbm.py              RBM: energies, distributions, contrastive divergence
    reconstruction.py   what all autoencoders share: fit, transform, reconstruct
    autoencoder.py      Autoencoder, tied or untied; denoising, sparse, contractive
    variational.py      VariationalAutoencoder
    pretraining.py      stack, greedy_pretraining: a deep network that starts from features, layer by layer
"""

from .autoencoder import Autoencoder, ContractiveAutoencoder, DenoisingAutoencoder, SparseAutoencoder
from .pretraining import feed_forward, greedy_pretraining, stack, unrolled
from .rbm import RBM
from .variational import VariationalAutoencoder
