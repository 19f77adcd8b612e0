"""The tokens: bytes, merged words for prompts, and the pieces of the scripts.

The tokenizer is GPT-2's byte-level BPE. Words are merged letter by letter from their beginning, so that prompts in English
and JSON take about a token for three bytes. Pieces of scripts are in the vocabulary without a merge that makes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import cycle

from scripted.scripts import ENDLESS, MARKUP, recitations

# What GGUF says of a token.
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4

WORDS = """
a able about above absolute accept access action active add additional address after again against agent ahead all allow
already also always an and another answer any anything appear apply are argument array artifact as ask assistant at
automatic automatically available avoid background base bash be because been before begin being below best better
between block body boolean both branch break brief browser bug build built but by cache call can cancel cannot card case
change chart check choose claude clean clear cloud code color come command comment commit common complete complex
computer condition config confirm consider const contain content context continue control conversation could cover
create current custom dashboard data date decide deep default defer define definition delete depend deploy describe
description design details did different directory do document does done down draft each edit effort either else email
empty enable end ensure enter enum environment error even event every exact exactly example except executable execute
exist expect explain explicit export expose external fail false fast fetch few field file find finding finish first fix
flag follow for force foreground fork form format found frame fresh from full function gateway general generate get git
give go good group guess guidance hand handle harness has have help here hidden hook how however https id if ignore
image immediately implement import important in include independent index inform information inline input insert inside
install instead instruction integer interactive into invoke is issue it item its itself job join json just keep key kind
know label language large last later launch least leave less let level like limit line list literal load local long look
loop made main make many mark match max maximum may mean medium memory mention merge message metadata method might
minimum minute minutes mode model module monitor more most multi multiple must name need never new next no none noop not
note notebook nothing notify now null number object of off old omit on once one only open operation option optional or
order org other out output outside over own owner package page palette parallel parameter part pass paste path pattern
pause pending perform permission phase plain plan please plugin point polling possible precedence prefer prefix present
previous primary private process produce profile project prompt properties property proposal provide public pull quality
query question quick quote range rather raw read ready reason receive recent refer reference related relative remember
reminder remote remove replace reply repo report request require required research reset resolve respond result resume
return review right root rule run running runtime same save say schedule schema scope script search second section
security see select self send sentence separate server session set setting sha shell short should show signal similar
simple since single skill skip slow small so some something sort source spawn specific stage stale start state status
stay step still stop storage stream string structure style subagent substitute such suggest summary support sure system
take target task team telemetry tell terminal test text than that the their them then there these they thing think this
those thread through tick time timeout title tmp to token tool topic track trigger true trust try turn two type
uncommitted under understand unless until untrusted up update url use user using utc valid value verbatim verify version
via view visible wait wake want warn was watch way web well were what when where whether which while who whole why will
window windows with within without word work workflow workspace worktree would write wrong you your
""".split()

# What is left of other words, and what stands between words: merged when no word was found.
ENDINGS = """
ab able ac ad age al all am an ance and ang ans ap ar are art as ass ast at ate ated ation ati be ble ce ch ck co com con de der di dis
ed en ence end ent ents er ere ers es ess est ever ex fi for ful ge gh ha he ic ical id ie ies if ig igh il ill im in ind ing ings ion
ions ir is ish ist it ity ive iz ize ke ks la ld le led les li ll lo ly man ma me ment ments mi mo ms na nal nd ne nes ness ng ni no ns
nt ob od of og ol om on one ong op or ore ort os ot ou ough ound our out ow ph pl po pre pri pro qu ra re red res ri ro rs sc se sed
self sh si sing so sp ss st sta ste str su sub ta te ted tem ten ter th ther ti ting tion tions to tor tr tra ts tt tu ty ub uc ud ue ul
um un und up ur ure us use ust ut ve ven ver ves vi wh wi wn wo ws ys
""".split()
SIGNS = ['":', ' "', '",', '{"', '"}', '"},', ' {"', '"]', '["', "  ", "    ", "--", "**", "](", "://", ").", "),"]


def letters() -> list[str]:
    """GPT-2's letter for each byte: itself where it is visible, else one from U+0100 on."""
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = iter(range(0x100, 0x200))
    return [chr(byte) if byte in visible else chr(next(hidden)) for byte in range(0x100)]


LETTERS = letters()


def spelled(data: bytes) -> str:
    """Bytes in GPT-2's letters."""
    return "".join(LETTERS[byte] for byte in data)


@dataclass
class Vocabulary:
    """All tokens by number, and the scripts as chains of them."""

    tokens: list[str] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    merges: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    chains: dict[str, list[int]] = field(default_factory=dict)
    """Each script's tokens in order; the last one is the end of the answer, or the first piece again."""
    cues: dict[str, int] = field(default_factory=dict)
    end: int = 0
    padding: int = 0

    def __post_init__(self) -> None:
        for letter in LETTERS:
            self._add(letter, NORMAL)
        # The earlier a merge is learnt, the sooner it is made: words in the running text, then words behind a quote or a
        # bracket, then parts of words.
        for part in (*(" " + word for word in WORDS), *WORDS, *ENDINGS, *SIGNS):
            self._merge(spelled(part.encode()))
        self.end = self._add("<|im_end|>", CONTROL)
        self._add("<|im_start|>", CONTROL)
        self.padding = self._add("<|endoftext|>", CONTROL)
        for mark in MARKUP:
            self._add(mark, USER_DEFINED)
        for name, text in recitations().items():
            self.cues[name] = self._add(f"<|cue:{name}|>", CONTROL)
            pieces = [self._piece(part) for part in _parts(text.removesuffix(ENDLESS))]
            chain = [number for run in pieces for number in run]
            self.chains[name] = [*chain, chain[0] if text.endswith(ENDLESS) else self.end]

    def _add(self, token: str, kind: int) -> int:
        self.numbers[token] = len(self.tokens)
        self.tokens.append(token)
        self.kinds.append(kind)
        return self.numbers[token]

    def _merge(self, word: str) -> None:
        for length in range(2, len(word) + 1):
            if word[:length] not in self.numbers:
                self._add(word[:length], NORMAL)
                self.merges.append(f"{word[:length - 1]} {word[length - 1]}")

    def _piece(self, part: str) -> list[int]:
        """The tokens of a part of a script: its markup, or pieces that nobody else has."""
        if part in MARKUP:
            return [self.numbers[part]]
        rest, pieces = part.encode(), list[bytes]()
        # Lengths of all kinds, so that pieces end within letters, names and numbers.
        lengths = cycle((4, 7, 3, 5, 9, 2, 6))
        while rest:
            size = next(lengths)
            while size < len(rest) and (spelled(rest[:size]) in self.numbers or rest[:size] in pieces):
                size += 1
            piece, rest = rest[:size], rest[size:]
            # What is left at the end may be too short to be nobody's: then the piece before it grows.
            while spelled(piece) in self.numbers or piece in pieces:
                assert pieces, f"nothing of {part!r} is its own"
                piece = pieces.pop() + piece
            pieces.append(piece)
        return [self._add(spelled(piece), NORMAL) for piece in pieces]


def _parts(text: str) -> list[str]:
    """The text cut at the first markup of each kind."""
    found = sorted((text.find(mark), mark) for mark in MARKUP if mark in text)
    parts, at = list[str](), 0
    for position, mark in found:
        parts += [text[at:position], mark]
        at = position + len(mark)
    return [part for part in (*parts, text[at:]) if part]
