"""The package of a small schema in which every shape of a field occurs."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.tl.helpers import load_package

SCHEMA = """\
boolTrue = Bool;
boolFalse = Bool;
all#1 i:int l:long d:double n:int128 s:string b:bytes t:Bool o:Leaf v:Vector<int> = All;
maybe#2 flags:# yes:flags.0?true i:flags.1?int a:flags.2?int b:flags.2?string c:flags.3?true
    d:flags.3?int = Maybe;
leaf#3 = Leaf;
other#4 x:int = Leaf;
node#5 next:Node = Node;
end#6 = Node;
tree#7 children:Vector<Node> = Node;
words#8 s:Vector<string> b:Vector<bytes> o:Vector<Leaf> t:Vector<Bool> n:Vector<int256>
    q:Vector<Vector<int>> = Words;
empty#9 v:Vector<true> w:Vector<%Leaf0> = Empty;
leaf0#a = Leaf0;
plain#b n:# x:true = Plain;
twice#c d:double v:Vector<double> = Twice;
---functions---
getLeaf#11 = Leaf;
getLeaves#12 = Vector<Leaf>;
getNumbers#13 = Vector<long>;
getBool#14 = Bool;
with#15 {X:Type} layer:int query:!X = X;
without#16 {X:Type} layer:int = X;
"""


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The package of `SCHEMA`."""
    return load_package(SCHEMA, tmp_path_factory.mktemp("shapes"), "shapes")
