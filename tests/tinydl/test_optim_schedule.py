"""Learning rates against values worked out by hand."""

import json
import math
import re

import numpy as np
import pytest

from tinydl import Tensor, optim


def optimizer(*rates):
    return optim.SGD([{"params": [Tensor([1.0], requires_grad=True)], "lr": lr} for lr in rates])


def rates(scheduler, steps):
    """The first group's rate at t = 0, 1, ..., steps."""
    seen = [scheduler.get_last_lr()[0]]
    for _ in range(steps):
        scheduler.step()
        seen.append(scheduler.get_last_lr()[0])
    return seen


def test_step_lr():
    np.testing.assert_allclose(rates(optim.StepLR(optimizer(1.0), 2, gamma=0.5), 5), [1, 1, 0.5, 0.5, 0.25, 0.25])
    np.testing.assert_allclose(rates(optim.StepLR(optimizer(3.0), 1), 2), [3, 0.3, 0.03])


def test_cosine_annealing_lr():
    got = rates(optim.CosineAnnealingLR(optimizer(1.0), T_max=4, eta_min=0.2), 8)
    side = 0.4 * math.cos(math.pi / 4)
    np.testing.assert_allclose(got, [1, 0.6 + side, 0.6, 0.6 - side, 0.2, 0.6 - side, 0.6, 0.6 + side, 1])
    assert rates(optim.CosineAnnealingLR(optimizer(1.0), 2), 2)[-1] == 0


def test_linear_lr():
    np.testing.assert_allclose(rates(optim.LinearLR(optimizer(3.0)), 6), [1, 1.4, 1.8, 2.2, 2.6, 3, 3])
    got = rates(optim.LinearLR(optimizer(1.0), start_factor=1.0, end_factor=0.5, total_iters=2), 3)
    np.testing.assert_allclose(got, [1, 0.75, 0.5, 0.5])


def sequence(made):
    warm = optim.LinearLR(made, start_factor=0.5, total_iters=2)
    return optim.SequentialLR(made, [warm, optim.StepLR(made, 2, gamma=0.1), optim.CosineAnnealingLR(made, 2)], [2, 5])


def test_sequential_lr():
    """Each schedule counts from its own milestone, and from the rate before any schedule."""
    np.testing.assert_allclose(rates(sequence(optimizer(1.0)), 7), [0.5, 0.75, 1, 1, 0.1, 1, 0.5, 0], atol=1e-16)


def test_every_group_follows_its_own_first_rate():
    made = optimizer(1.0, 0.2)
    scheduler = optim.StepLR(made, 1)
    np.testing.assert_allclose([group["lr"] for group in made.param_groups], [1, 0.2])
    scheduler.step()
    np.testing.assert_allclose([group["lr"] for group in made.param_groups], [0.1, 0.02])
    assert [group["initial_lr"] for group in made.param_groups] == [1.0, 0.2]
    made.add_param_group({"params": [Tensor([1.0], requires_grad=True)]})
    with pytest.raises(RuntimeError, match="StepLR: made for 2 parameter groups, now there are 3"):
        scheduler.step()


def test_the_rate_reaches_the_parameters():
    made = optimizer(1.0)
    p = made.param_groups[0]["params"][0]
    scheduler = optim.StepLR(made, 1, gamma=0.5)
    for _ in range(3):
        p.grad = Tensor([1.0])
        made.step()
        scheduler.step()
    assert p.item() == 1 - 1 - 0.5 - 0.25


# ---------------------------------------------------------------- the plateau
def plateau(metrics, *first_rates, **options):
    made = optimizer(*first_rates or [1.0])
    scheduler, seen = optim.ReduceLROnPlateau(made, **options), []
    for metric in metrics:
        scheduler.step(metric)
        seen.append(scheduler.get_last_lr())
    return np.array(seen)[:, 0] if not first_rates else np.array(seen)


@pytest.mark.parametrize("metrics, options, want", [
    ([5, 4, 4, 4, 4, 3], dict(patience=1, factor=0.5), [1, 1, 1, 0.5, 0.5, 0.5]),        # two bad ones, then a cut
    ([5, 4, 4, 4, 4], dict(patience=0, factor=0.5), [1, 1, 0.5, 0.25, 0.125]),
    ([4, 4, 5, 4, 4], dict(patience=1, factor=0.5, mode="max"), [1, 1, 1, 1, 0.5]),
    ([100, 95, 89, 80], dict(patience=0, factor=0.5, threshold=0.1), [1, 0.5, 0.5, 0.5]),  # 95 is not 10 % better, 89 is
    ([1.0, 0.95, 0.85], dict(patience=0, factor=0.5, threshold=0.1, threshold_mode="abs"), [1, 0.5, 0.5]),
    ([10, 10.5, 12], dict(patience=0, factor=0.5, threshold=0.1, mode="max"), [1, 0.5, 0.5]),
    ([10, 10.05, 12], dict(patience=0, factor=0.5, threshold=0.1, mode="max", threshold_mode="abs"), [1, 0.5, 0.5]),
    ([1] * 7, dict(patience=0, factor=0.5, cooldown=2), [1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]),
    ([1] * 5, dict(patience=0, factor=0.5, min_lr=0.2), [1, 0.5, 0.25, 0.2, 0.2]),
    ([1] * 4, dict(patience=0, factor=0.5, eps=0.3), [1, 0.5, 0.5, 0.5]),
    ([1, math.nan, math.nan], dict(patience=1, factor=0.5), [1, 1, 0.5]),
    ([1] * 13, dict(), [1] * 11 + [0.1] * 2),
])
def test_reduce_lr_on_plateau(metrics, options, want):
    np.testing.assert_allclose(plateau(metrics, **options), want)


