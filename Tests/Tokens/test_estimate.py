"""The estimate of a prompt's tokens, before anything was learnt, against real tokenizers: never far too low."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from pathlib import Path
from typing import Any

import corpus
from vocabularies import counts

Json = dict[str, Any]
WORKER = Path(os.environ.get("DRAGOMAN_PROGRAM", corpus.ROOT / ".build/release/dragoman")).parent / "dragoman-worker"
LEAST, MOST, MEAN = 0.9, 2.8, 1.25
"""Of the truth, which is the highest of the tokenizers' counts: each text, each text, and on average."""
EMPTY = 12
"""Added to a text for the message it stands in."""
PICTURE = 1500


def estimates(bodies: list[str], folder: Path) -> list[int]:
    """What `dragoman-worker count` says of each body."""
    files = []
    for number, body in enumerate(bodies):
        files.append(folder / f"{number}.json")
        files[-1].write_text(body)
    done = subprocess.run([WORKER, "count", *files], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


def message(text: str) -> Json:
    """A body with this text only."""
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


def judge(shares: dict[str, float], mean: float = MEAN) -> None:
    """Prints the distribution; fails on what lies outside."""
    ordered = sorted(shares.items(), key=lambda item: item[1])
    values = [share for _, share in ordered]
    print(f"{len(values)} samples: lowest {values[0]:.2f}, median {statistics.median(values):.2f}, ", end="")
    print(f"mean {statistics.fmean(values):.2f}, highest {values[-1]:.2f}")
    for name, share in ordered[:5] + ordered[-5:]:
        print(f"  {share:.2f} {name}")
    outside = {name: round(share, 2) for name, share in ordered if not LEAST <= share <= MOST}
    assert not outside, outside
    assert statistics.fmean(values) <= mean


def test_texts_of_all_kinds(tmp_path: Path) -> None:
    texts = dict(corpus.texts())
    assert len(texts) > 100
    found = estimates([json.dumps(message(text), ensure_ascii=False) for text in texts.values()], tmp_path)
    judge({name: (count - EMPTY) / max(counts(text).values()) for (name, text), count in zip(texts.items(), found, strict=True)})


def test_characters_spelt_as_numbers_are_characters(tmp_path: Path) -> None:
    texts = {name: text for name, text in corpus.texts() if not text.isascii()}
    plain = estimates([json.dumps(message(text), ensure_ascii=False) for text in texts.values()], tmp_path)
    spelt = estimates([json.dumps(message(text)) for text in texts.values()], tmp_path)
    for name, one, other in zip(texts, plain, spelt, strict=True):
        assert one * 0.9 <= other <= one * 1.35, (name, one, other)


def conversation(turns: int, tools: int, pictures: int) -> tuple[Json, str]:
    """A request as Claude Code makes them, and the prompt that a plain template makes of it."""
    readme = (corpus.ROOT / "README.md").read_text()
    system = f"You are a careful engineer. Answer briefly.\n\n{readme}"
    offered = [
        {
            "name": f"tool_{number}",
            "description": "Reads, searches or changes files below the project's folder. " * (1 + number % 5),
            "input_schema": {
                "type": "object",
                "properties": {
                    name: {"type": kind, "description": f"The {name} to use; absolute, never relative."}
                    for name, kind in [("file_path", "string"), ("offset", "integer"), ("replace_all", "boolean")]
                },
                "required": ["file_path"],
                "additionalProperties": False,
            },
        }
        for number in range(tools)
    ]
    prompt = [f"<|im_start|>system\n{system}\n# Tools\n<tools>\n"]
    prompt += [json.dumps({"type": "function", "function": {"name": t["name"], "description": t["description"], "parameters": t["input_schema"]}}) + "\n" for t in offered]
    prompt.append("</tools><|im_end|>\n")
    messages: list[Json] = []
    samples = list(corpus.own_files())
    for turn in range(turns):
        name, text = samples[turn % len(samples)]
        ask = f"Please look at {name} and say what it does."
        given = {"file_path": f"/home/user/project/{name}", "offset": turn}
        blocks: list[Json] = [{"type": "text", "text": ask}]
        if turn < pictures:
            blocks.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}})
        messages += [
            {"role": "user", "content": blocks},
            {"role": "assistant", "content": [{"type": "text", "text": "I read it first."}, {"type": "tool_use", "id": f"toolu_{turn}", "name": "tool_0", "input": given}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"toolu_{turn}", "content": text}]},
            {"role": "assistant", "content": "It does what its name says."},
        ]
        call = json.dumps({"name": "tool_0", "arguments": given})
        prompt += [
            f"<|im_start|>user\n{ask}<|im_end|>\n",
            f"<|im_start|>assistant\nI read it first.\n<tool_call>\n{call}\n</tool_call><|im_end|>\n",
            f"<|im_start|>user\n<tool_response>\n{text}\n</tool_response><|im_end|>\n",
            "<|im_start|>assistant\nIt does what its name says.<|im_end|>\n",
        ]
    prompt.append("<|im_start|>assistant\n")
    # A mark of the template is one token to its model.
    text = "".join(prompt).replace("<|im_start|>", "\x01").replace("<|im_end|>", "\x02")
    return {"model": "m", "system": system, "tools": offered, "messages": messages}, text


def test_whole_requests(tmp_path: Path) -> None:
    cases = {f"{turns} turns, {tools} tools, {pictures} pictures": (turns, tools, pictures) for turns, tools, pictures in [(1, 0, 0), (1, 20, 0), (3, 20, 1), (12, 20, 2), (30, 60, 0)]}
    made = {name: conversation(*case) for name, case in cases.items()}
    found = estimates([json.dumps(body, ensure_ascii=False) for body, _ in made.values()], tmp_path)
    shares = {}
    for (name, (_, prompt)), count in zip(made.items(), found, strict=True):
        shares[name] = (count - PICTURE * cases[name][2]) / max(counts(prompt).values())
    judge(shares)
