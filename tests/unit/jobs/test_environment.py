"""A task's environment."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from jobs.config import Env, Task, ValueFrom
from jobs.environment import Environment, InvalidEnvironment, Variable, environment
from jobs.model import SecretKey

SECRETS: Mapping[str, Mapping[str, str]] = {
    "db": {"USER": "admin", "PASSWORD": "p$(A)$$"},
    "other": {"PASSWORD": "second"},
    "team/hooks": {"token": "t0ken"},
}


def triggered(**data: Any) -> dict[str, Any]:
    return {
        "type": "sh.keptn.event.test.triggered",
        "source": "shipyard-controller",
        "time": "2021-05-13T07:46:09.546Z",
        "data": {"project": "sockshop", "stage": "dev", "service": "carts", **data},
    }


def entry(name: str, value: str = "", value_from: ValueFrom = "string", rendering: str = "") -> Env:
    return Env(name, value, value_from, rendering)


def environment_of(*env: Env, allow: bool = False, **data: Any) -> Environment:
    task = Task(0, env=env)
    return environment(task, triggered(**data), SECRETS.__getitem__, allow_secret_references=allow)


def values_of(built: Environment) -> dict[str, str]:
    return {name: variable.value for name, variable in built.variables.items()}


def test_the_tasks_own_variables_come_first_then_keptns_then_the_labels() -> None:
    built = environment_of(
        *(entry("B", "b"), entry("db", value_from="secret"), entry("A", "a")),
        labels={"build id": "5", "Owner-Name": "me", "a/b.c": "x"},
    )
    assert list(values_of(built).items()) == [
        *(("B", "b"), ("USER", "admin"), ("PASSWORD", "p$(A)$$"), ("A", "a")),
        *(("KEPTN_PROJECT", "sockshop"), ("KEPTN_STAGE", "dev"), ("KEPTN_SERVICE", "carts")),
        *(("LABELS_BUILD_ID", "5"), ("LABELS_OWNER_NAME", "me"), ("LABELS_A/B.C", "x")),
    ]


def test_the_last_of_several_variables_with_one_name_counts() -> None:
    built = environment_of(
        *(entry("KEPTN_STAGE", "mine"), entry("A", "1"), entry("A", "2"), entry("db", value_from="secret")),
        *(entry("other", value_from="secret"), entry("USER", "plain")),
        labels={"a-b": "1", "a b": "2"},
    )
    values = values_of(built)
    assert (values["KEPTN_STAGE"], values["A"], values["LABELS_A_B"]) == ("dev", "2", "2")
    assert built.variables["PASSWORD"] == Variable("PASSWORD", "second", SecretKey("other", "PASSWORD"))
    assert built.variables["USER"] == Variable("USER", "plain", secret=None)


def test_every_key_of_a_secret_becomes_a_variable_that_knows_its_secret() -> None:
    built = environment_of(entry("db", "ignored", "secret", "json"))
    assert built.variables["USER"] == Variable("USER", "admin", SecretKey("db", "USER"))
    assert built.variables["PASSWORD"] == Variable("PASSWORD", "p$(A)$$", SecretKey("db", "PASSWORD"))
    assert "db" not in built.variables


def test_a_single_key_of_a_secret_has_the_variables_own_name() -> None:
    built = environment_of(
        entry("DB_PASSWORD", "db/PASSWORD", "secretKey"), entry("TOKEN", "team/hooks/token", "secretKey")
    )

    assert built.variables["DB_PASSWORD"] == Variable("DB_PASSWORD", "p$(A)$$", SecretKey("db", "PASSWORD"))
    assert built.variables["TOKEN"] == Variable("TOKEN", "t0ken", SecretKey("team/hooks", "token"))
    assert not {"USER", "PASSWORD", "token"} & built.variables.keys()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("nope/PASSWORD", 'valueFrom secretKey: secrets "nope" not found'),
        ("db/HOST", 'valueFrom secretKey: the secret "db" has no key "HOST"'),
        ("db", "'db' is not SECRET/KEY"),
    ],
)
def test_a_key_that_is_not_there_is_named(value: str, reason: str) -> None:
    with pytest.raises(InvalidEnvironment, match=f"could not add env with name P.*{re.escape(reason)}"):
        environment_of(entry("P", value, "secretKey"))


def test_a_secret_is_read_once_however_many_of_its_keys_are_wanted() -> None:
    asked: list[str] = []

    def secrets(name: str) -> Mapping[str, str]:
        asked.append(name)
        return SECRETS[name]

    env = (
        entry("A", "db/USER", "secretKey"),
        entry("B", "db/PASSWORD", "secretKey"),
        entry("db", "", "secret"),
    )
    environment(Task(0, env=env), triggered(), secrets, allow_secret_references=False)

    assert asked == ["db"]


def test_a_secret_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidEnvironment) as caught:
        environment_of(entry("nope", value_from="secret"))
    expected = 'could not add env with name nope, valueFrom secret: secrets "nope" not found'
    assert str(caught.value) == expected


def test_a_string_is_taken_as_it_is_whatever_its_rendering() -> None:
    assert values_of(environment_of(entry("A", "$.data.project", "string", "json")))["A"] == "$.data.project"


@pytest.mark.parametrize(
    ("path", "rendering", "text"),
    [
        ("$.data.project", "", "sockshop"),
        ("$.data.project", "json", '"sockshop"'),
        ("$.data.project", "YAML", "sockshop\n"),
        ("$.data.list", "", "[a b c 3]"),
        ("$.data.list[*]", "", "[a b c 3]"),
        ("$.data.nothing", "", "<nil>"),
        ("$.data.million", "", "1e+06"),
        ("$.data.map", "", '{"k":"\\u003cv\\u003e"}'),
        ('$.data.project == "sockshop"', "", "true"),
        ("$.type", "", "sh.keptn.event.test.triggered"),
        ("$.type", "json", '"sh.keptn.event.test.triggered"'),
        ("$.source", "", "shipyard-controller"),
        ("$.source", "yaml", "shipyard-controller\n"),
        ("$.time", "", "2021-05-13 07:46:09.546 +0000 UTC"),
        ("$.time", "json", '"2021-05-13T07:46:09.546Z"'),
        ("$.time", "yaml", "2021-05-13T07:46:09.546Z\n"),
    ],
)
def test_a_value_of_the_event_is_found_by_its_path(path: str, rendering: str, text: str) -> None:
    data: dict[str, Any] = {"list": ["a", "b c", 3], "nothing": None, "million": 10**6, "map": {"k": "<v>"}}
    assert values_of(environment_of(entry("A", path, "event", rendering), **data))["A"] == text


@pytest.mark.parametrize("rendering", ["", "json"])
def test_the_whole_event_is_json(rendering: str) -> None:
    assert values_of(environment_of(entry("A", "$", "event", rendering)))["A"] == (
        '{"data":{"project":"sockshop","service":"carts","stage":"dev"},"gitcommitid":"","id":"",'
        '"shkeptncontext":"","source":"shipyard-controller","specversion":"",'
        '"time":"2021-05-13T07:46:09.546Z","type":"sh.keptn.event.test.triggered"}'
    )


def test_the_whole_event_can_be_yaml() -> None:
    assert values_of(environment_of(entry("A", "$", "event", "yaml")))["A"] == (
        "data:\n  project: sockshop\n  service: carts\n  stage: dev\n"
        'gitcommitid: ""\nid: ""\nshkeptncontext: ""\nsource: shipyard-controller\nspecversion: ""\n'
        "time: 2021-05-13T07:46:09.546Z\ntype: sh.keptn.event.test.triggered\n"
    )


def test_a_path_that_leads_nowhere_is_an_error_with_name_and_path() -> None:
    with pytest.raises(InvalidEnvironment) as caught:
        environment_of(entry("A", "$.data.nope", "event"))
    assert str(caught.value) == (
        "could not add env with name 'A', value '$.data.nope', valueFrom 'event': unknown key nope"
    )


def test_data_that_is_nested_too_deeply_is_our_error() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    for rendering in ("", "json", "yaml"):
        with pytest.raises(InvalidEnvironment, match="nested too deeply"):
            environment_of(entry("A", "$.data.deep", "event", rendering), deep=nested)


def test_a_value_may_refer_to_earlier_variables_only() -> None:
    values = values_of(
        environment_of(
            *(
                entry("A", "$(B) $(A) $$(B)"),
                entry("B", "b"),
                entry("C", "$(A)-$(B)"),
                entry("B", "$(B)$(B)"),
            ),
            entry("STAGE", "$(KEPTN_STAGE)"),
        )
    )
    assert values["A"] == "$(B) $(A) $(B)"
    assert values["C"] == "$(B) $(A) $(B)-b", "the result is not expanded again"
    assert values["B"] == "bb"
    assert values["STAGE"] == "$(KEPTN_STAGE)", "Keptn's own come last"


def test_values_of_the_event_and_labels_are_expanded_too() -> None:
    values = values_of(
        environment_of(
            *(entry("A", "a"), entry("E", "$.data.text", "event")),
            text="$(A) costs 5$$",
            labels={"l": "$(A)"},
        )
    )
    assert (values["E"], values["LABELS_L"]) == ("a costs 5$", "a")


def test_the_command_may_refer_to_all_variables() -> None:
    built = environment_of(entry("A", "a"), labels={"team": "us"})
    assert built.expand("$(A) $(KEPTN_STAGE) $(LABELS_TEAM) $$(A) $(NOPE)") == "a dev us $(A) $(NOPE)"


def test_a_secret_in_the_command_is_refused_unless_it_is_allowed() -> None:
    with pytest.raises(InvalidEnvironment) as caught:
        environment_of(entry("db", value_from="secret")).expand("login $(USER)")
    message = "$(USER) in the command or its arguments names a variable of the secret db"
    assert str(caught.value).startswith(message)
    assert "admin" not in str(caught.value)
    allowed = environment_of(entry("db", value_from="secret"), allow=True)
    assert allowed.expand("login $(USER) $(PASSWORD)") == "login admin p$(A)$$"


def test_a_secret_in_the_value_of_a_variable_is_refused_unless_it_is_allowed() -> None:
    env = (entry("db", value_from="secret"), entry("URL", "https://$(USER)@host"))
    with pytest.raises(
        InvalidEnvironment, match=r"\$\(USER\) in the variable URL names a variable of the secret db"
    ):
        environment_of(*env)
    assert values_of(environment_of(*env, allow=True))["URL"] == "https://admin@host"


def test_an_event_can_not_lure_a_secret_into_a_variable() -> None:
    env = (entry("db", value_from="secret"), entry("TEXT", "$.data.text", "event"))
    with pytest.raises(InvalidEnvironment, match="names a variable of the secret db"):
        environment_of(*env, text="$(PASSWORD)")


def test_a_key_in_a_command_is_refused_like_a_whole_secret() -> None:
    with pytest.raises(InvalidEnvironment, match=r"\$\(P\) in .* names a variable of the secret db"):
        environment_of(entry("P", "db/PASSWORD", "secretKey")).expand("login $(P)")


def test_a_reference_that_is_escaped_or_comes_before_the_secret_is_no_reference() -> None:
    built = environment_of(entry("A", "$(USER)"), entry("db", value_from="secret"), entry("B", "$$(USER)"))
    assert (values_of(built)["A"], values_of(built)["B"]) == ("$(USER)", "$(USER)")
    assert built.expand("$$(USER)") == "$(USER)"


@pytest.mark.parametrize("env", [entry("", "x"), entry("A=B", "x"), entry("A\0", "x"), entry("A", "\0")])
def test_a_variable_that_no_process_can_have_is_refused(env: Env) -> None:
    with pytest.raises(InvalidEnvironment, match="can't be set"):
        environment_of(env)


def test_a_label_that_is_no_text_is_left_out() -> None:
    assert "LABELS_N" not in values_of(environment_of(labels={"n": 5}))


def test_an_event_without_data_has_empty_keptn_variables() -> None:
    built = environment(Task(0), {}, SECRETS.__getitem__, allow_secret_references=False)
    assert values_of(built) == {"KEPTN_PROJECT": "", "KEPTN_STAGE": "", "KEPTN_SERVICE": ""}


def test_half_a_surrogate_pair_becomes_something_that_can_be_written() -> None:
    values = values_of(
        environment_of(entry("A", "$.data.text", "event"), text="\ud800", labels={"l": "\ud800"})
    )
    values["A"].encode()
    values["LABELS_L"].encode()
