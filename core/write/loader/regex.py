"""RE2's regular expressions, which ONNX prescribes, on whole texts; Python's own are others.

``full_matcher`` parses a pattern into an automaton of code points. A text walks through sets of its
states, each step of which is remembered: the time is linear in the text whatever the pattern.
"""

from __future__ import annotations

import functools
import re
from typing import Callable, Iterable, NamedTuple, Optional, Union

from .code_points import POSIX, Ranges, case_variants, complement, in_category, merged

_REPEAT = re.compile(r"[*+?]|\{(\d+)(,(\d*))?\}")
_GROUP = re.compile(r"\?P<(\w+)>|\?([imsU]*)(-[imsU]+)?([:)])", re.ASCII)
_MOST_REPEATS = 1000  # as in RE2, nested ones multiplied
_MOST_NESTED = 1000
_MOST_STEPS = 1 << 16
_ESCAPES = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_CLASSES: dict[str, Ranges] = {
    "d": POSIX["digit"],
    "s": ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)),
    "w": POSIX["word"],
}
_NEWLINE = ((10, 10),)


class _Set(NamedTuple):
    ranges: Ranges


class _Assertion(NamedTuple):
    """One of: text begin, text end, line begin, line end, boundary, no boundary."""

    kind: str


class _Sequence(NamedTuple):
    parts: list[_Node]


class _Choice(NamedTuple):
    parts: list[_Node]


class _Repeat(NamedTuple):
    part: _Node
    least: int
    most: Optional[int]


_Node = Union[_Set, _Assertion, _Sequence, _Choice, _Repeat]


