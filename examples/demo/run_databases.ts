/**
 * The databases of a run: created before it, opened for the reconciliation, and deleted.
 *
 * @module
 */
import type { SqlClient } from "@atlast/bus";
import type { DatabaseName } from "./services/business_data.ts";
import type { RedisAddress } from "./redis/backend.ts";
import type { TableReader } from "./reconciliation/table_reader.ts";
import type { SqlAddress } from "./sql/database.ts";

/** Each database's address, of one kind. */
export type Addresses =
  | { readonly kind: "sql"; readonly at: Readonly<Record<DatabaseName, SqlAddress>> }
  | { readonly kind: "redis"; readonly at: Readonly<Record<DatabaseName, RedisAddress>> };

/** The databases of a run. */
export interface RunDatabases {
  /** Where they are, in words. */
  readonly description: string;
  /** Each service's database, and the bank's. */
  readonly addresses: Addresses;
  /** Whether they can be kept after the demo, for inspection. */
  readonly canBeKept: boolean;
  /** Creates the databases. The services create their tables. */
  create(): Promise<void>;
  /** Kills the database server and starts it again. Not given if the demo did not start it. */
  readonly crash?: () => Promise<void>;
  /** Opens all databases for the reconciliation. */
  open(): Promise<OpenDatabases>;
  /** What the provider would have billed for so many orders; null if nothing is billed. */
  describeCost(orders: number): string | null;
  /** Deletes the databases. */
  remove(): Promise<void>;
}

/** All databases, open for the reconciliation. */
export interface OpenDatabases {
  /** Reads the tables of each database. */
  readonly readers: Readonly<Record<DatabaseName, TableReader>>;
  /** One connection of a SQL database, where temporary tables may be created. */
  readonly scratch: SqlClient;
  /** Closes all of it. */
  close(): Promise<void>;
}
