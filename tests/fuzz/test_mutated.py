"""A short run of every target, the same each time: inputs near those of the corpus. Long runs are atheris's."""

import resource

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.corpus import inputs
from tests.fuzz.mutation import ODD, near
from tests.fuzz.targets import TARGETS

# What the process may grow by while a target runs: a hundred times what its longest input has.
MEGABYTES = 256


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_whatever_is_near_the_corpus_is_read_as_its_target_says(name: str) -> None:
    target = TARGETS[name]

    @settings(
        max_examples=target.examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(near(inputs(target), (*target.words, *ODD)))
    def run(data: bytes) -> None:
        target.check_in_time(data)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < MEGABYTES * 1024
