"""[pod-digest] The notebook's image is pinned to the digest that was scanned.

Why: a tag may move between the scan and the pull, and what runs would be something that nobody scanned.
Looks at: the image of the notebook's container. Action: Deny, when the policy asks for that patch and a scan exists.
"""

from webhook.core.target import Target


def problem(target: Target) -> tuple[str, str] | None:
    """Give the field and what is wrong with it, or None."""
    reference, finding = target.reference, target.finding
    digest = finding.digest if finding and finding.scan else None
    if reference is None or reference.digest or digest is None:
        return None
    return "image", f"it must name the digest that was scanned: {reference.pinned(digest)}"
