"""The first deployment by somebody at a terminal, for each way to log in."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.template import read_template
from local.keptn.server import KeptnServer
from tests.deploy.emulator import Emulator
from tests.deploy.planes import Sequence
from tests.deploy.sam_cli import SamCli, Stack
from tests.deploy.terminal import Dialogue, converse
from tests.support.application import ROOT, this_architecture
from tests.support.login import Login, serving

REGION = "ca-central-1"
PYTHONPATH = os.pathsep.join(
    str(ROOT / each) for each in (".", "layers/execution_plane", "functions/poller", "functions/worker")
)
HELLO = "Hello, world from APAC!"


@pytest.fixture(scope="module")
def clone(application: Path, aws: Emulator, tmp_path_factory: pytest.TempPathFactory) -> SamCli:
    """The SAM CLI in an application of its own, which questions may build anew."""
    directory = tmp_path_factory.mktemp("clone") / "application"
    shutil.copytree(application, directory)
    return SamCli(ROOT / ".venv-sam" / "bin" / "sam", directory, aws)


@pytest.fixture(scope="module")
def guarded(keptn: KeptnServer) -> Iterator[Login]:
    """The same Keptn behind a proxy that wants bearer tokens."""
    with serving(Login(), keptn.keptn) as login:
        yield login


def secret(aws: Emulator, name: str, value: str) -> str:
    """A secret that is there already; gives its ARN."""
    created: str = aws.client("secretsmanager", REGION).create_secret(Name=name, SecretString=value)["ARN"]
    return created


def make_deploy(clone: SamCli, name: str, dialogue: Dialogue, **variables: str) -> str:
    """`deploy` at a terminal, with more variables; what it showed."""
    return converse(
        [
            *(sys.executable, "-m", "cli", "deploy", "--sam", str(clone.command), "--stack", name),
            *("--region", REGION, "--architecture", this_architecture()),
        ],
        dialogue,
        directory=clone.application,
        environment=clone.aws.environment() | {"PYTHONPATH": PYTHONPATH} | variables,
    )


def says_hello(stack: Stack, keptn: KeptnServer) -> str:
    """What a task comes to that the plane takes."""
    sequence = Sequence(keptn, "sequence1", {"sayhello": {"location": "APAC"}})
    stack.tick()
    assert sequence.comes_to(1, 1)
    message: str = sequence.events("finished")[0]["data"]["message"]
    return message


def test_five_answers_deploy_a_plane_with_a_token_that_is_in_no_file(
    clone: SamCli, keptn: KeptnServer
) -> None:
    stack = Stack(clone, "by-token", REGION)

    shown = make_deploy(
        clone,
        stack.name,
        [
            ("Keptn's API", keptn.url),
            ("Log in by", ""),
            ("Events to handle", ""),
            ("Only events with", "$.data.sayhello.location=APAC"),
            ("API token", keptn.token),
        ],
    )

    assert says_hello(stack, keptn) == HELLO
    configuration = (clone.application / f"samconfig-{stack.name}.toml").read_text()
    assert keptn.token not in shown + configuration + json.dumps(stack.parameters())
    assert "No changes to deploy" in make_deploy(clone, stack.name, [])
    stack.remove()


def test_five_answers_deploy_a_plane_that_reads_another_secret(clone: SamCli, keptn: KeptnServer) -> None:
    stack = Stack(clone, "by-secret", REGION)
    arn = secret(clone.aws, "keptn/token", keptn.token)

    make_deploy(
        clone,
        stack.name,
        [
            ("Keptn's API", keptn.url),
            ("Log in by", "secret"),
            ("ARN of the secret", arn),
            ("Events to handle", ""),
            ("Only events with", ""),
        ],
    )

    assert says_hello(stack, keptn) == HELLO
    assert "ApiTokenSecretArn" not in stack.outputs()

    file = clone.application / f"samconfig-{stack.name}.toml"
    once = 'PollIntervalSeconds = "0"\nPollWindowSeconds = "0"'
    file.write_text(file.read_text().replace("EventTypes =", f"{once}\nEventTypes ="))
    shown = make_deploy(clone, stack.name, [])
    assert f"The parameters are those in {file.name}" in shown
    assert "PollWindowSeconds is no parameter any more, and is left out" in shown
    (printed,) = re.findall(r"^  (\S+ remote invoke .*)$", shown, re.MULTILINE)
    report = json.loads(clone(*shlex.split(printed)[1:]))
    assert (report["polls"], report["polls_failed"]) == (1, 0)
    stack.remove()


def test_five_answers_deploy_a_plane_that_logs_in_by_oauth_alone(
    clone: SamCli, keptn: KeptnServer, guarded: Login
) -> None:
    stack = Stack(clone, "by-oauth", REGION)
    client = {
        "clientId": guarded.client_id,
        "clientSecret": guarded.client_secret,
        "tokenUrl": f"{guarded.url}/token",
    }
    arn = secret(clone.aws, "keptn/oauth", json.dumps(client))

    make_deploy(
        clone,
        stack.name,
        [
            ("Keptn's API", f"{guarded.url}/api"),
            ("Log in by", "oauth"),
            ("ARN of the secret", arn),
            ("Events to handle", ""),
            ("Only events with", ""),
        ],
    )

    assert says_hello(stack, keptn) == HELLO
    assert guarded.grants
    stack.remove()


def test_a_wrong_answer_is_refused_with_the_templates_sentence_and_asked_again(
    clone: SamCli, keptn: KeptnServer
) -> None:
    with pytest.raises(AssertionError) as ended:
        make_deploy(
            clone,
            "never-made",
            [
                ("Keptn's API", "keptn.example.com"),
                ("must be a plain URL.*\n.*Keptn's API", keptn.url),
                ("Log in by", "password"),
                ("must be token, secret or oauth.*\n.*Log in by", "secret"),
                ("ARN of the secret", "my-secret"),
                (
                    "must be the ARN of a Secrets Manager secret.*\n.*ARN of the secret",
                    "\x04",
                ),  # the end of what there is to say
            ],
        )

    assert "Aborted" in str(ended.value)
    assert not (clone.application / "samconfig-never-made.toml").exists()


def test_a_plane_is_deployed_changed_and_deleted_with_the_rights_that_the_docs_list(
    clone: SamCli, keptn: KeptnServer
) -> None:
    iam = clone.aws.client("iam", REGION)
    iam.create_user(UserName="deployer")
    policy = (ROOT / "docs" / "deployer-policy.json").read_text()
    iam.put_user_policy(UserName="deployer", PolicyName="deploying", PolicyDocument=policy)
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    rights = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    stack = Stack(clone, "keptn-deployed", REGION)

    with pytest.raises(AssertionError, match="goes on with samconfig-keptn-deployed") as ended:
        make_deploy(
            clone,
            stack.name,
            [
                ("Keptn's API", keptn.url),
                ("Log in by", ""),
                ("Events to handle", ""),
                ("Only events with", ""),
                ("API token", "another"),
                ("401.*\n.*API token", keptn.token),
            ],
            **rights,
        )
    # The bucket that the SAM CLI makes takes nothing without TLS, which the emulator does not speak.
    assert "explicit deny in a resource-based policy" in str(ended.value)
    s3 = clone.aws.client("s3", REGION)
    for bucket in s3.list_buckets(Prefix="aws-sam-cli-managed-default")["Buckets"]:
        s3.delete_bucket_policy(Bucket=bucket["Name"])

    shown = make_deploy(clone, stack.name, [("API token", keptn.token)], **rights)

    assert "(as user/deployer), is new." in shown
    assert "✓ secrets" in shown
    assert says_hello(stack, keptn) == HELLO
    file = clone.application / f"samconfig-{stack.name}.toml"
    file.write_text(file.read_text().replace("EventTypes =", 'LogLevel = "DEBUG"\nEventTypes ='))
    assert "LogLevel: 'INFO' → 'DEBUG'" in make_deploy(clone, stack.name, [], **rights)
    clone("delete", "--config-file", file.name, "--no-prompts", **rights)
    with pytest.raises(Exception, match="does not exist"):
        stack.outputs()


def test_the_first_hours_mistakes_are_answered_in_the_pages_words(clone: SamCli, keptn: KeptnServer) -> None:
    variables = clone.aws.environment() | {"PYTHONPATH": PYTHONPATH}
    del variables["AWS_DEFAULT_REGION"]
    foreign = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:keptn-AbCdEf"
    file = clone.application / "samconfig-keptn-apac.toml"

    def type_at(dialogue: Dialogue, *options: str) -> str:
        command = [sys.executable, "-m", "cli", "deploy", "--stack", "keptn-apac", "--sam", "false", *options]
        with pytest.raises(AssertionError) as ended:  # none of them deploys anything
            converse(command, dialogue, directory=clone.application, environment=variables)
        return str(ended.value)

    shown = [type_at([])]
    variables["AWS_REGION"] = "ap-southeast-1"
    shown += [
        type_at([], "--profile", "nobody"),
        type_at(
            [
                ("Keptn's API", keptn.origin),
                ("should end in /api.*\n.*Keptn's API", keptn.url),
                ("Log in by", "secret"),
                ("ARN of the secret", foreign),
                ("that secret is in eu-west-1.*\n.*ARN of the secret", "\x03"),
            ]
        ),
        type_at(
            [
                ("Keptn's API", keptn.url),
                ("Log in by", "password"),
                ("it must be token.*\n.*Log in by", ""),
                ("Events to handle", ""),
                ("Only events with", "$.data.sayhello.location==APAC"),
                ("write one =.*\n.*Only events with", "$.data.sayhello.location=APAC"),
                ("API token", f"x-token: {keptn.token}"),
                ("that has blanks.*\n.*API token", f"{keptn.token}\nand more"),
                ("that has 2 lines.*\n.*API token", "another"),
                ("401.*\n.*API token", keptn.token),
            ]
        ),
    ]
    file.write_text(file.read_text().replace("EventTypes =", 'PolIntervalSeconds = "5"\nEventTypes ='))
    shown.append(type_at([]))
    file.unlink()

    page = (ROOT / "docs" / "first-hour.md").read_text().replace("https://keptn.example.com", keptn.origin)
    answers = [
        line
        for line in page.splitlines()
        if line.startswith(("Error:", "deploy:", "✗", "It is not deployed"))
    ]
    assert len(answers) == 11
    said = "\n".join(shown).splitlines()
    assert [line for line in answers if line not in said] == []


def test_sam_deploy_guided_can_be_finished_by_enter_but_for_keptns_url(
    clone: SamCli, keptn: KeptnServer
) -> None:
    stack = Stack(clone, "guided", REGION)
    given = {"KeptnApiUrl": keptn.url, "Architecture": this_architecture()}
    parameters = [(rf"Parameter {name} \[", given.get(name, "")) for name in read_template()["Parameters"]]
    own_build = ["build", "--parameter-overrides", f"Architecture={this_architecture()}"]
    subprocess.run(
        [clone.command, *own_build], cwd=clone.application, env=clone.aws.environment(), check=True
    )

    converse(
        [str(clone.command), "deploy", "--guided"],
        [
            (r"Stack Name \[", stack.name),
            (r"AWS Region \[", REGION),
            *parameters,
            ("Confirm changes before deploy", ""),
            ("Allow SAM CLI IAM role creation", ""),
            ("Disable rollback", ""),
            ("Save arguments to configuration file", ""),
            ("SAM configuration file", ""),
            ("SAM configuration environment", ""),
        ],
        directory=clone.application,
        environment=clone.aws.environment(),
    )

    token = stack.outputs()["ApiTokenSecretArn"]
    stack.client("secretsmanager").put_secret_value(SecretId=token, SecretString=keptn.token)
    assert says_hello(stack, keptn) == HELLO
    stack.remove()
