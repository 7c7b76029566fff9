"""SASRec: self-attention over the session; each item looks back at those before it, as far as they matter."""

from tinydl import nn, ops
from tinydl.nn import functional as F

from ..ragged import steps
from ..session_neural import NeuralSessions, SessionNetwork


class SASRecBlock(nn.Module):
    """x = x + dropout(W_o attention(LN(x))),   x = x + dropout(W_2 dropout(relu(W_1 LN(x) + b_1)) + b_2)

    x (N, K), the rows of all sessions, of `lengths`; nothing is padded. Kang and McAuley 2018, section III-B; they add to
    LN(x), not to x, in their code.
    """

    def __init__(self, k, heads, dropout, rng):
        self.heads, self.rng = heads, rng
        self.norm_1, self.norm_2 = nn.LayerNorm(k), nn.LayerNorm(k)
        self.W_qkv, self.W_o = nn.Linear(k, 3 * k, rng=rng), nn.Linear(k, k, rng=rng)
        self.W_1, self.W_2 = nn.Linear(k, k, rng=rng), nn.Linear(k, k, rng=rng)
        self.dropout = nn.Dropout(dropout, rng=rng)

    def forward(self, x, lengths):
        p = self.dropout.p if self.training else 0.0
        a = ops.self_attention(self.W_qkv(self.norm_1(x)), heads=self.heads, lengths=lengths, causal=True, p=p,
                               seed=F.mask_seed(self.rng) if p else 0)
        x = x + self.dropout(self.W_o(a))
        return x + self.dropout(self.W_2(self.dropout(F.relu(self.W_1(self.norm_2(x))))))


class SelfAttentionReader(nn.Module):
    """sqrt(K) x_t + p_t,   blocks of causal self-attention,   LN.  x (N, K), lengths (B,) -> (N, K)

    p_t: the embedding of place t, counted from the session's beginning.
    """

    def __init__(self, k, blocks, heads, longest, dropout, rng):
        self.P = nn.Embedding(longest, k, rng=rng)
        nn.init.normal_(self.P.weight, 0.0, 0.05, rng=rng)
        self.blocks = nn.ModuleList([SASRecBlock(k, heads, dropout, rng) for _ in range(blocks)])
        self.norm, self.dropout = nn.LayerNorm(k), nn.Dropout(dropout, rng=rng)

    def forward(self, x, lengths):
        x = self.dropout(x * self.P.embedding_dim**0.5 + self.P(steps(lengths)))
        for block in self.blocks:
            x = block(x, lengths)
        return self.norm(x)


class SASRecNetwork(SessionNetwork):
    """x_n = sqrt(K) x_{i_n} + p_t,   blocks of causal self-attention,   h = LN(x),   y = X h + b   (Kang and McAuley 2018)

    items (N,), lengths (B,) -> h (N, K). Of the paper's form: one table for input and output, dropout everywhere. Other than
    there: softmax over the catalogue (in place of one negative item a position), and b.
    """

    def __init__(self, n_items, category, recent, k, blocks, heads, longest, dropout, rng):
        super().__init__(n_items, category, recent, k, rng)
        self.reader = SelfAttentionReader(k, blocks, heads, longest, dropout, rng)


class SASRec(NeuralSessions):
    """SASRec on sessions; blocks and heads of attention, the other parameters as of `NeuralSessions`."""

    def __init__(self, k=100, blocks=1, heads=1, dropout=0.4, smoothing=0.1, categories=True, recent=10, longest=30,
                 epochs=6, patience=2, batch_size=128, lr=3e-3, weight_decay=0.0, seed=0, verbose=False):
        self._keep(locals())

    def _check_parameters(self):
        super()._check_parameters()
        if self.blocks < 1 or self.heads < 1 or self.k % self.heads:
            raise ValueError(f"{type(self).__name__}: got k={self.k}, blocks={self.blocks} and heads={self.heads}, want "
                             "at least one block, and heads that divide k")

    def _network(self, rng):
        return SASRecNetwork(*self._catalogue(), self.k, self.blocks, self.heads, self.longest, self.dropout, rng)
