"""`nbgate review`: the decision on manifests, without a server. The newcomer's window."""

import difflib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import yaml
from rich.console import Console
from rich.text import Text

from webhook.cli.exits import DENIED, OK, BadInput
from webhook.cli.inputs import Source, read_source
from webhook.cli.output import Format, emit, output_option
from webhook.cli.state import all_scans_option, policy_option, read_state
from webhook.core.actions import Action
from webhook.core.audit import POLICY_RULE
from webhook.core.decision import Decision, Snapshot, Word, mutate, validate
from webhook.core.manifest import KINDS, namespace_mode, request_for
from webhook.core.patch import apply_patch
from webhook.core.reading import Malformed
from webhook.core.review import Request, ReviewError
from webhook.core.words import clean, cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """One manifest with what /mutate and then /validate decide on it."""

    source: Source
    request: Request
    mutated: Decision
    validated: Decision
    patched: Mapping[str, Any] | None

    @property
    def word(self) -> str:
        """The decision as people say it."""
        if not self.validated.judged:
            return "not a notebook"
        return self.decision

    @property
    def decision(self) -> Word:
        """The decision on what comes out in the end, with the warnings on the way."""
        warned = self.validated.word == "allowed" and self.mutated.word == "warned"
        return "warned" if warned else self.validated.word


@click.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@policy_option
@all_scans_option
@click.option(
    "-n",
    "--namespace",
    default="default",
    show_default=True,
    help="The namespace of manifests that name none.",
)
@output_option
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[Path, ...],
    policy: Path | None,
    scans: Path | None,
    namespace: str,
    output: Format,
) -> None:
    """Print the decision on Pods, Notebooks, StatefulSets, NotebookPolicies or AdmissionReviews, and patches as a diff.

    FILE is YAML or JSON, one or many documents; - is standard input. The same core decides as in the server. A
    StatefulSet stands for the pod that its controller creates; a Namespace among the documents gives its mode by the
    label nbgate.dev/mode. A NotebookPolicy is judged as when it is applied; to decide by it, name it with --policy.

    Exits 0 when all are allowed, 1 when one is denied, 2 when one cannot be read.
    """
    sources = [source for file in files for source in read_source(file)]
    held, found = read_state(policy, scans)
    for problem in found.problems:
        click.echo(f"nbgate: left out: {problem}", err=True)
    snapshot = replace(held, modes={**held.modes, **_modes(sources)})
    now = time.time()
    reviewed = [_review(source, namespace, snapshot, now) for source in _reviewable(sources)]
    emit([_data(one) for one in reviewed], output, lambda out: _print(out, reviewed))
    denied = any(one.validated.word == "denied" for one in reviewed)
    ctx.exit(DENIED if denied else OK)


def _reviewable(sources: Sequence[Source]) -> list[Source]:
    """Choose what there is a decision on, and say what is passed over: a Service, a PersistentVolumeClaim.

    Raises BadInput where nothing is left.
    """
    chosen = [source for source in sources if source.document.get("kind") in KINDS]
    others = [s for s in sources if s.document.get("kind") not in (*KINDS, "Namespace")]
    if not chosen and others:
        wanted = ", ".join(KINDS)
        raise BadInput(f"{others[0]}: kind must be one of {wanted}; it is {_kind(others[0])}")
    if not chosen:
        raise BadInput(f"there is nothing to review: no {', '.join(KINDS)}")
    for source in others:
        click.echo(f"nbgate: passed over: {source} ({_kind(source)})", err=True)
    return chosen


def _kind(source: Source) -> str:
    kind = source.document.get("kind")
    return cut(kind, 60) if isinstance(kind, str) else "missing"


def _modes(sources: Sequence[Source]) -> dict[str, str]:
    found = (_mode(source) for source in sources)
    return dict(pair for pair in found if pair is not None)


def _mode(source: Source) -> tuple[str, str] | None:
    try:
        return namespace_mode(source.document)
    except Malformed as error:
        raise BadInput(f"{source}: {error}") from error


def _review(source: Source, namespace: str, snapshot: Snapshot, now: float) -> Reviewed:
    try:
        request = request_for(source.document, namespace)
        mutated = mutate(request, snapshot)
        patched = None
        if mutated.patch and request.object is not None:
            patched = apply_patch(request.object, mutated.patch)
        final = request._replace(object=patched) if patched is not None else request
        validated = validate(final, snapshot, now)
    except (Malformed, ReviewError) as error:
        raise BadInput(f"{source}: {_in_manifest(source, str(error))}") from error
    return Reviewed(
        source=source, request=request, mutated=mutated, validated=validated, patched=patched
    )


