"""Settings of this room's generated tests."""

from hypothesis import settings

# A deadline per example measures what else the machine does; what must be fast is measured by tests of its own.
settings.register_profile("core", deadline=None)
settings.load_profile("core")
