"""The Grafana dashboard: the panels of panels.yaml, laid out as Grafana imports them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]

_PANELS = Path(__file__).with_name("panels.yaml")
_WIDTH, _USUAL_WIDTH = 24, 8  # columns of Grafana's grid
_HEIGHTS = {"stat": 4, "timeseries": 8}
# Whichever Prometheus is chosen at the top of the dashboard.
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_CHOICE = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


@dataclass(slots=True)
class _Place:
    """Where the next panel goes: from left to right, then below."""

    x: int = 0
    y: int = 0
    height: int = 0

    def take(self, width: int, height: int) -> Document:
        if self.x + width > _WIDTH:
            self.end_line()
        position = {"x": self.x, "y": self.y, "w": width, "h": height}
        self.x, self.height = self.x + width, max(self.height, height)
        return position

    def end_line(self) -> None:
        self.x, self.y, self.height = 0, self.y + self.height, 0


def dashboard() -> Document:
    """Return the dashboard (schema version 39, Grafana 10.4 and newer)."""
    rows = yaml.safe_load(_PANELS.read_text())
    panels = [{"id": number, **panel} for number, panel in enumerate(_panels(rows), start=1)]
    return {
        "uid": "nbgate",
        "title": "nbgate",
        "description": "What nbgate decides on notebooks, how fast, and what its decisions rest on.",
        "tags": ["nbgate", "kubeflow"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,  # one crosshair through all panels
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "",
        "templating": {"list": [_CHOICE]},
        "annotations": {"list": []},
        "panels": panels,
    }


def _panels(rows: list[Document]) -> Iterator[Document]:
    place = _Place()
    for row in rows:
        place.end_line()
        position = place.take(_WIDTH, 1)
        yield {"type": "row", "title": row["row"], "gridPos": position, "panels": []}
        kind = row["kind"]
        for panel in row["panels"]:
            position = place.take(panel.get("width", _USUAL_WIDTH), _HEIGHTS[kind])
            yield {"type": kind, "gridPos": position, **_drawn(panel, kind)}


def _drawn(panel: Document, kind: str) -> Document:
    steps = [(None, panel.get("colour", "green")), *panel.get("thresholds", {}).items()]
    defaults: Document = {
        "unit": panel["unit"],
        "min": 0,
        "thresholds": {
            "mode": "absolute",
            "steps": [{"color": colour, "value": value} for value, colour in steps],
        },
    }
    if kind == "timeseries":
        defaults["custom"] = {"lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
    return {
        "title": panel["title"],
        "description": panel["text"],
        "datasource": _SOURCE,
        "targets": list(_targets(panel, instant=kind == "stat")),
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(kind),
    }


def _targets(panel: Document, *, instant: bool) -> Iterator[Document]:
    for letter, (legend, query) in zip("ABCDEFGH", panel["queries"].items(), strict=False):
        yield {
            "refId": letter,
            "datasource": _SOURCE,
            "expr": query,
            "legendFormat": legend,
            "instant": instant,
            "range": not instant,
        }


def _options(kind: str) -> Document:
    if kind == "stat":
        reduced = {"calcs": ["lastNotNull"]}
        return {"reduceOptions": reduced, "colorMode": "value", "graphMode": "none"}
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
