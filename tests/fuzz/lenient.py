"""Whatever the bytes and the type, a lenient reading raises nothing, encodes to the same bytes and covers them all.

A strict reading raises exactly where the lenient one has findings, and the first of them is what it raises.
The input is a question (`tests.fuzz.questions`); with bit 7 unknown constructors are looked up in the other
schemas.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.questions import PACKAGES, Question, read_question
from tests.fuzz.verdicts import Broken, is_same, verdict
from tl import DecodeError, Reading, inspect, read
from tl.findings import Finding
from tl.limits import DEFAULT_LIMITS
from tl.spans import Span

__all__ = ["target"]

_OTHERS = tuple(package.SCHEMA for package in PACKAGES.values())


def target(raw: bytes, reader: Callable[..., Reading] = read) -> None:
    """Raise where what `reader` makes of the bytes is not whole, or not what a strict reading says."""
    question = read_question(raw)
    rules, data = question
    schema, limits = rules.package.SCHEMA, rules.limits or DEFAULT_LIMITS
    others = _OTHERS if rules.is_marked else ()
    given = memoryview(bytearray(data)) if rules.as_view else data
    reading = reader(given, schema, rules.as_type, mode="lenient", limits=limits, others=others)
    if reading.encode() != data:
        raise Broken(f"{question}\n is {reading.value!r},\n which encodes to {reading.encode().hex(' ', -4)}")
    _check_tree(question, reading.span)
    error: DecodeError | None = None
    try:
        strict = reader(given, schema, rules.as_type, mode="strict", limits=limits, others=others)
    except DecodeError as raised:
        error = raised
    else:
        if not is_same(strict.value, reading.value):
            raise Broken(f"{question}\n is {strict.value!r}, read leniently {reading.value!r}")
    _check_findings(question, reading.findings, error)
    if rules.limits is None:
        _check_inspection(question, reading)


def _check_inspection(question: Question, reading: Reading) -> None:
    """`inspect` gives the same tree where nothing is wrong but unknown flags, and raises where something is."""
    rules, data = question
    looked = verdict(lambda: inspect(data, rules.package.SCHEMA, rules.as_type))
    is_right = all(finding.name == "UnknownFlags" for finding in reading.findings)
    if not isinstance(looked, Span):
        if is_right:
            raise Broken(f"{question}\n inspected it is {looked!r}, its findings are {reading.findings}")
    elif not is_right or _outline(looked) != _outline(reading.span):
        raise Broken(f"{question}\n inspected it is {looked!r},\n read leniently {reading.span!r}")


def _outline(span: Span) -> list[tuple[object, ...]]:
    """What the tree says, without the values: a NaN is unlike itself."""
    spans = [span]
    for one in spans:
        spans.extend(one.children)
    return [(one.start, one.end, one.path, one.tl_type, one.note) for one in spans]


def _check_tree(question: Question, span: Span) -> None:
    """Its leaves are all the bytes, once and in order, and each span begins and ends with its children."""
    position = 0
    for leaf in span.leaves():
        if leaf.start != position or leaf.end < position:
            raise Broken(f"{question}\n has a leaf {leaf.start} to {leaf.end} behind the byte {position}")
        position = leaf.end
    if span.start or position != len(question.data) or span.end != position:
        raise Broken(f"{question}\n has leaves up to {position}, and is {span.start} to {span.end}")
    spans = [span]
    while spans:
        one = spans.pop()
        if one.children and (one.start, one.end) != (one.children[0].start, one.children[-1].end):
            raise Broken(f"{question}\n {one.path} is {one.start} to {one.end}, unlike its children")
        spans.extend(one.children)


def _check_findings(question: Question, findings: tuple[Finding, ...], error: DecodeError | None) -> None:
    """The first is what the strict reading raised; all are in the data, and can be told."""
    first = findings[0] if findings else None
    if error is None or first is None:
        if error or first:
            raise Broken(f"{question}\n has the findings {findings}, and strictly it is {error!r}")
        return
    said = (first.name, first.offset, first.path, first.got, first.expected, first.message)
    if said != (
        *(type(error).__name__, error.offset, error.path),
        *(error.got, error.expected, error.message),
    ):
        raise Broken(f"{question}\n first {first!r},\n and strictly {error!r}, at {error.path!r}")
    for finding in findings:
        if not 0 <= finding.offset <= len(question.data) or not str(finding):
            raise Broken(f"{question}\n has a finding outside: {finding!r}")
