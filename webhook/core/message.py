"""The words for people: one line, bounded, the same at every retry.

Kubernetes aggregates events only when their message never changes, so nothing here depends on the time or on the
request's id. What users wrote is cleaned of control characters before it stands in a message.
"""

from collections.abc import Iterable, Sequence

from webhook.core.document import Fault
from webhook.core.requirements import REQUIREMENTS
from webhook.core.rules.violation import Violation
from webhook.core.words import clean, cut, cut_front

# 1 KiB: a Kubernetes event holds as much (events.k8s.io note), and the controllers add their own words in front.
MESSAGE_LIMIT = 1024
# Past 120 characters clients cut a warning; past 4096 in all the API server does (k8s.io/apiserver warning.go).
WARNING_LIMIT = 120
WARNINGS_LIMIT = 30
_IMAGE_LIMIT = 160
_SHORTEST_IMAGE = 24
_DETAIL_LIMITS = (200, 120, 60, 0)
_FAULT_LIMITS = (300, 160, 100, 70)
# What says of each field of a policy what it may hold.
_POLICY_URL = "https://github.com/nbgate/nbgate/blob/main/docs/policy.md"


def denial(violations: Sequence[Violation], help_url: str) -> str:
    """Say why a pod or a Notebook is refused: every violation, grouped by image, then where the cure is.

    At most MESSAGE_LIMIT bytes: details are shortened first, all alike, then only the ids remain, then their number.
    """
    ending = f". Fix: {help_url}"
    room = MESSAGE_LIMIT - len(ending.encode())
    for limit in _DETAIL_LIMITS:
        text = "; ".join(_groups(violations, limit))
        if len(text.encode()) <= room:
            return text + ending
    return _only_ids(violations, room) + ending


def _groups(violations: Sequence[Violation], limit: int) -> Iterable[str]:
    by_container: dict[str, list[Violation]] = {}
    for violation in violations:
        by_container.setdefault(violation.use.container.path, []).append(violation)
    for group in by_container.values():
        listed = "; ".join(_item(violation, limit) for violation in group)
        yield f"{_opening(group)}: {listed}"


def _opening(group: Sequence[Violation]) -> str:
    use = group[0].use
    image = f"image {cut(use.container.image, _IMAGE_LIMIT) or '(none)'}"
    if any(v.rule in REQUIREMENTS for v in group):
        return f"{image} does not work as a notebook"
    if all(v.rule.startswith("pod-") for v in group):
        return f"container {cut(use.container.name, 63)} is not admitted"
    where = "" if use.serves else f"{_KINDS[use.container.list]} {cut(use.container.name, 63)}: "
    return f"{where}{image} is not admitted"


_KINDS = {
    "containers": "container",
    "initContainers": "init container",
    "ephemeralContainers": "ephemeral container",
    "volumes": "image volume",
}


def _item(violation: Violation, limit: int) -> str:
    return f"[{violation.rule}] {cut(violation.message, limit)}" if limit else f"[{violation.rule}]"


def _only_ids(violations: Sequence[Violation], room: int) -> str:
    """Name each broken rule once, with the number of containers; bounded, for there are only so many rules."""
    counts: dict[str, int] = {}
    for violation in violations:
        counts[violation.rule] = counts.get(violation.rule, 0) + 1
    listed = "; ".join(f"[{rule}] {count}x" for rule, count in counts.items())
    opening = _opening([violations[0]])
    return cut(f"{opening}, and so on: {len(violations)} violations: {listed}", room)


def policy_denial(name: str, faults: Sequence[Fault]) -> str:
    """Say why a NotebookPolicy is refused: every fault with its path, then where the fields are explained.

    At most MESSAGE_LIMIT bytes: faults are shortened first, all alike, then only paths remain, then the first of them.
    """
    opening, ending = f"NotebookPolicy {cut(name, 63)} is not valid: ", f". See {_POLICY_URL}"
    room = MESSAGE_LIMIT - len(opening.encode()) - len(ending.encode())
    for limit in _FAULT_LIMITS:
        text = "; ".join(cut(str(fault), limit) for fault in faults)
        if len(text.encode()) <= room:
            return opening + text + ending
    return opening + _paths(faults, room) + ending


def _paths(faults: Sequence[Fault], room: int) -> str:
    """Name the places alone, as many as there is room for, and the number of the others."""
    paths = list(dict.fromkeys(clean(fault.path or fault.problem) for fault in faults))
    room -= len(f" and {len(paths)} more places")
    named = 0
    for path in paths:
        room -= len(f"{path}, ".encode())
        if room < 0:
            break
        named += 1
    rest = len(paths) - named
    listed = ", ".join(paths[:named])
    return f"{listed} and {rest} more places" if rest else listed


def warning(violation: Violation) -> str:
    """Say in a warning what would be refused under a stricter policy.

    The id comes first, and the image, without a digest, gets the room that the rest leaves: its end tells the most.
    """
    opening, rest = f"[{violation.rule}] image ", f": {clean(violation.message)}"
    room = max(WARNING_LIMIT - len(opening) - len(rest), _SHORTEST_IMAGE)
    named = violation.use.container.image.partition("@")[0]
    image = cut_front(named or "(none)", room)
    return cut(f"{opening}{image}{rest}", WARNING_LIMIT)


def bounded(warnings: Sequence[str]) -> tuple[str, ...]:
    """Cut each warning, and their number, to what reaches a client whole."""
    if not warnings:
        return ()
    cleaned = tuple(dict.fromkeys(cut(text, WARNING_LIMIT) for text in warnings))
    if len(cleaned) <= WARNINGS_LIMIT:
        return cleaned
    return (
        *cleaned[: WARNINGS_LIMIT - 1],
        f"and {len(cleaned) - WARNINGS_LIMIT + 1} more warnings",
    )
