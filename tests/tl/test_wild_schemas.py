"""Schemas as they are found: each dialect in a few lines of our own, and the full files where they are at hand.

Every one of them has to parse, resolve and generate; the package has to import, and values of its classes have
to survive a round trip.  What is no schema for MTProto has to get an error that says why.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from tests.samples import plan
from tests.tl.helpers import load_package
from tests.tl.test_ids import FULL_SCHEMAS, needs_full_schemas
from tl import decode
from tl.errors import SchemaError
from tl.reference import reference_decode
from tl.schema import Schema

CORE_LINES = """\
int ? = Int;
long ? = Long;
double ? = Double;
string ? = String;
bytes ? = Bytes;

boolFalse#bc799737 = Bool;
boolTrue#997275b5 = Bool;
true#3fedd339 = True;
vector#1cb5c415 {t:Type} # [ t ] = Vector t;
error#c4b9f9bb code:int text:string = Error;
null#56730bcc = Null;
"""

DIALECTS = {
    "a layer, as clients keep it": f"""{CORE_LINES}
///////////////////////////////
///////// Main application API
///////////////////////////////

peerUser#59511722 user_id:long = Peer;
account.themes#9a3d8c6d hash:long themes:Vector<Peer> = account.Themes;
message#94345242 flags:# out:flags.1?true flags2:# offline:flags2.1?true id:int from:flags.8?Peer
    self:flags2.31?Vector<bytes> = Message;
---functions---
invokeWithLayer#da9b0d0d {{X:Type}} layer:int query:!X = X;
users.getPeers#d91a548 id:Vector<Peer> = Vector<Peer>;
// LAYER 228
""",
    "a layer of the first years": f"""{CORE_LINES}
//contact#f911c994 user_id:int mutual:Bool = Contact; old
inputPeerSelf#7da07ec9 = InputPeer;
future_salt#0949d9dc valid_since:int valid_until:int salt:long = FutureSalt;
future_salts#ae500895 req_msg_id:long now:int salts:vector<futureSalt> = FutureSalts;
---functions---
///////////////////////////////// Layer cons
//invokeWithLayer2#289dd1f6 query:!X = X;
invokeAfterMsg#cb9f372d msg_id:long query:!X = X;
initConnection#69796de9 api_id:int query:!X = X;
messages.getDialogs#eccf1df6 offset:int max_id:int limit:int = Vector<InputPeer>;
""",
    "the service schema": """\
resPQ#05162463 nonce:int128 server_nonce:int128 pq:bytes server_public_key_fingerprints:Vector<long> = ResPQ;
p_q_inner_data_dc#a9f55f95 pq:bytes nonce:int128 new_nonce:int256 dc:int = P_Q_inner_data;
client_DH_inner_data#6643b654 retry_id:long g_b:bytes = Client_DH_Inner_Data;
rpc_result#f35c6d01 req_msg_id:long result:Object = RpcResult;
msg_container#73f1f8dc messages:vector<%Message> = MessageContainer;
message msg_id:long seqno:int bytes:int body:Object = Message;
gzip_packed#3072cfa1 packed_data:bytes = Object;
---functions---
req_pq_multi#be7e8ef1 nonce:int128 = ResPQ;
// long poll
http_wait#9299359f max_delay:int wait_after:int max_wait:int = HttpWait;
""",
    "TDLib's edition": """\
double ? = Double;
string ? = String;

int32 = Int32;
int53 = Int53;
int64 = Int64;
bytes = Bytes;
boolFalse = Bool;
boolTrue = Bool;
vector {t:Type} # [ t ] = Vector t;

//@description An object of this type is returned if there was an error
//@code What kind; if 406, it is not for @users to see @message Its name
error code:int32 message:string = Error;

//@class Chat @description What there is to be said
//-between people

//@description A chat of two @id Its number
//-in all of it @peers Who @param_description What it says of itself
chatPrivate id:int53 peers:vector<int64> description:string = Chat;

//@description Nothing
chatNone = Chat;

---functions---

//@description Gives a chat @id Its number
getChat id:int53 = Chat;

---types---
chats total:int32 chats:vector<Chat> = Chats;
---functions---
getChats = Chats;
""",
    "TON's edition": """\
int ? = Int;
long ? = Long;
string ? = String;
object ? = Object;
function ? = Function;
bytes data:string = Bytes;
true = True;
boolTrue = Bool;
boolFalse = Bool;
vector {t:Type} # [ t ] = Vector t;
int128 4*[ int ] = Int128;
int256 8*[ int ] = Int256;
secureString = SecureString;

