/**
 * A PgBouncer in transaction mode before the test server.
 *
 * @module
 */
import process from "node:process";
import { hasPgBouncer, type Pooler, startPgBouncer } from "../../tools/pgbouncer_server.ts";
import { NO_POSTGRES, postgresUrl } from "./postgres.ts";

/** Where the pooler and its server are. */
export interface PoolerRoom {
  /** The address through the pooler. */
  readonly pooled: string;
  /** The address of the server itself. */
  readonly direct: string;
}

/** Why a suite with a pooler cannot run here; null when it can. With `CI=true` that is an error. */
export async function noPooler(): Promise<string | null> {
  if (await postgresUrl() === null) return NO_POSTGRES;
  if (hasPgBouncer()) return null;
  const reason = "no pgbouncer on this machine: this suite is skipped";
  if (process.env["CI"] === "true") throw new Error(reason);
  return reason;
}

/** Runs a test with a pooler of its own. */
export async function withPooler(test: (room: PoolerRoom) => Promise<void>): Promise<void> {
  const direct = await postgresUrl() as string;
  const { port, pathname } = new URL(direct);
  const pooler: Pooler = await startPgBouncer(Number(port || 5432));
  try {
    await test({ direct, pooled: `postgres://postgres@127.0.0.1:${pooler.port}${pathname}` });
  } finally {
    await pooler.stop();
  }
}
