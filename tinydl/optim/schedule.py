"""Schedules: the learning rate as a function of the epoch (or step), called t. Names and arguments are PyTorch's.

Make one around an optimizer, then call `scheduler.step()` after each epoch (or batch) of `optimizer.step()` calls.
PyTorch has these in `optim.lr_scheduler`, and computes each rate from the one before; here it is computed from t, so
that two schedules of one optimizer do not multiply: the last one to step decides.
"""

import bisect
import math

import numpy as np


class LRScheduler:
    """lr of each group = formula(its first lr, t), t = last_epoch = 0, 1, 2, ...; subclasses give the formula.

    A group's first lr is kept in it as "initial_lr", so that several schedules agree on it. To go on at a later t, load
    both state dicts (or, as in PyTorch, pass last_epoch).
    """

    def __init__(self, optimizer, last_epoch=-1):
        self.optimizer, self.last_epoch = optimizer, last_epoch
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(f"{type(self).__name__}: got last_epoch={last_epoch}, but group {i} has no 'initial_lr'; "
                               "load the optimizer's state dict before")
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.step()

    def _lr(self, lr, t):
        raise NotImplementedError(f"{type(self).__name__} has no _lr(): define the rate at t, given the first one")

    def get_last_lr(self):
        """The rate of each group now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def step(self):
        """t = t + 1, and set the rates."""
        self._go_to(self.last_epoch + 1)

    def _go_to(self, t):
        groups = self.optimizer.param_groups
        if len(groups) != len(self.base_lrs):
            raise RuntimeError(f"{type(self).__name__}: made for {len(self.base_lrs)} parameter groups, now there are "
                               f"{len(groups)}; add groups before the schedule is made")
        self.last_epoch = t
        for group, lr in zip(groups, self.base_lrs, strict=True):
            group["lr"] = float(self._lr(lr, t))

    def state_dict(self):
        """All numbers of the schedule. The rates themselves are the optimizer's to save."""
        return {name: list(v) if isinstance(v, list) else v for name, v in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict):
        """Go on where `state_dict` was taken. Nothing changes unless it is one of the same class and number of groups."""
        self._check_state(state_dict)
        self.__dict__.update({name: list(v) if isinstance(v, (list, tuple)) else v for name, v in state_dict.items()})

    def _check_state(self, state_dict):
        who, want = f"{type(self).__name__}.load_state_dict", [name for name in self.__dict__ if name != "optimizer"]
        if sorted(state_dict) != sorted(want):
            raise ValueError(f"{who}: got {', '.join(state_dict)}; want {', '.join(want)}")
        for name, value in state_dict.items():
            mine = self.__dict__[name]
            if isinstance(mine, list) and len(mine) != len(value):
                raise ValueError(f"{who}: {name} has {len(value)} entries, want {len(mine)}, one a parameter group")


class StepLR(LRScheduler):
    """lr_t = lr gamma^floor(t / step_size)"""

    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1):
        _want("StepLR", "step_size", step_size, step_size > 0, "> 0")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def _lr(self, lr, t):
        return lr * self.gamma ** (t // self.step_size)


class CosineAnnealingLR(LRScheduler):
    """lr_t = eta_min + (lr - eta_min) (1 + cos(pi t / T_max)) / 2

    Down to eta_min in T_max steps, slowly at both ends; after T_max it rises again. Loshchilov & Hutter 2017 (SGDR),
    equation 5, without the restarts.
    """

    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):
        _want("CosineAnnealingLR", "T_max", T_max, T_max > 0, "> 0")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def _lr(self, lr, t):
        return self.eta_min + (lr - self.eta_min) * (1 + math.cos(math.pi * t / self.T_max)) / 2


class LinearLR(LRScheduler):
    """lr_t = lr (start_factor + (end_factor - start_factor) min(t, total_iters) / total_iters)

    With the defaults a warm-up: Adam's first steps, whose v has seen few gradients, are the least to be trusted.
    Goyal et al. 2017, section 2.2.
    """

    def __init__(self, optimizer, start_factor=1 / 3, end_factor=1.0, total_iters=5, last_epoch=-1):
        _want("LinearLR", "start_factor", start_factor, 0 < start_factor <= 1, "> 0 and <= 1")
        _want("LinearLR", "end_factor", end_factor, 0 <= end_factor <= 1, ">= 0 and <= 1")
        _want("LinearLR", "total_iters", total_iters, total_iters > 0, "> 0")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _lr(self, lr, t):
        done = min(t, self.total_iters) / self.total_iters
        return lr * (self.start_factor + (self.end_factor - self.start_factor) * done)


