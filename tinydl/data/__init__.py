"""From arrays to batches: `TensorDataset` holds them side by side, `DataLoader` cuts them up in a drawn order; images."""

from .dataset import Dataset, TensorDataset
from .images import (AugmentedImages, bars_and_stripes, flipped, load_images, read_idx, shifted, synthetic_digits,
                     synthetic_shapes)
from .loader import DataLoader
