"""Which credentials a secret holds: rules and custom_metadata, resolved without a guess.

The first rule whose `match` covers the path wins.  If that rule has a `name`,
every later named rule that covers the path adds one more credential
(`path#name`).  What the path's own custom_metadata says wins over its rule.  A
value that is not valid counts as absent and is told in `Credential.malformed`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from rotator.core.facts import Credential
from rotator.core.names import AccountId, CredentialName, ExchangeName, StorePath

T = TypeVar("T")

FIELD_WORDS: Final = ("api_key", "api_secret", "passphrase", "private_key")
"""The fields of a credential, by the words of the store contract."""

OWN_NAMES: Final[Mapping[str, str]] = {word: word for word in FIELD_WORDS}

ENVIRONMENTS: Final = frozenset({"prod", "testnet", "demo"})
STRATEGIES: Final = frozenset(
    {"auto", "overlap", "client_key", "reset", "assisted", "native", "observe"}
)
MAX_BYTES: Final = 512
MAX_FIELD_BYTES: Final = 128

WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
EXCHANGE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
PATH: Final = re.compile(r"[^/#]+(?:/[^/#]+)+(?:#[A-Za-z0-9][A-Za-z0-9_.-]{0,63})?")


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `rules:`; what is None is not said.

    `match` is a path glob: `*` within a segment, `**` across segments, a
    trailing slash = everything below.  `fields` maps words of FIELD_WORDS to
    the secret's own field names.
    """

    match: str
    exchange: str | None = None
    account: str | None = None
    policy: str | None = None
    parent: str | None = None
    lister: str | None = None
    owner: str | None = None
    strategy: str | None = None
    consumers: tuple[str, ...] | None = None
    environment: str | None = None
    managed: bool | None = None
    name: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


NO_RULE: Final = Rule("**")
NO_RULES: Final = (NO_RULE,)


def compile_glob(pattern: str) -> re.Pattern[str]:
    """Return a pattern for `fullmatch` over paths; its time is bounded for any input.

    `**` counts only as a whole segment; elsewhere it is as `*`.
    """
    runs: list[list[str]] = [[]]
    for segment in (pattern + "**" if pattern.endswith("/") else pattern).split("/"):
        if segment == "**":
            runs.append([])
        else:
            runs[-1].append(_segment(segment))
    head, *rest = ("/".join(run) for run in runs)
    if not rest:
        return re.compile(head, re.DOTALL)
    *middle, tail = rest
    text = head + "/" if head else ""
    # The earliest place of a run suffices, so no run is ever tried again.
    text += "".join(f"(?>(?:[^/]+/)*?{run}/)" for run in middle if run)
    return re.compile(text + (f"(?:[^/]+/)*{tail}" if tail else ".+"), re.DOTALL)


def _segment(text: str) -> str:
    first, *rest = (re.escape(part) for part in re.split(r"\*+", text))
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>[^/]*?{part})" for part in middle) + f"[^/]*{last}"


class Globs(Generic[T]):
    """An ordered table of globs; finds the values of those that cover a path."""

    def __init__(self, table: Iterable[tuple[str, T]]) -> None:
        self._table = tuple((compile_glob(glob), value) for glob, value in table)

    def all(self, path: str) -> tuple[T, ...]:
        """Return the values of every glob that covers the path, in order."""
        return tuple(value for glob, value in self._table if glob.fullmatch(path))

    def first(self, path: str) -> T | None:
        """Return the value of the first glob that covers the path."""
        return next((v for glob, v in self._table if glob.fullmatch(path)), None)


