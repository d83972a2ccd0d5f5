"""``python -m tl``, and the command `tl`: see `tl.commands`."""

from __future__ import annotations

import sys

from tl.commands import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
