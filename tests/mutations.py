"""Does the suite notice? Rules and kernels are broken one at a time in a copy of the sources, and a test must turn red.

    python -m tests.mutations [--list] [--only SUBSTRING] [--jobs 1]

The table is in `mutations_table/`. First the copy passes the named tests unbroken; then each mutation is applied and its
tests run until the first failure, which is named. A mutation that survives is a hole in the suite: write the test that
kills it. Exit code 1 if any survives, or if the text that one replaces does not occur exactly once any more.
Kernels run on their references (no compilation); their loops are run as plain Python by test_kernels.py.
"""

import argparse
import concurrent.futures
import multiprocessing
import os
import pathlib
import queue
import re
import shlex
import shutil
import sys
import tempfile
import time
from typing import NamedTuple

from tests.mutations_table import CHAPTERS

ROOT = pathlib.Path(__file__).resolve().parents[1]
TIMEOUT = 300  # seconds for the tests of one mutation; those of the unbroken copy take as long as they take


class Mutation(NamedTuple):
    file: str
    old: str
    new: str
    tests: tuple  # arguments of pytest

    def __str__(self):
        old, new = (re.sub(r"\s+", " ", text) for text in (self.old, self.new))
        return f"{self.file}: {old}  ->  {new}"

    def applied(self, root=ROOT):
        """The file's text with the mutation; ValueError where the old text does not occur exactly once."""
        text = (root / self.file).read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"stale, its text occurs {text.count(self.old)} times instead of once: {self}")
        if self.old == self.new:
            raise ValueError(f"changes nothing: {self}")
        return text.replace(self.old, self.new)


def mutations():
    """All of the table, in its order."""
    return [Mutation(file, old, new, tuple(f"tests/{part}" if part.endswith(".py") else part for part in shlex.split(tests)))
            for file, tests, changes in CHAPTERS for old, new in changes]


def copied(folder):
    """A copy of what the tests need, in `folder`."""
    for name in ("tinydl", "recmodels", "examples", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "setup.cfg", folder)
    return folder


def pytest_in(folder, tests, cache, output):
    """What the child process does: pytest in the copy, its exit code as this process's own."""
    import hypothesis
    import pytest

    with open(output, "wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(folder)
    sys.path[:] = [str(folder)] + [path for path in sys.path if path not in ("", str(ROOT))]
    for name in [name for name in sys.modules if name.split(".")[0] == "tests"]:
        del sys.modules[name]
    sys.dont_write_bytecode = not cache  # what is cached belongs to the unbroken sources
    hypothesis.settings.register_profile("found is enough", derandomize=True, database=None, phases=[
        hypothesis.Phase.explicit, hypothesis.Phase.generate])  # a smaller example of the failure would take long
    hypothesis.settings.load_profile("found is enough")
    code = pytest.main(["-x", "-q", "--tb=line", "-W", "ignore::pytest.PytestAssertRewriteWarning", *tests])
    for package in ("tinydl", "recmodels", "examples"):
        if package in sys.modules and not sys.modules[package].__file__.startswith(str(folder)):
            code = 99
            print(f"the tests saw {sys.modules[package].__file__}, not the copy")
    sys.stdout.flush()
    sys.exit(int(code))


def run(folder, tests, cache=False, timeout=TIMEOUT):
    """pytest in a fork of a process that has the libraries loaded -> (exit code, output); None where there is no end."""
    output = folder / "output"
    process = multiprocessing.get_context("forkserver").Process(target=pytest_in, args=(folder, tests, cache, output))
    process.start()
    process.join(timeout)
    if process.is_alive():
        process.kill()
        process.join()
        return None, ""
    return process.exitcode, output.read_text(errors="replace")


def verdict(mutation, folder):
    """(whether a test has failed, which one or what happened instead)"""
    path = folder / mutation.file
    before, times = path.read_text(), path.stat()
    path.write_text(mutation.applied(folder))
    os.utime(path, (times.st_atime, times.st_mtime + 100))  # never taken for the cached one
    started = time.perf_counter()
    try:
        code, output = run(folder, mutation.tests)
    finally:
        path.write_text(before)
        os.utime(path, (times.st_atime, times.st_mtime))
    found = re.search(r"^(?:FAILED|ERROR) tests/(.*?)(?: - .*)?$", output, re.MULTILINE)
    if code == 1 and found:
        return True, f"caught by {found[1]} ({time.perf_counter() - started:.1f} s)"
    if code == 0:
        return False, "SURVIVED"
    return False, f"NO VERDICT, {'no end' if code is None else f'pytest ended with {code}'}: {output[-600:]}"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--list", action="store_true", help="print the mutations and end")
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="those whose line has SUBSTRING in it")
    parser.add_argument("--jobs", type=int, default=1, help="so many at a time")
    options = parser.parse_args(arguments)
    chosen = [m for m in mutations() if options.only in str(m)]
    if options.list:
        print(*chosen, sep="\n")
        return 0
    for mutation in chosen:
        mutation.applied()
    os.environ.update(TINYDL_NUMBA="0", OPENBLAS_NUM_THREADS="1")
    multiprocessing.get_context("forkserver").set_forkserver_preload(
        ["pytest", "hypothesis", "pandas", "scipy.sparse", "scipy.special", "scipy.optimize"])
    with tempfile.TemporaryDirectory() as temporary:
        started = time.perf_counter()
        files = sorted({part for m in chosen for part in m.tests if part.endswith(".py")})
        unbroken, free = copied(pathlib.Path(temporary, "0")), queue.Queue()
        code, output = run(unbroken, files, cache=True, timeout=None)
        if code != 0:
            print(f"the unbroken copy fails its tests:\n{output}")
            return 1
        free.put(unbroken)
        for job in range(1, options.jobs):
            free.put(pathlib.Path(shutil.copytree(unbroken, pathlib.Path(temporary, str(job)))))
        print(f"unbroken: {len(files)} files of tests pass ({time.perf_counter() - started:.0f} s)", flush=True)

        def work(mutation):
            folder = free.get()
            try:
                return verdict(mutation, folder)
            finally:
                free.put(folder)

        caught = 0
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for mutation, (good, what) in zip(chosen, pool.map(work, chosen), strict=True):
                caught += good
                print(f"{mutation}\n    {what}", flush=True)
        print(f"{caught} of {len(chosen)} mutations caught ({time.perf_counter() - started:.0f} s)")
        return int(caught < len(chosen))


if __name__ == "__main__":
    sys.exit(main())
