"""What the tests ask for, and what every reply must be: of the SDK's own types, strictly."""

import json

import pydantic

# One red pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="

WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "Where. Any “Zürich” or 東京."},
        "unit": {"type": "string", "enum": ["c", "f"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 7},
        "place": {
            "type": "object",
            "properties": {"lat": {"type": "number"}, "tags": {"type": "array", "items": {"type": "string"}}},
            "required": ["lat", "tags"],
        },
    },
    "required": ["city", "unit", "days", "place"],
}


class Person(pydantic.BaseModel):
    """What structured output is asked to be."""

    name: str
    age: int
    adult: bool


PERSON_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "adult": {"type": "boolean"}},
    "required": ["name", "age", "adult"],
    "additionalProperties": False,
}


def user(text):
    return [{"role": "user", "content": text}]


def function(name):
    """A tool for OpenAI."""
    return {"type": "function", "function": {"name": name, "description": f"Does {name}.", "parameters": WEATHER}}


def tool(name):
    """A tool for Anthropic."""
    return {"name": name, "description": f"Does {name}.", "input_schema": WEATHER}


def check_weather(arguments):
    """Arguments that obey the schema, as text or read already."""
    if isinstance(arguments, str):
        arguments = json.loads(arguments)
    assert isinstance(arguments["city"], str)
    assert arguments["unit"] in ("c", "f")
    assert 1 <= arguments["days"] <= 7
    assert isinstance(arguments["place"]["lat"], (int, float))
    assert all(isinstance(tag, str) for tag in arguments["place"]["tags"])


def strict(value, extra=frozenset()):
    """Nothing that the SDK's types do not know (but `extra`), lack or type otherwise, anywhere. Returns it."""

    def walk(value, path):
        if isinstance(value, pydantic.BaseModel):
            unknown = set(value.model_extra or ()) - extra
            assert not unknown, f"{path}: unknown {unknown}"
            fields = type(value).model_fields.items()
            missing = [name for name, field in fields if field.is_required() and name not in value.model_fields_set]
            assert not missing, f"{path}: missing {missing}"
            type(value).model_validate_json(value.model_dump_json(by_alias=True), strict=True)
            for name in value.model_fields_set:
                walk(getattr(value, name, None), f"{path}.{name}")
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                walk(item, f"{path}[{index}]")
        elif isinstance(value, dict):
            for key, item in value.items():
                walk(item, f"{path}[{key!r}]")

    walk(value, type(value).__name__)
    return value
