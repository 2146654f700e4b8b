"""[empty-home] It starts, and answers, with an empty volume mounted at /home/jovyan.

Why: Kubeflow mounts the notebook's volume there, and what the image has there is hidden. Looks at: a probe, which
starts the image with such a volume, and if that does not answer without it. Without a probe, only a program that itself
lies in the hidden folder, and that no script brings back, is decided.
"""

from webhook.core.scan import Check
from webhook.core.words import cut
from webhook.scanner.checks.failure import how, last_words
from webhook.scanner.checks.seen import HOME, Seen, found
from webhook.scanner.checks.startedfile import started_files
from webhook.scanner.image import ImageConfig
from webhook.scanner.layers.files import Enough, Files

_CURE = f"install it outside {HOME}, or copy it there at start"
_SHOWN = 3  # names of hidden files; a denial is one line
_NAMES_LIMIT = 80


def check(seen: Seen) -> Check:
    """Decide it; Unknown where the image was not started, or does not answer without the volume either."""
    if seen.observation is None:
        return _static(seen)
    run = seen.answered
    if run is None:
        message = f"it answers neither with an empty volume at {HOME} nor without one"
        return found("empty-home", "Unknown", "Probe", message)
    if run.home:
        return found("empty-home", "Pass", "Probe", f"it answers with an empty volume at {HOME}")
    failed = next((r for r in reversed(seen.observation.runs) if r.home), run)
    # The cure before the details: whoever shows only the beginning shows what helps.
    details = "; ".join(filter(None, (_hidden(seen.files), last_words(failed))))
    message = f"with an empty volume at {HOME} {how(failed)}: {_CURE}{details and f' ({details})'}"
    return found("empty-home", "Fail", "Probe", message)


def _static(seen: Seen) -> Check:
    hidden = _started_from_home(seen.config)
    if hidden is not None and seen.files.complete and not _restored(seen.files):
        message = f"it starts {hidden}, which an empty volume hides: {_CURE}"
        return found("empty-home", "Fail", "Layers", message)
    hidden = _hidden(seen.files)
    return found("empty-home", "Unknown", None, f"{seen.unprobed}{hidden and f' ({hidden})'}")


def enough_of(config: ImageConfig) -> Enough:
    """Tell when the layers that were read show all that the checks ask of them."""
    hidden = _started_from_home(config)

    def enough(files: Files) -> bool:
        return files.passwd_known and (hidden is None or _restored(files))

    return enough


def _started_from_home(config: ImageConfig) -> str | None:
    return next((path for path in started_files(config) if path.startswith(f"{HOME}/")), None)


def _restored(files: Files) -> bool:
    return any("tmp_home" in script.mentions for script in files.scripts.values())


def _hidden(files: Files) -> str:
    count = sum(entry.files for entry in files.home.values())
    if not count:
        return ""
    names = cut(", ".join(sorted(files.home)[:_SHOWN]), _NAMES_LIMIT)
    least = "" if files.complete else "at least "
    back = ", which a script of its own brings back" if _restored(files) else ""
    return f"the volume hides {least}{count} files of it: {names}{back}"
