"""CREATING, STAGED, VERIFIED, DRAINING: the way forward.

Each function reads from top to bottom as the questions that its phase asks; the
first one without an answer is the next effect.
"""

from __future__ import annotations

from typing import assert_never

from rotator.core.findings import Code
from rotator.core.issue import IssuedKey
from rotator.core.liveness import Liveness
from rotator.core.names import Secrets, SigningKey
from rotator.core.outcome import Failure, Happened
from rotator.core.record import Record, Revoke
from rotator.core.saga.step import (
    ACTIVATION_GRACE,
    BACK_OFF,
    CONSUMERS,
    LOOK_AGAIN,
    MAX_ATTEMPTS,
    PATIENCE,
    PERSON,
    SETTLE,
    TIME,
    Context,
    StepResult,
    happens,
    held,
    later,
    person,
    recreated,
    until,
)
from rotator.core.saga.words import (
    Again,
    CreateKey,
    DeleteOlder,
    Do,
    Event,
    Holder,
    Inspect,
    Lost,
    PathSeen,
    Publish,
    ReadPath,
    Seen,
    Sight,
    Stay,
    Which,
    Written,
)


def creating(r: Record, s: Seen, c: Context) -> StepResult:
    """Create the key, if this driver has just announced it; else fence first."""
    if s.fresh_at is None:
        return _fence(r, c, counts=True)
    if s.created is None:
        return _tidy_then_create(r, s)
    if isinstance(s.created, IssuedKey):
        return _staged(r, s.created)
    if s.created.happened is Happened.REFUSED:
        why = f"the exchange refuses to create a key: {s.created.message or s.created.meaning}"
        return happens(Event.REFUSED_FOR_GOOD, why=why, path_version=r.v0)
    return _fence(r, c, counts=s.created.happened is not Happened.NOT_APPLIED, failure=s.created)


def _staged(r: Record, issued: IssuedKey) -> StepResult:
    secrets = issued.secrets
    if r.passphrase is not None and secrets.passphrase is None:
        secrets = Secrets(secrets.api_secret, secrets.private_key, r.passphrase)
    return happens(Event.CREATED, new=SigningKey(issued.key_id, secrets), passphrase=None)


def _tidy_then_create(r: Record, s: Seen) -> StepResult:
    """Older attempts are tidied first, while the path's key is alive; else they stay."""
    assert s.fresh_at is not None
    if r.attempt > 1 and s.tidied is None:
        if s.path is None:
            return Do(ReadPath())
        if s.path.holds is not Holder.GONE and not s.path.recreated:
            if s.served is None:
                return Do(Inspect(Which.SERVED))
            if s.served.liveness is Liveness.ALIVE:
                return Do(DeleteOlder(r.attempt, s.served.at))
    return Do(CreateKey(s.fresh_at))


def _fence(r: Record, c: Context, *, counts: bool, failure: Failure | None = None) -> StepResult:
    if c.hold is not None:
        return held(c, c.hold)
    if c.no_parent is not None:
        on = TIME if c.no_parent.alert is None else PERSON
        until_then, alert = c.now + BACK_OFF, c.no_parent.alert
        return Stay(Event.NO_PARENT, until_then, on, c.no_parent.sentence, alert, keep=True)
    wait = r.written_at + SETTLE * min(r.attempt, PATIENCE)
    if failure is not None and failure.retry_after is not None:
        wait = max(wait, r.written_at + failure.retry_after)
    if not c.elapsed(wait):
        sentence = "waits until no create of ours can still take effect"
        stay = until(c, Event.SETTLING, wait, sentence)
        return Stay(stay.event, stay.until, stay.on, stay.sentence, keep=True)
    if counts and not r.terms.lists_keys:
        return happens(
            Event.CANNOT_LIST,
            why="a create whose outcome is unknown, at an exchange that cannot list keys",
        )
    if counts and r.counted >= MAX_ATTEMPTS:
        return happens(Event.TOO_MANY, why=f"{r.counted} attempts to create a key failed")
    return happens(
        Event.NOT_CREATED,
        attempt=r.attempt + 1,
        counted=r.counted + (1 if counts else 0),
    )


