"""What is kept of one layer: a few kilobytes, the same whichever image it belongs to, so that it can be cached.

Paths are without a leading slash, as tar has them, normalised: `etc/passwd`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# What small files are searched for, and the word that stands for it in `Script.mentions`.
Mention = Literal["NB_PREFIX", "8888", "allow_origin", "tmp_home"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A small file that starts something or configures it: which of the words that matter it mentions."""

    path: str
    mentions: frozenset[Mention]


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeEntry:
    """Something directly under /home/jovyan, with everything below it counted.

    Attributes:
        files: regular files, and links.
        size: bytes of the regular files.
    """

    files: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerContents:
    """What one layer holds of what scans ask for.

    Attributes:
        diff_id: the digest of its tar, which its image's config names it by.
        passwd: the bytes of etc/passwd, where it is a regular file here.
        passwd_link: its target, where it is a link here.
        scripts: by path; only files that mention something.
        home: by name directly under home/jovyan.
        home_files: paths of regular files and links under home/jovyan, at most HOME_FILES_LIMIT of them, sorted.
        home_sizes: the bytes of each of `home_files`, 0 for links, so that layers can be merged exactly.
        hidden: paths of which nothing in lower layers is visible: whiteouts, and whatever replaced a folder or a
            script; for an opaque folder its path with a trailing slash, for what is below it is hidden but what this
            layer has there. Only paths that matter to the other fields. What `scripts` and `home_files` name hides
            what lower layers have at and below its path too, and is not repeated here.
    """

    diff_id: str = ""
    passwd: bytes | None = None
    passwd_link: str | None = None
    scripts: Mapping[str, Script] = field(default_factory=dict)
    home: Mapping[str, HomeEntry] = field(default_factory=dict)
    home_files: tuple[str, ...] = ()
    home_sizes: tuple[int, ...] = ()
    hidden: frozenset[str] = frozenset()


HOME_FILES_LIMIT = 1000
