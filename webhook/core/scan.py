"""ImageScan: one cached result, as a document and as the compact value that admission holds in memory.

The document is the same as a file and as a custom resource. Admission keeps of it what a decision needs: a few hundred
bytes, so that a hundred thousand fit a small pod.
"""

import hashlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from webhook.core.document import (
    Condition,
    Duration,
    Fault,
    InvalidDocument,
    Lenient,
    ObjectMeta,
    Time,
    parse_time,
    validate,
)
from webhook.core.reference import MAX_LENGTH, InvalidReference, parse
from webhook.core.requirements import REQUIREMENTS, Requirement

Phase = Literal["Pending", "Scanning", "Complete", "Failed"]
Verdict = Literal["Conforms", "Violates", "Unknown"]
Serving = Literal["Prefix", "Root", "None", "Unknown"]
Result = Literal["Pass", "Fail", "Unknown"]
Evidence = Literal["Config", "Layers", "Probe"]

# What an image that answers at / only fails, and what a policy with acceptRewrite waives for it.
REWRITABLE: frozenset[Requirement] = frozenset({"nb-prefix", "allow-origin"})
_MESSAGE_LIMIT = (
    1024  # the API server's own for a condition is 32 KiB; a check's message is one line
)
_LIST_LIMIT = 64  # platforms of an index, ports of an image: no real one comes near


_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


def _digest(value: str) -> str:
    if not _DIGEST.fullmatch(value):
        raise ValueError('must be a digest: "sha256:" and 64 lower-case hex digits')
    return value


def _image(value: str) -> str:
    try:
        parse(value)
    except InvalidReference as error:
        raise ValueError(f"is not an image reference: {error}") from None
    return value


Digest = Annotated[
    str,
    AfterValidator(_digest),
    WithJsonSchema({"type": "string", "pattern": f"^({_DIGEST.pattern})$"}),
]
# What parse() takes is told in full by its own messages; a schema keeps out what is no reference at all.
Image = Annotated[
    str,
    AfterValidator(_image),
    WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH, "pattern": "^[!-~]+$"}
    ),
]


class Manifest(Lenient):
    """One platform of an index, and the digest of its manifest: a pod may name either.

    Attributes:
        platform: such as linux/amd64.
        digest: of the platform's manifest.
    """

    platform: Annotated[str, Field(min_length=1, max_length=100)]
    digest: Digest


class Check(Lenient):
    """What was found about one requirement, from which evidence, in words that lead to the cure.

    Attributes:
        requirement: the id; docs/requirements.md says for each why, how it is checked and how to fix it.
        result: whether the image meets it; Unknown where that could not be found out.
        evidence: what shows it: the image's config, the files in its layers, or a start of it.
        message: what was found, in one line.
    """

    requirement: Requirement
    result: Result
    evidence: Evidence | None = None
    message: Annotated[str, Field(max_length=_MESSAGE_LIMIT)] = ""


class Accelerator(Lenient):
    """Hardware that an image is made for: the resource that a pod asks for it by, and what shows it.

    Attributes:
        resource: such as nvidia.com/gpu.
        evidence: what in the image shows it.
    """

    resource: str
    evidence: str


class Facts(Lenient):
    """What else is known about an image.

    Attributes:
        user: the image's user, as its config names it.
        exposed_ports: the ports that its config names.
        cuda: whether it is made for NVIDIA's GPUs.
        cuda_evidence: what in the image shows that.
        accelerators: of every vendor; `cuda` is the short form for NVIDIA's.
        compressed_size: bytes to download, of the platform that was scanned.
        rewritable: an image that serves at / only also works behind a rewrite of its prefix to /: no redirect of it
            leaves the prefix. Jupyter's do, code-server's and RStudio's do not.
        frame_guard: what may keep a browser from showing it in Kubeflow's iframe, such as `X-Frame-Options: DENY`.
    """

    user: str | None = None
    exposed_ports: tuple[int, ...] = Field(default=(), strict=False, max_length=_LIST_LIMIT)
    cuda: bool | None = None
    cuda_evidence: str | None = None
    accelerators: tuple[Accelerator, ...] = Field(default=(), strict=False, max_length=_LIST_LIMIT)
    compressed_size: int | None = None
    rewritable: bool | None = None
    frame_guard: str | None = None


