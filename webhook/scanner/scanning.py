"""One image's scan, everything together: resolve, read layers, start, judge, write down."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from webhook import __version__
from webhook.core.document import API_VERSION, Condition, ObjectMeta, format_time
from webhook.core.reference import parse
from webhook.core.scan import (
    Manifest,
    ScanDocument,
    ScanSpec,
    ScanStatus,
    scan_name,
)
from webhook.scanner.checks.empty_home import enough_of
from webhook.scanner.checks.seen import Seen
from webhook.scanner.facts import facts_of
from webhook.scanner.image import Image, PlatformImage
from webhook.scanner.judging import judge, serving_of, verdict_of
from webhook.scanner.layers.cache import Layers
from webhook.scanner.layers.stack import read_files
from webhook.scanner.notes import notes_of
from webhook.scanner.opening import Opened, open_source
from webhook.scanner.probes.probe import Probe, Target
from webhook.scanner.progress import Limited, Progress
from webhook.scanner.resolving import load_image
from webhook.scanner.sources.naming import parse_name
from webhook.scanner.sources.registry import RegistryOptions

NO_PROBE = "only starting the image can tell: scan it with --probe podman or --probe cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSettings:
    """How images are scanned.

    Attributes:
        platforms: which are judged; empty for linux/amd64 and linux/arm64 where the image has them.
        cache: what was read of layers before; None to read every layer anew.
        probe: how images are started; None to leave open what only a start can tell.
        start_timeout: seconds to wait for a server, for each start.
        longest: seconds for everything together: two hours are 20 GB, as the largest CUDA images are, at 3 MB/s.
    """

    platforms: tuple[str, ...] = ()
    registry: RegistryOptions = field(default_factory=RegistryOptions)
    cache: Layers | None = None
    probe: Probe | None = None
    start_timeout: float = 120
    longest: float = 2 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """The result of one scan.

    Attributes:
        notes: what a person should know besides, one line each.
        log: the last lines of the container's output where it did not answer; clean.
        savable: why admission must not be given this result, as a clause with the cure; None where it may.
    """

    document: ScanDocument
    notes: tuple[str, ...]
    log: tuple[str, ...]
    savable: str | None


def scan_image(
    name: str,
    settings: ScanSettings,
    *,
    alias: str | None,
    now: Callable[[], float],
    progress: Progress,
) -> Scanned:
    """Scan one image: a reference, `oci:DIR[:REF]` or `docker-archive:FILE[:REF]`.

    `alias` is the reference that the result is for, where the image comes from a layout or an archive. `now` gives
    seconds since the epoch.

    Raises:
        ScanError: it could not be scanned; the image itself may be fine.
        InvalidReference: the name or the alias is none.
    """
    opened = open_source(parse_name(name), settings.registry, parse(alias) if alias else None)
    with closing(opened.source):
        progress = Limited(progress, settings.longest)
        progress.stage("resolving")
        image = load_image(opened.source, settings.platforms or None)
        resolved_at = now()
        seen = {one.platform: _look(one, opened, settings, progress) for one in image.platforms}
    status = _status(image, opened, seen, format_time(resolved_at), format_time(now()))
    return Scanned(
        document=ScanDocument(
            api_version=API_VERSION,
            kind="ImageScan",
            metadata=ObjectMeta(name=scan_name(opened.reference.canonical)),
            spec=ScanSpec(image=opened.reference.canonical),
            status=status,
        ),
        notes=notes_of(status, seen, [platform for platform, _ in image.manifests]),
        log=_log(seen.values()),
        savable=opened.savable,
    )


def _look(image: PlatformImage, opened: Opened, settings: ScanSettings, progress: Progress) -> Seen:
    progress.stage(f"reading {image.platform}")
    config = image.config
    files = read_files(opened.source, image, settings.cache, enough_of(config), progress)
    unprobed = _unprobed(image.platform, settings.probe)
    observation = None
    if settings.probe is not None and not unprobed:
        target = Target(
            image=opened.pull_name(image.digest),
            source=opened.source,
            built=image,
            platform=image.platform,
            timeout=settings.start_timeout,
        )
        observation = settings.probe.observe(target, progress)
    return Seen(config=config, files=files, observation=observation, unprobed=unprobed)


def _unprobed(platform: str, probe: Probe | None) -> str:
    if probe is None:
        return NO_PROBE
    runs = probe.platform()
    if platform == runs:
        return ""
    return (
        f"it cannot be started here, on {runs}: "
        f"where no node runs {platform}, leave it out with --platform {runs}"
    )


def _status(
    image: Image, opened: Opened, seen: Mapping[str, Seen], resolved_at: str, scanned_at: str
) -> ScanStatus:
    checks = judge(seen)
    first = image.platforms[0]
    known = opened.savable is None
    return ScanStatus(
        phase="Complete" if known else "Failed",
        digest=image.digest if known else None,
        manifests=_manifests(image) if known else (),
        verdict=verdict_of(checks),
        serving=serving_of(list(seen.values())),
        checks=checks,
        facts=facts_of(first, seen[first.platform].answered),
        resolved_at=resolved_at,
        scanned_at=scanned_at,
        scanner=f"nbgate/{__version__}",
        conditions=() if opened.savable is None else (_unresolved(opened.savable, scanned_at),),
    )


def _manifests(image: Image) -> tuple[Manifest, ...]:
    """Name the platforms that were judged: a pod that names another's digest must not be vouched for."""
    return tuple(Manifest(platform=one.platform, digest=one.digest) for one in image.platforms)


def _unresolved(reason: str, at: str) -> Condition:
    """Say in the document itself why it names no digest: without one, admission cannot take it for a result."""
    return Condition(
        type="Resolved", status="False", reason="NoDigest", message=reason, last_transition_time=at
    )


def _log(seen: Iterable[Seen]) -> tuple[str, ...]:
    """Give the output of the first start that did not answer, of the first platform that has one."""
    runs = [run for one in seen if one.observation for run in one.observation.runs]
    return next((run.log for run in runs if run.ending != "answered" and run.log), ())
