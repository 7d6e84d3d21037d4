"""What an instance says no to: one exception, from which every way of asking makes its own answer."""

from __future__ import annotations

STATUS = {
    "BAD_REQUEST": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_SUPPORTED": 405,
    "CONFLICT": 409,
    "INTERNAL_SERVER_ERROR": 500,
}

# What the real app says instead of a database error's own text (FACTS §14: unknown event type, GET on book).
DATABASE_ERROR = "An error occured while querying the database."


class RefusalError(Exception):
    """A refused request: the kind of refusal in tRPC's words, and the message for the caller."""

    def __init__(self, code: str, message: str | None = None) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message or code

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.code]
