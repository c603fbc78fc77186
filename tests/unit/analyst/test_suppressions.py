"""Suppressions: until a day, for a reason, and out of no table."""

from __future__ import annotations

import datetime as dt

import pytest

from analyst.store import SqliteStore, open_store
from analyst.suppressions import standing, suppress, suppression, unsuppress
from spot_oa.errors import StoreError, UsageError
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import Settings
from tests.support.labelled import DATE, day, publish

TODAY = DATE
FLOW, DNS, PROXY = (get_pipeline(name) for name in ("flow", "dns", "proxy"))


@pytest.fixture
def store(settings: Settings) -> SqliteStore:
    return open_store(settings)


def keep(store: SqliteStore, pipeline: str, **asked: str) -> str:
    dates = {name: asked.pop(name) for name in ("first", "last") if name in asked}
    described = get_pipeline(pipeline)
    kept = suppression(described, asked, reason="backup", today=TODAY, **dates)
    made = suppress(store, described, kept, reason="backup", author="ann", made_with="cli")
    return made.id


def open_ranks(settings: Settings, pipeline: str = "flow") -> list[int | None]:
    return [each.rank for each in day(settings, pipeline).rows() if each.is_open]


def test_a_network_at_one_end(settings: Settings, store: SqliteStore) -> None:
    publish(settings, "flow", [{"dstip": "192.0.2.7"}, {"dstip": "198.51.100.1"}, {"dstip": "x"}])
    keep(store, "flow", column="dstip", cidr="192.0.2.0/24")
    opened = day(settings)
    assert open_ranks(settings) == [1, 2]
    assert opened.values("dstip").values == ["198.51.100.1", "x"]
    # Out of no table, and no judgement.
    assert [each.rank for each in opened.in_order()] == [1, 2, 0]
    assert [int(each.severity) for each in opened.rows()] == [0, 0, 0]
    assert opened.feedback().lines == []
    assert opened.apply_rules(["eq"] * 6, ["", "192.0.2.7", "", "", "", ""], 2).changed == 0
    # A person may still judge it.
    assert opened.label_ranks([0], "high").changed == 1


@pytest.mark.parametrize(
    ("pipeline", "asked", "rows", "left"),
    [
        (
            "dns",
            {"column": "dns_qry_name", "suffix": "example.com"},
            [
                {"dns_qry_name": name}
                for name in ("a.EXAMPLE.com.", "notexample.com", "example.com")
            ],
            [1],
        ),
        (
            "proxy",
            {"column": "fulluri", "prefix": "www.example.com/a?"},
            [{"fulluri": f"www.example.com/{rest}"} for rest in ("a?b", "A?b", "a")],
            [1, 2],
        ),
        (
            "flow",
            {"column": "dport", "exact": "0"},
            [{"dport": 0}, {"dport": None}, {"dport": 80}],
            [1, 2],
        ),
        (
            "flow",
            {"column": "srcip", "exact": "2001:DB8::5"},
            [{"srcip": "2001:db8:0::5"}, {"srcip": "2001:db8::6"}],
            [1],
        ),
    ],
)
def test_each_way_to_match(
    settings: Settings,
    store: SqliteStore,
    pipeline: str,
    asked: dict[str, str],
    rows: list[dict[str, object]],
    left: list[int],
) -> None:
    publish(settings, pipeline, rows)
    keep(store, pipeline, **asked)
    assert open_ranks(settings, pipeline) == left


@pytest.mark.parametrize(
    ("first", "last", "acts"),
    [
        ("2016-07-01", "2016-07-07", False),
        ("2016-07-01", "2016-07-08", True),
        ("20160708", "20160708", True),
        ("2016-07-09", "2016-07-10", False),
    ],
)
def test_it_acts_on_days_and_not_on_the_clock(
    settings: Settings, store: SqliteStore, first: str, last: str, acts: bool
) -> None:
    publish(settings, "flow", [{"srcip": "10.0.0.1"}])
    keep(store, "flow", column="srcip", exact="10.0.0.1", first=first, last=last)
    assert open_ranks(settings) == ([] if acts else [0])


def test_it_ends_by_itself_after_90_days(store: SqliteStore) -> None:
    keep(store, "flow", column="srcip", exact="10.0.0.1")
    (kept,) = standing(store.undated("flow"))
    assert (kept.first, kept.last) == (TODAY, TODAY + dt.timedelta(days=90))


