/**
 * Many messages handled in one transaction, for subscribers that allow it.
 *
 * Their handlers run one after another, and their writes, marks and replies commit together. When one
 * of them fails, nothing of the transaction is kept, and each message is handled by itself.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { Clock } from "../../core/ports/platform.ts";
import { answerConflict } from "../publish/answers.ts";
import { type Handled, type HandlerRun, runHandler } from "./run_handler.ts";
import type { StoredHandlers } from "./handler_transaction.ts";
import { decodeBodySoon } from "../publish/body_codec.ts";
import { settlementOf } from "../records/decision.ts";
import type { Settings } from "../settings/settings.ts";
import { unlessAborted } from "../async/deadline.ts";

/** What a batch is handled with. */
interface BatchParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly handlers: StoredHandlers<Tx>;
}

/** Thrown to take a transaction back when some of its messages are not ours any more. */
class NotAllOurs extends Error {}

/**
 * Runs an attempt for each message in one transaction.
 *
 * @param signal Aborts when a claim was lost or the bus stops.
 * @returns How they ended, in the order of `runs`; null when nothing was kept.
 */
export async function attemptBatch<Tx>(
  parts: BatchParts<Tx>,
  runs: readonly HandlerRun<Tx, StoredRecord>[],
  signal: AbortSignal,
): Promise<Handled[] | null> {
  const { settings: { store, clock }, handlers } = parts;
  const prepared = handlers.prepare();
  if (prepared !== null) await prepared;
  const patience = new Patience(clock, signal);
  try {
    let used: Tx | undefined;
    const ends = await store.transaction((tx) => {
      used = tx;
      return patience.race(() => inOneTransaction(parts, runs, tx, patience));
    });
    handlers.publisher.ended(used as Tx);
    return ends;
  } catch {
    // Each is handled by itself now, and tells what is wrong with it.
    return null;
  } finally {
    patience.end();
  }
}

async function inOneTransaction<Tx>(
  { settings, handlers }: BatchParts<Tx>,
  runs: readonly HandlerRun<Tx, StoredRecord>[],
  tx: Tx,
  patience: Patience,
): Promise<Handled[]> {
  const { store, clock, handlerTimeoutMs } = settings;
  // As in SQL, what happens in one transaction happens at one time.
  const nowMs = clock.now();
  const done: ReturnType<typeof handlers.decide>[] = [];
  // One after another: two handlers at once in one transaction would not be kept apart by its locks.
  await handlers.publisher.within(tx, async () => {
    for (const run of runs) {
      const { record: { message }, subscriber } = run;
      patience.begin(subscriber.timeoutMs ?? handlerTimeoutMs);
      handlers.check(run);
      const read = decodeBodySoon(subscriber.body, message);
      const body = read instanceof Promise ? await read : read;
      const handled = await runHandler(handlers, run, body, tx, patience.signal);
      done.push(handlers.decide(run, handled, nowMs));
      patience.signal.throwIfAborted();
    }
  });
  const answers = done.map(({ answer }) => answer).filter((answer) => answer !== null);
  const [applied, added] = await Promise.all([
    store.settle("inbox", done.map(({ decision }) => settlementOf(decision)), tx),
    answers.length === 0 ? [] : store.add("outbox", answers, clock.now(), tx),
  ]);
  const isKept = applied.length === done.length && applied.every((one) => one === true);
  if (!isKept) throw new NotAllOurs();
  // Its own attempt then fails, and says why.
  if (answers.some((answer, i) => answerConflict(answer, added[i]) !== null)) {
    throw new NotAllOurs();
  }
  let next = 0;
  return done.map((handled) =>
    handled.answer === null || added[next++]?.added ? handled : { ...handled, answer: null }
  );
}

/** A limit on the time of each handler in turn, with one timer and one signal for all of them. */
class Patience {
  readonly #clock: Clock;
  readonly #outer: AbortSignal;
  readonly #controller = new AbortController();
  readonly #abort = () => this.#controller.abort(this.#outer.reason);
  #untilMs = Infinity;
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, outer: AbortSignal) {
    this.#clock = clock;
    this.#outer = outer;
    if (outer.aborted) this.#abort();
    else outer.addEventListener("abort", this.#abort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on the next handler's time counts. */
  begin(timeoutMs: number): void {
    this.#untilMs = this.#clock.now() + timeoutMs;
    if (this.#cancel === null) this.#arm(timeoutMs);
  }

  /** Does work until the time is up. */
  race<Result>(work: () => Promise<Result>): Promise<Result> {
    return unlessAborted(work, this.signal);
  }

  end(): void {
    this.#cancel?.();
    this.#outer.removeEventListener("abort", this.#abort);
  }

  /** A timer for each handler would cost more than a small handler does. */
  #arm(delayMs: number): void {
    this.#cancel = this.#clock.after(delayMs, () => {
      const leftMs = this.#untilMs - this.#clock.now();
      if (leftMs > 0) return this.#arm(leftMs);
      this.#controller.abort(new AtlastError("timeout", "A handler did not finish in its time"));
    });
  }
}

/** How many records from the front of a queue go into one transaction; at least one. */
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

/** Divides records into what is handled in one transaction each; `sizeOf` says how many from the front. */
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
