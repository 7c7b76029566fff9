"""Learning without labels, layer by layer: restricted Boltzmann machines, autoencoders, stacks of either.

    rbm.py, units.py    RBM: energies, distributions, contrastive divergence
    exact.py, ais.py    how likely it finds data: by counting, by annealed importance sampling
    reconstruction.py   what all autoencoders share: fit, transform, reconstruct
    autoencoder.py      Autoencoder, tied or untied; denoising, sparse, contractive
    variational.py      VariationalAutoencoder
    pretraining.py      stack, greedy_pretraining: a deep network that starts from features, layer by layer
    deep_belief.py      DeepBeliefNet: a stack of RBMs as one model that can dream; up-down training
"""

from .ais import annealed_importance_sampling
from .autoencoder import Autoencoder, ContractiveAutoencoder, DenoisingAutoencoder, SparseAutoencoder
from .deep_belief import DeepBeliefNet
from .exact import likelihood_gradient, log_likelihood, log_partition, mean_contrastive_divergence
from .pretraining import feed_forward, greedy_pretraining, stack, unrolled
from .rbm import RBM
from .variational import VariationalAutoencoder
