"""The tokenizers that the estimate is judged by: their files come with the `litellm` wheel, for tests only.

Three families of what people run: OpenAI's newest vocabulary (gpt-oss), DeepSeek's, and the one that Qwen's and
Llama 3's grew from, with each digit a token of its own, as Qwen has it.
"""

from __future__ import annotations

import base64
import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path

import tiktoken
from tokenizers import Tokenizer

Counter = Callable[[str], int]

# How texts are cut before they are merged, as the makers of the vocabularies publish it.
_WORDS = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
_CASED_WORDS = "|".join(
    [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)


def wheel() -> Path:
    """The folder of the installed `litellm`, which is not imported."""
    found = importlib.util.find_spec("litellm")
    assert found is not None and found.submodule_search_locations, "litellm is not installed: Tests/tools/venv"
    return Path(found.submodule_search_locations[0])


def _ranks(name: str) -> dict[bytes, int]:
    lines = (wheel() / "litellm_core_utils/tokenizers" / name).read_bytes().splitlines()
    return {base64.b64decode(word): int(rank) for word, rank in (line.split() for line in lines if line)}


def _tiktoken(name: str, pattern: str, file: str) -> Counter:
    encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=_ranks(file), special_tokens={})
    return lambda text: len(encoding.encode_ordinary(text))


@functools.cache
def counters() -> dict[str, Counter]:
    """By name: the number of tokens of a text."""
    deepseek = Tokenizer.from_file(str(wheel() / "litellm_core_utils/tokenizers/deepseek_tokenizer.json"))
    return {
        "qwen-like": _tiktoken("qwen-like", _WORDS, "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"),
        "o200k": _tiktoken("o200k", _CASED_WORDS, "fb374d419588a4632f3f557e76b4b70aebbca790"),
        "deepseek": lambda text: len(deepseek.encode(text, add_special_tokens=False).ids),
    }


def counts(text: str) -> dict[str, int]:
    """What each of them says."""
    return {name: count(text) for name, count in counters().items()}
