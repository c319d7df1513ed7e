"""What is written for Grafana: complete, the same each time, in both languages, and never green without data."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phongmay_bandwidth.result import Outcome
from phongmay_bandwidth.verdict import Verdict
from phongmay_contract.catalogue import MEASUREMENTS
from phongmay_dashboards.building import build
from phongmay_dashboards.conditions import CONDITIONS
from phongmay_dashboards.district import LINE_VERDICTS
from phongmay_dashboards.errors import DashboardError
from phongmay_dashboards.feeding import require_influx
from phongmay_dashboards.provisioning import BOARDS, data_sources, files, write
from phongmay_dashboards.query import KEPT, RAW
from phongmay_dashboards.school import OUTCOMES
from phongmay_dashboards.settings import DashboardSettings
from phongmay_dashboards.specification import GREY, Board, Panel
from phongmay_dashboards.status_series import STATUS
from phongmay_dashboards.wording import UNKNOWN, Language
from phongmay_rules.overview import Condition
from phongmay_store.series.influx_hours import MINUTES, hourly_fields, hourly_measurement
from phongmay_store.series.influx_words import OWN_FIELDS
from phongmay_store.series.quantities import gauges, is_raw
from phongmay_store.settings import InfluxSettings, StoreSettings

SETTINGS, INFLUX = DashboardSettings(pages_url="https://phongmay.example"), InfluxSettings()
PANELS = [(board, panel) for board in BOARDS for panel in board.panels]
_TOKEN = re.compile(r'"([^"]+)"')


def written(language: Language) -> Iterator[dict[str, Any]]:
    """Give every board as Grafana reads it."""
    for board in BOARDS:
        yield json.loads(build(board, language, SETTINGS.pages_url))


def known_columns() -> dict[str, tuple[str, set[str]]]:
    """Give for each documented measurement its data source, and its tags and fields."""
    found: dict[str, tuple[str, set[str]]] = {}
    for name, kind in MEASUREMENTS.items():
        own = {"device", "part", *OWN_FIELDS, *kind.by_name}
        found[name] = (RAW if is_raw(kind) else KEPT, own)
        if gauges(kind):
            hours = {field for gauge in gauges(kind) for field in hourly_fields(gauge.name)}
            found[hourly_measurement(name)] = (KEPT, {"device", "part", *hours})
    masks = {f"{mask}{end}" for mask in ("seen", "reachable", "unreachable") for end in ("", "_minutes")}
    found[MINUTES] = (KEPT, {"device", *masks})
    found |= {name: (RAW, {*kind.tags, *kind.types}) for name, kind in STATUS.items()}
    return found


@pytest.mark.parametrize(
    ("board", "panel"), PANELS, ids=lambda one: one.key if isinstance(one, Board) else one.title.en
)
def test_queries_read_documented_series_only(board: Board, panel: Panel) -> None:
    """Each name in a query is a measurement, tag or field of the data model, or one that the query itself gives."""
    known = known_columns()
    for query in (*panel.queries, *(variable for variable in board.variables)):
        text = query.query
        measurements = set(re.findall(r'FROM "(\w+)"', text))
        assert len(measurements) == 1
        (measurement,) = measurements
        database, columns = known[measurement]
        assert query.database == database
        given = set(re.findall(r'AS "(\w+)"', text))
        assert set(_TOKEN.findall(text)) <= {measurement, *columns, *given}


def test_every_state_that_is_stored_has_its_words() -> None:
    """A board says each outcome, verdict and condition in words and colour, never as the program's own name."""
    assert set(OUTCOMES) == set(Outcome)
    assert set(LINE_VERDICTS) == set(Verdict)
    assert set(CONDITIONS) == set(Condition)


def test_status_series_do_not_shadow_measured_ones() -> None:
    """No status series has the name of something that a device sends or that the store writes."""
    assert not STATUS.keys() & ({*MEASUREMENTS, MINUTES} | {hourly_measurement(name) for name in MEASUREMENTS})


