import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { memoryFence, memoryStore } from "../../../adapters/memory/mod.ts";
import { HEADER } from "../../../core/message/headers.ts";
import type { Store } from "../../../core/ports/store.ts";
import type { Fence } from "../../../core/ports/fence.ts";
import { NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { onUpstashRedis } from "../../support/redis_databases.ts";
import { skipFor } from "../../support/skip.ts";
import { onPostgres } from "../../support/two_databases.ts";
import { redisProblem } from "../../support/upstash_redis.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS, NOW, put, verified } from "./services.ts";

/** A store and a fence that no transaction covers. */
interface Databases {
  readonly store: Store;
  readonly fence: Fence;
  close(): Promise<void>;
}

const url = await postgresUrl();
const noRedis = redisProblem();

const KINDS: Readonly<Record<string, { skip: string | false; open: () => Promise<Databases> }>> = {
  memory: {
    skip: false,
    open: () =>
      Promise.resolve({
        store: memoryStore() as Store,
        fence: memoryFence(() => NOW - 1) as Fence,
        close: () => Promise.resolve(),
      }),
  },
  Postgres: {
    skip: url === null && skipFor(NO_POSTGRES),
    async open() {
      const databases = await onPostgres(url as string, url as string);
      const store = databases.newStore();
      const close = async () => {
        await store.close();
        await databases.close();
      };
      return { store, fence: databases.newFence(), close };
    },
  },
  "Upstash Redis": {
    skip: noRedis !== null && skipFor(noRedis),
    async open() {
      const { newStore, newFence, close } = await onUpstashRedis();
      return { store: newStore(), fence: newFence(), close };
    },
  },
};

const OLD_MS = NOW - DAY_MS + 10 * MINUTE_MS;
const HALF = { details: { isHalf: true } } as const;
const THEIRS = { headers: { [HEADER.participant]: "bank" } } as const;

for (const [name, { skip, open }] of Object.entries(KINDS)) {
  describe(`half messages and their fence: on ${name}`, { skip }, () => {
    let databases: Databases;
    before(async () => {
      databases = await open();
      await databases.store.ready();
      await databases.fence.ready();
    });
    after(() => databases?.close());
    beforeEach(async () => {
      // Each test finds an empty store and fence.
      const { store, fence } = databases;
      const rows = await fence.writtenBefore(NOW + DAY_MS * 9_999, null, 1_000);
      await fence.prune(rows.map(({ id }) => id));
      for (const record of await store.list({ box: "outbox", limit: 1_000 })) {
        await store.settle("outbox", [{
          key: record,
          epoch: record.epoch,
          guard: "anyone",
          from: record.state,
          patch: { ...record, state: "cancelled", expiresAtMs: 0 },
        }]);
      }
      await store.prune("outbox", NOW, 1_000);
    });
    const commit = (id: string, atMs = NOW - HOUR_MS) =>
      databases.fence.transaction((tx) => databases.fence.commit(id, atMs, tx));
    const abort = (id: string) =>
      databases.fence.check({ id, name: "order.placed", epoch: 1 }, new AbortController().signal);
    const own = () => verified([{ name: "bank", store: databases.store, fence: databases.fence }]);

    it("agree: nothing is found", async () => {
      const { store } = databases;
      for (const state of ["scheduled", "succeeded", "failed"] as const) {
        await commit(state);
        await put(store, "outbox", state, { ...HALF, state, dueAtMs: NOW });
      }
      await abort("cancelled");
      await put(store, "outbox", "cancelled", { ...HALF, state: "cancelled" });
      await put(store, "outbox", "never began", { ...HALF, state: "cancelled" });
      await commit("prepared");
      const prepared = { ...HALF, state: "prepared", dueAtMs: NOW, createdAtMs: NOW - 1 } as const;
      await put(store, "outbox", "prepared", prepared);
      await put(store, "outbox", "no half message");
      const { short, summary } = await own();
      assert.deepEqual(short, []);
      assert.deepEqual(summary.compared, { outbox: 7, inbox: 0, fence: 5 });
    });

    it("contradict each other, or one of them is gone", async () => {
      const { store } = databases;
      await commit("m-1");
      await put(store, "outbox", "m-1", { ...HALF, state: "cancelled" });
      await abort("m-2");
      await put(store, "outbox", "m-2", { ...HALF });
      await put(store, "outbox", "m-3", { ...HALF });
      await commit("m-4");
      const { short, findings } = await own();
      assert.deepEqual(short, [
        "committed_but_cancelled bank bank m-1",
        "committed_but_missing bank bank m-4",
        "confirmed_but_aborted bank bank m-2",
        "confirmed_but_not_committed bank bank m-3",
      ]);
      assert.deepEqual(findings.map(({ kind }) => kind).sort(), [
        "contradicted",
        "contradicted",
        "lost",
        "lost",
      ]);
      const missing = findings.find(({ box }) => box === "fence");
      assert.deepEqual([missing?.name, missing?.sinceMs], [null, NOW - HOUR_MS]);
      // The fence was read, not asked: it has not decided the third.
      assert.deepEqual(await databases.fence.outcomes(["m-3"]), [null]);
    });

    it("are not judged where a row or a record may be pruned", async () => {
      const { store } = databases;
      await put(store, "outbox", "m-1", { ...HALF, createdAtMs: OLD_MS });
      await put(store, "outbox", "m-2", { ...HALF, createdAtMs: OLD_MS + 1 });
      await commit("m-3", OLD_MS);
      await commit("m-4", OLD_MS + 1);
      const { short, summary } = await own();
      assert.deepEqual(short, [
        "committed_but_missing bank bank m-4",
        "confirmed_but_not_committed bank bank m-2",
      ]);
      assert.equal(summary.notJudged.pruned, 2);
    });

    it("are compared although the clock of the operation was ahead", async () => {
      await commit("m-1", NOW + 9 * MINUTE_MS);
      await commit("m-2", NOW + 11 * MINUTE_MS);
      const { short, summary } = await own();
      assert.deepEqual(short, ["committed_but_missing bank bank m-1"]);
      assert.equal(summary.compared.fence, 1);
    });

    it("of another service are compared with that service's fence", async () => {
      const { store, fence } = databases;
      await commit("m-1");
      await put(store, "outbox", "m-1", { state: "cancelled" }, THEIRS);
      await put(store, "outbox", "m-2", {}, THEIRS);
      const orders = { name: "orders", store };
      const { short } = await verified([orders, { name: "bank", fence, keeper: "orders" }]);
      assert.deepEqual(short, [
        "committed_but_cancelled orders bank m-1",
        "confirmed_but_not_committed orders bank m-2",
      ]);
      const other = await verified([orders, { name: "shop", fence, keeper: "orders" }]);
      assert.deepEqual(other.short, []);
    });
  });
}

describe("a half message that a person decided", () => {
  it("is not judged without a row, and reported against one", async () => {
    const [store, fence] = [memoryStore() as Store, memoryFence(() => NOW) as Fence];
    // The note of a decision is in a patch.
    const decide = async (id: string, state: "scheduled" | "cancelled") => {
      const half = { ...HALF, state: "in_doubt", dueAtMs: NOW } as const;
      await put(store, "outbox", id, half);
      const record = await store.find("outbox", { id, group: "" });
      assert.ok(record !== null);
      const patch = { ...record, state, note: "Decided by ann: she called" };
      const settlement = {
        key: record,
        epoch: 0,
        guard: "anyone",
        from: "in_doubt",
        patch,
      } as const;
      assert.deepEqual(await store.settle("outbox", [settlement]), [true]);
    };
    await decide("m-1", "scheduled");
    await decide("m-2", "cancelled");
    await fence.transaction((tx) => fence.commit("m-2", NOW, tx));
    const { short, findings, summary } = await verified([{ name: "bank", store, fence }]);
    assert.deepEqual(short, ["committed_but_cancelled bank bank m-2"]);
    assert.match(findings[0]?.text ?? "", /Decided by ann/);
    assert.equal(summary.notJudged.byHand, 1);
  });
});