def staged(r: Record, s: Seen, c: Context) -> StepResult:
    """Look at the new key twice: whether it works and is what was asked for."""
    active = r.phase_since + r.terms.activation
    if r.terms.activation and not c.elapsed(active):
        return until(c, Event.NOT_ACTIVE_YET, active, "waits until the new key becomes active")
    if s.new is None:
        return Do(Inspect(Which.NEW))
    if s.new.liveness in (Liveness.UNKNOWN, Liveness.BLOCKED):
        return _no_certain_look(s.new, c)
    if s.new_again is None:
        return Do(Inspect(Which.NEW, again=True))
    if s.new_again.liveness in (Liveness.UNKNOWN, Liveness.BLOCKED):
        return _no_certain_look(s.new_again, c)
    return _judge_new(r, s.new, s.new_again, c)


def _no_certain_look(sight: Sight, c: Context) -> StepResult:
    if sight.liveness is Liveness.BLOCKED:
        sentence = (
            "the new key refuses our address; call the exchange through an address that the "
            "key lists (exchanges.*.proxy) or set verify: list in the policy"
        )
        return person(c, Event.ADDRESS_REFUSED, sentence, alert=Code.VANTAGE_BLOCKED)
    return later(c, Event.UNREACHABLE, f"the new key gives no certain answer: {sight.detail}")


def _judge_new(r: Record, one: Sight, two: Sight, c: Context) -> StepResult:
    alive = (one.liveness is Liveness.ALIVE, two.liveness is Liveness.ALIVE)
    if all(alive) and one.matches and two.matches:
        return happens(
            Event.MATCHED,
            publish_over=r.v0,
            permits=(*r.permits, r.v0),
            looks=two.detail or "signed in twice; label, account, scopes and addresses match",
        )
    if all(alive) and one.matches is False and two.matches is False:
        why = f"the new key is not what was asked for: {two.detail}"
        return happens(Event.NOT_AS_ASKED, why=why, path_version=r.v0)
    if not any(alive):
        if not c.elapsed(r.phase_since + r.terms.activation + ACTIVATION_GRACE):
            return later(c, Event.NOT_ACTIVE_YET, "the new key is not active yet")
        why = f"the new key was refused twice: {two.detail}"
        return happens(Event.NOT_AS_ASKED, why=why, path_version=r.v0)
    return later(c, Event.UNREACHABLE, f"two looks at the new key differ: {two.detail}")


def verified(r: Record, s: Seen, c: Context) -> StepResult:
    """Put the new key on the path, over exactly the version that the record names."""
    if c.hold is not None:
        return held(c, c.hold)
    if s.path is None:
        return Do(ReadPath())
    if s.path.recreated:
        return recreated()
    if s.path.holds is Holder.NEW:
        return _published(r, s.path.version, c)
    if not _may_publish_over(r, s.path):
        return happens(Event.ANOTHER_KEY, why="the path holds a key that is neither old nor new")
    if s.new is None:
        return Do(Inspect(Which.NEW))
    if s.new.liveness is Liveness.DEAD:
        why = "the new key died before it was published"
        return happens(Event.NEW_DEAD, why=why, path_version=s.path.version)
    if s.new.liveness is not Liveness.ALIVE:
        return later(c, Event.UNREACHABLE, f"the new key gives no certain answer: {s.new.detail}")
    return _publish(r, s, s.path, c)


def _may_publish_over(r: Record, path: PathSeen) -> bool:
    """Old fields, or the dead third key that a person has decided to replace."""
    if path.holds is Holder.OLD:
        return True
    return r.overwrite and path.holds is Holder.OTHER and path.version == r.publish_over


def _publish(r: Record, s: Seen, path: PathSeen, c: Context) -> StepResult:
    if path.holds is Holder.OLD and path.may_have_held_new_after(r.v0):
        return happens(Event.ROLLED_BACK, why="somebody brought the old key back to the path")
    if path.version != r.publish_over:
        return happens(Event.MOVED, publish_over=path.version, permits=(*r.permits, path.version))
    match s.published:
        case None:
            return Do(Publish(Which.NEW, path.version))
        case Written(version):
            return _published(r, version, c)
        case Lost():
            return Again("the publishing write was not acknowledged")
        case _:
            assert_never(s.published)


def _published(r: Record, version: int, c: Context) -> StepResult:
    return happens(
        Event.PUBLISHED,
        v1=version,
        path_version=None,
        overwrite=False,
        drain_since=c.now,
        drain_until=c.now + r.terms.drain,
    )