test.all value:int o:object v:(vector bytes) key:secureString = test.Object;
pub.ed25519 key:int256 = PublicKey;
liteServer.block id:PublicKey mode:# from:mode.0?int128 to:mode.1?(vector long) list:mode.2?pub.ed25519
  = liteServer.Block;
---functions---
liteServer.get id:(vector pub.ed25519) mode:# = Object;
ton.withBlock id:int256 function:Function = Object;
""",
    "the end-to-end schema with its layers": f"""{CORE_LINES}
===8===
photoSize#1 w:int h:int = PhotoSize;
decryptedMessage#1f814f1f random_id:long random_bytes:bytes message:string = DecryptedMessage;
decryptedMessageActionNone = DecryptedMessageAction;

===17===
decryptedMessage#204d3878 random_id:long ttl:int message:string thumb:PhotoSize = DecryptedMessage;
decryptedMessageLayer#1be31789 layer:int message:DecryptedMessage = DecryptedMessageLayer;

// ===144===
messageEntitySpoiler#32ca960f offset:int length:int = MessageEntity;
""",
    "a foreign dialect": """\
--- types ---
int128 4*[ int ] = Int128;
int256 8*[ int ] = Int256;
vector {t:Type} # [ t ] = Vector t;
e2e.chain.groupParticipant user_id:long public_key:int256 flags:# add_users:flags.0?true
  version:int = e2e.chain.GroupParticipant;
e2e.chain.state flags:# signer:flags.0?e2e.chain.groupParticipant names:(vector e2e.chain.GroupParticipant)
  grid:2*[ 3*[ int ] ] = e2e.chain.State;
tuple # [ x:int y:# z:y*[ long ] ] _:string = Tuple;
/* one
   more */ point (x y z : double) = Point;  // {;
--- functions ---
""",
    "comments of generators": """\
