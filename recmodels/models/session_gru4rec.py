"""GRU4Rec: a recurrent network reads the session item by item; its state is what it expects next."""

from tinydl import nn

from ..session_neural import NeuralSessions, SessionNetwork, packed, unpacked


class GRUReader(nn.Module):
    """h_t = GRU(x_t, h_{t-1}),   W h_t + b.  x (N, K), lengths (B,) -> (N, K); dropout of x and of h"""

    def __init__(self, k, dropout, rng):
        self.gru, self.W = nn.GRU(k, k, rng=rng), nn.Linear(k, k, rng=rng)
        self.dropout = nn.Dropout(dropout, rng=rng)

    def forward(self, x, lengths):
        sequence, order = packed(self.dropout(x), lengths)
        return self.W(self.dropout(unpacked(self.gru(sequence)[0], order)))


class GRU4RecNetwork(SessionNetwork):
    """h_t = GRU(x_{i_t}, h_{t-1}),   y = X W h_t + b   (Hidasi, Karatzoglou, Baltrunas, Tikk 2016)

    items (N,), lengths (B,) -> W h (N, K), H = K units. As GRU4Rec is run today, not as in the paper: softmax over the
    catalogue in place of a ranking loss over the other items of the batch, one table X for input and output (Hidasi and
    Karatzoglou 2018 call it constrained embedding), whole sessions in place of parallel ones cut into steps, dropout.
    """

    def __init__(self, n_items, category, recent, k, dropout, rng):
        super().__init__(n_items, category, recent, k, rng)
        self.reader = GRUReader(k, dropout, rng)


class GRU4Rec(NeuralSessions):
    """GRU4Rec on sessions; parameters as of `NeuralSessions`, network as of `GRU4RecNetwork`."""

    def _network(self, rng):
        return GRU4RecNetwork(*self._catalogue(), self.k, self.dropout, rng)
