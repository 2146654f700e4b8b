"""Which starts a probe makes, one after another: each tells something that the one before left open."""

from typing import Protocol

from webhook.scanner.probes.observation import Observation, Run


class Runner(Protocol):
    """Starts an image, watches it and stops it."""

    def run(self, *, home: bool, confined: bool) -> Run:
        """Start it once; the arguments are as `Run` has them. Raises ProbeError."""
        ...


def climb(runner: Runner) -> Observation:
    """Start an image up to four times, as `Observation` describes. Raises ProbeError.

    Strictly first: who answers so needs no privileges, and strangers' code got none. Then as Kubeflow does, which some
    images need (s6-overlay of Kubeflow's own up to v1.8). Then without the volume, to see whether that is what it dies
    of. A program that the runtime cannot even start needs no privileges to be there, but it may lie in the folder that
    the volume hides. And where it answers without the volume, but was only too slow with it: once more with it, for by
    then the machine has the image's files at hand, and a slow start is not the volume's doing.
    """
    runs = [runner.run(home=True, confined=True)]
    if runs[-1].ending not in {"answered", "refused"}:
        runs.append(runner.run(home=True, confined=False))
    last = runs[-1]
    if last.ending != "answered":
        bare = runner.run(home=False, confined=False)
        runs.append(bare)
        if bare.ending == "answered" and last.ending == "silent":
            runs.append(runner.run(home=True, confined=False))
    return Observation(runs=tuple(runs))
