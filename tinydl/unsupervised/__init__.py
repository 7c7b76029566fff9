"""Learning without labels, layer by layer: restricted Boltzmann machines.

    rbm.py     RBM: energies, distributions, contrastive divergence
"""

from .rbm import RBM
