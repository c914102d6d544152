import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { PGlite } from "@electric-sql/pglite";
import type { FindingProblem } from "../../../bus/verify/mod.ts";
import { TABLES } from "../../../tools/crash/business.ts";
import { addRows, createRecordTables } from "../../../tools/crash/copy_tables.ts";
import { judgeFailovers } from "../../../tools/crash/failover_judge.ts";
import type { LostRow } from "../../../tools/crash/lost_rows.ts";
import { reconcile } from "../../../tools/crash/reconcile.ts";

/** A message from the outbox of orders with all that belongs to it: an audit, which has no reply. */
const AUDIT = { id: "m1", subscriber_group: "", name: "stock.audit", state: "succeeded" };
const BODY = JSON.stringify({ orderId: "o1" });
const GROUP = { ...AUDIT, subscriber_group: "audit" };
/** A half message. */
const SHIP = { ...AUDIT, id: "m2", name: "stock.ship" };

interface Story {
  readonly name: string;
  readonly outbox?: readonly object[];
  readonly inbox?: readonly object[];
  readonly effects?: readonly string[];
  /** The fence's row of the half message. */
  readonly fence?: "committed" | "aborted";
  readonly lost: readonly LostRow[];
  /** What `verify` says of which message. */
  readonly named: Partial<Record<FindingProblem, string>>;
  /** What is wrong with that; none if it is as it should be. */
  readonly violations: readonly RegExp[];
}

const lostRow = (table: string, id: string): LostRow => ({ table, id, orderId: "o1" });
const NOTHING = { lost: [], named: {}, violations: [] };

const STORIES: readonly Story[] = [
  {
    name: "nothing was lost",
    ...NOTHING,
    outbox: [AUDIT],
    inbox: [GROUP],
    effects: ["m1"],
  },
  {
    name: "a received message was lost, and verify names it",
    outbox: [AUDIT],
    lost: [lostRow("stock.inbox", "m1")],
    named: { not_received: "m1" },
    violations: [],
  },
  {
    name: "a received message was lost, and verify does not name it",
    outbox: [AUDIT],
    lost: [lostRow("stock.inbox", "m1")],
    named: {},
    violations: [/verify names: without 1 .*not_received.*m1/],
  },
  {
    name: "a received message is missing that no standby lost",
    outbox: [AUDIT],
    lost: [],
    named: { not_received: "m1" },
    violations: [/verify names: 1 that are not .*not_received.*m1/, /without their effect: 1 .*m1/],
  },
  {
    name: "an effect is missing of a message that came back",
    outbox: [AUDIT],
    inbox: [GROUP],
    lost: [lostRow("stock.inbox", "m1"), lostRow("warehouse.audits", "m1")],
    named: {},
    violations: [/without their effect: 1 .*m1/],
  },
  {
    name: "a lost message came back",
    outbox: [AUDIT],
    inbox: [GROUP],
    effects: ["m1"],
    lost: [lostRow("stock.inbox", "m1"), lostRow("warehouse.audits", "m1")],
    named: {},
    violations: [],
  },
  {
    name: "a published message was lost that the other service has",
    inbox: [GROUP],
    effects: ["m1"],
    lost: [lostRow("orders.outbox", "m1")],
    named: { not_in_outbox: "m1" },
    violations: [],
  },
  {
    name: "a published message was lost that nobody else has",
    lost: [lostRow("orders.outbox", "m1")],
    named: {},
    violations: [],
  },
  {
    name: "an operation was lost whose message was received",
    outbox: [{ ...SHIP, state: "cancelled" }],
    inbox: [{ ...SHIP, subscriber_group: "shipping" }],
    fence: "aborted",
    lost: [lostRow("ledger.fence", "m2"), lostRow("ledger.payments", "o1")],
    named: { cancelled_but_received: "m2" },
    violations: [],
  },
  {
    name: "a message was cancelled and received, and nothing was lost",
    outbox: [{ ...SHIP, state: "cancelled" }],
    inbox: [{ ...SHIP, subscriber_group: "shipping" }],
    fence: "aborted",
    lost: [],
    named: { cancelled_but_received: "m2" },
    violations: [/verify names: 1 that are not cancelled_but_received.*m2/],
  },
  {
    name: "a half message was lost before its operation committed elsewhere",
    fence: "committed",
    lost: [lostRow("orders.outbox", "m2")],
    named: { committed_but_missing: "m2" },
    violations: [],
  },
];

describe("the judge of the failovers of a crash run", () => {
  let db: PGlite;
  before(async () => {
    db = new PGlite();
    for (const statement of TABLES) await db.query(statement);
    for (const service of ["orders", "stock"] as const) await createRecordTables(db, service);
    await db.query("create table ledger.fence (message_id text, outcome text)");
  });
  after(() => db?.close());

  for (
    const { name, outbox = [], inbox = [], effects = [], fence, lost, named, violations } of STORIES
  ) {
    it(`${violations.length === 0 ? "accepts" : "finds"} that ${name}`, async () => {
      await db.transaction(async (tx) => {
        const records = (all: readonly object[]) => all.map((each) => ({ ...each, body: BODY }));
        await addRows(tx, "orders.outbox", records(outbox));
        await addRows(tx, "stock.inbox", records(inbox));
        const rows = effects.map((id) => ({ order_id: "o1", message_id: id }));
        await addRows(tx, "warehouse.audits", rows);
        if (fence !== undefined) {
          await tx.query("insert into ledger.fence values ('m2', $1)", [fence]);
        }
        await reconcile(tx, lost);
        const sets = Object.entries(named).map(([problem, id]) =>
          [problem as FindingProblem, new Set([id])] as const
        );
        const found = await judgeFailovers(tx, new Map(sets));
        assert.equal(found.length, violations.length, found.join("\n"));
        for (const [i, violation] of violations.entries()) {
          assert.match(found[i] as string, violation);
        }
        await tx.rollback();
      });
    });
  }
});
