"""Mutations of training."""

from tests.mutations_table.common import TRAINING

CHAPTERS = [
    ("tinydl/data/loader.py", "tinydl/test_data.py", [
        ("full + bool(rest and not self.drop_last)", "full + bool(rest)"),
        ("self.rng.permutation(n) if self.shuffle", "self.rng.permutation(n) if not self.shuffle"),
        ("range(first * self.batch_size,", "range(0 * self.batch_size,"),
        ("slice(start, start + self.batch_size)", "slice(start, start + self.batch_size - 1)"),
    ]),
    ("tinydl/training/trainer.py", TRAINING, [
        ("self.optimizer.zero_grad()", "pass"),
        ("self._total + value * len(target)", "self._total + value"),
        ("self.model.train()", "pass"),
        ("self.model.eval()", "pass"),
        ("module.training = training", "pass"),
        ("batches = loader.epoch(first=self.batch)", "batches = loader.epoch()"),
        ("loader.rng.bit_generator.state = now", "pass"),
        ("random.generator().bit_generator.state = state[\"default_rng\"]", "pass"),
        ("self.train_loader.rng.bit_generator.state = state[\"loader_rng\"]", "pass"),
        ("            rng.bit_generator.state = inner", "            pass"),
        ("self.optimizer.load_state_dict(state[\"optimizer\"])", "pass"),
        ("            callback.load_state_dict(inner)", "            pass"),
        ("            self._check_parameters()", "            pass"),
        ("self._load(before)", "pass"),
    ]),
    ("tinydl/training/callbacks.py", "tinydl/test_callbacks.py", [
        ("trainer.epoch - self.best_epoch >= self.patience", "trainer.epoch - self.best_epoch > self.patience"),
        ("gain > self.min_delta", "gain > 0"),
        ("self.best - value if self.mode == \"min\"", "self.best - value if self.mode == \"max\""),
        ("trainer.model.load_state_dict(self._weights)", "pass"),
        ("trainer.batch % self.every_batches == 0", "trainer.batch % self.every_batches == 1"),
        ("or trainer.epoch == trainer.epochs or trainer.stop", "or trainer.epoch == trainer.epochs"),
        ("(1 + self._steps) / (10 + self._steps)", "1"),
        ("a += a.dtype.type(1 - decay) * (p._data - a)", "a += a.dtype.type(decay) * (p._data - a)"),
        ("if self.every == \"batch\":", "if False:"),
    ]),
    ("tinydl/training/checkpoint.py", "tinydl/test_checkpoint.py", [
        ("allow_pickle=False", "allow_pickle=True"),
        ("temporary = f\"{path}.tmp\"", "temporary = path"),
        ("{\"dict\": [[_key(key), ", "{\"dict\": [[str(key), "),
        ("node = node.item()", "node = float(node)"),
        ("os.remove(temporary)  #", "pass  #"),
    ]),
]
