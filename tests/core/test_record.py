"""The record's codec: what was written is read, for ever; what is odd is refused."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from rotator.core.issue import KeySpec
from rotator.core.names import (
    AccountId,
    CredentialName,
    ExchangeName,
    Fingerprint,
    KeyId,
    RotationId,
    Secrets,
    Sensitive,
    SigningKey,
    StorePath,
)
from rotator.core.record import (
    RECORD_VERSION,
    Phase,
    Pins,
    Record,
    RecordProblem,
    Revoke,
    Step,
    Terms,
    Trigger,
    Verify,
    decode,
    encode,
    label_of,
    read_label,
)

from .saga_kit import FIRST, T0, at

GOLDEN = Path(__file__).parents[1] / "golden" / "record-v1.json"


def seal(secret: Sensitive) -> str:
    """Stand in for the cipher: the text, reversed."""
    return secret.reveal()[::-1]


def unseal(text: str) -> Sensitive:
    """Undo `seal`."""
    return Sensitive(text[::-1])


def written(record: Record) -> Any:
    """Return the record as it comes back from a store: through JSON."""
    return json.loads(json.dumps(encode(record, seal)))


# --- what was written is read -----------------------------------------------------------

TEXT = st.text(max_size=12)
COUNT = st.integers(min_value=0, max_value=10**6)
COUNTS = st.lists(COUNT, max_size=3).map(tuple)
SPAN = st.integers(min_value=0, max_value=10**8).map(lambda s: timedelta(seconds=s))
MOMENT = st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2090, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(-timedelta(hours=5))]),
)
SECRET = st.builds(Sensitive, TEXT)
SECRETS = st.builds(Secrets, *[st.none() | SECRET] * 3)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
PHASE = st.sampled_from(Phase)

RECORDS = st.builds(
    Record,
    rotation=TEXT.map(RotationId),
    credential=TEXT.map(CredentialName),
    path=TEXT.map(StorePath),
    strategy=TEXT,
    trigger=st.sampled_from(Trigger),
    phase=PHASE,
    pins=st.builds(
        Pins,
        exchange=TEXT.map(ExchangeName),
        environment=TEXT,
        host=TEXT,
        account=TEXT.map(AccountId),
        parent=st.none() | TEXT.map(CredentialName),
        parent_account=st.none() | TEXT.map(AccountId),
        fields=PAIRS,
        path_created=MOMENT,
    ),
    terms=st.builds(
        Terms,
        verify=st.sampled_from(Verify),
        revoke=st.sampled_from(Revoke),
        drain=SPAN,
        consumers=TEXTS,
        lists_keys=st.booleans(),
        activation=SPAN,
        revocation=SPAN,
    ),
    spec=st.builds(
        KeySpec, account_id=TEXT.map(AccountId), native=TEXTS, flags=PAIRS, addresses=TEXTS
    ),
    old_key_id=TEXT.map(KeyId),
    old_fingerprint=TEXT.map(Fingerprint),
    started_at=MOMENT,
    phase_since=MOMENT,
    written_at=MOMENT,
    v0=COUNT,
    attempt=COUNT,
    counted=COUNT,
    passphrase=st.none() | SECRET,
    new=st.none() | st.builds(SigningKey, TEXT.map(KeyId), SECRETS),
    old_fields=st.none() | SECRETS,
    permits=COUNTS,
    publish_over=st.none() | COUNT,
    overwrite=st.booleans(),
    v1=st.none() | COUNT,
    drain_since=st.none() | MOMENT,
    drain_until=st.none() | MOMENT,
    path_version=st.none() | COUNT,
    retire=COUNTS,
    proof=TEXT,
    looks=TEXT,
    outcome=st.none() | PHASE,
    rolled_back=st.booleans(),
    why=TEXT,
    alarm=TEXT,
    question=TEXT,
    left=st.none() | PHASE,
    obeyed=COUNT,
    deleted_at=st.none() | MOMENT,
    steps=st.lists(st.builds(Step, MOMENT, PHASE, TEXT), max_size=2).map(tuple),
    withdraw=COUNTS,
    answers=TEXTS,
    refused=TEXT,
)


@given(RECORDS)
def test_what_is_written_is_read_again(record: Record) -> None:
    """Every record comes back from its JSON as it was."""
    assert decode(written(record), unseal) == record


@given(RECORDS)
def test_no_secret_is_written_in_the_open(record: Record) -> None:
    """Every secret goes through `seal`, none past it."""
    sealed: list[str] = []

    def keep(secret: Sensitive) -> str:
        sealed.append(secret.reveal())
        return f"#{len(sealed)}"

    text = json.dumps(encode(record, keep))
    kept = [record.passphrase]
    for secrets in (None if record.new is None else record.new.secrets, record.old_fields):
        if secrets is not None:
            kept += [secrets.api_secret, secrets.private_key, secrets.passphrase]
    assert sorted(sealed) == sorted(s.reveal() for s in kept if s is not None)
    assert text.count('"sealed"') == len(sealed)


# --- old records ------------------------------------------------------------------------


def whole_record() -> Record:
    """The record of the golden file: every field set to something of its own."""
    return Record(
        rotation=RotationId("abcdefgh"),
        credential=CredentialName("secret/desk#main"),
        path=StorePath("secret/desk"),
        strategy="overlap",
        trigger=Trigger.EXPIRY,
        phase=Phase.QUARANTINED,
        pins=Pins(
            ExchangeName("bybit"),
            "prod",
            "api.exchange.example",
            AccountId("42"),
            CredentialName("secret/master"),
            AccountId("41"),
            (("api_key", "key"), ("api_secret", "secret")),
            T0,
        ),
        terms=Terms(
            Verify.LIST,
            Revoke.ACKED,
            timedelta(hours=3),
            ("bot", "web"),
            lists_keys=False,
            activation=timedelta(seconds=1.5),
            revocation=timedelta(minutes=5),
        ),
        spec=KeySpec(AccountId("42"), ("Spot.Trade",), (("read_only", "0"),), ("10.0.0.1",)),
        old_key_id=KeyId("key-old"),
        old_fingerprint=Fingerprint("f00d"),
        started_at=T0,
        phase_since=T0 + timedelta(minutes=1),
        written_at=T0 + timedelta(minutes=2),
        v0=3,
        attempt=2,
        counted=4,
        passphrase=Sensitive("one"),
        new=SigningKey(KeyId("key-new"), Secrets(Sensitive("two"), None, Sensitive("three"))),
        old_fields=Secrets(None, Sensitive("four"), None),
        permits=(3, 5),
        publish_over=5,
        overwrite=True,
        v1=6,
        drain_since=T0 + timedelta(minutes=3),
        drain_until=T0 + timedelta(hours=3),
        path_version=7,
        retire=(1, 2, 3),
        proof="acked: every consumer uses the new key",
        looks="signed in twice",
        outcome=Phase.DONE,
        rolled_back=True,
        why="a reason",
        alarm="an alarm",
        question="What now?",
        left=Phase.DRAINING,
        obeyed=8,
        deleted_at=T0 + timedelta(hours=4),
        steps=(Step(T0, Phase.CREATING, "created"),),
        withdraw=(4,),
        answers=("abort",),
        refused="the answer was refused",
    )


LATER_FIELDS: dict[str, Any] = {
    "withdraw": [4],
    "answers": ["abort"],
    "refused": "the answer was refused",
}
"""What the first version did not write; a record without it reads as if nothing had been said."""


def test_old_records_decode_for_ever() -> None:
    """A record that the first version wrote is read by every later one."""
    old = replace(whole_record(), withdraw=(), answers=(), refused="")
    assert decode(json.loads(GOLDEN.read_text()), unseal) == old


def test_the_form_has_not_changed() -> None:
    """What is written today is what the golden file holds, and fields that may be left out."""
    assert written(whole_record()) == json.loads(GOLDEN.read_text()) | LATER_FIELDS


def test_the_golden_record_leaves_no_field_out() -> None:
    """Every field of the golden record differs from its default."""
    same = [f.name for f in fields(Record) if getattr(whole_record(), f.name) == f.default]
    assert not same


# --- what is odd is refused ---------------------------------------------------------------

LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def refused_or_read(data: Any) -> Record | None:
    """Decode; the only error that may leave is RecordProblem."""
    try:
        return decode(data, unseal)
    except RecordProblem:
        return None


@given(JSON)
def test_any_document_is_read_or_refused(data: Any) -> None:
    """Whatever lies in the store, decoding raises nothing but RecordProblem."""
    assert refused_or_read(data) is None


PLACES = sorted(written(whole_record()))


@given(st.sampled_from(PLACES), JSON)
@example("started_at", "0001-01-01T00:00:00+23:00")
@example("terms", {**written(FIRST)["terms"], "drain": 1e300})
@example("new", {"key_id": ["x"], "secrets": {}})
@example("record_version", True)
@example("v0", 10**400)
def test_one_odd_field_is_read_or_refused(place: str, odd: Any) -> None:
    """One field of any shape is refused, or leaves a record of the right types."""
    found = refused_or_read({**written(whole_record()), place: odd})
    if found is not None:
        assert decode(written(found), unseal) == found


@given(st.sampled_from(["pins", "terms", "spec", "new", "old_fields"]), st.data(), JSON)
def test_one_odd_part_is_read_or_refused(place: str, data: st.DataObject, odd: Any) -> None:
    """The same holds one level deeper."""
    whole = written(whole_record())
    inner = data.draw(st.sampled_from(sorted(whole[place])))
    found = refused_or_read({**whole, place: {**whole[place], inner: odd}})
    if found is not None:
        assert decode(written(found), unseal) == found


@given(st.sampled_from(sorted(set(PLACES) - set(LATER_FIELDS))))
def test_a_missing_field_is_refused(place: str) -> None:
    """A record that lacks a field is not guessed at."""
    data = written(whole_record())
    del data[place]
    assert refused_or_read(data) is None


@pytest.mark.parametrize(
    ("place", "odd"),
    [
        ("overwrite", "false"),
        ("rolled_back", 0),
        ("v0", True),
        ("v0", 1.0),
        ("started_at", "2026-01-05T00:00:00"),
        ("passphrase", "in the open"),
        ("phase", "SLEEPING"),
        ("new", {"key_id": 7, "secrets": written(at(Phase.STAGED))["new"]["secrets"]}),
        ("record_version", RECORD_VERSION + 1),
        ("record_version", True),
    ],
)
def test_a_wrong_type_is_never_bent(place: str, odd: Any) -> None:
    """Text is not taken for a flag, nor a flag for a number, nor a local time for a time."""
    assert refused_or_read({**written(whole_record()), place: odd}) is None


def test_a_problem_quotes_little_of_what_it_met() -> None:
    """An error about a hostile document is short."""
    with pytest.raises(RecordProblem) as caught:
        decode({"record_version": "x" * 10_000}, unseal)
    assert len(str(caught.value)) < 200


# --- labels and what follows from the fields -------------------------------------------------


@given(st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=8, max_size=8), st.integers(1, 99))
def test_a_label_is_read_back(rotation: str, attempt: int) -> None:
    """A label names its rotation and attempt, within 16 characters."""
    label = label_of(rotation, attempt)
    assert read_label(label) == (rotation, attempt)
    assert len(label) <= 16


@given(st.none() | st.text(max_size=20))
@example("rkaaaaaaaa²")
@example("rkaaaaaaaa")
@example("rk0aaaaaaa1")
def test_any_other_label_is_not_ours(label: str | None) -> None:
    """A label is read only if it is exactly what we would write."""
    read = read_label(label)
    assert read is None or label_of(*read).rstrip("0123456789") in (label or "")


def test_a_record_says_what_follows_from_it() -> None:
    """Label, closed, ever verified and the highest permit follow from the fields."""
    r = at(Phase.ABORTING, attempt=3, permits=(2, 5, 4))
    assert (r.label, r.closed, r.ever_verified, r.highest_permit) == ("rkaaaaaaaa3", False, True, 5)
    unseen = replace(r, phase=Phase.ABORTED, permits=())
    assert (unseen.closed, unseen.ever_verified, unseen.highest_permit) == (True, False, 0)
