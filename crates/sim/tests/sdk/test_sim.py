"""The vendors' own SDKs, current versions, against a running simulator.

    python3 -m venv /tmp/simvenv && /tmp/simvenv/bin/pip install openai anthropic google-genai pytest
    cargo run -p stepwell-sim --example sim -- 127.0.0.1:7099
    SIM_URL=http://127.0.0.1:7099 /tmp/simvenv/bin/pytest crates/sim/tests/sdk/test_sim.py

Every reply is checked against the SDK's own models field by field, in strict mode: a field that the SDK does not
know, lacks or types otherwise fails the test.
"""

import json
import os
import urllib.request

import anthropic
import google.genai
import httpx2
import openai
import pydantic
import pytest
from google.genai import errors, types

URL = os.environ.get("SIM_URL", "http://127.0.0.1:7099")
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "unit": {"type": "string", "enum": ["c", "f"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 7},
        "hourly": {"type": "boolean"},
        "place": {
            "type": "object",
            "properties": {"lat": {"type": "number"}, "tags": {"type": "array", "items": {"type": "string"}}},
            "required": ["lat", "tags"],
        },
    },
    "required": ["city", "unit", "days", "hourly", "place"],
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "adult": {"type": "boolean"}},
    "required": ["name", "age", "adult"],
    "additionalProperties": False,
}


def oai(key="sk-good", **options):
    return openai.OpenAI(base_url=f"{URL}/v1", api_key=key, max_retries=0, **options)


def ant(key="sk-good", **options):
    return anthropic.Anthropic(base_url=URL, api_key=key, max_retries=0, **options)


def gem(key="sk-good"):
    return google.genai.Client(api_key=key, http_options=types.HttpOptions(base_url=URL))


def oracle():
    with urllib.request.urlopen(f"{URL}/sim/oracle?limit=100000") as reply:
        return json.load(reply)


def entry(reply_id):
    return next(row for row in oracle()["data"] if row["id"] == reply_id)


def strict(model, beyond=frozenset()):
    """No unknown fields anywhere but those that are documented `beyond` the SDK's models, and a round trip through
    validation in strict mode.
    """

    def walk(value, path):
        if isinstance(value, pydantic.BaseModel):
            unknown = set(value.model_extra or {}) - beyond
            assert not unknown, f"{path}: unknown {unknown}"
            missing = [
                name
                for name, field in type(value).model_fields.items()
                if field.is_required() and name not in value.model_fields_set
            ]
            assert not missing, f"{path}: missing {missing}"
            type(value).model_validate_json(value.model_dump_json(by_alias=True), strict=True)
            for name in value.model_fields_set - beyond:
                walk(getattr(value, name), f"{path}.{name}")
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                walk(item, f"{path}[{index}]")
        elif isinstance(value, dict):
            for key, item in value.items():
                walk(item, f"{path}[{key!r}]")

    walk(model, type(model).__name__)
    return model


def user(text):
    return [{"role": "user", "content": text}]


def tool(name):
    return {"type": "function", "function": {"name": name, "description": "test", "parameters": WEATHER}}


def atool(name):
    return {"name": name, "description": "test", "input_schema": WEATHER}


def check_weather(arguments):
    assert isinstance(arguments["city"], str)
    assert arguments["unit"] in ("c", "f")
    assert 1 <= arguments["days"] <= 7
    assert isinstance(arguments["hourly"], bool)
    assert isinstance(arguments["place"]["lat"], (int, float))
    assert isinstance(arguments["place"]["tags"][0], str)


# --- OpenAI ------------------------------------------------------------------------------------------------------


def test_openai_plain():
    reply = strict(oai().chat.completions.create(model="small", messages=user("hello well")))
    assert reply.choices[0].finish_reason == "stop"
    assert "hello well" in reply.choices[0].message.content
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    row = entry(reply.id)
    assert row["usage"]["output_tokens"] == reply.usage.completion_tokens
    assert row["ended"] == "finished" and row["status"] == 200
    expected = reply.usage.prompt_tokens * 150 + reply.usage.completion_tokens * 600
    assert row["billed_nano_usd"] == expected


def test_openai_is_deterministic():
    ask = lambda: oai().chat.completions.create(model="sim/small", messages=user("same"), seed=1, temperature=0.5)
    first, second = ask(), ask()
    assert first.choices[0].message.content == second.choices[0].message.content
    assert first.id != second.id
    assert first.model == "small"


