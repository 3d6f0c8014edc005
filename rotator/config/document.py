"""Read a configuration's bytes into plain values, without surprises.

The YAML accepted is a plain subset: mappings with text keys, lists, texts,
whole numbers, decimals, `true`/`false`, `null`.  No anchors, aliases, tags or
second documents; a key may stand once.  Times, dates and `yes`/`no` stay texts.
"""

from __future__ import annotations

import re
from typing import Any, cast

import yaml
from yaml.composer import Composer
from yaml.constructor import BaseConstructor, ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from rotator.config.problem import ConfigProblem, Unreadable, named

MAX_BYTES = 1 << 20
MAX_DEPTH = 16

INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,14})")
FLOAT = re.compile(r"[-+]?[0-9]{1,15}\.[0-9]{1,15}")
BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
NULLS = frozenset({"", "~", "null", "Null", "NULL"})


def scalar(text: str) -> Any:
    """Return what a plain (unquoted) word stands for: null, bool, int, float or itself."""
    if text in NULLS:
        return None
    if text in BOOLS:
        return BOOLS[text]
    if INT.fullmatch(text):
        return int(text)
    return float(text) if FLOAT.fullmatch(text) else text


class _Reader(Reader, Scanner, Parser, Composer, BaseConstructor, BaseResolver):
    """PyYAML's parts, put together without tags, aliases, merge keys or objects."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseConstructor.__init__(self)
        BaseResolver.__init__(self)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """Refuse aliases, anchors, tags and deep nesting before anything is built."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.events.AliasEvent) or event.anchor is not None:
            raise ConstructorError(None, None, "anchors and aliases are not used", event.start_mark)
        if event.tag not in (None, "!"):
            raise ConstructorError(None, None, "tags are not used", event.start_mark)
        if self._depth >= MAX_DEPTH:
            raise ConstructorError(None, None, "nested too deeply", event.start_mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def _value(node: Node) -> Any:
    if isinstance(node, ScalarNode):
        return scalar(node.value) if node.style is None else node.value
    if isinstance(node, SequenceNode):
        return [_value(child) for child in node.value]
    return _mapping(cast("MappingNode", node))


def _mapping(node: MappingNode) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode):
            raise ConstructorError(None, None, "a key must be a text", key.start_mark)
        if key.value in values:
            what = f"the key `{named(key.value)}` stands twice"
            raise ConstructorError(None, None, what, key.start_mark)
        values[key.value] = _value(value)
    return values


def parse(text: str) -> Any:
    """Return a YAML text's value; raises yaml.YAMLError."""
    reader = _Reader(text)
    node = reader.get_single_node()
    return None if node is None else _value(node)


def document(content: bytes, name: str) -> dict[str, Any]:
    """Return a configuration file's mapping; an empty file is an empty mapping.

    Raises Unreadable with a problem that names the line and quotes nothing.
    """
    if len(content) > MAX_BYTES:
        what = f"is larger than {MAX_BYTES // 1024} KiB"
        raise Unreadable(ConfigProblem(name, what, "Leave out what is not configuration."))
    try:
        value = parse(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"line {line} is not UTF-8 text"
        raise Unreadable(ConfigProblem(name, what, "Save the file as UTF-8.")) from None
    except yaml.YAMLError as error:
        what = _what(error)
        raise Unreadable(ConfigProblem(name, what, "Correct that line.")) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        what = "is not a mapping of keys to values"
        raise Unreadable(ConfigProblem(name, what, "Start from `rotator config init`."))
    return value


def mapping_of(content: bytes, name: str) -> dict[str, Any] | ConfigProblem:
    """Return the mapping of another YAML file, read as the configuration is."""
    try:
        return document(content, name)
    except Unreadable as error:
        return error.problem


def _what(error: yaml.YAMLError) -> str:
    """Return what a YAML error says, without the lines that it quotes."""
    mark = getattr(error, "problem_mark", None)
    words = getattr(error, "problem", None) or "it has characters that YAML does not allow"
    own = isinstance(error, ConstructorError)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    return place + (words if own else f"is not YAML ({_without_quotes(str(words))})")


def _without_quotes(words: str) -> str:
    """Drop what the parser quotes from the file."""
    return re.sub(r"'[^']*'|\"[^\"]*\"", "…", words)[:120]
