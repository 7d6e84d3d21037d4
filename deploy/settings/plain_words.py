"""Pydantic's findings in the words of somebody who writes YAML."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from deploy.settings.rules import REFUSED, nearest
from deploy.settings.section import SecretReference

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Finding:
    """What is wrong at one place of the settings."""

    path: Path
    what: str
    fix: str | None = None


def findings(error: ValidationError, model: type[BaseModel]) -> list[Finding]:
    """One finding a place, in the order of pydantic's list."""
    found: dict[Path, Finding] = {}
    for detail in error.errors(include_url=False):
        for finding in _said(dict(detail), model):
            found.setdefault(finding.path, finding)
    return list(found.values())


def dotted(path: Path) -> str:
    """`("base", "packages", 0)` as `base.packages[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _said(detail: dict[str, Any], model: type[BaseModel]) -> Iterator[Finding]:
    path, union = _in_the_file(detail["loc"], model)
    kind, context, given = detail["type"], detail.get("ctx", {}), detail["input"]
    if word := _word_instead(path, model):
        if kind == "literal_error":
            return  # What the section lacks is told; that it is not the word is no news.
        if given is not None and kind in ("model_type", "model_attributes_type"):
            yield Finding(path, f"must be {word}, or a section with keys of its own below it")
            return
    if kind == REFUSED:
        together = context.get("all") or [(context.get("key") or "", context["what"], context.get("fix"))]
        for key, what, fix in together:
            yield Finding(path + _steps(key, path), what, fix)
    elif kind == "missing":
        if union:
            yield Finding(path[:-1], "must be text, or !secret NAME")
        else:
            yield Finding(path, "is missing", _description(path, model))
    elif kind == "extra_forbidden":
        if union:
            yield Finding(path[:-1], "must be text, or !secret NAME")
        else:
            yield Finding(path, "is not a setting", _meant(path, model))
    elif union:
        yield Finding(path, f"must be text, or !secret NAME, not {_shown(given)}", _quotes(given))
    else:
        yield Finding(path, *_in_words(kind, context, given))


def _steps(key: str, path: Path) -> Path:
    """Names of variables carry no dots; a rule of the whole host names its place with them."""
    if not key:
        return ()
    return tuple(key.split(".")) if not path else (key,)


def _in_words(kind: str, context: dict[str, Any], given: Any) -> tuple[str, str | None]:
    if given is None:
        return "is empty", "remove the key or fill it"
    if isinstance(given, SecretReference):
        return "cannot be a secret", "write the value itself"
    if kind in ("int_type", "int_from_float", "int_parsing", "int_parsing_size"):
        fix = "leave the quotes out" if isinstance(given, str) and given.strip().isdigit() else None
        return f"must be a whole number, not {_shown(given)}", fix
    if kind in ("bool_type", "bool_parsing"):
        return f"must be true or false, not {_shown(given)}", None
    if kind == "string_type":
        return f"must be text, not {_shown(given)}", _quotes(given)
    if kind == "literal_error":
        choices = [choice.strip("'") for choice in context["expected"].replace(" or ", ", ").split(", ")]
        meant = nearest(given, choices) if isinstance(given, str) else None
        return f"must be one of {', '.join(choices)}", f"did you mean {meant}?" if meant else None
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']}, not {given}", None
    if kind == "less_than_equal":
        return f"must be at most {context['le']}, not {given}", None
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"must be a section with keys of its own below it, not {_shown(given)}", None
    if kind == "list_type":
        return f"must be a list, each entry on a line of its own behind `- `, not {_shown(given)}", None
    return "has a value that does not fit", None


def _shown(value: Any) -> str:
    """A kind of value; the value itself only where it cannot be a secret that slipped in."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {str(value)[:20]}"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "a list"
    return "a section"


def _quotes(given: Any) -> str | None:
    return "put the value in quotes" if isinstance(given, bool | int | float) else None


