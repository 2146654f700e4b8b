"""An answer tells of the images that it was asked about, and of nothing else that nbgate knows.

Whoever may create a pod may ask; what other teams run, and how it fares, is not theirs to read.
"""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import (
    DIGEST,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    Json,
    exemption,
    notebook,
    pending_document,
    pod,
    request,
    scan_document,
    snapshot,
)
from tests.core.generated import MESSAGES, PODS
from webhook.core.decision import Snapshot, answer, mutate, validate
from webhook.core.requirements import REQUIREMENTS
from webhook.core.review import Request, render_answer

SECRET = "registry.example.com/secret-team/secret-project"
ELSEWHERE = "secret-team"


def everything(seen: Request, known: Snapshot) -> bytes:
    """Give all that is answered: both endpoints' bytes."""
    decisions = mutate(seen, known), validate(seen, known, NOW)
    return b"".join(render_answer(seen.uid, answer(each, known)) for each in decisions)


def others(*tags: str) -> list[Json]:
    """Know of images of somebody else's: one that works, one that does not, one that waits."""
    fails: dict[str, str] = {name: f"secret of {name}" for name in REQUIREMENTS}
    return [
        scan_document(f"{SECRET}:ok", name="secret-ok", digest=OTHER_DIGEST, platforms=()),
        scan_document(
            f"{SECRET}:bad",
            name="secret-bad",
            digest=f"sha256:{'d' * 64}",
            platforms=(),
            fails=fails,
        ),
        *(pending_document(f"{SECRET}:{tag}", name=f"secret-{tag}") for tag in ("waits", *tags)),
    ]


@given(
    source=PODS,
    fails=MESSAGES,
    tags=st.lists(st.sampled_from(["a", "b", "c"]), max_size=3, unique=True),
    scanned=st.booleans(),
)
def test_no_answer_changes_with_what_is_known_of_other_images(
    source: Json, fails: Json, tags: list[str], *, scanned: bool
) -> None:
    own = [scan_document(IMAGE, fails=fails)] if scanned else []
    for seen in (request(source), request(source, old=source, user="alice@example.com")):
        alone = everything(seen, snapshot(*own))
        assert everything(seen, snapshot(*own, *others(*tags))) == alone
        assert b"secret" not in alone


def test_no_answer_tells_of_other_namespaces_exemptions_or_modes() -> None:
    spec: dict[str, Any] = {
        "exemptions": [
            exemption(name="secret-exemption", namespaces=[ELSEWHERE], reason="secret reason")
        ]
    }
    known = snapshot(modes={ELSEWHERE: "audit"}, **spec)
    for source in (pod(), notebook()):
        assert b"secret" not in everything(request(source), known)


def test_who_names_an_image_is_told_of_it() -> None:
    """The other way round: what is kept back above would be told, where it is asked for."""
    known = snapshot(*others())
    source = notebook({"name": "my-nb", "image": f"{SECRET}:bad"})
    assert b"secret of uid-1000" in everything(request(source), known)


def test_who_names_a_digest_is_told_of_that_digest_alone() -> None:
    known = snapshot(scan_document(IMAGE), *others())
    source = notebook({"name": "my-nb", "image": f"{SECRET}:bad@{DIGEST}"})
    assert b"secret of" not in everything(request(source), known)
