"""What a scrape gets."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import zlib
from datetime import timedelta

from hypothesis import given, settings, strategies as st

from rotator.core.facts import NEVER, Validity
from rotator.core.findings import Code, Verdict
from rotator.core.names import ExchangeName
from rotator.core.record import Phase, Trigger
from rotator.observe.catalogue import METRICS, metric_table
from rotator.observe.exposition import MAX_LABEL, clean
from rotator.observe.metrics import Metrics, PassResult, Result
from rotator.observe.render import PerCredential
from rotator.observe.view import ExchangeView, Unknown, WaitsOn
from tests.observe.views import BYBIT, NOW, credential, finding, of, rotation, samples, shown, view

HOSTILE = st.text(max_size=300) | st.sampled_from(
    [
        '"',
        "\\",
        "\\n",
        "\n",
        '"} 1\nrotator_leader 1',
        "\x00\x7f\x85",
        "\u202e",
        "\ud800",
        "é" * 500,
    ]
)


def fed() -> Metrics:
    """Return metrics of which every family has a value."""
    metrics = Metrics(version="1.2.3", revision="abc")
    metrics.expect(["bybit"], ["overlap"])
    metrics.rotation_ended("bybit", "overlap", Result.DONE, Trigger.DUE, 12.5)
    metrics.phase_left(Phase.STAGED, 2.0)
    metrics.event_unexpected(Phase.STAGED)
    metrics.store_request("read", "200", 0.01)
    metrics.store_health(up=True, sealed=False, token_expires_at=NOW)
    metrics.exchange_answer("bybit", "inspect", "ok", 0.2)
    metrics.exchange_skew("bybit", -0.25)
    metrics.exchange_banned("bybit", NOW)
    metrics.exchange_budget("bybit", 0.5)
    metrics.leader(leads=True)
    metrics.pass_ended(PassResult.COMPLETE, 3.0, NOW)
    metrics.audit_written(7)
    metrics.audit_failed()
    metrics.config_read(succeeded=True, at=NOW)
    metrics.render(
        view(
            [credential()],
            [finding()],
            [rotation(Phase.STAGED, None, 1)],
            [ExchangeView(BYBIT, 1, 0, 0, 0)],
        )
    )
    return metrics


def test_every_metric_of_the_catalogue_is_exported_under_its_name_and_labels() -> None:
    """A metric of the catalogue has a series with exactly its labels once it is fed."""
    found = samples(fed().text(gzip=False))
    for metric in METRICS:
        suffix = "_count" if metric.kind == "histogram" else ""
        series = of(found, metric.full_name + suffix)
        assert series, metric.full_name
        for labels in series:
            assert {name for name, _ in labels} == set(metric.labels), metric.full_name


def test_nothing_is_exported_that_the_catalogue_does_not_name() -> None:
    """Every family of ours stands in the catalogue."""
    known = {m.full_name for m in METRICS}
    parts = ("", "_bucket", "_sum", "_count")
    allowed = {name + part for name in known for part in parts}
    ours = {name for name, _ in samples(fed().text(gzip=False)) if name.startswith("rotator_")}
    assert ours <= allowed


def test_the_names_keep_to_the_conventions_of_prometheus() -> None:
    """Units and endings fit the types; promtool agrees where it is installed."""
    for metric in METRICS:
        assert metric.full_name.endswith("_total") == (metric.kind == "counter")
        assert metric.meaning.endswith(".")
        if metric.kind == "histogram":
            assert metric.full_name.endswith("_seconds")
            assert list(metric.buckets) == sorted(metric.buckets)
    promtool = shutil.which("promtool")
    if promtool is None:
        return
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=fed().text(gzip=False),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


@settings(max_examples=200, deadline=None)
@given(names=st.lists(HOSTILE, min_size=1, max_size=4), account=HOSTILE, owner=HOSTILE)
def test_hostile_label_values_cannot_forge_or_break_a_line(
    names: list[str], account: str, owner: str
) -> None:
    """Whatever stands in a name, the text parses and each label comes back cleaned."""
    credentials = [credential(n, account=account, owner=owner) for n in names]
    findings = [finding(n) for n in names]
    found = shown(view(credentials, findings))
    infos = of(found, "rotator_credential_info")
    assert {dict(labels)["credential"] for labels in infos} == {clean(n) for n in names}
    assert {dict(labels)["owner"] for labels in infos} == {clean(owner)}
    assert not of(found, "rotator_leader")
    for labels in infos:
        for _, value in labels:
            assert value.isprintable()
            assert len(value) <= 6 * MAX_LABEL


@settings(max_examples=50, deadline=None)
@given(word=HOSTILE)
def test_hostile_words_in_live_metrics_cannot_break_a_line(word: str) -> None:
    """Operations, outcomes and codes are cleaned as well."""
    metrics = Metrics(version=word, revision=word)
    metrics.exchange_answer(word, word, word, 0.1)
    metrics.exchange_skew(word, 1.0)
    metrics.store_request(word, word, 0.1)
    found = samples(metrics.text(gzip=False))
    assert len(of(found, "rotator_exchange_requests_total")) == 1
    assert not of(found, "rotator_leader")


def test_what_is_unknown_has_no_series_and_is_counted() -> None:
    """An unknown time is neither 0 nor shown; the count says that it is unknown."""
    dark = credential(
        created_at=None,
        expires_at=None,
        due_at=None,
        inspected_at=None,
        validity=Validity.UNKNOWN,
        verdict=Verdict.UNKNOWN,
        unknown=frozenset({Unknown.AGE, Unknown.EXPIRY}),
    )
    found = shown(view([dark]))
    assert not [
        name for name, _ in found if name.startswith("rotator_credential_") and "time" in name
    ]
    assert not of(found, "rotator_next_expiration_timestamp_seconds")
    assert of(found, "rotator_unknown") == {
        (("exchange", "bybit"), ("what", what)): float(what in {"age", "expiry"})
        for what in ("age", "expiry", "scopes", "addresses")
    }


def test_a_process_that_knows_nothing_claims_nothing() -> None:
    """Before the first event no state gauge stands, not even as 0."""
    found = samples(Metrics().text(gzip=False))
    for name in ("store_up", "store_sealed", "leader", "pass_last_success_timestamp_seconds"):
        assert not of(found, f"rotator_{name}")
    assert set(of(found, "rotator_passes_total").values()) == {0.0}


def test_a_state_that_became_unknown_vanishes() -> None:
    """Setting None takes the series away."""
    metrics = Metrics()
    metrics.store_health(up=True, sealed=False, token_expires_at=NOW)
    metrics.store_health(up=False, sealed=None, token_expires_at=None)
    found = samples(metrics.text(gzip=False))
    assert of(found, "rotator_store_up") == {(): 0.0}
    assert not of(found, "rotator_store_sealed")
    assert not of(found, "rotator_store_token_expiration_timestamp_seconds")


def test_a_credential_has_at_most_five_series_beside_its_findings() -> None:
    """Four times and the info, and no key id anywhere."""
    quiet, full = shown(view()), shown(view([credential()]))
    own = [
        key
        for key in full
        if key not in quiet and ("credential", "secret/trading/bybit/desk0") in key[1]
    ]
    assert len(own) == 5


def test_a_key_that_never_expires_has_no_expiration() -> None:
    """Never is no time."""
    found = shown(view([credential(expires_at=NEVER)]))
    assert not of(found, "rotator_credential_expiration_timestamp_seconds")


def test_times_are_seconds_since_the_epoch() -> None:
    """A fraction of a second is kept to the millisecond."""
    at = NOW + timedelta(milliseconds=250)
    found = shown(view([credential(created_at=at)]))
    assert set(of(found, "rotator_credential_created_timestamp_seconds").values()) == {
        at.timestamp()
    }


def test_series_of_a_removed_credential_vanish_at_once() -> None:
    """The next view shows what is there now."""
    found = shown(view([credential("a"), credential("b")]), view([credential("b")]))
    assert len(of(found, "rotator_credential_info")) == 1


def test_a_finding_that_was_resolved_is_counted_as_zero() -> None:
    """The open finding's series goes, its count stays at 0."""
    found = shown(view([credential()], [finding()]), view([credential()]))
    assert not of(found, "rotator_finding")
    assert list(of(found, "rotator_findings").values()) == [0.0]


