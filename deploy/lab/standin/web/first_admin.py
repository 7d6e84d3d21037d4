"""`/api/auth/setup` and `/api/auth/signup`: the first admin, and everybody after (FACTS §6)."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..core import people
from ..core.booking_fields import EMAIL
from ..core.refusals import RefusalError
from ..instance import Instance
from .answers import json_answer, parsed_body
from .superjson import UNDEFINED
from .validation import InvalidError, Path, Problem, checked, optional, shape, text, wrong_type

WEAK = (
    "The password must be a minimum of {length} characters long containing at least one number and have a"
    " mixture of uppercase and lowercase letters"
)


def username(value: Any, path: Path, problems: list[Problem]) -> Any:
    """At least one character."""
    if not isinstance(value, str):
        return wrong_type("string", value, path, problems)
    if not value.strip():
        problems.append(Problem("custom", path, "Please enter at least one character"))
    return value


def email(value: Any, path: Path, problems: list[Problem]) -> Any:
    """A mail address."""
    if not isinstance(value, str):
        return wrong_type("string", value, path, problems)
    if not EMAIL.match(value):
        problems.append(
            Problem("invalid_string", path, "Please enter a valid email", {"validation": "regex"})
        )
    return value


def admin_password(value: Any, path: Path, problems: list[Problem]) -> Any:
    """A password that is good enough for an admin."""
    if not isinstance(value, str):
        return wrong_type("string", value, path, problems)
    if not people.password_is_valid(value, people.ADMIN_PASSWORD_LENGTH):
        problems.append(Problem("custom", path, WEAK.format(length=people.ADMIN_PASSWORD_LENGTH)))
    return value


def password(value: Any, path: Path, problems: list[Problem]) -> Any:
    """A password that is good enough for anybody else."""
    if not isinstance(value, str):
        return wrong_type("string", value, path, problems)
    if not people.password_is_valid(value):
        problems.append(Problem("custom", path, WEAK.format(length=people.PASSWORD_LENGTH)))
    return value


SETUP = shape(
    {
        "username": username,
        "full_name": text(3, "Please enter at least 3 characters"),
        "email_address": email,
        "password": admin_password,
    }
)
SIGNUP = shape(
    {"username": optional(text()), "email": email, "password": password, "language": optional(text())}
)


def set_up(instance: Instance, request: Request, body: bytes) -> Response:
    """Make the first user, an admin; refused for ever after."""
    try:
        fields = parsed_body(request, body)
    except RefusalError as refusal:
        return json_answer({"message": refusal.message}, refusal.status)
    with instance.database.transaction() as connection:
        if people.count(connection):
            return json_answer({"message": "No setup needed."}, 400)
        try:
            given = checked(SETUP, fields if isinstance(fields, dict) else UNDEFINED)
        except InvalidError as error:
            issues = [problem.as_zod() for problem in error.problems]
            return json_answer({"message": json.dumps(issues, indent=2, ensure_ascii=False)}, 422)
        now = instance.now()
        user = people.create(
            connection,
            now,
            given["email_address"],
            username=given["username"],
            name=given["full_name"],
            role="ADMIN",
            emailVerified=now,
            locale="en",
            identityProvider="CAL",
        )
        people.set_password(connection, user["id"], given["password"])
    return json_answer({"message": "First admin user created successfully."})


def sign_up(instance: Instance, request: Request, body: bytes) -> Response:
    """Make an ordinary user, where sign-up is open."""
    try:
        fields = parsed_body(request, body)
    except RefusalError as refusal:
        return json_answer({"message": refusal.message}, refusal.status)
    with instance.database.transaction() as connection:
        if instance.settings.signup_disabled or instance.flags.is_on(
            connection, instance.now(), "disable-signup"
        ):
            return json_answer({"message": "Signup is disabled"}, 403)
        try:
            given = checked(SIGNUP, fields)
        except InvalidError:
            # The real handler does not tell invalid fields from a failure of its own.
            return json_answer({"message": "Internal server error"}, 500)
        name = given.get("username") or given["email"].split("@")[0]
        if people.is_taken(connection, name, given["email"]):
            return json_answer({"message": "Username or email is already taken"}, 409)
        user = people.create(
            connection, instance.now(), given["email"], username=name, locale=given.get("language") or None
        )
        people.set_password(connection, user["id"], given["password"])
    return json_answer({"message": "Created user"}, 201)