@pytest.mark.parametrize("language", Language)
def test_nothing_is_green_without_data(language: Language) -> None:
    """Without data a panel says unknown, and the base colour, which Grafana then takes, is grey."""
    said = UNKNOWN.in_(language)
    for board in written(language):
        for panel in board["panels"]:
            defaults = panel["fieldConfig"]["defaults"]
            assert defaults["noValue"] == said
            empty = [one for one in defaults["mappings"] if one["type"] == "special"]
            assert empty[0]["options"]["match"] == "null+nan"
            assert empty[0]["options"]["result"] == {"text": said, "color": GREY, **_index(empty[0])}
            scales = [defaults.get("thresholds")]
            scales += [
                one["value"] for o in panel["fieldConfig"]["overrides"] for one in o["properties"]
                if one["id"] == "thresholds"
            ]  # fmt: skip
            assert all(scale["steps"][0] == {"value": None, "color": GREY} for scale in scales if scale)


def _index(mapping: dict[str, Any]) -> dict[str, Any]:
    result = mapping["options"]["result"]
    return {"index": result["index"]} if "index" in result else {}


@pytest.mark.parametrize(
    ("board", "panel"), PANELS, ids=lambda one: one.key if isinstance(one, Board) else one.title.en
)
def test_no_query_through_time_hides_a_gap(board: Board, panel: Panel) -> None:
    """Bins without a value come as null (or 0 where nothing is what was counted); rates have none, so lines are cut."""
    for query in panel.queries:
        if "GROUP BY time" in query.query:
            rate = "derivative" in query.query
            counted = "count(" in query.query
            assert query.query.endswith("fill(none)" if rate else "fill(0)" if counted else "fill(null)")
    if panel.kind == "timeseries":
        (built,) = (
            one for one in json.loads(build(board, Language.EN, ""))["panels"] if one["title"] == panel.title.en
        )
        custom = built["fieldConfig"]["defaults"]["custom"]
        assert (custom["spanNulls"], custom["insertNulls"]) == (900_000, 3_600_000)


@pytest.mark.parametrize("language", Language)
def test_every_panel_says_what_it_is_and_lies_beside_the_others(language: Language) -> None:
    """Title, description of at least a few words, an id of its own, and no panel on top of another."""
    for board in written(language):
        taken: set[tuple[int, int]] = set()
        panels = board["panels"]
        assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
        for panel in panels:
            assert len(panel["description"].split()) >= 4, panel["title"]
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
            assert max(x for x, _ in cells) < 24
            assert not cells & taken
            taken |= cells


@pytest.mark.parametrize("language", Language)
def test_tables_show_their_columns_in_our_order(language: Language) -> None:
    """Grafana gives columns of tags in any order: each table says its own, and shows the time of events only."""
    for board, spec in zip(written(language), BOARDS, strict=True):
        for panel, own in zip(board["panels"], spec.panels, strict=True):
            if own.queries[0].is_table:
                (one,) = panel["transformations"]
                assert one["id"] == "organize"
                order = one["options"]["indexByName"]
                assert sorted(order, key=lambda name: order[name]) == ["Time", *(column.name for column in own.columns)]
                assert one["options"]["excludeByName"] == ({} if own.shows_time else {"Time": True})
                asked = {*re.findall(r'AS "(\w+)"|"(\w+)"', own.queries[0].query)}
                assert {*order} - {"Time"} <= {name for pair in asked for name in pair}


def test_both_languages_ask_the_same_and_say_it_differently() -> None:
    """A board in English is the Vietnamese one with other words."""
    for vi, en in zip(written(Language.VI), written(Language.EN), strict=True):
        assert [p["targets"] for p in vi["panels"]] == [p["targets"] for p in en["panels"]]
        assert all(
            a["title"] != b["title"] or a["title"] == "RAM" for a, b in zip(vi["panels"], en["panels"], strict=True)
        )
        assert vi["uid"].removesuffix("-vi") == en["uid"].removesuffix("-en")


