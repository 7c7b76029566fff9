"""The lecture's six alignment scores: how well each key h_i answers a query s_t.

    name            score(s_t, h_i)             parameters                multiplications        from
    content-based   beta cosine(s_t, h_i)       none (or beta)            T S D                  Graves et al. 2014, eq. 6
    additive        v_a' tanh(W_a [s_t; h_i])   W_a (A, D + E), v_a (A,)  (T D + S E + T S) A    Bahdanau et al. 2015, A.1.2
    location-based  (W_a s_t)_i                 W_a (N, D)                T S D                  Luong et al. 2015, eq. 8
    general         s_t' W_a h_i                W_a (D, E)                T D E + T S E          Luong et al. 2015, 3.1
    dot             s_t' h_i                    none, D = E               T S D                  Luong et al. 2015, 3.1
    scaled dot      s_t' h_i / sqrt(D)          none, D = E               T S D                  Vaswani et al. 2017, eq. 1

B sequences, T queries s (B, T, D), S keys h (B, S, E) -> scores (B, T, S); A hidden units of the additive score, N the most
places that a location-based one knows. Additive costs A hyperbolic tangents a pair beside its multiplications, and is the
only one that holds B T S A numbers. The softmax, and what it leaves out, is the mechanism's: `mechanisms.py`.

The slide has no beta. A cosine lies in [-1, 1], so that of ten keys the best can get a weight of .45 at most; Graves' beta,
one number here, sharpens it. A location-based score never looks at the keys, only at how many there are.
"""

import math

from tinydl import nn, ops
from tinydl.nn import init
from tinydl.nn.parameter import Parameter, empty


# ------------------------------------------------------------------------------------------------ functions
def content_based(s, h, beta=1.0):
    """e_ti = beta s_t' h_i / (|s_t| |h_i|)"""
    _check("content_based", s, h, s.shape[-1])
    return beta * ops.matmul(_unit(s), ops.swapaxes(_unit(h)))


def additive(s, h, W_a, v_a):
    """e_ti = v_a' tanh(W_a [s_t; h_i]);   W_a (A, D + E), v_a (A,). The parts of s and h are multiplied apart, and added."""
    D, A = s.shape[-1], W_a.shape[0]
    _check("additive", s, h, W_a.shape[1] - D)
    from_s = ops.linear(s, W_a[:, :D])  # (B, T, A)
    from_h = ops.linear(h, W_a[:, D:])  # (B, S, A)
    hidden = ops.tanh(ops.expand_dims(from_s, axis=2) + ops.expand_dims(from_h, axis=1))  # (B, T, S, A)
    return ops.reshape(ops.linear(hidden, ops.reshape(v_a, shape=(1, A))), shape=hidden.shape[:3])


def location_based(s, h, W_a):
    """e_ti = (W_a s_t)_i;   W_a (N, D), of which the first S rows are used"""
    S = h.shape[1]
    _check("location_based", s, h, h.shape[-1])
    if S > W_a.shape[0]:
        raise ValueError(f"location_based: got {S} keys, want at most the {W_a.shape[0]} places that W_a has rows for; make "
                         "it with a larger places=")
    return ops.linear(s, W_a[:S])


def general(s, h, W_a):
    """e_ti = s_t' W_a h_i;   W_a (D, E)"""
    _check("general", s, h, W_a.shape[1])
    return ops.matmul(ops.matmul(s, W_a), ops.swapaxes(h))


def dot(s, h):
    """e_ti = s_t' h_i"""
    _check("dot", s, h, s.shape[-1])
    return ops.matmul(s, ops.swapaxes(h))


def scaled_dot(s, h):
    """e_ti = s_t' h_i / sqrt(D): of independent numbers of variance 1, scores of variance 1"""
    _check("scaled_dot", s, h, s.shape[-1])
    return ops.matmul(s * (1 / math.sqrt(max(1, s.shape[-1]))), ops.swapaxes(h))


def _unit(x, least=1e-8):
    """x / |x| along the last axis; a vector shorter than `least` stays short, and its gradient finite."""
    return x / ops.sqrt(ops.sum(x * x, axis=-1, keepdims=True) + least**2)


