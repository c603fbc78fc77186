"""What a label covers, per kind of selector, and what a reply says of it."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from spot_oa.errors import SpotOaError, UsageError
from spot_oa.settings import Settings
from tests.support.labelled import DATE, day, publish, severities

X, Y = "198.51.100.7", "2001:db8::5"


@pytest.fixture
def flow(settings: Settings) -> Settings:
    publish(
        settings,
        "flow",
        [
            {"srcip": X, "dport": 443},
            {"srcip": X, "dport": 80},
            {"srcip": "10.0.0.9", "dstip": X},
            {"srcip": X, "dstip": X},
            {"srcip": Y, "sport": 0, "dport": None},
            {"srcip": "10.0.0.9", "dstip": "::ffff:10.1.2.3", "sport": None},
            {"srcip": "host", "dstip": "fe80::1%eth0"},
        ],
    )
    return settings


def test_fields_are_all_to_hold(flow: Settings) -> None:
    opened = day(flow)
    reply = opened.label("fields", {"srcip": X, "dport": 443}, "low")
    assert (reply.matched, reply.changed) == (2, 2)
    assert severities(opened) == [3, 0, 0, 3, 0, 0, 0]


@pytest.mark.parametrize("selector", [{}, {"srcip": ""}])
def test_nothing_selected_scores_nothing(flow: Settings, selector: dict[str, str]) -> None:
    opened = day(flow)
    with pytest.raises(UsageError, match="nothing selected"):
        opened.label("fields", selector, "low")
    assert opened.actions() == []


@pytest.mark.parametrize("severity", ["", None, 4, 0, "4", "critical", "0"])
def test_a_severity_is_one_of_three(flow: Settings, severity: object) -> None:
    opened = day(flow)
    with pytest.raises(UsageError, match=r"severity .* is unknown: use high"):
        opened.label("ip", {"ip": X}, severity)
    assert opened.actions() == []


def test_an_address_at_either_end_counts_a_row_once(flow: Settings) -> None:
    opened = day(flow)
    reply = opened.label("ip", {"ip": f" {X} "}, 1)
    assert reply.matched == 4
    assert severities(opened) == [1, 1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("asked", "hit"),
    [
        ("2001:DB8:0::5", 4),
        ("10.1.2.3", 5),
        ("::ffff:10.1.2.3", 5),
        ("host", 6),
        ("fe80::1%eth0", 6),
        ("2001:db8::/32", 4),
        ("10.1.0.0/16", 5),
    ],
)
def test_addresses_are_compared_as_addresses(flow: Settings, asked: str, hit: int) -> None:
    opened = day(flow)
    opened.label("ip", {"ip": asked}, 2)
    assert severities(opened) == [2 if rank == hit else 0 for rank in range(7)]


@pytest.mark.parametrize("asked", ["10.0.0.", "abc", "10.0.0.1-10.0.0.9", "1.2.3.4/33", ""])
def test_what_is_no_address_says_so(flow: Settings, asked: str) -> None:
    opened = day(flow)
    with pytest.raises(UsageError, match=r"not an address|nothing selected"):
        opened.label("ip", {"ip": asked}, 2)
    assert opened.actions() == []


def test_an_ipv6_network_holds_no_ipv4(flow: Settings) -> None:
    opened = day(flow)
    opened.label("ip", {"ip": "::/0"}, 2)
    assert severities(opened) == [0, 0, 0, 0, 2, 0, 0]


def test_no_match_writes_nothing(flow: Settings) -> None:
    reply = day(flow).label("ip", {"ip": "192.0.2.1"}, 2)
    assert str(reply) == "0 rows, 0 changed; no action"
    assert day(flow).actions() == []


def test_port_0_is_a_port_and_null_is_asked_for_by_name(flow: Settings) -> None:
    opened = day(flow)
    assert opened.label("fields", {"sport": "0"}, 3).matched == 1
    assert opened.label("fields", {"dport": None}, 2).matched == 1
    assert severities(opened)[4:6] == [2, 0]
    assert 0 not in opened.values("sport").values
    for port in ("65536", "-1", "x", "1.5"):
        with pytest.raises(UsageError, match="is not a port"):
            opened.label("fields", {"sport": port}, 3)


def test_lists_hold_values_of_open_rows_by_rank(settings: Settings) -> None:
    publish(settings, "flow", [{"srcip": f"10.0.{i // 200}.{i % 200}"} for i in range(600)])
    opened = day(settings)
    shown = opened.values("srcip")
    assert (len(shown.values), str(shown)) == (250, "250 of 600")
    assert shown.values[0] == "10.0.0.0"
    assert len(opened.values("srcip", 10).values) == 10
    assert opened.values("srcip", find="10.0.2.199").values == ["10.0.2.199"]
    opened.label("fields", {"srcip": "10.0.0.0"}, 3)
    assert opened.values("srcip").values[0] == "10.0.0.1"
    assert opened.values("srcip").total == 599
    for limit in (0, -1):
        with pytest.raises(UsageError, match="use 1 or more"):
            opened.values("srcip", limit)


def test_null_and_scored_values_are_not_listed(flow: Settings) -> None:
    opened = day(flow)
    assert None not in opened.values("dport").values
    assert 0 in opened.values("sport").values
    opened.label("fields", {"srcip": X, "dport": 443}, 3)
    assert X in opened.values("srcip").values
    opened.label("fields", {"srcip": X}, 3)
    assert X not in opened.values("srcip").values


def test_the_latest_wins_and_both_are_kept(flow: Settings) -> None:
    day(flow, author="ann").label("ip", {"ip": X}, 3, note="backup")
    reply = day(flow, author="bob").label("ip", {"ip": X}, 1)
    assert reply.scored == {3: 4}
    assert "4 rows, 4 changed, 4 already scored (4 Low)" in str(reply)
    opened = day(flow)
    assert severities(opened) == [1, 1, 1, 1, 0, 0, 0]
    told = [(each.author, each.severity, each.note) for each in opened.actions()]
    assert told == [("ann", 3, "backup"), ("bob", 1, None)]
    assert all(
        dt.datetime.fromisoformat(each.recorded_at).tzinfo is not None for each in opened.actions()
    )


def test_only_open_leaves_scored_rows_alone(flow: Settings) -> None:
    opened = day(flow)
    opened.label("fields", {"srcip": X, "dport": 443}, 3)
    reply = opened.label("ip", {"ip": X}, 1, only_open=True)
    assert (reply.matched, reply.changed) == (4, 2)
    assert severities(opened) == [3, 1, 1, 3, 0, 0, 0]


def test_a_dry_run_writes_nothing(flow: Settings) -> None:
    opened = day(flow)
    reply = opened.label("ip", {"ip": X}, 1, dry_run=True)
    assert (reply.matched, reply.changed, reply.action) == (4, 4, None)
    assert opened.actions() == []
    assert not flow.analyst_db.exists()


def test_ranks_are_exactly_these_rows(flow: Settings) -> None:
    opened = day(flow)
    assert opened.label_ranks([1, 4, 4], 2).matched == 2
    assert severities(opened) == [0, 2, 0, 0, 2, 0, 0]
    with pytest.raises(UsageError, match="rank 99 is not in flow 2016-07-08: it has 7 rows"):
        opened.label_ranks([0, 99], 2)
    opened.clear_ranks([1])
    assert severities(opened) == [0, 0, 0, 0, 2, 0, 0]


def test_ranks_of_another_run_are_refused(flow: Settings) -> None:
    opened = day(flow)
    publish(flow, "flow", [{"srcip": Y}, {"srcip": X}], run_id="run2")
    with pytest.raises(UsageError, match="published again"):
        opened.label_ranks([0], 2)
    assert opened.label_ranks([0], 2).matched == 1
    assert severities(opened) == [2, 0]


def test_a_day_published_anew_is_read_anew(flow: Settings) -> None:
    opened = day(flow)
    publish(flow, "flow", [{"srcip": X}], run_id="run2")
    reply = opened.label("ip", {"ip": X}, 2)
    assert (reply.matched, reply.notes) == (
        1,
        ("flow 2016-07-08 was published again meanwhile; these are the new rows",),
    )


def test_equal_rows_share_a_label(settings: Settings) -> None:
    publish(settings, "flow", [{"score": 1e-9}, {"score": 1e-8}, {"ibyt": 1}])
    opened = day(settings)
    reply = opened.label_ranks([0], 3)
    assert reply.matched == 2
    assert severities(opened) == [3, 3, 0]
    assert opened.actions()[0].row_count == 2
    assert len(opened.actions()[0].rows) == 1


def test_labels_stay_with_their_day_and_pipeline(settings: Settings) -> None:
    other = DATE + dt.timedelta(days=1)
    for pipeline in ("flow", "proxy"):
        publish(settings, pipeline, [{}])
    publish(settings, "flow", [{}], date=other)
    day(settings).label("ip", {"ip": "10.0.0.5"}, 1)
    assert severities(day(settings)) == [1]
    assert severities(day(settings, date=other)) == [0]
    assert severities(day(settings, "proxy")) == [0]


@pytest.fixture
def dns(settings: Settings) -> Settings:
    publish(
        settings,
        "dns",
        [
            {"ip_dst": "10.0.0.5", "dns_qry_name": "evil.com"},
            {"ip_dst": "10.0.0.6", "dns_qry_name": "EVIL.com."},
            {"ip_dst": "10.0.0.6", "dns_qry_name": "a.EVIL.com."},
            {"ip_dst": "10.0.0.5", "dns_qry_name": "notevil.com"},
            {"ip_dst": "10.0.0.5", "dns_qry_name": "evil.com.x"},
        ],
    )
    return settings


def test_a_query_is_of_all_clients(dns: Settings) -> None:
    opened = day(dns, "dns")
    opened.label("query", {"dns_qry_name": "evil.com"}, 1)
    assert severities(opened, "dns_sev") == [1, 1, 0, 0, 0]
    assert severities(opened, "ip_sev") == [0] * 5


def test_a_scored_client_leaves_its_names_open(dns: Settings) -> None:
    opened = day(dns, "dns")
    opened.label("client", {"ip_dst": "10.0.0.5"}, 2)
    assert severities(opened, "ip_sev") == [2, 0, 0, 2, 2]
    assert severities(opened) == [2, 0, 0, 2, 2]
    assert all(each.is_open for each in opened.rows())
    assert "evil.com" in opened.values("dns_qry_name").values
    assert opened.values("ip_dst").values == ["10.0.0.6"]


def test_a_pair_is_both(dns: Settings) -> None:
    opened = day(dns, "dns")
    opened.label("pair", {"ip_dst": "10.0.0.6", "dns_qry_name": "evil.com"}, 1)
    assert severities(opened, "dns_sev") == [0, 1, 0, 0, 0]
    assert severities(opened, "ip_sev") == [0, 1, 0, 0, 0]
    assert len(opened.actions()[0].rows) == 2


def test_the_severity_of_a_name_goes_before_that_of_its_client(dns: Settings) -> None:
    opened = day(dns, "dns")
    opened.label("client", {"ip_dst": "10.0.0.5"}, 1)
    opened.label("query", {"dns_qry_name": "evil.com"}, 3)
    assert severities(opened) == [3, 3, 0, 1, 1]


@pytest.mark.parametrize("asked", ["evil.com", "EVIL.COM.", ".evil.com"])
def test_a_suffix_is_made_of_whole_labels(dns: Settings, asked: str) -> None:
    opened = day(dns, "dns")
    opened.label("suffix", {"name": asked}, 1)
    assert severities(opened, "dns_sev") == [1, 1, 1, 0, 0]


@pytest.mark.parametrize("asked", ["", ".", " "])
def test_a_suffix_of_nothing_is_nothing(dns: Settings, asked: str) -> None:
    with pytest.raises(UsageError, match="nothing selected"):
        day(dns, "dns").label("suffix", {"name": asked}, 1)


def test_a_uri_is_compared_byte_by_byte(settings: Settings) -> None:
    uris = ["x.org/a%2Fb", "x.org/a/b", "X.org/a/b", "x.org/a/b "]
    rows = [{"fulluri": uri, "clientip": client} for uri in uris for client in ("10.0.0.5", "::1")]
    publish(settings, "proxy", rows)
    opened = day(settings, "proxy")
    opened.label("uri", {"fulluri": "x.org/a/b"}, 1)
    assert severities(opened, "uri_sev") == [0, 0, 1, 1, 0, 0, 0, 0]
    opened.label("uri_client", {"fulluri": "x.org/a%2Fb", "clientip": "0::1"}, 2)
    assert severities(opened) == [0, 2, 1, 1, 0, 0, 0, 0]


def test_what_others_did_meanwhile_is_named(flow: Settings) -> None:
    ann = day(flow, author="ann")
    day(flow, author="bob").label("fields", {"srcip": X, "dport": 443}, 3)
    reply = ann.label("ip", {"ip": X}, 1)
    assert len(reply.notes) == 1
    assert reply.notes[0].startswith("2 of 4 rows: bob scored them Low at ")
    assert reply.notes[0].endswith(", now High")
    assert [each.author for each in ann.actions()] == ["bob", "ann"]
    assert severities(ann)[:4] == [1, 1, 1, 1]
    assert ann.label("ip", {"ip": X}, 2).notes == ()


def test_an_undo_or_a_reset_of_others_is_named(flow: Settings) -> None:
    ann, bob = day(flow, author="ann"), day(flow, author="bob")
    first = ann.label("fields", {"srcip": X, "dport": 443}, 1).action
    assert first is not None
    bob.undo(first.action_id)
    (note,) = ann.label("ip", {"ip": X}, 3, dry_run=True).notes
    assert note.startswith("2 of 4 rows: bob's undo changed them at ")
    assert note.endswith(", now Low")
    # Undone twice: the rows are as they were shown.
    bob.undo(bob.actions()[-1].action_id)
    assert ann.label("ip", {"ip": X}, 3).notes == ()
    bob.reset("20160708")
    (note,) = ann.label("ip", {"ip": X}, 2, dry_run=True).notes
    assert note.startswith("4 of 4 rows: bob's reset changed them at ")
    assert ann.label("ip", {"ip": "10.1.2.3"}, 2, dry_run=True).notes == ()
    # What is newer than the reset is named for what it is.
    bob.label("fields", {"srcip": X, "dport": 80}, 1)
    reset, scored = ann.label("ip", {"ip": X}, 2).notes
    assert reset.startswith("3 of 4 rows: bob's reset changed them at ")
    assert scored.startswith("1 of 4 rows: bob scored them High at ")
    # The same person's undo elsewhere is no news.
    day(flow, author="ann").undo()
    assert ann.label("ip", {"ip": X}, 2).notes == ()


def test_limits_are_refused_and_not_cut(flow: Settings) -> None:
    with pytest.raises(UsageError, match="note has 2001 characters, 2000 are allowed"):
        day(flow).label("ip", {"ip": X}, 1, note="n" * 2001)
    with pytest.raises(UsageError, match="author has 65 characters, 64 are allowed"):
        day(flow, author="a" * 65).label("ip", {"ip": X}, 1)
    with pytest.raises(UsageError, match="the author is blank"):
        day(flow, author=" ").label("ip", {"ip": X}, 1)
    with pytest.raises(UsageError, match="is not UTF-8"):
        day(flow).label("ip", {"ip": X}, 1, note="\udcff")
    day(flow).label("ip", {"ip": X}, 1, note="n" * 1999 + "\n")
    assert len(day(flow).actions()) == 1


def test_an_unpublished_day_says_what_to_do(settings: Settings) -> None:
    with pytest.raises(
        SpotOaError, match="is not published: run `spot-oa run flow --date 2016-07-08`"
    ):
        day(settings)


def test_a_pipeline_without_description_of_labels_is_refused(settings: Settings) -> None:
    from analyst.published import triage_of
    from spot_oa.pipelines import get_pipeline

    pipeline = get_pipeline("flow").model_copy(update={"triage": None})
    with pytest.raises(UsageError, match="cannot be labelled"):
        triage_of(pipeline)


def test_unknown_selectors_are_refused(flow: Settings) -> None:
    with pytest.raises(UsageError, match="'query': use one of rows, fields, ip"):
        day(flow).label("query", {"dns_qry_name": "x"}, 1)
    with pytest.raises(UsageError, match="'x' is unknown"):
        day(flow).label("fields", {"x": "1"}, 1)


def test_nobody_else_is_marked_as_open(flow: Settings) -> None:
    opened = day(flow)
    opened.label("ip", {"ip": X}, 1)
    assert [each.rank for each in opened.in_order()] == [4, 5, 6, 0, 1, 2, 3]
    assert [dataclasses.asdict(each)["is_open"] for each in opened.in_order()] == [True] * 3 + [
        False
    ] * 4
