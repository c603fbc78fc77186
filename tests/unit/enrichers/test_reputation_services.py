"""How services are found, configured and counted."""

from __future__ import annotations

import datetime as dt
import re
import threading
import time
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from python_enrichers import load_enricher
from python_enrichers.base import SourceError
from python_enrichers.bounded import work_off
from python_enrichers.budget import Budget, Deadline, Limits, Meter, NotAskedError
from python_enrichers.reputation.registry import load_services
from python_enrichers.reputation.services.spamhaus import Drop
from python_enrichers.reputation.services.spamhaus import Options as SpamhausOptions
from spot_oa.errors import ConfigError, EnrichmentError
from spot_oa.settings import Settings, load_settings
from tests.support.lookups import WriteContext, column
from tests.support.project import PROJECT

KEY = "s3cr3t-k3y"


def with_services(home: Path, **services: Any) -> Settings:
    return load_settings(home=home, services=services)


def test_the_services_that_ship() -> None:
    assert {point.name for point in entry_points(group="spot_oa.reputation")} == {
        *("abuseipdb", "fb", "feeds", "greynoise", "gti", "misp", "otx"),
        *("spamhaus", "threatfox", "urlhaus", "virustotal"),
    }


def test_one_module_speaks_http() -> None:
    packages = [PROJECT / name for name in ("python_enrichers", "spot_oa")]
    modules = [module for package in packages for module in package.rglob("*.py")]
    importing = re.compile(r"^\s*(import|from) (requests|urllib3|urllib\.request|http)\b", re.M)
    assert [module.name for module in modules if importing.search(module.read_text())] == [
        "http.py"
    ]


def test_a_service_is_set_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SPOT_OA_HOME", str(tmp_path))
    monkeypatch.setenv("SPOT_OA_SERVICES__VIRUSTOTAL__KEY", "12e45")
    monkeypatch.setenv("SPOT_OA_SERVICES__VIRUSTOTAL__DAILY", "7")
    monkeypatch.setenv("SPOT_OA_SERVICES__URLHAUS__KEY", "007")
    monkeypatch.setenv("SPOT_OA_SERVICES__SPAMHAUS", "on")
    monkeypatch.setenv("SPOT_OA_SERVICES__OTX", "off")
    monkeypatch.setenv("SPOT_OA_SERVICES__ABUSEIPDB__KEY", "on")
    monkeypatch.setenv("SPOT_OA_SERVICES__ABUSEIPDB__BLACKLIST", "on")
    monkeypatch.setenv("SPOT_OA_SERVICES__ABUSEIPDB__CHECK", "off")
    monkeypatch.setenv("SPOT_OA_SERVICES__FEEDS__MINE__PATH", "/some/list")
    settings = load_settings()
    assert {service.name for service in load_services(settings)} == {
        *("abuseipdb_blacklist", "virustotal", "urlhaus", "spamhaus", "mine"),
    }
    # As written: neither a number nor a shorter one.
    assert settings.services["virustotal"]["key"].get_secret_value() == "12e45"
    assert settings.services["urlhaus"]["key"].get_secret_value() == "007"


def test_a_service_is_set_in_the_dotenv_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SPOT_OA_SERVICES__URLHAUS__KEY=12e45\n")
    (service,) = load_services(load_settings())
    assert service.name == "urlhaus"


LIVE = {"daily": "7", "per_minute": "3"}
KEYED = {"key": KEY, "url": "http://127.0.0.1:9/api"}
EVERY_OPTION: dict[str, dict[str, str]] = {
    "abuseipdb": LIVE
    | KEYED
    | {"max_age_days": "60", "check": "on", "blacklist": "on", "blacklist_confidence": "75"}
    | {"high": "80", "medium": "50", "low": "2"},
    "fb": LIVE
    | {"app_id": "0077", "app_secret": KEY, "url": "http://127.0.0.1:9", "version": "v27.0"}
    | {"page_size": "50"},
    "feeds": {
        f"mine__{option}": value
        for option, value in {
            "format": "csv",
            "delimiter": ";",
            "comment": "#",
            "indicator": "ip",
            "label_column": "what",
            "severity_column": "level",
            "category_column": "4",
            "label": "Bad",
            "severity": "3",
            "hours": "2.5",
            "max_age_days": "1.5",
            "header": "X-Key",
            "key": KEY,
            "attribution": "(c) us, all",
            "url": "http://127.0.0.1:9/list",
        }.items()
    }
    | {"other__path": "/some/list"},
    "greynoise": LIVE | KEYED | {"bulk": "true", "batch_size": "10"},
    "gti": LIVE
    | {"command": "/opt/gti -s {server}", "server": "gti.com", "user": "joe", "password": KEY}
    | {"ci": '{"cliid": "x"}', "batch_size": "5", "categories": "{categories}"},
    "misp": LIVE | KEYED | {"batch_size": "5", "page_size": "10", "to_ids": "off"},
    "otx": LIVE | KEYED | {"check": "on", "pulses": "on", "pulse_days": "30", "severity": "3"},
    "spamhaus": {"url": "http://127.0.0.1:9", "files": "drop_v4.json, asn.json", "hours": "24"},
    "threatfox": KEYED | {"days": "3", "hours": "2"},
    "urlhaus": LIVE | KEYED,
    "virustotal": LIVE | KEYED | {"high": "9", "medium": "4"},
}
INSTEAD_OF_ANOTHER = {"gti": {"url"}}


