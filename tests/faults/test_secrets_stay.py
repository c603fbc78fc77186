"""Secrets go to their service and nowhere else: not to a file, a table, a log or the terminal.

The services here are the worst there can be: they say back all that they were told.
(Prefect's server and blocks: tests/integration/deployments/test_secrets.py.)
"""

from __future__ import annotations

import re
from pathlib import Path

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from spot_oa.demo import DEMO_DATES, generate
from tests.support import days
from tests.support.oracle import Day
from tests.support.warm import Warm

FIRST, _ = DEMO_DATES
KEYS = {
    "ABUSEIPDB__KEY": "MARKER-abuseipdb",
    "VIRUSTOTAL__KEY": "MARKER-virustotal",
    "GREYNOISE__KEY": "MARKER-greynoise",
    "OTX__KEY": "MARKER-otx",
    "URLHAUS__KEY": "MARKER-urlhaus",
    "THREATFOX__KEY": "MARKER-threatfox",
    "MISP__KEY": "MARKER-misp",
    "FB__APP_SECRET": "MARKER-fb",
    "GTI__PASSWORD": "MARKER-gti",
    "FEEDS__MINE__KEY": "MARKER-feed",
}
IN_URL = "MARKER-in-url"
STATUS = {"otx": 500, "virustotal": 403, "misp": 404, "abuseipdb": 429}


def test_secrets_stay_where_they_belong(tmp_path: Path, runs: Warm, httpserver: HTTPServer) -> None:
    home = tmp_path / "home"
    generate(home, dates=[FIRST], pipelines=("flow",), rows_per_day=100, suspicious=20)
    results = home / "ml"
    # The demo's addresses are documentation's: nobody may be asked about them.
    line = "\t".join(days.RESULT["flow"](FIRST)[0].values()).encode()
    days.write_results(Day("flow", FIRST, 500, line, []), home)

    def answer(request: Request) -> Response:
        asked = request.path.strip("/").split("/")
        if asked[0] == "ml":
            file = results.joinpath(*asked[1:])
            return Response(file.read_bytes() if file.is_file() else b"", 200)
        if asked[0] == "feed":
            # What a list says is kept, whatever it is: this one says nothing back.
            return Response("listed.example.org")
        told = f"{request.url} {dict(request.headers)} {request.get_data(as_text=True)}"
        return Response(told, STATUS.get(asked[0], 200), {"X-Told": told[:200].replace("\n", " ")})

    httpserver.expect_request(re.compile(".*")).respond_with_handler(answer)
    base = httpserver.url_for("").rstrip("/")
    with_user = base.replace("//", f"//bob:{IN_URL}@", 1)
    environment = {f"SPOT_OA_SERVICES__{name}": key for name, key in KEYS.items()}
    for service in ("ABUSEIPDB", "VIRUSTOTAL", "GREYNOISE", "OTX", "URLHAUS", "THREATFOX", "MISP"):
        environment[f"SPOT_OA_SERVICES__{service}__URL"] = f"{base}/{service.lower()}"
    environment |= {
        "SPOT_OA_SERVICES__FB__APP_ID": "17",
        "SPOT_OA_SERVICES__FB__URL": f"{base}/fb",
        "SPOT_OA_SERVICES__GTI__URL": f"{base}/gti",
        "SPOT_OA_SERVICES__GTI__USER": "bob",
        "SPOT_OA_SERVICES__FEEDS__MINE__URL": f"{base}/feed?token={IN_URL}",
        "SPOT_OA_MAXMIND_ACCOUNT_ID": "17",
        "SPOT_OA_MAXMIND_LICENSE_KEY": "MARKER-maxmind",
        "SPOT_OA_IMPALA_PASSWORD": "MARKER-impala",
        "SPOT_OA_ML_URI": f"{with_user}/ml",
        "SPOT_OA_HTTP_ATTEMPTS": "1",
        "SPOT_OA_SERVICE_SECONDS": "5",
    }
    run = ["run", "flow", "--date", str(FIRST), "--limit", "20", "--debug"]
    told = [runs.run(home, *run, **environment)]
    sent = " ".join(
        f"{request.url} {dict(request.headers)} {request.get_data(as_text=True)}"
        for request, _ in httpserver.log
    )
    told.append(runs.run(home, "doctor", **environment))
    # A proxy that is not there, with a password; and a run that fails and shows its traceback.
    proxy = {"SPOT_OA_PROXY": f"http://bob:{IN_URL}@127.0.0.1:9"}
    told.append(runs.run(home, *run, **(environment | proxy)))
    told.append(runs.run(home, *run, **(environment | {"SPOT_OA_ML_URI": f"{with_user}:1/ml"})))

    assert [code for code, *_ in told] == [0, 1, 0, 1], told
    for key in [*KEYS.values(), IN_URL]:
        # The password of gti is for its command, which is not in use here.
        if key != "MARKER-gti":
            assert key in sent, "this service was not asked"
    assert "Traceback" in told[-1][2]
    for _, output, errors in told:
        assert "MARKER" not in output + errors
    looked_at = [path for path in home.rglob("*") if path.is_file()]
    assert {".sql", ".log", ".json", ".duckdb", ".sqlite"} <= {path.suffix for path in looked_at}
    found = [path for path in looked_at if b"MARKER" in path.read_bytes()]
    assert found == []
