"""Every check in its order, each by itself: one that cannot look stops no other."""

from collections.abc import Iterator
from dataclasses import dataclass

from webhook.core.words import cut
from webhook.doctor import (
    apiserver,
    budget,
    certificate,
    definitions,
    dryrun,
    leader,
    modes,
    neighbours,
    notebooks,
    policy,
    profiles,
    replicas,
    rights,
    scans,
    service,
    webhooks,
    workloads,
)
from webhook.doctor.check import Check
from webhook.doctor.finding import Finding, Result, unknown, worst
from webhook.doctor.site import Site
from webhook.kubeerrors import Forbidden, KubeError, NotFound

# What others stand on comes first.
CHECKS: tuple[Check, ...] = (
    apiserver.CHECK,
    definitions.CHECK,
    workloads.CHECK,
    replicas.CHECK,
    service.CHECK,
    budget.CHECK,
    webhooks.CHECK,
    neighbours.CHECK,
    certificate.CHECK,
    rights.CHECK,
    leader.CHECK,
    profiles.CHECK,
    modes.CHECK,
    notebooks.CHECK,
    policy.CHECK,
    scans.CHECK,
    dryrun.CHECK,
)


@dataclass(frozen=True, slots=True)
class Examined:
    """What one check found; at least one finding."""

    check: Check
    findings: tuple[Finding, ...]

    @property
    def result(self) -> Result:
        """The worst of its findings."""
        return worst(finding.result for finding in self.findings)


def examine(site: Site, checks: tuple[Check, ...] = CHECKS) -> Iterator[Examined]:
    """Run the checks, one after the other. Raises nothing that a cluster does."""
    for check in checks:
        findings: list[Finding] = []
        try:
            findings.extend(check.look(site))
        except Forbidden as error:
            cure = "# ask somebody who may, or have it granted"
            findings.append(unknown(f"cannot look: {cut(str(error), 400)}", cure=cure))
        except NotFound:
            findings.append(
                unknown("cannot look: the kind is not there, see the check `definitions`")
            )
        except KubeError as error:
            findings.append(unknown(f"cannot look: {cut(str(error), 400)}"))
        yield Examined(check, tuple(findings))