def test_openai_stream():
    chunks = list(
        oai().chat.completions.create(
            model="small", messages=user("stream me"), stream=True, stream_options={"include_usage": True}
        )
    )
    for chunk in chunks:
        strict(chunk)
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert "stream me" in text
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0
    assert chunks[-2].choices[0].finish_reason == "stop"
    whole = oai().chat.completions.create(model="small", messages=user("stream me"))
    assert whole.choices[0].message.content == text
    assert whole.usage.completion_tokens == chunks[-1].usage.completion_tokens
    plain = list(oai().chat.completions.create(model="small", messages=user("stream me"), stream=True))
    assert all(c.usage is None for c in plain) and plain[-1].choices[0].finish_reason == "stop"


def test_openai_stream_helper():
    with oai().chat.completions.stream(model="small", messages=user("use get_weather"), tools=[tool("get_weather")]) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    check_weather(json.loads(final.choices[0].message.tool_calls[0].function.arguments))


def test_openai_tools_parallel_and_results():
    tools = [tool("get_weather"), tool("get_time"), tool("unused")]
    messages = user("please call get_weather and get_time")
    reply = strict(oai().chat.completions.create(model="large", messages=messages, tools=tools))
    assert reply.choices[0].finish_reason == "tool_calls"
    calls = reply.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather", "get_time"]
    for call in calls:
        check_weather(json.loads(call.function.arguments))
    messages.append(reply.choices[0].message)
    for index, call in enumerate(calls):
        messages.append({"role": "tool", "tool_call_id": call.id, "content": f"result number {index}"})
    reply = strict(oai().chat.completions.create(model="large", messages=messages, tools=tools))
    assert "result number 0" in reply.choices[0].message.content
    assert "result number 1" in reply.choices[0].message.content
    one = oai().chat.completions.create(
        model="large", messages=messages[:1], tools=tools, parallel_tool_calls=False
    )
    assert len(one.choices[0].message.tool_calls) == 1
    none = oai().chat.completions.create(model="large", messages=messages[:1], tools=tools, tool_choice="none")
    assert none.choices[0].message.tool_calls is None


@pytest.mark.parametrize(
    "choice,name",
    [("required", "get_weather"), ({"type": "function", "function": {"name": "get_time"}}, "get_time")],
)
def test_openai_forced_tools(choice, name):
    reply = oai().chat.completions.create(
        model="small", messages=user("hi"), tools=[tool("get_weather"), tool("get_time")], tool_choice=choice
    )
    assert [call.function.name for call in reply.choices[0].message.tool_calls] == [name]


def test_openai_tools_streamed():
    tools = [tool("get_weather"), tool("get_time")]
    chunks = list(
        oai().chat.completions.create(
            model="small", messages=user("get_weather then get_time"), tools=tools, stream=True
        )
    )
    calls, fragments = {}, {}
    for chunk in chunks:
        strict(chunk)
        for call in chunk.choices[0].delta.tool_calls or []:
            seen = calls.setdefault(call.index, {"id": call.id, "name": call.function.name, "arguments": ""})
            seen["arguments"] += call.function.arguments or ""
            fragments[call.index] = fragments.get(call.index, 0) + 1
    assert [calls[index]["name"] for index in sorted(calls)] == ["get_weather", "get_time"]
    assert all(count > 2 for count in fragments.values())
    for call in calls.values():
        check_weather(json.loads(call["arguments"]))
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_openai_structured_output():
    class Person(pydantic.BaseModel):
        name: str
        age: int
        adult: bool

    reply = oai().chat.completions.parse(model="small", messages=user("a person"), response_format=Person)
    assert isinstance(reply.choices[0].message.parsed, Person)
    reply = oai().chat.completions.create(
        model="small", messages=user("answer in json"), response_format={"type": "json_object"}
    )
    assert json.loads(reply.choices[0].message.content)


def test_openai_limits_and_stops():
    reply = oai().chat.completions.create(model="small", messages=user("x"), max_completion_tokens=5)
    assert reply.choices[0].finish_reason == "length" and reply.usage.completion_tokens == 5
    reply = oai().chat.completions.create(model="small", messages=user("one STOP two"), stop=["STOP"])
    assert reply.choices[0].finish_reason == "stop"
    assert reply.choices[0].message.content.rstrip() == "You said: one"