// @type A user, or none.
// @enum No user.
userEmpty#d3bc4b7a = User;
// @constructor A user.
// @param id   The number
userNamed#1 id:long type:string = User;
---functions---
// @method Gives a user
//  of that number.
// @param id The number
users.get id:long = User;
""",
}

FOREIGN = {
    "tuples and other types that depend on numbers": (
        "tuple {t:Type} {n:#} [t] = Tuple t n;\npair a:(Tuple int 2) = Pair;",
        ["2:19: got the number 2, expected a type: MTProto has no types that depend on numbers"],
    ),
    "types with arguments": (
        "resultFalse {t:Type} = Maybe t;\n---functions---\nget = Maybe string;",
        [
            "1:24: resultFalse: the result type Maybe<t> is open: MTProto has no such constructor but vector",
            "3:7: get: Maybe takes 0 argument(s), got 1",
        ],
    ),
    "types that depend on fields": (
        "user {fields:#} id:int name:(fields.0?string) = User fields;",
        [
            "1:7: user: the type variable fields is of kind #, expected Type: "
            "MTProto has no types that depend on values",
            "1:24: user: name depends on fields, expected a '#' field before it that is always there",
            "1:49: user: the result type User<fields> is open: MTProto has no such constructor but vector",
        ],
    ),
    "modifiers": (
        "---functions---\n@any engine.nop = True;\n@read engine.get key:string = True;",
        [
            "2:1: modifiers of a declaration ('@…') are not supported: MTProto has none",
            "3:1: modifiers of a declaration ('@…') are not supported: MTProto has none",
        ],
    ),
    "conditions on a whole number": (
        "a n:# x:n?int = A;",
        ["1:9: a condition needs a bit, such as 'flags.0?'"],
    ),
    "what is not TL at all": (
        '{"constructors": [{"id": "1", "predicate": "a"}]}',
        [
            "1:1: got '{', expected the name of a combinator, or a section such as '---functions---'",
        ],
    ),
    "a part of a schema": (
        "more#1 user:User = Message;",
        ["1:13: more: user: unknown type 'User'"],
    ),
    "boxed base types": (
        "int ? = Int;\na x:Int y:%Int = A;",
        [
            "2:5: a: x: unknown type 'Int', did you mean 'int'?",
            "2:11: a: y: unknown type 'Int', did you mean 'int'?",
        ],
    ),
}


def round_trips(package: Any, names: list[str]) -> None:
    """Assert that values of these classes come back from their bytes, by both codecs."""
    rng = random.Random(11)
    for name in names:
        cls = package.SCHEMA.by_name[name]
        value = plan(rng, cls).build(package.SCHEMA)
        encoded = bytes(value)
        assert decode(package.SCHEMA, encoded, cls) == value
        assert reference_decode(package.SCHEMA, encoded, cls) == value


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialects(dialect: str, tmp_path: Path) -> None:
    schema = Schema.parse(DIALECTS[dialect])
    assert Schema.parse(str(schema)) == schema
    package = load_package(DIALECTS[dialect], tmp_path, "wild")
    assert list(package.SCHEMA.by_name) == [c.name for c in sorted(schema.combinators, key=_namespace)]
    round_trips(package, list(package.SCHEMA.by_name))


def _namespace(combinator: Any) -> str:
    return str(combinator.namespace)


@pytest.mark.parametrize("dialect", FOREIGN)
def test_what_mtproto_can_not_have(dialect: str) -> None:
    text, expected = FOREIGN[dialect]
    with pytest.raises(SchemaError) as caught:
        Schema.parse(text)
    assert [error.describe().split("\n")[0] for error in caught.value.errors] == expected


def test_docs_of_tdlibs_edition_are_told_apart() -> None:
    schema = Schema.parse(DIALECTS["TDLib's edition"])
    assert schema.type_docs == {"Chat": "What there is to be said between people"}
    assert schema.by_name["error"].doc.parameters == (
        ("code", "What kind; if 406, it is not for @users to see"),
        ("message", "Its name"),
    )
    assert schema.by_name["chatPrivate"].doc.description == "A chat of two"
    assert schema.by_name["chatPrivate"].doc.parameters == (
        ("id", "Its number in all of it"),
        ("peers", "Who"),
        ("description", "What it says of itself"),
    )


def test_docs_of_other_generators() -> None:
    schema = Schema.parse(DIALECTS["comments of generators"])
    assert schema.type_docs == {"User": "A user, or none."}
    docs = {c.name: (c.doc.description, c.doc.parameters) for c in schema.combinators}
    assert docs == {
        "userEmpty": ("No user.", ()),
        "userNamed": ("A user.", (("id", "The number"),)),
        "users.get": ("Gives a user", (("id", "The number"),)),
    }


def test_old_layers_of_an_end_to_end_schema(tmp_path: Path) -> None:
    text = DIALECTS["the end-to-end schema with its layers"]
    ids = {
        layer: Schema.parse(text, layer=layer).by_name["decryptedMessage"].constructor_id
        for layer in Schema.parse(text).layers
    }
    assert ids == {8: 0x1F814F1F, 17: 0x204D3878, 144: 0x204D3878}
    assert "decryptedMessageLayer" not in Schema.parse(text, layer=8).by_name


# The full files

FULL = ("api.tl", "api_222.tl", "api_tdlib.tl", "mtproto.tl", "mtproto_tdlib.tl", "e2e_api.tl")


@needs_full_schemas
def test_no_full_schema_is_left_out() -> None:
    assert sorted(path.name for path in FULL_SCHEMAS.glob("*.tl")) == sorted(FULL)


@needs_full_schemas
@pytest.mark.parametrize("file", FULL)
def test_full_schemas(file: str, tmp_path: Path) -> None:
    text = (FULL_SCHEMAS / file).read_text("utf-8")
    package = load_package(text, tmp_path, "full")
    names = list(package.SCHEMA.by_name)
    assert len(names) == len(Schema.parse(text).combinators)
    round_trips(package, names if len(names) < 100 else names[::40])


# The documentation

DOCUMENT = Path(__file__).parents[2] / "docs" / "tl.md"
DOCUMENTED = DOCUMENT.read_text("utf-8") if DOCUMENT.exists() else ""
EXAMPLES = re.findall(r"^```tl\n(.*?)^```$", DOCUMENTED, re.DOTALL | re.MULTILINE)
REFUSED = re.findall(r"^\| `([^`]+)` \| `([0-9]+:[0-9]+: [^`]+)` \|", DOCUMENTED, re.MULTILINE)


@pytest.mark.skipif(not EXAMPLES, reason=f"{DOCUMENT} has no examples")
def test_the_documentations_examples_are_schemas(tmp_path: Path) -> None:
    for number, example in enumerate(EXAMPLES):
        schema = Schema.parse(example)
        assert Schema.parse(str(schema)) == schema
        package = load_package(example, tmp_path, f"example{number}")
        round_trips(package, list(package.SCHEMA.by_name))


@pytest.mark.skipif(not REFUSED, reason=f"{DOCUMENT} refuses nothing")
@pytest.mark.parametrize(("text", "error"), REFUSED)
def test_what_the_documentation_says_is_refused(text: str, error: str) -> None:
    with pytest.raises(SchemaError) as caught:
        Schema.parse(text)
    assert caught.value.describe().split("\n")[0] == error
