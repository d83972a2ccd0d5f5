"""Lets plain Hypothesis draw TL objects: ``st.from_type(api.CodeSettings)``, also within other types.

Hypothesis runs `register` when it is itself imported, for packages that are installed have it as an entry
point (pyproject.toml).  So nothing of Hypothesis may be needed to import this module, and no strategy is made
before one is asked for.

Hypothesis looks a class up by itself, not by its bases, and a layer has thousands of classes, most of which
are never made.  Registering each when it is made would keep them all for ever, and make them part of
``st.from_type(object)``.  What is used here instead is the place where Hypothesis lets numpy's types resolve
themselves: a function by the name of its package, asked once that is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tl.runtime import TLObject

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["register"]


def register() -> None:
    """Let `st.from_type` find the classes of every schema; more than once is as good as once.

    Where a release of Hypothesis has no such place any more, nothing happens: `tl.strategies.values` does not
    depend on it.
    """
    from hypothesis.strategies._internal import types

    resolvers = getattr(types, "_global_extra_lookup", None)
    if isinstance(resolvers, dict):
        resolvers["tl"] = _resolve


def _resolve(thing: object) -> SearchStrategy[Any] | None:
    """The strategy for a class of a schema; None for all that is none."""
    if not isinstance(thing, type(TLObject)):
        return None
    from tl.strategies import values

    if not hasattr(thing, "TL_NAME"):
        raise TypeError(
            f"got {thing.__name__}, expected a class of a schema: for any of them, tl.strategies.values(schema)"
        )
    return values(thing.SCHEMA, thing)
