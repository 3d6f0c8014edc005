"""`/api/v1` answers as its own description says, from memory, read-only."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from rotator.core.findings import Code
from rotator.serve.api import PATHS, ROOT, description
from rotator.serve.query import READERS
from rotator.serve.view import StoreRow
from tests.serve.server import World, asked
from tests.serve.views import DESK, Told, small_fleet

STATUS = {
    "as_of": "2026-11-24T02:59:00Z",
    "credentials": [],
    "findings": [],
    "rotations": [],
    "inventory_complete": True,
    "problems": [],
    "holds": [],
}
PLAN: dict[str, Any] = {"rotations": []}
STRAYS = {
    "strays": [
        {"exchange": "bybit", "account": "1", "key_id": "…abcd", "label": None, "kind": "foreign"}
    ]
}


def told() -> Told:
    """Return views over a small fleet, with the documents that the engine makes."""
    return Told(documents={"status": STATUS, "plan": PLAN, "strays": STRAYS})


def get(path: str, views: Told | None = None) -> httpx.Response:
    """Ask the API once."""
    return asked(World(views=views or told()), "GET", f"{ROOT}{path}")


def described() -> dict[str, Any]:
    """Return the description."""
    return dict(json.loads(description()))


def valid(document: Any, schema: dict[str, Any]) -> None:
    """Fail unless a document is as a schema of the description says."""
    whole = schema | {"components": described()["components"]}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(document)


def schema_of(path: str, status: int) -> dict[str, Any]:
    """Return the schema of an answer."""
    answers = described()["paths"][path]["get"]["responses"]
    return dict(answers[str(status)]["content"]["application/json"]["schema"])


def test_each_route_is_described_and_nothing_else() -> None:
    """The description names every path, and each only reads."""
    paths = described()["paths"]
    assert set(paths) == {*PATHS, "/credentials/{name}"}
    assert all(set(path) == {"get"} for path in paths.values())


def test_each_parameter_is_described() -> None:
    """The credentials take exactly what their reader knows."""
    parameters = described()["paths"]["/credentials"]["get"]["parameters"]
    assert {p["name"] for p in parameters} == set(READERS)


@pytest.mark.parametrize("path", [path for path in PATHS if path not in {"/plan", "/openapi.json"}])
def test_each_answer_is_as_described(path: str) -> None:
    """As JSON, with its type, and the safety headers."""
    answer = get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    valid(answer.json(), schema_of(path, 200))


@pytest.mark.parametrize("path", [*PATHS, f"/credentials/{DESK}"])
def test_a_parameter_that_nobody_knows_is_refused(path: str) -> None:
    """Everywhere, with one sentence."""
    answer = get(f"{path}?colour=red")
    assert answer.status_code == 400
    shape = "/credentials/{name}" if "desk0" in path else path
    valid(answer.json(), schema_of(shape, 400))
    assert answer.json()["error"].startswith("There is no parameter 'colour'")


@pytest.mark.parametrize("path", sorted(set(PATHS) - {"/health", "/openapi.json"}))
def test_before_the_first_pass_there_is_nothing_to_tell(path: str) -> None:
    """503, and why."""
    answer = get(path, Told(fleet=None))
    assert answer.status_code == 503
    valid(answer.json(), schema_of(path, 503))


def test_health_is_told_before_the_first_pass() -> None:
    """It is stale, and the store's state stands there."""
    views = Told(fleet=None)
    views.change(store=StoreRow(False, True, "sealed"))
    document = get("/health", views).json()
    valid(document, schema_of("/health", 200))
    assert document["stale"] is True
    assert document["as_of"] is None
    assert document["store"]["sealed"] is True
    views.change(store=None)
    valid(get("/health", views).json(), schema_of("/health", 200))


def test_credentials_are_filtered_and_paged() -> None:
    """As the page filters them."""
    document = get("/credentials?exchange=bybit&per_page=1&sort=credential&order=desc").json()
    assert (document["total"], document["pages"]) == (2, 2)
    assert [c["credential"] for c in document["credentials"]] == ["secret/trading/bybit/desk0"]
    assert get("/credentials?page=99").json()["credentials"] == []


def test_findings_bear_their_cure() -> None:
    """The gravest first."""
    document = get("/findings?per_page=2").json()
    assert [f["code"] for f in document["findings"]] == [Code.INVALID, Code.OVERDUE]
    assert "rotator explain" in document["findings"][0]["cure"]


@pytest.mark.parametrize("name", [DESK, "desk0", "secret%2Ftrading%2Fbybit%2Fdesk0"])
def test_a_credential_is_named_in_full_or_by_its_end(name: str) -> None:
    """Slashes may be encoded or not."""
    assert get(f"/credentials/{name}").json() == {"credential": DESK}


def test_a_name_that_is_not_clear_is_a_404_that_says_so() -> None:
    """None, or several."""
    absent, unclear = get("/credentials/nothing"), get("/credentials/secret")
    assert absent.json()["error"] == "There is no credential nothing."
    assert unclear.json()["error"].endswith("give more of its name.")
    for answer in (absent, unclear):
        assert answer.status_code == 404
        valid(answer.json(), schema_of("/credentials/{name}", 404))


def test_a_plan_looks_as_far_as_is_asked() -> None:
    """30 days unless said."""
    assert get("/plan").json()["within"] == 30 * 86_400
    assert get("/plan?within=12h").json()["within"] == 43_200
    assert get("/plan?within=soon").status_code == 400


def test_nothing_can_be_written() -> None:
    """Every other method is refused on every path."""
    for path in (*PATHS, f"/credentials/{DESK}"):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert asked(World(views=told()), method, f"{ROOT}{path}").status_code == 405


def test_the_api_has_the_same_fleet_as_the_page() -> None:
    """Counts agree."""
    fleet = small_fleet()
    assert get("/credentials").json()["total"] == len(fleet.credentials)
    assert get("/findings").json()["total"] == len(fleet.findings)
    assert len(get("/rotations").json()["rotations"]) == len(fleet.rotations)
    assert len(get("/exchanges").json()["exchanges"]) == len(fleet.exchanges)
