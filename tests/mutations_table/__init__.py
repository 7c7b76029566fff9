"""What `mutations.py` breaks. Each module here holds CHAPTERS, a list of

    (a file of the sources, the tests that must notice, [(text that occurs once in it, its replacement), ...])

A new module of the sources gets its entries in the module here that its subject belongs to, or in a new one.
"""

import importlib
import pkgutil

CHAPTERS = [chapter for found in pkgutil.iter_modules(__path__) if found.name != "common"
            for chapter in importlib.import_module(f"{__name__}.{found.name}").CHAPTERS]
