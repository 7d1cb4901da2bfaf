// The Vercel AI SDK, unchanged, with its providers of every dialect, at the provider under test.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogle } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, Output, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { API_URL, CLIENT_KEY, FAULTY, GATEWAY, MODEL, WEATHER, all, billed, checkWeather, isSpoken } from "./support.mjs";

// It warns of every model that it does not know.
globalThis.AI_SDK_LOG_WARNINGS = false;

const apiKey = CLIENT_KEY;
const openai = { baseURL: `${API_URL}/v1`, apiKey };
const CLIENTS = {
  openai: ["res", createOpenAI(openai)],
  "openai chat": ["oai", createOpenAI(openai).chat],
  "openai-compatible": [
    "oai",
    createOpenAICompatible({ name: "stepwell", includeUsage: true, supportsStructuredOutputs: true, ...openai }),
  ],
  anthropic: ["ant", createAnthropic({ baseURL: `${API_URL}/v1`, apiKey })],
  // A name with a slash in it is a path to this one.
  google: ["gem", (model) => createGoogle({ baseURL: `${API_URL}/v1beta`, apiKey })(model)],
};
const Person = z.object({ name: z.string(), age: z.number().int().min(0).max(150), adult: z.boolean() });

/** Tools by name; `run` is what each does, where the SDK is to run it. */
const offered = (run, ...names) =>
  Object.fromEntries(
    names.map((name) => [
      name,
      tool({ description: `Does ${name}.`, inputSchema: jsonSchema(WEATHER), ...(run && { execute: () => run(name) }) }),
    ]),
  );

async function checkUsage(usage, id) {
  const { input_tokens, output_tokens } = await billed(id);
  assert.ok(input_tokens > 0 && output_tokens > 0);
  assert.equal(usage.inputTokens, input_tokens);
  assert.equal(usage.outputTokens, output_tokens);
}

for (const [name, [spoken, provider]] of Object.entries(CLIENTS)) {
  const skip = !isSpoken(spoken) && "the simulator alone does not translate";

  describe(`with ${name}`, { skip }, () => {
    const base = { model: provider(MODEL), maxRetries: 0 };
    const faulty = { model: provider(FAULTY), maxRetries: 0, onError: () => {} };

    test("a plain question is answered", async () => {
      const prompt = "hello “wéll” 水 [[sim:tokens=5]]";
      const reply = await generateText({ ...base, instructions: "Be brief.", prompt });
      assert.equal(reply.text, "You said: hello “wéll” 水");
      assert.equal(reply.finishReason, "stop");
      await checkUsage(reply.usage, reply.response.id);
    });

    test("a stream is the same reply in pieces", async () => {
      const prompt = "stream “mé” 水";
      const whole = await generateText({ ...base, prompt });
      const stream = streamText({ ...base, prompt });
      const pieces = await all(stream.textStream);
      assert.ok(pieces.length > 10);
      assert.equal(pieces.join(""), whole.text);
      assert.ok(whole.text.startsWith("You said: stream “mé” 水"));
      assert.equal(await stream.finishReason, "stop");
      await checkUsage(await stream.usage, (await stream.response).id);
    });

    test("a tool is called, run, and its result is read", async () => {
      const inputs = [];
      const tools = offered((name) => `${name} says it is raining`, "get_weather", "unused");
      const reply = await generateText({ ...base, prompt: "please call get_weather", tools, stopWhen: stepCountIs(3) });
      assert.equal(reply.steps.length, 2);
      const [first] = reply.steps;
      assert.equal(first.finishReason, "tool-calls");
      assert.deepEqual(first.toolCalls.map((call) => call.toolName), ["get_weather"]);
      checkWeather(first.toolCalls[0].input);
      assert.deepEqual(first.toolResults.map((result) => result.toolCallId), [first.toolCalls[0].toolCallId]);
      // For Google's models the SDK puts each result into an object.
      assert.match(reply.text, /^The tools answered: .*get_weather says it is raining.*\.$/);
      assert.equal(reply.finishReason, "stop");
    });

    test("parallel tool calls are streamed and each result is read", async () => {
      const tools = offered(undefined, "get_weather", "get_time");
      const messages = [{ role: "user", content: "get_weather and get_time" }];
      const called = streamText({ ...base, messages, tools });
      const calls = await called.toolCalls;
      assert.equal(await called.finishReason, "tool-calls");
      assert.deepEqual(calls.map((call) => call.toolName), ["get_weather", "get_time"]);
      assert.equal(new Set(calls.map((call) => call.toolCallId)).size, 2);
      calls.forEach((call) => checkWeather(call.input));
      messages.push(...(await called.response).messages);
      messages.push({
        role: "tool",
        content: calls.map(({ toolCallId, toolName }, index) => ({
          type: "tool-result",
          toolCallId,
          toolName,
          output: { type: "text", value: `result number ${index}` },
        })),
      });
      const stream = streamText({ ...base, messages, tools });
      assert.match(await stream.text, /^The tools answered: .*result number 0.*; .*result number 1.*\.$/);
    });

    test("structured output is parsed, whole and streamed", async () => {
      const ask = { ...base, prompt: "a person", output: Output.object({ schema: Person }) };
      const reply = await generateText(ask);
      assert.deepEqual(Person.parse(JSON.parse(reply.text)), reply.output);
      const stream = streamText(ask);
      const partial = await all(stream.partialOutputStream);
      assert.deepEqual(Person.parse(JSON.parse(await stream.text)), await stream.output);
      assert.deepEqual(partial.at(-1), await stream.output);
    });

    test("a limit ends the reply", async () => {
      const reply = await generateText({ ...base, prompt: "a long story", maxOutputTokens: 16 });
      assert.equal(reply.finishReason, "length");
      assert.equal(reply.usage.outputTokens, 16);
    });

    test("an unknown model is not found", GATEWAY, async () => {
      const asked = generateText({ ...base, model: provider("no-such-model"), prompt: "hi" });
      await assert.rejects(asked, (error) => {
        assert.ok(APICallError.isInstance(error));
        assert.deepEqual([error.statusCode, error.isRetryable], [404, false]);
        assert.match(error.message, /no-such-model/);
        return true;
      });
    });

    test("a rate limit is told with its wait, whole and streamed", GATEWAY, async () => {
      const prompt = "[[fault:rate-limit 7]]";
      const isRateLimit = (error) => {
        assert.ok(APICallError.isInstance(error));
        assert.deepEqual([error.statusCode, error.isRetryable], [429, true]);
        assert.equal(error.responseHeaders["retry-after"], "7");
        return true;
      };
      await assert.rejects(generateText({ model: faulty.model, maxRetries: 0, prompt }), isRateLimit);
      const parts = await all(streamText({ ...faulty, prompt }).fullStream);
      isRateLimit(parts.find((part) => part.type === "error").error);
    });

    test("a broken stream is an error and never looks complete", GATEWAY, async () => {
      const prompt = "[[fault:cut 8]] [[sim:tokens=60 event-ms=4]]";
      const parts = await all(streamText({ ...faulty, prompt }).fullStream);
      const kinds = parts.map((part) => part.type);
      assert.ok(kinds.includes("text-delta"), "content came first");
      assert.ok(kinds.includes("error"), kinds.join());
      const finished = parts.filter((part) => part.type === "finish-step" || part.type === "finish");
      assert.ok(finished.every((part) => part.finishReason === "error"), JSON.stringify(finished));
    });
  });
}
