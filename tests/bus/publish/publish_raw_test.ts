import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inProcessTransport } from "../../../adapters/memory/mod.ts";
import { type AtlastError, defineMessage, HEADER, subscribe } from "../../../mod.ts";
import { fixture, Placed } from "../../support/bus_fixture.ts";
import { NOW_MS } from "../../support/manual_clock.ts";

/** Anything may be sent here, and nothing is. */
const open = () => ({ transport: { ...inProcessTransport(), routes: () => true } });
const find = async ({ store }: ReturnType<typeof fixture>, id: string) => {
  const record = await store.find("outbox", { id, group: "" });
  assert.ok(record !== null);
  return record;
};
const refusedAs = (code: string, words: RegExp) => (error: AtlastError): boolean =>
  error.code === code && words.test(error.message);

describe("a message whose body is encoded already", () => {
  it("is kept byte for byte, and so is its content type", async () => {
    const all = fixture([], open());
    const bodies: [string | Uint8Array, string | undefined, string][] = [
      [`{ "n" : 1.0, "n": 2 }`, undefined, "application/json"],
      [`not json at all`, "application/json; charset=utf-8", "application/json; charset=utf-8"],
      ["", undefined, "application/json"],
      ["\ufeff<a/>", "text/xml", "text/xml"],
      [new Uint8Array([0xff, 0, 10]), undefined, "application/octet-stream"],
      [new Uint8Array([0xff]), "image/png", "image/png"],
    ];
    for (const [body, contentType, kept] of bodies) {
      const message = { name: "a.b", body, ...(contentType === undefined ? {} : { contentType }) };
      const { id, duplicate } = await all.bus.publishRaw(message);
      const { message: stored } = await find(all, id);
      assert.equal(duplicate, false);
      assert.deepEqual([stored.name, stored.body, stored.contentType], ["a.b", body, kept]);
    }
  });

  it("has its own id once, and another one with the same id is refused", async () => {
    const all = fixture([], open());
    const message = { id: "m", name: "a", body: "1" };
    const receipts = [await all.bus.publishRaw(message), await all.bus.publishRaw(message)];
    assert.deepEqual(receipts, [
      { id: "m", duplicate: false },
      { id: "m", duplicate: true, state: "scheduled", dueAtMs: NOW_MS },
    ]);
    for (const other of [{ ...message, body: "2" }, { ...message, name: "b" }]) {
      await assert.rejects(all.bus.publishRaw(other), refusedAs("id_conflict", /another message/));
    }
  });

  it("carries headers and waits as any other does", async () => {
    const all = fixture([], open());
    const headers = { [HEADER.callbackName]: "c.d", "X-Mine": "1" };
    const message = { id: "m", name: "a", headers, body: "1" };
    await all.bus.publishRaw(message, { delayMs: 500, deadlineMs: 900 });
    const record = await find(all, "m");
    assert.deepEqual(record.message.headers, {
      [HEADER.callbackName]: "c.d",
      [HEADER.delayTime]: "500",
      "x-mine": "1",
    });
    assert.deepEqual([record.dueAtMs, record.deadlineMs], [NOW_MS + 500, NOW_MS + 900]);
    assert.deepEqual(Object.keys(headers), [HEADER.callbackName, "X-Mine"]);
  });

  it("is checked against a contract where one is given, whose retry policy it has", async () => {
    const all = fixture([], open());
    const retry = { kind: "fixed", delayMs: 1, maxAttempts: 2 } as const;
    const contract = { ...Placed, retry };
    const name = Placed.name;
    await all.bus.publishRaw({ id: "m", name, body: `{ "n": 1 }` }, { contract });
    const { message, retry: kept } = await find(all, "m");
    assert.deepEqual([message.body, kept], [`{ "n": 1 }`, retry]);
    const wrong: [string | Uint8Array, RegExp][] = [
      [`{"n":"1"}`, /want number at n$/],
      [`{`, /not JSON/],
      [new Uint8Array([0x7b]), /want UTF-8/],
    ];
    const contentType = "application/json";
    for (const [body, words] of wrong) {
      const publishing = all.bus.publishRaw({ name, body, contentType }, { contract });
      await assert.rejects(publishing, refusedAs("invalid_body", words));
    }
  });

  it("is refused for what would be refused of any other", async () => {
    const { bus } = fixture([], { maxBodyBytes: 3 });
    bus.subscribe(defineMessage("a", { body: Placed.body }), { group: "g" }, () => {});
    const bad: [Parameters<typeof bus.publishRaw>[0], string, RegExp][] = [
      [{ name: "a b", body: "" }, "invalid_name", /"a b"/],
      [{ name: "a", id: "", body: "" }, "invalid_id", /0 characters/],
      [{ name: "elsewhere", body: "" }, "no_route", /no destination/],
      [{ name: "a", body: "1234" }, "too_large", /4 bytes/],
      [{ name: "a", body: "\ud800" }, "invalid_body", /well-formed/],
      [{ name: "a", body: 7 as unknown as string }, "invalid_body", /got number/],
      [{ name: "a", body: "", headers: { "x y": "1" } }, "invalid_header", /"x y"/],
      [{ name: "a", body: "", contentType: "a\r\nb: c" }, "invalid_option", /printable ASCII/],
    ];
    for (const [message, code, words] of bad) {
      await assert.rejects(bus.publishRaw(message), refusedAs(code, words), code);
    }
    await bus.stop();
    await assert.rejects(bus.publishRaw({ name: "a", body: "" }), refusedAs("stopped", /publish/));
  });

  it("goes through all that wraps a publish, and through a transaction", async () => {
    const seen: unknown[] = [];
    const all = fixture([], {
      ...open(),
      onPublish: [(draft, next) => {
        seen.push(draft.body);
        return next({
          ...draft,
          body: `${draft.body}!`,
          headers: { ...draft.headers, "x-by": "me" },
        });
      }],
    });
    await assert.rejects(all.bus.transaction(async (tx) => {
      await all.bus.publishRaw({ id: "gone", name: "a", body: "1" }, { tx });
      throw new Error("No");
    }));
    assert.equal(await all.store.find("outbox", { id: "gone", group: "" }), null);
    await all.bus.transaction((tx) =>
      all.bus.publishRaw({ id: "m", name: "a", body: "2" }, { tx })
    );
    const { message } = await find(all, "m");
    assert.deepEqual([message.body, message.headers["x-by"], seen], ["2!", "me", ["1", "2"]]);
  });

  it("reaches its subscriber", async () => {
    const seen: number[] = [];
    const all = fixture([subscribe(Placed, { group: "g" }, ({ n }) => void seen.push(n))]);
    await all.bus.publishRaw({ name: Placed.name, body: `{"n":7}` });
    await all.bus.tick();
    assert.deepEqual(seen, [7]);
  });
});
