/**
 * Reconciles the databases after a run. Every number comes from a query, none from the memory of a process.
 *
 * @module
 */
import type { SqlClient } from "@atlast/bus";
import { copyTables } from "./copy_tables.ts";
import { createChecks, LISTINGS, TOTALS } from "./checks.ts";
import type { Row } from "./table_reader.ts";
import type { OpenDatabases } from "../run_databases.ts";

/** The result of a check. */
export interface CheckResult {
  /** What holds, or should. */
  readonly claim: string;
  /** How many things it is about. */
  readonly about: number;
  /** What breaks it, in words; empty if it holds. */
  readonly broken: readonly string[];
}

/** The result of the reconciliation. */
export interface Reconciliation {
  /** Tables to show, by heading. */
  readonly listings: Readonly<Record<string, readonly Row[]>>;
  /** Every check. */
  readonly checks: Readonly<Record<string, CheckResult>>;
  /** The numbers of the closing line. */
  readonly totals: Readonly<
    Record<"orders" | "succeeded" | "compensated" | "lost" | "doubled", number>
  >;
  /** Whether every check holds. */
  readonly holds: boolean;
}

/** Reconciles the databases after a run in which `placed` orders were confirmed to customers. */
export async function reconcile(
  all: Omit<OpenDatabases, "close">,
  placed: number,
): Promise<Reconciliation> {
  const both = await copyTables(all);
  const listings: Record<string, readonly Row[]> = {};
  for (const [heading, query] of Object.entries(LISTINGS)) {
    listings[heading] = await queryRows(both, query);
  }
  const checks: Record<string, CheckResult> = {};
  for (const [key, { claim, about, broken }] of Object.entries(createChecks(placed))) {
    const [counted] = await queryRows(both, about);
    const rows = await queryRows(both, broken);
    checks[key] = {
      claim,
      about: Number(counted?.["n"]),
      broken: rows.map(({ what }) => String(what)),
    };
  }
  const [totals] = await queryRows(both, TOTALS);
  const brokenIn = (...keys: string[]) =>
    keys.reduce((sum, key) => sum + (checks[key]?.broken.length ?? 0), 0);
  return {
    listings,
    checks,
    totals: {
      orders: Number(totals?.["orders"]),
      succeeded: Number(totals?.["succeeded"]),
      compensated: Number(totals?.["compensated"]),
      lost: brokenIn("placed", "requests_lost", "replies_lost", "told"),
      doubled: brokenIn("doubled", "paid_twice"),
    },
    holds: Object.values(checks).every(({ broken }) => broken.length === 0),
  };
}

async function queryRows(client: SqlClient, query: string): Promise<Row[]> {
  const { rows } = await client.query(query);
  return rows as Row[];
}
