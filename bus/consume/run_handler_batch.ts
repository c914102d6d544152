/**
 * Batch handling: many messages of a subscriber in one transaction.
 *
 * The handlers run one after another. Their writes, settlements and replies commit together. If one of them
 * fails, the transaction rolls back and each message is handled alone.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import { answerConflict } from "../publish/callback_records.ts";
import { type Handled, type HandlerRun, runHandler } from "./run_handler.ts";
import type { StoredHandlers } from "./handler_transaction.ts";
import { decodeBodySoon } from "../publish/body_codec.ts";
import type { OwnTransaction } from "../publish/joined_transactions.ts";
import { settlementOf } from "../records/decision.ts";
import type { Settings } from "../settings/settings.ts";
import { TurnLimit } from "../async/deadline.ts";

/** What batch handling needs. */
interface BatchParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly handlers: StoredHandlers<Tx>;
}

/** Thrown to roll back a transaction when another worker has, or may have, claimed some of its messages. */
class NotAllOurs extends Error {}

/**
 * Runs an attempt for each message in one transaction.
 *
 * @param signal Aborts when a claim is lost or the bus stops.
 * @returns The results, in the order of `runs`; null when the transaction was rolled back.
 */
export async function attemptBatch<Tx>(
  parts: BatchParts<Tx>,
  runs: readonly HandlerRun<Tx, StoredRecord>[],
  signal: AbortSignal,
): Promise<Handled[] | null> {
  const { settings: { clock }, handlers } = parts;
  const prepared = handlers.prepare();
  if (prepared !== null) await prepared;
  const limit = new TurnLimit(
    clock,
    signal,
    () => new AtlastError("timeout", "A handler did not finish in its time"),
  );
  try {
    return await handlers.publisher.transaction((own) =>
      limit.race(() => inOneTransaction(parts, runs, own, limit))
    );
  } catch {
    // Each message is now handled alone, which shows the failing one.
    return null;
  } finally {
    limit.end();
  }
}

async function inOneTransaction<Tx>(
  { settings, handlers }: BatchParts<Tx>,
  runs: readonly HandlerRun<Tx, StoredRecord>[],
  own: OwnTransaction<Tx>,
  limit: TurnLimit,
): Promise<Handled[]> {
  const { store, clock, handlerTimeoutMs } = settings;
  // As in SQL, everything in one transaction has the same time.
  const nowMs = clock.now();
  const done: ReturnType<typeof handlers.decide>[] = [];
  // One after another: the locks of a transaction would not isolate two concurrent handlers in it.
  const { tx } = own;
  await own.during(async () => {
    for (const run of runs) {
      const { record: { message }, subscriber } = run;
      limit.begin(subscriber.timeoutMs ?? handlerTimeoutMs);
      handlers.check(run);
      const read = decodeBodySoon(subscriber.body, message);
      const body = read instanceof Promise ? await read : read;
      // Waiting for the transaction or for an earlier handler may have outlasted the lease.
      if (!handlers.isLeased(run)) throw new NotAllOurs();
      const handled = await runHandler(handlers, run, body, own, limit);
      done.push(handlers.decide(run, handled, nowMs));
      limit.signal.throwIfAborted();
    }
  });
  const answers = done.map(({ answer }) => answer).filter((answer) => answer !== null);
  const [applied, added] = await Promise.all([
    store.settle("inbox", done.map(({ decision }) => settlementOf(decision)), tx),
    answers.length === 0 ? [] : store.add("outbox", answers, clock.now(), tx),
  ]);
  const isKept = applied.length === done.length && applied.every((one) => one === true);
  if (!isKept) throw new NotAllOurs();
  // The message is then handled alone, and its attempt reports the conflict.
  if (answers.some((answer, i) => answerConflict(answer, added[i]) !== null)) {
    throw new NotAllOurs();
  }
  let next = 0;
  return done.map((handled) =>
    handled.answer === null || added[next++]?.added ? handled : { ...handled, answer: null }
  );
}

/** How many records, from the front of a queue, go into one transaction; at least one. */
export function batchFrom(
  records: readonly StoredRecord[],
  mostOf: (record: StoredRecord) => number,
): number {
  const [first] = records;
  if (first === undefined) return 0;
  const most = mostOf(first);
  let count = 1;
  while (count < most && count < records.length) {
    const next = records[count] as StoredRecord;
    if (next.group !== first.group || count >= mostOf(next)) break;
    count += 1;
  }
  return count;
}

/**
 * Divides records into batches for one transaction each; `sizeOf` returns how many from the front
 * form one.
 */
export function batchesOf(
  records: readonly StoredRecord[],
  sizeOf: (waiting: readonly StoredRecord[]) => number,
): StoredRecord[][] {
  const groups = new Map<string, StoredRecord[]>();
  for (const record of records) {
    const own = groups.get(record.group);
    own === undefined ? groups.set(record.group, [record]) : own.push(record);
  }
  const batches: StoredRecord[][] = [];
  for (const waiting of groups.values()) {
    while (waiting.length > 0) batches.push(waiting.splice(0, sizeOf(waiting)));
  }
  return batches;
}