@pytest.mark.parametrize(
    ("asked", "reason", "says"),
    [
        ({"column": "srcip", "exact": "10.0.0.1"}, " ", "needs a reason"),
        ({"column": "srcip", "exact": "10.0.0.1"}, "x" * 2001, "2000 are allowed"),
        (
            {"column": "score", "exact": "1"},
            "why",
            "cannot be suppressed by 'score': use one of srcip",
        ),
        ({"column": "srcip"}, "why", "by exactly one of cidr, suffix, prefix, exact"),
        ({"column": "srcip", "exact": "a", "cidr": "10.0.0.0/8"}, "why", "by exactly one of cidr"),
        (
            {"column": "srcip", "suffix": "a.example"},
            "why",
            "not be compared by suffix: use cidr or",
        ),
        ({"column": "srcip", "cidr": "10.0.0.0/33"}, "why", "suppresses nothing"),
        ({"column": "srcip", "exact": " "}, "why", "suppresses nothing"),
        ({"column": "dport", "exact": "http"}, "why", "suppresses nothing"),
    ],
)
def test_what_cannot_be_meant_is_refused(asked: dict[str, str], reason: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        suppression(FLOW, asked, reason=reason, today=TODAY)


@pytest.mark.parametrize(("pipeline", "asked"), [
    (DNS, {"column": "dns_qry_name", "suffix": "."}),
    (DNS, {"column": "dns_qry_name", "suffix": ""}),
    (PROXY, {"column": "fulluri", "prefix": ""}),
])  # fmt: skip
def test_what_would_cover_everything_is_refused(pipeline: object, asked: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="suppresses nothing"):
        suppression(pipeline, asked, reason="why", today=TODAY)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "last"), [("2016-07-08", "2017-07-09"), ("2016-07-08", "2016-07-07")]
)
def test_no_suppression_is_for_good(first: str, last: str) -> None:
    with pytest.raises(UsageError, match="correct its first or last day"):
        suppression(
            FLOW,
            {"column": "srcip", "exact": "10.0.0.1"},
            reason="why",
            today=TODAY,
            first=first,
            last=last,
        )


def test_taken_back_it_covers_nothing_and_the_history_has_both(
    settings: Settings, store: SqliteStore
) -> None:
    publish(settings, "flow", [{"srcip": "10.0.0.1"}])
    made = keep(store, "flow", column="srcip", exact="10.0.0.1")
    with pytest.raises(UsageError, match="already exists"):
        keep(store, "flow", column="srcip", exact="10.0.0.1")
    unsuppress(store, made[:8], author="bob", made_with="cli", note="it was not")
    assert open_ranks(settings) == [0]
    assert [(each.kind, each.author) for each in store.undated("flow")] == [
        ("suppress", "ann"),
        ("unsuppress", "bob"),
    ]
    with pytest.raises(UsageError, match="taken back already"):
        unsuppress(store, made, author="bob", made_with="cli")
    # It can be made again.
    keep(store, "flow", column="srcip", exact="10.0.0.1")
    assert open_ranks(settings) == []


def test_a_label_is_no_suppression(settings: Settings, store: SqliteStore) -> None:
    publish(settings, "flow", [{}])
    action = day(settings).label_ranks([0], "low").action
    assert action is not None
    with pytest.raises(UsageError, match="is not a suppression"):
        unsuppress(store, action.action_id, author="ann", made_with="cli")


def test_one_that_cannot_be_read_names_itself(store: SqliteStore) -> None:
    kept = {"column": "srcip", "match": "exact", "value": "a", "first": "soon", "last": "never"}
    with pytest.raises(StoreError, match="take it back with `spot-oa unsuppress"):
        suppress(store, FLOW, kept, reason="why", author="ann", made_with="cli")
    with pytest.raises(StoreError):
        standing(store.undated("flow"))
    # It stands in the way of no other, and the way out that it names is one.
    other = keep(store, "flow", column="srcip", exact="10.0.0.1")
    (broken, _) = store.undated("flow")
    assert unsuppress(store, broken.short_id, author="bob", made_with="cli") is None
    assert [each.id for each in standing(store.undated("flow"))] == [other]
