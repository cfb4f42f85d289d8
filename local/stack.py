"""What CloudFormation makes of the template for a function: its code, its limits and its environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.template import TEMPLATE, read_template


@dataclass(frozen=True)
class FunctionDefinition:
    """A function as it is deployed; `timeout` is in seconds, `memory` in MB."""

    name: str
    region: str
    code: Path
    layer: Path
    handler: str
    timeout: int
    memory: int
    variables: Mapping[str, str]


class Stack:
    """The template with the values of one stack: resolves what its functions are declared with."""

    def __init__(
        self,
        name: str,
        region: str,
        account: str,
        *,
        parameters: Mapping[str, str],
        resources: Mapping[str, str],
    ) -> None:
        """`resources` are what references to resources give, by logical id.

        Raises ValueError for a parameter that the template does not have.
        """
        self._template = read_template()
        self.region = region
        declared = self._template["Parameters"]
        if unknown := parameters.keys() - declared.keys():
            raise ValueError(f"the template has no parameter {', '.join(sorted(unknown))}")
        self._values = {
            **{key: str(parameter.get("Default", "")) for key, parameter in declared.items()},
            **parameters,
            **resources,
            "AWS::StackName": name,
            "AWS::Region": region,
            "AWS::AccountId": account,
        }

    def function(self, logical_id: str, **variables: str) -> FunctionDefinition:
        """A function of the stack; `variables` replace some that it declares."""
        properties = self._template["Resources"][logical_id]["Properties"]
        shared = self._template["Globals"]["Function"]["Environment"]["Variables"]
        declared = {**shared, **properties.get("Environment", {}).get("Variables", {})}
        if unknown := variables.keys() - declared.keys():
            raise ValueError(f"{logical_id} declares no variable {', '.join(sorted(unknown))}")
        layer = self._template["Resources"]["ExecutionPlaneLayer"]["Properties"]["ContentUri"]
        return FunctionDefinition(
            name=self._values[logical_id],
            region=self.region,
            code=TEMPLATE.parent / properties["CodeUri"],
            layer=TEMPLATE.parent / layer,
            handler=properties["Handler"],
            timeout=int(self.resolve(properties["Timeout"])),
            memory=int(self.resolve(properties["MemorySize"])),
            variables={key: self.resolve(value) for key, value in declared.items() if self._is_given(value)}
            | variables,
        )

    def outputs(self) -> dict[str, str]:
        """The stack's outputs, as far as their conditions hold."""
        return {
            name: self.resolve(output["Value"])
            for name, output in self._template["Outputs"].items()
            if "Condition" not in output or self._holds({"Condition": output["Condition"]})
        }

    def resolve(self, value: Any) -> str:
        """The text of a value in the template.

        Raises ValueError for a function of CloudFormation's that no variable needs so far.
        """
        match value:
            case str() | int():
                return str(value)
            case {"Ref": str(name)}:
                return self._values[name]
            case {"Fn::GetAtt": str(text)} if text.endswith(".Id"):  # what a reference gives on AWS, too
                return self._values[text.removesuffix(".Id")]
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([\w:]+)\}", lambda found: self._values[found[1]], text)
            case {"Fn::If": [str(condition), then, otherwise]}:
                return self.resolve(then if self._holds({"Condition": condition}) else otherwise)
        raise ValueError(f"can't resolve {value}")

    def holds(self, condition: str) -> bool:
        """Whether a condition of the template holds."""
        return self._holds({"Condition": condition})

    def _is_given(self, value: Any) -> bool:
        match value:
            case {"Fn::If": [str(condition), then, otherwise]}:
                return self._is_given(then if self._holds({"Condition": condition}) else otherwise)
            case {"Ref": "AWS::NoValue"}:
                return False
        return True

    def _holds(self, condition: Any) -> bool:
        match condition:
            case {"Condition": str(name)}:
                return self._holds(self._template["Conditions"][name])
            case {"Fn::Equals": [left, right]}:
                return self.resolve(left) == self.resolve(right)
            case {"Fn::Not": [other]}:
                return not self._holds(other)
            case {"Fn::And": list(others)}:
                return all(self._holds(other) for other in others)
            case {"Fn::Or": list(others)}:
                return any(self._holds(other) for other in others)
        raise ValueError(f"can't resolve {condition}")