def test_openai_reasoning_and_cache():
    reply = strict(oai().chat.completions.create(model="small", messages=user("think"), reasoning_effort="high"))
    assert reply.usage.completion_tokens_details.reasoning_tokens == 64
    assert reply.usage.completion_tokens > 64
    long = user(f"{os.urandom(8).hex()} " + "long prompt " * 600)
    first = oai().chat.completions.create(model="small", messages=long)
    second = oai().chat.completions.create(model="small", messages=long)
    assert first.usage.prompt_tokens_details.cached_tokens == 0
    cached = second.usage.prompt_tokens_details.cached_tokens
    assert cached >= 1024 and cached % 128 == 0
    row = entry(second.id)
    expected = (second.usage.prompt_tokens - cached) * 150 + cached * 75 + second.usage.completion_tokens * 600
    assert row["billed_nano_usd"] == expected


def test_openai_images_and_refusal():
    content = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
    ]
    reply = oai().chat.completions.create(model="small", messages=[{"role": "user", "content": content}])
    assert "2 images" in reply.choices[0].message.content
    reply = strict(oai().chat.completions.create(model="small", messages=user("[[refuse]]")))
    assert reply.choices[0].message.refusal and reply.choices[0].message.content is None


def test_openai_errors():
    ask = lambda client, **more: client.chat.completions.create(**{"model": "small", "messages": user("x"), **more})
    with pytest.raises(openai.AuthenticationError) as caught:
        ask(oai("sk-bad-key"))
    assert caught.value.code == "invalid_api_key"
    with pytest.raises(openai.NotFoundError) as caught:
        ask(oai(), model="gone")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as caught:
        ask(oai(), extra_body={"max_token": 3})
    assert caught.value.param == "max_token" and "max_token" in caught.value.message
    with pytest.raises(openai.BadRequestError):
        ask(oai(), n=2)
    with pytest.raises(openai.RateLimitError) as caught:
        ask(oai(), extra_headers={"x-sim-fault": "rate-limit 7"})
    assert caught.value.response.headers["retry-after"] == "7"
    with pytest.raises(openai.InternalServerError):
        ask(oai(), extra_headers={"x-sim-fault": "status 503"})
    with pytest.raises(openai.APIConnectionError):
        ask(oai(), extra_headers={"x-sim-fault": "reset"})
    with pytest.raises(openai.APIError):
        list(ask(oai(), stream=True, extra_headers={"x-sim-fault": "stream-error 3"}))
    with pytest.raises(openai.APIConnectionError):
        list(ask(oai(), stream=True, extra_headers={"x-sim-fault": "cut 3"}))


def test_openai_models():
    models = [strict(model) for model in oai().models.list()]
    assert {"small", "large"} <= {model.id for model in models}
    assert strict(oai().models.retrieve("small")).id == "small"


# --- OpenAI's responses ------------------------------------------------------------------------------------------


def respond(client=None, **more):
    return (client or oai()).responses.create(**{"model": "small", "input": "hello well", **more})


def rtool(name):
    return {"type": "function", "name": name, "description": "test", "parameters": WEATHER, "strict": False}


def strict_response(reply):
    """`store` is in the documented example of a response and `obfuscation` among the options of streams, but neither
    is in the SDK's models.
    """
    return strict(reply, frozenset({"store", "obfuscation"}))


def test_responses_plain():
    reply = strict_response(respond(instructions="be brief", temperature=0.5, metadata={"k": "v"}))
    assert reply.status == "completed" and "hello well" in reply.output_text
    assert reply.metadata == {"k": "v"} and reply.instructions == "be brief"
    usage = reply.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    row = entry(reply.id)
    assert row["dialect"] == "openai_responses" and row["ended"] == "finished"
    assert row["billed_nano_usd"] == usage.input_tokens * 150 + usage.output_tokens * 600
    count = oai().responses.input_tokens.count(model="small", input="hello well", instructions="be brief")
    assert strict(count).input_tokens == usage.input_tokens


def test_responses_stream():
    events = [strict_response(event) for event in respond(stream=True)]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [events[0].type, events[-1].type] == ["response.created", "response.completed"]
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    whole = respond()
    assert text == whole.output_text == events[-1].response.output_text
    assert events[-1].response.usage == whole.usage


