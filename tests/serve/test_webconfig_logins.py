"""Passwords: who is let in, what is remembered, and what a flood of guesses costs."""

from __future__ import annotations

import asyncio
import gc
from datetime import timedelta

import bcrypt
import pytest

from rotator.serve.webconfig import Rate
from rotator.serve.webconfig_front import Bucket, credentials
from rotator.serve.webconfig_logins import (
    REMEMBERED,
    WAITING,
    WAITING_PER_ADDRESS,
    Login,
    Logins,
    _neighbourhood,
)
from tests.serve.web import PASSWORD, hashed

KEY = b"k" * 32
USERS = {"ann": hashed().encode(), "bob": hashed("other").encode()}
GOOD = PASSWORD.encode()


def checks(logins: Logins, *given: tuple[str, bytes, str]) -> list[Login]:
    """Check one after the other."""

    async def run() -> list[Login]:
        return [await logins.check(USERS, *one) for one in given]

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "password", "expected"),
    [
        ("ann", GOOD, Login.GOOD),
        ("ann", b"wrong", Login.BAD),
        ("ann", b"", Login.BAD),
        ("ann", GOOD + b"\0", Login.BAD),
        ("bob", GOOD, Login.BAD),
        ("carl", GOOD, Login.BAD),
        ("", GOOD, Login.BAD),
        ("ann", b"\xff" * 10_000, Login.BAD),
    ],
)
def test_a_user_gets_in_by_the_own_password_alone(
    name: str, password: bytes, expected: Login
) -> None:
    """Whatever the bytes of the password."""
    assert checks(Logins(KEY), (name, password, "1")) == [expected]


def test_a_password_counts_to_its_72nd_byte() -> None:
    """As bcrypt has it, so hashes of longer passwords made elsewhere work."""
    long = "x" * 72
    users = {"ann": bcrypt.hashpw(long.encode(), bcrypt.gensalt(4))}
    given = asyncio.run(Logins(KEY).check(users, "ann", (long + "more").encode(), "1"))
    assert given is Login.GOOD


def test_a_good_password_is_checked_once_and_a_new_hash_again() -> None:
    """The second answer comes from memory, unless the web config changed."""
    logins = Logins(KEY)

    async def run() -> None:
        assert await logins.check(USERS, "ann", GOOD, "1") is Login.GOOD
        checking = logins.check(USERS, "ann", GOOD, "1")
        with pytest.raises(StopIteration) as done:
            checking.send(None)  # answers without waiting for anything
        assert done.value.value is Login.GOOD
        changed = {"ann": hashed("changed").encode()}
        assert await logins.check(changed, "ann", GOOD, "1") is Login.BAD
        assert await logins.check({"bob": USERS["bob"]}, "ann", GOOD, "1") is Login.BAD

    asyncio.run(run())


def test_what_is_remembered_is_bounded_and_holds_no_password() -> None:
    """Keyed hashes alone."""
    logins = Logins(KEY)

    async def run() -> None:
        for number in range(REMEMBERED + 20):
            logins._good[number.to_bytes(32)] = None
        assert await logins.check(USERS, "ann", GOOD, "1") is Login.GOOD
        logins._good.popitem(last=False)

    asyncio.run(run())
    held = repr([vars(logins), gc.get_referents(logins)])
    assert PASSWORD not in held
    assert len(logins._good) <= REMEMBERED + 20
    assert all(len(mark) == 32 for mark in logins._good)


def test_the_oldest_is_forgotten_first() -> None:
    """One more than fits drops one."""
    logins = Logins(KEY)

    async def run() -> int:
        for number in range(REMEMBERED):
            logins._good[number.to_bytes(32)] = None
        await logins.check(USERS, "ann", GOOD, "1")
        return len(logins._good)

    assert asyncio.run(run()) == REMEMBERED
    assert (0).to_bytes(32) not in logins._good


