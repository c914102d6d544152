import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { subscribe } from "../../../mod.ts";
import type { PullRequest, PullResult } from "../../../core/ports/pull.ts";
import type { Receiver } from "../../../core/ports/transport.ts";
import { arriving, fixture, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";

describe("bus: stopping during a long poll", () => {
  it("aborts the pull at once, and refuses what it delivers later", async () => {
    const pulling = Promise.withResolvers<{ request: PullRequest; deliver: Receiver["deliver"] }>();
    const transport = Object.assign(new FakeTransport(), {
      pull(request: PullRequest, deliver: Receiver["deliver"]): Promise<PullResult> {
        pulling.resolve({ request, deliver });
        // A transport that ignores the signal.
        return new Promise(() => {});
      },
    });
    const { bus, store, observed } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      transport,
    });
    await bus.start();
    const { request, deliver } = await pulling.promise;
    await bus.stop();
    assert.equal(request.signal.aborted, true);
    const [result] = await deliver([arriving("late")]);
    assert.deepEqual(result, { kind: "refused", reason: "The bus is stopping", code: "stopping" });
    assert.equal(await store.find("inbox", { id: "late", group: "g" }), null);
    assert.deepEqual(observed.all("error"), []);
  });
});
