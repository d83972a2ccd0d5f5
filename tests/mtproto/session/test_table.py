"""The table of service messages: nothing is missing, nothing is handled that the table does not say."""

from __future__ import annotations

import random

import pytest

import tl
from mtproto import service
from mtproto.errors import RemoteProtocolError
from mtproto.events import MessageReceived, RequestReceived
from mtproto.session import TABLE
from mtproto.session.client_handlers import HANDLERS as CLIENT
from mtproto.session.server_handlers import HANDLERS as SERVER
from mtproto.session.table import Handled, Ignored, Refused, Row
from mtproto.side import Side
from tests.mtproto.pair import agreed_pair
from tests.samples import plan

NAMES = [row.name for row in TABLE]


def test_every_combinator_of_the_service_schema_has_one_row() -> None:
    assert sorted(NAMES) == sorted(service.SCHEMA.declared)


@pytest.mark.parametrize("row", TABLE, ids=NAMES)
def test_rows_name_the_functions_that_are_called(row: Row) -> None:
    number = service.SCHEMA.by_name[row.name].CONSTRUCTOR_ID
    for fate, handlers in ((row.client, CLIENT), (row.server, SERVER)):
        function = handlers[number]
        expected = {Ignored: "ignored", Refused: "refused"}.get(type(fate))
        assert function.__name__ == (fate.by if isinstance(fate, Handled) else expected)
        if not isinstance(fate, Handled):
            assert fate.why


def test_no_handler_is_out_of_use() -> None:
    for side, handlers in (("client", CLIENT), ("server", SERVER)):
        named = {getattr(row, side).by for row in TABLE if isinstance(getattr(row, side), Handled)}
        assert named == {f.__name__ for f in handlers.values()} - {"ignored", "refused"}


def example(name: str) -> tl.TLObject:
    """An object of this combinator; what carries others carries what can be carried."""
    cls = service.SCHEMA.by_name[name]
    if name == "rpc_result":
        return service.RpcResult(req_msg_id=4, result=service.RpcError(error_code=1, error_message=""))
    made: tl.TLObject = plan(random.Random(1), cls, depth=1).build(service.SCHEMA)
    return made


@pytest.mark.parametrize("row", TABLE, ids=NAMES)
def test_a_client_survives_each_or_ends_typed(row: Row) -> None:
    """Whatever comes encrypted from the server: events or RemoteProtocolError; never the caller's as a message."""
    pair = agreed_pair()
    body = bytes(example(row.name))
    if row.name in ("msg_copy", "gzip_packed"):
        with pytest.raises(RemoteProtocolError, match=r"C1[78]"):
            pair.say(body, seq_no=1)
        return
    pair.say(body, seq_no=1)
    assert not [e for e in pair.client_events if isinstance(e, MessageReceived)]
    if isinstance(row.client, Refused):
        assert [e.check for e in pair.dropped(Side.CLIENT)] == ["T8"]
    assert not pair.client.closed


@pytest.mark.parametrize("row", TABLE, ids=NAMES)
def test_a_server_survives_each_and_answers_what_is_refused(row: Row) -> None:
    pair = agreed_pair()
    if row.name == "msg_container":
        return
    number = pair.client.session.send(bytes(example(row.name)))
    pair.run()
    assert not [e for e in pair.server_events if isinstance(e, RequestReceived)]
    assert not pair.server.closed
    if isinstance(row.server, Refused):
        (failed,) = pair.failures()
        assert failed.request_id == number
        assert str(failed.error) == "400 INPUT_METHOD_INVALID"
        assert [e.check for e in pair.dropped(Side.SERVER)] == ["T8"]
