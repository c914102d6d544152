/**
 * The run of a claimed record whose handler begins.
 *
 * @module
 */
import type { StoredRecord } from "../../core/ports/record.ts";
import type { Subscriber } from "../api/subscriber.ts";
import type { Permit } from "../async/keyed_semaphore.ts";
import type { WorkTime } from "../records/work_pace.ts";
import type { HandlerRun } from "./run_handler.ts";

/** Lets the next handler run as soon as this one has ended, and only its settlement is left. */
export class BegunRun<Tx> implements HandlerRun<Tx, StoredRecord> {
  readonly record: StoredRecord;
  readonly subscriber: Subscriber<Tx>;
  readonly #permit: Permit;
  readonly #time: WorkTime;

  /** Begins; takes the place of the handler among those of its group. */
  constructor(
    record: StoredRecord,
    subscriber: Subscriber<Tx>,
    permit: Permit,
    time: WorkTime,
  ) {
    this.record = record;
    this.subscriber = subscriber;
    this.#permit = permit;
    this.#time = time;
  }

  /** The wait for the settlement is not part of the pace of handlers. */
  ended(): void {
    this.#time.end();
    this.#permit.ended();
  }
}
