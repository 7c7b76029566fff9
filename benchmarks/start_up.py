"""Start-up: what the import costs, what the first run on a machine compiles, and how fast the next one is."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from .common import Result

IMPORT, COMPILE, LOAD = 0.15, 20.0, 1.0  # seconds, at most


def results(quick):
    print("\n== start-up", flush=True)
    cost = statistics.median(_import_seconds() for _ in range(3 if quick else 9))
    yield _result("import tinydl, beyond numpy", cost, IMPORT)
    with tempfile.TemporaryDirectory() as folder:
        cold, said = _first_trainings(folder)
        warm, said_again = _first_trainings(folder)
    print(f"  empty cache: import numba {cold['numba']:.2f} s, compiling {cold['first'] - cold['second']:.2f} s; on stderr: "
          f"{said.strip() or 'nothing'}\n  warm cache: import numba {warm['numba']:.2f} s, loading kernels "
          f"{warm['first'] - warm['second']:.2f} s; {warm['kernels']} kernels; on stderr: {said_again.strip() or 'nothing'}")
    compiling = cold["numba"] + cold["first"] - cold["second"]
    yield _result("first run: compiling, announced", compiling, COMPILE, "compiling" in said and not said_again, cold)
    yield _result("next start: loading kernels and numba", warm["numba"] + warm["first"] - warm["second"], LOAD, True, warm)


def _result(title, seconds, limit, also=True, details=None):
    return Result(title, f"{seconds:.3g} s", "", "", "", f"<= {limit:g} s", seconds <= limit and also,
                  {"seconds": seconds, **(details or {})})


def _import_seconds():
    code = ("import time, numpy; started = time.perf_counter(); import tinydl; "
            "print(time.perf_counter() - started)")
    return float(subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout)


def _first_trainings(cache):
    """(seconds, stderr) of a new process that trains every network, with compiled code kept in `cache`."""
    done = subprocess.run([sys.executable, "-m", "benchmarks", "--first-trainings"], check=True, capture_output=True,
                          text=True, env={**os.environ, "TINYDL_CACHE": cache})
    return json.loads(done.stdout), done.stderr


def first_trainings():
    """Train and ask every model twice; the difference of the two times is what the kernels' first use costs."""
    import pandas  # noqa: F401  (its import is not the kernels')

    import tinydl.kernels as kernels

    started = time.perf_counter()
    import numba  # noqa: F401
    times = {"numba": time.perf_counter() - started}
    for pass_ in ("first", "second"):
        started = time.perf_counter()
        _train_everything()
        times[pass_] = time.perf_counter() - started
    used = [k for k in kernels.registry.values() if k._compiled is not None]
    print(json.dumps({**times, "kernels": len(used)}))


def _train_everything():
    from recmodels.models import MODELS

    from .recommenders import random_ratings

    data = random_ratings(20, 30, 500)
    for make in MODELS.values():
        model = make()
        params = model.get_params()
        if "epochs" in params:
            model = model.clone(epochs=1, **({"dropout": 0.1} if "dropout" in params else {}))
        model.fit(data, valid=data).recommend([1])
