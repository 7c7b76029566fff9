"""From arrays to batches: `TensorDataset` holds them side by side, `DataLoader` cuts them up in a drawn order."""

from .dataset import Dataset, TensorDataset
from .loader import DataLoader
