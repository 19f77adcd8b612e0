"""Fits the table of Sources/Worker/Translation/Requests/TokenWeights.swift to the tokenizers; run by hand.

    .venv/bin/python -m pip install numpy scipy
    .venv/bin/python Tests/Tokens/fit.py FOLDER…

FOLDERs hold texts of all kinds and languages (programs, manuals, translations, logs), one kind a subfolder or
a suffix. Generated texts of `corpus` are added with other seeds than the test has; its prose and programs are
not, so that the test stays a test. Prints the rows of the table, and how each kind of text comes out.

A linear programme: each pair of neighbouring classes has a weight; the mean estimate becomes as small as it can
while no sample falls below the highest count of the tokenizers, but for outliers, which cost.
"""

from __future__ import annotations

import collections
import json
import random
import sys
from pathlib import Path

import numpy
from scipy import optimize, sparse

import corpus
from vocabularies import counts

UNITS = 32
OUTLIER = 30.0
SAMPLE = 6000
CLASSES: dict[str, str | range] = {
    "control": range(32), "space": " ", "digit": "0123456789", "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "e": "e", "vowel": "aiou", "tnsr": "tnsr", "ldhcm": "ldhcm", "pgfb": "pgfbywv", "rare": "kjqxz",
    "underscore": "_", "dash": "/-", "stop": ".,:;!?'", "quote": '"', "bracket": "()[]{}<>", "sign": "",
    "backslash": "\\", "continuation": range(0x80, 0xC0), "latin": range(0xC0, 0xCC), "greek": range(0xCC, 0xD0),
    "cyrillic": range(0xD0, 0xD2), "hebrew": range(0xD2, 0xD8), "arabic": range(0xD8, 0xE0), "indic": range(0xE0, 0xE1),
    "southeast": range(0xE1, 0xE2), "symbol": range(0xE2, 0xE3), "kana": range(0xE3, 0xE4), "han": range(0xE4, 0xEA),
    "hangul": range(0xEA, 0xEE), "compatibility": range(0xEE, 0xF0), "emoji": range(0xF0, 0x100),
}  # fmt: skip
NAMES = [*CLASSES, "nothing"]
WIDE = NAMES.index("continuation")
LETTERS = range(NAMES.index("e"), NAMES.index("rare") + 1)
# Scripts of which short texts come out higher than the average of the long ones that a folder holds.
RAISED = {"han": 1.1, "hangul": 1.08, "kana": 1.05}


def class_of_byte() -> numpy.ndarray:
    table = numpy.full(256, NAMES.index("sign"))
    for name, members in CLASSES.items():
        for member in members:
            table[member if isinstance(member, int) else ord(member)] = NAMES.index(name)
    table[0x7F] = 0
    return table


def samples(folders: list[str]) -> list[tuple[str, str]]:
    chance = random.Random(7)
    found = []
    for folder in folders:
        kinds = collections.defaultdict(list)
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file() and 1500 < path.stat().st_size < 1 << 20:
                kinds[path.suffix or path.parent.name].append(path)
        for kind, paths in kinds.items():
            for path in chance.sample(paths, min(30, len(paths))):
                try:
                    text = path.read_text()
                except UnicodeDecodeError:
                    continue
                start = chance.randrange(max(1, len(text) - SAMPLE))
                found.append((kind, text[start : start + SAMPLE]))
    for seed in range(1, 9):
        found += [(kind, text) for kind, text in corpus.generated(seed)]
    return found


def pairs(data: bytes, table: numpy.ndarray) -> numpy.ndarray:
    own = table[numpy.frombuffer(data, numpy.uint8)]
    before = numpy.concatenate([[NAMES.index("control")], own[:-1]])
    return numpy.bincount(before * 32 + own, minlength=1024).astype(float)


def groups() -> list[tuple[list[int], tuple[float, float]]]:
    """Pairs that share a weight, and its bounds: what follows other scripts does not ask which one it was."""
    made = []
    for before in range(WIDE):
        for own in range(WIDE):
            bounds = (0.05, 1.9)
            if own in LETTERS and before in LETTERS:
                bounds = (0.03, 0.8)
            elif own in LETTERS and NAMES[before] in ("space", "control"):
                bounds = (0.55, 1.9)
            elif own in LETTERS and NAMES[before] in ("underscore", "stop", "quote", "bracket", "sign", "dash"):
                bounds = (0.3, 1.9)
            made.append(([before * 32 + own], bounds))
    wide = range(WIDE, len(CLASSES))
    made += [([before * 32 + own for before in wide], (0.05, 1.9)) for own in range(WIDE)]
    for own in wide[1:]:
        made.append(([before * 32 + own for before in range(len(CLASSES)) if before != WIDE], (0.3, 5.0)))
        made.append(([WIDE * 32 + own], (0.3, 5.0)))
    return made


def main() -> None:
    table = class_of_byte()
    kinds, rows, truths = [], [], []
    for kind, text in samples(sys.argv[1:]):
        truth = max(counts(text).values())
        for data in (json.dumps(text, ensure_ascii=False)[1:-1].encode(), text.encode()):
            kinds.append(kind)
            rows.append(pairs(data, table))
            truths.append(truth)
    shares = numpy.array(rows) / numpy.array(truths, float)[:, None]
    grouped = groups()
    design = numpy.array([shares[:, members].sum(axis=1) for members, _ in grouped]).T
    many, width = design.shape
    cost = numpy.concatenate([design.mean(axis=0) + 2e-4, numpy.full(many, OUTLIER / many)])
    limits = sparse.hstack([sparse.csr_matrix(-design), -sparse.identity(many)])
    bounds = [bound for _, bound in grouped] + [(0, None)] * many
    weights = optimize.linprog(cost, A_ub=limits, b_ub=-numpy.ones(many), bounds=bounds, method="highs").x[:width]
    units = numpy.full((32, 32), UNITS // 2)
    seen = numpy.array(rows).sum(axis=0)
    for (members, _), weight in zip(grouped, weights, strict=True):
        # A pair that hardly occurs was not judged by anything.
        known = weight if seen[members].sum() >= 40 else max(weight, 0.5)
        for member in members:
            units[divmod(member, 32)] = int(numpy.ceil(known * UNITS - 0.25))
    for name, factor in RAISED.items():
        units[:, NAMES.index(name)] = numpy.ceil(units[:, NAMES.index(name)] * factor)
    units[:, WIDE] = 0
    units[31] = units[0]
    for name, row in zip(NAMES, units.tolist(), strict=True):
        print(f"// after {name}\n{', '.join(map(str, row))},")
    estimates = shares @ units.reshape(-1) / UNITS
    by_kind = collections.defaultdict(list)
    for kind, share in zip(kinds, estimates, strict=True):
        by_kind[kind].append(share)
    for kind, values in sorted(by_kind.items(), key=lambda item: min(item[1])):
        print(f"{kind:16} {len(values):4} lowest {min(values):.2f} mean {numpy.mean(values):.2f} highest {max(values):.2f}", file=sys.stderr)


if __name__ == "__main__":
    main()
