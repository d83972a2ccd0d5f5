"""The command `mtproto`: a demonstration, a test server, single requests, transcripts.

    arguments   the parser, and what --help says
    demo        the main job, each stage shown
    serve       the loopback server until a signal
    call        one request, JSON in and out
    transcript  a recorded conversation drawn; recording: how the others record one
    examine     hostile conversations with a client or a server
    transports  which transport, and what went over the wire, frame by frame
    show        what `demo` draws with rich, the one optional dependency; ladder: what `transcript` does
    wording     errors as one line

The work is that of the library; a command gathers, prints, and returns its exit status.
"""

from __future__ import annotations

__all__: list[str] = []
