"""The async clients, many calls at once."""

import asyncio

import pytest
from asks import check_weather, function, strict, tool, user


@pytest.mark.gateway
async def test_openai_calls_at_once_each_get_their_own_reply(async_oai, provider):
    async def ask(number):
        reply = await async_oai.chat.completions.create(model=f"{provider}/small", messages=user(f"call {number}."))
        assert strict(reply).choices[0].message.content.startswith(f"You said: call {number}.")

    async def stream(number):
        asked = user(f"stream {number}. [[sim:event-ms=2]]")
        text = ""
        async for chunk in await async_oai.chat.completions.create(
            model=f"{provider}/small", messages=asked, stream=True
        ):
            text += chunk.choices[0].delta.content or "" if chunk.choices else ""
        assert text.startswith(f"You said: stream {number}.")

    await asyncio.gather(*(ask(number) for number in range(20)), *(stream(number) for number in range(20)))


@pytest.mark.gateway
async def test_anthropic_calls_at_once_each_get_their_own_reply(async_ant, provider):
    async def ask(number):
        reply = await async_ant.messages.create(
            model=f"{provider}/small", max_tokens=100, messages=user(f"call {number}.")
        )
        assert strict(reply).content[0].text.startswith(f"You said: call {number}.")

    async def stream(number):
        asked = user(f"stream {number}. [[sim:event-ms=2]]")
        async with async_ant.messages.stream(model=f"{provider}/small", max_tokens=100, messages=asked) as stream:
            final = await stream.get_final_message()
        assert final.content[0].text.startswith(f"You said: stream {number}.")

    await asyncio.gather(*(ask(number) for number in range(20)), *(stream(number) for number in range(20)))


@pytest.mark.gateway
async def test_tools_are_streamed_to_async_clients(async_oai, async_ant, provider):
    model, asked = f"{provider}/small", user("get_weather get_time")
    names = ["get_weather", "get_time"]
    tools = [function(name) for name in names]
    async with async_oai.chat.completions.stream(model=model, messages=asked, tools=tools) as stream:
        calls = (await stream.get_final_completion()).choices[0].message.tool_calls
    assert [call.function.name for call in calls] == names
    for call in calls:
        check_weather(call.function.arguments)
    tools = [tool(name) for name in names]
    async with async_ant.messages.stream(model=model, max_tokens=300, messages=asked, tools=tools) as stream:
        blocks = (await stream.get_final_message()).content
    assert [block.name for block in blocks] == names
    for block in blocks:
        check_weather(block.input)


@pytest.mark.gateway
async def test_async_clients_list_models(async_oai, async_ant):
    assert "chat-oai" in [model.id async for model in async_oai.models.list()]
    assert "chat-oai" in [model.id async for model in async_ant.models.list()]
