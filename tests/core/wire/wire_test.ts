import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { fromBase64, toBase64 } from "../../../core/wire/base64.ts";
import {
  batchItem,
  batchOf,
  isBatch,
  isMessageHeader,
  MAX_BATCH_MESSAGES,
  parseAnswer,
  parseBatch,
  parseError,
} from "../../../core/wire/wire.ts";
import type { Message } from "../../../core/message/message.ts";
import { AtlastError } from "../../../core/errors.ts";
import { testMessage } from "../../support/http.ts";
import { holds } from "../../support/property.ts";

const NOW_MS = 1_700_000_000_000;

describe("base64", () => {
  it("is what the platform writes and reads", () => {
    holds(fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
      const text = Buffer.from(bytes).toString("base64");
      assert.equal(toBase64(bytes), text);
      assert.deepEqual(fromBase64(text), new Uint8Array(bytes));
    }));
  });

  it("needs no padding", () => {
    assert.deepEqual(fromBase64("AQ"), Uint8Array.of(1));
    assert.deepEqual(fromBase64("AQI"), Uint8Array.of(1, 2));
    assert.deepEqual(fromBase64("AQIDBA"), Uint8Array.of(1, 2, 3, 4));
  });

  it("refuses what is none", () => {
    for (
      const text of [
        "a",
        "abcde",
        "ab=c",
        "abc=d",
        "=",
        "ab=",
        "====",
        "a===",
        "ab-_",
        "ab c",
        "abcd\n",
        "é===",
      ]
    ) {
      assert.equal(fromBase64(text), null, JSON.stringify(text));
    }
  });
});

describe("a batch", () => {
  it("comes out as it went in", () => {
    const body = fc.oneof(fc.string({ unit: "grapheme" }), fc.uint8Array());
    const value = fc.string({ unit: fc.constantFrom("a", " ", "é", "漢", "😀", `"`, "\\") });
    const message = fc.record({ id: fc.uuid(), body, value });
    holds(fc.property(fc.array(message, { minLength: 1, maxLength: 5 }), (parts) => {
      const messages = parts.map(({ id, body, value }) => sent({ id, body, value }));
      const entries = parseBatch(batchOf(messages.map(batchItem)), NOW_MS);
      assert.deepEqual(entries, messages.map((message) => ({ id: message.id, message })));
    }));
  });

  it("reads null as missing", () => {
    const bodies = [`"body":"a","bodyBase64":null`, `"body":null,"bodyBase64":"YQ=="`];
    const items = bodies.map((body) => item({ "cap-x": null }, `${body},"contentType":null`));
    const messages = parseBatch(batchOf(items), NOW_MS).map(({ message }) => message);
    assert.deepEqual(messages.map((message) => message?.body), ["a", new Uint8Array([97])]);
    for (const message of messages) {
      assert.equal(message?.contentType, "application/json");
      assert.equal(message?.headers["cap-x"], undefined);
    }
  });

  it("answers for each message that cannot be read and keeps the others", () => {
    const good = batchItem(testMessage());
    const bad: [string, string | null, string][] = [
      [`null`, null, "malformed_message"],
      [`{}`, null, "malformed_message"],
      [`{"headers":[],"body":""}`, null, "malformed_message"],
      [`{"headers":{"cap-msg-id":"x"},"body":""}`, "x", "malformed_message"],
      [`{"headers":{"cap-msg-id":"x","cap-msg-name":"no name"},"body":""}`, "x", "invalid_name"],
      [`{"headers":{"cap-msg-id":7,"cap-msg-name":"a"}}`, "7", "malformed_message"],
      [
        `{"headers":{"cap-msg-id":1234567890123456789,"cap-msg-name":"a"},"body":""}`,
        null,
        "malformed_message",
      ],
      [item({ "cap-msg-id": "\u0000" }, `"body":""`), "\u0000", "invalid_id"],
      [item({ "cap-x": { deep: [] } }, `"body":""`), "x", "invalid_header"],
      [item({ "cap-x": "a\r\nb" }, `"body":""`), "x", "invalid_header"],
      [item({ "cap-x": "y".repeat(9000) }, `"body":""`), "x", "too_large"],
      [item({}, `"contentType":"a\\nb","body":""`), "x", "malformed_message"],
      [item({}, `"contentType":7,"body":""`), "x", "malformed_message"],
      [item({ "content-type": "a\r\nb: c" }, `"body":""`), "x", "malformed_message"],
      [item({ "Content-Type": "a".repeat(256) }, `"body":""`), "x", "malformed_message"],
      [
        item({ "content-type": "a\u0000" }, `"contentType":null,"body":""`),
        "x",
        "malformed_message",
      ],
      [item({}, `"other":1`), "x", "malformed_message"],
      [item({}, `"body":{}`), "x", "malformed_message"],
      [item({}, `"body":null,"bodyBase64":null`), "x", "malformed_message"],
      [item({}, `"body":"","bodyBase64":""`), "x", "malformed_message"],
      [item({}, `"bodyBase64":"*"`), "x", "malformed_message"],
      [item({}, `"body":"\\ud800"`), "x", "malformed_message"],
    ];
    const entries = parseBatch(batchOf([good, ...bad.flatMap(([text]) => [text, good])]), NOW_MS);
    assert.equal(entries.filter(({ message }) => message !== null).length, bad.length + 1);
    const problems = entries.flatMap((entry) => entry.message === null ? [entry] : []);
    assert.deepEqual(
      problems.map(({ id, problem }) => [id, problem.code]),
      bad.map(([, id, code]) => [id, code]),
    );
  });

  it("refuses what is no batch, without quoting it", () => {
    for (
      const text of [
        "",
        "secret",
        "[]",
        "null",
        "{}",
        `{"messages":{}}`,
        `{"messages":[]}`,
        "[".repeat(1e6),
      ]
    ) {
      assert.throws(() => parseBatch(text, NOW_MS), (error: unknown) => {
        assert.ok(error instanceof AtlastError);
        assert.equal(error.code, "malformed_message");
        assert.ok(!error.message.includes("secret"));
        return true;
      });
    }
    const many = batchOf(Array.from({ length: MAX_BATCH_MESSAGES + 1 }, () => "{}"));
    assert.throws(() => parseBatch(many, NOW_MS), { code: "too_large" });
  });

  it("is told by its content type, in any case and with parameters", () => {
    assert.ok(isBatch("application/vnd.atlast.batch+json"));
    assert.ok(isBatch("Application/VND.Atlast.Batch+JSON ; charset=utf-8"));
    assert.ok(!isBatch(null));
    assert.ok(!isBatch("application/json"));
    assert.ok(!isBatch("application/vnd.atlast.batch+json, text/plain"));
  });
});

