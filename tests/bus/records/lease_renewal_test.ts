import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StoredRecord } from "../../../core/ports/record.ts";
import type { Lease, Store } from "../../../core/ports/store.ts";
import { newRecord, storedFromBirth } from "../../../bus/records/new_record.ts";
import { type LeaseOwner, LeaseRenewal } from "../../../bus/records/lease_renewal.ts";
import { arriving } from "../../support/bus_fixture.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";
import { quiet } from "../../support/gate.ts";

const LEASE_MS = 60_000;

/** A clock whose Unix time can be set back, beside a monotonic one that cannot. */
function setup(offMs = 0) {
  const manual = new ManualClock();
  const clock = {
    back: 0,
    now: () => manual.now() + offMs - clock.back,
    monotonic: () => manual.now(),
    after: manual.after.bind(manual),
  };
  const renewed: string[][] = [];
  const answers: boolean[] = [];
  const store = {
    renew: (_box: string, leases: readonly Lease[]) => {
      renewed.push(leases.map(({ key }) => key.id));
      return Promise.resolve(leases.map(() => answers.shift() ?? true));
    },
  } as unknown as Store;
  const leases = new LeaseRenewal(store, clock, LEASE_MS, () => {});
  const claim = (id: string): StoredRecord => {
    const { leaseUntilMs } = leases.claiming();
    // As a store keeps it, in whole milliseconds.
    const record = newRecord(arriving(id), {});
    return { ...storedFromBirth(record, "outbox", NOW_MS), leaseUntilMs: Math.ceil(leaseUntilMs) };
  };
  return { manual, clock, leases, claim, renewed, answers };
}

const ownerOf = (records: readonly StoredRecord[], lost: () => void): LeaseOwner => ({
  box: "outbox",
  records,
  lost,
});

describe("leases by the clocks of their process", () => {
  for (const offMs of [0, 0.25]) {
    it(`end by the monotonic clock, also where Unix time is set back (${offMs} ms off)`, () => {
      const { manual, clock, leases, claim } = setup(offMs);
      const record = claim("a");
      assert.ok(leases.isLeased(record));
      clock.back = LEASE_MS;
      manual.advance(LEASE_MS - 1);
      assert.ok(leases.isLeased(record));
      manual.advance(2);
      assert.ok(!leases.isLeased(record));
      // Other claims since have not made it forget that.
      for (let i = 0; i < 10; i++) claim(`b-${i}`);
      assert.ok(!leases.isLeased(record));
    });
  }

  it("end by Unix time, also where the monotonic clock stood still", () => {
    const { clock, leases, claim } = setup();
    const record = claim("a");
    clock.back = -LEASE_MS;
    assert.ok(!leases.isLeased(record));
  });

  it("hold on once they are renewed, and no more once another has them", async () => {
    const { manual, leases, claim, answers } = setup();
    const [kept, lost] = [claim("kept"), claim("lost")];
    let losses = 0;
    const owner = ownerOf([kept, lost], () => losses += 1);
    leases.keep(owner);
    answers.push(true, false);
    manual.advance(LEASE_MS / 3);
    await quiet(2);
    assert.equal(losses, 1);
    assert.deepEqual([kept, lost].map((record) => leases.isLeased(record)), [true, false]);
    manual.advance(LEASE_MS - 1);
    assert.ok(leases.isLeased(kept));
    leases.release(owner);
  });

  it("are lost to whoever works on the record when that is found out", async () => {
    const { manual, leases, claim, answers } = setup();
    const record = claim("lost");
    const losses: string[] = [];
    const waiting = ownerOf([record], () => losses.push("waiting"));
    const working = ownerOf([record], () => losses.push("working"));
    leases.keep(waiting);
    answers.push(false);
    manual.advance(LEASE_MS / 3);
    leases.keep(working);
    leases.release(waiting);
    await quiet(2);
    assert.deepEqual(losses, ["working"]);
    leases.release(working);
  });

  it("that a settlement ends are not renewed, and are no loss, until they are released", async () => {
    const { manual, leases, claim, renewed } = setup();
    const [settled, open] = [claim("settled"), claim("open")];
    const owner = ownerOf([settled, open], () => assert.fail("none was lost"));
    leases.keep(owner);
    leases.ending(settled);
    manual.advance(LEASE_MS / 3);
    await quiet(2);
    assert.deepEqual(renewed, [["open"]]);
    leases.release(owner);
    // The same object again, as where a batch is given up and each of it is handled by itself.
    const again = ownerOf([settled], () => assert.fail("it was lost"));
    leases.keep(again);
    manual.advance(LEASE_MS / 3);
    await quiet(2);
    assert.deepEqual(renewed, [["open"], ["settled"]]);
    leases.release(again);
  });
});
