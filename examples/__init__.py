"""One script a concept, each run from the project's root as `python -m examples.NAME`."""
