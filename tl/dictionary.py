"""A schema → a dictionary for fuzzers: the words that its encodings are made of, to be put together.

    boolTrue="\\xb5\\x75\\x72\\x99"
    auth_sentCode="\\x02\\x25\\x00\\x5e"

AFL++ (``-x FILE``) and libFuzzer (``-dict=FILE``) read the same form: a line for each word, a name of letters,
digits and underscores in front of it, all of its bytes in hex.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tl.fast import BOOL_FALSE, BOOL_TRUE, VECTOR_ID
from tl.schema import Schema

__all__ = ["dictionary_text", "dictionary_words"]

_WORDS = {
    "vector": VECTOR_ID,
    "boolTrue": BOOL_TRUE,
    "boolFalse": BOOL_FALSE,
    "count_0": bytes(4),
    "count_1": b"\1\0\0\0",
    "count_negative": b"\xff\xff\xff\xff",
    "count_highest": b"\xff\xff\xff\x7f",
    "count_lowest": b"\0\0\0\x80",
    "length_253": b"\xfd",
    "length_254": b"\xfe\xfe\0\0",
    "length_not_minimal": b"\xfe\3\0\0",
    "length_highest": b"\xfe\xff\xff\xff",
    "length_reserved": b"\xff",
}
"""What all encodings are made of: core.telegram.org/mtproto/serialize."""


def dictionary_words(schema: Schema) -> dict[str, bytes]:
    """The words by name, no word twice: ids of vectors and Bool, counts and lengths, all constructor ids.

    A name has an underscore for each dot, and a number behind it where another had it before.  Functions that
    share an id are one word, with the name of the first.
    """
    words = dict(_WORDS)
    seen = set(words.values())
    for combinator in schema.combinators:
        word = combinator.constructor_id.to_bytes(4, "little")
        if word not in seen:
            seen.add(word)
            words[_free_name(combinator.name, words)] = word
    return words


def _free_name(tl_name: str, taken: dict[str, bytes]) -> str:
    name = wanted = re.sub(r"[^A-Za-z0-9_]", "_", tl_name)
    number = 2
    while name in taken:
        name = f"{wanted}_{number}"
        number += 1
    return name


def dictionary_text(schema: Schema) -> str:
    """The dictionary as the tools read it, with a comment at the top."""
    return "".join(f"{line}\n" for line in _lines(schema))


def _lines(schema: Schema) -> Iterator[str]:
    words = dictionary_words(schema)
    layer = "" if schema.layer is None else f" of layer {schema.layer}"
    yield (
        f"# TL{layer}: {len(words) - len(_WORDS)} constructor ids, and {len(_WORDS)} words of every schema; "
        "for AFL++ (-x) and libFuzzer (-dict=)"
    )
    for name, word in words.items():
        escaped = "".join(f"\\x{byte:02x}" for byte in word)
        yield f'{name}="{escaped}"'
