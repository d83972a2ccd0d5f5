"""How much a decoder takes: `Limits` are the rules, a `Budget` is what is left of them.

    limits = Limits(objects=10_000)            # said once
    budget = limits.budget()                   # one for each whole decode: an envelope, a file
    data = unpack_gzip(body, budget)           # whatever is unpacked on the way is charged to it
    value = decode(data, limits=budget)        # and so is what is in it

Wherever a decoder takes `limits`, both will do: `Limits` mean a new budget for this call alone.
Checks T2, T3, T4 and T10.
"""

from __future__ import annotations

__all__ = ["DEFAULT_LIMITS", "Budget", "Limits", "OverBudget"]

_COUNTED = ("objects", "elements", "empty_elements", "string_bytes", "gunzipped_bytes")
_SMALL_PACKED = 4096
"""What a gzip_packed has to spare, in packed bytes: an honest part of a file that is all zeros is as dense as
any bomb, and no client's parts are larger than 1 MiB."""


class Limits:
    """How much a decoder takes before it raises LimitExceeded; every number is an int >= 0.

    `depth`: how many objects that can hold other objects may be nested in each other.
    `objects`: how many such objects there may be in all.  (The others are elements of vectors, counted as
    such, or come one by one with an object that is counted.)
    `elements`: how many elements all vectors and repetitions may have together.
    `empty_elements`: how many of these may be of no bytes, for nothing else bounds their count.
    `string_bytes`: how many bytes there may be in all strings together, padding and lengths left out.
    `gunzipped_bytes`: how many bytes may be unpacked from all gzip_packed together.
    `gunzip_ratio`: how many from each packed byte (deflate gives up to 1032), where each gzip_packed counts as
    4 KiB longer than it is: with 256, what unpacks to 1 MiB or less is never too dense.
    """

    __slots__ = (
        "depth",
        "elements",
        "empty_elements",
        "gunzip_ratio",
        "gunzipped_bytes",
        "objects",
        "string_bytes",
    )

    depth: int
    objects: int
    elements: int
    empty_elements: int
    string_bytes: int
    gunzipped_bytes: int
    gunzip_ratio: int

    def __init__(
        self,
        *,
        depth: int = 64,
        objects: int = 1 << 20,
        elements: int = 1 << 20,
        empty_elements: int = 1024,
        string_bytes: int = 1 << 26,
        gunzipped_bytes: int = 10 << 20,
        gunzip_ratio: int = 256,
    ) -> None:
        values = {
            "depth": depth,
            "objects": objects,
            "elements": elements,
            "empty_elements": empty_elements,
            "string_bytes": string_bytes,
            "gunzipped_bytes": gunzipped_bytes,
            "gunzip_ratio": gunzip_ratio,
        }
        for name, value in values.items():
            if type(value) is not int:
                raise TypeError(f"{name}: got {type(value).__name__}, expected an int")
            if value < 0:
                raise ValueError(f"{name}: got {value}, expected >= 0")
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Limits are fixed: make others instead of setting {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Limits are fixed: {name} can't be deleted")

    def __repr__(self) -> str:
        return f"Limits({', '.join(f'{name}={getattr(self, name)}' for name in self.__slots__)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Limits):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self.__slots__))

    def __reduce__(self) -> tuple[object, ...]:
        return _from_values, ({name: getattr(self, name) for name in self.__slots__},)

    def budget(self) -> Budget:
        """A new budget: all of it is left."""
        return Budget(self)


def _from_values(values: dict[str, int]) -> Limits:
    return Limits(**values)


class OverBudget(Exception):
    """More was asked of a budget than is left; the decoder at work makes a LimitExceeded of it.

    `what` is the limit's name, `got` how much the decode would come to with this, `limit` what it may.
    """

    def __init__(self, what: str, got: int, limit: int) -> None:
        self.what = what
        self.got = got
        self.limit = limit
        super().__init__(f"got {got} {what.replace('_', ' ')}, expected at most {limit}")


class Budget:
    """What is left of `limits` in the course of one decode; the attributes count what may still come.

    A budget may go through several decodes, one after the other; what a failed one has used stays used.
    """

    __slots__ = ("elements", "empty_elements", "gunzipped_bytes", "limits", "objects", "string_bytes")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.objects = limits.objects
        self.elements = limits.elements
        self.empty_elements = limits.empty_elements
        self.string_bytes = limits.string_bytes
        self.gunzipped_bytes = limits.gunzipped_bytes

    def __repr__(self) -> str:
        return f"<Budget, left: {', '.join(f'{getattr(self, name)} {name}' for name in _COUNTED)}>"

    def charge(self, what: str, count: int) -> None:
        """Take `count` of `what` (the name of a limit); raise OverBudget, charging nothing, for too many."""
        left = getattr(self, what) - count
        if left < 0:
            limit = getattr(self.limits, what)
            raise OverBudget(what, limit - left, limit)
        setattr(self, what, left)

    def may_gunzip(self, packed: int) -> int:
        """How many bytes may be unpacked now from a gzip_packed of `packed` bytes."""
        by_ratio = self.limits.gunzip_ratio * (packed + _SMALL_PACKED)
        return max(0, min(by_ratio, self.gunzipped_bytes))

    def budget(self) -> Budget:
        """This budget itself, so that `Limits` and budgets can be given alike."""
        return self


DEFAULT_LIMITS = Limits()
