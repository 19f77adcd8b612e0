"""The matrices: who votes for which next token. `write` makes the file.

A residual vector has these dimensions: one for the *mode* of the last token (part of a script or not), one that is the
token's *own* (or shared by all that have none), one for the script that was *heard*. Each holds 1 or 0 before the norm.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from scripted.gguf import Tensor, Value, write as write_gguf
from scripted.scripts import GREETING, MARKUP, chat_template
from scripted.vocabulary import Vocabulary

WIDTH = 512
HEAD = 32
"""The attention head's dimensions, and so the most scripts there can be."""
QUIET, RECITING, NAMELESS = 0, 1, 2
"""The two modes, and what tokens have that have no dimension of their own."""

# Votes, in logits: the distances are so large that no usual temperature makes a difference.
NEXT = 220.0
"""A piece for the one behind it, or for the end."""
LAST_RESORT = 180.0
"""The last piece of a script without a call for a call: counts where a grammar does not let the answer end without one."""
HABIT = 160.0
"""For what makes the JSON short, where a grammar lets it."""
MARKUP_NEXT, HEARD_NEXT = 150.0, 100.0
"""Behind markup: the token for what follows it in any script, the cue for what follows it in its own."""
MARKUP_END = 170.0
"""Behind markup: the end, unless token and cue together have something else."""
FIRST, HEARD_FIRST = 100.0, 40.0
"""The mode for every script's first piece, the cue for its own."""
GREET = 20.0
"""The mode for the first piece of the greeting, on top of FIRST."""
CLOSING, STRAYING = 112.0, 50.0
"""For the first of the closers: where a grammar has stopped a script, and where none has begun."""
FAINTER = 4.0
"""By how much each further one of several equals has less, so that there is always a first."""

HABITS = {'"': '"', "{": "}", "[": "]", "}": "</tool_call>"}
CLOSERS = '"}],:{[0atfn1 '
"""What ends JSON soonest comes first."""

# A look at a cue must outweigh looks at all other tokens of the longest prompt together: exp(16 * 16 / sqrt(32)) does.
LOOK = 16.0
# A turn of the rotary embedding so slow that no distance matters, in the last pair of dimensions.
ROPE_BASE = 1e12
SLOWEST = HEAD - 1


