/**
 * Looks again at what looked wrong, because records change while they are read. Only what looks wrong both times is
 * reported.
 *
 * @module
 */
import type { Check, Doubt } from "./check.ts";
import type { Finding } from "./finding.ts";
import { newTally } from "./summary.ts";

/** What a second look needs. */
interface SecondLookParts<Item> {
  /** The items as they are now; those that are gone are left out. */
  readonly again: (items: readonly Item[]) => Promise<readonly Item[]>;
  /** The current time, in Unix milliseconds. */
  readonly now: () => number;
  /** Waits for so many milliseconds. */
  readonly wait: (ms: number) => Promise<void>;
  /** How long after its last change something is looked at again, in milliseconds. */
  readonly settleMs: number;
}

/** The doubts about the items of one box or fence. */
export class SecondLook<Item> {
  readonly #parts: SecondLookParts<Item>;
  #doubts: { readonly check: Check<Item>; readonly doubt: Doubt<Item> }[] = [];
  #ripeAtMs = -Infinity;

  constructor(parts: SecondLookParts<Item>) {
    this.#parts = parts;
  }

  /** How many doubts there are. */
  get size(): number {
    return this.#doubts.length;
  }

  /** Adds doubts of a check. */
  add(check: Check<Item>, doubts: readonly Doubt<Item>[]): void {
    const { now, settleMs } = this.#parts;
    const nowMs = now();
    for (const doubt of doubts) {
      this.#doubts.push({ check, doubt });
      // A record that claims to change in the future comes from a clock that is wrong.
      const changedAtMs = Math.min(doubt.unchangedSinceMs ?? nowMs, nowMs);
      this.#ripeAtMs = Math.max(this.#ripeAtMs, changedAtMs + settleMs);
    }
  }

  /** Waits until all doubts may be looked at, and takes those that are still there. */
  async take(): Promise<Finding[]> {
    const { again, now, wait } = this.#parts;
    const waitMs = this.#ripeAtMs - now();
    if (waitMs > 0) await wait(waitMs);
    const doubts = this.#doubts;
    this.#doubts = [];
    this.#ripeAtMs = -Infinity;
    const findings: Finding[] = [];
    for (const check of new Set(doubts.map((each) => each.check))) {
      const first = doubts.filter((each) => each.check === check).map(({ doubt }) => doubt);
      const keys = new Set(first.map(({ finding }) => keyOf(finding)));
      const items = await again([...new Set(first.map(({ item }) => item))]);
      const second = await check.look(items, newTally());
      findings.push(
        ...second.map(({ finding }) => finding).filter((each) => keys.has(keyOf(each))),
      );
    }
    return findings;
  }
}

function keyOf({ problem, other, id, group }: Finding): string {
  return [problem, other, group, id].join("\n");
}