def _in_the_file(location: Path, model: type[BaseModel]) -> tuple[Path, bool]:
    """Where the value stands in the file, and whether it is one of text and a secret.

    Pydantic puts the name of the tried type into the path where a value may be of several types.
    """
    path: list[str | int] = []
    union = False
    kind: Any = model
    for step in location:
        if step in ("str", "SecretReference") and _is_choice(kind):
            union = True
            kind = SecretReference if step == "SecretReference" else str
            continue
        if isinstance(step, str) and step.startswith("function-after") and _is_choice(kind):
            union = True
            kind = str
            continue
        if isinstance(step, str) and _is_branch(kind, step):
            continue
        path.append(step)
        kind = _below(kind, step)
    return tuple(path), union


def _is_branch(kind: Any, step: str) -> bool:
    """Whether a step names the type that was tried where a section or a word may stand."""
    choices = members(kind)
    if len(choices) < 2 or model_in(kind) is None:
        return False
    return step.startswith("literal[") or step in (getattr(choice, "__name__", "") for choice in choices)


def _word_instead(path: Path, model: type[BaseModel]) -> str | None:
    """The one word that may stand at a place instead of a section, like `off`."""
    kind: Any = model
    for step in path:
        kind = _below(kind, step)
    words = [choice for choice in members(kind) if typing.get_origin(choice) is typing.Literal]
    return str(typing.get_args(words[0])[0]) if words and model_in(kind) else None


def _below(kind: Any, step: str | int) -> Any:
    model = model_in(kind)
    if model is not None:
        field = model.model_fields.get(str(step))
        return field.annotation if field else None
    arguments = typing.get_args(kind)
    return arguments[-1] if arguments else None


def _is_choice(kind: Any) -> bool:
    choices = members(kind)
    return SecretReference in choices and any(choice is not SecretReference for choice in choices)


def members(kind: Any) -> list[Any]:
    """The types that a value may have, None left out and annotations peeled off."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return members(typing.get_args(kind)[0])
    if origin in (typing.Union, types.UnionType):
        return [member for part in typing.get_args(kind) for member in members(part)]
    return [] if kind is type(None) else [kind]


def model_in(kind: Any) -> type[BaseModel] | None:
    """The one section that a type stands for, beside a word perhaps, or None where it is a plain value."""
    kinds = [member for member in members(kind) if typing.get_origin(member) is not typing.Literal]
    if len(kinds) == 1 and isinstance(kinds[0], type) and issubclass(kinds[0], BaseModel):
        return kinds[0]
    return None


def _section(path: Path, model: type[BaseModel]) -> type[BaseModel] | None:
    kind: Any = model
    for step in path:
        kind = _below(kind, step)
    return model_in(kind)


def _description(path: Path, model: type[BaseModel]) -> str | None:
    section = _section(path[:-1], model)
    field = section.model_fields.get(str(path[-1])) if section else None
    if field is None:
        return None
    below = model_in(field.annotation)
    text = field.description or (below.__doc__ if below else None)
    return f"{dotted(path)}: {' '.join(text.split())}" if text else None


def _meant(path: Path, model: type[BaseModel]) -> str | None:
    section = _section(path[:-1], model)
    if section is None:
        return None
    name = str(path[-1])
    sibling = nearest(name, section.model_fields)
    if sibling:
        return f"did you mean {dotted((*path[:-1], sibling))}?"
    elsewhere = [place for place in _all_places(model) if place[-1] == name]
    if elsewhere:
        return f"did you mean {' or '.join(dotted(place) for place in elsewhere)}?"
    return f"settings here: {', '.join(section.model_fields)}"


def _all_places(model: type[BaseModel], inside: Path = ()) -> Iterator[Path]:
    for name, field in model.model_fields.items():
        place = (*inside, name)
        yield place
        below = model_in(field.annotation)
        if below is not None and below is not SecretReference:
            yield from _all_places(below, place)
