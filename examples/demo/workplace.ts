/**
 * Where a run's databases are.
 *
 * @module
 */
import type { SqlClient } from "@atlast/bus";
import type { DatabaseName } from "./business.ts";
import type { RedisAddress } from "./redis/backend.ts";
import type { Side } from "./side.ts";
import type { SqlAddress } from "./sql/database.ts";

/** Each database's address, of one kind. */
export type Addresses =
  | { readonly kind: "sql"; readonly at: Readonly<Record<DatabaseName, SqlAddress>> }
  | { readonly kind: "redis"; readonly at: Readonly<Record<DatabaseName, RedisAddress>> };

/** The databases of a run. */
export interface Workplace {
  /** Where it is, for people. */
  readonly place: string;
  /** Each service's database, and the bank's. */
  readonly addresses: Addresses;
  /** Whether it can be looked at after the demo's end when it is not removed. */
  readonly stays: boolean;
  /** Makes the databases, where that takes time; the services make what is in them. */
  make(): Promise<void>;
  /** Kills what keeps the databases and starts it again; not given where it is not the demo's own process. */
  readonly crash?: () => Promise<void>;
  /** Opens everything for the reconciliation. */
  open(): Promise<AllSides>;
  /** What is worth saying of them at the end, for so many orders. */
  remark(orders: number): string | null;
  /** Deletes the databases. */
  remove(): Promise<void>;
}

/** Everything side by side. */
export interface AllSides {
  /** What each database says. */
  readonly sides: Readonly<Record<DatabaseName, Side>>;
  /** A single connection of a database in SQL, whose temporary tables may be used. */
  readonly scratch: SqlClient;
  /** Closes all of it. */
  close(): Promise<void>;
}
