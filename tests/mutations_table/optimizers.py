"""Mutations of optimizers, schedules."""

from tests.mutations_table.common import OPTIM

CHAPTERS = [
    ("tinydl/optim/sgd.py", OPTIM, [
        ("1 - float(group[\"dampening\"])", "float(group[\"dampening\"])"),
        ("np.zeros(p.shape, p.dtype), 1.0", "np.zeros(p.shape, p.dtype), keep"),
        ("if group[\"momentum\"] == 0 and group[\"weight_decay\"] == 0:", "if group[\"momentum\"] == 0:"),
    ]),
    ("tinydl/optim/adagrad.py", OPTIM, [
        ("(state[\"step\"] - 1) * group[\"lr_decay\"]", "state[\"step\"] * group[\"lr_decay\"]"),
        ("np.full(p.shape, group[\"initial_accumulator_value\"], p.dtype)", "np.zeros(p.shape, p.dtype)"),
        (" and group[\"eps\"] > 0:", ":"),
    ]),
    ("tinydl/optim/rmsprop.py", OPTIM, [("if state[\"momentum_buffer\"] is None:", "if True:")]),
    ("tinydl/optim/adam.py", OPTIM, [
        ("group[\"lr\"] / (1 - b1**t), 1 /", "group[\"lr\"], 1 /"),
        ("1 / math.sqrt(1 - b2**t)", "1.0"),
        ("= t = state[\"step\"] + 1", "= t = 1"),
        ("1 - float(group[\"lr\"]) * float(group[\"weight_decay\"])", "1 - float(group[\"weight_decay\"])"),
    ]),
    ("tinydl/optim/sparse_adam.py", OPTIM, [("math.sqrt(1 - b2**t) / (1 - b1**t)", "math.sqrt(1 - b2**t)")]),
    ("tinydl/optim/optimizer.py", OPTIM, [
        ("g = p.grad.coalesce()", "g = p.grad"),
        ("array[...] = memory", "pass"),
        ("kernels.scatter_add(rows, g, len(p))", "kernels.scatter_add(rows, g, len(p)) * 2"),
        ("value.copy() if isinstance(value, np.ndarray) else value", "value"),
        ("self.param_groups, self.state = groups, state", "self.param_groups = groups"),
        ("if set_to_none or p.grad is None:", "if p.grad is None:"),
    ]),
    ("tinydl/optim/clip.py", "tinydl/test_optim_clip.py", [
        ("factor = max_norm / (total + 1e-6)", "factor = max_norm / (total + 1)"),
        ("if not factor >= 1:", "if True:"),
        ("array *= array.dtype.type(factor)", "pass"),
        ("p.grad = p.grad * factor", "pass"),
        ("np.clip(array, -clip_value, clip_value, out=array)", "np.clip(array, 0, clip_value, out=array)"),
        ("array = g.coalesce().values if", "array = g.values if"),
    ]),
    ("tinydl/optim/schedule.py", "tinydl/test_optim_schedule.py", [
        ("self.gamma ** (t // self.step_size)", "self.gamma ** (t / self.step_size)"),
        ("(lr - self.eta_min) * (1 +", "lr * (1 +"),
        ("min(t, self.total_iters) / self.total_iters", "t / self.total_iters"),
        ("bisect.bisect_right(self.milestones, t)", "bisect.bisect_left(self.milestones, t)"),
        ("t - self.milestones[k - 1] if k else t", "t"),
        ("if self.num_bad_epochs > self.patience:", "if self.num_bad_epochs >= self.patience:"),
        ("max(group[\"lr\"] * self.factor, least)", "group[\"lr\"] * self.factor"),
        ("self.best * (1 + sign * self.threshold)", "self.best * (1 - sign * self.threshold)"),
        ("self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0", "self.num_bad_epochs = 0"),
    ]),
]
