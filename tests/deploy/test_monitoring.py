"""Alerts and dashboard ask for metrics that there are, by labels that they have, in PromQL that is valid."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import promql_parser
import pytest
import yaml

from tests.deploy.rendering import Document, Objects, composed
from tests.deploy.tools import DEPLOY
from webhook.controller.metrics import Metrics as ControllerMetrics
from webhook.server.metrics import Metrics as WebhookMetrics

FOLDER = DEPLOY / "components" / "monitoring"
RULES = yaml.safe_load((FOLDER / "rules.yaml").read_text())
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
ALERTS = [rule for group in RULES["spec"]["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

# What Prometheus adds to all that it scrapes as our monitors say (prometheus-operator's relabelings).
TARGET = {"namespace", "pod", "job", "instance", "container", "service"}
# Of the API server (k8s.io/apiserver/pkg/admission/metrics), of kube-state-metrics and of Prometheus itself.
OTHERS = {
    "apiserver_admission_webhook_fail_open_count": {"name", "type"},
    "apiserver_admission_webhook_rejection_count": {
        "name", "type", "operation", "error_type", "rejection_code",
    },
    "apiserver_admission_webhook_admission_duration_seconds_bucket": {
        "name", "type", "operation", "rejected", "le",
    },
    "kube_deployment_status_replicas_ready": {"namespace", "deployment"},
    "up": set[str](),
}  # fmt: skip
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}


def ours() -> Iterator[tuple[str, set[str]]]:
    """The names of our series, with their labels."""
    for metrics in (WebhookMetrics(), ControllerMetrics()):
        for collector in metrics._registry._collector_to_names:
            labels = {*getattr(collector, "_labelnames", ())}
            name, kind = collector._name, collector._type  # type: ignore[attr-defined]
            for suffix in SUFFIXES[kind]:
                yield name + suffix, labels | ({"le"} if suffix == "_bucket" else set())


KNOWN: Mapping[str, set[str]] = {**OTHERS, **dict(ours())}


def parsed(query: str) -> promql_parser.Expr:
    # Grafana fills its own variable in before Prometheus sees it
    return promql_parser.parse(query.replace("$__rate_interval", "5m"))


def selectors(expression: promql_parser.Expr) -> list[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)

    promql_parser.walk(expression, visit)
    return found


def grouped(expression: promql_parser.Expr) -> set[str]:
    """The labels that aggregations group by."""
    labels: set[str] = set()

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            labels.update(node.modifier.labels)

    promql_parser.walk(expression, visit)
    return labels


QUERIES = {alert["alert"]: alert["expr"] for alert in ALERTS} | {
    f"{panel['title']} {target['refId']}": target["expr"]
    for panel in PANELS
    for target in panel["targets"]
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=list(QUERIES))
def test_a_query_asks_for_what_there_is(query: str) -> None:
    expression = parsed(query)
    asked = selectors(expression)
    assert asked
    labels = set[str]()
    for selector in asked:
        assert selector.name is not None
        assert selector.name in KNOWN
        known = KNOWN[selector.name] | TARGET
        labels |= known
        for matcher in selector.matchers.matchers:
            assert matcher.name in known
    assert grouped(expression) <= labels


@pytest.mark.parametrize(
    "query", ["sum by (le (nbgate_scans)", "rate(nbgate_scans)", "histogram_quantile(0.9)"]
)
def test_what_is_no_promql_is_found(query: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed(query)


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    shown = {
        selector.name
        for panel in PANELS
        for target in panel["targets"]
        for selector in selectors(parsed(target["expr"]))
    }
    base = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in shown if name}
    all_ours = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name, _ in ours()}
    assert all_ours - base == {"nbgate_build_info"}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_an_alert_says_what_happens_and_what_to_type(alert: Document) -> None:
    assert alert["alert"].startswith("Nbgate")
    assert alert["labels"]["severity"] in {"warning", "critical"}
    assert re.fullmatch(r"\d+[mhd]", alert["for"])
    annotations = alert["annotations"]
    assert annotations.keys() == {"summary", "description"}
    assert all(text.endswith(".") for text in annotations.values())
    cures = ("nbgate doctor", "kubectl ", "Look for")
    assert any(cure in annotations["description"] for cure in cures)
    used = {*re.findall(r"\$labels\.(\w+)", " ".join(annotations.values()))}
    assert used <= grouped(parsed(alert["expr"]))


def test_alerts_have_names_of_their_own() -> None:
    assert len({alert["alert"] for alert in ALERTS}) == len(ALERTS)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_a_panel_says_what_it_shows_and_in_what_unit(panel: Document) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        used = {*re.findall(r"{{(\w+)}}", target["legendFormat"])}
        assert used <= grouped(parsed(target["expr"]))


def test_panels_lie_beside_each_other() -> None:
    taken = set[tuple[int, int]]()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    return composed(tmp_path_factory.mktemp("monitored"), "self-managed", "monitoring")


def test_what_is_scraped_is_there(monitored: Objects) -> None:
    service = monitored["Service", "nbgate-system", "nbgate"]
    monitor = monitored["ServiceMonitor", "nbgate-system", "nbgate-webhook"]["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert endpoint["tlsConfig"]["serverName"] == "nbgate.nbgate-system.svc"
    assert endpoint["honorLabels"] is True  # else `endpoint` is another's, in rules and panels

    deployment = monitored["Deployment", "nbgate-system", "nbgate-controller"]
    template = deployment["spec"]["template"]
    pods = monitored["PodMonitor", "nbgate-system", "nbgate-controller"]["spec"]
    assert pods["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (port,) = template["spec"]["containers"][0]["ports"]
    assert pods["podMetricsEndpoints"][0]["port"] == port["name"]
    opened = monitored["NetworkPolicy", "nbgate-system", "nbgate-controller-metrics"]["spec"]
    assert opened["ingress"][0]["ports"] == [{"port": port["name"], "protocol": "TCP"}]


def test_grafana_finds_the_dashboard(monitored: Objects) -> None:
    held = monitored["ConfigMap", "nbgate-system", "nbgate-dashboard"]
    assert held["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(held["data"]["nbgate.json"]) == DASHBOARD


def test_without_the_component_nothing_is_monitored(tmp_path: Path) -> None:
    usual = composed(tmp_path, "self-managed")
    foreign = [o for o in usual.values() if o["apiVersion"].startswith("monitoring.coreos.com")]
    assert not foreign
