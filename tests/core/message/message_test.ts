import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  bodyBytes,
  checkBodySize,
  isJson,
  isText,
  MAX_BODY_BYTES,
} from "../../../core/message/message.ts";
import { holds } from "../../support/property.ts";

describe("the size of a body", () => {
  it("is what encoding it takes", () => {
    const encoder = new TextEncoder();
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: "grapheme" }),
      // Halves of characters, alone and together.
      fc.string({ unit: fc.constantFrom("\ud83c", "\udf89", "a", "€") }),
      fc.string({ unit: fc.constantFrom("a", "é", "€", "🎉", "\u07ff", "\u0800", "\uffff") }),
    );
    holds(fc.property(text, (text) => assert.equal(bodyBytes(text), encoder.encode(text).length)));
  });

  it("of bytes is their number", () => {
    assert.equal(bodyBytes(new Uint8Array(7)), 7);
  });

  it("is refused just above the limit, text and bytes alike", () => {
    const limit = MAX_BODY_BYTES;
    checkBodySize("x".repeat(limit));
    checkBodySize(new Uint8Array(limit));
    checkBodySize("é".repeat(limit / 2));
    for (
      const body of ["x".repeat(limit + 1), new Uint8Array(limit + 1), "é".repeat(limit / 2) + "x"]
    ) {
      assert.throws(() => checkBodySize(body), {
        code: "too_large",
        message: `Cannot accept a body of ${limit + 1} bytes: want ${limit} at most`,
      });
    }
  });

  it("may have another limit", () => {
    checkBodySize("€", 3);
    assert.throws(() => checkBodySize("€", 2), { code: "too_large" });
  });
});

describe("a content type", () => {
  const table: readonly (readonly [string, "json" | "text" | "bytes"])[] = [
    ["application/json", "json"],
    ["application/json; charset=utf-8", "json"],
    ["Application/JSON;charset=utf-8", "json"],
    [" application/json ", "json"],
    ["application/problem+json", "json"],
    ["application/vnd.api.v1+json", "json"],
    ["text/json", "json"],
    ["text/plain", "text"],
    ["TEXT/html; charset=utf-8", "text"],
    ["application/jsonl", "bytes"],
    ["application/x-json-stream", "bytes"],
    ["application/octet-stream", "bytes"],
    ["application/cloudevents", "bytes"],
    ["image/png", "bytes"],
    ["", "bytes"],
    ["x; application/json", "bytes"],
    ["x/text/plain", "bytes"],
  ];
  for (const [contentType, kind] of table) {
    it(`${JSON.stringify(contentType)} is ${kind}`, () => {
      assert.equal(isJson(contentType), kind === "json");
      assert.equal(isText(contentType), kind !== "bytes");
    });
  }
});
