/**
 * A claimed record while its handler runs: its renewed lease, and its abort when the lease is lost or the bus stops.
 *
 * @module
 */
import type { StoredRecord } from "../../core/ports/record.ts";
import { WorkSignal } from "../async/work_signal.ts";
import { leaseLost, type LeaseOwner } from "../records/lease_renewal.ts";

/** One object for all that a record needs: with several, the work for a small handler cost more than the handler. */
export class RecordInHand extends WorkSignal implements LeaseOwner {
  readonly box = "inbox";
  readonly record: StoredRecord;

  /** Takes a record in hand until it is released; `stop` aborts when the bus stops. */
  constructor(record: StoredRecord, stop: AbortSignal) {
    super(stop);
    this.record = record;
  }

  get records(): readonly StoredRecord[] {
    return [this.record];
  }

  lost(): void {
    this.abort(leaseLost());
  }
}