def test_the_same_finding_twice_is_one_series_and_two_in_the_count() -> None:
    """A series may stand only once."""
    found = shown(view([credential()], [finding(), finding()]))
    assert list(of(found, "rotator_finding").values()) == [1.0]
    assert list(of(found, "rotator_findings").values()) == [2.0]


def test_a_finding_about_no_known_credential_is_shown() -> None:
    """A path that cannot be read has no exchange, and its finding is not lost."""
    found = shown(view([], [finding("secret/x", Code.METADATA_MALFORMED)]))
    assert len(of(found, "rotator_finding")) == 1


def test_attention_shows_only_what_needs_it() -> None:
    """A healthy credential that is far from its dates has no series of its own."""
    metrics = Metrics(per_credential=PerCredential.ATTENTION)
    credentials = [
        credential("fine"),
        credential("due", due_at=NOW + timedelta(days=6)),
        credential("expiring", expires_at=NOW + timedelta(days=6)),
        credential("dead", validity=Validity.INVALID),
        credential("blocked", verdict=Verdict.BLOCKED),
    ]
    infos = of(shown(view(credentials), metrics=metrics), "rotator_credential_info")
    assert {dict(labels)["credential"] for labels in infos} == {
        "due",
        "expiring",
        "dead",
        "blocked",
    }


