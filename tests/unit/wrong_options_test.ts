import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { inProcessTransport, memoryStore } from "../../adapters/memory/mod.ts";
import { type BusOptions, createBus, subscribe, type SubscribeOptions } from "../../mod.ts";
import { Placed } from "../support/bus_fixture.ts";

describe("a bus that is made without what it needs", () => {
  const parts = { store: memoryStore(), transport: inProcessTransport() };

  for (const port of ["store", "transport"] as const) {
    for (const got of [undefined, null, "postgres://"]) {
      it(`says that the ${port} is ${JSON.stringify(got)}`, () => {
        const options = { ...parts, [port]: got } as unknown as BusOptions;
        assert.throws(() => createBus(options), {
          code: "invalid_option",
          message: new RegExp(
            `^Cannot make a bus with a ${port} that is ${got === null ? "null" : typeof got}: want`,
          ),
        });
      });
    }
  }
});

describe("a subscriber", () => {
  for (const group of [undefined, null, 7, "", "a b"]) {
    it(`with the group ${JSON.stringify(group)} is refused`, () => {
      const options = { group } as unknown as SubscribeOptions;
      assert.throws(() => subscribe(Placed, options, () => {}), {
        code: "invalid_option",
        message: /^Cannot use .+ as a group: want 1 to 100 letters/,
      });
    });
  }
});