def _in_manifest(source: Source, problem: str) -> str:
    """Name a field where it stands in what the person wrote, not in the request that was made of it."""
    if source.document.get("kind") == "AdmissionReview":
        return problem
    return problem.removeprefix("request.object.").removeprefix("request.object ")


def _image_data(decision: Decision) -> dict[str, str | None]:
    use = decision.use
    found = use.finding if use else None
    return {
        "image": use.container.image if use else None,
        "digest": found.digest if found else None,
        "scan": found.scan.name if found and found.scan else None,
    }


def _data(one: Reviewed) -> dict[str, Any]:
    decision = one.validated
    return {
        "source": str(one.source),
        "kind": one.request.kind,
        "namespace": one.request.namespace,
        "name": one.request.name,
        "notebook": decision.subject.notebook if decision.subject else None,
        "decision": one.decision,
        "message": decision.message,
        **_image_data(decision),
        "violations": [*_violations(decision)],
        "warnings": [*one.mutated.warnings, *decision.warnings],
        "exemptions": list(decision.exemptions),
        "mode": decision.mode,
        "patch": list(one.mutated.patch),
    }


def _violations(decision: Decision) -> Iterator[dict[str, str | None]]:
    for v in decision.violations:
        yield {
            "requirement": v.rule,
            "action": v.action.label,
            "message": v.message,
            "field": v.field,
            "image": v.use.container.image,
        }
    for fault in decision.policy.faults if decision.policy else ():
        yield {
            "requirement": POLICY_RULE,
            "action": Action.DENY.label,
            "message": fault.problem,
            "field": fault.path,
            "image": None,
        }


_STYLES = {"denied": "bold red", "warned": "bold yellow", "allowed": "bold green"}
_EXPLAINED = {
    "denied": "the API server would refuse it",
    "warned": "it would be admitted, with a warning",
    "allowed": "it would be admitted",
    "not a notebook": "nbgate leaves it alone: it has no label notebook-name, or nothing is created or changed",
}


def _print(out: Console, reviewed: Sequence[Reviewed]) -> None:
    for index, one in enumerate(reviewed):
        if index:
            out.print()
        for line in _lines(one):
            out.print(line)


def _lines(one: Reviewed) -> Iterator[Text]:
    request, decision = one.request, one.validated
    place = f"{request.namespace}/" if request.namespace else ""
    named = clean(f"{request.kind} {place}{request.name or '(no name yet)'}")
    word = Text(one.word.upper(), style=_STYLES.get(one.word, "bold"))
    yield Text.assemble(f"{named}: ", word, f" - {_EXPLAINED[one.word]}")
    if decision.use is not None:
        yield from _image(decision)
    for violation in decision.violations:
        yield Text.assemble(
            f"  {_MARKS[violation.action]} ",
            (f"[{violation.rule}]", "bold"),
            f" {clean(violation.message)}",
        )
    for fault in decision.policy.faults if decision.policy else ():
        yield Text(f"  {_MARKS[Action.DENY]} {clean(str(fault))}")
    for name in decision.exemptions:
        yield Text(f"  waived by the exemption {name}")
    for warning in (*one.mutated.warnings, *decision.warnings):
        yield Text(f"  warning: {warning}", style="yellow")
    if decision.message:
        yield Text(f"  what its owner reads: {decision.message}", style="dim")
    yield from _diff(one)


_MARKS = {Action.DENY: "denied ", Action.WARN: "warned ", Action.AUDIT: "audited", Action.OFF: ""}


def _image(decision: Decision) -> Iterator[Text]:
    use = decision.use
    if use is None:
        return
    yield Text(f"  image {clean(use.container.image)}")
    scan = use.finding.scan if use.finding else None
    if scan is None:
        yield Text("  no scan result for it: `nbgate scan IMAGE --save DIR` makes one")
    else:
        yield Text(f"  scan {scan.name}: {scan.verdict}, serving {scan.serving}, {scan.digest}")


def _diff(one: Reviewed) -> Iterator[Text]:
    if one.patched is None or one.request.object is None:
        return
    before, after = _yaml(one.request.object), _yaml(one.patched)
    yield Text("  what nbgate patches:")
    for line in list(difflib.unified_diff(before, after, n=2, lineterm=""))[2:]:
        style = "green" if line.startswith("+") else "red" if line.startswith("-") else "dim"
        yield Text(f"    {'...' if line.startswith('@@') else clean(line)}", style=style)


def _yaml(document: Mapping[str, Any]) -> list[str]:
    text: str = yaml.safe_dump({"spec": document.get("spec")}, sort_keys=False, width=200)
    return text.splitlines()
