"""Which notebook a pod belongs to, and which container is the notebook: no label, name or forged owner fools it."""

from typing import Any

import pytest

from tests.core.builders import (
    CONTROLLER,
    DIGEST,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    USER,
    Json,
    container,
    finished_container,
    finished_pod,
    notebook,
    owner,
    pod,
    request,
    scan_document,
    snapshot,
    stateful_set_pod,
)
from webhook.core.decision import mutate, validate
from webhook.core.identity import notebook_container, notebook_names
from webhook.core.pod import read_metadata, read_spec
from webhook.core.subject import Subject, read_stored, read_subject

SHARED_ACCOUNT = "system:kube-controller-manager"
BAD = "registry.example.com/bad:1"
BAD_BY_DIGEST = f"{BAD}@{OTHER_DIGEST}"
FAILS = {"uid-1000": "user root has UID 0"}
KNOWN = snapshot(
    scan_document(IMAGE),
    scan_document(BAD, name="bad", fails=FAILS, digest=OTHER_DIGEST, platforms=()),
)


def subject_of(source: Json, **fields: Any) -> Subject:
    found = read_subject(request(source, **fields))
    assert found is not None
    return found


def labelled(label: str, owned_by: Json | None, **metadata: Any) -> Json:
    references = {} if owned_by is None else {"ownerReferences": [owned_by]}
    return pod(notebook=label, metadata={"name": "nb-0", **references, **metadata})


@pytest.mark.parametrize(
    ("source", "user", "name"),
    [
        # made by the controller: the owner's name, whatever a Notebook's labels say
        (labelled("nb", owner("nb")), CONTROLLER, "nb"),
        (labelled("victim", owner("nb")), CONTROLLER, "nb"),
        (labelled("", owner("nb")), CONTROLLER, "nb"),
        (labelled("victim", owner("nb")), SHARED_ACCOUNT, "nb"),
        # a controller's request without such an owner: another controller, where they share one account
        (labelled("nb", None), SHARED_ACCOUNT, "nb"),
        (labelled("nb", owner("job", "Job")), SHARED_ACCOUNT, "nb"),
        (labelled("nb", owner("other", controller=False)), CONTROLLER, "nb"),
        (labelled("nb", owner("")), CONTROLLER, "nb"),
        (labelled("nb", {"kind": "StatefulSet", "controller": True}), CONTROLLER, "nb"),
        # anybody else: a forged owner is not believed
        (labelled("nb", owner("victim")), USER, "nb"),
        (
            labelled("nb", owner("victim")),
            "system:serviceaccount:team-a:statefulset-controller",
            "nb",
        ),
        (
            labelled("nb", owner("victim")),
            "system:serviceaccount:kube-system:statefulset-controller2",
            "nb",
        ),
        (labelled("nb", None), USER, "nb"),
        # an empty label names nothing
        (labelled("", None), USER, "nb-0"),
        (labelled("", None, name="", generateName="gen-"), USER, "gen"),
    ],
)
def test_a_created_pods_notebook_is_known_by_who_made_it(
    source: Json, user: str, name: str
) -> None:
    assert subject_of(source, user=user).notebook == name


def test_the_controlling_owner_is_the_one_that_says_so() -> None:
    references = [owner("first", controller=False), owner("nb"), owner("last")]
    source = pod(metadata={"ownerReferences": references})
    assert subject_of(source).notebook == "nb"
    unsaid = owner("nb")
    del unsaid["controller"]
    assert subject_of(pod(metadata={"ownerReferences": [unsaid]})).notebook == "my-nb"


@pytest.mark.parametrize(
    ("source", "user", "name", "serving"),
    [
        (labelled("nb", owner("nb")), USER, "nb", ["nb"]),
        # neither the owner nor the label of a stored pod is proof: a container counts under either name
        (labelled("main", owner("nb")), USER, "nb", ["nb", "main"]),
        (labelled("main", owner("nb")), CONTROLLER, "nb", ["nb"]),
        (labelled("main", None), USER, "main", ["main"]),
        (labelled("main", owner("nb", "Job")), USER, "main", ["main"]),
        (labelled("unheard", owner("nb")), USER, "nb", ["nb", "side"]),
    ],
)
def test_a_stored_pod_is_judged_under_both_names(
    source: Json, user: str, name: str, serving: list[str]
) -> None:
    source["spec"]["containers"] = [container(each) for each in ("side", "main", "nb")]
    found = subject_of(source, old=source, user=user)
    assert found.notebook == name
    assert [each.name for each in found.serving] == serving


