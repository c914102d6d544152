/**
 * Who handles what, by which claim: two may handle one message at once only when the lease of one of them had run
 * out, or the first was told to stop.
 *
 * @module
 */
import { MAX_CRASHES } from "../../../core/lifecycle/lifecycle.ts";
import type { StoredRecord } from "../../../core/ports/record.ts";
import type { HandlerContext } from "../../../mod.ts";
import type { SimulatedProcess } from "../faults/simulated_process.ts";

/** The epoch of a record that was stored with a lease. */
const FIRST_EPOCH = 1;

interface Run {
  readonly process: SimulatedProcess;
  readonly signal: AbortSignal;
  readonly epoch: number;
}

interface Claimed {
  /** The latest epoch that each process has claimed it with. */
  readonly epochs: Map<SimulatedProcess, number>;
  crashes: number;
  /** The epoch of the latest claim that found a lease which had run out. */
  takenOverAt: number;
  /** How often its handler was begun. */
  begun: number;
  readonly runs: Set<Run>;
}

/** The claims on the inbox of a service, and the handlers that run by them. */
export class Claims {
  /** How many leases ran out and were taken over. */
  takenOver = 0;
  readonly #records = new Map<string, Claimed>();
  readonly #fail: (text: string) => void;

  /** @param fail Is told what must not be. */
  constructor(fail: (text: string) => void) {
    this.#fail = fail;
  }

  /** A process has claimed records. */
  claimed(process: SimulatedProcess, records: readonly StoredRecord[]): void {
    for (const { id, group, epoch, crashes } of records) {
      const known = this.#of(id, group);
      if (crashes > known.crashes) {
        known.takenOverAt = epoch;
        this.takenOver += 1;
      }
      known.crashes = crashes;
      known.epochs.set(process, epoch);
    }
  }

  /** A handler begins; the returned function says that it has ended. */
  begin(
    process: SimulatedProcess,
    { message: { id }, group, signal }: HandlerContext<unknown>,
  ): () => void {
    const known = this.#of(id, group);
    const run = { process, signal, epoch: known.epochs.get(process) ?? FIRST_EPOCH };
    for (const other of known.runs) {
      const mayStillRun = other.process.isDead || other.signal.aborted ||
        known.takenOverAt > Math.min(other.epoch, run.epoch) ||
        // It took over from itself after it had stood still: by which of its claims a handler runs does not show.
        (other.process === process && known.takenOverAt === run.epoch);
      if (mayStillRun) continue;
      this.#fail(
        `${id} in "${group}" is handled by ${process.name} under epoch ${run.epoch} while ` +
          `${other.process.name} handles it under ${other.epoch}`,
      );
    }
    if (known.crashes >= MAX_CRASHES) {
      this.#fail(`${id} in "${group}" is handled after it has killed ${known.crashes} processes`);
    }
    known.begun += 1;
    known.runs.add(run);
    return () => void known.runs.delete(run);
  }

  /** How often the handler of a record was begun. */
  begunOf({ id, group }: StoredRecord): number {
    return this.#of(id, group).begun;
  }

  #of(id: string, group: string): Claimed {
    const key = `${group} ${id}`;
    let known = this.#records.get(key);
    if (known === undefined) {
      known = { epochs: new Map(), crashes: 0, takenOverAt: 0, begun: 0, runs: new Set() };
      this.#records.set(key, known);
    }
    return known;
  }
}
