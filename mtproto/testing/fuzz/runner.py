"""What runs in the process of `trials`, started by its path: a target, called with one input after the other.

On stdin come inputs, each behind four bytes of its length; for each a line of JSON goes out.  The target, and
processes that it starts, have neither of the two.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import traceback
from pathlib import Path

__all__ = ["main"]


def main() -> None:
    """Answer until stdin ends."""
    job = json.loads(sys.argv[1])
    inputs = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2 if job["shown"] else nothing, 1)
    sys.stdout = os.fdopen(1, "w", 1, "utf-8", "backslashreplace", closefd=False)
    sys.path[:] = job["path"]
    from mtproto.testing.fuzz.identity import identify
    from mtproto.testing.fuzz.target import resolve

    faulthandler.enable()
    target = resolve(job["target"], Path(job["directory"]))
    print(json.dumps({"module": target.module}), file=answers, flush=True)  # ready
    while len(head := inputs.read(4)) == 4:
        data = inputs.read(int.from_bytes(head, "little"))
        faulthandler.dump_traceback_later(job["timeout"], exit=True)
        answer: dict[str, object] = {"kind": None}
        try:
            target.run(data)
        except BaseException as error:
            identity = identify(error, job["packages"], target.module)
            text = "".join(traceback.format_exception(error))
            answer = {"kind": identity.kind, "places": identity.places, "text": text}
        faulthandler.cancel_dump_traceback_later()
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
