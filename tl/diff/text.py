"""A `SchemaDiff` → text for people, and JSON for programs.

The text sums up in its first line; then comes a section for each boxed type and each namespace of functions:

    layer 222 → 228: 102 constructors and 54 functions added, 2 functions removed, 68 changed (59 breaking, …)

    type PageBlock
    ~ readable       pageBlockPhoto#1759c560
                       + spoiler:flags.1?true
    + new reads old  pageBlockMath#59080c20 source:string

The sign says what became of a combinator or field (``+`` added, ``-`` removed, ``~`` changed), the word behind
it what that does to bytes on the wire (`tl.diff.grades`).  Where just the docs changed, the first line counts it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from textwrap import wrap
from typing import Any

from tl.ast import Combinator, Parameter
from tl.diff.changes import CombinatorChange, FieldChange, SchemaDiff
from tl.diff.grades import Grade

__all__ = ["diff_json", "diff_text", "summary"]

_DOCS = ("docs",)
_SIGNS = {"added": "+", "removed": "-"}
_COLUMN = 2 + max(len(grade.value) for grade in Grade) + 2
_WORST_FIRST = (Grade.BREAKING, Grade.OLD_READS_NEW, Grade.NEW_READS_OLD, Grade.READABLE, Grade.SAME)


def diff_text(diff: SchemaDiff, *, width: int | None = None) -> str:
    """The whole text; lines longer than `width` columns are broken between words (None: never)."""
    lines = [summary(diff)]
    sections: defaultdict[tuple[bool, str, str], list[CombinatorChange]] = defaultdict(list)
    for change in diff.changes:
        if change.what != _DOCS:
            sections[_section(change)].append(change)
    notes = dict.fromkeys(diff.types_added, ", a new type") | dict.fromkeys(diff.types_removed, ", gone")
    for (is_functions, namespace, name), changes in sorted(sections.items()):
        full_name = f"{namespace}.{name}".strip(".")
        note = "" if is_functions else notes.get(full_name, "")
        lines += ["", f"{'functions' if is_functions else 'type'} {full_name}{note}".rstrip()]
        for sign in "-~+":
            for change in changes:
                if _sign(change.what) == sign:
                    lines += _lines(change)
    if width is not None:
        lines = [part for line in lines for part in _broken(line, width)]
    return "".join(f"{line}\n" for line in lines)


def summary(diff: SchemaDiff) -> str:
    """The first line: the layers, how many combinators were added, removed and changed, with what grades."""
    parts = []
    for word in ("added", "removed"):
        count = Counter("function" if c.is_function else "constructor" for c in diff.having(word))
        if count:
            found = [_counted(count[kind], kind) for kind in ("constructor", "function") if count[kind]]
            parts.append(f"{' and '.join(found)} {word}")
    changed = [c for c in diff.changes if c.old and c.new and c.what != _DOCS]
    if changed:
        grades = Counter(c.grade for c in changed)
        words = ", ".join(f"{grades[grade]} {grade.value}" for grade in _WORST_FIRST if grades[grade])
        parts.append(f"{len(changed)} changed ({words})")
    docs = sum(c.what == _DOCS for c in diff.changes)
    if docs:
        parts.append(f"{docs} documented otherwise")
    return f"{_layers(diff)}{', '.join(parts) or 'nothing changed'}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _layers(diff: SchemaDiff) -> str:
    old, new = ("?" if layer is None else str(layer) for layer in (diff.old_layer, diff.new_layer))
    if old == new:
        return "" if old == "?" else f"layer {old}: "
    return f"layer {old} → {new}: "


# Sections


def _section(change: CombinatorChange) -> tuple[bool, str, str]:
    combinator = change.combinator
    if combinator.is_function:
        return True, combinator.namespace, ""
    namespace, _, name = combinator.result.name.rpartition(".")
    return False, namespace, name


def _sign(what: Sequence[str]) -> str:
    return _SIGNS.get(what[0], "~")


def _lines(change: CombinatorChange) -> Iterator[str]:
    """One change: what it is of, and below it the fields that changed."""
    old, new = change.old, change.new
    text = _head(old, new) if old and new else _without_type(change.combinator)
    notes = list(_notes(change, old, new)) if old and new else []
    head = f"{_sign(change.what)} {change.grade.value}"
    yield f"{head:{_COLUMN}}{'; '.join([text, *notes])}"
    for field in change.fields:
        yield " " * (_COLUMN + 2) + _field_line(field)


def _without_type(combinator: Combinator) -> str:
    """The declaration; the type of a constructor stands in the title."""
    text = str(replace(combinator, id=combinator.constructor_id)).removesuffix(";")
    return text if combinator.is_function else text.removesuffix(f" = {combinator.result}")


def _head(old: Combinator, new: Combinator) -> str:
    head = f"{new.name}#{new.constructor_id:08x}"
    if old.name != new.name:
        return f"{old.name}#{old.constructor_id:08x} → {head}"
    if old.constructor_id != new.constructor_id:
        return f"{old.name}#{old.constructor_id:08x} → #{new.constructor_id:08x}"
    return head


def _notes(change: CombinatorChange, old: Combinator, new: Combinator) -> Iterator[str]:
    if "moved" in change.what:
        yield f"was of type {old.result}"
    if "answer" in change.what:
        yield f"answers {old.result} → {new.result}"
    if "id" in change.what and change.fields_grade is not Grade.BREAKING and change.fields:
        yield f"fields alone: {change.fields_grade.value}"
    if "docs" in change.what:
        yield "docs"


def _field_line(field: FieldChange) -> str:
    texts = list(dict.fromkeys(str(p) for p in (field.old, field.new) if p is not None))
    order = " (in another place)" * ("order" in field.what)
    return f"{_sign(field.what)} {' → '.join(texts)}{order}"


def _broken(line: str, width: int) -> Iterator[str]:
    """One line as several, each further in than the first."""
    indent = len(line) - len(line.lstrip()) or (_COLUMN if line[:1] in "+-~" else 0)
    broken = wrap(
        line,
        max(width, indent + 20),
        subsequent_indent=" " * (indent + 4),
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from broken or [""]


# JSON


def diff_json(diff: SchemaDiff) -> dict[str, Any]:
    """The same as a JSON object.  Its keys:

    ``layer``: ``old`` and ``new``, numbers or null.
    ``grade``: of all changes together.
    ``summary``: the first line of the text.
    ``counts``: ``added``, ``removed``, ``changed`` (all numbers), and ``grades``, a number for each grade.
    ``types``: ``added`` and ``removed``, names of boxed types.
    ``changes``: a list of objects:
        ``name``; ``kind``, "constructor" or "function"; ``what``, a list of words as in `CombinatorChange`;
        ``grade`` and ``fields_grade``, words of `tl.diff.grades`; ``new_reads_old`` and ``old_reads_new``, booleans
        that follow from ``grade``; ``old`` and ``new``, null or an object of ``name``, ``id`` (8 hex digits),
        ``type``, ``text`` (the declaration) and ``line``;
        ``fields``, a list of objects of ``what``, a list of words as in `FieldChange`, and ``old`` and ``new``,
        null or an object of ``name``, ``type``, ``flag`` (null, or ``field`` and ``bit``) and ``text``.
    """
    grades = diff.count()
    added, removed = len(diff.having("added")), len(diff.having("removed"))
    return {
        "layer": {"old": diff.old_layer, "new": diff.new_layer},
        "grade": diff.grade.value,
        "summary": summary(diff),
        "counts": {
            "added": added,
            "removed": removed,
            "changed": len(diff.changes) - added - removed,
            "grades": {grade.value: grades[grade.value] for grade in Grade},
        },
        "types": {"added": list(diff.types_added), "removed": list(diff.types_removed)},
        "changes": [_change_json(change) for change in diff.changes],
    }


def _change_json(change: CombinatorChange) -> dict[str, Any]:
    return {
        "name": change.name,
        "kind": "function" if change.is_function else "constructor",
        "what": list(change.what),
        "grade": change.grade.value,
        "fields_grade": change.fields_grade.value,
        "new_reads_old": change.grade.new_reads_old,
        "old_reads_new": change.grade.old_reads_new,
        "old": _combinator_json(change.old),
        "new": _combinator_json(change.new),
        "fields": [
            {"what": list(f.what), "old": _field_json(f.old), "new": _field_json(f.new)}
            for f in change.fields
        ],
    }


def _combinator_json(combinator: Combinator | None) -> dict[str, Any] | None:
    if combinator is None:
        return None
    return {
        "name": combinator.name,
        "id": f"{combinator.constructor_id:08x}",
        "type": str(combinator.result),
        "text": str(combinator),
        "line": combinator.line,
    }


def _field_json(field: Parameter | None) -> dict[str, Any] | None:
    if field is None:
        return None
    flag = {"field": field.flag.field, "bit": field.flag.bit} if field.flag else None
    return {"name": field.name, "type": str(field.type), "flag": flag, "text": str(field)}
