import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  correlationSequence,
  HEADER,
  MAX_HEADER_CHARACTERS,
  MAX_HEADERS,
  messageFromWire,
  normalizeHeaders,
  wireHeaders,
} from "../../../core/message/headers.ts";
import type { Message } from "../../../core/message/message.ts";
import { holds } from "../../support/property.ts";

const NOW_MS = 1_764_000_000_000;

function message(fields: Partial<Message> = {}): Message {
  return {
    id: "id-1",
    name: "order.placed",
    headers: {},
    contentType: "application/json",
    body: "{}",
    sentAtMs: NOW_MS,
    ...fields,
  };
}

/** The sending time that is read from a header; null where now has to stand in. */
function readSentTime(text: unknown): number | null {
  const wire = { [HEADER.id]: "1", [HEADER.name]: "a", [HEADER.sentTime]: text };
  const { sentAtMs } = messageFromWire(wire, "", -1);
  return sentAtMs === -1 ? null : sentAtMs;
}

const FIELD_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+.^_`|~-";
const headerName = fc
  .string({ unit: fc.constantFrom(...FIELD_CHARACTERS), minLength: 1, maxLength: 40 })
  .filter((name) => !["cap-msg-id", "cap-msg-name", "cap-senttime", "content-type"].includes(name));
const headerValue = fc
  .string({ unit: "grapheme", maxLength: 40 })
  // deno-lint-ignore no-control-regex -- what may not be carried is left out of what is.
  .filter((value) => !/[\u0000-\u001f\u007f]/.test(value));
const headers = fc.array(fc.tuple(fc.oneof(headerName, fc.constant("__proto__")), headerValue), {
  maxLength: 20,
}).map((entries) => Object.fromEntries(entries) as Record<string, string>);

describe("a message on the wire", () => {
  const anyMessage = fc.record({
    id: fc.uuid(),
    name: fc.constantFrom("order.placed", "a", "a-b.c_d"),
    headers,
    contentType: fc.constantFrom("application/json", "text/plain", "image/png"),
    body: fc.oneof(fc.string(), fc.uint8Array()),
    sentAtMs: fc.integer({ min: 0, max: 4e12 }),
  });

  it("comes back as it was, with its correlation said", () => {
    holds(fc.property(anyMessage, (sent) => {
      const wire = { ...wireHeaders(sent), "Content-Type": sent.contentType };
      const correlation = { "cap-corr-id": sent.id, "cap-corr-seq": "0" };
      assert.deepEqual(messageFromWire(wire, sent.body, NOW_MS), {
        ...sent,
        headers: { ...correlation, ...sent.headers },
      });
    }));
  });

  it("comes back from names in any case", () => {
    holds(fc.property(anyMessage, (sent) => {
      const wire = Object.entries(wireHeaders(sent));
      const shouted = Object.fromEntries(wire.map(([name, value]) => [name.toUpperCase(), value]));
      const heard = messageFromWire(shouted, sent.body, NOW_MS);
      assert.deepEqual(heard, messageFromWire(Object.fromEntries(wire), sent.body, NOW_MS));
    }));
  });

  it("has CAP's headers", () => {
    assert.deepEqual(wireHeaders(message({ headers: { "cap-callback-name": "order.marked" } })), {
      "cap-msg-id": "id-1",
      "cap-msg-name": "order.placed",
      "cap-senttime": "2025-11-24T16:00:00.000Z",
      "cap-corr-id": "id-1",
      "cap-corr-seq": "0",
      "cap-callback-name": "order.marked",
    });
  });

  it("keeps the correlation of an answer", () => {
    const answer = message({ headers: { "cap-corr-id": "asked", "cap-corr-seq": "3" } });
    assert.equal(wireHeaders(answer)["cap-corr-id"], "asked");
    assert.equal(correlationSequence(messageFromWire(wireHeaders(answer), "", NOW_MS)), 3);
  });
});

describe("a message from someone else", () => {
  it("needs only an id and a name", () => {
    const wire = { "Cap-Msg-Id": "1", "CAP-MSG-NAME": "order.placed", "cap-exception": null };
    assert.deepEqual(messageFromWire(wire, "{}", NOW_MS), {
      id: "1",
      name: "order.placed",
      headers: {},
      contentType: "application/json",
      body: "{}",
      sentAtMs: NOW_MS,
    });
  });

  it("may say null or nothing for what it does not know", () => {
    const wire = {
      "cap-msg-id": "1",
      "cap-msg-name": "a",
      "cap-callback-name": null,
      "cap-corr-id": undefined,
      "cap-senttime": null,
      "content-type": null,
    };
    const { headers, contentType, sentAtMs } = messageFromWire(wire, "", NOW_MS);
    assert.deepEqual([headers, contentType, sentAtMs], [{}, "application/json", NOW_MS]);
  });

  it("is refused without an id or a name, which it says", () => {
    for (const missing of ["cap-msg-id", "cap-msg-name"]) {
      for (const value of [undefined, null, "", true]) {
        const wire = { "cap-msg-id": "1", "cap-msg-name": "a", [missing]: value };
        assert.throws(() => messageFromWire(wire, "", NOW_MS), {
          code: "malformed_message",
          message: `Cannot read a message without header "${missing}": want one that is not empty`,
        });
      }
    }
  });

  it("is read with whole numbers, as text", () => {
    const wire = {
      "cap-msg-id": 7,
      "cap-msg-name": "a",
      "cap-corr-id": 2 ** 53 - 1,
      "cap-corr-seq": 0,
    };
    const { id, headers } = messageFromWire(wire, "", NOW_MS);
    assert.equal(id, "7");
    assert.deepEqual(headers, { "cap-corr-id": "9007199254740991", "cap-corr-seq": "0" });
  });

  it("is refused with a number that JSON readers do not keep, so that ids cannot collide", () => {
    // Two snowflakes that JSON.parse makes one number.
    const ids = [
      JSON.parse("1234567890123456781"),
      JSON.parse("1234567890123456789"),
      7.5,
      2 ** 53,
    ];
    for (const id of ids) {
      assert.throws(() => messageFromWire({ "cap-msg-id": id, "cap-msg-name": "a" }, "", NOW_MS), {
        code: "malformed_message",
        message:
          `Cannot read header "cap-msg-id": got a number that JSON does not carry exactly, want a ` +
          `safe integer; send the id as a string`,
      });
    }
    const wire = { "cap-msg-id": "1", "cap-msg-name": "a", "cap-corr-seq": 0.5 };
    assert.throws(() => messageFromWire(wire, "", NOW_MS), /send it as a string/);
  });

  it("is refused with an id or a name that cannot be kept", () => {
    const read = (id: string, name: string) => () =>
      messageFromWire({ "cap-msg-id": id, "cap-msg-name": name }, "", NOW_MS);
    assert.throws(read("x".repeat(201), "a"), { code: "invalid_id" });
    assert.throws(read("1", "a b"), { code: "invalid_name" });
    assert.throws(read("1", "order.*"), { code: "invalid_name" });
  });
});

describe("the sending time", () => {
  // The tests run in a zone that is not UTC, so a time read in the machine's zone would differ.
  const read: readonly (readonly [string, string])[] = [
    ["2025-07-01T19:44:38.123Z", "2025-07-01T19:44:38.123Z"],
    ["2025-07-01T19:44:38Z", "2025-07-01T19:44:38.000Z"],
    ["2025-07-01T19:44:38.1234567+08:00", "2025-07-01T11:44:38.123Z"],
    ["2025-07-01T19:44:38", "2025-07-01T19:44:38.000Z"],
    ["2025-07-01T19:44", "2025-07-01T19:44:00.000Z"],
    ["07/01/2025 19:44:38", "2025-07-01T19:44:38.000Z"],
  ];
  for (const [text, expected] of read) {
    it(`${text} is ${expected}`, () => assert.equal(readSentTime(text), Date.parse(expected)));
  }

  it("that cannot be read is now", () => {
    const wrong = [
      "",
      "yesterday",
      "5",
      "13/45/2025 19:44:38",
      "2025-13-01T00:00:00Z",
      "Tue Jul 01 2025 19:44:38",
      "1/7/2025 19:44:38",
      5,
    ];
    for (const text of wrong) assert.equal(readSentTime(text), null, `${text}`);
  });
});

describe("headers a caller brings", () => {
  it("are copied, in lower case, without fields of the message and what is not there", () => {
    const mine = {
      "X-Tenant": "a",
      "Cap-Msg-Id": "other",
      "CONTENT-TYPE": "text/plain",
      "cap-senttime": "then",
      "cap-msg-name": "other",
      nothing: undefined,
      nil: null,
      empty: "",
    };
    const before = structuredClone(mine);
    const kept = normalizeHeaders(Object.freeze(mine));
    assert.deepEqual(kept, { "x-tenant": "a", empty: "" });
    assert.deepEqual(mine, before);
    assert.notEqual(kept, mine);
  });

  it("carry any text, byte for byte", () => {
    const values = ["größe", "注文", "🎉", " spaced ", 'quotes " and \\', "\u0080\u00ff"];
    for (const value of values) assert.deepEqual(normalizeHeaders({ a: value }), { a: value });
  });

  it("are refused with a value that splits requests or cannot be encoded, which is not shown", () => {
    for (
      const value of [
        "secret\r\nx: y",
        "secret\n",
        "secret\u0000",
        "secret\u007f",
        "secret\ud83c",
        "\udf89",
      ]
    ) {
      assert.throws(() => normalizeHeaders({ "X-Key": value }), (error) => {
        const { code, message } = error as { code?: unknown; message: string };
        assert.equal(code, "invalid_header");
        assert.ok(message.includes('"x-key"') && !message.includes("secret"), message);
        return true;
      });
    }
  });

  it("are refused with a value that is no text", () => {
    for (const value of [5, true, {}, ["a"]]) {
      assert.throws(() => normalizeHeaders({ a: value }), { code: "invalid_header" });
    }
  });

  it("are refused with a name that is no HTTP field name", () => {
    for (const name of ["", "a b", "a:b", "a\nb", "ä", "a".repeat(129), "a/b", "(a)"]) {
      assert.throws(() => normalizeHeaders({ [name]: "x" }), { code: "invalid_header" });
    }
  });

  it("are refused when there are too many, or too long together", () => {
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`h${i}`, "x"]));
    assert.equal(Object.keys(normalizeHeaders(many(MAX_HEADERS))).length, MAX_HEADERS);
    assert.throws(() => normalizeHeaders(many(MAX_HEADERS + 1)), { code: "too_large" });

    const long = (characters: number) => ({ a: "x".repeat(characters - 1) });
    normalizeHeaders(long(MAX_HEADER_CHARACTERS));
    assert.throws(() => normalizeHeaders(long(MAX_HEADER_CHARACTERS + 1)), {
      code: "too_large",
      message: /Cannot accept 1 headers of 8193 characters: want 64 of 8192/,
    });
  });
});

describe("the correlation sequence", () => {
  it("is 0 where there is none that can be read", () => {
    const of = (sequence?: string): number =>
      correlationSequence(
        message({ headers: sequence === undefined ? {} : { "cap-corr-seq": sequence } }),
      );
    assert.equal(of("7"), 7);
    for (const text of [undefined, "", "-1", "1.5", "x", "1e99", "NaN"]) assert.equal(of(text), 0);
  });
});
