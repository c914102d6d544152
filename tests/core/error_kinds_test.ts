import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { runInNewContext } from "node:vm";
import { inProcessTransport, memoryStore } from "../../adapters/memory/mod.ts";
import { fromDrizzle } from "../../adapters/postgres/mod.ts";
import { unwrapped } from "../../adapters/sql/wrapped_clients.ts";
import * as own from "../../core/errors.ts";
import { failureOf } from "../../core/lifecycle/outcome.ts";
import { hasCode } from "../../core/user_code/thrown.ts";
import { createBus, defineMessage, subscribe } from "../../mod.ts";
import { fixture, Placed } from "../support/bus_fixture.ts";

/** A second copy of a module, as a package that brings its own along has it. */
async function secondCopy<Module>(path: string, _as: Module): Promise<Module> {
  return await import(new URL(`${path}?copy=2`, import.meta.url).href) as Module;
}

const other = await secondCopy("../../core/errors.ts", own);
const otherUnknown = await secondCopy(
  "../../bus/publish/outcome_unknown.ts",
  await import("../../bus/publish/outcome_unknown.ts"),
);

const KINDS: readonly [name: string, make: (from: typeof own) => unknown][] = [
  ["AtlastError", (from) => new from.AtlastError("timeout", "late")],
  ["NonRetryable", (from) => new from.NonRetryable("never")],
  ["RetryAfter", (from) => new from.RetryAfter(5_000)],
  ["ContractError", (from) => new from.ContractError("body", [{ path: "n", message: "no" }])],
  ["AnswerConflict", (from) => new from.AnswerConflict("a.b", "m")],
];

type Named = Readonly<Record<string, new (...args: never[]) => unknown>>;

describe("an error of a second copy of the library", () => {
  it("has other classes", () => {
    for (const [name] of KINDS) {
      assert.notEqual((other as unknown as Named)[name], (own as unknown as Named)[name]);
    }
  });

  for (const [name, make] of KINDS) {
    it(`is an instance of ${name} of this one, and the other way round`, () => {
      const [ours, theirs] = [own, other].map((each) => (each as unknown as Named)[name]);
      assert.ok(ours !== undefined && theirs !== undefined);
      assert.ok(make(other) instanceof ours);
      assert.ok(make(own) instanceof theirs);
      assert.ok(make(own) instanceof ours);
    });
  }

  it("is an instance of its class alone, and of those that it extends", () => {
    const theirs = new other.ContractError("body", []);
    assert.ok(theirs instanceof own.AtlastError);
    assert.ok(!(theirs instanceof own.NonRetryable));
    assert.ok(!(new other.AtlastError("timeout", "late") instanceof own.ContractError));
    assert.ok(new otherUnknown.OutcomeUnknown(["m"], null) instanceof own.AtlastError);
  });

  it("is no instance of a class that a user made", () => {
    class Mine extends own.NonRetryable {}
    assert.ok(!(new other.NonRetryable("never") instanceof Mine));
    assert.ok(!(new own.NonRetryable("never") instanceof Mine));
    assert.ok(new Mine("never") instanceof Mine);
    assert.ok(new Mine("never") instanceof other.NonRetryable);
  });

  it("is not what is no error", () => {
    for (const value of [null, undefined, 7, "NonRetryable", Symbol("s"), {}, () => {}]) {
      assert.ok(!((value as unknown) instanceof own.NonRetryable));
      assert.ok(!((value as unknown) instanceof own.AtlastError));
    }
  });

  it("means for its message what one of this copy means", () => {
    for (const [, make] of KINDS) {
      const { thrown: _ours, ...ofOurs } = failureOf(make(own)) as { thrown?: unknown };
      const { thrown: _theirs, ...ofTheirs } = failureOf(make(other)) as { thrown?: unknown };
      assert.deepEqual(ofTheirs, ofOurs);
    }
    assert.ok(hasCode(new other.AtlastError("lease_lost", "gone"), "lease_lost"));
  });
});

describe("a handler that throws an error of a second copy", () => {
  it("fails for good with NonRetryable, at the first attempt", async () => {
    const { bus, observed } = fixture([
      subscribe(Placed, { group: "g" }, () => {
        throw new other.NonRetryable("never");
      }),
    ]);
    await bus.publish(Placed, { n: 1 });
    await bus.tick();
    assert.deepEqual(observed.all("failed").map(({ attempts }) => attempts), [1]);
    await bus.stop();
  });

  it("chooses the time of the next attempt with RetryAfter", async () => {
    const { bus, observed, clock } = fixture([
      subscribe(Placed, { group: "g" }, () => {
        throw new other.RetryAfter(7_000);
      }),
    ]);
    await bus.publish(Placed, { n: 1 });
    await bus.tick();
    const [retrying] = observed.all("retrying");
    assert.equal(retrying?.dueAtMs, clock.now() + 7_000);
    await bus.stop();
  });
});

describe("what else comes from outside", () => {
  it("is known as a wrapped transaction by a second copy", async () => {
    const copy = await secondCopy("../../adapters/sql/wrapped_clients.ts", { unwrapped });
    const tx = { execute: () => Promise.resolve([]) };
    assert.equal(copy.unwrapped(fromDrizzle(tx, () => ({}))), tx);
  });

  it("is kept as bytes if it is bytes of another realm", async () => {
    const Bytes = defineMessage("some.bytes", {
      body: {
        "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value }) },
      },
    });
    const bus = createBus({ store: memoryStore(), transport: inProcessTransport() }, [
      subscribe(Bytes, { group: "g" }, () => {}),
    ]);
    const bytes = runInNewContext("new Uint8Array([1, 2, 3])");
    assert.ok(!(bytes instanceof Uint8Array));
    const { id } = await bus.publish(Bytes, bytes as never);
    const stored = await bus.store.find("outbox", { id, group: "" });
    assert.deepEqual(stored?.message.body, new Uint8Array([1, 2, 3]));
    await bus.stop();
  });
});
