"""What every named error is: a message, a hint, an exit code. Those that any command can end with."""

from dsdeploy.core.texts import Text


class DsdeployError(Exception):
    """Base of every error a user can meet. `hint` is required: nobody raises without a way on."""

    exit_code = 1

    def __init__(self, message: Text, *, hint: Text) -> None:
        super().__init__(message.id)
        self.message = message
        self.hint = hint

    @property
    def code(self) -> str:
        return type(self).__name__


class Bug(DsdeployError):
    """Something that dsdeploy did not foresee."""


class UsageError(DsdeployError):
    exit_code = 2


class InvalidRequest(UsageError):
    pass


class NotConfirmed(UsageError):
    pass


class Interrupted(DsdeployError):
    exit_code = 130
