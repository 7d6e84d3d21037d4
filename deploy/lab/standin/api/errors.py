"""What API v2 answers when it refuses: one envelope, several kinds of code (FACTS §4, Envelopes)."""

from __future__ import annotations

from typing import Any

from ..core.refusals import RefusalError

# The framework's exceptions by status: the class's name, which is the code, and the status in words.
EXCEPTIONS = {
    400: ("BadRequestException", "Bad Request"),
    401: ("UnauthorizedException", "Unauthorized"),
    403: ("ForbiddenException", "Forbidden"),
    404: ("NotFoundException", "Not Found"),
    409: ("ConflictException", "Conflict"),
    413: ("PayloadTooLargeException", "Payload Too Large"),
    422: ("UnprocessableEntityException", "Unprocessable Entity"),
}

TOO_MANY = "CustomThrottlerGuard - Too many requests. Please try again later."

# What is told of a refusal of the shared procedures: its own text is lost (FACTS §4).
GENERIC = {
    "BAD_REQUEST": "Bad request: Please check your request data and try again",
    "UNAUTHORIZED": "You are not authorized to access this resource",
    "FORBIDDEN": "You don't have necessary permissions to access this resource",
    "NOT_FOUND": "The requested resource was not found",
    "CONFLICT": "Could not process the request due to a resource conflict with the current state",
    "INTERNAL_SERVER_ERROR": "An unexpected error occurred on the server. Please try again later",
}


class ApiError(Exception):
    """A refused request: status, code, message, and what stands under `details` if anything does."""

    def __init__(self, status: int, code: str, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details

    def as_sent(self, timestamp: str, path: str) -> dict[str, Any]:
        """The answer's body."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details is not None:
            error["details"] = self.details
        return {"status": "error", "timestamp": timestamp, "path": path, "error": error}


def refusal(status: int, message: str) -> ApiError:
    """One of the framework's own exceptions."""
    code, words = EXCEPTIONS[status]
    return ApiError(status, code, message, {"message": message, "error": words, "statusCode": status})


def invalid(problems: list[dict[str, Any]]) -> ApiError:
    """A body or query that the general validation refused."""
    return ApiError(400, "BadRequestException", "Bad Request Exception", {"errors": problems})


def too_many_requests() -> ApiError:
    """The throttler's refusal, whose details are a bare text."""
    return ApiError(429, "ThrottlerException", TOO_MANY, TOO_MANY)


def of_procedure(error: RefusalError) -> ApiError:
    """A refusal of what API v2 shares with the web app's procedures."""
    return ApiError(error.status, "TRPCError", GENERIC[error.code])
