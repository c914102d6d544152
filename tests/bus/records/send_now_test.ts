import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { subscribe } from "../../../mod.ts";
import { arriving, fixture, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";

const RETRY = { kind: "fixed", delayMs: 60_000, maxAttempts: 3 } as const;

describe("bus.sendNow", () => {
  it("sends a delayed message of the outbox, by its id alone too", async () => {
    for (const which of ["m", { box: "outbox", id: "m" }] as const) {
      const transport = new FakeTransport();
      const { bus, observed } = fixture([], { transport });
      await bus.publish(Placed, { n: 1 }, { id: "m", delayMs: 60_000 });
      await bus.tick();
      assert.equal(transport.messages.length, 0);
      await bus.sendNow(which);
      assert.equal(observed.all("changed", { id: "m", state: "scheduled" }).length, 1);
      await bus.tick();
      assert.equal(transport.messages.length, 1);
    }
  });

  it("has a waiting message of the inbox handled at once, and keeps its attempts and reason", async () => {
    const attempts: number[] = [];
    const { bus, store } = fixture([
      subscribe(Placed, { group: "mail" }, (_, { attempt }) => {
        attempts.push(attempt);
        if (attempt === 1) throw new Error("no");
      }),
    ], { retry: RETRY });
    await bus.deliver([arriving("m")]);
    await bus.sendNow({ box: "inbox", id: "m", group: "mail" });
    const waiting = await store.find("inbox", { id: "m", group: "mail" });
    assert.deepEqual([waiting?.attempts, waiting?.reason], [1, "Error-->no"]);
    await bus.tick();
    assert.deepEqual(attempts, [1, 2]);
  });

  it("is done at once by a running bus", async () => {
    const transport = new FakeTransport();
    const { bus, observed } = fixture([], { transport });
    await bus.start();
    await bus.publish(Placed, { n: 1 }, { id: "m", delayMs: 60_000 });
    await bus.sendNow("m");
    await observed.until("succeeded", { id: "m" });
    await bus.stop();
  });

  it("changes nothing of a message that is due", async () => {
    const { bus, store, observed } = fixture([], { transport: new FakeTransport() });
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    const before = await store.find("outbox", { id: "m", group: "" });
    await bus.sendNow("m");
    assert.deepEqual(await store.find("outbox", { id: "m", group: "" }), before);
    assert.equal(observed.all("changed").length, 0);
  });

  it("refuses what is not there, and what does not wait", async () => {
    const { bus } = fixture([], { transport: new FakeTransport() });
    await assert.rejects(bus.sendNow("m"), { code: "not_found" });
    for (const id of [7, null, undefined, 5n, []]) {
      await assert.rejects(bus.sendNow(id as never), { code: "invalid_id" });
    }
    await assert.rejects(bus.sendNow({ box: "inbox", id: "m" }), {
      code: "not_found",
      message: /want the group/,
    });
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    await bus.tick();
    await assert.rejects(bus.sendNow("m"), { code: "wrong_state", message: /it is succeeded/ });
  });
});
