"""The table of mutations fits the sources; `python -m tests.mutations` runs it, which takes minutes."""

import pathlib
import re

import pytest

from tests.mutations import ROOT, Mutation, mutations


@pytest.mark.parametrize("mutation", mutations(), ids=lambda m: re.sub(r"[^\w./]+", "_", f"{m.file}-{m.old}")[:80])
def test_every_mutation_is_applicable(mutation):
    """Its old text occurs exactly once: whoever rewrites that line rewrites the entry, so that it still breaks the rule."""
    compile(mutation.applied(), mutation.file, "exec")
    files = [part for part in mutation.tests if part.endswith(".py")]
    assert files and all((ROOT / file).is_file() for file in files)


def test_no_mutation_is_there_twice():
    assert len({m[:3] for m in mutations()}) == len(mutations()) >= 60


def test_a_stale_entry_is_an_error():
    here = pathlib.Path(__file__).relative_to(ROOT).as_posix()
    for old, times in (("no such " + "text", 0), ("def " + "test", 3)):
        with pytest.raises(ValueError, match=f"stale, its text occurs {times} times instead of once"):
            Mutation(here, old, "", ()).applied()
    with pytest.raises(ValueError, match="changes nothing"):
        Mutation(here, "import " + "pathlib", "import " + "pathlib", ()).applied()
