"""Whatever an API server sends, there is a result and no exception."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.doctor.installation import NOW, lived_in, manifests
from tests.doctor.papercluster import PaperCluster
from webhook.doctor.dryrun import CHECK as DRY_RUN
from webhook.doctor.examination import CHECKS, examine
from webhook.doctor.place import Place
from webhook.doctor.recognition import recognised
from webhook.doctor.site import Site

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
# What a list and a get go by is the API server's own, and as it should be.
KEPT = {"apiVersion", "kind", "metadata"}
# Roles are read by the cluster on paper alone, which also asks the configurations at a dry run.
READ = [one for one in lived_in(manifests(), b"") if "Role" not in one["kind"]]
LOOKING = tuple(check for check in CHECKS if check is not DRY_RUN)

Path = tuple[Any, ...]


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all that is inside; of a definition's schema none, which is large and always the same."""
    if path[-1:] == ("schema",):
        return
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, one in items:
        yield (*path, key)
        yield from places(one, (*path, key))


PLACES = [
    (index, path)
    for index, document in enumerate(READ)
    for path in places(document)
    if path[0] not in KEPT
]


@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.lists(st.tuples(st.sampled_from(PLACES), JSON), min_size=1, max_size=8))
def test_anything_leads_to_a_result(changes: list[tuple[tuple[int, Path], Any]]) -> None:
    documents = copy.deepcopy(READ)
    for (index, path), value in changes:
        put(documents[index], path, value)
    cluster = PaperCluster(documents=documents)
    site = Site(kube=cluster, place=Place(), now=NOW)
    site = Site(kube=cluster, place=recognised(site), now=NOW)
    found = [*examine(site, LOOKING)]
    assert len(found) == len(LOOKING)
    assert all(finding.what for one in found for finding in one.findings)


def put(document: Any, path: Path, value: Any) -> None:
    """Put something else into a place, unless the place has gone with an earlier change."""
    *way, last = path
    try:
        for step in way:
            document = document[step]
        document[last] = value
    except (KeyError, IndexError, TypeError):
        return
