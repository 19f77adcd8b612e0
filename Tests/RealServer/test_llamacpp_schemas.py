"""Schemas as clients have them, before a real grammar: as a tool's input and as the form of an answer.

llama.cpp makes a grammar of a schema and refuses the whole request when it cannot. What it cannot take is reworded on the
way; what comes back holds to the schema as the client has written it.
"""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from asking import ask
from harness.daemon import Daemon

Json = dict[str, Any]


def closed(**properties: Any) -> Json:
    """An object of just these properties, all required."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def nested(depth: int) -> Json:
    """An object in an object in an object …"""
    return closed(value={"type": "string"}) if depth == 0 else closed(inner=nested(depth - 1))


TEXT: Json = {"type": "string"}
NODE: Json = {
    "type": "object",
    "properties": {"name": TEXT, "children": {"type": "array", "items": {"$ref": "#/definitions/node"}}},
    "required": ["name"],
}

SCHEMAS: dict[str, Any] = {
    # References.
    "root reference": {"$ref": "#/definitions/N", "definitions": {"N": closed(a=TEXT)}},
    "root reference beside a type": {"type": "object", "$ref": "#/$defs/N", "$defs": {"N": closed(a=TEXT)}},
    "root reference to a recursive definition": {"$ref": "#/definitions/node", "definitions": {"node": NODE}},
    "root reference of a reference": {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": closed(b=TEXT)}},
    "reference below the root": {**closed(a={"$ref": "#/$defs/A"}), "$defs": {"A": closed(b=TEXT)}},
    "recursive property": {**closed(tree={"$ref": "#/definitions/node"}), "definitions": {"node": NODE}},
    "recursion to the root": {"type": "object", "properties": {"name": TEXT, "next": {"$ref": "#"}}, "required": ["name"]},
    "two definitions that need each other": {
        **closed(a={"$ref": "#/$defs/A"}),
        "$defs": {
            "A": {"type": "object", "properties": {"b": {"$ref": "#/$defs/B"}}},
            "B": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}},
        },
    },
    "a reference with words beside it": {**closed(a={"$ref": "#/$defs/A", "description": "an A"}), "$defs": {"A": TEXT}},
    # Booleans instead of schemas.
    "property true": closed(a=True, b=TEXT),
    "items true": closed(a={"type": "array", "items": True}),
    "items false behind prefixItems": closed(a={"type": "array", "prefixItems": [TEXT, {"type": "integer"}], "items": False}),
    "anyOf with true": closed(a={"anyOf": [True, TEXT]}),
    "allOf with true": closed(a={"allOf": [True, TEXT]}),
    "additionalProperties true": {"type": "object", "properties": {"a": TEXT}, "required": ["a"], "additionalProperties": True},
    "additionalProperties with a schema": {"type": "object", "additionalProperties": {"type": "integer"}},
    # Arrays.
    "draft-4 items": closed(a={"type": "array", "items": [TEXT, {"type": "integer"}]}),
    "draft-4 items, closed": closed(a={"type": "array", "items": [TEXT, {"type": "integer"}], "additionalItems": False}),
    "prefixItems": closed(a={"type": "array", "prefixItems": [TEXT, {"type": "boolean"}], "minItems": 2}),
    "array without items": closed(a={"type": "array"}),
    "minItems and maxItems": closed(a={"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 3}),
    "uniqueItems and contains": closed(a={"type": "array", "items": TEXT, "uniqueItems": True, "contains": TEXT, "minItems": 1}),
    # Choices.
    "enum of strings": closed(a={"type": "string", "enum": ["red", "green", 'with "quotes"', "grün"]}),
    "enum of everything": closed(a={"enum": [None, True, 1, 2.5, "x", {"k": [1]}]}),
    "const": closed(a={"const": "fixed"}, b={"const": 7}, c={"const": None}),
    "anyOf": closed(a={"anyOf": [TEXT, {"type": "null"}]}),
    "oneOf of objects": closed(a={"oneOf": [closed(k={"const": "x"}, v=TEXT), closed(k={"const": "y"}, n={"type": "number"})]}),
    "anyOf at the root": {"type": "object", "anyOf": [closed(a=TEXT), closed(b=TEXT)]},
    "allOf of objects": {"type": "object", "allOf": [{"type": "object", "properties": {"a": TEXT}, "required": ["a"]}]},
    "several types": closed(a={"type": ["string", "null", "integer"]}),
    "not": closed(a={"type": "string", "not": {"const": "no"}}),
    "if, then, else": {**closed(a=TEXT), "if": {"properties": {"a": {"const": "x"}}}, "then": {}, "else": {}},
    # Strings and numbers.
    "pattern": closed(a={"type": "string", "pattern": "^[a-z]{2,4}$"}),
    "pattern that no grammar takes": closed(a={"type": "string", "pattern": "^(?!x)\\w+(?<=y)$|\\p{L}"}),
    "pattern without anchors": closed(a={"type": "string", "pattern": "[0-9]"}),
    "formats": closed(a={"type": "string", "format": "date"}, b={"type": "string", "format": "uuid"}),
    "a format that nobody knows": closed(a={"type": "string", "format": "hologram"}),
    "lengths": closed(a={"type": "string", "minLength": 2, "maxLength": 12}),
    "a length beyond reason": closed(a={"type": "string", "maxLength": 2_000_000}),
    "ranges": closed(a={"type": "integer", "minimum": 3, "maximum": 8}, b={"type": "integer", "exclusiveMinimum": 0}),
    "ranges of large numbers": closed(a={"type": "integer", "minimum": -9007199254740991, "maximum": 9007199254740991}),
    "numbers": closed(a={"type": "number", "minimum": 0, "multipleOf": 0.5}),
    # Objects.
    "patternProperties": {"type": "object", "patternProperties": {"^x_": TEXT}, "additionalProperties": False},
    "propertyNames": {"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}, "properties": {"a": TEXT}, "required": ["a"]},
    "dependentRequired": {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "dependentRequired": {"a": ["b"]}},
    "odd names": closed(**{"a b": TEXT, 'q"uote': TEXT, "ü": TEXT, "$dollar": TEXT, "": TEXT}),
    "required without properties": {"type": "object", "required": ["ghost"]},
    "an object of anything": {"type": "object"},
    "no type": {"properties": {"a": TEXT}, "required": ["a"]},
    "nothing at all": {},
    "deep nesting": nested(40),
    "many properties": closed(**{f"p{number}": {"type": "integer"} for number in range(60)}),
    "of another draft": {"$schema": "http://json-schema.org/draft-07/schema#", "$id": "https://example.org/x", "title": "T", **closed(a=TEXT)},
    "examples, defaults and comments": closed(a={"type": "string", "default": None, "examples": [1], "$comment": "odd", "deprecated": True}),
}

LIMIT = 3000
# llama.cpp's grammars know these keywords not, or only in part: valid as far as the rest of the schema goes.
BEYOND_GRAMMARS = {
    "not",
    "if, then, else",
    "uniqueItems and contains",
    "pattern that no grammar takes",
    "pattern without anchors",
    "propertyNames",
    "dependentRequired",
    "required without properties",
    "numbers",
}


def check(value: Any, name: str) -> None:
    """Holds to the schema, as far as a grammar can hold a model to it."""
    if name not in BEYOND_GRAMMARS:
        kind = jsonschema.Draft7Validator if "draft-4" in name else jsonschema.Draft202012Validator
        kind(SCHEMAS[name]).validate(value)


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_input_of_a_tool(translating: Daemon, name: str) -> None:
    tool = {"name": "probe", "description": "Takes anything.", "input_schema": {"type": "object", **SCHEMAS[name]}}
    choice = {"type": "any"}
    answer = ask(translating.client, "Hello", tools=[tool], tool_choice=choice, max_tokens=LIMIT, temperature=0.0)
    assert [call[0] for call in answer.calls] == ["probe"] and answer.stop == "tool_use"
    value = answer.calls[0][1]
    assert isinstance(value, dict)
    check(value, name)


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_form_of_an_answer(translating: Daemon, name: str) -> None:
    form = {"format": {"type": "json_schema", "schema": SCHEMAS[name]}}
    answer = ask(translating.client, "Hello", output_config=form, max_tokens=LIMIT, temperature=0.0)
    assert answer.stop == "end_turn", answer
    check(json.loads(answer.text), name)


def test_a_form_is_kept_in_a_stream_and_a_script_that_fits_it_is_recited(translating: Daemon, streamed: bool) -> None:
    form = {"format": {"type": "json_schema", "schema": closed(answer={"enum": ["yes", "no"]}, count={"type": "integer"})}}
    answer = ask(translating.client, "[[json]]", streamed, output_config=form)
    assert json.loads(answer.text) == {"answer": "yes", "count": 7}
    answer = ask(translating.client, "[[lines]]", streamed, output_config=form, temperature=0.0)
    assert json.loads(answer.text)["answer"] in ("yes", "no")


def test_one_odd_tool_beside_others_harms_nobody(translating: Daemon, streamed: bool) -> None:
    """All schemas at once, as a client with many servers of tools has them."""
    names = list(SCHEMAS)
    tools = [{"name": f"tool_{n}", "input_schema": {"type": "object", **SCHEMAS[name]}} for n, name in enumerate(names)]
    assert ask(translating.client, "[[lines]]", streamed, tools=tools).stop == "end_turn"
