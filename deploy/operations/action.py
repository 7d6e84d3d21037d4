"""The command that our operations yield: something done through the host's connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyinfra import logger
from pyinfra.api.command import PyinfraCommand

from deploy.errors import CalstackError
from deploy.remote import Remote


class Action(PyinfraCommand):
    """Calls a function with the host's `Remote`.

    pyinfra's own FunctionCommand answers an error with a traceback; here a `CalstackError` fails the
    operation with its message, which `converge` finds as `calstack_failure` of the pyinfra host.
    """

    def __init__(self, act: Callable[[Remote], None]) -> None:
        super().__init__()
        self._act = act

    def __repr__(self) -> str:
        # Never the arguments: they hold file contents, and pyinfra prints commands at -v.
        return f"Action({getattr(self._act, '__name__', 'act')})"

    def execute(self, state: Any, host: Any, connector_arguments: Any) -> bool:  # noqa: ARG002 - pyinfra's
        """Do it; False when it failed."""
        try:
            self._act(Remote.of(host))
        except CalstackError as error:
            host.calstack_failure = str(error)
            logger.error(f"{host.print_prefix}{error}")
            return False
        return True
