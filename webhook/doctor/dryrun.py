"""[dry-run] What nbgate must refuse is refused, all the way through the API server. Nothing is stored."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from webhook.core.actions import MODE_LABEL, mode_of
from webhook.core.words import cut
from webhook.doctor import probes
from webhook.doctor.check import Check
from webhook.doctor.finding import Finding, ok, unknown, warning, wrong
from webhook.doctor.notebooks import NAME as NOTEBOOK_DEFINITION
from webhook.doctor.place import CONFIGURATION, Place
from webhook.doctor.profiles import SELECTOR
from webhook.doctor.reading import name_of, text
from webhook.doctor.site import Site
from webhook.kube import (
    DEFINITIONS,
    NAMESPACES,
    NOTEBOOK_POLICIES,
    NOTEBOOKS,
    PODS,
    Document,
)
from webhook.kubeerrors import Forbidden, KubeError, NotFound, Resource

# k8s.io/apiserver, plugin/pkg/admission/webhook: ToStatusErr and ErrCallingWebhook.
_DENIED = re.compile(r'admission webhook "(?P<name>[^"]+)" denied the request')
_FAILED = re.compile(r'failed calling webhook "(?P<name>[^"]+)"')
BREAK_GLASS = "https://github.com/nbgate/nbgate/blob/main/docs/break-glass.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One dry run.

    Attributes:
        entry: the webhook that is to refuse it.
        softened: the namespace's mode lets it be admitted.
    """

    what: str
    entry: str
    where: str
    softened: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: the object that would have been stored, or what the API server said."""

    admitted: Document | None = None
    error: KubeError | None = None


def judge(trial: Trial, outcome: Outcome, place: Place) -> Iterator[Finding]:
    """Judge one dry run."""
    if outcome.admitted is not None:
        yield _admitted(trial, outcome.admitted, place)
        return
    message = str(outcome.error)
    denied, failed = _DENIED.search(message), _FAILED.search(message)
    # A policy is judged twice; where the first judge is not there, the second guards all the same.
    ours = {trial.entry, f"first.{trial.entry}"}
    if denied and denied["name"] in ours:
        yield from _refused(trial, denied["name"], message, place)
    elif failed and failed["name"] in ours:
        yield _uncalled(trial, message, failed.start(), place)
    elif denied or failed:
        name = (denied or failed)[1]  # type: ignore[index]  # one of them is there
        yield unknown(
            f"{trial.what}: another webhook, {name}, came first: {cut(message, 300)}", trial.where
        )
    else:
        yield unknown(f"{trial.what} was not judged: {cut(message, 300)}", trial.where)


def _refused(trial: Trial, entry: str, message: str, place: Place) -> Iterator[Finding]:
    yield ok(f"{trial.what} was refused by {entry}", trial.where)
    if "[pod-prefix]" in message or "[pod-uid]" in message:
        what = (
            "it was not patched first: the mutating side was not asked, or did not answer in time"
        )
        cure = f"{place.kubectl} get mutatingwebhookconfiguration {CONFIGURATION} -o yaml"
        yield wrong(what, trial.where, cure)


def _uncalled(trial: Trial, message: str, start: int, place: Place) -> Finding:
    what = f"{trial.what}: the API server cannot ask nbgate: {cut(message[start:], 300)}"
    cure = f"{place.here} get pods,endpoints  # to get out of it at once: {BREAK_GLASS}"
    return wrong(what, trial.where, cure)


def _admitted(trial: Trial, document: Document, place: Place) -> Finding:
    kind = document.get("kind")
    if trial.softened:
        if kind == "Pod" and not probes.patched(document):
            what = f"{trial.what} was admitted, as the namespace's mode says, but not patched"
            cure = f"{place.kubectl} get mutatingwebhookconfiguration {CONFIGURATION} -o yaml"
            return wrong(what, trial.where, cure)
        what = f"{trial.what} was admitted, for the namespace's mode refuses nothing"
        return warning(
            what,
            trial.where,
            f"{place.kubectl} label {trial.where.replace('/', ' ')} {MODE_LABEL}-",
        )
    what = f"{trial.what} was admitted: admission does not guard, {_LIKELY}"
    cure = f"{place.kubectl} get validatingwebhookconfiguration {CONFIGURATION} -o yaml; {place.here} get pods"
    # a policy that is wrong is not followed, whether or not it was refused
    say = warning if kind == "NotebookPolicy" else wrong
    return say(what, trial.where, cure)


_LIKELY = "for the webhook configuration is not there, has another selector, or fails open while nobody answers"


def chosen(namespaces: Sequence[Document], profile: str | None) -> tuple[str, bool] | None:
    """Choose the namespace, and tell whether its mode refuses nothing; None where there is none.

    The one that was named, else the first in which things are refused, else the first.
    """
    modes = {name_of(n): mode_of(text(n, "metadata", "labels", MODE_LABEL)) for n in namespaces}
    if profile is not None:
        return profile, modes.get(profile, "deny") != "deny"
    name = min(modes, key=lambda name: (modes[name] != "deny", name), default=None)
    return None if name is None else (name, modes[name] != "deny")


def _look(site: Site) -> Iterator[Finding]:
    found = chosen(site.all(NAMESPACES, labels=SELECTOR), site.place.profile)
    if found is None:
        yield unknown(
            f"there is no namespace with {SELECTOR} to try a pod in; name one with --profile"
        )
    else:
        yield from _in_profile(site, *found)
    trial = Trial(
        what="a NotebookPolicy with a wrong field",
        entry="policies.nbgate.dev",
        where="notebookpolicies",
    )
    yield from _try(site, trial, NOTEBOOK_POLICIES, probes.policy(), None)


def _in_profile(site: Site, namespace: str, softened: bool) -> Iterator[Finding]:  # noqa: FBT001 - as `chosen` gives it
    where = f"namespace/{namespace}"
    trial = Trial(
        what="a notebook's pod with a broken image name",
        entry="pods.nbgate.dev",
        where=where,
        softened=softened,
    )
    yield from _try(site, trial, PODS, probes.pod(namespace), namespace)
    if site.find(DEFINITIONS, NOTEBOOK_DEFINITION) is not None:
        trial = Trial(
            what="a Notebook with a broken image name",
            entry="notebooks.nbgate.dev",
            where=where,
            softened=softened,
        )
        yield from _try(site, trial, NOTEBOOKS, probes.notebook(namespace), namespace)


def _try(
    site: Site, trial: Trial, resource: Resource, document: Document, namespace: str | None
) -> Iterator[Finding]:
    try:
        outcome = Outcome(admitted=site.kube.create(resource, document, namespace, dry_run=True))
    except (Forbidden, NotFound) as error:
        yield unknown(f"{trial.what} could not be tried: {error}", trial.where)
        return
    except KubeError as error:
        outcome = Outcome(error=error)
    yield from judge(trial, outcome, site.place)


CHECK = Check(
    id="dry-run",
    why="What the parts look like does not prove that they work together: this does.",
    look=_look,
)
