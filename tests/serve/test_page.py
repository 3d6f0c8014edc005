"""What the status page shows, and how it hides nothing and tells no secret."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import httpx
import pytest
from hypothesis import given, settings, strategies as st

from rotator.core.findings import Code, Severity
from rotator.serve.kept import Kept
from rotator.serve.page import Page
from rotator.serve.query import ALL, Wanted
from rotator.serve.view import ExchangeRow, Fleet, HouseRow, StoreRow
from tests.serve.server import World, asked
from tests.serve.test_markup import hostile, read
from tests.serve.views import NOW, Told, bad, found, rotation, row, small_fleet

MANY = 800
OWNERS = ("alpha", "beta")


def get(views: Told, query: str = "") -> httpx.Response:
    """Ask for the page."""
    return asked(World(views=views), "GET", f"/{query}")


def text_of(views: Told, query: str = "") -> str:
    """Return the page as it is read."""
    return " ".join(
        read(
            re.sub(r"<style>.*?</style>", "", get(views, query).text, flags=re.DOTALL)
        ).text.split()
    )


def shown(fleet: Fleet) -> str:
    """Return the page of a fleet as it is read."""
    return text_of(Told(fleet))


def test_what_is_wrong_stands_first_with_its_cure() -> None:
    """The gravest first, then rotations, fleet and health."""
    page = shown(small_fleet())
    order = [
        "What is wrong Rotations Fleet Health",
        "Invalid at bybit: secret/trading/bybit/dead",
        "Do: See rotator explain secret/trading/bybit/dead.",
        "Overdue at binance",
        "For your information: 1 note",
        "Rotations under way",
        "The fleet",
        "Exchanges, by the last look",
    ]
    places = [page.index(words) for words in order]
    assert places == sorted(places)


def test_many_in_the_same_trouble_are_one_entry() -> None:
    """800 dead keys of one exchange are one entry: the count, the owners, the first of them."""
    made = [bad(f"secret/x/dead{n:03}", Code.INVALID, owner=OWNERS[n % 2]) for n in range(MANY)]
    fleet = Fleet(
        NOW,
        credentials=tuple(r for r, _ in made),
        findings=tuple(f for _, told in made for f in told),
    )
    page = get(Told(fleet)).text
    assert page.count("<article") == 1
    words = shown(fleet)
    assert "Invalid at bybit: 800 credentials" in words
    assert "Owners: alpha (400), beta (400)" in words
    assert "775 more." in words
    assert 'href="?exchange=bybit&amp;code=Invalid#fleet"' in page
    assert len(page) < 200_000


def test_several_findings_of_one_credential_are_counted_as_findings() -> None:
    """Two foreign keys of one account hang on one credential."""
    two = (found(Code.FOREIGN_KEY), found(Code.FOREIGN_KEY))
    assert "ForeignKey at bybit: 2 findings" in shown(
        Fleet(NOW, credentials=(row(),), findings=two)
    )


def test_a_rotation_that_asks_shows_each_answer_to_type() -> None:
    """The question, then one command for each safe answer; who waits for a person is counted."""
    page = shown(small_fleet())
    assert "2 rotations open. 2 of them wait for a person." in page
    assert "It asks: Which key is right?" in page
    assert "rotator resolve secret/trading/bybit/dead adopt" in page
    assert "rotator resolve secret/trading/bybit/dead abort" in page
    assert "rotator complete secret/trading/bybit/desk0" in page
    assert (
        "secret/trading/** is held (nobody is here) until it is released: rotator release weekend"
        in page
    )


def test_many_rotations_are_folded_and_bounded() -> None:
    """Ten stand openly, two hundred are folded, the rest is in the API."""
    fleet = Fleet(NOW, rotations=tuple(rotation(f"secret/x/k{n}") for n in range(500)))
    page = get(Told(fleet)).text
    assert page.count("<article") == 210
    assert "490 more" in page
    assert "and 290 more" in page


def test_nothing_wrong_is_said_to_be_so() -> None:
    """An empty section could also be a broken one."""
    assert "No check found anything critical" in shown(Fleet(NOW, credentials=(row(),)))


def test_an_empty_store_is_not_called_fine() -> None:
    """Paths that are misspelt find nothing, and nothing found is not good news."""
    page = shown(Fleet(NOW))
    assert "Nothing was checked" in page
    assert "No check found anything critical" not in page


def test_what_could_not_be_checked_is_not_called_fine() -> None:
    """Next to a problem of the pass there is no all-clear."""
    page = shown(Fleet(NOW, credentials=(row(),), problems=("holds: Vault is sealed",)))
    assert "What could be checked" in page
    assert "No check found anything critical" not in page


@pytest.mark.parametrize(
    ("age", "old"), [(timedelta(minutes=14), False), (timedelta(minutes=16), True)]
)
def test_what_is_old_is_said_to_be_old(age: timedelta, old: bool) -> None:
    """The age stands there always, the alarm when the daemon should have looked again."""
    page = shown(replace(small_fleet(), at=NOW - age))
    assert f"{age.seconds // 60} minutes ago" in page
    assert ("The daemon does not look any more" in page) is old


def test_what_is_old_is_not_kept_from_being_told() -> None:
    """The page of the same fleet says so as time passes, though its body is kept."""
    told = Told()
    world = World(views=told)
    assert "does not look any more" not in asked(world, "GET", "/").text
    told.change(now=NOW + timedelta(hours=1))
    assert "does not look any more" in asked(world, "GET", "/").text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"store": StoreRow(False, True, "sealed")}, "vault operator unseal"),
        ({"store": StoreRow(False, False, "connection refused")}, "connection refused"),
        ({"rotates": False}, "its login may not rotate"),
        ({"leads": False, "why_empty": "Another daemon leads."}, "Another daemon leads."),
        (
            {"houses": (HouseRow("bybit", NOW + timedelta(hours=1)),)},
            "banned until 2026-11-24 04:00 UTC",
        ),
        (
            {"houses": (HouseRow("bybit", None, timedelta(minutes=-2)),)},
            "its clock differs by 2 minutes",
        ),
    ],
)
def test_what_ails_the_daemon_itself_is_told(change: dict[str, object], says: str) -> None:
    """Store, login, leader, bans and clocks."""
    told = Told()
    assert says not in text_of(told)
    told.change(**change)
    assert says in text_of(told)


def test_a_fleet_in_which_nothing_acts_says_so() -> None:
    """A store that may be restored, and a daemon that only watches."""
    assert "Nothing is rotated or deleted" in shown(replace(small_fleet(), acts=False))
    assert "no path is armed" in shown(replace(small_fleet(), armed=0))


def test_what_could_not_be_read_is_told() -> None:
    """An incomplete inventory is no healthy one."""
    fleet = replace(small_fleet(), complete=False, problems=("secret/x: permission denied",))
    page = shown(fleet)
    assert "The inventory is incomplete" in page
    assert "secret/x: permission denied" in page


def test_an_exchange_that_is_silent_is_told() -> None:
    """By the last look at its keys."""
    page = shown(small_fleet())
    assert "gives no answer" in page
    partly = replace(small_fleet(), exchanges=(ExchangeRow("bybit", 2, 0, 1, NOW),))
    assert "partly silent" in shown(partly)


def test_before_the_first_pass_the_page_says_why_it_is_empty() -> None:
    """And still tells how the store is."""
    told = Told(fleet=None)
    told.change(store=StoreRow(False, True, "sealed"))
    answer = get(told)
    assert answer.status_code == 200
    assert "The first look at all keys is not over yet." in answer.text
    assert "vault operator unseal" in answer.text


def test_the_table_is_filtered_sorted_and_paged_by_links() -> None:
    """No script is needed; headings say how they are sorted."""
    fleet = Fleet(NOW, credentials=tuple(row(f"secret/x/k{n:03}") for n in range(120)))
    page = get(Told(fleet), "?sort=credential&order=desc&page=2").text
    assert 'aria-sort="descending"' in page
    assert "51 to 100 of 120 credentials" in page
    assert "k069" in page
    assert "k070" not in page
    assert 'href="?sort=credential&amp;order=desc&amp;page=3#fleet"' in page
    assert "None of 120 credentials" in text_of(Told(fleet), "?page=9")


def test_an_open_field_of_the_form_is_no_filter() -> None:
    """A browser sends what was left open as an empty text."""
    page = text_of(Told(), "?q=&exchange=&verdict=&sort=trouble&order=asc&per_page=50")
    assert "1 to 3 of 3 credentials" in page


@pytest.mark.parametrize("query", ["?page=x", "?colour=red", "?verdict=<script>", "?page=1&page=2"])
def test_a_bad_query_is_a_400_with_one_sentence(query: str) -> None:
    """On a page of its own, with the way back."""
    answer = get(Told(), query)
    assert answer.status_code == 400
    assert "<script>" not in answer.text
    assert 'href="./"' in answer.text
    assert answer.headers["content-security-policy"].count("sha256-") == 1


def test_a_page_is_rendered_once_per_change() -> None:
    """The same query over the same fleet is not rendered again, another one is."""
    told, kept = Told(), Kept()
    page = Page("1", kept)
    pages = [page.html(told.now, told.sight(), query) for query in (ALL, ALL, Wanted(page=2))]
    assert pages[0] == pages[1] != pages[2]
    told.fleet = Fleet(NOW, credentials=(row("secret/another"),))
    assert b"another" not in page.html(told.now, told.sight(), ALL)
    told.version += 1
    assert b"another" in page.html(told.now, told.sight(), ALL)


def test_the_policy_allows_our_style_and_nothing_else() -> None:
    """The hash is that of the style sheet in the page; no script, image or frame."""
    answer = get(Told())
    styles = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    [digest] = {b64encode(sha256(style.encode()).digest()).decode() for style in styles}
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    assert "style=" not in answer.text
    assert "<script" not in answer.text


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(hostile, min_size=8, max_size=8))
def test_nothing_from_outside_is_markup(texts: list[str]) -> None:
    """Names, owners, accounts, sentences and reasons change no element of the page."""
    name, owner, account, message, cure, reason, question, problem = texts

    def fleet(texts: list[str]) -> Fleet:
        credential = row(name, owner=owner, account=account, exchange=owner, codes=(Code.INVALID,))
        return replace(
            small_fleet(),
            credentials=(credential,),
            findings=(found(Code.INVALID, name, message=message, cure=cure),),
            rotations=(rotation(name, reason=reason, question=question, answers=("adopt",)),),
            problems=(problem,),
            exchanges=(ExchangeRow(owner, 1),),
        )

    answer = get(Told(fleet(texts)))
    assert answer.status_code == 200
    tags = set(read(answer.text).tags)
    assert not tags & {"script", "img", "i", "iframe", "comment"}
    body = answer.text.split("</style>")[1].replace("\n", "")
    assert body.isprintable()


def test_severities_are_words_and_shapes() -> None:
    """Not colours alone."""
    page = get(Told()).text
    for severity in (Severity.CRITICAL, Severity.WARNING):
        assert re.search(rf'<span aria-hidden="true">.</span> {severity.value}</span>', page)
