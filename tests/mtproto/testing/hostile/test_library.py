"""Every conversation that is ready, with our own client and server: they do what is right, for the right reason."""

from __future__ import annotations

from collections import Counter
from itertools import cycle

import pytest

from mtproto import service
from mtproto.events import MessageDropped
from mtproto.message import Message
from mtproto.message_id import ReceivedWindow, Verdict
from mtproto.session import client_notices
from mtproto.session.base import decode_service
from mtproto.session.client import ClientSession
from mtproto.session.client_handlers import HANDLERS
from mtproto.session.client_notices import Events
from mtproto.side import Side
from mtproto.testing import hostile
from mtproto.testing.hostile import CLIENT_CONVERSATIONS, SERVER_CONVERSATIONS, Conversation
from mtproto.testing.hostile.library.server_keys import CONVERSATIONS as KEY_EXCHANGES
from tests.mtproto.helpers import TEST_KEY

TRANSPORTS = (
    ("intermediate", False),
    ("abridged", False),
    ("padded", False),
    ("full", False),
    ("abridged", True),
    ("intermediate", True),
    ("padded", True),
)

# Where our own peers call it something else: what they know of it is less, or comes from another layer.
OTHER_NAMES = {
    "a plain message in a session": "C1",
    "bad_server_salt with 4 bytes behind": "T1",
    "a ping with bytes behind": "T1",
    "msgs_ack that says 2^31 - 1 msg_ids": "T1",
    "msgs_state_req that says 2^31 - 1 msg_ids": "T1",
    "a container of 1024 messages": "C16",  # the pongs in it, which nobody has asked for
    "bad_server_salt about no message of its": "C15",
    "salts that nobody has asked for": "C16",
    "the msg_id of a message that was refused": "C8",
    "gzip_packed whose length byte is 255": "C18",
}
# Where nothing is wrong with what the peer is told, or nothing but one request.
NOTHING_WRONG = {
    *("sanity, first", "sanity, last", "the factors of pq", "inner data in RSA_PAD", "dh_gen_retry twice"),
    *("another secret after dh_gen_retry", "an answer is acknowledged"),
    *(f"bad_msg_notification {code}" for code in (16, 17, 32, 33)),
    *("bad_server_salt", "bad_server_salt for ever", "a container of nothing"),
    *("an answer that unpacks to 64 MiB", "a message that nobody knows"),
    *("transport error -404 in a session", "transport error -429 in a session"),
    *("req_DH_params twice, to the letter", "a new beginning"),
    *(
        f"inner data of the form {f}, by {s}"
        for f in ("dc", "plain", "temp", "temp_dc")
        for s in ("rsa_pad", "sha1")
    ),
    *("an even seq_no for a request", "a container of 1020 messages", "a request in gzip_packed"),
    *("a new session", "a ping in a container", "get_future_salts", "msgs_state_req", "msg_resend_ans_req"),
    *("destroy_session of no session", "rpc_drop_answer", "a request that nobody knows"),
    *("ping_delay_disconnect", "a request in 10000 wrappers"),
    *(
        "server_time that is an hour ahead",
        "the first server_salt",
        "msg_ids of a client",
        "seq_nos of a client",
    ),
    *("new_session_created is acknowledged", "an answer with another salt of its own"),
    *("an answer in the next connection", "a salt that has changed between two connections"),
    *(
        "transport error -404 in the next connection",
        "a quick ack of no message",
        "a quick ack, and no answer",
    ),
    *("the quick ack of a message that was refused", "a padded frame with 15 bytes behind the message"),
    *("a session that goes on in another connection", "another session in another connection"),
    "a ping that asks for a quick ack",
    "users.getUsers under a temporary key that is bound to no other",
    "auth.bindTempAuthKey with nothing in it",
}


def everywhere(conversations: tuple[Conversation, ...]) -> pytest.MarkDecorator:
    """One transport after the other, so that all of them come about; one that fits where not all do."""
    return pytest.mark.parametrize(
        ("conversation", "transport", "obfuscated"),
        [
            pytest.param(c, *fitting(c, way), id=c.name)
            for c, way in zip(conversations, cycle(TRANSPORTS), strict=False)
        ],
    )


def fitting(conversation: Conversation, way: tuple[str, bool]) -> tuple[str, bool]:
    for node in conversation.nodes:
        if isinstance(node, hostile.Over):
            ways = [(t, o) for t, o in TRANSPORTS if {t, "obfuscated" * o} & {*node.transports}]
            return way if way in ways else ways[-1]
    return way


def checks_of(rehearsal: hostile.Rehearsal) -> set[str]:
    found = {event.check for event in rehearsal.events if isinstance(event, MessageDropped)}
    return found | ({rehearsal.error.check} if rehearsal.error else set())