def test_an_update_that_changes_owner_and_label_is_judged_under_all_four_names() -> None:
    """The stored owner stays the surest."""
    stored, changed = labelled("b", owner("nb")), labelled("d", owner("c"))
    for source in (stored, changed):
        source["spec"]["containers"] = [container(each) for each in ("a", "b", "c", "d", "nb")]
    subject = subject_of(changed, old=stored, user=USER)
    assert subject.notebook == "nb"
    assert [each.name for each in subject.serving] == ["nb", "c", "b", "d"]


def test_a_stored_pod_that_nothing_names_has_no_name() -> None:
    nameless = read_metadata({"metadata": {"labels": {"notebook-name": ""}}})
    assert notebook_names(nameless, USER, nameless) == ("",)


def test_a_notebook_is_known_by_its_own_name() -> None:
    assert subject_of(notebook(name="x")).notebook == "x"
    nameless = notebook(metadata={"name": ""})
    assert subject_of(nameless, name="y").notebook == "y"
    generated = notebook(metadata={"name": "", "generateName": "z-"})
    assert subject_of(generated, name="").notebook == "z"


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["nb"], 0),
        (["other"], 0),
        (["a", "b", "nb"], 2),
        (["a", "b"], 0),
        (["istio-proxy", "b"], 1),
        (["istio-proxy", "b", "nb"], 2),
        (["istio-proxy"], 0),
        (["Istio-Proxy", "b"], 0),
    ],
)
def test_the_notebooks_container_is_never_simply_the_first(names: list[str], chosen: int) -> None:
    init = [{"name": "nb", "restartPolicy": "Always"}, {"name": "i"}]
    lists = {"initContainers": init, "ephemeralContainers": [{"name": "nb"}]}
    spec = read_spec({**lists, "containers": [{"name": name} for name in names]})
    found = notebook_container(spec, "nb")
    assert found is not None
    assert (found.list, found.position) == ("containers", chosen)


def test_a_notebook_may_be_called_like_a_sidecar() -> None:
    spec = read_spec({"containers": [{"name": "b"}, {"name": "istio-proxy"}]})
    found = notebook_container(spec, "istio-proxy")
    assert found is not None
    assert found.position == 1


def test_without_a_regular_container_there_is_no_notebook() -> None:
    assert notebook_container(read_spec({"initContainers": [{"name": "nb"}]}), "nb") is None


# What forging leads to: a denial all the same


def test_a_label_that_a_notebook_overwrote_changes_neither_prefix_nor_container() -> None:
    """A Notebook's label `notebook-name: decoy` beside a decoy container of that name, whose image is fine."""
    source = stateful_set_pod(
        container("decoy", IMAGE), container("my-nb", BAD), labels={"notebook-name": "decoy"}
    )
    decision = mutate(request(source), KNOWN)
    assert {
        operation["path"].split("/")[3]
        for operation in decision.patch
        if "containers" in operation["path"]
    } == {"1"}
    assert decision.patch[0]["value"] == [{"name": "NB_PREFIX", "value": "/notebook/team-a/my-nb"}]
    judged = validate(request(source), KNOWN, NOW)
    assert "uid-1000" in {violation.rule for violation in judged.denied}


def test_a_container_called_istio_proxy_hides_no_image_that_serves() -> None:
    source = finished_pod(finished_container("istio-proxy", BAD_BY_DIGEST))
    assert "uid-1000" in {v.rule for v in validate(request(source), KNOWN, NOW).denied}


def test_an_update_that_renames_the_notebook_of_a_stored_pod_is_judged_under_both_names() -> None:
    """A sidecar with a bad image must not become the notebook by a label, nor the notebook a sidecar."""
    side = container("side", BAD_BY_DIGEST)
    stored = finished_pod(finished_container(), side)
    renamed = finished_pod(finished_container(), side, labels={"notebook-name": "side"})
    decision = validate(request(renamed, old=stored, user=USER), KNOWN, NOW)
    assert {(v.rule, v.use.container.name) for v in decision.denied} == {("uid-1000", "side")}
    swapped = finished_pod(
        finished_container(image=BAD_BY_DIGEST), labels={"notebook-name": "side"}
    )
    decision = validate(request(swapped, old=finished_pod(), user=USER), KNOWN, NOW)
    assert {v.rule for v in decision.denied} == {"uid-1000"}


def test_a_stored_object_is_read_only_on_update() -> None:
    source = finished_pod(finished_container(image=f"{IMAGE}@{DIGEST}"))
    assert read_stored(request(source)) is None
    assert read_stored(request(source, operation="UPDATE")) is None
    found = read_stored(request(source, old=source))
    assert found is not None
    assert found.notebook == "my-nb"