class ScanSpec(Lenient):
    """Which image, and how often its tag is resolved again.

    Attributes:
        image: a reference, by tag or by digest, as a notebook names it.
        interval: how often the tag is resolved again, such as 24h; 24h where it is left out, and never more often than
            once a minute.
    """

    image: Image
    interval: Duration = "24h"


class Claim(Lenient):
    """Which controller's worker scans the image now, and until when nobody else does.

    Attributes:
        holder: the worker.
        until: when the claim ends, unless its holder renews it.
    """

    holder: Annotated[str, Field(min_length=1, max_length=253)]
    until: Time


class ScanStatus(Lenient):
    """What the scanner found, and what the controller keeps to scan again.

    Attributes:
        phase: where the scan stands.
        image: what all this is about, canonical; where the spec names another image by now, it counts for nothing.
        digest: what the image resolved to: an index or a manifest.
        manifests: the platforms of the index; a pod may name the digest of one.
        verdict: whether the image works as a Kubeflow notebook.
        serving: where it answers: under the path in NB_PREFIX, at / only (Root), or nowhere (None).
        checks: what was found about each requirement.
        facts: what else is known about the image.
        resolved_at: when the tag was last resolved.
        scanned_at: when the verdict was found.
        scanner: the program that found it, with its version.
        claim: held while a worker scans; one that is over is nobody's.
        attempts: how many tries in a row have brought no result, one under way among them; 0 after a result.
        retry_at: after such tries, not before this time.
        last_used_at: when a pod or a notebook was last seen with the image.
        conditions: by Kubernetes' conventions; after a failure they say why.
    """

    phase: Phase = "Pending"
    image: Image | None = None
    digest: Digest | None = None
    manifests: tuple[Manifest, ...] = Field(default=(), strict=False, max_length=_LIST_LIMIT)
    verdict: Verdict | None = None
    serving: Serving = "Unknown"
    checks: tuple[Check, ...] = Field(default=(), strict=False, max_length=len(REQUIREMENTS))
    facts: Facts = Facts()
    resolved_at: Time | None = None
    scanned_at: Time | None = None
    scanner: str | None = None
    claim: Claim | None = None
    attempts: Annotated[int, Field(ge=0)] = 0
    retry_at: Time | None = None
    last_used_at: Time | None = None
    conditions: tuple[Condition, ...] = Field(default=(), strict=False, max_length=_LIST_LIMIT)


class ScanDocument(Lenient):
    """What nbgate knows of one image: whether it works as a Kubeflow notebook, and why not.

    Attributes:
        api_version: the version of this format.
        kind: ImageScan.
        metadata: Kubernetes' own; the name is derived from the image.
        spec: which image, and how often its tag is resolved again.
        status: what the scanner found; only the controller writes it.
    """

    api_version: Literal["nbgate.dev/v1alpha1"]
    kind: Literal["ImageScan"]
    metadata: ObjectMeta
    spec: ScanSpec
    status: ScanStatus = ScanStatus()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one check; the message is kept only where a refusal would quote it."""

    result: Result
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What admission keeps of one document.

    Attributes:
        reference: what was scanned, canonical.
        is_tag: the reference is a tag, an alias of the digest that may move; with a digest in it, it is not.
        digest: what the reference resolved to, an index or a manifest; None while there is no result.
        manifests: the digests of the index's platforms.
        rewritable: what serves at / only is not known to break behind a rewrite of its prefix to /.
        outcomes: by requirement, in the order of REQUIREMENTS; None for a requirement without a check.
        resolved_at, scanned_at: seconds since the epoch; 0 while there is no result.
        note: why there is no result: the phase, or how the last try failed.
    """

    name: str
    reference: str
    is_tag: bool
    digest: str | None
    manifests: tuple[str, ...]
    verdict: Verdict
    serving: Serving
    outcomes: tuple[Outcome | None, ...]
    cuda: bool | None
    resolved_at: float
    scanned_at: float
    phase: Phase
    note: str = ""
    rewritable: bool = True

    def outcome(self, requirement: Requirement) -> Outcome:
        """Look up one requirement.

        Without a check of its own it passes where the verdict says that all hold, else it is unknown.
        """
        found = self.outcomes[REQUIREMENTS.index(requirement)]
        if found is not None:
            return found
        return _VOUCHED if self.verdict == "Conforms" else _UNKNOWN


_VOUCHED = Outcome("Pass")
_UNKNOWN = Outcome("Unknown", "was not checked")
_PASS = Outcome("Pass")