def expected(conversation: Conversation, transport: str) -> set[str]:
    if conversation.name in NOTHING_WRONG:
        return set()
    if conversation.check == "X2" and transport == "full":  # all its lengths are judged alike
        return {"X6"}
    if (
        conversation.name == "encrypted data cut by 4 bytes" and "padded" in transport
    ):  # which cuts to a block
        return {"C3"}
    return {OTHER_NAMES.get(conversation.name, conversation.check)}


@everywhere(CLIENT_CONVERSATIONS)
def test_our_client(conversation: Conversation, transport: str, obfuscated: bool) -> None:
    rehearsal = hostile.rehearse(conversation, key=TEST_KEY, transport=transport, obfuscated=obfuscated)
    assert checks_of(rehearsal) == expected(conversation, transport)


@everywhere(SERVER_CONVERSATIONS)
def test_our_server(conversation: Conversation, transport: str, obfuscated: bool) -> None:
    rehearsal = hostile.rehearse(conversation, key=TEST_KEY, transport=transport, obfuscated=obfuscated)
    assert checks_of(rehearsal) == expected(conversation, transport)
    if "-404" in conversation.right:  # what it sends does not say why
        assert rehearsal.play.stage.transcript.lines[-2].split("←")[1].startswith(" transport error -404 ")
        assert rehearsal.play.stage.transcript.lines[-1].endswith("← the end of the connection")


SESSIONS = [
    c
    for c in SERVER_CONVERSATIONS
    if c not in KEY_EXCHANGES and (c.name in NOTHING_WRONG or c.check in ("S3", "S5", "S7"))
]


@pytest.mark.parametrize("conversation", SESSIONS, ids=lambda c: c.name)
def test_a_strict_server(conversation: Conversation) -> None:
    hostile.rehearse(conversation, lambda s: hostile.our_server(s, strict=True), key=TEST_KEY)


# Peers that are wrong on purpose are found out


def fails(conversations: tuple[Conversation, ...], name: str) -> str:
    """What is got in the conversation of this name."""
    (conversation,) = (c for c in conversations if c.name == name)
    with pytest.raises(hostile.ConversationFailed) as caught:
        hostile.rehearse(conversation, key=TEST_KEY)
    return caught.value.got


@pytest.mark.parametrize(
    "name",
    [
        "bad_server_salt about no message of its",
        *(f"bad_msg_notification {code} about no message of its" for code in (16, 17, 32, 33)),
    ],
)
def test_who_takes_a_notice_about_no_message(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def gullible(session: ClientSession, message: Message) -> Events:
        notice = decode_service(message.body)
        if isinstance(notice, client_notices.Notice) and notice.bad_msg_id == 4:
            client_notices._correct(session, message, notice)
        yield from client_notices.bad_msg_notification(session, message)

    for cls in (service.BadServerSalt, service.BadMsgNotification):
        monkeypatch.setitem(HANDLERS, cls.CONSTRUCTOR_ID, gullible)
    assert fails(CLIENT_CONVERSATIONS, name).startswith("help.getConfig()")


def test_who_takes_salts_that_it_has_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def gullible(session: ClientSession, message: Message) -> Events:
        session.server_salt = client_notices.read(message, service.FutureSalts).salts[0].salt
        yield from ()

    monkeypatch.setitem(HANDLERS, service.FutureSalts.CONSTRUCTOR_ID, gullible)
    assert fails(CLIENT_CONVERSATIONS, "salts that nobody has asked for").startswith("help.getConfig()")


@pytest.mark.parametrize(
    "name",
    ["a request twice, to the letter", "a request once more in another connection, to the letter"],
)
def test_who_executes_a_request_twice(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    check = ReceivedWindow.check

    def forgetful(window: ReceivedWindow, msg_id: int, now: float | None) -> Verdict:
        verdict = check(window, msg_id, now)
        return Verdict.OK if verdict is Verdict.DUPLICATE else verdict

    monkeypatch.setattr(ReceivedWindow, "check", forgetful)
    assert fails(SERVER_CONVERSATIONS, name).startswith("rpc_result(")


@pytest.mark.parametrize("conversations", [CLIENT_CONVERSATIONS, SERVER_CONVERSATIONS])
def test_sanity_comes_first_and_last(conversations: tuple[Conversation, ...]) -> None:
    assert [conversations[i].name for i in (0, -1)] == ["sanity, first", "sanity, last"]
    assert max(Counter(c.name for c in conversations).values()) == 1
    assert all(c.right for c in conversations)
    assert all(c.check for c in conversations[1:-1])


def test_each_examines_its_side() -> None:
    assert {c.examines for c in CLIENT_CONVERSATIONS} == {Side.CLIENT}
    assert {c.examines for c in SERVER_CONVERSATIONS} == {Side.SERVER}
