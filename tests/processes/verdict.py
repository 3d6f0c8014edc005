"""What must be true when all is over."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

from rotator.observe import evidence
from tests.processes.estate import OTHER_FIELDS, Estate, as_json

DESK = "trading/bybit/desk0"


def forms(secret: str) -> list[bytes]:
    """Return a secret in each form that could carry it out."""
    raw = secret.encode()
    middle = base64.b64encode(raw[1:-1]).rstrip(b"=")[1:-2]
    others = [base64.b64encode(raw).rstrip(b"=")[:-2], middle, raw.hex().encode()]
    return [raw, *others, raw.hex().upper().encode(), quote(secret, safe="").encode()]


def leaks(estate: Estate, where: str, content: bytes) -> list[str]:
    """Return where a canary is found in a text."""
    found = [s for s in estate.canaries if len(s) >= 8 and any(f in content for f in forms(s))]
    return [f"{where} tells a secret that begins with {s[:3]}" for s in found]


def assert_done(estate: Estate, *, creates: int = 1) -> None:
    """The rotation ended well, and nothing but its result is left anywhere."""
    assert estate.phase() == "DONE", as_json(estate.record())
    assert_one_key(estate, creates=creates)
    data = estate.vault.get(DESK)
    assert data is not None
    assert data["data"]["api_key"] != estate.old["api_key"]
    assert_fields_kept(estate)
    assert_retired(estate, int(data["metadata"]["version"]))
    assert_custom_metadata(estate)
    assert_history(estate)
    assert_sound(estate)


def assert_aborted(estate: Estate, *, creates: int = 1) -> None:
    """The rotation was given up, and the old key serves on as if nothing had been."""
    assert estate.phase() == "ABORTED", as_json(estate.record())
    assert estate.served()["api_key"] == estate.old["api_key"]
    assert_one_key(estate, creates=creates)
    assert_sound(estate)


def assert_sound(estate: Estate) -> None:
    """No consumer met a dead key, no secret rests or is told, the audit holds."""
    for consumer in estate.consumers:
        consumer.look()
        assert not consumer.violations
        assert consumer.looks > 0
    assert_state_clean(estate)
    assert_silent(estate)
    for trail in estate.folder.glob("audit*.jsonl"):
        verified = evidence.verify(trail)
        assert verified.ok, verified


def assert_one_key(estate: Estate, *, creates: int) -> None:
    """Exactly the key that the path serves is alive, and few were made for it."""
    assert estate.alive() == [estate.served()["api_key"]], as_json(estate.keys())
    assert len(estate.ours()) <= creates, as_json(estate.keys())


def assert_fields_kept(estate: Estate) -> None:
    """Fields that we do not know are as they were."""
    served = estate.served()
    unknown = {k: v for k, v in (estate.old | OTHER_FIELDS).items() if not k.startswith("api_")}
    assert {k: served.get(k) for k in unknown} == unknown


def assert_retired(estate: Estate, current: int) -> None:
    """Every older version of the path that held the old key is soft-deleted."""
    versions = estate.vault.versions(DESK)
    assert not versions[current]["deletion_time"]
    for number, about in versions.items():
        if number == current:
            continue
        assert not about["destroyed"]
        if about["deletion_time"]:
            continue
        kept = estate.vault.get(DESK, number)
        assert kept is not None
        assert kept["data"]["api_key"] != estate.old["api_key"], f"version {number} hands out old"


def assert_custom_metadata(estate: Estate) -> None:
    """The path's metadata tell of the rotation."""
    custom = estate.vault.custom(DESK)
    assert custom["rotator_rotation"] == estate.record()["rotation"]
    assert {"rotator_key_since", "rotator_key_fp", "rotator_rotated_at"} <= set(custom)


def assert_history(estate: Estate) -> None:
    """The closed record is in the history."""
    rotation = estate.record()["rotation"]
    found = estate.vault.get(f"rotator/history/{estate.path}/{rotation}")
    assert found is not None
    assert found["data"]["phase"] == estate.phase()


def assert_state_clean(estate: Estate) -> None:
    """No readable version below the state prefix holds a secret, sealed or not."""
    found: list[str] = []
    for where, content in estate.vault.everything("rotator/"):
        found += leaks(estate, where, content)
        if b'"sealed"' in content:
            found.append(f"{where} still holds a sealed secret")
    assert not found


def assert_silent(estate: Estate) -> None:
    """Neither logs, nor output, nor audit tell a secret."""
    found: list[str] = []
    for file in _told_files(estate.folder):
        found += leaks(estate, file.name, file.read_bytes())
    assert not found


def _told_files(folder: Path) -> list[Path]:
    return [f for f in folder.iterdir() if f.suffix in {".log", ".out", ".jsonl"}]
