import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newRecord } from "../../../bus/records/new_record.ts";
import { arriving } from "../../support/bus_fixture.ts";
import { NOW_MS } from "../../support/manual_clock.ts";
import { Database } from "./database.ts";

const KEY = { id: "m", group: "g" };

/** A database with a record in its inbox. */
async function withRecord(expiresAtMs: number | null = null) {
  const changes: string[] = [];
  const time = { nowMs: NOW_MS };
  const database = new Database(() => time.nowMs, (_box, kind) => void changes.push(kind));
  const { store } = database;
  const record = newRecord(arriving("m"), { group: "g", dueAtMs: NOW_MS });
  const state = expiresAtMs === null ? "scheduled" : "failed";
  await store.add("inbox", [{ ...record, state, expiresAtMs }], NOW_MS);
  const claim = async () => {
    const leaseUntilMs = NOW_MS + 1_000;
    await store.claim({ box: "inbox", kind: "ready", limit: 1, nowMs: NOW_MS, leaseUntilMs });
  };
  const renew = async () => {
    await store.renew("inbox", [{ key: KEY, epoch: 1 }], NOW_MS + 5_000);
  };
  const find = async () => await store.find("inbox", KEY);
  return { database, store, changes, time, claim, renew, find };
}

describe("simulation: a database that crashes", () => {
  it("loses a renewal that was not synced, and not its claim", async () => {
    const { database, changes, claim, renew, find } = await withRecord();
    await claim();
    await renew();
    database.crash(0, 0);
    const { epoch, leaseUntilMs } = await find() ?? {};
    assert.deepEqual([epoch, leaseUntilMs], [1, NOW_MS + 1_000]);
    assert.deepEqual(changes, ["added", "claimed", "renewed", "restored"]);
  });

  it("brings back what pruning deleted", async () => {
    const { database, store, find } = await withRecord(NOW_MS - 1);
    assert.equal(await store.prune("inbox", NOW_MS, 10), 1);
    database.crash(0, 0);
    assert.equal((await find())?.state, "failed");
  });

  it("keeps a renewal before a write that waited for the disk, and one of some time ago", async () => {
    for (const isLater of [false, true]) {
      const { database, store, time, claim, renew, find } = await withRecord();
      await claim();
      await renew();
      if (isLater) time.nowMs += 1_000;
      else await store.add("inbox", [newRecord(arriving("n"), { dueAtMs: NOW_MS })], NOW_MS);
      database.crash(0, 0);
      assert.equal((await find())?.leaseUntilMs, NOW_MS + 5_000);
    }
  });

  it("does not answer while it is down, nor on a connection that the crash has closed", async () => {
    const { database, time } = await withRecord();
    database.crash(0, 500);
    assert.throws(() => database.mustAnswer(), /starting up/);
    time.nowMs += 500;
    database.mustAnswer();
    assert.throws(() => database.mustAnswer(0), /closed the connection/);
  });
});