class _Parser:
    """Recursive descent; the flags in force go along."""

    def __init__(self, pattern: str) -> None:
        self.pattern, self.at, self.depth = pattern, 0, 0
        self.names: set[str] = set()

    def fail(self, what: str, piece: str | None = None) -> ValueError:
        where = f"pattern '{self.pattern}': {what}"
        return ValueError(f"RegexFullMatch: {where}" + (f": {piece}" if piece is not None else ""))

    def peek(self, text: str) -> bool:
        return self.pattern.startswith(text, self.at)

    def accept(self, text: str) -> bool:
        found = self.peek(text)
        self.at += len(text) if found else 0
        return found

    def whole(self) -> _Node:
        node = self.choice(frozenset())
        if self.at < len(self.pattern):
            raise self.fail("unexpected )", self.pattern)
        return node

    def choice(self, flags: frozenset[str]) -> _Node:
        branches: list[list[_Node]] = [[]]
        while self.at < len(self.pattern) and not self.peek(")"):
            if self.accept("|"):
                branches.append([])
            elif self.accept("("):
                node, flags = self.group(flags, self.at - 1)
                if node is not None:
                    branches[-1].append(self.repeated(node))
                elif branches[-1]:  # as if the flags did not stand between
                    branches[-1].append(self.repeated(branches[-1].pop()))
            elif self.accept("\\Q"):
                end = self.pattern.find("\\E", self.at)
                quoted = self.pattern[self.at : end if end >= 0 else None]
                self.at = end + 2 if end >= 0 else len(self.pattern)
                nodes = [self.literal(ord(c), flags) for c in quoted]
                branches[-1] += [*nodes[:-1], *map(self.repeated, nodes[-1:])]
            else:
                branches[-1].append(self.repeated(self.atom(flags)))
        parts: list[_Node] = [_Sequence(b) for b in branches]
        return parts[0] if len(parts) == 1 else _Choice(parts)

    def group(self, flags: frozenset[str], begin: int) -> tuple[_Node | None, frozenset[str]]:
        """Behind "(": the group, or None where only the flags change; the flags afterwards."""
        inner = flags
        if self.peek("?"):
            head = _GROUP.match(self.pattern, self.at)
            if head is None or head[0] in ("?)", "?-)"):
                raise self.fail("invalid perl operator", self.pattern[begin : begin + 3])
            self.at = head.end()
            if head[1] is not None:
                if head[1] in self.names:
                    raise self.fail("duplicate capture group name", head[1])
                self.names.add(head[1])
            else:
                inner = (flags | set(head[2])) - set(head[3] or "")
                if head[4] == ")":
                    return None, inner
        self.depth += 1
        if self.depth > _MOST_NESTED:
            raise self.fail("nested too deep")
        node = self.choice(inner)
        self.depth -= 1
        if not self.accept(")"):
            raise self.fail("missing )", self.pattern)
        return node, flags

    def repeated(self, node: _Node) -> _Node:
        found = _REPEAT.match(self.pattern, self.at)
        if found is None:
            return node
        begin, self.at = self.at, found.end()
        self.accept("?")  # lazily: whole texts match all the same
        if again := _REPEAT.match(self.pattern, self.at):
            raise self.fail("bad repetition operator", self.pattern[begin : again.end()])
        if found[1] is None:
            return _Repeat(node, int(found[0] == "+"), 1 if found[0] == "?" else None)
        least = int(found[1])
        most = least if found[2] is None else int(found[3]) if found[3] else None
        if max(least, most or 0) > _MOST_REPEATS or (most is not None and most < least):
            raise self.fail("invalid repetition size", found[0])
        return _Repeat(node, least, most)

    def literal(self, code: int, flags: frozenset[str]) -> _Node:
        return self.set_of([(code, code)], flags)

    def set_of(self, ranges: Iterable[tuple[int, int]], flags: frozenset[str]) -> _Set:
        return _Set(case_variants(ranges) if "i" in flags else merged(ranges))

    def atom(self, flags: frozenset[str]) -> _Node:
        begin = self.at
        if repeat := _REPEAT.match(self.pattern, begin):
            raise self.fail("no argument for repetition operator", repeat[0])
        c = self.pattern[begin]
        self.at += 1
        if c == ".":
            return _Set(complement(()) if "s" in flags else complement(_NEWLINE))
        if c in "^$":
            unit = "line" if "m" in flags else "text"
            return _Assertion(f"{unit} {'begin' if c == '^' else 'end'}")
        if c == "[":
            return self.bracket(flags)
        if c != "\\":
            return self.literal(ord(c), flags)
        for letter, kind in _ASSERTIONS.items():
            if self.accept(letter):
                return _Assertion(kind)
        group = self.character_class(flags)
        return _Set(group) if group is not None else self.literal(self.escape(begin), flags)

    def character_class(self, flags: frozenset[str]) -> Ranges | None:
        """Behind a backslash: what \\d or \\pL stand for; None: it is neither."""
        letter = self.pattern[self.at : self.at + 1]
        if letter and letter in "pP":
            return self.category(flags)
        known = _CLASSES.get(letter.lower())
        if known is None:
            return None
        self.at += 1
        found = self.set_of(known, flags).ranges
        return complement(found) if letter.isupper() else found

    def category(self, flags: frozenset[str]) -> Ranges:
        begin = self.at - 1
        found = re.compile(r"([pP])(?:\{(\^?)(\w+)\}|(\w))").match(self.pattern, self.at)
        name = (found[3] or found[4]) if found else ""
        ranges = in_category(name)
        if found is None or ranges is None:
            piece = self.pattern[begin : found.end() if found else None]
            what = "invalid character class range"
            raise self.fail(what, piece + " (general categories of Unicode alone are known)")
        self.at = found.end()
        ranges = self.set_of(ranges, flags).ranges
        return complement(ranges) if (found[1] == "P") != bool(found[2]) else ranges

    def escape(self, begin: int) -> int:
        """Behind a backslash: one character."""
        found = _CHARACTER.match(self.pattern, self.at)
        if found is None or self.at == len(self.pattern):
            if self.at == len(self.pattern):
                raise self.fail("trailing \\")
            raise self.fail("invalid escape sequence", self.pattern[begin : self.at + 1])
        self.at = found.end()
        digits, octal = found[1] or found[2], found[3]
        code = int(digits, 16) if digits else int(octal, 8) if octal else ord(found[0])
        if code > 0x10FFFF:
            raise self.fail("invalid escape sequence", self.pattern[begin : self.at])
        return _ESCAPES.get(found[0], code) if not digits and not octal else code

    def bracket(self, flags: frozenset[str]) -> _Node:
        begin = self.at - 1
        ranges: Ranges = ()
        negated = self.accept("^")
        first = True
        while first or not self.peek("]"):
            if self.at >= len(self.pattern):
                raise self.fail("missing ]", self.pattern[begin:])
            ranges += self.element(flags)
            first = False
        self.at += 1
        found = self.set_of(ranges, flags)
        return _Set(complement(found.ranges)) if negated else found

    def element(self, flags: frozenset[str]) -> Ranges:
        begin = self.at
        if self.peek("[:") and (end := self.pattern.find(":]", self.at + 2)) >= 0:
            name, self.at = self.pattern[self.at + 2 : end], end + 2
            known = POSIX.get(name.removeprefix("^"))
            if known is None:
                raise self.fail("invalid character class range", self.pattern[begin : self.at])
            # a class that is left out is of all variants of case
            return complement(self.set_of(known, flags).ranges) if name[0] == "^" else known
        if self.accept("\\"):
            group = self.character_class(flags)
            if group is not None:
                return group
            self.at -= 1
        low = high = self.character()
        if self.peek("-") and not self.peek("-]") and self.at + 1 < len(self.pattern):
            self.at += 1
            high = self.character()
        if high < low:
            raise self.fail("invalid character class range", self.pattern[begin : self.at])
        return ((low, high),)

    def character(self) -> int:
        begin = self.at
        self.at += 1
        return self.escape(begin) if self.pattern[begin] == "\\" else ord(self.pattern[begin])