def test_the_same_password_at_once_is_one_check() -> None:
    """Scrapes that come together after a start do not queue up."""
    logins = Logins(KEY)

    async def run() -> list[Login]:
        many = [logins.check(USERS, "ann", GOOD, "1") for _ in range(WAITING * 2)]
        return list(await asyncio.gather(*many))

    assert set(asyncio.run(run())) == {Login.GOOD}


def test_an_address_may_have_few_passwords_waiting() -> None:
    """Guesses from one place leave room for a login from another."""
    logins = Logins(KEY)

    async def run() -> None:
        guesses = [
            asyncio.create_task(logins.check(USERS, "ann", str(n).encode(), "192.0.2.1"))
            for n in range(40)
        ]
        assert await logins.check(USERS, "ann", GOOD, "192.0.2.2") is Login.GOOD
        told = await asyncio.gather(*guesses)
        assert told.count(Login.LATER) == 40 - WAITING_PER_ADDRESS
        assert told.count(Login.BAD) == WAITING_PER_ADDRESS
        assert not logins._running
        assert not logins._waiting

    asyncio.run(run())


def test_passwords_that_wait_are_bounded_over_all_addresses() -> None:
    """Memory and time are."""
    logins = Logins(KEY)

    async def run() -> list[Login]:
        guesses = [logins.check(USERS, "ann", b"no", f"192.0.2.{n}") for n in range(2)]
        guesses += [
            logins.check(USERS, "ann", str(n).encode(), f"198.51.100.{n}")
            for n in range(WAITING + 10)
        ]
        return list(await asyncio.gather(*guesses))

    assert asyncio.run(run()).count(Login.LATER) == 11


def test_a_failed_check_is_followed_by_a_rest() -> None:
    """Guessing has a quarter of the worker's time; a good login has no rest after it."""
    logins = Logins(KEY)

    async def run() -> tuple[bool, bool]:
        await logins.check(USERS, "ann", GOOD, "1")
        await asyncio.get_running_loop().run_in_executor(None, int)
        after_good = logins._turn.locked()
        await logins.check(USERS, "ann", b"wrong", "1")
        return after_good, logins._turn.locked()

    assert asyncio.run(run()) == (False, True)


def test_an_unknown_name_is_checked_as_dearly_as_a_known_one() -> None:
    """Its stand-in has the cost of a user, always the same for a name, and matches nothing."""
    logins = Logins(KEY)
    users = {"ann": hashed(cost=5).encode(), "bob": hashed(cost=4).encode()}
    costs = set()
    for number in range(50):
        stand_in = logins._stand_in(users, str(number))
        assert stand_in == logins._stand_in(users, str(number))
        assert bcrypt.checkpw(b"", stand_in) is False
        costs.add(stand_in[4:6])
    assert costs == {b"04", b"05"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("", "", True),
    ],
)
def test_an_ipv6_network_counts_as_one_place(one: str, other: str, same: bool) -> None:
    """A client there has more addresses than anybody can count."""
    assert (_neighbourhood(one) == _neighbourhood(other)) is same


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([b"Basic YW5uOnBvbmQ="], ("ann", b"pond")),
        ([b"bAsIc   YW5uOnBvbmQ="], ("ann", b"pond")),
        ([b"Basic YW5uOnBvOm5k"], ("ann", b"po:nd")),
        ([b"Basic YW5u"], None),
        ([b"Basic YW5uOnBvbmQ=", b"Basic YW5uOnBvbmQ="], None),
        ([b"Basic ####"], None),
        ([b"Basic /zo="], None),
        ([b"Bearer YW5uOnBvbmQ="], None),
        ([b"Basic"], None),
        ([b""], None),
        ([], None),
    ],
)
def test_credentials_are_read_as_http_says(
    headers: list[bytes], expected: tuple[str, bytes] | None
) -> None:
    """One header, base64, split at the first colon."""
    assert credentials(headers) == expected


def test_a_bucket_lets_a_burst_in_and_then_one_each_interval() -> None:
    """Time that passes earns no more than a burst."""
    bucket = Bucket(Rate(timedelta(seconds=2), 3), 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(1.9), bucket.take(2.1), bucket.take(2.1)] == [False, True, False]
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False]