def draining(r: Record, s: Seen, c: Context) -> StepResult:
    """Let consumers move while both keys live; go on when the proof is there."""
    if s.path is None:
        return Do(ReadPath())
    if s.path.recreated:
        return recreated()
    if s.path.holds is not Holder.NEW:
        return happens(Event.ANOTHER_KEY, why="the path no longer holds the new key")
    if s.path.version != r.v1:
        return moved(r, s.path, c)
    if s.new is None:
        return Do(Inspect(Which.NEW))
    if s.new.liveness is not Liveness.ALIVE:
        return _new_not_alive(r, s, s.path, s.new, c)
    if c.hold is not None:
        return held(c, c.hold)
    return _drained(r, s, s.path, c)


def moved(r: Record, path: PathSeen, c: Context) -> StepResult:
    """Drain on with another version; anew if an older key was served in between."""
    assert r.v1 is not None
    if path.version > r.v1 and path.all_new_from(r.v1):
        return happens(Event.MOVED, v1=path.version)
    end = c.now + r.terms.drain
    return happens(Event.MOVED, v1=path.version, drain_since=c.now, drain_until=end)


def _new_not_alive(r: Record, s: Seen, path: PathSeen, new: Sight, c: Context) -> StepResult:
    if new.liveness is not Liveness.DEAD:
        return later(c, Event.UNREACHABLE, f"the new key gives no certain answer: {new.detail}")
    if s.old is None:
        return Do(Inspect(Which.OLD))
    if s.old.liveness is Liveness.ALIVE:
        return happens(
            Event.NEW_DEAD,
            why="the new key died; the old one is put back",
            publish_over=path.version,
            permits=(*r.permits, path.version),
            rolled_back=True,
        )
    if s.old.liveness is Liveness.DEAD:
        return happens(Event.BOTH_DEAD, why="both the old and the new key are dead")
    return later(c, Event.UNREACHABLE, f"the old key gives no certain answer: {s.old.detail}")


def _drained(r: Record, s: Seen, path: PathSeen, c: Context) -> StepResult:
    assert r.drain_until is not None
    if not c.elapsed(r.drain_until):
        sentence = f"drains until {r.drain_until:%Y-%m-%dT%H:%M:%SZ}: consumers move to the new key"
        return until(c, Event.DRAINING, r.drain_until, sentence)
    proof = _proof(r, s, c)
    if not isinstance(proof, str):
        return proof
    retire = tuple(sorted({*r.retire, *path.old_versions}))
    return happens(Event.DRAINED, retire=retire, proof=proof)


def _proof(r: Record, s: Seen, c: Context) -> str | StepResult:
    """Return the sentence that permits the deletion, or what is still missing."""
    match r.terms.revoke:
        case Revoke.DRAIN:
            return f"drain: {r.terms.drain} have passed"
        case Revoke.MANUAL:
            by = completed_by(r, c)
            if by is not None:
                return f"manual: complete by {by}"
            sentence = (
                "drained; a person must confirm that the old key is unused: "
                f"rotator complete {r.credential}"
            )
            return person(c, Event.PROOF_MISSING, sentence)
        case Revoke.ACKED:
            return _acked(r, s, c)
        case _:
            assert_never(r.terms.revoke)


def completed_by(r: Record, c: Context) -> str | None:
    """Return who completed this very rotation and version after the drain's end."""
    o, end = c.order, r.drain_until
    version = r.v1 if r.path_version is None else r.path_version
    if o is None or end is None or o.command != "complete":
        return None
    if o.rotation != r.rotation or o.version != version or o.number <= r.obeyed:
        return None
    return (o.by or "a person") if o.given_at >= end else None


def _acked(r: Record, s: Seen, c: Context) -> str | StepResult:
    assert r.drain_since is not None
    if r.terms.consumers and c.acks >= set(r.terms.consumers):
        return "acked: every consumer uses the new key"
    if s.old is None:
        return Do(Inspect(Which.OLD))
    if s.old.last_used_at is not None and s.old.last_used_at < r.drain_since:
        return f"acked: the old key was last used at {s.old.last_used_at:%Y-%m-%dT%H:%M:%SZ}"
    by = completed_by(r, c)
    if by is not None:
        return f"manual: complete by {by}"
    missing = ", ".join(sorted(set(r.terms.consumers) - c.acks)) or "no consumer is named"
    sentence = (
        f"waits for the proof that the old key is unused ({missing}), "
        f"or: rotator complete {r.credential}"
    )
    return Stay(Event.PROOF_MISSING, c.now + LOOK_AGAIN, CONSUMERS, sentence)
