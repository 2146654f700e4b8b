"""Which files of the image its command starts, as far as the config alone tells."""

import posixpath

from webhook.scanner.image import ImageConfig

# Programs that start another one, which their first argument names.
_SUPERVISORS = frozenset({"tini", "dumb-init", "catatonit"})
_INTERPRETERS = frozenset({"bash", "sh", "dash", "python", "python3", "perl", "node", "ruby"})
_SCRIPTS = (".py", ".sh", ".js", ".pl", ".rb")


def started_files(config: ImageConfig) -> tuple[str, ...]:
    """Give the absolute paths of the programs and scripts that are started, one by the other.

    A bare name is looked up in PATH, and a shell's `-c` holds a program of its own: there the config tells no more.
    """
    words = [*config.entrypoint, *config.command]
    files = []
    while words:
        word, *words = words
        if "/" in word or word.endswith(_SCRIPTS):
            files.append(posixpath.normpath(posixpath.join("/", config.working_dir, word)))
        name = posixpath.basename(word)
        if name not in _SUPERVISORS | _INTERPRETERS:
            break
        words = _arguments(words)
        if words and name in _INTERPRETERS and not words[0].endswith(_SCRIPTS):
            break
    return tuple(files)


def _arguments(words: list[str]) -> list[str]:
    """Pass over options that take no argument; behind any other there is nothing to be sure of."""
    while words and words[0].startswith("-"):
        if words[0] not in {"--", "-u", "-g", "-l", "-e", "-x"}:
            return []
        words = words[1:]
    return words
