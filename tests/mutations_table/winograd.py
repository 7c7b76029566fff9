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
        ("tuple(2 - n for n in grid.start)", "tuple(1 - n for n in grid.start)"),
        ("np.swapaxes(weight, 0, 1)[:, :, ::-1, ::-1]", "np.swapaxes(weight, 0, 1)[:, :, ::-1]"),
    ]),
    ("tinydl/kernels/winograd.py", f"{WINOGRAD} tinydl/test_kernels.py -k 'tile or winograd'", [
        ("[-1, 1, 1, 0], [0, 0, 0, -1]", "[-1, 1, 1, 0], [0, 0, 0, 1]"),
        ("[1, -1], [0, -1]", "[1, -1], [0, 1]"),
        ("whole[:, :y.shape[1], :y.shape[2]] + bias", "whole[:, :y.shape[1], :y.shape[2]]"),
        ("floor if lower <= floor else lower", "lower"),
        ("floor if upper <= floor else upper", "upper"),
        ("skipped, start = max(0, -left) * C, max(0, left) * C", "skipped, start = 0, max(0, left) * C"),
        ("tiles[u, 2, b, i, j, c] = next_even[c] - odd[c]", "tiles[u, 2, b, i, j, c] = odd[c] - next_even[c]"),
        ("for q in range(min(2, N - 2 * j)):", "for q in range(min(1, N - 2 * j)):"),
        ("if 2 * j + q >= N:", "if 2 * j + q > N:"),
    ]),
]
