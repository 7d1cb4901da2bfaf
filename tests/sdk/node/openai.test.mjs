// OpenAI's SDK for Node, unchanged, at the provider under test.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { API_URL, CLIENT_KEY, FAULTY, GATEWAY, MODEL, WEATHER, all, billed, checkWeather } from "./support.mjs";

const client = new OpenAI({ baseURL: `${API_URL}/v1`, apiKey: CLIENT_KEY, maxRetries: 0 });
const model = MODEL;
const user = (content) => [{ role: "user", content }];
const offered = (...names) =>
  names.map((name) => ({ type: "function", function: { name, description: `Does ${name}.`, parameters: WEATHER } }));
const Person = z.object({ name: z.string(), age: z.number().int().min(0).max(150), adult: z.boolean() });

async function checkUsage(usage, id) {
  const { input_tokens, output_tokens } = await billed(id);
  assert.ok(input_tokens > 0 && output_tokens > 0);
  assert.equal(usage.prompt_tokens, input_tokens);
  assert.equal(usage.completion_tokens, output_tokens);
  assert.equal(usage.total_tokens, input_tokens + output_tokens);
}

test("a plain question is answered", async () => {
  const messages = [{ role: "developer", content: "Be brief." }, ...user("hello “wéll” 水 [[sim:tokens=5]]")];
  const reply = await client.chat.completions.create({ model, messages });
  assert.equal(reply.object, "chat.completion");
  assert.equal(reply.model, "small");
  assert.equal(reply.choices.length, 1);
  assert.equal(reply.choices[0].message.role, "assistant");
  assert.equal(reply.choices[0].message.content, "You said: hello “wéll” 水");
  assert.equal(reply.choices[0].finish_reason, "stop");
  await checkUsage(reply.usage, reply.id);
});

test("a stream is the same reply in pieces", async () => {
  const ask = { model, messages: user("stream “mé” 水") };
  const whole = await client.chat.completions.create(ask);
  const chunks = await all(
    await client.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } }),
  );
  const last = chunks.pop();
  assert.deepEqual(last.choices, []);
  await checkUsage(last.usage, last.id);
  assert.ok(chunks.length > 10);
  assert.ok(chunks.every((chunk) => chunk.id === last.id && !chunk.usage));
  assert.equal(chunks[0].choices[0].delta.role, "assistant");
  const text = chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join("");
  assert.equal(text, whole.choices[0].message.content);
  assert.ok(text.startsWith("You said: stream “mé” 水"));
  const reasons = chunks.map((chunk) => chunk.choices[0].finish_reason).filter(Boolean);
  assert.deepEqual(reasons, ["stop"]);
});

test("a tool is called and its result is read", async () => {
  const tools = offered("get_weather", "unused");
  const messages = user("please call get_weather");
  const { choices } = await client.chat.completions.create({ model, messages, tools });
  assert.equal(choices[0].finish_reason, "tool_calls");
  const [call, ...others] = choices[0].message.tool_calls;
  assert.deepEqual([call.type, call.function.name, others], ["function", "get_weather", []]);
  assert.ok(call.id);
  checkWeather(call.function.arguments);
  messages.push(choices[0].message, { role: "tool", tool_call_id: call.id, content: "it is raining" });
  const reply = await client.chat.completions.create({ model, messages, tools });
  assert.equal(reply.choices[0].message.content, "The tools answered: it is raining.");
  assert.equal(reply.choices[0].finish_reason, "stop");
});

test("parallel tool calls are streamed and each result is read", async () => {
  const tools = offered("get_weather", "get_time");
  const messages = user("get_weather and get_time");
  const stream = client.chat.completions.stream({ model, messages, tools });
  const [choice] = (await stream.finalChatCompletion()).choices;
  assert.equal(choice.finish_reason, "tool_calls");
  const calls = choice.message.tool_calls;
  assert.deepEqual(calls.map((call) => call.function.name), ["get_weather", "get_time"]);
  assert.equal(new Set(calls.map((call) => call.id)).size, 2);
  calls.forEach((call) => checkWeather(call.function.arguments));
  // What the SDK read out of the message is no part of one.
  const { parsed: _, ...said } = choice.message;
  messages.push(said);
  calls.forEach(({ id }, index) => messages.push({ role: "tool", tool_call_id: id, content: `result number ${index}` }));
  const reply = await client.chat.completions.create({ model, messages, tools });
  assert.equal(reply.choices[0].message.content, "The tools answered: result number 0; result number 1.");
});

test("the SDK runs the tools itself", async () => {
  const tool = { ...offered("get_time")[0].function, parse: JSON.parse, function: ({ city }) => `noon in ${city}` };
  const runner = client.chat.completions.runTools({
    model,
    messages: user("please call get_time"),
    tools: [{ type: "function", function: tool }],
  });
  assert.match(await runner.finalContent(), /^The tools answered: noon in \w+\.$/);
});

test("structured output is parsed, whole and streamed", async () => {
  const ask = { model, messages: user("a person"), response_format: zodResponseFormat(Person, "person") };
  const reply = await client.chat.completions.parse(ask);
  const person = reply.choices[0].message.parsed;
  assert.deepEqual(Person.parse(JSON.parse(reply.choices[0].message.content)), person);
  const streamed = await client.chat.completions.stream(ask).finalChatCompletion();
  assert.deepEqual(streamed.choices[0].message.parsed, person);
});

test("a strict tool's arguments are parsed", async () => {
  const tools = [zodFunction({ name: "add_person", parameters: Person })];
  const reply = await client.chat.completions.parse({ model, messages: user("add_person"), tools });
  const [call] = reply.choices[0].message.tool_calls;
  assert.deepEqual(Person.parse(JSON.parse(call.function.arguments)), call.function.parsed_arguments);
});

test("a limit ends the reply", async () => {
  const reply = await client.chat.completions.create({
    model,
    messages: user("a long story"),
    max_completion_tokens: 16,
  });
  assert.equal(reply.choices[0].finish_reason, "length");
  assert.equal(reply.usage.completion_tokens, 16);
});

for (const stream of [false, true]) {
  const how = stream ? "streamed" : "whole";

  test(`an unknown model is not found, ${how}`, GATEWAY, async () => {
    const asked = client.chat.completions.create({ model: "no-such-model", messages: user("hi"), stream });
    await assert.rejects(asked, (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.deepEqual([error.status, error.code, error.type], [404, "model_not_found", "invalid_request_error"]);
      assert.match(error.message, /no-such-model/);
      return true;
    });
  });

  test(`a rate limit is told with its wait, ${how}`, GATEWAY, async () => {
    const messages = user("[[fault:rate-limit 7]]");
    await assert.rejects(client.chat.completions.create({ model: FAULTY, messages, stream }), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.equal(error.status, 429);
      assert.equal(error.headers.get("retry-after"), "7");
      assert.ok(error.code && error.type);
      return true;
    });
  });
}

test("a broken stream throws and never looks complete", GATEWAY, async () => {
  const messages = user("[[fault:cut 8]] [[sim:tokens=60 event-ms=4]]");
  const seen = [];
  await assert.rejects(async () => {
    for await (const chunk of await client.chat.completions.create({ model: FAULTY, messages, stream: true })) {
      seen.push(chunk);
    }
  }, OpenAI.APIError);
  assert.ok(seen.some((chunk) => chunk.choices[0].delta.content), "content came first");
  assert.ok(seen.every((chunk) => chunk.choices[0].finish_reason === null));
});
