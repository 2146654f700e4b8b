"""However much users write, metrics stay as few: a series more for each name would fill what scrapes them."""

import copy
import json
import re

from tests.server.running import RunningServer, recorded

HOSTILE = 60


def series(server: RunningServer) -> set[str]:
    """Give the names and labels of all series."""
    lines = server.client.get("/metrics").text.splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


def ask(server: RunningServer, number: int) -> None:
    """Send one request of every kind in which all that a user chooses is of this number."""
    name = f"chosen-{number}"
    pod = recorded("create-pods")
    text = json.dumps(pod).replace("my-nb", name).replace("team-a", f"team-{name}")
    document = json.loads(text)
    request = document["request"]
    request["userInfo"] = {"username": name, "groups": [name]}
    request["object"]["spec"]["containers"][0]["image"] = f"{name}.example.com/{name}:{name}"
    for endpoint in ("validate", "mutate"):
        server.client.post(f"/{endpoint}?timeout=5s&{name}={name}", json=document)
    other = copy.deepcopy(document)
    other["request"]["operation"] = name
    other["request"]["resource"]["resource"] = name
    server.client.post("/validate", json=other)
    server.client.post(f"/{name}", json={}, headers={"X-Chosen": name})
    server.client.request(f"M{number}", "/validate")


def test_no_series_comes_of_what_users_write(server: RunningServer) -> None:
    ask(server, 0)
    server.review("mutate", recorded("create-pods"))
    before = series(server)
    for number in range(1, HOSTILE):
        ask(server, number)
    assert series(server) == before
    assert not any("chosen" in one for one in before)
    assert len(before) < 100
    counted = [one for one in before if re.match(r"nbgate_admission_requests_total\{.*denied", one)]
    assert counted
