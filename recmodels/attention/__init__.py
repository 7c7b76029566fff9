"""Attention as the lecture has it: six scores, three kinds, on top of tinydl.

    scores.py      how well a key answers a query: content-based, additive, location-based, general, dot, scaled dot
    mechanisms.py  what is done with the scores: global (soft), local, hard, self-attention; masks

In several heads, in blocks for long sequences, and in a Transformer's layers: `tinydl.nn.MultiheadAttention`,
`tinydl.nn.functional.scaled_dot_product_attention`, `tinydl.nn.TransformerEncoderLayer`; places: `nn.PositionalEncoding`.
"""

from .mechanisms import (GlobalAttention, HardAttention, LocalAttention, MovingBaseline, SelfAttention, causal_mask,
                         entropy, log_probability, padding_mask, reinforce_loss)
from .scores import (SCORES, Additive, ContentBased, Dot, General, LocationBased, ScaledDot, additive, content_based, dot,
                     general, location_based, make_score, scaled_dot)

__all__ = ["SCORES", "Additive", "ContentBased", "Dot", "General", "GlobalAttention", "HardAttention", "LocalAttention",
           "LocationBased", "MovingBaseline", "ScaledDot", "SelfAttention", "additive", "causal_mask", "content_based",
           "dot", "entropy", "general", "location_based", "log_probability", "make_score", "padding_mask",
           "reinforce_loss", "scaled_dot"]
