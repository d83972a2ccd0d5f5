"""What changed between two schemas, and what that does to bytes on the wire.

    changes = diff(Schema.read("old.tl"), Schema.read("new.tl"))
    print(diff_text(changes))

Old and new are paired, combinators (`combinator_pairs`) and fields (`field_pairs`); `layout` says what bytes a
combinator gives, `reading` who can read them, `grades` what that is called.
"""

from __future__ import annotations

from tl.diff.changes import CombinatorChange, FieldChange, SchemaDiff, diff
from tl.diff.grades import Grade
from tl.diff.text import diff_json, diff_text, summary

__all__ = [
    "CombinatorChange",
    "FieldChange",
    "Grade",
    "SchemaDiff",
    "diff",
    "diff_json",
    "diff_text",
    "summary",
]
