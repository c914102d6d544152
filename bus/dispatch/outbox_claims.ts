/**
 * Claims due messages of the outbox, except those that this bus leaves to other instances because it has no route for
 * their names.
 *
 * @module
 */
import type { GroupNames } from "../../core/ports/claim_request.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { LeaseRenewal } from "../records/lease_renewal.ts";
import { UntakenRecords } from "../records/untaken.ts";
import { dueTime } from "../settings/check_answers.ts";
import type { Settings } from "../settings/settings.ts";
import { LeftNames } from "./left_names.ts";

/** The claims of one bus on the outbox. */
export class OutboxClaims<Tx> {
  /** The records that nobody takes. */
  readonly untaken: UntakenRecords<Tx>;
  readonly #settings: Settings<Tx>;
  readonly #leases: LeaseRenewal;
  readonly #left: LeftNames<Tx>;

  constructor(settings: Settings<Tx>, leases: LeaseRenewal) {
    const left = new LeftNames(settings);
    this.#settings = settings;
    this.#leases = leases;
    this.#left = left;
    this.untaken = new UntakenRecords(settings, leases, {
      box: "outbox",
      groups: () => left.isEmpty ? [] : [""],
      isLeft: (name) => left.has(name),
    });
  }

  /** Whether this bus sends everything it finds. */
  get takesAll(): boolean {
    return this.#left.isEmpty;
  }

  /** Claims due records that this bus takes. */
  async claim(kind: "ready" | "alone", limit: number): Promise<StoredRecord[]> {
    const request = { box: "outbox", limit, ...this.#leases.claiming(), kind } as const;
    const groups = this.#takenHere();
    return await this.#settings.store.claim(groups === null ? request : { ...request, groups });
  }

  /** When the next record is due, of all or of those that this bus takes; see `Store.nextDueAt`. */
  async nextDueAt(which: "all" | "taken here"): Promise<number | null> {
    const { store, clock } = this.#settings;
    const groups = which === "all" ? null : this.#takenHere();
    return dueTime(await store.nextDueAt("outbox", clock.now(), groups ?? undefined));
  }

  /**
   * When there is work for this bus, in Unix milliseconds; null for never.
   *
   * @param dueAtMs When the next record is due.
   */
  async dueHere(dueAtMs: number | null): Promise<number | null> {
    if (this.takesAll || dueAtMs === null || dueAtMs > this.#settings.clock.now()) return dueAtMs;
    return this.untaken.dueAt(await this.nextDueAt("taken here") ?? Infinity);
  }

  /**
   * Decides about a claimed record without a route: true if it is left to other instances, as are others of its name
   * from now on. False if it must wait here, because it is known that nobody takes it.
   */
  leaves(record: StoredRecord): boolean {
    return !this.untaken.has(record) && this.#left.leave(record);
  }

  /** Notes that a claimed record is sent. */
  sends(record: StoredRecord): void {
    this.#left.sends(record);
  }

  #takenHere(): [GroupNames] | null {
    const except = this.#left.all();
    return except.length === 0 ? null : [{ group: "", except }];
  }
}
