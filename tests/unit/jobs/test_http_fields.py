"""The field `http` of a task."""

import pytest

from jobs.config import InvalidJobConfig, read
from jobs.model import HttpCall, Rules


def call_of(fields: str) -> HttpCall | None:
    text = f"apiVersion: v2\nactions:\n- tasks:\n  - http: {{{fields}}}\n"
    (action,) = read(text.encode(), origin="c.yaml", rules=Rules()).actions
    return action.tasks[0].http


def problem_of(fields: str) -> str:
    with pytest.raises(InvalidJobConfig) as caught:
        call_of(fields)
    (problem,) = caught.value.problems
    return str(problem).removeprefix("c.yaml, line 4, actions[0].tasks[0].http")


def test_everything_that_a_call_can_say_is_read() -> None:
    call = call_of(
        'url: "https://h.example.com/$(A)", method: PUT, headers: {X-A: 1, Y: "$(T)"}, body: "{}", '
        "statuses: [200, 4xx], idempotent: true"
    )

    assert call == HttpCall(
        "https://h.example.com/$(A)", "PUT", {"X-A": "1", "Y": "$(T)"}, "{}", ("200", "4xx"), idempotent=True
    )


def test_a_url_is_all_that_a_call_needs() -> None:
    assert call_of('url: "$(HOOK)/x"') == HttpCall("$(HOOK)/x")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("", ".url: expected a URL, found nothing"),
        ("url: h.example.com", ".url: expected a URL like https://example.com/path"),
        ("url: ftp://h.example.com", ".url: expected a URL like https://example.com/path"),
        ("url: 'https:///path'", ".url: expected a URL like https://example.com/path"),
        (
            "url: 'http://a', method: get",
            ".method: expected GET, HEAD, POST, PUT, PATCH or DELETE, found 'get'",
        ),
        ("url: 'http://a', headers: {'A b': c}", ".headers: expected the name of a header, found 'A b'"),
        ("url: 'http://a', headers: {Host: c}", ".headers.Host: the plane sets this header itself"),
        ("url: 'http://a', headers: {A: b, a: c}", ".headers.a: the header is there twice"),
        ("url: 'http://a', statuses: [ok]", ".statuses[0]: expected a status like 204 or 2xx, found 'ok'"),
        ("url: 'http://a', statuses: [200, 600]", ".statuses[1]: expected a status like 204 or 2xx"),
        ("url: 'http://a', idempotent: maybe", ".idempotent: expected true or false"),
        (
            "url: 'http://a', timeout: 3",
            ".timeout: unknown field; expected body, headers, idempotent, method",
        ),
    ],
)
def test_what_can_not_be_a_call_is_refused_with_its_place(fields: str, problem: str) -> None:
    assert problem_of(fields).startswith(problem)


def test_a_problem_of_a_header_has_the_line_of_the_header() -> None:
    text = (
        "apiVersion: v2\nactions:\n- tasks:\n  - http:\n      url: http://a\n"
        "      headers:\n        A: b\n        Host: c\n"
    )

    with pytest.raises(InvalidJobConfig, match=r"line 8, actions\[0\].tasks\[0\].http.headers.Host"):
        read(text.encode(), origin="c.yaml", rules=Rules())
