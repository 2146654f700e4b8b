"""The stand-ins for Kubeflow's objects do what is known of its controller."""

from __future__ import annotations

from tests.cluster.manifests import Document, notebook, stateful_set, stateful_set_of

IMAGE = "registry.example.com/team/notebook:1"


def pod_spec(stateful_set: Document) -> Document:
    spec: Document = stateful_set["spec"]["template"]["spec"]
    return spec


def test_labels_of_a_notebook_overwrite_those_of_the_controller() -> None:
    made = stateful_set("analysis", "team-a", IMAGE, labels={"notebook-name": "forged"})

    assert made["spec"]["template"]["metadata"]["labels"] == {
        "statefulset": "analysis",
        "notebook-name": "forged",
        "app": "analysis",
    }


def test_notebook_container_is_completed_and_what_stands_before_it_is_left_alone() -> None:
    proxy = {"name": "istio-proxy", "image": "istio/proxyv2:1"}

    first, second = pod_spec(stateful_set("analysis", "team-a", IMAGE, containers_before=[proxy]))[
        "containers"
    ]

    assert first == proxy
    assert second["name"] == "analysis"
    assert second["workingDir"] == "/home/jovyan"
    assert second["ports"][0]["containerPort"] == 8888
    assert second["env"] == [{"name": "NB_PREFIX", "value": "/notebook/team-a/analysis"}]


def test_prefix_of_the_user_is_left_as_it_is() -> None:
    wrong = [{"name": "NB_PREFIX", "value": "/elsewhere"}]

    [container] = pod_spec(stateful_set("analysis", "team-a", IMAGE, env=wrong))["containers"]

    assert container["env"] == wrong


def test_fs_group_is_added_only_where_the_notebook_has_no_pod_security_context() -> None:
    chosen = notebook("analysis", "team-a", IMAGE)
    chosen["spec"]["template"]["spec"]["securityContext"] = {}

    assert pod_spec(stateful_set_of(chosen))["securityContext"] == {}
    assert pod_spec(stateful_set("analysis", "team-a", IMAGE))["securityContext"] == {
        "fsGroup": 100
    }


def test_annotations_about_notebooks_do_not_reach_the_pod() -> None:
    chosen = notebook("analysis", "team-a", IMAGE, annotations={"example.com/cost-centre": "7"})

    template = stateful_set_of(chosen)["spec"]["template"]

    assert template["metadata"]["annotations"] == {"example.com/cost-centre": "7"}


def test_claim_and_mount_can_be_left_out() -> None:
    def workspace(*, claim: bool, mount: bool) -> tuple[bool, bool]:
        spec = pod_spec(stateful_set("analysis", "team-a", IMAGE, claim=claim, mount=mount))
        name = "analysis-workspace"
        mounts = spec["containers"][0]["volumeMounts"]
        return (
            name in {volume["name"] for volume in spec["volumes"]},
            name in {mounted["name"] for mounted in mounts},
        )

    assert workspace(claim=True, mount=True) == (True, True)
    assert workspace(claim=True, mount=False) == (True, False)
    assert workspace(claim=False, mount=True) == (False, False)


def test_notebook_is_not_changed_by_the_controller() -> None:
    chosen = notebook("analysis", "team-a", IMAGE)

    stateful_set_of(chosen)

    assert chosen == notebook("analysis", "team-a", IMAGE)
