/**
 * The bench's own look at the server: databases for subjects, and what a measurement cost.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import postgres from "postgres";

/** What a server has done so far. */
export interface Cost {
  /** Processor time in milliseconds; null when its processes cannot be seen. */
  readonly cpuMs: number | null;
  /** Statements in one database; null without pg_stat_statements. */
  readonly statements: number | null;
  /** Bytes of write-ahead log. */
  readonly walBytes: number | null;
}

/** Ticks of the processor's accounting in a second, the same on every Linux. */
const TICKS = 100;

/** A server with databases for the bench. */
export class Databases {
  readonly #url: string;
  readonly #pid: number | null;
  readonly #sql;

  constructor(url: string, pid: number | null) {
    this.#url = url;
    this.#pid = pid;
    this.#sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
  }

  urlOf(name: string): string {
    const url = new URL(this.#url);
    url.pathname = `/${name}`;
    return url.href;
  }

  /** A client of one database. */
  open(name: string): postgres.Sql {
    return postgres(this.urlOf(name), { max: 1, fetch_types: false, onnotice: () => {} });
  }

  async create(name: string): Promise<void> {
    await this.drop(name);
    await this.#sql.unsafe(`create database "${name}"`);
  }

  async drop(name: string): Promise<void> {
    await this.#sql.unsafe(`drop database if exists "${name}" with (force)`);
  }

  async version(): Promise<string> {
    const [row] = await this.#sql`select current_setting('server_version') as version`;
    return row?.["version"] as string;
  }

  /** Whether statements can be counted. */
  async prepare(): Promise<void> {
    await this.#sql`create extension if not exists pg_stat_statements`.catch(() => {});
  }

  /** What has been done so far; statements of one database alone. */
  async cost(name: string): Promise<Cost> {
    const [wal] = await this
      .#sql`select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 as bytes`;
    const statements = await this.#sql`
      select coalesce(sum(calls), 0)::float8 as calls from pg_stat_statements(false)
      where toplevel and dbid = (select oid from pg_database where datname = ${name})`
      .then(([row]) => row?.["calls"] as number, () => null);
    return {
      cpuMs: this.#pid === null ? null : cpuOfTree(this.#pid),
      statements,
      walBytes: wal?.["bytes"] as number,
    };
  }

  async end(): Promise<void> {
    await this.#sql.end();
  }
}

/** The processor time of a process and its children, those that ended included, in milliseconds. */
export function cpuOfTree(pid: number): number | null {
  try {
    const own = statOf(pid);
    let ticks = own.ticks + own.endedTicks;
    for (const name of readdirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      const stat = statOrNull(Number(name));
      if (stat?.parent === pid) ticks += stat.ticks;
    }
    return ticks / TICKS * 1000;
  } catch {
    // Not on Linux, or on another machine.
    return null;
  }
}

interface Stat {
  readonly parent: number;
  readonly ticks: number;
  readonly endedTicks: number;
}

function statOf(pid: number): Stat {
  // Fields are counted from the end of the name, which may hold blanks and parentheses (proc(5)).
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ").map(Number);
  const at = (place: number) => fields[place] as number;
  return { parent: at(1), ticks: at(11) + at(12), endedTicks: at(13) + at(14) };
}

function statOrNull(pid: number): Stat | null {
  try {
    return statOf(pid);
  } catch {
    return null;
  }
}
