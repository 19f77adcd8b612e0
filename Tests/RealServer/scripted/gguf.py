"""Writes GGUF, version 3: a header, typed metadata, a table of tensors, then their bytes, each at a multiple of 32."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ALIGNMENT = 32
# Numbers of the format for what a value or a tensor consists of.
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
KINDS = {"f": 0, "e": 1}
"""A tensor's element by struct's letter: 32 bits, 16 bits."""

Value = str | bool | int | float | Sequence[str] | Sequence[int]


@dataclass
class Tensor:
    """Rows of numbers, zero but for what is set; a vector has one row."""

    rows: int
    columns: int
    kind: str = "e"
    cells: dict[tuple[int, int], float] = field(default_factory=dict)
    is_vector: bool = False

    @classmethod
    def ones(cls, size: int) -> Tensor:
        """A vector of ones, in full precision: what a norm multiplies with."""
        return cls(1, size, "f", {(0, column): 1.0 for column in range(size)}, is_vector=True)

    def add(self, row: int, column: int, amount: float) -> None:
        """Adds to one cell."""
        self.cells[row, column] = self.cells.get((row, column), 0.0) + amount

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self.rows * self.columns * struct.calcsize(self.kind)

    @property
    def shape(self) -> list[int]:
        """As GGUF has it: what varies fastest comes first."""
        return [self.columns] if self.is_vector else [self.columns, self.rows]


def write(path: Path, metadata: dict[str, Value], tensors: dict[str, Tensor]) -> None:
    """The whole file. Zeros are not written but left as holes, so that a large empty tensor takes no room on the disk."""
    head = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)))
    for name, value in metadata.items():
        head += _text(name) + _typed(value)
    offset, starts = 0, []
    for name, tensor in tensors.items():
        shape = tensor.shape
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, KINDS[tensor.kind], offset)
        starts.append(offset)
        offset = _aligned(offset + tensor.size)
    body = _aligned(len(head))
    with path.open("wb") as file:
        file.write(head)
        for start, tensor in zip(starts, tensors.values(), strict=True):
            width = struct.calcsize(tensor.kind)
            for (row, column), value in sorted(tensor.cells.items()):
                file.seek(body + start + (row * tensor.columns + column) * width)
                file.write(struct.pack("<" + tensor.kind, value))
        file.truncate(body + offset)


def _aligned(position: int) -> int:
    return -(-position // ALIGNMENT) * ALIGNMENT


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _typed(value: Value) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", BOOL, value)
        case int():
            return struct.pack("<II", UINT32, value)
        case float():
            return struct.pack("<If", FLOAT32, value)
        case str():
            return struct.pack("<I", STRING) + _text(value)
    texts = [item for item in value if isinstance(item, str)]
    if texts:
        return struct.pack("<IIQ", ARRAY, STRING, len(texts)) + b"".join(map(_text, texts))
    return struct.pack("<IIQ", ARRAY, INT32, len(value)) + b"".join(struct.pack("<i", item) for item in value)