class SequentialLR(LRScheduler):
    """schedulers[k] from t = milestones[k - 1] on, with its own t counted from there: a warm-up, then a decay.

    schedulers: one more than milestones, all of the same optimizer.
    """

    def __init__(self, optimizer, schedulers, milestones, last_epoch=-1):
        if len(schedulers) != len(milestones) + 1 or sorted(milestones) != list(milestones):
            raise ValueError(f"SequentialLR: got {len(schedulers)} schedulers and milestones {milestones}, want rising "
                             "milestones, one less than schedulers")
        for i, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, LRScheduler) or isinstance(scheduler, ReduceLROnPlateau):
                raise TypeError(f"SequentialLR: scheduler {i} is a {type(scheduler).__name__}, want one whose rates follow "
                                "from t alone")
            if scheduler.optimizer is not optimizer:
                raise ValueError(f"SequentialLR: scheduler {i} belongs to another optimizer")
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        super().__init__(optimizer, last_epoch)

    def _go_to(self, t):
        self.last_epoch = t
        k = bisect.bisect_right(self.milestones, t)
        self.schedulers[k]._go_to(t - self.milestones[k - 1] if k else t)

    def state_dict(self):
        return {**super().state_dict(), "schedulers": [scheduler.state_dict() for scheduler in self.schedulers]}

    def load_state_dict(self, state_dict):
        self._check_state(state_dict)
        for scheduler, state in zip(self.schedulers, state_dict["schedulers"], strict=True):
            scheduler._check_state(state)
        for scheduler, state in zip(self.schedulers, state_dict["schedulers"], strict=True):
            scheduler.load_state_dict(state)
        super().load_state_dict({**state_dict, "schedulers": self.schedulers})


class ReduceLROnPlateau(LRScheduler):
    """lr = max(factor lr, min_lr) when the metric has not become better for more than `patience` epochs.

    mode "min" or "max": which metrics are better. Better by less than threshold does not count: relative to the best so
    far ("rel") or absolute ("abs"). After a cut, `cooldown` epochs are not counted. A cut by less than eps is left out.
    """

    def __init__(self, optimizer, mode="min", factor=0.1, patience=10, threshold=1e-4, threshold_mode="rel", cooldown=0,
                 min_lr=0, eps=1e-8):
        _want("ReduceLROnPlateau", "mode", mode, mode in ("min", "max"), "'min' or 'max'")
        _want("ReduceLROnPlateau", "threshold_mode", threshold_mode, threshold_mode in ("rel", "abs"), "'rel' or 'abs'")
        _want("ReduceLROnPlateau", "factor", factor, factor < 1, "< 1")
        count = len(optimizer.param_groups)
        self.min_lrs = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr] * count
        if len(self.min_lrs) != count:
            raise ValueError(f"ReduceLROnPlateau: got {len(self.min_lrs)} values of min_lr for {count} parameter groups")
        self.optimizer, self.last_epoch = optimizer, 0
        self.mode, self.factor, self.patience, self.cooldown, self.eps = mode, factor, patience, cooldown, eps
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.best = np.inf if mode == "min" else -np.inf
        self.num_bad_epochs = self.cooldown_counter = 0

    def is_better(self, metric):
        """Whether `metric` beats the best so far by more than the threshold."""
        sign = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            bar = self.best * (1 + sign * self.threshold)
        else:
            bar = self.best + sign * self.threshold
        return metric < bar if self.mode == "min" else metric > bar

    def step(self, metrics):
        """Judge the epoch by its metric, a number."""
        metrics = float(metrics)
        self.last_epoch += 1
        if self.is_better(metrics):
            self.best, self.num_bad_epochs = metrics, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
                lr = max(group["lr"] * self.factor, least)
                if group["lr"] - lr > self.eps:
                    group["lr"] = lr
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0


def _want(who, name, value, good, want):
    if not good:
        raise ValueError(f"{who}: got {name}={value!r}, want {name} {want}")
