"""Hostile peers: conversations in which a server or a client says anything, with the cryptography right.

    Conversation([KeyExchange(), Expect("request"), Send("bad_server_salt", padding=4), Refuses()])

A conversation is a list of nodes that send and expect.  Any field of what is sent can be given: None is computed,
a value is sent as it is, a function makes one of what was computed.

    rehearse          in memory, against our own connections or yours, in virtual time
    listen, call      over TCP: a hostile server, a hostile client
    examine_client, examine_server     all of `CLIENT_CONVERSATIONS`, `SERVER_CONVERSATIONS`; a table
    Program            a client in any language, for examine_client
"""

from __future__ import annotations

from mtproto.testing.hostile.bodies import Answer, Container, Gzip, Part, Request, Service
from mtproto.testing.hostile.choosing import AnyOf, Optional, Refuses, Rejects, Serve
from mtproto.testing.hostile.client_steps import ReqDHParams, ReqPq, SetClientDHParams
from mtproto.testing.hostile.connecting import Again, Over, QuickAck, Reconnect
from mtproto.testing.hostile.conversation import Conversation
from mtproto.testing.hostile.examine import Result, Results, examine_client, examine_server
from mtproto.testing.hostile.expecting import Expect, ExpectClose, ExpectCode, ExpectQuickAck, Silence
from mtproto.testing.hostile.failure import ConversationFailed, NeverEnds, NobodyCame
from mtproto.testing.hostile.happenings import Heard
from mtproto.testing.hostile.key_exchange import KeyExchange
from mtproto.testing.hostile.library import CLIENT_CONVERSATIONS, SERVER_CONVERSATIONS
from mtproto.testing.hostile.nodes import Close, Code, End, Node, Plain, Raw, Repeat, Send, Wait
from mtproto.testing.hostile.play import Play
from mtproto.testing.hostile.program import Program, ProgramEnd
from mtproto.testing.hostile.rehearsal import Peer, Rehearsal, Setting, our_client, our_server, rehearse
from mtproto.testing.hostile.server_steps import DhGen, ResPQ, ServerDHParams
from mtproto.testing.hostile.stage import Stage
from mtproto.testing.hostile.tcp import HostileServer, call, listen

__all__ = [
    "CLIENT_CONVERSATIONS",
    "SERVER_CONVERSATIONS",
    "Again",
    "Answer",
    "AnyOf",
    "Close",
    "Code",
    "Container",
    "Conversation",
    "ConversationFailed",
    "DhGen",
    "End",
    "Expect",
    "ExpectClose",
    "ExpectCode",
    "ExpectQuickAck",
    "Gzip",
    "Heard",
    "HostileServer",
    "KeyExchange",
    "NeverEnds",
    "NobodyCame",
    "Node",
    "Optional",
    "Over",
    "Part",
    "Peer",
    "Plain",
    "Play",
    "Program",
    "ProgramEnd",
    "QuickAck",
    "Raw",
    "Reconnect",
    "Refuses",
    "Rehearsal",
    "Rejects",
    "Repeat",
    "ReqDHParams",
    "ReqPq",
    "Request",
    "ResPQ",
    "Result",
    "Results",
    "Send",
    "Serve",
    "ServerDHParams",
    "Service",
    "SetClientDHParams",
    "Setting",
    "Silence",
    "Stage",
    "Wait",
    "call",
    "examine_client",
    "examine_server",
    "listen",
    "our_client",
    "our_server",
    "rehearse",
]