def test_responses_stream_helper():
    with oai().responses.stream(model="small", input="hello well") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[-1] == "response.completed" and "hello well" in final.output_text


def test_responses_tools_and_outputs():
    tools = [rtool("get_weather"), rtool("get_time"), rtool("unused")]
    items = user("please call get_weather and get_time")
    reply = strict_response(respond(input=items, tools=tools))
    assert [call.name for call in reply.output] == ["get_weather", "get_time"]
    for call in reply.output:
        check_weather(json.loads(call.arguments))
    items += reply.output
    items += [
        {"type": "function_call_output", "call_id": call.call_id, "output": f"result number {index}"}
        for index, call in enumerate(reply.output)
    ]
    reply = respond(input=items, tools=tools)
    assert reply.output_text == "The tools answered: result number 0; result number 1."
    events = [strict_response(event) for event in respond(input="get_weather", tools=tools, stream=True)]
    arguments = "".join(e.delta for e in events if e.type == "response.function_call_arguments.delta")
    check_weather(json.loads(arguments))
    forced = respond(tools=tools, tool_choice={"type": "function", "name": "get_time"})
    assert [call.name for call in forced.output] == ["get_time"]


def test_responses_structured():
    class Person(pydantic.BaseModel):
        name: str
        age: int
        adult: bool

    reply = oai().responses.parse(model="small", input="a person", text_format=Person)
    assert isinstance(reply.output_parsed, Person)
    with oai().responses.stream(model="small", input="a person", text_format=Person) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_parsed == reply.output_parsed
    reply = respond(input="answer in json", text={"format": {"type": "json_object"}})
    assert json.loads(reply.output_text)


def test_responses_reasoning_comes_back():
    ask = dict(
        tools=[rtool("get_weather")],
        reasoning={"effort": "low", "summary": "auto"},
        include=["reasoning.encrypted_content"],
        store=False,
    )
    items = user("get_weather")
    reply = strict_response(respond(input=items, **ask))
    reasoning, call = reply.output
    assert reasoning.summary[0].text and reasoning.encrypted_content
    assert reply.usage.output_tokens_details.reasoning_tokens == 16
    items = items + reply.output + [{"type": "function_call_output", "call_id": call.call_id, "output": "mild"}]
    assert respond(input=items, **ask).output_text == "The tools answered: mild."
    events = [strict_response(event) for event in respond(input=items, stream=True, **ask)]
    assert "response.reasoning_summary_text.delta" in [event.type for event in events]
    del reasoning.encrypted_content
    with pytest.raises(openai.NotFoundError, match="Items are not persisted when `store` is set to false"):
        respond(input=items, **ask)


