"""Which entries of an audit log a query means: filters, each a pure function from an entry to yes or no."""

import heapq
from collections.abc import Callable, Collection, Iterable

from webhook.core.imagepattern import compile_pattern
from webhook.core.reference import InvalidReference, Reference, parse, split
from webhook.core.words import clean
from webhook.stores.auditlog import Entry

Filter = Callable[[Entry], bool]


def all_of(filters: Collection[Filter]) -> Filter:
    """Want what every one of `filters` wants; of none, everything."""
    return lambda entry: all(wanted(entry) for wanted in filters)


def any_of(filters: Collection[Filter]) -> Filter:
    """Want what one of `filters` wants."""
    return lambda entry: any(wanted(entry) for wanted in filters)


def since(moment: float) -> Filter:
    """Want entries of that moment and later, in seconds since the epoch."""
    return lambda entry: entry.time >= moment


def until(moment: float) -> Filter:
    """Want entries before that moment: two spans that meet share none."""
    return lambda entry: entry.time < moment


def namespace(names: Collection[str]) -> Filter:
    """Want entries of these namespaces."""
    return lambda entry: entry.namespace in names


def notebook(names: Collection[str]) -> Filter:
    """Want entries of these notebooks."""
    return lambda entry: entry.notebook in names


def user(names: Collection[str]) -> Filter:
    """Want entries of these users, whose names stand in a log with `?` for what is not printable."""
    cleaned = {clean(name) for name in names}
    return lambda entry: entry.user in cleaned


def decision(words: Collection[str]) -> Filter:
    """Want entries with one of these decisions."""
    return lambda entry: entry.decision in words


def requirement(ids: Collection[str]) -> Filter:
    """Want entries in which one of these rules did not hold, whatever that led to."""
    return lambda entry: any(reason.requirement in ids for reason in entry.reasons)


def image(text: str) -> Filter:
    """Want entries of an image, in any spelling, or of all images of a pattern with `*`.

    Without a tag or digest, every version is meant, as in a policy's patterns. With a tag, that tag, whatever digest
    stands beside it: nbgate itself pins images to theirs. With a digest, what was written with it or resolved to it.

    Raises:
        InvalidReference: it has no `*` and is no reference.
        InvalidPattern: it has a `*` and is no pattern.
    """
    if "*" in text:
        pattern = compile_pattern(text)
        return lambda entry: _holds(entry, pattern.matches)
    wanted = parse(text)
    _, tag, digest = split(text)
    if digest is not None:
        return lambda entry: _holds(
            entry,
            lambda found: (
                found.repository == wanted.repository and digest in (found.digest, entry.digest)
            ),
        )
    if tag is not None:
        return lambda entry: _holds(entry, lambda found: found.tagged == wanted.tagged)
    return lambda entry: _holds(entry, lambda found: found.repository == wanted.repository)


def _holds(entry: Entry, wanted: Callable[[Reference], bool]) -> bool:
    try:
        return wanted(parse(entry.canonical))
    except InvalidReference:
        return False


def newest(entries: Iterable[Entry], limit: int) -> list[Entry]:
    """Keep the `limit` newest, oldest first; of the same second, those read last. Holds no more than that in memory."""
    numbered = ((entry.time, number, entry) for number, entry in enumerate(entries))
    return [entry for _, _, entry in reversed(heapq.nlargest(limit, numbered))]
