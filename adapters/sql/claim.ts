/**
 * Claims records. `SqlStore.claim` calls it.
 *
 * A claim changes no indexed column, and the tables' fillfactor leaves space beside each row, so that
 * Postgres writes it as a heap-only update: no index is touched.
 *
 * @module
 */
import { ALONE_FROM_DEATH } from "../../core/lifecycle/claim_kind.ts";
import type { ClaimRequest, GroupShare } from "../../core/ports/claim_request.ts";
import type { RecordKey, StoredRecord } from "../../core/ports/record.ts";
import type { Value } from "./column_values.ts";
import { ClaimPosition } from "./claim_cursor.ts";
import { expected, limitOf } from "./index_order.ts";
import { CLAIMED_COLUMNS, recordOf } from "./row.ts";
import type { Run } from "./run.ts";
import { IS_TAKEN, ofShare, shareParams, shareTable } from "./shares.ts";
import { isStorableKey } from "./text.ts";
import { compareKeys, type Table } from "./table.ts";

/** How many workers died with it, if its lease has expired. */
const DEATHS = "crashes + (lease_until_ms is not null)::integer";
/** It has no lease, or an expired one; the first parameter is the time. */
const FREE = "(lease_until_ms is null or lease_until_ms <= $1::text::bigint)";
const READY = expected(`${DEATHS} < ${ALONE_FROM_DEATH} and ${FREE}`);
/** The first condition is that of the index of crashed records, which is nearly empty. */
const ALONE = `crashes > 0 and ${expected(`${DEATHS} >= ${ALONE_FROM_DEATH} and ${FREE}`)}`;
const COUNT_CRASH = `, crashes = ${DEATHS}`;

/** Further conditions for a due record. */
const CLAIMABLE: Readonly<Record<ClaimRequest["kind"], string>> = {
  ready: `state = 'scheduled' and ${READY}`,
  alone: `state = 'scheduled' and ${ALONE}`,
  prepared: `state = 'prepared' and ${expected(FREE)}`,
};

