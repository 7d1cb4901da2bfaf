// Anthropic's SDK for Node, unchanged, at the provider under test.

import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { z } from "zod";
import { API_URL, CLIENT_KEY, FAULTY, GATEWAY, MODEL, WEATHER, all, billed, checkWeather } from "./support.mjs";

const client = new Anthropic({ baseURL: API_URL, apiKey: CLIENT_KEY, maxRetries: 0 });
const base = { model: MODEL, max_tokens: 300 };
const user = (content) => [{ role: "user", content }];
const offered = (...names) => names.map((name) => ({ name, description: `Does ${name}.`, input_schema: WEATHER }));
const Person = z.object({ name: z.string(), age: z.number().int().min(0).max(150), adult: z.boolean() });

async function checkUsage(usage, id) {
  const { input_tokens, output_tokens } = await billed(id);
  assert.ok(input_tokens > 0 && output_tokens > 0);
  // Nothing is cached.
  assert.equal(usage.input_tokens, input_tokens);
  assert.equal(usage.output_tokens, output_tokens);
}

test("a plain question is answered", async () => {
  const messages = user("hello “wéll” 水 [[sim:tokens=5]]");
  const reply = await client.messages.create({ ...base, messages, system: "Be brief." });
  assert.deepEqual([reply.type, reply.role, reply.model], ["message", "assistant", "small"]);
  assert.deepEqual(reply.content.map(({ type, text }) => [type, text]), [["text", "You said: hello “wéll” 水"]]);
  assert.deepEqual([reply.stop_reason, reply.stop_sequence], ["end_turn", null]);
  await checkUsage(reply.usage, reply.id);
});

test("a stream is the same reply in pieces", async () => {
  const ask = { ...base, messages: user("stream “mé” 水") };
  const whole = await client.messages.create(ask);
  const events = await all(await client.messages.create({ ...ask, stream: true }));
  const kinds = events.map((event) => event.type);
  assert.deepEqual(kinds.slice(0, 2), ["message_start", "content_block_start"]);
  assert.deepEqual(kinds.slice(-3), ["content_block_stop", "message_delta", "message_stop"]);
  const deltas = events.filter((event) => event.type === "content_block_delta");
  assert.ok(deltas.length > 10);
  assert.equal(deltas.map((event) => event.delta.text).join(""), whole.content[0].text);
  assert.ok(whole.content[0].text.startsWith("You said: stream “mé” 水"));
  assert.equal(events.at(-2).delta.stop_reason, "end_turn");
});

test("the stream helper puts the message together", async () => {
  const stream = client.messages.stream({ ...base, messages: user("stream and count") });
  const reply = await stream.finalMessage();
  assert.equal(await stream.finalText(), reply.content[0].text);
  assert.equal(reply.stop_reason, "end_turn");
  await checkUsage(reply.usage, reply.id);
});

test("a tool is called and its result is read", async () => {
  const tools = offered("get_weather", "unused");
  const messages = user("please call get_weather");
  const called = await client.messages.create({ ...base, messages, tools });
  assert.equal(called.stop_reason, "tool_use");
  const [call, ...others] = called.content;
  assert.deepEqual([call.type, call.name, others], ["tool_use", "get_weather", []]);
  assert.ok(call.id);
  checkWeather(call.input);
  messages.push({ role: "assistant", content: called.content });
  messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "it is raining" }] });
  const reply = await client.messages.create({ ...base, messages, tools });
  assert.equal(reply.content[0].text, "The tools answered: it is raining.");
  assert.equal(reply.stop_reason, "end_turn");
});

test("parallel tool calls are streamed and each result is read", async () => {
  const tools = offered("get_weather", "get_time");
  const messages = user("get_weather and get_time");
  const called = await client.messages.stream({ ...base, messages, tools }).finalMessage();
  assert.equal(called.stop_reason, "tool_use");
  assert.deepEqual(called.content.map((block) => block.name), ["get_weather", "get_time"]);
  assert.equal(new Set(called.content.map((block) => block.id)).size, 2);
  called.content.forEach((block) => checkWeather(block.input));
  messages.push({ role: "assistant", content: called.content });
  const result = ({ id }, index) => ({ type: "tool_result", tool_use_id: id, content: `result number ${index}` });
  messages.push({ role: "user", content: called.content.map(result) });
  const reply = await client.messages.create({ ...base, messages, tools });
  assert.equal(reply.content[0].text, "The tools answered: result number 0; result number 1.");
});

test("structured output is parsed, whole and streamed", async () => {
  const ask = { ...base, messages: user("a person"), output_config: { format: zodOutputFormat(Person) } };
  const reply = await client.messages.parse(ask);
  assert.deepEqual(Person.parse(JSON.parse(reply.content[0].text)), reply.parsed_output);
  const streamed = await client.messages.stream(ask).finalMessage();
  assert.deepEqual(streamed.parsed_output, reply.parsed_output);
});

test("a limit ends the reply", async () => {
  const reply = await client.messages.create({ ...base, messages: user("a long story"), max_tokens: 16 });
  assert.equal(reply.stop_reason, "max_tokens");
  assert.equal(reply.usage.output_tokens, 16);
});

for (const stream of [false, true]) {
  const how = stream ? "streamed" : "whole";

  test(`an unknown model is not found, ${how}`, GATEWAY, async () => {
    const asked = client.messages.create({ ...base, model: "no-such-model", messages: user("hi"), stream });
    await assert.rejects(asked, (error) => {
      assert.ok(error instanceof Anthropic.NotFoundError);
      assert.deepEqual([error.status, error.error.error.type], [404, "not_found_error"]);
      assert.equal(error.error.error.code, "model_not_found");
      assert.match(error.message, /no-such-model/);
      return true;
    });
  });

  test(`a rate limit is told with its wait, ${how}`, GATEWAY, async () => {
    const messages = user("[[fault:rate-limit 7]]");
    await assert.rejects(client.messages.create({ ...base, model: FAULTY, messages, stream }), (error) => {
      assert.ok(error instanceof Anthropic.RateLimitError);
      assert.deepEqual([error.status, error.error.error.type], [429, "rate_limit_error"]);
      assert.equal(error.headers.get("retry-after"), "7");
      return true;
    });
  });
}

test("a broken stream throws and never looks complete", GATEWAY, async () => {
  const messages = user("[[fault:cut 8]] [[sim:tokens=60 event-ms=4]]");
  const seen = [];
  await assert.rejects(async () => {
    for await (const event of await client.messages.create({ ...base, model: FAULTY, messages, stream: true })) {
      seen.push(event.type);
    }
  }, Anthropic.APIError);
  assert.ok(seen.includes("content_block_delta"), "content came first");
  assert.ok(!seen.includes("message_delta") && !seen.includes("message_stop"));
});
