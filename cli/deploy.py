"""Deploys a plane, and asks before the first time what it needs to know: `make deploy`.

The answers are kept in a configuration file of the SAM CLI, with which `sam build` and `sam deploy` do the
same again. A token is in no file: it goes into the stack's secret.
"""

import json
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError

from cli.template import problem_with, read_template

STACK = "keptn-lambda-executor"
TOKEN_OUTPUT = "ApiTokenSecretArn"  # noqa: S105 - the stack's output that has the secret's ARN
LOGINS = ("token", "secret", "oauth")
PUT_COMMAND = "aws secretsmanager put-secret-value --region {region} --secret-id {secret} --secret-string …"
CONFIGURATION = """\
# A plane's parameters, for `sam build`, `sam deploy` and `sam delete`; README.md lists them all.
version = 0.1

[default.global.parameters]
stack_name = {stack}
region = {region}

[default.global.parameters.parameter_overrides]
{parameters}

[default.build.parameters]
cached = true
parallel = true

[default.deploy.parameters]
capabilities = "CAPABILITY_IAM"
resolve_s3 = true
fail_on_empty_changeset = false
"""

app = typer.Typer(add_completion=False)


class Undeployable(Exception):
    """It can't be deployed; the text is one sentence."""


@dataclass(frozen=True)
class Answers:
    """What whoever deploys it was asked; `token` is None where another secret serves."""

    parameters: Mapping[str, str]
    token: str | None


def configuration(stack: str, region: str, parameters: Mapping[str, str]) -> str:
    """The text of a SAM CLI's configuration file.

    The parameters are a table: in a string, or in strings of a list, the SAM CLI cuts values at blanks and
    quotes.
    """
    return CONFIGURATION.format(
        stack=_toml(stack),
        region=_toml(region),
        parameters="\n".join(f"{name} = {_toml(value)}" for name, value in parameters.items()),
    )


def _known(config_file: Path, **wanted: str | None) -> Mapping[str, Any]:
    """The options of a configuration file. Raises Undeployable if it is that of another stack or region."""
    commands = tomllib.loads(config_file.read_text()).get("default", {})
    known: dict[str, Any] = {}
    for name in ("global", "deploy"):
        known |= commands.get(name, {}).get("parameters", {})
    for name, value in wanted.items():
        if value and known.get(name, value) != value:
            raise Undeployable(
                f"{config_file} has {name} = {known[name]}, not {value}: name another file by --config-file."
            )
    return known


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def ask() -> Answers:
    """Ask for what a first deployment needs: five answers, of which three may be Enter."""
    parameters = {"KeptnApiUrl": _ask_for("KeptnApiUrl", "Keptn's API, as AWS reaches it (https://HOST/api)")}
    token = None
    match typer.prompt(f"Log in by {', '.join(LOGINS)}", default=LOGINS[0], value_proc=_login):
        case "token":
            token = typer.prompt("Keptn's API token (is not shown)", hide_input=True, value_proc=_token)
        case "secret":
            parameters["KeptnApiTokenSecretArn"] = _ask_for(
                "KeptnApiTokenSecretArn", "ARN of the secret with Keptn's API token"
            )
        case "oauth":
            parameters["OauthSecretArn"] = _ask_for(
                "OauthSecretArn", "ARN of the secret with the OAuth client"
            )
    event_types = read_template()["Parameters"]["EventTypes"]["Default"]
    parameters["EventTypes"] = _ask_for("EventTypes", "Events to handle", default=event_types)
    return Answers(parameters | _ask_for_match(), token)


def _ask_for(parameter: str, question: str, default: str | None = None) -> str:
    def checked(text: str) -> str:
        if not text.strip():
            raise typer.BadParameter("an answer is needed.")
        if problem := problem_with(parameter, text.strip()):
            raise typer.BadParameter(problem)
        return text.strip()

    answer: str = typer.prompt(question, default=default, value_proc=checked)
    return answer


def _ask_for_match() -> dict[str, str]:
    def checked(text: str) -> dict[str, str]:
        path, _, value = (part.strip() for part in text.partition("="))
        if not path and not value:
            return {}
        if not value:
            raise typer.BadParameter("it must be a JSONPath, = and a value, or empty.")
        if problem := problem_with("MatchProperty", path):
            raise typer.BadParameter(problem)
        return {"MatchProperty": path, "MatchValue": value}

    question = "Only events with (as $.data.sayhello.location=APAC; Enter for all)"
    answer: dict[str, str] = typer.prompt(question, default="", show_default=False, value_proc=checked)
    return answer


