"""Checks of how keys are kept: metadata, copies, and keys that nobody serves."""

from __future__ import annotations

from collections.abc import Iterator

from rotator.core.checks.inputs import Case, ListedKey
from rotator.core.checks.said import Check, Said
from rotator.core.cures import command, keys_page
from rotator.core.findings import Code
from rotator.core.policy import STRATEGY_WORDS
from rotator.core.words import key_told, listed, told

LISTED_CURES: dict[Code, str] = {
    Code.FOREIGN_KEY: (
        "Find out who made it. Write it to the store if it is needed, else delete it at {page}."
    ),
    Code.UNSERVED_KEY: (
        "A finished rotation made it, but no path serves it. Put it back on its path, or delete "
        "it at {page}."
    ),
    Code.STRAY_KEY: "Nothing; the tidy deletes it when it has seen it twice: `rotator strays`.",
}

LISTED_WORDS: dict[Code, str] = {
    Code.FOREIGN_KEY: "is in no secret and in no record",
    Code.UNSERVED_KEY: "was made by a finished rotation and no path serves it",
    Code.STRAY_KEY: "was left over by a rotation and is useless",
}


def _on_list(code: Code) -> Check:
    """Return the check that tells the listed keys of one code."""

    def check(case: Case) -> Iterator[Said]:
        for key in case.context.listed:
            if key.code is code:
                page = keys_page(case.context.traits)
                yield Said(_tell(key), LISTED_CURES[code].format(page=page))

    return check


def _tell(key: ListedKey) -> str:
    label = f" labelled {told(key.label)}" if key.label else ""
    account = f" of account {told(key.account)}" if key.account else ""
    may = f"; it may {listed(key.scopes)}" if key.scopes else ""
    return f"The {key_told(key.key_id)}{label}{account} {LISTED_WORDS[key.code]}{may}."


def metadata_malformed(case: Case) -> Iterator[Said]:
    """Report that the metadata, or the rule, says what cannot be."""
    credential = case.credential
    wrong = [f"{told(key)}: {told(what, 160)}" for key, what in credential.malformed]
    if not case.context.known_policy:
        wrong.append(f"policy: {told(credential.policy)} is not in the configuration")
    if credential.strategy is not None and credential.strategy not in STRATEGY_WORDS:
        wrong.append(f"strategy: {told(credential.strategy)} is no strategy")
    if credential.exchange is not None and case.context.traits is None:
        wrong.append(f"exchange: {told(credential.exchange)} is not one that Rotator knows")
    if wrong:
        yield Said(
            f"The metadata is malformed: {'; '.join(wrong[:8])}.",
            f"Correct custom_metadata of {told(credential.path, 200)}, or the rule for it.",
        )


def same_key_twice(case: Case) -> Iterator[Said]:
    """Report that the same key stands at another place as well."""
    if not case.context.same_key:
        return
    yield Said(
        f"The same key is also at {listed(case.context.same_key)}.",
        "Give each consumer its own key, or keep this one at one path only; until then a "
        "rotation here would kill it there.",
    )


def mass_invalidation(case: Case) -> Iterator[Said]:
    """Report that many keys of one exchange died at once."""
    incident = case.context.incident
    if incident is None or case.name not in incident.credentials:
        return
    count = len(incident.credentials)
    yield Said(
        f"{count} of {incident.inspected} keys of {told(incident.exchange)} died at about the "
        "same time; nothing is rotated or deleted anywhere until this is cleared.",
        f"Ask {told(incident.exchange)} and your own people what happened; then see "
        f"`{command('explain', case.name)}`.",
    )


CHECKS = (
    (Code.FOREIGN_KEY, _on_list(Code.FOREIGN_KEY)),
    (Code.UNSERVED_KEY, _on_list(Code.UNSERVED_KEY)),
    (Code.MASS_INVALIDATION, mass_invalidation),
    (Code.SAME_KEY_TWICE, same_key_twice),
    (Code.METADATA_MALFORMED, metadata_malformed),
    (Code.STRAY_KEY, _on_list(Code.STRAY_KEY)),
)
