"""The life of a token, with a clock that moves only when told."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rotator.core.names import Sensitive
from rotator.core.outcome import StoreError
from rotator.stores.vault.adapter import NoAnswer
from rotator.stores.vault.login import Grant, Session, TokenFile, read_secret_file
from rotator.stores.vault.settings import TokenFileAuth

HOUR = timedelta(hours=1)


class Clock:
    """Monotonic seconds and the wall time that goes with them."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def advance(self, **parts: float) -> None:
        self.seconds += timedelta(**parts).total_seconds()


class Giver:
    """Gives numbered tokens, counts what it is asked, fails when told."""

    def __init__(self, ttl: timedelta = HOUR, *, renewable: bool = True) -> None:
        self.ttl, self.renewable = ttl, renewable
        self.renewed_ttl = ttl
        self.logins = self.renewals = 0
        self.login_fault: StoreError | None = None
        self.renew_fault: StoreError | None = None

    def login(self) -> Grant:
        self.logins += 1
        if self.login_fault:
            raise self.login_fault
        return Grant(Sensitive(f"token-{self.logins}"), self.ttl, self.renewable)

    def renew(self, token: Sensitive) -> Grant:
        self.renewals += 1
        if self.renew_fault:
            raise self.renew_fault
        return Grant(token, self.renewed_ttl, self.renewable)


def session(giver: Giver, clock: Clock) -> Session:
    """Return a session of a giver."""
    return Session(giver, clock.now, clock.monotonic)


def test_renewed_at_seventy_percent() -> None:
    """A renewable token is renewed once 70 % of its life is over, and not before."""
    clock, giver = Clock(), Giver()
    it = session(giver, clock)
    assert it.expires_at is None
    assert it.current().reveal() == "token-1"
    assert it.expires_at == clock.now() + HOUR
    clock.advance(minutes=41)
    it.current()
    assert giver.renewals == 0
    clock.advance(minutes=2)
    assert it.current().reveal() == "token-1"
    assert (giver.logins, giver.renewals) == (1, 1)
    assert it.expires_at == clock.now() + HOUR


def test_a_ttl_of_zero_never_ends() -> None:
    """A token without a TTL is never renewed and has no expiry."""
    clock, giver = Clock(), Giver(timedelta(0))
    it = session(giver, clock)
    it.current()
    clock.advance(days=400)
    assert it.current().reveal() == "token-1"
    assert (giver.logins, giver.renewals, it.expires_at) == (1, 0, None)


def test_what_cannot_be_renewed_is_replaced_at_eighty_percent() -> None:
    """A batch or non-renewable token is replaced by a new login at 80 % of its life."""
    clock, giver = Clock(), Giver(renewable=False)
    it = session(giver, clock)
    it.current()
    clock.advance(minutes=47)
    assert it.current().reveal() == "token-1"
    clock.advance(minutes=2)
    assert it.current().reveal() == "token-2"
    assert giver.renewals == 0


def test_a_renewal_that_no_longer_extends_leads_to_a_login() -> None:
    """When the maximum TTL cuts a renewal short, the next step is a login, not a renewal."""
    clock, giver = Clock(), Giver()
    it = session(giver, clock)
    it.current()
    giver.renewed_ttl = timedelta(minutes=10)
    clock.advance(minutes=43)
    it.current()
    clock.advance(minutes=9)
    assert it.current().reveal() == "token-2"
    assert giver.renewals == 1


def test_a_failed_renewal_keeps_the_living_token() -> None:
    """While the token lives a failed renewal is put off, and near its end a login follows."""
    clock, giver = Clock(), Giver()
    giver.renew_fault = StoreError("no", status=500)
    it = session(giver, clock)
    it.current()
    clock.advance(minutes=43)
    assert it.current().reveal() == "token-1"
    assert it.current().reveal() == "token-1"
    assert giver.renewals == 1
    clock.advance(minutes=6)
    it.current()
    clock.advance(minutes=2)
    assert it.current().reveal() == "token-2"


def test_a_failed_replacement_keeps_the_living_token() -> None:
    """While the token lives a failed login changes nothing; after its end it is the error."""
    clock, giver = Clock(), Giver(renewable=False)
    it = session(giver, clock)
    it.current()
    giver.login_fault = StoreError("secret id gone", status=400)
    clock.advance(minutes=50)
    assert it.current().reveal() == "token-1"
    clock.advance(minutes=11)
    with pytest.raises(StoreError, match="login at Vault is lost: secret id gone"):
        it.current()