/** Claims records of a table. */
export class Claimer {
  readonly #table: Table;
  /** By group; under the empty string also that of claims of all groups. */
  readonly #positions = new Map<string, ClaimPosition>();

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
    const { key, kind, groups, limit } = request;
    if (key !== undefined) {
      return this.#some(run, request, oneSql(this.#table, request), keyParams(key));
    }
    if (kind !== "ready") {
      const most = kind === "alone" ? 1 : limit;
      return this.#some(run, request, firstSql(this.#table, request), [most]);
    }
    return groups === undefined ? this.#ready(run, request) : this.#readyOf(run, request, groups);
  }

  async #some(
    run: Run,
    request: ClaimRequest,
    text: string,
    own: readonly Value[],
  ): Promise<StoredRecord[]> {
    const { groups, limit } = request;
    return await this.#read(run, request, text, [
      ...own,
      ...groups === undefined ? [] : shareParams(groups, limit),
    ]);
  }

  async #ready(run: Run, request: ClaimRequest): Promise<StoredRecord[]> {
    const { nowMs, limit } = request;
    const position = this.#position("");
    const from = (fromMs: number, rest: number) =>
      this.#read(run, request, readySql(this.#table), [rest, fromMs]);
    const fromMs = position.start(nowMs);
    const ahead = await from(fromMs, limit);
    const found = ahead.length < limit && fromMs > 0
      ? [...ahead, ...await from(0, limit - ahead.length)]
      : ahead;
    position.claimed(ahead, limit);
    return found;
  }

  /** The same for groups, each from its own position. */
  async #readyOf(
    run: Run,
    request: ClaimRequest,
    groups: readonly GroupShare[],
  ): Promise<StoredRecord[]> {
    const starts = new Map(
      groups.map(({ group }) => [group, this.#position(group).start(request.nowMs)]),
    );
    const from = (shares: readonly GroupShare[], fromMs: (group: string) => number) =>
      this.#read(run, request, readyOfSql(this.#table), shareParams(shares, 0, fromMs));
    const wanted = groups.map((share) => ({ ...share, limit: share.limit ?? request.limit }));
    const ahead = await from(wanted, (group) => starts.get(group) ?? 0);
    const rest = wanted.flatMap((share) => {
      const own = ahead.filter(({ group }) => group === share.group);
      this.#position(share.group).claimed(own, share.limit);
      const left = share.limit - own.length;
      return left > 0 && starts.get(share.group) !== 0 ? [{ ...share, limit: left }] : [];
    });
    return rest.length === 0 ? ahead : [...ahead, ...await from(rest, () => 0)];
  }

  async #read(
    run: Run,
    { nowMs, leaseUntilMs }: ClaimRequest,
    text: string,
    params: readonly Value[],
  ): Promise<StoredRecord[]> {
    const untilMs = Math.ceil(leaseUntilMs);
    const rows = await run(text, [Math.ceil(nowMs), untilMs, ...params]);
    return rows.map((row) => recordOf(this.#table.box, row, untilMs));
  }

  #position(group: string): ClaimPosition {
    let position = this.#positions.get(group);
    if (position === undefined) this.#positions.set(group, position = new ClaimPosition());
    return position;
  }
}

function keyParams({ id, group }: RecordKey): Value[] {
  return [id, group];
}

/** Parameters: now, lease until, id, group, then those of the groups. */
function oneSql(table: Table, { kind, groups }: ClaimRequest): string {
  return claimSql(
    table,
    kind,
    `${withShares(groups, 5)}select ctid from ${table.name}
    where id = $3::text and subscriber_group = $4::text and due_at_ms <= $1::text::bigint
      and ${CLAIMABLE[kind]}${andInShare(groups)}
    for update skip locked`,
  );
}

/** Parameters: now, lease until, limit, due from. */
function readySql(table: Table): string {
  return claimSql(
    table,
    "ready",
    `select ctid from ${table.name}
    where ${CLAIMABLE.ready} and due_at_ms <= $1::text::bigint and due_at_ms >= $4::text::bigint
    order by due_at_ms
    ${limitOf("$3")}
    for update skip locked`,
  );
}

/** Parameters: now, lease until, then those of the groups. */
function readyOfSql(table: Table): string {
  return claimSql(
    table,
    "ready",
    `with ${shareTable(3)}
    select due.place from share, lateral (
      select ctid as place from ${table.name}
      where ${CLAIMABLE.ready} and due_at_ms <= $1::text::bigint and due_at_ms >= share.from_ms
        and ${ofShare(table)}
      order by due_at_ms
      limit share.most
      for update skip locked
    ) as due`,
  );
}

/** Parameters: now, lease until, limit, then those of the groups. */
function firstSql(table: Table, { kind, groups }: ClaimRequest): string {
  return claimSql(
    table,
    kind,
    `${withShares(groups, 4)}select ctid from ${table.name}
    where ${CLAIMABLE[kind]} and due_at_ms <= $1::text::bigint${andInShare(groups)}
    order by due_at_ms
    ${limitOf("$3")}
    for update skip locked`,
  );
}

function withShares(groups: ClaimRequest["groups"], first: number): string {
  return groups === undefined ? "" : `with ${shareTable(first)}\n    `;
}

function andInShare(groups: ClaimRequest["groups"]): string {
  if (groups === undefined) return "";
  return ` and exists (
        select from share where subscriber_group = share.group_name and ${IS_TAKEN}
      )`;
}

/** By `ctid`, because the rows were just found and locked, and a second lookup by key costs more. */
function claimSql(table: Table, kind: ClaimRequest["kind"], rows: string): string {
  return `update ${table.name}
set lease_until_ms = $2::text::bigint, epoch = epoch + 1${kind === "prepared" ? "" : COUNT_CRASH}
where ctid = any(array(
    ${rows}
  ))
returning ${CLAIMED_COLUMNS}`;
}