def test_plateau_with_a_floor_for_each_group():
    got = plateau([1, 1, 1], 1.0, 0.1, patience=0, factor=0.1, min_lr=[0.5, 0.001])
    np.testing.assert_allclose(got, [[1, 0.1], [0.5, 0.01], [0.5, 0.001]])


# ---------------------------------------------------------------- saving
METRICS = [3.0, 2.0, 2.0, 2.5, 1.0, 1.0, 1.0, 1.0]
MAKERS = {
    "StepLR": lambda o: optim.StepLR(o, 3),
    "CosineAnnealingLR": lambda o: optim.CosineAnnealingLR(o, 6, 0.1),
    "LinearLR": lambda o: optim.LinearLR(o, 0.1, 1.0, 6),
    "SequentialLR": sequence,
    "ReduceLROnPlateau": lambda o: optim.ReduceLROnPlateau(o, patience=1, cooldown=1, factor=0.5),
}


@pytest.mark.parametrize("at", [0, 3, 5])
@pytest.mark.parametrize("name", MAKERS)
def test_a_resumed_schedule_equals_one_never_interrupted(name, at):
    def go(scheduler, metrics):
        for metric in metrics:
            scheduler.step(*([metric] if name == "ReduceLROnPlateau" else []))
            seen.append(scheduler.get_last_lr())

    seen, made = [], optimizer(1.0, 0.3)
    scheduler = MAKERS[name](made)
    go(scheduler, METRICS[:at])
    stored = json.loads(json.dumps([made.state_dict(), scheduler.state_dict()]))
    seen.clear()
    go(scheduler, METRICS[at:])
    want, again = list(seen), optimizer(1.0, 0.3)
    other = MAKERS[name](again)
    again.load_state_dict(stored[0])
    other.load_state_dict(stored[1])
    seen.clear()
    go(other, METRICS[at:])
    assert seen == want and other.state_dict() == scheduler.state_dict()


def test_last_epoch_resumes_as_in_pytorch():
    made = optimizer(1.0)
    first = optim.StepLR(made, 2)
    rates(first, 2)
    assert rates(optim.StepLR(made, 2, last_epoch=2), 1) == rates(optim.StepLR(optimizer(1.0), 2), 4)[3:]
    with pytest.raises(KeyError, match="got last_epoch=2, but group 0 has no 'initial_lr'"):
        optim.StepLR(optimizer(1.0), 2, last_epoch=2)


@pytest.mark.parametrize("name", MAKERS)
def test_the_state_of_another_schedule_is_refused_and_changes_nothing(name):
    scheduler = MAKERS[name](optimizer(1.0))
    before = scheduler.state_dict()
    with pytest.raises(ValueError, match=f"{name}.load_state_dict: got .*want "):
        scheduler.load_state_dict({**before, "last_epoch": 5, "speed": 1})
    with pytest.raises(ValueError, match=f"{name}.load_state_dict: .* has 2 entries, want 1|{name}.*has 4 entries, want 3"):
        longer = {k: [*v, v[0]] if isinstance(v, list) else v for k, v in before.items()}
        scheduler.load_state_dict({**longer, "last_epoch": 5})
    assert scheduler.state_dict() == before


def test_a_sequence_checks_all_its_parts_before_it_changes_one():
    scheduler = sequence(optimizer(1.0))
    before, broken = scheduler.state_dict(), scheduler.state_dict()
    broken["schedulers"][0]["last_epoch"] = 7
    del broken["schedulers"][1]["gamma"]
    with pytest.raises(ValueError, match="StepLR.load_state_dict: got .*want .*gamma"):
        scheduler.load_state_dict(broken)
    assert scheduler.state_dict() == before


@pytest.mark.parametrize("make, message", [
    (lambda o: optim.StepLR(o, 0), "StepLR: got step_size=0, want step_size > 0"),
    (lambda o: optim.CosineAnnealingLR(o, 0), "CosineAnnealingLR: got T_max=0"),
    (lambda o: optim.LinearLR(o, 0), "LinearLR: got start_factor=0, want start_factor > 0 and <= 1"),
    (lambda o: optim.LinearLR(o, end_factor=1.5), "LinearLR: got end_factor=1.5"),
    (lambda o: optim.LinearLR(o, total_iters=0), "LinearLR: got total_iters=0"),
    (lambda o: optim.ReduceLROnPlateau(o, "low"), "ReduceLROnPlateau: got mode='low', want mode 'min' or 'max'"),
    (lambda o: optim.ReduceLROnPlateau(o, factor=1.0), "got factor=1.0, want factor < 1"),
    (lambda o: optim.ReduceLROnPlateau(o, threshold_mode="x"), "got threshold_mode='x'"),
    (lambda o: optim.ReduceLROnPlateau(o, min_lr=[0, 0]), "got 2 values of min_lr for 1 parameter groups"),
    (lambda o: optim.SequentialLR(o, [optim.StepLR(o, 1)], [3]), "got 1 schedulers and milestones [3], want rising"),
    (lambda o: optim.SequentialLR(o, [optim.StepLR(o, 1)] * 3, [3, 2]), "milestones [3, 2], want rising"),
    (lambda o: optim.SequentialLR(o, [optim.StepLR(optimizer(1.0), 1)], []), "scheduler 0 belongs to another optimizer"),
])
def test_arguments_out_of_range(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make(optimizer(1.0))


def test_a_plateau_cannot_be_part_of_a_sequence():
    made = optimizer(1.0)
    with pytest.raises(TypeError, match="scheduler 1 is a ReduceLROnPlateau, want one whose rates follow"):
        optim.SequentialLR(made, [optim.StepLR(made, 1), optim.ReduceLROnPlateau(made)], [3])
