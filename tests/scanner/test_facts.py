"""Facts and notes: what a scan tells besides its verdict."""

import pytest

from tests.scanner.checks.sights import answering, at_root, config, page, seen
from webhook.core.scan import Accelerator, ScanStatus
from webhook.scanner.facts import facts_of
from webhook.scanner.image import Descriptor, PlatformImage
from webhook.scanner.notes import notes_of
from webhook.scanner.probes.observation import Run

LAYERS = tuple(
    Descriptor(
        media_type="application/vnd.oci.image.layer.v1.tar", digest=f"sha256:{n:064x}", size=n
    )
    for n in (100, 23)
)


def image(**changes: object) -> PlatformImage:
    return PlatformImage(
        platform="linux/amd64",
        digest=LAYERS[0].digest,
        config=config(**changes),
        config_blob=LAYERS[0],
        layers=LAYERS,
    )


@pytest.mark.parametrize(
    ("env", "accelerators"),
    [
        ({}, {}),
        ({"NVIDIA_VISIBLE_DEVICES": "void"}, {}),
        ({"NVIDIA_REQUIRE_CUDA": "cuda>=12"}, {"nvidia.com/gpu": "env NVIDIA_REQUIRE_CUDA"}),
        ({"HABANA_LOGS": "/var/log"}, {"habana.ai/gaudi": "env HABANA_*"}),
        ({"ROCM_PATH": "/opt/rocm", "HIP_X": "1"}, {"amd.com/gpu": "env ROCM_*"}),
        (
            {"CUDA_VERSION": "12", "ROCM_PATH": "/opt/rocm"},
            {"nvidia.com/gpu": "env CUDA_VERSION", "amd.com/gpu": "env ROCM_*"},
        ),
    ],
)
def test_the_environment_shows_what_hardware_an_image_is_made_for(
    env: dict[str, str], accelerators: dict[str, str]
) -> None:
    facts = facts_of(image(env=env), None)
    assert facts.accelerators == tuple(
        Accelerator(resource=r, evidence=e) for r, e in accelerators.items()
    )
    assert facts.cuda is ("nvidia.com/gpu" in accelerators)
    assert facts.cuda_evidence == accelerators.get("nvidia.com/gpu")


def test_size_user_and_ports_are_those_of_the_image() -> None:
    facts = facts_of(image(user="1000:100", ports=(80, 8888)), None)
    assert (facts.user, facts.exposed_ports, facts.compressed_size) == ("1000:100", (80, 8888), 123)
    assert facts_of(image(user="\x1b[31mx" * 50), None).user == "?[31mx" * 10 + "?..."


def test_whether_a_rewrite_helps_is_asked_only_of_what_answers_at_root() -> None:
    assert facts_of(image(), None).rewritable is None
    assert facts_of(image(), answering()).rewritable is None
    assert facts_of(image(), at_root()).rewritable is True
    breaking = at_root(rewritten=page(302, left="/lab"))
    assert facts_of(image(), breaking).rewritable is False


def test_a_frame_guard_is_told_of_the_page_that_people_would_see() -> None:
    guarded = page(frame_guard="X-Frame-Options: DENY")
    assert facts_of(image(), answering(prefix=guarded)).frame_guard == "X-Frame-Options: DENY"
    assert facts_of(image(), answering(root=guarded)).frame_guard is None
    assert facts_of(image(), at_root(root=guarded)).frame_guard == "X-Frame-Options: DENY"


def test_notes_are_given_where_there_is_something_to_know() -> None:
    def notes(run: Run, serving: str, *platforms: str) -> str:
        status = ScanStatus(serving=serving, facts=facts_of(image(), run))  # type: ignore[arg-type]  # by parameter
        return "\n".join(notes_of(status, {"linux/amd64": seen(run)}, platforms))

    assert notes(answering(), "Prefix", "linux/amd64") == ""
    assert "also there for linux/s390x, which was not judged" in notes(
        answering(), "Prefix", "linux/amd64", "linux/s390x"
    )
    assert "http-rewrite-uri" in notes(at_root(), "Root")
    assert "http-rewrite-uri" not in notes(at_root(rewritten=page(404)), "Root")
    assert "restricted pod security" in notes(answering(confined=False), "Prefix")
    assert notes(answering(home=False, confined=False), "Prefix") == ""
    framed = answering(prefix=page(frame_guard="X-Frame-Options: DENY"))
    assert notes(framed, "Prefix").startswith("X-Frame-Options: DENY may keep")
