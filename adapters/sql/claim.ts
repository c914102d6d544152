/**
 * Claims records. `SqlStore.claim` calls it.
 *
 * A claim changes no indexed column, and the tables' fillfactor leaves space beside each row, so that
 * Postgres writes it as a heap-only update: no index is touched.
 *
 * @module
 */
import type { ClaimRequest } from "../../core/ports/store.ts";
import type { RecordKey, StoredRecord } from "../../core/ports/record.ts";
import { textLiteral } from "./array_param.ts";
import type { Value } from "./column_values.ts";
import { ClaimPosition } from "./claim_cursor.ts";
import { andGroupIn, expected, limitOf } from "./index_order.ts";
import { READ_COLUMNS, recordOf } from "./row.ts";
import type { Run } from "./run.ts";
import { isStorableKey } from "./text.ts";
import { compareKeys, type Table } from "./table.ts";
import { UNHURRIED } from "./async_commit.ts";

/** How many of the earliest due records are searched for expired leases. */
const EXPIRED_WINDOW = 1_000;

/** How often all due records are searched, in milliseconds. */
const EXPIRED_FULL_SCAN_MS = 10_000;

/** It has no lease, and no worker died with it. */
const UNTOUCHED = expected("lease_until_ms is null and crashes = 0");
/** It has no lease, or an expired one; the first parameter is the time. */
const FREE = expected("lease_until_ms is null or lease_until_ms <= $1::text::bigint");
/** A worker died with it, now or before. */
const EXPIRED = expected("coalesce(lease_until_ms <= $1::text::bigint, crashes > 0)");
const COUNT_CRASH = ", crashes = crashes + case when lease_until_ms is null then 0 else 1 end";

/** Further conditions for a due record. */
const CLAIMABLE: Readonly<Record<ClaimRequest["kind"], string>> = {
  ready: `state = 'scheduled' and ${UNTOUCHED}`,
  expired: `state = 'scheduled' and ${EXPIRED}`,
  prepared: `state = 'prepared' and ${FREE}`,
};

/** How many expired leases one claim considers, so that several concurrent claimers find one each. */
const EXPIRED_CANDIDATES = 16;

/** Claims records of a table. */
export class Claimer {
  readonly #table: Table;
  readonly #positions = new Map<string, ClaimPosition>();
  readonly #fullScansAtMs = new Map<string, number>();

  constructor(table: Table) {
    this.#table = table;
  }

  /** See `Store.claim`. */
  async claim(run: Run, request: ClaimRequest): Promise<StoredRecord[]> {
    const { limit, groups, key } = request;
    if (limit <= 0 || groups?.length === 0) return [];
    if (key !== undefined && !isStorableKey(key)) return [];
    const records = await this.#claim(run, request);
    // RETURNING guarantees no order.
    return records.sort((a, b) => a.dueAtMs - b.dueAtMs || compareKeys(a, b));
  }

