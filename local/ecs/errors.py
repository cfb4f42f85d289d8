"""How ECS refuses a request."""


class EcsError(Exception):
    """A request that is refused; `code` is the exception's name in ECS's API."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def client_error(message: str) -> EcsError:
    """The request can't be carried out."""
    return EcsError("ClientException", message)


def invalid(message: str) -> EcsError:
    """A parameter has a value that ECS does not take."""
    return EcsError("InvalidParameterException", message)