def test_a_refused_login_is_not_hammered() -> None:
    """After a refusal the next login waits: one second, then two, then four, a minute at most."""
    clock, giver = Clock(), Giver()
    giver.login_fault = StoreError("no", status=403)
    it = session(giver, clock)
    for attempts, wait_s in enumerate([1, 2, 4, 8, 16, 32, 60, 60], start=1):
        for early in (0.0, wait_s - 0.5):
            clock.advance(seconds=early)
            with pytest.raises(StoreError):
                it.current()
            assert giver.logins == attempts
        clock.advance(seconds=1)
    giver.login_fault = None
    assert it.current().reveal() == "token-9"


def test_a_silent_vault_is_asked_again_at_once() -> None:
    """A login that got no answer is tried again with the next request."""
    clock, giver = Clock(), Giver()
    giver.login_fault = NoAnswer("connection refused")
    it = session(giver, clock)
    with pytest.raises(StoreError):
        it.current()
    giver.login_fault = None
    assert it.current().reveal() == "token-2"


def test_a_refusal_leads_to_one_login_in_ten_seconds() -> None:
    """After a 403 a new token is got, but a refusal within ten seconds of a login is policy."""
    clock, giver = Clock(), Giver()
    it = session(giver, clock)
    first = it.current()
    assert not it.after_denied(first)
    clock.advance(seconds=11)
    assert it.after_denied(first)
    assert it.current().reveal() == "token-2"
    assert it.after_denied(first), "somebody else has logged in since"
    assert not it.after_denied(it.current())
    assert giver.logins == 2


def test_many_refusals_at_once_make_one_login() -> None:
    """Sixteen threads that are refused with the same token share one login."""
    clock, giver = Clock(), Giver()
    it = session(giver, clock)
    used = it.current()
    clock.advance(seconds=11)
    together = threading.Barrier(16)
    answers: list[bool] = []

    def refused() -> None:
        together.wait()
        answers.append(it.after_denied(used))

    threads = [threading.Thread(target=refused) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 16
    assert giver.logins == 2


def test_requests_go_on_during_a_renewal() -> None:
    """While one thread renews, others use the token that still lives."""
    clock, giver = Clock(), Giver()
    it = session(giver, clock)
    it.current()
    clock.advance(minutes=43)
    seen: list[str] = []

    class Renewing(Giver):
        def renew(self, token: Sensitive) -> Grant:
            other = threading.Thread(target=lambda: seen.append(it.current().reveal()))
            other.start()
            other.join(timeout=5)
            return super().renew(token)

    slow = Renewing()
    it._authority = slow
    it.current()
    assert seen == ["token-1"]
    assert slow.renewals == 1


def test_a_token_file_is_read_when_it_changes(tmp_path: Path) -> None:
    """A token file is read again after its time of change moved, at most once a second."""
    clock, file = Clock(), tmp_path / "token"
    file.write_text("one\n")
    it = TokenFile(TokenFileAuth(file), clock.monotonic)
    assert it.current().reveal() == "one"
    file.write_text("two\n")
    os.utime(file, ns=(1, 1))
    assert it.current().reveal() == "one"
    clock.advance(seconds=2)
    assert it.current().reveal() == "two"
    assert it.expires_at is None


def test_a_token_file_is_read_after_a_refusal(tmp_path: Path) -> None:
    """After a 403 the file is read at once, and only another token is worth a second try."""
    clock, file = Clock(), tmp_path / "token"
    file.write_text("one")
    it = TokenFile(TokenFileAuth(file), clock.monotonic)
    used = it.current()
    assert not it.after_denied(used)
    file.write_text("two")
    assert it.after_denied(used)
    assert it.current().reveal() == "two"


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"\xff\xfe", b"x" * 70_000])
def test_a_secret_file_holds_one_line(tmp_path: Path, content: bytes) -> None:
    """A secret file that is missing, empty or no single line is an error without its content."""
    file = tmp_path / "role_id"
    with pytest.raises(StoreError, match="role_id"):
        read_secret_file(file)
    file.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        read_secret_file(file)
    assert "two" not in str(caught.value)
