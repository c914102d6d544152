/**
 * Handles each of many claimed records by itself, as many at once as their groups allow.
 *
 * @module
 */
import type { StoredRecord } from "../../core/ports/record.ts";
import type { DeliveryResult } from "../../core/ports/transport.ts";
import type { Clock } from "../../core/ports/platform.ts";
import type { KeyedSemaphore, Permit } from "../async/keyed_semaphore.ts";
import { SharedTimer } from "../async/shared_timer.ts";
import type { LeaseOwner, LeaseRenewal } from "../records/lease_renewal.ts";

/** What taking turns needs. */
interface TurnParts {
  readonly settings: { readonly clock: Clock };
  readonly leases: LeaseRenewal;
  readonly semaphore: KeyedSemaphore;
}

/** Handles a record that has a place, and settles it. Never rejects. Its time limit uses the timer. */
type Handle = (
  record: StoredRecord,
  permit: Permit,
  timer: SharedTimer,
) => Promise<DeliveryResult>;

/**
 * Handles each record when it has a place among the handlers of its group. Until then it is only an entry of a list: what
 * a thousand handlers need would fill the memory for new objects again and again.
 *
 * @param ended Called with each record when it has ended, and its result.
 * @returns The results, in the order of `records`.
 */
export function eachInTurn(
  parts: TurnParts,
  records: readonly StoredRecord[],
  handle: Handle,
  ended: (record: StoredRecord, result: DeliveryResult) => void = () => {},
): Promise<DeliveryResult[]> {
  const results: DeliveryResult[] = [];
  if (records.length === 0) return Promise.resolve(results);
  const groups = new Map<string, number[]>();
  records.forEach(({ group }, i) => {
    const own = groups.get(group);
    own === undefined ? groups.set(group, [i]) : own.push(i);
  });
  return new Promise((resolve) => {
    const timer = new SharedTimer(parts.settings.clock);
    let left = records.length;
    const begin = (i: number, permit: Permit) => {
      const record = records[i] as StoredRecord;
      handle(record, permit, timer).then((result) => {
        results[i] = result;
        ended(record, result);
        left -= 1;
        if (left > 0) return;
        timer.end();
        resolve(results);
      });
    };
    for (const [group, indexes] of groups) void inTurn(parts, records, group, indexes, begin);
  });
}

/** Begins with the records of one group, each when it has a place. */
async function inTurn(
  { leases, semaphore }: TurnParts,
  records: readonly StoredRecord[],
  group: string,
  indexes: readonly number[],
  begin: (i: number, permit: Permit) => void,
): Promise<void> {
  let next = 0;
  // When another worker has claimed one of them, that is found out in its turn.
  const waiting: LeaseOwner = {
    box: "inbox",
    get records() {
      return indexes.slice(next).map((i) => records[i] as StoredRecord);
    },
    lost: () => {},
  };
  leases.keep(waiting);
  const line = semaphore.line(group, indexes.length);
  while (next < indexes.length) {
    const entering = line.next();
    const permit = entering instanceof Promise ? await entering : entering;
    begin(indexes[next++] as number, permit);
  }
  leases.release(waiting);
}
