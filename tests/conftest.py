"""What the tests share: a fresh default generator, float64 where gradients are checked, and the place of the real data."""

import os
import pathlib

import numpy as np
import pytest

import tinydl


@pytest.fixture(autouse=True)
def _fresh_generator():
    tinydl.manual_seed(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def float64():
    """New parameters and Python numbers are float64 inside the test."""
    before = tinydl.get_default_dtype()
    tinydl.set_default_dtype(np.float64)
    yield
    tinydl.set_default_dtype(before)


@pytest.fixture(scope="session")
def real_data():
    """real_data("ml-1m") -> the folder with the real files; skipped with its reason, or failed, where it is absent."""
    def folder(name):
        root = os.environ.get("TINYDL_DATA")
        path = pathlib.Path(root or ".") / name
        if root and path.is_dir():
            return path
        reason = f"no real data: set TINYDL_DATA to a folder that holds {name}/"
        if os.environ.get("TINYDL_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
