"""README.md says what is so: its code runs and prints what it shows, its files are there, its commands are understood."""

import doctest
import pathlib
import re
import shlex

import pytest

import tinydl
from recmodels import cli

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXT = re.sub("<!--.*?-->", "", (ROOT / "README.md").read_text(), flags=re.DOTALL)


def test_its_code_prints_what_it_shows():
    before = tinydl.get_default_dtype()
    failed, tried = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert failed == 0 and tried > 10
    assert tinydl.get_default_dtype() == before


def test_its_files_are_there():
    named = re.findall(r"`((?:tinydl|recmodels|examples|tests|benchmarks)/[\w/]*(?:\.py)?)`", TEXT)
    assert len(named) > 10 and not [name for name in named if not (ROOT / name).exists()]
    modules = re.findall(r"python -m (examples\.\w+|tests\.\w+|benchmarks)", TEXT)
    assert len(modules) > 3
    for module in modules:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


@pytest.mark.parametrize("line", re.findall(r"^recmodels .*$", TEXT, re.MULTILINE))
def test_its_commands_are_understood(line):
    args = cli._parser().parse_args(shlex.split(line)[1:])
    assert args.command.__name__ == line.split()[1]
