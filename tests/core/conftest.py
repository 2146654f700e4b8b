"""Settings of this room's generated tests."""

from hypothesis import settings

# A deadline per example measures what else the machine does; what must be fast is measured by tests of its own.
settings.register_profile("core", deadline=None)
# For thousands of runs on changed code: few examples, and always the same, so that a survivor is one again tomorrow.
settings.register_profile("mutation", deadline=None, max_examples=15, derandomize=True)
settings.load_profile("core")