describe("an answer", () => {
  it("must have one result for each message, in order", () => {
    const results = [{ id: "a", status: "handled" }, { id: "b", status: "failed", reason: "r" }];
    assert.deepEqual(parseAnswer(JSON.stringify({ results }), ["a", "b"]), results);
    for (const ids of [["b", "a"], ["a"], ["a", "b", "c"], []]) {
      assert.equal(parseAnswer(JSON.stringify({ results }), ids), null);
    }
    const wrong: unknown[] = [
      {},
      null,
      [],
      { id: "a" },
      { id: "a", status: 1 },
      { id: 1, status: "handled" },
      { id: "a", status: "refused", reason: 1 },
      { id: "a", status: "refused", retryAfterMs: "1" },
    ];
    for (const result of wrong) {
      assert.equal(parseAnswer(JSON.stringify({ results: [result] }), ["a"]), null);
    }
    for (const text of ["", "<html>", "null", "[]", `{"results":{}}`]) {
      assert.equal(parseAnswer(text, ["a"]), null);
    }
  });

  it("can say what is wrong with a request", () => {
    const error = { code: "too_large", message: "Cannot" };
    assert.deepEqual(parseError(JSON.stringify({ error })), error);
    for (
      const text of [
        "",
        "{}",
        `{"error":"x"}`,
        `{"error":{"code":1,"message":"x"}}`,
        `{"error":{"code":"x","message":"x","retryAfterMs":"1"}}`,
      ]
    ) {
      assert.equal(parseError(text), null);
    }
  });
});

it("only a message's own headers belong to it", () => {
  for (const name of ["cap-msg-id", "atlast-x", "traceparent", "tracestate", "baggage"]) {
    assert.ok(isMessageHeader(name), name);
  }
  for (const name of ["authorization", "cookie", "host", "webhook-id", "x-cap-y", "cap"]) {
    assert.ok(!isMessageHeader(name), name);
  }
});

/** A message as it comes out of a wire, which writes the correlation headers down. */
function sent(
  { id, body, value }: { id: string; body: string | Uint8Array; value: string },
): Message {
  const headers = { "cap-corr-id": id, "cap-corr-seq": "0", "x-free": value };
  const contentType = typeof body === "string" ? "text/plain" : "application/octet-stream";
  return testMessage({ id, headers, body, contentType });
}

function item(headers: Record<string, unknown>, rest: string): string {
  const all = { "cap-msg-id": "x", "cap-msg-name": "a.b", ...headers };
  return `{"headers":${JSON.stringify(all)},${rest}}`;
}
