"""docs/job-config.md speaks of every field that a job config may have."""

import re
from pathlib import Path

import pytest

from jobs.config import InvalidJobConfig, Rules, read

DOCUMENT = Path(__file__).parents[3] / "docs" / "job-config.md"


@pytest.mark.parametrize(
    "place",
    [
        "HERE",
        "actions: [{HERE}]",
        "actions: [{events: [{HERE}]}]",
        "actions: [{events: [{jsonpath: {HERE}}]}]",
        "actions: [{tasks: [{HERE}]}]",
        "actions: [{tasks: [{env: [{HERE}]}]}]",
        "actions: [{tasks: [{http: {HERE}}]}]",
        "actions: [{tasks: [{imagePullSecrets: [{HERE}]}]}]",
        "actions: [{tasks: [{secretFiles: [{HERE}]}]}]",
        "actions: [{tasks: [{resources: {HERE}}]}]",
        "actions: [{tasks: [{resources: {limits: {HERE}}}]}]",
        "actions: [{tasks: [{securityContext: {HERE}}]}]",
        "actions: [{tasks: [{securityContext: {capabilities: {HERE}}}]}]",
        "actions: [{tasks: [{securityContext: {seccompProfile: {HERE}}}]}]",
    ],
)
def test_every_field_is_documented(place: str) -> None:
    prose = re.sub(r"(?ms)^```.*?^```", "", DOCUMENT.read_text())
    in_code = " ".join(re.findall(r"`[^`]+`", prose))

    assert [name for name in fields_at(place) if not re.search(rf"\b{name}\b", in_code)] == []


def fields_at(place: str) -> list[str]:
    """The fields that the reader knows there, as it says itself of one that it does not know."""
    raw = f"apiVersion: v2\n{place.replace('HERE', 'unheard-of: 1')}\n".encode()
    with pytest.raises(InvalidJobConfig) as refused:
        read(raw, origin="c.yaml", rules=Rules())
    (names,) = (text for problem in refused.value.problems if "unknown" in (text := problem.text))
    return names.partition("unknown field; expected ")[2].split(", ")
