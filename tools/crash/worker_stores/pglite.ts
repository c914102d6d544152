/**
 * A process of the crash run on a PGlite folder, which only one process at a time can open.
 *
 * @module
 */
import { openPglite, pgliteFence, pgliteStore, type PgliteTransaction } from "@atlast/bus/pglite";
import type { SqlClient } from "@atlast/bus/ports";
import { TABLES } from "../business.ts";
import type { ConfigWith, PgliteConfig } from "../protocol.ts";
import { standingOf } from "../standing.ts";
import { acknowledge, affect, pay, placing } from "./sql_business.ts";
import type { WorkerStore } from "./worker_store.ts";

/** Opens the folder, and makes the tables at the first time. */
export async function pgliteWorkerStore(
  { service, store: { folder } }: ConfigWith<PgliteConfig>,
): Promise<WorkerStore<PgliteTransaction>> {
  const db = await openPglite(folder);
  await db.transaction(async (tx) => {
    const { rows } = await tx.query("select from pg_namespace where nspname = 'shop'");
    if (rows.length > 0) return;
    for (const statement of TABLES) await tx.query(statement);
  });
  const clientOf = (tx: PgliteTransaction): SqlClient => tx;
  return {
    store: pgliteStore(db, { schema: service }),
    fence: service === "orders" ? pgliteFence(db, { schema: "ledger" }) : null,
    placements: {
      "bus.transaction": (placement) => placement.bus.transaction(placing(clientOf, placement)),
      "db.transaction": (placement) => db.transaction(placing(clientOf, placement)),
    },
    acknowledge: (messageId) => acknowledge(db, messageId),
    pay,
    affect,
    // There is one connection.
    contend: () => Promise.resolve(),
    probes: [() => db.query("select 1")],
    standing: () => standingOf(db, service),
  };
}
