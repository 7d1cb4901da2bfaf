// What the tests of every client share: where the programs are, what is asked for, what was billed.

import assert from "node:assert/strict";

const { API_URL, SIM_URL, CLIENT_KEY, MODEL, FAULTY_MODEL, DIRECT } = process.env;

/** Whether the programs understand the dialect of this provider. */
export const isSpoken = (provider) => !DIRECT || DIRECT === provider;

export { API_URL, CLIENT_KEY, MODEL };
/** A model that only faults are asked of. */
export const FAULTY = FAULTY_MODEL;
/** Options of a test that says something about Stepwell itself. */
export const GATEWAY = { skip: DIRECT ? "the simulator alone has no gateway" : false };

/** A tool's parameters. */
export const WEATHER = {
  type: "object",
  properties: {
    city: { type: "string", description: "Where. Any “Zürich” or 東京." },
    unit: { type: "string", enum: ["c", "f"] },
    place: {
      type: "object",
      properties: { lat: { type: "number" }, tags: { type: "array", items: { type: "string" } } },
      required: ["lat", "tags"],
      additionalProperties: false,
    },
  },
  required: ["city", "unit", "place"],
  additionalProperties: false,
};

/** Checks arguments that must obey the schema, as text or read already. */
export function checkWeather(input) {
  const value = typeof input === "string" ? JSON.parse(input) : input;
  assert.equal(typeof value.city, "string");
  assert.ok(["c", "f"].includes(value.unit));
  assert.equal(typeof value.place.lat, "number");
  assert.ok(value.place.tags.every((tag) => typeof tag === "string"));
}

/** All that an async iterable gives. */
export async function all(items) {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
}

const account = [];

/** The tokens that the simulator billed for the reply of this id, once it has ended. */
export async function billed(id) {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const entry = account.find((entry) => entry.id === id);
    if (entry) return entry.billed_usage;
    assert.ok(Date.now() < deadline, `the simulator's account knows no reply ${id}`);
    const reply = await fetch(`${SIM_URL}/sim/oracle?after=${account.at(-1)?.seq ?? 0}&limit=10000`);
    account.push(...(await reply.json()).data);
  }
}
