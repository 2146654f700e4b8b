"""The policy in a file: one NotebookPolicy document, and the last good one while the file holds no good one."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from webhook.core.document import Fault, InvalidDocument
from webhook.core.policy import DEFAULT_POLICY, PolicyDocument, read_policy
from webhook.stores.documents import Broken, is_json, parse_documents
from webhook.stores.files import UnreadableFile, identity_of, read_file
from webhook.stores.problem import Problem, problem_of
from webhook.stores.seen import SETTLE, Seen
from webhook.stores.tree import shown

# What the API server would take of it as a custom resource: etcd's limit of a request, 1.5 MiB.
POLICY_LIMIT = 3 * 512 * 1024


class UnreadablePolicy(ValueError):
    """A file holds no policy that can hold; `problems` says everything that is wrong with it."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def load_policy(path: Path, *, required: bool) -> PolicyDocument:
    """Read a policy file once; give the default policy where it is absent and not `required`.

    Raises:
        UnreadablePolicy: the file cannot be read, holds no single policy, or breaks the format.
    """
    if not required and not os.path.lexists(path):
        return DEFAULT_POLICY
    try:
        data = read_file(path, POLICY_LIMIT).data
    except UnreadableFile as error:
        raise UnreadablePolicy(problem_of(path, 0, Fault("", str(error)))) from None
    return parse_policy(data, path)


def parse_policy(data: bytes, path: Path | str) -> PolicyDocument:
    """Read the bytes of a policy file, or of what `path` names. Raises UnreadablePolicy with every fault."""
    if str(path).endswith(".json") and not is_json(data):
        fault = Fault("", "is not JSON; begin it with {, or name it .yaml")
        raise UnreadablePolicy(problem_of(path, 0, fault))
    pieces = parse_documents(data)
    broken = [
        problem_of(path, piece.number, fault)
        for piece in pieces
        if isinstance(piece, Broken)
        for fault in piece.faults
    ]
    if broken:
        raise UnreadablePolicy(*broken)
    found = [piece.content for piece in pieces if not isinstance(piece, Broken)]
    if len(found) != 1:
        problem = f"holds {len(found)} documents; write exactly one NotebookPolicy"
        raise UnreadablePolicy(problem_of(path, 0, Fault("", problem)))
    return _read(found[0], path)


def _read(content: dict[str, Any], path: Path | str) -> PolicyDocument:
    kind = content.get("kind")
    if isinstance(kind, str) and kind != "NotebookPolicy":
        # Its fields would all be faults; the one that counts is said alone.
        problem = f"is {shown(kind)}; name a file with a NotebookPolicy"
        raise UnreadablePolicy(problem_of(path, 0, Fault("kind", problem)))
    try:
        return read_policy(content)
    except InvalidDocument as error:
        raise UnreadablePolicy(*(problem_of(path, 0, fault) for fault in error.faults)) from None


class PolicyFile:
    """A policy file's content; each `refresh` reads it if it has changed. One thread refreshes, any may read.

    Args:
        path: the file; in a ConfigMap's mount, the visible name.
        required: whether it is a problem that the file was never there; else the default policy then holds.
        settle: seconds that a file must rest before it is read, unless it is named .json: half a YAML can be YAML.
        clock: seconds since the epoch, as the file system's time stamps have them.

    Attributes:
        current: the policy that holds: the last good one, at first the default one.
        loaded: whether there has been a good one, or the default one holds because the file is absent.
        generation: the document's own metadata.generation, else the number of policies that have held so far.
        problems: what is wrong with the file as it is now.
    """

    def __init__(
        self,
        path: Path,
        *,
        required: bool = False,
        settle: float = SETTLE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.current = DEFAULT_POLICY
        self.loaded = False
        self.generation = 0
        self.problems: tuple[Problem, ...] = ()
        self._required = required
        self._settle = settle
        self._clock = clock
        self._seen: Seen | None = None
        self._loads = 0

    def refresh(self) -> bool:
        """Look at the file, and read it if it has changed; tell whether the policy or the problems are others now."""
        before = (self._loads, self.problems)
        try:
            self._look()
        except UnreadablePolicy as error:
            self.problems = error.problems
        return (self._loads, self.problems) != before

    def _look(self) -> None:
        try:
            found = self.path.stat()
        except OSError as error:
            self._absent(error)
            return
        now, identity = self._clock(), identity_of(found)
        if self._seen is None:
            self._seen = Seen(identity, now)
        if not self._seen.due(identity, now):
            return
        rested = self._seen.rested(now, self._settle)
        if rested or self.path.suffix == ".json":
            self._read(self._seen, rested=rested)

    def _absent(self, error: OSError) -> None:
        """Take the default policy where there never was a file; one that is gone may be on its way back."""
        missing = isinstance(error, FileNotFoundError) and not self.path.is_symlink()
        if missing and not self._required and self._seen is None:
            if not self.loaded:
                self._take(DEFAULT_POLICY)
            self.problems = ()
            return
        if self._seen is not None:
            self._seen.settled = False
        problem = "is gone or cannot be reached; put it back, or restart without it"
        if self._seen is None:
            problem = "is not there or cannot be reached; create it, or name another"
        raise UnreadablePolicy(problem_of(self.path, 0, Fault("", problem)))

    def _read(self, seen: Seen, *, rested: bool) -> None:
        try:
            content = read_file(self.path, POLICY_LIMIT)
        except UnreadableFile as error:
            # Not settled: it is tried again at each look, for what refuses it may pass without the file changing.
            raise UnreadablePolicy(problem_of(self.path, 0, Fault("", str(error)))) from None
        if content.identity != seen.identity:
            return
        seen.settled = rested
        policy = parse_policy(content.data, self.path)
        self.problems = ()
        if not self.loaded or policy != self.current:
            self._take(policy)

    def _take(self, policy: PolicyDocument) -> None:
        self._loads += 1
        self.current, self.loaded = policy, True
        self.generation = policy.metadata.generation or self._loads
