"""A kernel is a pair: a readable NumPy reference and the plain loops that numba compiles. One call runs the right one.

    def double_reference(x):                 @kernel(double_reference)
        return 2 * x                         def double(x): ...loops...

`TINYDL_NUMBA=0` (or `with use_numba(False)`) runs every reference instead. numba is imported with the first compiled
call, code is compiled once a machine and kept in a folder named after all kernel sources (numba itself would not notice
a change in another file), and arguments that are not plain arrays, such as tensors, always get the reference. Loops may
call other kernels.
"""

import contextlib
import functools
import os
import pathlib
import sys
import threading
import types
import warnings

import numpy as np

from .blas import compiled_products, numpys, sleep_soon
from .memory import keep_freed_memory

registry = {}  # name -> Kernel, in the order of definition

_PLAIN = {np.ndarray, float, int, bool, type(None), np.float32, np.float64, np.int64, np.int32, np.bool_}
_compile_lock = threading.RLock()
_parallel_lock = threading.Lock()
_state = {"enabled": os.environ.get("TINYDL_NUMBA", "1") != "0", "announced": False}

prange = range  # in loops: iterations that may run side by side; numba's own stands here when it compiles


class _Override(threading.local):
    value = None


_override = _Override()


def numba_enabled():
    """Whether kernels of this thread run compiled."""
    return _state["enabled"] if _override.value is None else _override.value


@contextlib.contextmanager
def use_numba(enabled):
    """Context manager: compiled kernels on or off, in this thread."""
    before, _override.value = _override.value, bool(enabled)
    try:
        yield
    finally:
        _override.value = before


def kernel(reference, parallel=False, reorder=False):
    """Decorator that registers loops beside their NumPy reference. parallel: `prange` loops share the cores.

    reorder: sums may be taken in another order than is written, without which the sum in a dot product is not vectorised.
    The order is the compiler's, the same in every run.
    """
    def register(loops):
        registry[loops.__name__] = made = Kernel(loops, reference, parallel, reorder)
        return made
    return register


class Kernel:
    """Callable pair of `reference` and `loops`; `compiled` is what numba made of the loops."""

    def __init__(self, loops, reference, parallel=False, reorder=False):
        functools.update_wrapper(self, loops)
        self.name, self.loops, self.reference, self.parallel = loops.__name__, loops, reference, parallel
        self.fastmath = {"contract", "reassoc"} if reorder else {"contract"}
        self._compiled = None

    def __call__(self, *args):
        if not (_state["enabled"] if _override.value is None else _override.value):
            return self.reference(*args)
        if not _PLAIN.issuperset(map(type, args)):
            return self.reference(*args)
        run = self._compiled or self.compiled
        if self.parallel:
            with _parallel_lock:  # numba's simplest threading layer may not be entered twice
                return run(*args)
        return run(*args)

    @property
    def compiled(self):
        with _compile_lock:
            if self._compiled is None:
                self._compiled = self._compile()
            return self._compiled

    def _compile(self):
        try:
            import numba
        except Exception as error:  # a broken installation is as good as none
            warnings.warn(f"tinydl: numba cannot be imported ({error}); kernels run on NumPy, slower", stacklevel=3)
            _state["enabled"] = False
            return self.reference
        _load_patient_threads()
        sleep_soon(numpys())
        if "dot" in self.loops.__code__.co_names:
            compiled_products()
        keep_freed_memory()
        names = {**self.loops.__globals__, "prange": numba.prange}
        names |= {name: names[name].compiled for name in self.loops.__code__.co_names if isinstance(names.get(name), Kernel)}
        body = types.FunctionType(self.loops.__code__, names, self.loops.__name__)
        dispatcher = numba.njit(nogil=True, parallel=self.parallel, error_model="numpy",
                                fastmath=self.fastmath)(body)
        folder = cache_folder(self.loops.__code__.co_filename)
        if folder is not None:
            before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)
            try:
                dispatcher.enable_caching()
            except Exception:  # no place to keep it: compile each time
                pass
            finally:
                numba.config.CACHE_DIR = before
        if not _state["announced"] and (folder is None or not any(folder.rglob(f"*.{self.name}-*.nbi"))):
            _state["announced"] = True
            print("tinydl: compiling its kernels for this machine, once; this takes some seconds",
                  file=sys.stderr, flush=True)
        return dispatcher


@functools.cache
def _load_patient_threads():
    """Load numba's OpenMP threads so that idle ones sleep. By default they spin, as those of NumPy's matrix products do,
    and where cores are few the two keep each other from working: a training step took twice as long."""
    before = os.environ.get("OMP_WAIT_POLICY")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read once, when the library is loaded
    try:
        from numba.np.ufunc import omppool  # noqa: F401
    except ImportError:
        pass  # this build of numba has other threads
    finally:
        if before is None:
            del os.environ["OMP_WAIT_POLICY"]


def cache_folder(source):
    """Where compiled code of the kernels in `source`'s folder is kept; None where nothing can be written.

    $TINYDL_CACHE or ~/.cache/tinydl, then a name with a hash of every kernel source beside `source`.
    """
    home = os.environ.get("TINYDL_CACHE") or os.path.join(os.path.expanduser("~"), ".cache", "tinydl")
    folder = pathlib.Path(home) / "kernels" / _fingerprint(pathlib.Path(source).parent)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


@functools.cache
def _fingerprint(folder):
    import hashlib  # only compiled code needs it

    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]