def _login(text: str) -> str:
    if text not in LOGINS:
        raise typer.BadParameter(f"it must be {', '.join(LOGINS[:-1])} or {LOGINS[-1]}.")
    return text


def _token(text: str) -> str:
    token = text.strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise typer.BadParameter("it must be the token alone.")
    return token


def run(*command: str) -> None:
    """Run a command where everybody sees it. Raises typer.Exit if it fails: it has said why."""
    typer.secho(f"$ {shlex.join(command)}", bold=True)
    if code := subprocess.run(command, check=False).returncode:  # noqa: S603 - the SAM CLI, with a file of ours
        raise typer.Exit(code)


def own_secret(stack: str, region: str) -> str | None:
    """The ARN of the secret that the stack has made for the token, if it has. Raises Undeployable."""
    try:
        (found,) = boto3.client("cloudformation", region).describe_stacks(StackName=stack)["Stacks"]
    except (BotoCoreError, ClientError) as problem:
        raise Undeployable(f"The stack {stack} can't be looked at: {problem}") from None
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    return outputs.get(TOKEN_OUTPUT)


def put(token: str, secret: str, region: str) -> None:
    """Put a token into a secret. Raises Undeployable."""
    try:
        boto3.client("secretsmanager", region).put_secret_value(SecretId=secret, SecretString=token)
    except (BotoCoreError, ClientError) as problem:
        raise Undeployable(f"The token can't be put into {secret}: {problem}") from None
    typer.echo(f"Keptn's API token is now in {secret}")


@app.command()
def deploy(
    stack_name: Annotated[str | None, typer.Option(help=f"The stack's name; by default {STACK}.")] = None,
    region: Annotated[str | None, typer.Option(help="The AWS region; by default AWS's own setting.")] = None,
    architecture: Annotated[str, typer.Option(help="Of the functions: arm64 or x86_64.")] = "arm64",
    config_file: Annotated[
        Path | None, typer.Option(help="Where the answers are kept; by default samconfig-STACK-NAME.toml.")
    ] = None,
    sam: Annotated[str, typer.Option(help="The SAM CLI.")] = "sam",
) -> None:
    """Deploy a plane: with the parameters in its configuration file, or by questions if there is none."""
    token = None
    config_file = config_file or Path(f"samconfig-{stack_name or STACK}.toml")
    if config_file.exists():
        known = _known(config_file, stack_name=stack_name, region=region)
        stack_name, region = known.get("stack_name", stack_name), known.get("region", region)
        typer.echo(f"The parameters are those in {config_file}.")
    stack_name, region = stack_name or STACK, region or boto3.Session().region_name
    if not region:
        raise Undeployable("No AWS region is set: give --region, or set AWS_DEFAULT_REGION.")
    if not config_file.exists():
        typer.echo(
            f"The stack {stack_name} in {region}. Five questions; the answers are kept in {config_file}."
        )
        answers = ask()
        token = answers.token
        parameters = {"Architecture": architecture, **answers.parameters}
        config_file.write_text(configuration(stack_name, region, parameters))
    options = ("--config-file", str(config_file))
    run(sam, "build", *options)
    run(sam, "deploy", *options)
    if secret := own_secret(stack_name, region):
        if token:
            put(token, secret, region)
        else:
            typer.echo("Keptn's API token belongs into the stack's secret, if it is not there yet:")
            typer.echo(f"  {PUT_COMMAND.format(secret=secret, region=region)}")
    typer.echo("The plane polls from the schedule's next tick on. To see it poll at once:")
    typer.echo(f"  {sam} remote invoke PollerFunction --stack-name {stack_name} --region {region}")
    typer.echo(f"To remove it again:\n  {sam} delete {shlex.join(options)}")


def main() -> None:
    """Run the command; a problem is one sentence, and the exit code 1."""
    try:
        app()
    except Undeployable as problem:
        sys.exit(f"{problem}")


if __name__ == "__main__":
    main()
