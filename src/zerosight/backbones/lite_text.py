"""all-MiniLM-L6-v2, the encoder that lite reads with: BERT's six layers, given embeddings of tokens.

It is written here as the library that has it takes longer to import than PyTorch itself; what it computes
is held to that library's in the tests.

Departures: none in what is computed. Dropout and pooler, which serve training, are left out.
Source: Devlin et al., BERT (arXiv 1810.04805), section 3; Wang et al., MiniLM (arXiv 2002.10957).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

WORDS, WIDTH, LENGTH, LAYERS, HEADS, INSIDE = 30522, 384, 512, 6, 12, 1536
EPSILON = 1e-12
_OURS = {
    "embeddings.word_embeddings.weight": "words",
    "embeddings.position_embeddings.weight": "positions",
    "embeddings.token_type_embeddings.weight": "kinds",
    "embeddings.LayerNorm": "norm",
    "encoder.layer": "layers",
    "attention.self.": "",
    "attention.output.dense": "joined",
    "attention.output.LayerNorm": "norm_attended",
    "intermediate.dense": "wide",
    "output.dense": "narrow",
    "output.LayerNorm": "norm",
}
"""Our names for those of the file, in the order in which they are replaced."""

Tokens = Float[Tensor, "text token width"]


class TextLayer(nn.Module):
    """Attention of every token to every other, then two products; each is added and normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.joined = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.wide, self.narrow = nn.Linear(WIDTH, INSIDE), nn.Linear(INSIDE, WIDTH)
        self.norm_attended, self.norm = nn.LayerNorm(WIDTH, EPSILON), nn.LayerNorm(WIDTH, EPSILON)

    def forward(self, tokens: Tokens) -> Tokens:
        """Return the tokens, having looked at each other."""
        query, key, value = (
            rearrange(part(tokens), "text token (head channel) -> text head token channel", head=HEADS)
            for part in (self.query, self.key, self.value)
        )
        attended = F.scaled_dot_product_attention(query, key, value)
        attended = rearrange(attended, "text head token channel -> text token (head channel)")
        tokens = self.norm_attended(self.joined(attended) + tokens)
        return self.norm(self.narrow(F.gelu(self.wide(tokens))) + tokens)


class LiteText(nn.Module):
    """A sentence encoder without its pooler.

    Attributes:
        words: Embeddings of the vocabulary.
        width: Of an embedding and of a state.
        length: Tokens that a text can have.
    """

    def __init__(self) -> None:
        super().__init__()
        self.width, self.length = WIDTH, LENGTH
        self.words, self.positions, self.kinds = (
            nn.Parameter(torch.empty(rows, WIDTH)) for rows in (WORDS, LENGTH, 2)
        )
        self.norm = nn.LayerNorm(WIDTH, EPSILON)
        self.layers = nn.ModuleList(TextLayer() for _ in range(LAYERS))

    def forward(self, embedded: Tokens) -> Tokens:
        """Return the last states of embedded tokens, all of which are seen."""
        tokens = self.norm(embedded + self.kinds[0] + self.positions[: embedded.shape[1]])
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens


def lite_text(weights: Mapping[str, Tensor]) -> LiteText:
    """Return the encoder with the weights of a BERT, by the names that files of Hugging Face have.

    Args:
        weights: Those of its pooler and its numbers of positions are left out.

    Raises:
        RuntimeError: Some are missing or of another shape.
    """
    ours = {
        _our_name(name): value
        for name, value in weights.items()
        if not name.startswith("pooler.") and not name.endswith("position_ids")
    }
    with torch.device("meta"):
        encoder = LiteText()
    encoder.load_state_dict(ours, assign=True)
    return encoder.eval()


def _our_name(name: str) -> str:
    for theirs, our in _OURS.items():
        name = name.replace(theirs, our)
    return name
