"""The keys that Rotator makes for itself are made once and never over another."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from rotator.core.names import Sensitive
from rotator.core.outcome import Happened, StoreError
from rotator.stores.documents import Documents
from rotator.stores.fingerprints import Fingerprints
from rotator.stores.local import LocalKv
from rotator.stores.sealing import Sealer, load_fingerprints, load_sealer
from tests.stores.kit import KEY, STATE, Watched, documents, play


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(max_size=9))
def test_seal_and_open(text: str, aad: str) -> None:
    """What is sealed opens again at the same place."""
    sealer = Sealer(KEY)
    assert sealer.open(sealer.seal(Sensitive(text), aad), aad).reveal() == text


@pytest.mark.parametrize("broken", ["", "s1.", "s1.!!!", "s1.AAAA", "plain", "s1.ü", "moved"])
def test_what_does_not_open(broken: str) -> None:
    """A changed, moved or foreign text is refused and not quoted."""
    sealer = Sealer(KEY)
    sealed = sealer.seal(Sensitive("canary-secret"), "here") if broken == "moved" else broken
    with pytest.raises(StoreError) as refused:
        sealer.open(sealed, "there")
    assert refused.value.happened is Happened.REFUSED
    assert "canary-secret" not in str(refused.value)


def test_every_changed_letter_is_noticed() -> None:
    """Whichever letter of a sealed text is changed, it does not open."""
    sealer = Sealer(KEY)
    sealed = sealer.seal(Sensitive("canary-secret"), "a")
    for at in range(len(sealed) - 2):
        other = sealed[:at] + ("B" if sealed[at] == "A" else "A") + sealed[at + 1 :]
        with pytest.raises(StoreError):
            sealer.open(other, "a")


def test_made_once(tmp_path: Path) -> None:
    """The first use makes the key, and every later one opens what the first sealed."""

    async def scenario(kv: LocalKv) -> None:
        first = await load_sealer(documents(kv))
        second = await load_sealer(documents(kv))
        assert second.open(first.seal(Sensitive("x"), "a"), "a").reveal() == "x"
        one, other = await load_fingerprints(documents(kv)), await load_fingerprints(documents(kv))
        assert one.of("k") == other.of("k")

    play(tmp_path, scenario)


def test_two_first_uses_agree(tmp_path: Path) -> None:
    """Two that begin at the same time end with the same key."""

    async def scenario(kv: LocalKv) -> None:
        marks = await asyncio.gather(*(load_fingerprints(documents(kv)) for _ in range(5)))
        assert len({m.of("k") for m in marks}) == 1

    play(tmp_path, scenario)


def test_lost_answer(tmp_path: Path) -> None:
    """If the answer to the first write is lost, the key that landed is used."""

    async def scenario(kv: LocalKv) -> None:
        watched = Watched(kv)
        watched.lose_answer_of = {"write"}
        first = await load_fingerprints(Documents(watched.kv, STATE))
        assert first.of("k") == (await load_fingerprints(documents(kv))).of("k")

    play(tmp_path, scenario)


@pytest.mark.parametrize("data", [{}, {"key": 7}, {"key": "zz"}, {"key": "ab"}])
def test_damaged_key_is_never_replaced(tmp_path: Path, data: dict[str, Any]) -> None:
    """A key document that holds no key is an error and stays as it is."""

    async def scenario(kv: LocalKv) -> None:
        docs = documents(kv)
        await docs.put(docs.seal, data, 0)
        with pytest.raises(StoreError) as refused:
            await load_sealer(docs)
        assert refused.value.happened is Happened.REFUSED
        assert (await docs.read(docs.seal)).version == 1

    play(tmp_path, scenario)


def test_deleted_key_is_never_replaced(tmp_path: Path) -> None:
    """A deleted key document is an error that names the command to bring it back."""

    async def scenario(kv: LocalKv) -> None:
        docs = documents(kv)
        await load_sealer(docs)
        await kv.delete_versions(docs.seal, [1])
        with pytest.raises(StoreError, match="vault kv undelete -versions=1 secret/rotator/seal"):
            await load_sealer(docs)

    play(tmp_path, scenario)


def test_a_store_that_fails_is_told(tmp_path: Path) -> None:
    """If the key surely was not written, the error is handed on."""

    async def scenario(kv: LocalKv) -> None:
        watched = Watched(kv)
        watched.refuse = lambda name, args: StoreError("sealed") if name == "write" else None
        with pytest.raises(StoreError, match="sealed"):
            await load_sealer(Documents(watched.kv, STATE))

    play(tmp_path, scenario)


def test_fingerprints() -> None:
    """A fingerprint depends on value and pepper alone, and white space around does not count."""
    marks = Fingerprints(KEY)
    assert marks.of("abc") == marks.of(" abc\n")
    assert marks.of("abc") != marks.of("abd")
    assert marks.of("abc") != Fingerprints(bytes(32)).of("abc")


@pytest.mark.parametrize(
    "value",
    [
        "KEY12345678",
        "https://u:KEY12345678@host/",
        '{"k": "KEY12345678"}',
        {"deep": [{"er": "x KEY12345678 y"}]},
    ],
)
def test_pasted_keys_are_found(value: Any) -> None:
    """A key inside an address, a JSON text or a nested value has its fingerprint among them."""
    marks = Fingerprints(KEY)
    assert marks.of("KEY12345678") in marks.within(value)


def test_within_is_bounded() -> None:
    """However much a field holds, at most 256 fingerprints come of it."""
    text = " ".join(f"token{n:08}" for n in range(10_000))
    assert len(Fingerprints(KEY).within(text)) == 256
    assert Fingerprints(KEY).within(7) == ()
