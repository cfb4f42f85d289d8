"""The image allowlist."""

import pytest

from jobs.images import ImageAllowlist, InvalidImagePattern


@pytest.mark.parametrize(
    ("allowlist", "image", "allowed"),
    [
        ("", "anything/at:all", True),
        (",,", "anything/at:all", True),
        ("*", "anything/at:all", True),
        ("docker.io/a,*", "anything/at:all", True),
        ("docker.io/a, *", "anything/at:all", False),
        (",docker.io/a,,", "anything/at:all", False),
        ("alpine", "alpine", True),
        ("alpine", "alpine:3.18", False),
        ("alpine", "docker.io/alpine", False),
        ("alpine", "ALPINE", False),
        ("alpine*", "alpine:3.18", True),
        ("docker.io/*", "docker.io/library/alpine:3.18", True),
        ("docker.io/*", "alpine", False),
        ("*/alpine", "a.b/c:1/d/alpine", True),
        ("**/alpine", "a/b/alpine", True),
        ("alpine:3.?", "alpine:3.9", True),
        ("alpine:3.?", "alpine:3.18", False),
        ("alpine:[34]", "alpine:4", True),
        ("alpine:[3-5]", "alpine:4", True),
        ("alpine:[3-5]", "alpine:6", False),
        ("alpine:[!3]", "alpine:4", True),
        ("alpine:[!3]", "alpine:3", False),
        ("alpine:[!3-5]", "alpine:6", True),
        ("alpine:[!3-5]", "alpine:4", False),
        ("{alpine}", "alpine", True),
        ("{alpine,busybox}", "alpine", True),
        ("{alpine,busybox}", "busybox", False),
        ("{alpine,busybox}", "busybox}", True),
        ("a,alpine", "alpine", True),
        ("a, alpine", "alpine", False),
        ("a, alpine", " alpine", True),
        (r"al\*pine", "al*pine", True),
        (r"al\*pine", "alxpine", False),
        ("al.ine", "alpine", False),
        ("*", "", True),
    ],
)
def test_an_image_is_matched_literally_and_as_a_whole(allowlist: str, image: str, allowed: bool) -> None:
    assert ImageAllowlist.parse(allowlist).allows(image) is allowed


@pytest.mark.parametrize("allowlist", ["[", "alpine:[3", "a,[]", "[c-a]", "[a-cx]", "[!]", "a" * 1000])
def test_a_bad_pattern_is_refused(allowlist: str) -> None:
    with pytest.raises(InvalidImagePattern):
        ImageAllowlist.parse(allowlist)