@pytest.mark.parametrize("language", Language)
def test_links_lead_to_boards_that_exist_and_to_our_pages(language: Language) -> None:
    """District leads to school, school to device and to the page that explains its verdicts, in the same language."""
    uids = {board["uid"] for board in written(language)}
    seen = set()
    for board in written(language):
        text = json.dumps(board)
        for url in re.findall(r'"url": "([^"]+)"', text):
            seen.add((board["uid"].split("-")[1], re.sub(r"\?.*", "", url)))
            if url.startswith("/d/"):
                assert re.sub(r"\?.*", "", url).removeprefix("/d/") in uids
            else:
                assert url.startswith("https://phongmay.example/schools/${")
                assert url.endswith(f"lang={language.value}")
    assert ("district", f"/d/phongmay-school-{language.value}") in seen
    assert ("school", f"/d/phongmay-device-{language.value}") in seen
    assert any(key == "school" and url.startswith("https://") for key, url in seen)


def test_the_same_settings_give_the_same_bytes(tmp_path: Path) -> None:
    """Files do not depend on the order of hashes, nor on where and when they are written."""
    texts = []
    for seed in ("1", "2"):
        code = (
            "import sys;from pathlib import Path;from phongmay_dashboards.provisioning import write;"
            "from phongmay_dashboards.settings import DashboardSettings as D;"
            "from phongmay_store.settings import InfluxSettings as I;write(Path(sys.argv[1]), D(), I(), '/grafana')"
        )
        folder = tmp_path / seed
        subprocess.run(
            [sys.executable, "-c", code, str(folder)], check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        )
        texts.append({path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    assert len(texts[0]) == 2 + 2 * len(BOARDS)
    assert texts[0] == texts[1]


def test_provisioning_names_what_the_boards_use() -> None:
    """Both data sources lead to our databases; each language has a folder whose path holds its boards."""
    found = dict(files(SETTINGS, INFLUX, "/grafana"))
    sources = json.loads(found["provisioning/datasources/phongmay.yaml"].split("\n", 1)[1])["datasources"]
    assert {(one["uid"], one["jsonData"]["dbName"]) for one in sources} == {(RAW, "phongmay_raw"), (KEPT, "phongmay")}
    used = {query.database for _, panel in PANELS for query in panel.queries}
    assert used == {RAW, KEPT}
    providers = json.loads(found["provisioning/dashboards/phongmay.yaml"].split("\n", 1)[1])["providers"]
    for one in providers:
        inside = one["options"]["path"].removeprefix("/grafana/")
        assert [name for name in found if name.startswith(f"{inside}/")]


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1", {"user": "reader", "secureJsonData": {"password": "$__file{/run/secrets/influx}"}}),
     ("2", {"secureJsonData": {"httpHeaderValue1": "Token $__file{/run/secrets/influx}"}}),
     ("3", {"secureJsonData": {"httpHeaderValue1": "Token $__file{/run/secrets/influx}"}})],
)  # fmt: skip
def test_secrets_are_named_and_never_written(version: str, expected: dict[str, Any]) -> None:
    """Grafana reads the secret from its own file; a $ of ours is no variable of Grafana's."""
    settings = DashboardSettings(secret_file="/run/secrets/influx", influx_user="reader", influx_url="http://in$flux:1")
    for one in data_sources(settings, InfluxSettings(version=version))["datasources"]:
        assert one.items() >= expected.items()
        assert one["url"] == "http://in$$flux:1"


def test_grafana_trusts_the_ca_that_it_is_named() -> None:
    """An InfluxDB with a certificate of the district's own CA: Grafana reads the CA beside the secret."""
    settings = DashboardSettings(secret_file="/run/secrets/influx", influx_ca_file="/etc/grafana/ca.pem")
    for one in data_sources(settings, InfluxSettings())["datasources"]:
        assert one["jsonData"]["tlsAuthWithCACert"] is True
        assert one["jsonData"]["httpHeaderName1"] == "Authorization"
        assert one["secureJsonData"]["tlsCACert"] == "$__file{/etc/grafana/ca.pem}"
        assert one["secureJsonData"]["httpHeaderValue1"].startswith("Token ")


def test_a_directory_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """The sentence names the option."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DashboardError, match="--to"):
        write(tmp_path / "file", SETTINGS, INFLUX)


def test_boards_without_an_influxdb_are_refused() -> None:
    """On SQLite the sentence names the key and the way out."""
    with pytest.raises(DashboardError, match=r"store\.series"):
        require_influx(StoreSettings(series="sqlite"))