def read_scan_document(document: Mapping[str, Any]) -> ScanDocument:
    """Read an ImageScan document and check that it does not contradict itself. Raises InvalidDocument."""
    scan = validate(ScanDocument, document)
    faults = [*_incomplete(scan.status), *_contradictions(scan)]
    if faults:
        raise InvalidDocument(*faults)
    return scan


def _incomplete(status: ScanStatus) -> list[Fault]:
    if status.phase != "Complete":
        return []
    needed = {"digest": status.digest, "verdict": status.verdict, "scannedAt": status.scanned_at}
    return [
        Fault(f"status.{name}", "is missing, though the phase is Complete")
        for name, value in needed.items()
        if value is None
    ]


def _contradictions(scan: ScanDocument) -> list[Fault]:
    status, faults = scan.status, []
    names = [check.requirement for check in status.checks]
    faults += [
        Fault("status.checks", f"names {name} twice")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    breaks = status.facts.rewritable is False
    waived = REWRITABLE if status.serving == "Root" and not breaks else frozenset()
    failed = [c.requirement for c in status.checks if c.result == "Fail"]
    counted = [requirement for requirement in failed if requirement not in waived]
    if status.verdict == "Conforms" and counted:
        faults.append(Fault("status.verdict", f"is Conforms, though the check {counted[0]} fails"))
    if status.verdict == "Conforms" and status.serving == "None":
        faults.append(Fault("status.verdict", "is Conforms, though status.serving is None"))
    if status.verdict == "Violates" and not failed:
        faults.append(
            Fault("status.verdict", "is Violates, though no check fails: list the failing one")
        )
    if status.digest is not None and not _agrees(scan.spec.image, status.digest):
        faults.append(Fault("status.digest", "differs from the digest that spec.image names"))
    return faults


def _agrees(image: str, digest: str) -> bool:
    # no whole parse: this is asked of a hundred thousand documents at a start
    return image.partition("@")[2] in ("", digest)


def compact(document: ScanDocument) -> Scan:
    """Reduce a document to what admission keeps."""
    status = document.status
    reference = parse(document.spec.image)
    has_result = _has_result(status) and status.image in (None, reference.canonical)
    by_name = {check.requirement: check for check in status.checks}
    scanned_at = parse_time(status.scanned_at) if has_result and status.scanned_at else 0.0
    return Scan(
        name=document.metadata.name,
        reference=reference.canonical,
        is_tag=reference.digest is None,
        digest=status.digest if has_result else None,
        manifests=tuple(m.digest for m in status.manifests) if has_result else (),
        verdict=status.verdict if has_result and status.verdict else "Unknown",
        serving=status.serving,
        outcomes=tuple(_outcome(by_name.get(name)) for name in REQUIREMENTS),
        cuda=status.facts.cuda,
        resolved_at=parse_time(status.resolved_at) if status.resolved_at else scanned_at,
        scanned_at=scanned_at,
        phase=status.phase,
        note="" if has_result else _note(status),
        rewritable=status.facts.rewritable is not False,
    )


def _has_result(status: ScanStatus) -> bool:
    """Tell whether there is a whole result: also an older one, kept while the next scan runs or after it failed."""
    whole = (
        status.digest is not None and status.verdict is not None and status.scanned_at is not None
    )
    return whole and (status.phase == "Complete" or bool(status.checks))


def _outcome(check: Check | None) -> Outcome | None:
    if check is None:
        return None
    if check.result == "Pass":
        return _PASS
    # Images fail in the same few ways: one string serves them all.
    return Outcome(check.result, sys.intern(check.message))


def _note(status: ScanStatus) -> str:
    if status.phase != "Failed":
        return ""
    return next((c.message for c in status.conditions if c.message), "")


def scan_name(image: str, *, digits: int = 10) -> str:
    """Derive the name of an image's ImageScan: a readable part, then 10 hex of sha256(canonical reference).

    The readable part is the last path component and the tag, as a DNS label. Two images may come to one name, by a
    search of minutes: whoever finds it taken by another image gives more `digits`. Raises InvalidReference.
    """
    reference = parse(image)
    last = reference.path.rpartition("/")[2]
    readable = re.sub(r"[^a-z0-9]+", "-", f"{last}-{reference.tag or ''}".lower())[:50]
    digest = hashlib.sha256(reference.canonical.encode()).hexdigest()[:digits]
    return f"{readable.strip('-')}-{digest}"