  #claim(run: Run, request: ClaimRequest): Promise<StoredRecord[]> {
    if (request.key !== undefined) return this.#one(run, request, request.key);
    switch (request.kind) {
      case "ready":
        return this.#ready(run, request);
      case "expired":
        return this.#expired(run, request);
      case "prepared":
        return this.#prepared(run, request);
    }
  }

  async #one(run: Run, request: ClaimRequest, { id, group }: RecordKey): Promise<StoredRecord[]> {
    const { nowMs, leaseUntilMs } = request;
    const params = [Math.ceil(nowMs), Math.ceil(leaseUntilMs), id, group];
    return await this.#read(run, oneSql(this.#table, request), params, request);
  }

  async #prepared(run: Run, request: ClaimRequest): Promise<StoredRecord[]> {
    const { nowMs, leaseUntilMs, limit } = request;
    const params = [Math.ceil(nowMs), Math.ceil(leaseUntilMs), limit];
    return await this.#read(run, preparedSql(this.#table, request), params, request);
  }

  async #ready(run: Run, request: ClaimRequest): Promise<StoredRecord[]> {
    const { nowMs, leaseUntilMs, limit } = request;
    const position = this.#position(request);
    const from = async (fromMs: number, rest: number) => {
      const params = [Math.ceil(nowMs), Math.ceil(leaseUntilMs), rest, fromMs];
      return await this.#read(run, readySql(this.#table, request), params, request);
    };
    const fromMs = position.start(nowMs);
    const ahead = await from(fromMs, limit);
    const found = ahead.length < limit && fromMs > 0
      ? [...ahead, ...await from(0, limit - ahead.length)]
      : ahead;
    position.claimed(ahead, limit);
    return found;
  }

  /**
   * Leases are in no index, because claims would then not be heap-only updates. So expired leases are found
   * by a search. Claims are in order of due time, so an expired lease is nearly always among the earliest due
   * records. Each claim searches only there, because with a large backlog a full search would read all of it.
   */
  async #expired(run: Run, request: ClaimRequest): Promise<StoredRecord[]> {
    const { nowMs, leaseUntilMs } = request;
    const claim = async (window: number | null) => {
      const params = [Math.ceil(nowMs), Math.ceil(leaseUntilMs), window];
      return await this.#read(run, expiredSql(this.#table, request), params, request);
    };
    const scope = scopeOf(request);
    const sinceMs = nowMs - (this.#fullScansAtMs.get(scope) ?? -Infinity);
    if (sinceMs >= 0 && sinceMs < EXPIRED_FULL_SCAN_MS) return await claim(EXPIRED_WINDOW);
    this.#fullScansAtMs.set(scope, nowMs);
    return await claim(null);
  }

  async #read(
    run: Run,
    text: string,
    params: readonly Value[],
    { groups }: ClaimRequest,
  ): Promise<StoredRecord[]> {
    const all = groups === undefined ? params : [...params, textLiteral(groups)];
    return (await run(text, all)).map((row) => recordOf(this.#table.box, row));
  }

  #position(request: ClaimRequest): ClaimPosition {
    const scope = scopeOf(request);
    let position = this.#positions.get(scope);
    if (position === undefined) this.#positions.set(scope, position = new ClaimPosition());
    return position;
  }
}

/** Parameters: now, lease until, id, group, groups. */
function oneSql(table: Table, { kind, groups }: ClaimRequest): string {
  return claimSql(
    table,
    `select ctid from ${table.name}
    where id = $3::text and subscriber_group = $4::text and due_at_ms <= $1::text::bigint
      and ${CLAIMABLE[kind]}${andGroupIn(groups, 5)}
    for update skip locked`,
    kind === "expired" ? COUNT_CRASH : "",
  );
}

/** Parameters: now, lease until, limit, due from, groups. */
function readySql(table: Table, { groups }: ClaimRequest): string {
  return claimSql(
    table,
    `select ctid from ${table.name}
    where state = 'scheduled' and due_at_ms <= $1::text::bigint and due_at_ms >= $4::text::bigint
      and ${UNTOUCHED}${andGroupIn(groups, 5)}
    order by due_at_ms
    ${limitOf("$3")}
    for update skip locked`,
    "",
  );
}

/** Parameters: now, lease until, limit, groups. */
function preparedSql(table: Table, { groups }: ClaimRequest): string {
  return claimSql(
    table,
    `select ctid from ${table.name}
    where state = 'prepared' and due_at_ms <= $1::text::bigint
      and ${FREE}${andGroupIn(groups, 4)}
    order by due_at_ms
    ${limitOf("$3")}
    for update skip locked`,
    "",
  );
}

/** Parameters: now, lease until, window, groups. */
function expiredSql(table: Table, { groups }: ClaimRequest): string {
  const due = `state = 'scheduled' and due_at_ms <= $1::text::bigint`;
  return claimSql(
    table,
    `select ctid from ${table.name}
    where ctid = any(array(
        select place from (
          select ctid as place, due_at_ms, lease_until_ms, crashes from ${table.name}
          where ${due} and ${FREE}${andGroupIn(groups, 4)}
          order by due_at_ms
          ${limitOf("$3")}
        ) as earliest
        where ${EXPIRED}
        order by due_at_ms
        limit ${EXPIRED_CANDIDATES}
      )) and ${due} and ${EXPIRED}
    order by due_at_ms
    limit 1
    for update skip locked`,
    COUNT_CRASH,
  );
}

/** By `ctid`, because the rows were just found and locked, and a second lookup by key costs more. */
function claimSql(table: Table, partitions: string, alsoSet: string): string {
  return `update ${table.name}
set lease_until_ms = $2::text::bigint, epoch = epoch + 1${alsoSet}
where ctid = any(array(
    ${partitions}
  )) and ${UNHURRIED}
returning ${READ_COLUMNS}`;
}

/** Claims of other groups have a cursor of their own. */
function scopeOf({ groups }: ClaimRequest): string {
  return groups === undefined ? "" : textLiteral(groups);
}
