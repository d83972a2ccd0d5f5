"""Two declarations of one combinator → who reads what the other side writes: the grades of `tl.diff.changes`.

Two sides talk, one by the old schema, the other by the new.  A side writes what its schema lets it write: every
value, with no flag bit set that no field of its schema uses.  A side *reads* what the other wrote of a
combinator if its strict decoder takes all of these bytes, and finds each value in the field that it was written
in (or that it has become: fields may be renamed), and none in fields that the other side does not have.  What
is written of a function is its request and, from the other end, its answer.

===============  =========================================================================================
same             both sides write the same bytes, and read each other's; nobody can tell them apart
readable         each side reads the other, but one may set flag bits that mean nothing to the other, which
                 keeps them (and only refuses them when it decodes with ``strict_flags=True``)
new reads old    the new side reads all that the old one writes, but not the other way round
old reads new    the other way round
breaking         neither side reads all that the other writes
===============  =========================================================================================

Each change is graded as if it were the only one: a field that holds a ``User`` has not changed because the
constructors of ``User`` have.  A message can be read if none of the combinators in it keeps it from being read.

What decides, on the wire (core.telegram.org/mtproto/serialize):

* The constructor id.  It is all that a reader knows a body by, so where it changed, the change is breaking,
  whatever else there is; names, of combinators, types and fields, are not on the wire.
* The fields behind it, one after the other.  Both sides must find the same type in the same place; that of a
  field under a flag is empty where the bit is not set, so what only a reader knows of does not disturb it
  as long as the writer never sets that bit.  ``true`` has no bytes: its flag bit is the value.
* In the types of fields, a ``string`` can be read as ``bytes`` (which may be any) but not the reverse, a boxed
  type as any other that has all of its constructors, or as ``Object``.
* The boxed type of a constructor: where that is another, readers of the old type don't expect it any more.
  A type that is only called by another name is none.
* A combinator that only one side has: the other doesn't write it.  (A function that takes the id of a
  constructor changes what that id means where any object may stand.  That is not looked for.)

A constructor that stands bare, as in ``vector<%Message>``, is written without its id: there the fields alone
count, and `CombinatorChange.fields_grade` is their grade.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["Grade"]


class Grade(Enum):
    """What a change does to bytes on the wire; the module says what each grade means."""

    SAME = "same"
    READABLE = "readable"
    NEW_READS_OLD = "new reads old"
    OLD_READS_NEW = "old reads new"
    BREAKING = "breaking"

    @classmethod
    def of(cls, *, new_reads_old: bool, old_reads_new: bool, same: bool = False) -> Grade:
        """The grade by who reads whom; `same` where nobody can tell the sides apart."""
        if new_reads_old and old_reads_new:
            return cls.SAME if same else cls.READABLE
        if new_reads_old:
            return cls.NEW_READS_OLD
        return cls.OLD_READS_NEW if old_reads_new else cls.BREAKING

    @property
    def new_reads_old(self) -> bool:
        """Whether the new side reads all that the old one writes."""
        return self in (Grade.SAME, Grade.READABLE, Grade.NEW_READS_OLD)

    @property
    def old_reads_new(self) -> bool:
        """Whether the old side reads all that the new one writes."""
        return self in (Grade.SAME, Grade.READABLE, Grade.OLD_READS_NEW)

    def __and__(self, other: Grade) -> Grade:
        """The grade of two changes together."""
        return Grade.of(
            new_reads_old=self.new_reads_old and other.new_reads_old,
            old_reads_new=self.old_reads_new and other.old_reads_new,
            same=self is other,
        )
