"""Mutations of Winograd's convolution: its maps and what is joined of them."""

WINOGRAD = "tinydl/test_ops_winograd.py"

CHAPTERS = [
    ("tinydl/ops/winograd.py", WINOGRAD, [
        ("grid.stride == grid.dilation == (1, 1)", "grid.stride == (1, 1)"),
        ("and min(C, out) >= LEAST", "and max(C, out) >= LEAST"),
        ("if not memory or b < step:", "if not memory:"),
        ("total += np.matmul(", "total = np.matmul("),
        ("[0.5, -0.5, 0.5]", "[0.5, -0.5, -0.5]"),
        ("R, S = -(-output[0] // 2), -(-output[1] // 2)", "R, S = -(-output[0] // 2), -(-output[0] // 2)"),
    ]),
    ("tinydl/ops/convolution_products.py", WINOGRAD, [
        ("start = tuple(2 - n for n in grid.start)", "start = tuple(1 - n for n in grid.start)"),
        ("np.swapaxes(weight, 0, 1)[:, :, ::-1, ::-1]", "np.swapaxes(weight, 0, 1)[:, :, ::-1]"),
    ]),
    ("tinydl/kernels/winograd.py", f"{WINOGRAD} tinydl/test_kernels.py -k 'tile or winograd'", [
        ("[-1, 1, 1, 0], [0, 0, 0, -1]", "[-1, 1, 1, 0], [0, 0, 0, 1]"),
        ("[1, -1], [0, -1]", "[1, -1], [0, 1]"),
        ("whole[:, :y.shape[1], :y.shape[2]] + bias", "whole[:, :y.shape[1], :y.shape[2]]"),
        ("floor if lower <= floor else lower", "lower"),
        ("floor if upper <= floor else upper", "upper"),
        ("for w in range(max(0, left), min(2 * S + 2, W + left))", "for w in range(max(0, left), min(2 * S + 1, W + left))"),
        ("transform(even, odd, next_even, next_odd,", "transform(odd, even, next_even, next_odd,"),
        ("third[q] = three[q] - two[q]", "third[q] = two[q] - three[q]"),
        ("if v < 0 or v >= H:\n                lines[h] = 0", "if v < 0 or v >= H:\n                pass"),
        ("for q in range(min(2, N - 2 * j)):", "for q in range(min(1, N - 2 * j)):"),
        ("if 2 * j + q >= N:", "if 2 * j + q > N:"),
    ]),
]
