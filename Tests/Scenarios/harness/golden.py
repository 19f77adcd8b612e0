"""The golden cases of the translation, read; Tests/README.md describes their form.

As a program it writes inputs out, for the fuzzers to begin with:
golden.py FOLDER LARGEST PATTERN SECTION… prints the files that it made of these sections, one path a line.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / "TranslationTests" / "Golden"
MARKER = re.compile(rb"-- (.+?)(?: \(([a-z, ]+)\))? --\n")
ESCAPE = re.compile(rb"\\(r|\\|x[0-9A-F]{2})")


@dataclass(frozen=True)
class Case:
    """One case: why it is there, and its sections by name, such as `in request`."""

    path: Path
    reason: str
    sections: dict[str, bytes]

    @property
    def name(self) -> str:
        """As the documentation calls it."""
        return self.path.stem

    @property
    def circumstances(self) -> list[tuple[str, str]]:
        """For whom, and what else is not in the bytes."""
        lines = self.sections.get("circumstances", b"").decode().splitlines()
        return [(key, value) for key, value in (line.split(": ", 1) for line in lines)]


def unescaped(text: bytes) -> bytes:
    """Bytes that an editor would change or hide."""

    def byte(found: re.Match[bytes]) -> bytes:
        word = found[1]
        return b"\r" if word == b"r" else b"\\" if word == b"\\" else bytes([int(word[1:], 16)])

    return ESCAPE.sub(byte, text)


def read(path: Path) -> Case:
    """One case from its file."""
    reason, name, flags, text = "", "", "", b""
    sections: dict[str, bytes] = {}

    def close() -> str:
        content = unescaped(text) if "escaped" in flags else text
        if name:
            assert name not in sections, f"{path}: {name} stands there twice"
            sections[name] = content.removesuffix(b"\n") if "no final newline" in flags else content
        return reason if name else text.decode()

    for line in re.findall(rb"[^\n]*\n", path.read_bytes()):
        if marker := MARKER.fullmatch(line):
            reason = close()
            name, flags, text = marker[1].decode(), (marker[2] or b"").decode(), b""
        else:
            text += line
    return Case(path, close(), sections)


def cases(pattern: str) -> list[Case]:
    """Cases by their place, such as `streams/*`, in order of their names."""
    return sorted((read(path) for path in ROOT.glob(f"{pattern}/**/*.case")), key=lambda case: case.name)


def case(room: str, name: str) -> Case:
    """The case of this name, whatever its topic."""
    (path,) = ROOT.glob(f"{room}/**/{name}.case")
    return read(path)


def main(folder: str, largest: str, pattern: str, *names: str) -> None:
    """Writes sections out."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for found in cases(pattern):
        for name in names:
            content = found.sections.get(name)
            if content is not None and len(content) <= int(largest):
                path = Path(folder) / f"{found.path.relative_to(ROOT).parts[0]}-{found.name}-{name.split()[-1]}"
                path.write_bytes(content)
                print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