def test_without_series_per_credential_the_sums_still_stand() -> None:
    """Counts and extremes do not need the credentials' own series."""
    metrics = Metrics(per_credential=PerCredential.NONE)
    overdue = credential("b", due_at=NOW - timedelta(days=1), created_at=NOW - timedelta(days=99))
    found = shown(view([credential(), overdue], [finding()]), metrics=metrics)
    assert not [labels for _, labels in found if "credential" in dict(labels)]
    where = (("exchange", "bybit"),)
    assert of(found, "rotator_overdue") == {where: 1.0}
    assert of(found, "rotator_oldest_created_timestamp_seconds") == {
        where: (NOW - timedelta(days=99)).timestamp()
    }
    assert of(found, "rotator_next_expiration_timestamp_seconds") == {
        where: (NOW + timedelta(days=80)).timestamp()
    }
    valid = of(found, "rotator_credentials")
    assert len(valid) == len(Validity)
    assert sum(valid.values()) == 2


def test_every_phase_is_shown_and_waiting_rotations_are_not_called_stuck() -> None:
    """The oldest start leaves out what waits for a person or for time."""
    rotations = [
        rotation(Phase.DRAINING, WaitsOn.TIME, 90),
        rotation(Phase.QUARANTINED, WaitsOn.PERSON, 600),
        rotation(Phase.STAGED, None, 2),
        rotation(Phase.VERIFIED, None, 1),
    ]
    found = shown(view([credential()], [], rotations))
    phases = {dict(labels)["phase"]: n for labels, n in of(found, "rotator_rotations_open").items()}
    assert set(phases) == set(Phase) - {Phase.DONE, Phase.ABORTED}
    assert sum(phases.values()) == 4
    assert list(of(found, "rotator_rotation_oldest_start_timestamp_seconds").values()) == [
        (NOW - timedelta(minutes=2)).timestamp()
    ]
    waiting = {
        dict(labels)["on"]: n for labels, n in of(found, "rotator_rotations_waiting").items()
    }
    assert waiting == {"person": 1.0, "consumers": 0.0, "time": 1.0}


def test_an_exchange_that_nobody_counted_has_no_counts() -> None:
    """None is unknown; 0 is counted and none found."""
    found = shown(
        view([], [], [], [ExchangeView(BYBIT), ExchangeView(ExchangeName("b"), 0, 0, 0, 0)])
    )
    assert of(found, "rotator_strays") == {(("exchange", "b"),): 0.0}
    assert len(of(found, "rotator_armed_credentials")) == 2