def test_responses_limits_cache_images_refusal():
    reply = strict_response(respond(input="x", max_output_tokens=16))
    assert reply.status == "incomplete" and reply.incomplete_details.reason == "max_output_tokens"
    events = [strict_response(event) for event in respond(input="x", max_output_tokens=16, stream=True)]
    assert events[-1].type == "response.incomplete"
    long = f"{os.urandom(8).hex()} " + "long prompt " * 600
    first, second = respond(input=long), respond(input=long)
    assert first.usage.input_tokens_details.cached_tokens == 0
    cached = second.usage.input_tokens_details.cached_tokens
    assert cached >= 1024 and cached % 128 == 0
    expected = (second.usage.input_tokens - cached) * 150 + cached * 75 + second.usage.output_tokens * 600
    assert entry(second.id)["billed_nano_usd"] == expected
    content = [
        {"type": "input_text", "text": "look"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"},
        {"type": "input_image", "image_url": "https://example.com/cat.png", "detail": "auto"},
    ]
    assert "2 images" in respond(input=[{"role": "user", "content": content}]).output_text
    reply = strict_response(respond(input="[[refuse]]"))
    assert reply.output[0].content[0].type == "refusal"
    events = [strict_response(event) for event in respond(input="[[refuse]]", stream=True)]
    assert "response.refusal.done" in [event.type for event in events]


def test_responses_errors():
    with pytest.raises(openai.AuthenticationError):
        respond(oai("sk-bad-key"))
    with pytest.raises(openai.NotFoundError) as caught:
        respond(model="gone")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as caught:
        respond(extra_body={"max_tokens": 3})
    assert (caught.value.param, caught.value.code) == ("max_tokens", "unknown_parameter")
    with pytest.raises(openai.BadRequestError) as caught:
        respond(previous_response_id="resp_1")
    assert caught.value.code == "previous_response_not_found"
    with pytest.raises(openai.BadRequestError, match="tools\\[0\\].name"):
        respond(tools=[tool("nested")])
    with pytest.raises(openai.RateLimitError):
        respond(extra_headers={"x-sim-fault": "rate-limit 7"})
    with pytest.raises(openai.InternalServerError):
        respond(extra_headers={"x-sim-fault": "status 503"})
    for fault in ("stream-error", "stream-error 6"):
        with pytest.raises(openai.APIError, match="currently overloaded"):
            list(respond(stream=True, extra_headers={"x-sim-fault": fault}))
    with pytest.raises(openai.APIConnectionError):
        list(respond(stream=True, extra_headers={"x-sim-fault": "cut 3"}))


# --- Anthropic ---------------------------------------------------------------------------------------------------


def message(client=None, **more):
    return (client or ant()).messages.create(
        **{"model": "small", "max_tokens": 300, "messages": user("hello well"), **more}
    )


def test_anthropic_plain():
    reply = strict(message(system="be brief", metadata={"user_id": "u"}))
    assert reply.stop_reason == "end_turn" and reply.content[0].type == "text"
    assert "hello well" in reply.content[0].text
    row = entry(reply.id)
    assert row["billed_nano_usd"] == reply.usage.input_tokens * 150 + reply.usage.output_tokens * 600
    count = ant().messages.count_tokens(model="small", system="be brief", messages=user("hello well"))
    assert count.input_tokens == reply.usage.input_tokens


def test_anthropic_stream():
    events = [strict(event) for event in message(stream=True)]
    kinds = [event.type for event in events]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds[1] == "content_block_start" and kinds[-3] == "content_block_stop"
    text = "".join(event.delta.text for event in events if event.type == "content_block_delta")
    whole = message()
    assert text == whole.content[0].text
    assert events[0].message.usage.input_tokens == whole.usage.input_tokens
    assert events[-2].usage.output_tokens == whole.usage.output_tokens
    with ant().messages.stream(model="small", max_tokens=300, messages=user("hello well")) as stream:
        assert strict(stream.get_final_message()).content[0].text == text


def test_anthropic_tools_parallel_and_results():
    tools = [atool("get_weather"), atool("get_time"), atool("unused")]
    messages = user("please call get_weather and get_time")
    reply = strict(message(messages=messages, tools=tools))
    assert reply.stop_reason == "tool_use"
    assert [block.name for block in reply.content] == ["get_weather", "get_time"]
    for block in reply.content:
        check_weather(block.input)
    messages.append({"role": "assistant", "content": reply.content})
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": f"result number {index}"}
        for index, block in enumerate(reply.content)
    ]
    messages.append({"role": "user", "content": results})
    reply = strict(message(messages=messages, tools=tools))
    assert "result number 0" in reply.content[0].text and "result number 1" in reply.content[0].text
    one = message(messages=messages[:1], tools=tools, tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    assert len(one.content) == 1
    named = message(messages=user("x"), tools=tools, tool_choice={"type": "tool", "name": "unused"})
    assert named.content[0].name == "unused"
    forced = message(messages=user("x"), tools=tools, tool_choice={"type": "any"})
    assert forced.content[0].name == "get_weather"


def test_anthropic_tools_streamed():
    tools = [atool("get_weather"), atool("get_time"), {"name": "ping", "input_schema": {"type": "object"}}]
    with ant().messages.stream(
        model="small", max_tokens=300, messages=user("get_weather get_time ping"), tools=tools
    ) as stream:
        events = [event for event in stream]
        final = strict(stream.get_final_message())
    fragments = [event for event in events if event.type == "input_json"]
    assert len(fragments) > 6
    assert [block.name for block in final.content] == ["get_weather", "get_time", "ping"]
    check_weather(final.content[0].input)
    check_weather(final.content[1].input)
    assert final.content[2].input == {}


def test_anthropic_structured_output():
    reply = message(output_config={"format": {"type": "json_schema", "schema": PERSON}})
    person = json.loads(reply.content[0].text)
    assert set(person) == {"name", "age", "adult"}

    class Person(pydantic.BaseModel):
        name: str
        age: int

    parsed = ant().messages.parse(model="small", max_tokens=300, messages=user("a person"), output_format=Person)
    assert isinstance(parsed.parsed_output, Person)


def test_anthropic_thinking_round_trip():
    tools = [atool("get_weather")]
    messages = user("get_weather")
    thinking = {"type": "enabled", "budget_tokens": 1024}
    reply = strict(message(messages=messages, tools=tools, thinking=thinking, max_tokens=2000))
    assert [block.type for block in reply.content] == ["thinking", "tool_use"]
    assert reply.usage.output_tokens_details.thinking_tokens > 0
    result = {"type": "tool_result", "tool_use_id": reply.content[1].id, "content": "sunny"}
    again = messages + [{"role": "assistant", "content": reply.content}, {"role": "user", "content": [result]}]
    assert message(messages=again, tools=tools, thinking=thinking, max_tokens=2000).stop_reason == "end_turn"
    blocks = [block.model_dump() for block in reply.content]
    blocks[0]["thinking"] += " tampered"
    again[1] = {"role": "assistant", "content": blocks}
    with pytest.raises(anthropic.BadRequestError, match="signature"):
        message(messages=again, tools=tools, thinking=thinking, max_tokens=2000)
    events = [strict(event) for event in message(thinking={"type": "adaptive"}, stream=True)]
    deltas = [event.delta.type for event in events if event.type == "content_block_delta"]
    assert deltas[0] == "thinking_delta" and "signature_delta" in deltas and deltas[-1] == "text_delta"
    hidden = message(thinking={"type": "adaptive", "display": "omitted"})
    assert hidden.content[0].thinking == "" and hidden.content[0].signature


def test_anthropic_cache():
    text = f"{os.urandom(8).hex()} " + "long system prompt " * 400
    system = [{"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    first, second = strict(message(system=system)), strict(message(system=system))
    assert first.usage.cache_creation_input_tokens > 1024 and first.usage.cache_read_input_tokens == 0
    assert first.usage.cache_creation.ephemeral_1h_input_tokens == first.usage.cache_creation_input_tokens
    assert second.usage.cache_read_input_tokens == first.usage.cache_creation_input_tokens
    assert second.usage.cache_creation_input_tokens == 0
    assert second.usage.input_tokens == first.usage.input_tokens
    usage = first.usage
    expected = usage.input_tokens * 150 + usage.cache_creation_input_tokens * 300 + usage.output_tokens * 600
    assert entry(first.id)["billed_nano_usd"] == expected
    usage = second.usage
    expected = usage.input_tokens * 150 + usage.cache_read_input_tokens * 75 + usage.output_tokens * 600
    assert entry(second.id)["billed_nano_usd"] == expected


def test_anthropic_limits_stops_images_refusal():
    reply = strict(message(max_tokens=5))
    assert reply.stop_reason == "max_tokens" and reply.usage.output_tokens == 5
    reply = strict(message(messages=user("one STOP two"), stop_sequences=["STOP"]))
    assert reply.stop_reason == "stop_sequence" and reply.stop_sequence == "STOP"
    reply = strict(message(messages=user("no [[refuse]]")))
    assert reply.stop_reason == "refusal" and reply.stop_details.type == "refusal"
    content = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
        {"type": "text", "text": "look"},
    ]
    reply = message(messages=[{"role": "user", "content": content}])
    assert "2 images" in reply.content[0].text
    reply = strict(message(messages=user("[[finish:pause_turn]]")))
    assert reply.stop_reason == "pause_turn"


def test_anthropic_errors():
    with pytest.raises(anthropic.AuthenticationError):
        message(ant("sk-bad"))
    with pytest.raises(anthropic.NotFoundError, match="not_found_error"):
        message(model="gone")
    with pytest.raises(anthropic.BadRequestError, match="max_token: Extra inputs"):
        message(extra_body={"max_token": 3})
    with pytest.raises(anthropic.BadRequestError, match="1024"):
        message(thinking={"type": "enabled", "budget_tokens": 1000}, max_tokens=2000)
    with pytest.raises(anthropic.RateLimitError) as caught:
        message(extra_headers={"x-sim-fault": "rate-limit 7"})
    assert caught.value.response.headers["retry-after"] == "7"
    with pytest.raises(anthropic.APIStatusError) as caught:
        message(extra_headers={"x-sim-fault": "status 529"})
    assert caught.value.status_code == 529 and "overloaded_error" in str(caught.value)
    with pytest.raises(anthropic.APIConnectionError):
        message(extra_headers={"x-sim-fault": "refuse"})
    with pytest.raises(anthropic.APIStatusError, match="overloaded"):
        list(message(stream=True, extra_headers={"x-sim-fault": "stream-error"}))
    with pytest.raises((anthropic.APIConnectionError, httpx2.TransportError)):
        list(message(stream=True, extra_headers={"x-sim-fault": "cut 4"}))


def test_anthropic_models():
    models = [strict(model) for model in ant().models.list()]
    assert {"small", "large"} <= {model.id for model in models}
    assert strict(ant().models.retrieve("large")).id == "large"


# --- Gemini ------------------------------------------------------------------------------------------------------


def parts(reply):
    return reply.candidates[0].content.parts or []


def test_gemini_plain_and_streamed():
    config = types.GenerateContentConfig(
        system_instruction="be brief",
        temperature=0.3,
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_level="LOW"),
    )
    client = gem()
    ask = dict(model="small", contents="hello well", config=config)
    whole = client.models.generate_content(**ask)
    assert "hello well" in whole.text
    usage = whole.usage_metadata
    counts = usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count
    assert usage.total_token_count == sum(counts) and usage.thoughts_token_count == 16
    row = entry(whole.response_id)
    assert row["usage"]["output_tokens"] == counts[1] + counts[2]
    assert row["usage"]["reasoning_tokens"] == counts[2]
    steps = list(client.models.generate_content_stream(**ask))
    for thought in (True, False):
        text = lambda replies: "".join(p.text for r in replies for p in parts(r) if bool(p.thought) == thought)
        assert text(steps) == text([whole])
    assert steps[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert steps[-1].usage_metadata == usage


def test_gemini_functions():
    declarations = [
        types.FunctionDeclaration(name=name, parameters_json_schema=WEATHER) for name in ("weather", "forecast")
    ]
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=declarations)])
    client = gem()
    question = types.Content(role="user", parts=[types.Part(text="use weather and forecast")])
    reply = client.models.generate_content(model="small", contents=[question], config=config)
    assert [call.name for call in reply.function_calls] == ["weather", "forecast"]
    assert [call.id is None for call in reply.function_calls] == [True, False]
    for call in reply.function_calls:
        check_weather(call.args)
    answers = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": "mild"}))
        for call in reply.function_calls
    ]
    contents = [question, reply.candidates[0].content, types.Content(role="user", parts=answers)]
    reply = client.models.generate_content(model="small", contents=contents, config=config)
    assert reply.text == "The tools answered: mild; mild."