@dataclass
class Network:
    """The model of a vocabulary, ready to be written."""

    vocabulary: Vocabulary
    context: int
    ballast: int

    def __post_init__(self) -> None:
        words = self.vocabulary
        self._own: dict[int, int] = {}
        markup = [words.numbers[mark] for mark in MARKUP]
        brackets = [words.numbers[sign] for sign in HABITS]
        pieces = [token for chain in words.chains.values() for token in chain if token != words.end]
        for token in (*markup, *brackets, *pieces, *words.cues.values()):
            self._own.setdefault(token, len(self._own) + 3)
        self._reciting = {*markup, *pieces}
        self._heard = {name: WIDTH - 1 - number for number, name in enumerate(words.cues)}
        if len(words.cues) > HEAD or len(self._own) + 3 + len(words.cues) > WIDTH:
            sys.exit(f"{len(words.cues)} scripts of {len(pieces)} pieces are too many")

    def tensors(self) -> dict[str, Tensor]:
        """All of them, by the names that llama.cpp has for them."""
        size = len(self.vocabulary.tokens)
        block = "blk.0."
        return {
            "token_embd.weight": self._embedding(size),
            "output_norm.weight": Tensor.ones(WIDTH),
            "output.weight": self._votes(size),
            block + "attn_norm.weight": Tensor.ones(WIDTH),
            **{block + name: tensor for name, tensor in self._attention().items()},
            block + "ffn_norm.weight": Tensor.ones(WIDTH),
            block + "ffn_gate.weight": Tensor(self.ballast, WIDTH),
            block + "ffn_up.weight": Tensor(self.ballast, WIDTH),
            block + "ffn_down.weight": Tensor(WIDTH, self.ballast),
        }

    def _embedding(self, size: int) -> Tensor:
        table = Tensor(size, WIDTH)
        for token in range(size):
            table.add(token, RECITING if token in self._reciting else QUIET, 1.0)
            table.add(token, self._own.get(token, NAMELESS), 1.0)
        return table

    def _attention(self) -> dict[str, Tensor]:
        """Everybody looks at cues, and hears which one it is."""
        scale = normed(2)
        names = ("attn_q.weight", "attn_k.weight", "attn_v.weight")
        query, key, value = (Tensor(HEAD, WIDTH) for _ in names)
        output = Tensor(WIDTH, HEAD)
        for mode in (QUIET, RECITING):
            query.add(SLOWEST, mode, LOOK / scale)
        for number, (name, token) in enumerate(self.vocabulary.cues.items()):
            key.add(SLOWEST, self._own[token], LOOK / scale)
            value.add(number, self._own[token], 1 / scale)
            output.add(self._heard[name], number, 1.0)
        return dict(zip(names, (query, key, value), strict=True)) | {"attn_output.weight": output}

    def _votes(self, size: int) -> Tensor:
        """The output matrix."""
        words, scale = self.vocabulary, normed(3)
        votes = Tensor(size, WIDTH)

        def vote(voter: int, token: int, amount: float) -> None:
            votes.add(token, voter, amount / scale)

        markup = {words.numbers[mark] for mark in MARKUP}
        opener = words.numbers["<tool_call>"]
        behind_markup: dict[int, list[int]] = {}
        for name, chain in words.chains.items():
            vote(self._heard[name], chain[0], HEARD_FIRST)
            for token, following in zip(chain, chain[1:], strict=False):
                if token not in markup:
                    vote(self._own[token], following, NEXT)
                    if following == words.end and opener not in chain:
                        vote(self._own[token], opener, LAST_RESORT)
                elif following != words.end:
                    vote(self._heard[name], following, HEARD_NEXT)
                    behind_markup.setdefault(token, []).append(following)
        for token, candidates in behind_markup.items():
            vote(self._own[token], words.end, MARKUP_END)
            for place, following in enumerate(dict.fromkeys(candidates)):
                vote(self._own[token], following, MARKUP_NEXT - FAINTER * place)
        for first in sorted({chain[0] for chain in words.chains.values()} - {words.end}):
            vote(QUIET, first, FIRST)
        vote(QUIET, words.chains[GREETING][0], GREET)
        for sign, closing in HABITS.items():
            vote(self._own[words.numbers[sign]], words.numbers[closing], HABIT)
        for place, sign in enumerate(CLOSERS):
            token = words.numbers[spelled_sign(sign)]
            vote(RECITING, token, CLOSING - FAINTER * place)
            vote(QUIET, token, STRAYING - FAINTER * place)
        return votes


def spelled_sign(sign: str) -> str:
    """A sign of ASCII in the tokenizer's letters."""
    return "Ġ" if sign == " " else sign


def normed(ones: int) -> float:
    """What becomes of a component of 1 when a vector with so many of them goes through a norm."""
    return float((WIDTH / ones) ** 0.5)


def write(path: Path, context: int = 131_072, ballast: int = 32, name: str = "scripted") -> None:
    """The model as a file; `ballast` units that do nothing make each token cost time."""
    words = Vocabulary()
    network = Network(words, context, ballast)
    metadata: dict[str, Value] = {
        "general.architecture": "llama",
        "general.name": name,
        "general.file_type": 1,
        "llama.context_length": context,
        "llama.embedding_length": WIDTH,
        "llama.block_count": 1,
        "llama.feed_forward_length": ballast,
        "llama.attention.head_count": 1,
        "llama.attention.head_count_kv": 1,
        "llama.attention.key_length": HEAD,
        "llama.attention.value_length": HEAD,
        "llama.attention.layer_norm_rms_epsilon": 1e-6,
        "llama.rope.dimension_count": HEAD,
        "llama.rope.freq_base": ROPE_BASE,
        "llama.vocab_size": len(words.tokens),
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": words.tokens,
        "tokenizer.ggml.token_type": words.kinds,
        "tokenizer.ggml.merges": words.merges,
        "tokenizer.ggml.eos_token_id": words.end,
        "tokenizer.ggml.padding_token_id": words.padding,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": chat_template(),
    }
    write_gguf(path, metadata, network.tensors())