@pytest.mark.parametrize("name", EVERY_OPTION)
def test_every_option_of_every_service_can_be_set_in_the_environment_and_is_documented(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    (tmp_path / "categories.csv").write_text("101,Phishing,Risk\n")
    given = {
        option: value.replace("{categories}", str(tmp_path / "categories.csv"))
        for option, value in EVERY_OPTION[name].items()
    }
    for option, value in given.items():
        monkeypatch.setenv(f"SPOT_OA_SERVICES__{name}__{option}".upper(), value)
    settings = load_settings(home=tmp_path)
    assert load_services(settings)
    (point,) = entry_points(group="spot_oa.reputation", name=name)
    model = point.load().Options
    if name == "feeds":
        model = model.model_fields["root"].annotation.__args__[1]
    there_are = set(model.model_fields) - INSTEAD_OF_ANOTHER.get(name, set())
    assert {option.rpartition("__")[2] for option in given} == there_are
    pages = "".join(page.read_text() for page in (PROJECT / "docs/enrichment").glob("rep*.md"))
    for option in there_are:
        assert f"`{option}" in pages


@pytest.mark.parametrize(
    "text", ["drop_v4.json,asn.json", " drop_v4.json , asn.json ", '["drop_v4.json", "asn.json"]']
)
def test_an_option_of_several_values(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    monkeypatch.setenv("SPOT_OA_SERVICES__SPAMHAUS__FILES", text)
    options = load_settings(home=tmp_path).services["spamhaus"]
    read = SpamhausOptions.model_validate({"files": options["files"].get_secret_value()})
    assert read.files == ("drop_v4.json", "asn.json")
    assert load_services(load_settings(home=tmp_path))


@pytest.mark.parametrize("text", [" , ", "[]", "[1", "[{}]"])
def test_several_values_of_which_none_is_one_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="SPOT_OA_SERVICES__SPAMHAUS__FILES"):
        load_services(with_services(tmp_path, spamhaus={"files": text}))


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ({"virustotal": {}}, "SPOT_OA_SERVICES__VIRUSTOTAL__KEY: Field required"),
        (
            {"virustotal": {"kee": KEY}},
            "SPOT_OA_SERVICES__VIRUSTOTAL__KEE: no such option; did you mean KEY?",
        ),
        (
            {"virustotal": {"key": KEY, "daily": KEY}},
            "SPOT_OA_SERVICES__VIRUSTOTAL__DAILY: Input should be a valid integer",
        ),
        ({"virustotl": {"key": KEY}}, "no such service; did you mean VIRUSTOTAL? there are abuse"),
        ({"nobody": {"key": KEY}}, "SPOT_OA_SERVICES__NOBODY: no such service; there are abuse"),
        ({"gti": {}}, "SPOT_OA_SERVICES__GTI: Value error, set either URL or COMMAND"),
        (
            {"feeds": {"mine": {"path": "/a", "format": KEY}}},
            "SPOT_OA_SERVICES__FEEDS__MINE__FORMAT: Input should be 'text', 'csv' or 'jsonl'",
        ),
        (
            {"gti": {"url": "http://x", "categories": "/no"}},
            "SPOT_OA_SERVICES__GTI__CATEGORIES=/no",
        ),
    ],
)
def test_a_bad_option_is_named_in_one_line_without_its_value(
    tmp_path: Path, services: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_services(with_services(tmp_path, **services))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    shown: BaseException | None = caught.value
    while shown:
        assert KEY not in str(shown)
        shown = shown.__cause__


@pytest.mark.parametrize(
    ("environment", "dotenv", "hours"),
    [
        ({"SPAMHAUS": "on", "SPAMHAUS__HOURS": "6"}, "", 6),
        ({"SPAMHAUS__HOURS": "6", "SPAMHAUS": "ON"}, "", 6),
        ({"SPAMHAUS": "on"}, "SPAMHAUS__HOURS=6", 6),
        ({"SPAMHAUS__HOURS": "6"}, "SPAMHAUS=on", 6),
        ({"SPAMHAUS__HOURS": "6", "SPAMHAUS": "off"}, "", None),
        ({"SPAMHAUS": "off"}, "SPAMHAUS__HOURS=6", None),
        ({"SPAMHAUS": "on"}, "", 12),
    ],
)
def test_on_off_and_options_go_together(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    environment: dict[str, str],
    dotenv: str,
    hours: int | None,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(f"SPOT_OA_SERVICES__{name}", value)
    (tmp_path / ".env").write_text(f"SPOT_OA_SERVICES__{dotenv}\n" if dotenv else "")
    lists = [s for s in load_services(load_settings()) if isinstance(s, Drop)]
    assert [s.interval for s in lists] == ([dt.timedelta(hours=hours)] if hours else [])


@pytest.mark.parametrize("value", ["maybe", KEY])
def test_a_service_is_on_or_off(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SPOT_OA_SERVICES__SPAMHAUS", value)
    with pytest.raises(ConfigError, match="SPOT_OA_SERVICES__SPAMHAUS: write on or off") as caught:
        load_settings()
    assert value not in str(caught.value)


def test_names_are_unique(settings: Settings, write_context: WriteContext) -> None:
    write_context("reputation/virustotal.csv", "8.8.8.8,Bad,3\n")
    both = with_services(settings.home, virustotal={"key": KEY})
    with pytest.raises(ConfigError, match="'virustotal' exists twice"):
        load_enricher("reputation", both)


def test_a_cache_that_cannot_be_written_is_found_at_load(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "reputation"
    folder.mkdir(parents=True)
    (folder / "urlhaus.sqlite").write_bytes(b"no database, but long enough to be one" * 9)
    with pytest.raises(EnrichmentError, match=r"urlhaus\.sqlite cannot be written"):
        load_enricher("reputation", with_services(tmp_path, urlhaus={"key": KEY}))


PLUGIN = r"""
from python_enrichers.reputation.base import LiveOptions, Verdict


class Options(LiveOptions):
    label: str = "Odd"


class Acme:
    kinds = frozenset({"name"})
    batch_size = 2

    def __init__(self, options, tools):
        self.name = tools.name
        self.meter = tools.meter(options.limits)
        self.options = options

    def lookup(self, kind, indicators):
        self.meter.take()
        if "crash.com" in indicators:
            raise RuntimeError("with the indicator crash.com in its text")
        if "odd.com" in indicators:
            return {name: Verdict(4, "Odd") for name in indicators}
        if "text.com" in indicators:
            return {name: "High" for name in indicators}
        if "pair.com" in indicators:
            return {name: Verdict(3, "half a pair \ud83d") for name in indicators}
        if "none.com" in indicators:
            return {name: Verdict(3, None) for name in indicators}
        if "number.com" in indicators:
            return {name: Verdict(3, "High", category=5) for name in indicators}
        if "word.com" in indicators:
            return {name: Verdict(3, "High", "sure") for name in indicators}
        return {name: Verdict(3, self.options.label) for name in indicators if name != "gap.com"}


def load(options, tools):
    return [Acme(options, tools)]
"""


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service that somebody else has installed."""
    site = tmp_path / "site"
    info = site / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[spot_oa.reputation]\nacme = acme_plugin\n")
    (site / "acme_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(site))
    return tmp_path / "home"


def test_a_service_from_elsewhere_is_found_and_configured(acme: Path) -> None:
    settings = with_services(acme, acme={"label": "Nasty", "daily": "1"})
    names = ["a.com", "b.com", "c.com"]
    found = load_enricher("reputation", settings).enrich({"name": names, "address": ["8.8.8.8"]})
    said = column(found.tables["reputation"], "indicator", "reputation")
    assert said == {"a.com": "acme:Nasty:3", "b.com": "acme:Nasty:3", "c.com": "", "8.8.8.8": ""}


def test_a_service_that_breaks_does_not_stop_the_day(acme: Path) -> None:
    settings = load_settings(home=acme, services={"acme": {}}, service_threads=1)
    names = ["crash.com", "a.com", "gap.com", "b.com"]
    for bad in ("odd.com", "text.com", "pair.com", "none.com", "number.com", "word.com"):
        names += [bad, f"not{bad}"]
    found = load_enricher("reputation", settings).enrich({"name": names})
    outcomes = column(found.tables["reputation_verdicts"], "indicator", "outcome")
    assert list(outcomes.values()) == [*["malformed"] * 3, "answered", *["malformed"] * 12]
    (outcome,) = found.outcomes
    assert outcome.status == "malformed"
    assert "RuntimeError" in outcome.detail
    assert "crash.com" not in outcome.detail


# --- the budget --------------------------------------------------------------------------------

NOON = 1_468_065_600.0  # 2016-07-09T12:00:00Z


class Clock:
    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_a_days_calls_are_kept_in_the_file(tmp_path: Path) -> None:
    clock, limits = Clock(), Limits(daily=3, per_minute=100)
    path = tmp_path / "deep" / "budget.sqlite"
    for left in (2, 1, 0):
        assert Budget(path, clock).take("a", limits) == 0
        assert Budget(path, clock).left("a", limits) == left
    with pytest.raises(NotAskedError, match="budget of 3 calls is used up"):
        Budget(path, clock).take("a", limits)
    assert Budget(path, clock).take("b", limits) == 0
    clock.now = NOON + 12 * 3600 - 1
    assert Budget(path, clock).left("a", limits) == 0
    clock.now = NOON + 12 * 3600
    assert Budget(path, clock).left("a", limits) == 3
    assert Budget(path, clock).take("a", limits) == 0


def test_calls_a_minute_run_over_midnight(tmp_path: Path) -> None:
    clock, limits = Clock(NOON + 12 * 3600 - 10), Limits(daily=100, per_minute=2)
    budget = Budget(tmp_path / "budget.sqlite", clock)
    assert budget.take("a", limits) == 0
    clock.now += 5
    assert budget.take("a", limits) == 0
    clock.now += 10
    assert budget.take("a", limits) == pytest.approx(45)
    clock.now += 45.5
    assert budget.take("a", limits) == 0
    assert budget.take("a", limits) == pytest.approx(4.5)


def test_a_meter_waits_its_turn(tmp_path: Path) -> None:
    clock = Clock()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += seconds + 0.1

    budget = Budget(tmp_path / "budget.sqlite", clock)
    meter = Meter("a", Limits(daily=9, per_minute=1), budget, Deadline(), sleep)
    meter.take()
    meter.take()
    assert slept == [pytest.approx(60)]
    meter.deadline.start(5)
    with pytest.raises(NotAskedError, match="more than 1 calls a minute"):
        meter.take()
    meter.deadline.start(0)
    with pytest.raises(NotAskedError, match="time for this service is over"):
        meter.take()


def test_the_last_call_goes_to_one_of_many(tmp_path: Path) -> None:
    budget, limits = Budget(tmp_path / "budget.sqlite"), Limits(daily=5, per_minute=100)
    taken: list[float] = []

    def take() -> None:
        with suppress(NotAskedError):
            taken.append(budget.take("a", limits))

    work_off([take] * 12, threads=6, seconds=20)
    assert taken == [0] * 5


def test_a_broken_budget_spends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "budget.sqlite"
    path.write_bytes(b"no database, but long enough to be one" * 9)
    with pytest.raises(SourceError, match=r"budget\.sqlite cannot be used"):
        Budget(path).take("a", Limits(1, 1))


# --- bounded work ------------------------------------------------------------------------------


def test_work_is_begun_in_order_and_ends(tmp_path: Path) -> None:
    done: list[int] = []
    work_off([lambda n=n: done.append(n) for n in range(50)], threads=1, seconds=20)  # type: ignore[misc]
    assert done == list(range(50))


def test_what_hangs_is_left_behind() -> None:
    release = threading.Event()
    begun: list[int] = []

    def job(number: int) -> None:
        begun.append(number)
        release.wait(20)

    begin = time.monotonic()
    work_off([lambda: job(1), lambda: job(2), lambda: job(3)], threads=2, seconds=0.3)
    assert time.monotonic() - begin < 10
    release.set()
    time.sleep(0.1)
    assert sorted(begun) == [1, 2]


def test_no_work_takes_no_time() -> None:
    work_off([], threads=0, seconds=20)
    work_off([], threads=4, seconds=20)
