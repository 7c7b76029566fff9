"""Is a gradient right? Nudge the input, see how far the output moves, and compare: then break rules and see them caught.

For a function f, a direction u and a random covector v, back-propagation's slope <d<v, f>/dx, u> must equal the finite
difference (<v, f(x + eps u)> - <v, f(x - eps u)>) / 2 eps.
It must reach: every right rule passes, every broken one is caught, the kink of ReLU is named as one, and a product of a
Hessian with a vector agrees with finite differences to 1e-7 of its size.
"""

import sys
import textwrap

import numpy as np

import tinydl
from tinydl import nn, op, ops

from .common import COLOURS, arguments, check, figure, finish, output_folder, save_figure


def float64(array, requires_grad=True):
    return tinydl.tensor(array, requires_grad=requires_grad, dtype=np.float64)


def passes(what, func, inputs, seed, **options):
    """Run gradcheck, print its verdict or its report, and return whether it passed, and the report."""
    try:
        tinydl.gradcheck(func, inputs, rng=seed, **options)
    except tinydl.GradcheckError as error:
        print(f"{what}: does not pass\n" + textwrap.indent(textwrap.fill(str(error), 104), "      "))
        return False, str(error)
    print(f"{what}: passes")
    return True, ""


# ---------------------------------------------------------------- 1. the step
def study_step(seed, folder):
    print("1. How large a step?  f(x) = sum_i v_i tanh(x_i), its slope by the rule against two differences\n")
    rng = np.random.default_rng(seed)
    x, v, u = rng.standard_normal((3, 50))
    u = u / np.linalg.norm(u)
    slope = np.sum(v * (1 - np.tanh(x) ** 2) * u)
    steps = 10.0 ** -np.arange(1, 14)
    errors = {"one-sided, float64": [], "central, float64": [], "central, float32": []}
    for eps in steps:
        def f(step, dtype=np.float64):
            return np.sum(v.astype(dtype) * np.tanh((x + step * u).astype(dtype)))
        with np.errstate(divide="ignore"):
            errors["one-sided, float64"].append(abs((f(eps) - f(0)) / eps / slope - 1))
            errors["central, float64"].append(abs((f(eps) - f(-eps)) / (2 * eps) / slope - 1))
            errors["central, float32"].append(abs(float(f(eps, np.float32) - f(-eps, np.float32)) / (2 * eps) / slope - 1))
    print(f"{'eps':>8}" + "".join(f"{name:>22}" for name in errors) + "      (error relative to the slope)")
    for k, eps in enumerate(steps):
        print(f"{eps:8.0e}" + "".join(f"{error[k]:22.1e}" for error in errors.values()))
    best = {name: min(error) for name, error in errors.items()}
    print("\nA long step sees the curve (error ~ eps, central ~ eps^2); a short one sees rounding (~ 1e-16 / eps).\n")
    check(f"central differences in float64 come within {best['central, float64']:.0e}, below 1e-8; float32 only within "
          f"{best['central, float32']:.0e}: checks are made in float64",
          best["central, float64"] < min(1e-8, best["central, float32"] / 100))
    fig, ax = figure(size=(6.5, 4.2), title="How large a step? The error of a finite difference", synthetic=True)
    styles = ((COLOURS["orange"], "s"), (COLOURS["blue"], "o"), (COLOURS["purple"], "^"))
    for (name, error), (colour, marker) in zip(errors.items(), styles, strict=True):
        ax.plot(steps, error, color=colour, marker=marker, markersize=5, label=name)
    ax.axvline(1e-6, color=COLOURS["grey"], linestyle=":", label="gradcheck's eps")
    ax.set(xscale="log", yscale="log", xlabel="step eps", ylabel="relative error of the slope")
    ax.legend(frameon=False)
    save_figure(fig, folder / "step_size.png")


# ---------------------------------------------------------------- 2. right rules
def study_right(seed, quick):
    print("\n2. Right rules: a primitive, a layer, a whole model\n")
    rng = np.random.default_rng(seed)
    x = float64(rng.standard_normal((3, 4)))
    good = [passes("   softmax, each of 12 numbers", ops.softmax, [x], seed)[0]]
    layer = nn.Linear(4, 2, rng=rng).double()
    good += [passes("   Linear, input, weight and bias, each number", lambda x, *_: layer(x), [x, *layer.parameters()], seed,
                    names=["x", "weight", "bias"])[0]]
    model = nn.Sequential(nn.Linear(20, 64, rng=rng), nn.Tanh(), nn.Linear(64, 64, rng=rng), nn.LayerNorm(64), nn.GELU(),
                          nn.Linear(64, 1, rng=rng)).double()
    features, t = float64(rng.standard_normal((32, 20)), requires_grad=False), rng.integers(0, 2, (32, 1)).astype(np.float64)

    def L(*parameters):
        return ops.binary_cross_entropy_with_logits(model(features), t)

    names, parameters = zip(*model.named_parameters(), strict=True)
    directions = 2 if quick else 8
    good += [passes(f"   a model of {model.num_parameters():,} parameters, each tensor along {directions} random directions",
                    L, list(parameters), seed, names=names, per_element=0, directions=directions)[0]]
    print()
    check("all three are right", all(good))


