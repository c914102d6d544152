import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BATCH_CONTENT_TYPE, batchItem, batchOf } from "../../../core/wire/wire.ts";
import { createApp, verifyBearer } from "../../../edge/mod.ts";
import { defineMessage, subscribe } from "../../../mod.ts";
import { arriving, fixture } from "../../support/bus_fixture.ts";
import * as z from "zod";

const TOKEN = "0123456789abcdef";
const Note = defineMessage("note", { body: z.string() });

describe("a body over the limit of the bus", () => {
  const note = (id: string, body: string) =>
    arriving(id, { name: Note.name, contentType: "text/plain", body });

  function receiving() {
    const handled: string[] = [];
    const parts = fixture([
      subscribe(Note, { group: "g" }, (body) => {
        handled.push(body);
      }),
    ], { maxBodyBytes: 4 });
    const app = createApp(parts.bus, { verify: verifyBearer(TOKEN) });
    const post = (contentType: string, body: string, headers: Record<string, string> = {}) =>
      app.request("/deliver", {
        method: "POST",
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": contentType, ...headers },
        body,
      });
    return { ...parts, handled, post };
  }

  it("is rejected for good, and not stored", async () => {
    const { bus, handled, store } = receiving();
    const notes = [note("m-1", "four"), note("m-2", "fives"), note("m-3", "äöü")];
    const results = await bus.deliver(notes);
    assert.deepEqual(results.map(({ kind }) => kind), ["handled", "rejected", "rejected"]);
    assert.deepEqual(results.slice(1).map((each) => "code" in each && each.code), [
      "too_large",
      "too_large",
    ]);
    assert.deepEqual(handled, ["four"]);
    assert.equal(await store.find("inbox", { id: "m-2", group: "g" }), null);
    await bus.stop();
  });

  it("is answered as final, in both forms of a delivery", async () => {
    const { bus, handled, post } = receiving();
    const items = [note("m-1", "four"), note("m-2", "fives")].map(batchItem);
    const batch = await (await post(BATCH_CONTENT_TYPE, batchOf(items))).json();
    const { reason, ...result } = batch.results[1];
    assert.deepEqual(result, { id: "m-2", status: "rejected", code: "too_large" });
    assert.match(reason, /5 bytes: want 4 at most/);
    const headers = { "cap-msg-id": "m-3", "cap-msg-name": Note.name };
    const single = await post("text/plain", "fives", headers);
    const { error } = await single.json();
    assert.deepEqual([single.status, error.code, error.final], [413, "too_large", true]);
    assert.deepEqual(handled, ["four"]);
    await bus.stop();
  });
});
