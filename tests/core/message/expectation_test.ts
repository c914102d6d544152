import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type } from "arktype";
import * as v from "valibot";
import * as z from "zod";
import { type Schema, valueOf } from "../../../core/message/contract.ts";
import { ContractError } from "../../../core/errors.ts";

/** What the error of a schema wants at each path. */
function wanted(schema: unknown, value: unknown): Record<string, string | undefined> {
  try {
    valueOf((schema as Schema)["~standard"].validate(value) as never, "body");
  } catch (error) {
    assert.ok(error instanceof ContractError);
    return Object.fromEntries(error.problems.map(({ path, expected }) => [path, expected]));
  }
  throw new Error("the schema took the value");
}

const VALUE = { a: "s3cret", b: 0, c: "s3cret", d: "s3cret", e: [], f: "s3cret", extra: "s3cret" };

describe("what a schema wanted", () => {
  it("is known of zod", () => {
    const schema = z.strictObject({
      a: z.number(),
      b: z.number().gt(1),
      c: z.enum(["open", "closed"]),
      d: z.email(),
      e: z.array(z.string()).min(1),
      f: z.string().refine((text) => text === "", { error: ({ input }) => `got ${input}` }),
    });
    assert.deepEqual(wanted(schema, VALUE), {
      "": "no other fields",
      a: "number",
      b: "number more than 1",
      c: `"open" or "closed"`,
      d: "email",
      e: "array at least 1",
      f: undefined,
    });
  });

  it("is known of valibot", () => {
    const schema = v.object({
      a: v.number(),
      b: v.pipe(v.number(), v.minValue(1)),
      c: v.picklist(["open", "closed"]),
      d: v.pipe(v.string(), v.email()),
    });
    assert.deepEqual(wanted(schema, VALUE), {
      a: "number",
      b: ">=1",
      c: `("open" | "closed")`,
      d: "email",
    });
  });

  it("is known of arktype, except of unions", () => {
    const schema = type({
      a: "number",
      b: "number >= 1",
      c: "'open' | 'closed'",
      d: "string.email",
    });
    assert.deepEqual(wanted(schema, VALUE), {
      a: "a number",
      b: "at least 1",
      c: undefined,
      d: "an email address",
    });
  });

  it("is short, on one line, and read without running into what a library does", () => {
    const issue = { message: "", path: ["a"], code: "invalid_type", expected: "x\n".repeat(1_000) };
    const odd = Object.defineProperty({ message: "", path: ["b"] }, "code", {
      get: () => {
        throw new Error("no");
      },
    });
    const schema = { "~standard": { validate: () => ({ issues: [issue, odd] }) } };
    const { a, b } = wanted(schema, 1);
    assert.equal(a, "x ".repeat(50));
    assert.equal(b, undefined);
  });
});