# ---------------------------------------------------------------- 3. broken rules
@op
def subtract_wrong_sign(a, b):
    """y = a - b;   da = dy,   db = dy: should be -dy"""
    return a - b, lambda dy: dy, lambda dy: dy


@op
def square_without_factor(x):
    """y = x^2;   dx = dy * x: should be dy * 2 x"""
    return x * x, lambda dy: dy * x


@op
def softmax_of_zeros(x):
    """y = softmax(x);   dx = 0: should be y * (dy - <dy, y>)"""
    return ops.softmax(x), lambda dy: np.zeros_like(dy)


def two_slopes(func, x, v, u, eps=1e-6):
    """The slope of <v, func(x)> along u: by back-propagation, by the central difference."""
    dx, = tinydl.grad(func(x), x, v)
    with tinydl.no_grad():
        ahead, behind = (func(float64(x.detach().numpy() + step * u, False)).numpy() for step in (eps, -eps))
    return float(np.sum(dx.numpy() * u)), float(np.sum(v * (ahead - behind)) / (2 * eps))


def study_broken(seed):
    print("\n3. Broken rules, and what the report says\n")
    rng = np.random.default_rng(seed)
    a, b = float64(rng.standard_normal(3)), float64(rng.standard_normal(3))
    caught = [not passes("   a - b with a wrong sign", subtract_wrong_sign, [a, b], seed, names=["a", "b"])[0],
              not passes("   x^2 without its factor 2", square_without_factor, [a], seed, names=["x"])[0],
              not passes("   softmax whose gradient is zeros", softmax_of_zeros, [a], seed, names=["x"])[0]]
    print("\n   The last one needs the random covector v. A softmax sums to 1, so <ones, softmax(x)> never moves:\n")
    u = rng.standard_normal(3)
    print(f"{'covector v':>16}{'broken rule':>16}{'right rule':>16}{'finite difference':>20}")
    slopes = {}
    for name, v in (("ones", np.ones(3)), ("random", rng.standard_normal(3))):
        broken, numeric = two_slopes(softmax_of_zeros, a, v, u)
        right, _ = two_slopes(ops.softmax, a, v, u)
        slopes[name] = broken, right, numeric
        print(f"{name:>16}{broken:16.9f}{right:16.9f}{numeric:20.9f}")
    print()
    check("the wrong sign, the forgotten factor and the zeros are all caught", all(caught))
    check("with ones the zeros pass for a gradient, with a random covector they do not",
          abs(slopes["ones"][0] - slopes["ones"][2]) < 1e-8 and abs(slopes["random"][0] - slopes["random"][2]) > 1e-3
          and abs(slopes["random"][1] - slopes["random"][2]) < 1e-8)


# ---------------------------------------------------------------- 4. a kink
def study_kink(seed):
    print("\n4. A kink: ReLU at 0 has the slope 0 from the left and 1 from the right; the difference straddles both")
    print("   (the report's slopes are those of <v, relu(x)>, so times v's number there)\n")
    at_kink, report = passes("   ReLU at x = (-1, 0, 1)", ops.relu, [float64([-1.0, 0.0, 1.0])], seed, names=["x"])
    beside, _ = passes("   ReLU at x = (-1, 0.1, 1)", ops.relu, [float64([-1.0, 0.1, 1.0])], seed, names=["x"])
    print()
    check("the report names the kink instead of blaming the rule, and beside it ReLU passes",
          not at_kink and "kink" in report and beside)


# ---------------------------------------------------------------- 5. second derivatives
def study_hessian(seed):
    print("\n5. A Hessian times a vector: H u = d<dL/dw, u>/dw, without the Hessian, against differences of the gradient\n")
    rng = np.random.default_rng(seed)
    X, t = rng.standard_normal((20, 5)), rng.integers(0, 2, 20).astype(np.float64)
    w, u = float64(rng.standard_normal(5)), rng.standard_normal(5)

    def L(w):
        return ops.binary_cross_entropy_with_logits(float64(X, False) @ np.tanh(w), t)

    gradient, = tinydl.grad(L(w), w, create_graph=True)
    Hu, = tinydl.grad((gradient * u).sum(), w)
    eps = 1e-6
    ahead, behind = (tinydl.grad(L(shifted), shifted)[0].numpy()
                     for shifted in (float64(w.detach().numpy() + step * u) for step in (eps, -eps)))
    numeric = (ahead - behind) / (2 * eps)
    print(f"{'':>8}{'back-propagation':>20}{'finite difference':>20}")
    for i in range(5):
        print(f"{f'(H u)_{i}':>8}{Hu.numpy()[i]:20.10f}{numeric[i]:20.10f}")
    difference = np.max(np.abs(Hu.numpy() - numeric)) / np.max(np.abs(numeric))
    print()
    check(f"H u agrees to {difference:.0e} of its size, at most 1e-7", difference < 1e-7)
    check("gradgradcheck, the same for every direction, agrees", tinydl.gradgradcheck(L, [w], rng=seed))


def main(argv=None):
    args = arguments("gradient_check", __doc__).parse_args(argv)
    folder = output_folder(args)
    print(f"protocol: random inputs in float64 (synthetic), seed {args.seed}; no data set, nothing is trained\n")
    study_step(args.seed, folder)
    study_right(args.seed, args.quick)
    study_broken(args.seed)
    study_kink(args.seed)
    study_hessian(args.seed)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
