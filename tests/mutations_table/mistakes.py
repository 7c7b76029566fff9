"""Mutations of first mistakes."""

from tests.mutations_table.common import MISTAKES

CHAPTERS = [
    ("tinydl/naming.py", MISTAKES, [
        ("options[numpys] = options.pop(word)", "options.pop(word)"),
        ("if numpys in options:", "if False:"),
        ("\"unexpected keyword\" in str(error)", "False"),
        ("isinstance(given, str) and given == \"cpu\"", "False"),
        ("for place, known in names.items() if name in known]", "for place, known in names.items() if False]"),
        ("difflib.get_close_matches(name, found)", "found"),
    ]),
    ("tinydl/nn/module.py", MISTAKES, [
        ("if isinstance(value, (list, tuple, dict)):", "if False:"),
        ("if x not in found:", "if True:"),
        ("module._check_plain(name, value)  #", "pass  #"),
    ]),
    ("tinydl/nn/parameter.py", MISTAKES, [
        ("and n >= 0 for", "for"),
        ("isinstance(n, numbers.Integral) and n", "n"),
    ]),
    ("tinydl/op.py", MISTAKES, [
        ("except (ValueError, IndexError) as error:", "except ValueError as error:"),
        ("\"cannot reshape\": ", "\"cannot  reshape\": "),
        ("if words in str(error):", "if False:"),
    ]),
    ("tinydl/row_gradient.py", MISTAKES, [
        ("if np.ndim(factor):", "if False:"),
        ("__rmul__ = __mul__", "pass"),
        ("if ufunc is np.add and method", "if False and method"),
        ("and not np.ndim(inputs[0]):", "and False:"),
    ]),
    ("tinydl/training/trainer.py", MISTAKES, [
        ("if not any(p in moved for p in model.parameters()):", "if False:"),
        ("or loss.numel() != 1:", "or False:"),
        ("or epochs < 0:", "or False:"),
        ("or isinstance(loss, type):", "or False:"),
        ("        _check_loader(\"predict\", loader)", "        pass"),
    ]),
    ("recmodels/neural.py", "recmodels/test_fitting.py -k sizes", [
        ("isinstance(parameter.default, tuple)", "False"),
        ("isinstance(n, numbers.Integral) and n >= 1", "n >= 1"),
    ]),
]
