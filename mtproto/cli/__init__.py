"""The command `mtproto`: a demonstration, a test server, and single requests from the shell.

    arguments   the parser, and what --help says
    demo        the main job, each stage shown
    serve       the loopback server until a signal
    call        one request, JSON in and out
    transports  which transport, and what went over the wire, frame by frame
    show        what `demo` draws with rich, the one optional dependency: nothing else imports it
    wording     errors as one line

The work is that of the library; a command gathers, prints, and returns its exit status.
"""

from __future__ import annotations

__all__: list[str] = []
