"""Mutations of the engine."""

from tests.mutations_table.common import AUTOGRAD

CHAPTERS = [
    ("tinydl/__init__.py", "tinydl/test_training.py -k unsupervised", [
        ("if name == \"unsupervised\":", "if False:"),
        ("{*globals(), *__all__}", "globals()"),
    ]),
    ("tinydl/autograd.py", AUTOGRAD, [
        ("gradient if before is None else before + gradient", "gradient"),
        ("np.sum(gradient, axis=axes)", "np.mean(gradient, axis=axes)"),
        ("if create_graph and node.kind != \"linear\":", "if False:"),
        ("not gradient.flags.writeable or id(gradient) in taken:", "not gradient.flags.writeable:"),
        ("if isinstance(gradient.base, np.ndarray) or not", "if not"),
        ("_leave(tensor, _own(dy if create_graph else dy.copy(), {}), tensor.grad)",
         "_leave(tensor, dy if isinstance(dy, Tensor) else Tensor._of(dy), tensor.grad)"),
        ("            gradient = before + gradient", "            pass"),
        ("else gradient.astype(array.dtype)", "else gradient"),
        ("needs[position] = key in keys", "needs = [True] * len(needs)"),
        ("found[node] = dy if create_graph else dy.copy()", "pass"),
        ("node.check_unchanged()", "pass"),
        ("node.free()", "pass"),
        ("if value is None and not allow_unused:", "if value is None:"),
        ("item[1].number if item[1]", "-item[1].number if item[1]"),
        ("pending[key] + seed if key in pending else seed", "seed"),
    ]),
    ("tinydl/op.py", AUTOGRAD, [
        ("x._stamp[0] > self.number:", "False:"),
        ("if self.stamp[0] > self.number:", "if False:"),
        ("if self.kind == \"linear\":  # its", "if False:  # its"),
        ("finally:\n        _mode.recording = before", "finally:\n        pass"),
        ("class _Mode(threading.local):", "class _Mode:"),
        ("return recording(False)", "return recording(True)"),
        ("x.copy() if type(x) is np.ndarray and not _is_final(x) else x", "x"),
        ("stamp = x._stamp", "stamp = None"),
        ("self.inputs, self.options, self.pullbacks = (), {}, None", "self.pullbacks = None"),
    ]),
    ("tinydl/tensor.py", f"tinydl/test_tensor.py {AUTOGRAD}", [
        ("self._stamp[:] = next(clock), writer", "pass"),
        ("view.flags.writeable = False", "pass"),
        ("twin._data, twin._stamp = self._data.copy(), [0, \"\"]", "twin._data, twin._stamp = self._data, [0, \"\"]"),
    ]),
    ("tinydl/row_gradient.py", "tinydl/test_row_gradient.py", [
        ("np.linalg.norm(self.coalesce().values)", "np.linalg.norm(self.values)"),
        ("self.sparse and other.sparse", "self.sparse or other.sparse"),
        ("np.concatenate([self.values, other.values])", "np.concatenate([self.values, 2 * other.values])"),
    ]),
    ("tinydl/gradcheck.py", "tinydl/test_gradcheck.py", [
        ("covectors = [rng.standard_normal(y.shape) for y in outputs]", "covectors = [np.ones(y.shape) for y in outputs]"),
        ("(ahead - behind) / (2 * eps)", "(ahead - middle) / eps"),
        ("if not abs(slope - numeric) <= bound:", "if abs(slope - numeric) > bound:"),
        ("rtol * max(abs(slope), abs(numeric))", "0.01 * max(abs(slope), abs(numeric))"),
        ("4e-16 * abs(middle) / eps", "4e-10 * abs(middle) / eps"),
        ("finally:\n        x.copy_(keep)", "finally:\n        pass"),
        ("return all(_is_constant(gradients, inputs, with_grad, rng))", "return True"),
        ("> 1e3 * eps * max(1.0", "> 1e9 * eps * max(1.0"),
        ("for k in range(directions):", "for k in range(0):"),
        ("checked = [i for i, x", "checked = [0 for i, x"),
    ]),
]
