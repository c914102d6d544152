/**
 * What must hold in a simulation. A feature of the bus takes part by one file here and one among the actors.
 *
 * @module
 */
import type { Change } from "../change.ts";
import type { Entry } from "../ledger.ts";
import type { World } from "../world.ts";

/** Says that something does not hold. */
export type Fail = (text: string) => void;

/** Something that must hold. */
export interface Invariant {
  /** Names it in a violation. */
  readonly name: string;
  /** Checks a change of a record, which the ledger has noted. */
  changed?(change: Change, entry: Entry, world: World, fail: Fail): void;
  /** Checks the world once all is settled. */
  atEnd?(world: World, fail: Fail): void | Promise<void>;
}

/** Something that did not hold. */
export class Violation extends Error {
  /** @param invariant The name of what did not hold. */
  constructor(readonly invariant: string, readonly text: string) {
    super(`${invariant}: ${text}`);
  }
}