def _check(name, s, h, size):
    if len(s.shape) != 3 or len(h.shape) != 3 or s.shape[0] != h.shape[0] or h.shape[2] != size:
        raise ValueError(f"{name}: got queries {s.shape} and keys {h.shape}, want (B, T, {s.shape[-1]}) and (B, S, {size}) "
                         "of equally many sequences; a size of its own for the keys is for additive and general")


# ------------------------------------------------------------------------------------------------ modules
class _Score(nn.Module):
    """score(s, h) -> (B, T, S), for queries of `query_size` and keys of `key_size` numbers."""

    def __init__(self, query_size, key_size=None):
        self.query_size, self.key_size = query_size, query_size if key_size is None else key_size

    def extra_repr(self):
        return f"{self.query_size}, {self.key_size}"


class _Equal(_Score):
    def __init__(self, query_size, key_size=None):
        super().__init__(query_size, key_size)
        if self.query_size != self.key_size:
            raise ValueError(f"{type(self).__name__}: got queries of {self.query_size} numbers and keys of {self.key_size}, "
                             "want equal sizes; General and Additive take others")


class ContentBased(_Equal):
    """e_ti = beta cosine(s_t, h_i); beta, one number, is trained where it is given, and 1 as on the slide otherwise."""

    def __init__(self, query_size, key_size=None, beta=None):
        super().__init__(query_size, key_size)
        self.register_parameter("beta", None if beta is None else Parameter([float(beta)]))

    def forward(self, s, h):
        return content_based(s, h, 1.0 if self.beta is None else self.beta)


class Additive(_Score):
    """e_ti = v_a' tanh(W_a [s_t; h_i]);   W_a (A, D + E), v_a (A,), A = `hidden`, D by default"""

    def __init__(self, query_size, key_size=None, hidden=None, *, rng=None):
        super().__init__(query_size, key_size)
        A = query_size if hidden is None else hidden
        self.W_a = init.xavier_uniform_(empty(A, query_size + self.key_size), rng=rng)
        self.v_a = init.uniform_(empty(A), -1 / math.sqrt(max(1, A)), 1 / math.sqrt(max(1, A)), rng)

    def forward(self, s, h):
        return additive(s, h, self.W_a, self.v_a)


class LocationBased(_Score):
    """e_ti = (W_a s_t)_i;   W_a (N, D), N = `places`, the most keys that there can be"""

    def __init__(self, query_size, key_size=None, places=100, *, rng=None):
        super().__init__(query_size, key_size)
        self.W_a = init.xavier_uniform_(empty(places, query_size), rng=rng)

    def forward(self, s, h):
        return location_based(s, h, self.W_a)


class General(_Score):
    """e_ti = s_t' W_a h_i;   W_a (D, E)"""

    def __init__(self, query_size, key_size=None, *, rng=None):
        super().__init__(query_size, key_size)
        self.W_a = init.xavier_uniform_(empty(query_size, self.key_size), rng=rng)

    def forward(self, s, h):
        return general(s, h, self.W_a)


class Dot(_Equal):
    """e_ti = s_t' h_i"""

    def forward(self, s, h):
        return dot(s, h)


class ScaledDot(_Equal):
    """e_ti = s_t' h_i / sqrt(D)"""

    def forward(self, s, h):
        return scaled_dot(s, h)


SCORES = {"content-based": ContentBased, "additive": Additive, "location-based": LocationBased, "general": General,
          "dot": Dot, "scaled dot": ScaledDot}
_RANDOM = (Additive, LocationBased, General)


def make_score(name, query_size, key_size=None, *, rng=None, **options):
    """The score of this name (see `SCORES`), so that a model can be given another one. options: beta, hidden, places."""
    if name not in SCORES:
        raise ValueError(f"make_score: got {name!r}, want one of {', '.join(map(repr, SCORES))}")
    kind = SCORES[name]
    return kind(query_size, key_size, **options, **({"rng": rng} if kind in _RANDOM else {}))