class RuleBook:
    """All rules of a configuration, compiled."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = Globs((rule.match, (rule,)) for rule in rules)

    def rules_for(self, path: StorePath) -> tuple[Rule, ...]:
        """Return the rules that speak for a path: one, or the named ones; never none."""
        covering = self._rules.all(path)
        if not covering:
            return NO_RULES
        if covering[0][0].name is None:
            return covering[0]  # the same tuple for all its paths
        named: dict[str, Rule] = {}
        for (rule,) in covering:
            if rule.name is not None:
                named.setdefault(rule.name, rule)
        return tuple(named.values())

    def resolve(self, path: StorePath, custom: Mapping[str, str]) -> tuple[Credential, ...]:
        """Return the credentials of a secret; none if nothing names its exchange."""
        return credentials_of(path, custom, self.rules_for(path))


def credentials_of(
    path: StorePath, custom: Mapping[str, str], rules: tuple[Rule, ...]
) -> tuple[Credential, ...]:
    """Return the credentials that `rules` (of `RuleBook.rules_for`) make of a secret."""
    return tuple(
        _credential(path, custom, rule)
        for rule in rules
        if "exchange" in custom or rule.exchange is not None
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """The values for one credential, and what was wrong with them."""

    custom: Mapping[str, str]
    rule: Rule
    wrong: list[tuple[str, str]]

    def text(self, key: str, check: Callable[[str], str | None]) -> str | None:
        """Return a valid value, metadata first; None if absent or not valid."""
        value = self.custom.get(key, getattr(self.rule, key))
        return self._checked(key, value, check)

    def _checked(self, key: str, value: object, check: Callable[[str], str | None]) -> str | None:
        if value is None:
            return None
        problem = "is not a text" if not isinstance(value, str) else _bounded(value) or check(value)
        if problem is None and isinstance(value, str):
            return value
        self.wrong.append((key, problem or "is not a text"))
        return None

    def managed(self) -> bool:
        """Return whether the credential is judged and rotated."""
        if "managed" not in self.custom:
            return self.rule.managed is not False
        return self._checked("managed", self.custom["managed"], _one_of("true", "false")) != "false"

    def consumers(self) -> tuple[str, ...]:
        """Return the consumers' names; metadata has them separated by commas."""
        if "consumers" not in self.custom:
            names: tuple[str, ...] = self.rule.consumers or ()
        else:
            text = self._checked("consumers", self.custom["consumers"], _anything)
            names = tuple(part.strip() for part in (text or "").split(",") if part.strip())
        good = tuple(n for n in names if self._checked("consumers", n, _anything) is not None)
        return tuple(dict.fromkeys(good))

    def fields(self) -> Mapping[str, str]:
        """Return the field map: every word, or only the rule's where several share a secret."""
        given = self.rule.fields
        if not given:
            return OWN_NAMES
        good = {word: name for word, name in given.items() if self._good_field(word, name)}
        merged = good if self.rule.name is not None else {**OWN_NAMES, **good}
        if len(set(good.values())) < len(good):
            self.wrong.append(("fields", "maps two words to one field"))
        taken = set(good.values())
        return {w: n for w, n in merged.items() if w in good or n not in taken}

    def _good_field(self, word: str, name: str) -> bool:
        if word not in OWN_NAMES:
            self.wrong.append(("fields", f"knows only the words {', '.join(FIELD_WORDS)}"))
            return False
        if not (name.isprintable() and 0 < len(name.encode()) <= MAX_FIELD_BYTES):
            self.wrong.append(("fields", f"{word} must map to a name of 1 to 128 bytes"))
            return False
        return True


def _credential(path: StorePath, custom: Mapping[str, str], rule: Rule) -> Credential:
    wrong: list[tuple[str, str]] = []
    read = _Reading(custom, rule, wrong)
    name = _name(path, rule, wrong)
    exchange = read.text("exchange", _like(EXCHANGE, "an exchange's name such as bybit"))
    account = read.text("account", _anything)
    parent = read.text("parent", _like(PATH, "a path such as secret/bybit/master"))
    lister = read.text("lister", _like(PATH, "a path such as secret/bybit/master"))
    return Credential(
        name=name,
        path=path,
        exchange=None if exchange is None else ExchangeName(exchange),
        account=None if account is None else AccountId(account),
        policy=read.text("policy", _like(WORD, "a policy's name")) or "default",
        parent=None if parent is None else CredentialName(parent),
        lister=None if lister is None else CredentialName(lister),
        owner=read.text("owner", _anything),
        strategy=read.text("strategy", _one_of(*sorted(STRATEGIES))),
        consumers=read.consumers(),
        environment=read.text("environment", _one_of("prod", "testnet", "demo")) or "prod",
        managed=read.managed(),
        fields=read.fields(),
        malformed=tuple(dict.fromkeys(wrong)),
    )


def _name(path: StorePath, rule: Rule, wrong: list[tuple[str, str]]) -> CredentialName:
    if rule.name is None:
        return CredentialName(path)
    if not WORD.fullmatch(rule.name):
        wrong.append(("name", "is not a word of letters, digits, _, . and -"))
        return CredentialName(path)
    return CredentialName(f"{path}#{rule.name}")


def _bounded(text: str) -> str | None:
    if not text or text != text.strip():
        return "is empty, or has spaces around it"
    if not text.isprintable():
        return "has characters that cannot be printed"
    return f"is longer than {MAX_BYTES} bytes" if len(text.encode()) > MAX_BYTES else None


def _anything(_text: str) -> str | None:
    return None


def _like(pattern: re.Pattern[str], what: str) -> Callable[[str], str | None]:
    def check(text: str) -> str | None:
        return None if pattern.fullmatch(text) else f"is not {what}"

    return check


def _one_of(*words: str) -> Callable[[str], str | None]:
    def check(text: str) -> str | None:
        return None if text in words else f"is none of {', '.join(words)}"

    return check