def test_an_exchange_is_up_when_it_answered_no_matter_what() -> None:
    """A refusal is an answer, silence is none."""
    metrics = Metrics()
    metrics.exchange_answer("a", "inspect", "invalid_key", 0.1)
    metrics.exchange_answer("b", "inspect", "unknown_outcome", 0.1)
    up = of(samples(metrics.text(gzip=False)), "rotator_exchange_up")
    assert up == {(("exchange", "a"),): 1.0, (("exchange", "b"),): 0.0}


def test_a_rotation_of_unknown_length_is_counted_without_one() -> None:
    """No duration is invented."""
    metrics = Metrics()
    metrics.rotation_ended("bybit", "overlap", Result.QUARANTINED, Trigger.EXPIRY)
    found = samples(metrics.text(gzip=False))
    assert sum(of(found, "rotator_rotations_total").values()) == 1
    assert not of(found, "rotator_rotation_duration_seconds_count")


def test_a_refused_configuration_keeps_the_time_of_the_last_good_one() -> None:
    """The flag falls, the time stays."""
    metrics = Metrics()
    metrics.config_read(succeeded=True, at=NOW)
    metrics.config_read(succeeded=False, at=NOW + timedelta(hours=1))
    found = samples(metrics.text(gzip=False))
    assert of(found, "rotator_config_last_reload_successful") == {(): 0.0}
    assert of(found, "rotator_config_last_reload_success_timestamp_seconds") == {
        (): NOW.timestamp()
    }


def test_a_failed_pass_does_not_move_the_last_success() -> None:
    """The stalled-pass alert looks at passes that judged something."""
    metrics = Metrics()
    metrics.pass_ended(PassResult.INCOMPLETE, 1.0, NOW)
    metrics.pass_ended(PassResult.FAILED, 1.0, NOW + timedelta(hours=1))
    found = samples(metrics.text(gzip=False))
    assert of(found, "rotator_pass_last_success_timestamp_seconds") == {(): NOW.timestamp()}


def test_rotation_counters_stand_at_zero_before_the_first_rotation() -> None:
    """An increase from nothing would be missed."""
    metrics = Metrics()
    metrics.expect(["bybit"], ["overlap"])
    counts = of(samples(metrics.text(gzip=False)), "rotator_rotations_total")
    assert len(counts) == len(Result) * len(Trigger)
    assert set(counts.values()) == {0.0}


def test_gzip_and_plain_say_the_same_in_one_member() -> None:
    """The cached part and the live part make one stream, for clients that read only one."""
    metrics = fed()
    packer = zlib.decompressobj(zlib.MAX_WBITS | 16)
    body = metrics.text(gzip=True)
    assert packer.decompress(body) == gzip.decompress(body)
    assert packer.eof
    assert not packer.unused_data
    ours = samples(gzip.decompress(body))
    assert set(ours) == set(samples(metrics.text(gzip=False)))


def test_a_view_is_rendered_once() -> None:
    """The same view again costs nothing."""
    metrics = Metrics()
    assert metrics.render(view([credential()]))
    assert not metrics.render(view([credential()]))


def test_a_standby_shows_no_credentials() -> None:
    """After clear() only what the process itself knows is left, and a view comes back."""
    metrics = fed()
    metrics.clear()
    assert not of(samples(metrics.text(gzip=False)), "rotator_credential_info")
    assert metrics.render(view([credential()]))


def test_large_views_come_in_parts_with_one_head_per_family() -> None:
    """A family of many lines has its HELP and TYPE once."""
    found = shown(view([credential(f"c{i}") for i in range(4500)]))
    assert len(of(found, "rotator_credential_info")) == 4500


def test_no_creation_times_are_exported_for_counters() -> None:
    """They would double the series."""
    assert b"_created " not in fed().text(gzip=False).replace(b"oldest_created_", b"")


def test_the_table_for_the_documentation_names_every_metric() -> None:
    """One row per metric."""
    rows = metric_table().splitlines()
    assert len(rows) == len(METRICS) + 2
    for metric in METRICS:
        assert f"`{metric.full_name}`" in metric_table()


def test_long_names_that_differ_at_their_end_stay_different() -> None:
    """A cut name bears a digest of the whole."""
    found = shown(view([credential("x" * 400 + "a"), credential("x" * 400 + "b")]))
    assert len(of(found, "rotator_credential_info")) == 2
