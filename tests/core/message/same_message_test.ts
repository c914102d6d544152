import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { canonicalJson } from "../../../core/message/canonical_json.ts";
import type { Message } from "../../../core/message/message.ts";
import { isSameContent, isSamePublish } from "../../../core/message/same_message.ts";

const json = (body: string | Uint8Array, contentType = "application/json") => ({
  body,
  contentType,
});
const utf8 = (text: string) => new TextEncoder().encode(text);

describe("the same body", () => {
  it("has the same bytes, whatever is said of it", () => {
    assert.ok(isSameContent(json("a", "text/plain"), json("a", "text/html; charset=utf-8")));
    assert.ok(isSameContent(json(Uint8Array.of(1, 2)), json(Uint8Array.of(1, 2))));
    assert.ok(!isSameContent(json(Uint8Array.of(1, 2)), json(Uint8Array.of(1))));
    assert.ok(!isSameContent(json("a", "text/plain"), json("b", "text/plain")));
  });

  it("is text and its UTF-8 alike", () => {
    for (const text of ["", "plain", "naïve €", "👍 and \u0000", "lone \ud800 half"]) {
      assert.ok(isSameContent(json(text, "text/plain"), json(utf8(text), "text/plain")), text);
      assert.ok(isSameContent(json(utf8(text), "text/plain"), json(text, "text/plain")), text);
      assert.ok(!isSameContent(json(`${text}.`, "text/plain"), json(utf8(text), "text/plain")));
      assert.ok(!isSameContent(json(text, "text/plain"), json(utf8(`${text}.`), "text/plain")));
    }
  });

  it("is the same JSON value, written otherwise", () => {
    const same: [string, string][] = [
      ['{"a":1,"b":[true,null]}', ' { "b" : [ true , null ] , "a" : 1 } '],
      ['"\\u0041\\/"', '"A/"'],
      ["1", "1.0"],
      ["100", "1e2"],
      ["0.001", "1E-3"],
      ["-0", "0"],
      ['{"a":1,"a":2}', '{"a":2}'],
      ["[]", "[ ]"],
      ["{}", "{ }"],
      ['"\ud800"', '"\\ud800"'],
    ];
    for (const [a, b] of same) assert.ok(isSameContent(json(a), json(b)), `${a} and ${b}`);
    assert.ok(
      isSameContent(json("[1]", "application/problem+json; charset=utf-8"), json("[ 1 ]")),
    );
  });

  it("is not another value", () => {
    const other: [string, string][] = [
      ["9007199254740993", "9007199254740992"],
      ["1e400", "1e401"],
      ["1", '"1"'],
      ["[1,2]", "[2,1]"],
      ['{"a":1}', '{"a":1,"b":null}'],
      ['{"a:1,b":2}', '{"a":1,"b":2}'],
      ['{"a":1', '{"a": 1'],
      ["1e9999999999999999", "1e9999999999999998"],
    ];
    for (const [a, b] of other) assert.ok(!isSameContent(json(a), json(b)), `${a} and ${b}`);
    assert.ok(!isSameContent(json("[1]", "text/plain"), json("[ 1 ]")));
  });

  it("is told in a time that a hostile body cannot stretch", () => {
    const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
    assert.equal(canonicalJson(deep), null);
    assert.ok(!isSameContent(json(deep), json(` ${deep}`)));
    const zeros = `1${"0".repeat(500_000)}1`;
    assert.ok(isSameContent(json(zeros), json(` ${zeros}`)));
  });

  it("is what JSON.parse finds equal, where numbers are small", () => {
    const values = [null, [1, "a", { b: [] }], { x: { y: -1.5e-7 } }, "ÿ\n", 12_300];
    for (const a of values) {
      for (const b of values) {
        const texts = [JSON.stringify(a), JSON.stringify(b, null, 2)] as const;
        assert.equal(isSameContent(json(texts[0]), json(texts[1])), a === b);
      }
    }
  });
});

describe("the same publish", () => {
  const message = (own: Partial<Message> = {}): Message => ({
    id: "a",
    name: "order.placed",
    headers: {},
    contentType: "application/json",
    body: "{}",
    sentAtMs: 1,
    ...own,
  });

  it("has the same name, body, callbacks and destination; other headers and times do not count", () => {
    const later = message({ headers: { note: "x", "cap-delaytime": "5" }, sentAtMs: 9 });
    assert.ok(isSamePublish(message(), later));
    const others: Partial<Message>[] = [
      { name: "order.other" },
      { body: "[]" },
      { headers: { "cap-callback-name": "a" } },
      { headers: { "atlast-failure-callback-name": "a" } },
      { headers: { "atlast-destination": "https://a.example/" } },
    ];
    for (const own of others) assert.ok(!isSamePublish(message(), message(own)));
  });
});