# \x{10FFFF}, \x7F, \123 but not a lone \1, letters, punctuation
_CHARACTER = re.compile(
    r"x\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{2})|(0[0-7]{0,2}|[1-7][0-7]{1,2})"
    r"|[afnrtv]|[\x00-/:-@\[-`{-\x7f]"
)
_ASSERTIONS = {"A": "text begin", "z": "text end", "b": "boundary", "B": "no boundary"}


# ---- the automaton


class _Automaton:
    """States are numbers; each either takes a character of a set, or leads on without one."""

    def __init__(self) -> None:
        self.sets: dict[int, tuple[Ranges, int]] = {}
        self.free: dict[int, list[tuple[str, int]]] = {}  # (assertion or "", next)
        self.count = 0

    def state(self) -> int:
        self.count += 1
        return self.count - 1

    def add(self, node: _Node, after: int, budget: int = _MOST_REPEATS) -> int:
        """Its first state; `after` follows it."""
        if isinstance(node, _Sequence):
            for part in reversed(node.parts):
                after = self.add(part, after, budget)
            return after
        begin = self.state()
        if isinstance(node, _Set):
            self.sets[begin] = (node.ranges, after)
        elif isinstance(node, _Assertion):
            self.free[begin] = [(node.kind, after)]
        elif isinstance(node, _Choice):
            self.free[begin] = [("", self.add(part, after, budget)) for part in node.parts]
        else:
            self.free[begin] = [("", self._repeats(node, after, budget))]
        return begin

    def _repeats(self, node: _Repeat, after: int, budget: int) -> int:
        count = node.least if node.most is None else node.most
        budget //= max(count, 1)
        if budget == 0:
            raise OverflowError
        if node.most is None:
            again = self.state()
            self.free[again] = [("", self.add(node.part, again, budget)), ("", after)]
            after = again
        else:
            end = after
            for _ in range(node.most - node.least):
                option = self.state()
                self.free[option] = [("", self.add(node.part, after, budget)), ("", end)]
                after = option
        for _ in range(node.least):
            after = self.add(node.part, after, budget)
        return after


def _kind(c: str) -> str:
    """All that assertions know of a character; of none: the text ends there."""
    if c == "\n" or not c:
        return c
    return "w" if c.isascii() and (c.isalnum() or c == "_") else "."


def _holds(assertion: str, before: str, after: str) -> bool:
    if assertion in ("", "text begin", "text end"):
        return not {"": "", "text begin": before, "text end": after}[assertion]
    if assertion in ("line begin", "line end"):
        return (before if assertion == "line begin" else after) in ("", "\n")
    return ((before == "w") != (after == "w")) == (assertion == "boundary")


class _Matcher:
    def __init__(self, automaton: _Automaton, first: int, last: int) -> None:
        self.automaton, self.first, self.last = automaton, first, last
        self.steps: dict[tuple[frozenset[int], str, str], frozenset[int]] = {}

    def __call__(self, text: str) -> bool:
        kinds = [*map(_kind, text), ""]
        states = self.closed([self.first], "", kinds[0])
        for c, after in zip(text, kinds[1:]):
            key = (states, c, after)
            if key not in self.steps:
                if len(self.steps) > _MOST_STEPS:
                    self.steps.clear()
                self.steps[key] = self.step(states, c, after)
            states = self.steps[key]
            if not states:
                return False
        return self.last in states

    def step(self, states: frozenset[int], c: str, after: str) -> frozenset[int]:
        code, taken = ord(c), []
        for state in states & self.automaton.sets.keys():
            ranges, following = self.automaton.sets[state]
            if any(low <= code <= high for low, high in ranges):
                taken.append(following)
        return self.closed(taken, _kind(c), after)

    def closed(self, states: list[int], before: str, after: str) -> frozenset[int]:
        """With all that they lead to without a character."""
        found, open_ = set(states), list(states)
        while open_:
            for assertion, following in self.automaton.free.get(open_.pop(), ()):
                if following not in found and _holds(assertion, before, after):
                    found.add(following)
                    open_.append(following)
        return frozenset(found)


@functools.lru_cache(maxsize=256)
def full_matcher(pattern: str) -> Callable[[str], bool]:
    """Whether the pattern matches all of a text.

    Raises:
      ValueError: no pattern of RE2, or one with what Python does not know (Unicode's scripts).
    """
    parser, automaton = _Parser(pattern), _Automaton()
    last = automaton.state()
    try:
        return _Matcher(automaton, automaton.add(parser.whole(), last), last)
    except RecursionError:
        raise parser.fail("nested too deep") from None
    except OverflowError:
        raise parser.fail("invalid repetition size") from None
