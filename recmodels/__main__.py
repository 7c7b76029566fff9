"""python -m recmodels: the same as the command `recmodels`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
