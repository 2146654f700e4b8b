"""What the layers of one platform show together, as a container would see it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from webhook.scanner.layers.contents import HomeEntry, Script


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What is visible of the layers that were read, which is from the topmost down.

    Attributes:
        complete: every layer was read; else all but `passwd` and `passwd_link` tell of the upper layers only.
        passwd_known: nothing in a layer that was not read could change `passwd` and `passwd_link`.
        passwd: the bytes of /etc/passwd; None where it is no file.
        passwd_link: where it is a link, its target.
        scripts: files that start or configure something and mention what matters, by path.
        home: by name directly under home/jovyan, what an empty volume would hide.
        home_files: paths of files under home/jovyan, sorted, at most HOME_FILES_LIMIT a layer.
    """

    complete: bool
    passwd_known: bool
    passwd: bytes | None = None
    passwd_link: str | None = None
    scripts: Mapping[str, Script] = field(default_factory=dict)
    home: Mapping[str, HomeEntry] = field(default_factory=dict)
    home_files: tuple[str, ...] = ()


# Whether what the upper layers showed is all that a scan asks for, so that the lower ones need not be fetched.
Enough = Callable[[Files], bool]