def test_gemini_structured():
    class Person(pydantic.BaseModel):
        name: str
        age: int
        tags: list[str]

    client = gem()
    for schema in ({"response_schema": Person}, {"response_json_schema": Person.model_json_schema()}):
        config = types.GenerateContentConfig(response_mime_type="application/json", **schema)
        reply = client.models.generate_content(model="small", contents="who?", config=config)
        Person.model_validate_json(reply.text)


def test_gemini_models_and_tokens():
    client = gem()
    assert [model.name for model in client.models.list()] == ["models/small", "models/large"]
    assert client.models.get(model="small").output_token_limit == 16_384
    assert client.models.count_tokens(model="small", contents="hello").total_tokens == 6


def test_gemini_errors():
    client, bad = gem(), gem("sk-bad")
    cases = [
        (client, "small", "[[fault:rate-limit 3]]", 429, "RESOURCE_EXHAUSTED"),
        (client, "small", "[[fault:status 503]]", 503, "UNAVAILABLE"),
        (client, "gone", "x", 404, "NOT_FOUND"),
        (bad, "small", "x", 400, "INVALID_ARGUMENT"),
    ]
    for caller, model, text, code, status in cases:
        with pytest.raises(errors.APIError) as caught:
            caller.models.generate_content(model=model, contents=text)
        assert (caught.value.code, caught.value.status) == (code, status)
    with pytest.raises(errors.ServerError) as caught:
        list(client.models.generate_content_stream(model="small", contents="x [[fault:stream-error 2]]"))
    assert caught.value.status == "UNAVAILABLE"
    blocked = client.models.generate_content(model="small", contents="[[refuse]]")
    assert blocked.prompt_feedback.block_reason == types.BlockedReason.PROHIBITED_CONTENT
