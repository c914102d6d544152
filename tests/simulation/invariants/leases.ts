/**
 * What a clean stop leaves behind: nothing that the process has claimed, so that others need not wait for its leases.
 *
 * @module
 */
import type { Box } from "../../../mod.ts";
import type { StoredRecord } from "../../../ports.ts";
import type { SimulatedProcess } from "../faults/simulated_process.ts";
import { keyText, type Ledger } from "../ledger.ts";

interface Taken {
  readonly process: SimulatedProcess;
  readonly epoch: number;
}

/** Which process has claimed which records of a service, as far as it was told. */
export class Leases {
  readonly #taken: Readonly<Record<Box, Map<string, Taken>>> = {
    outbox: new Map(),
    inbox: new Map(),
  };

  /** A process was told that it has claimed a record. */
  told(process: SimulatedProcess, { box, id, group, epoch }: StoredRecord): void {
    this.#taken[box].set(keyText({ id, group }), { process, epoch });
  }

  /** The records that are still claimed by a process. */
  ofProcess(process: SimulatedProcess, ledger: Ledger): StoredRecord[] {
    return [...ledger.open].map(({ record }) => record).filter((record) => {
      const taken = this.#taken[record.box].get(keyText(record));
      return record.leaseUntilMs !== null && taken?.process === process &&
        taken.epoch === record.epoch;
    });
  }
}
