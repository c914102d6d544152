/**
 * A check of some records, and what it doubts.
 *
 * @module
 */
import type { RecordOutline } from "../../core/ports/inspection.ts";
import { type Finding, type FindingProblem, KIND_OF } from "./finding.ts";
import type { Service } from "./service.ts";
import type { Tally } from "./summary.ts";

/** Something that looks wrong. It is reported if it still does at a second look. */
export interface Doubt<Item> {
  /** What was checked. */
  readonly item: Item;
  /** Since when it has not changed, in Unix milliseconds; null if that is unknown. */
  readonly unchangedSinceMs: number | null;
  /** What is reported. */
  readonly finding: Finding;
}

/** Compares items with what other services have. It reads, and changes nothing. */
export interface Check<Item> {
  /** What looks wrong with these items now. What is not wrong is counted in `tally`. */
  look(items: readonly Item[], tally: Tally): Promise<Doubt<Item>[]>;
}

/** A doubt about a record. */
export function doubtOf(
  service: Service,
  item: RecordOutline,
  { problem, text, ...rest }: {
    readonly problem: FindingProblem;
    /** What is said of the message, after its name. */
    readonly text: string;
    readonly other?: string;
    /** The group that it is about, if that is not the group of the record. */
    readonly group?: string;
    readonly sinceMs?: number | null;
    readonly unchangedSinceMs?: number | null;
  },
): Doubt<RecordOutline> {
  const { other = null, group = item.group, sinceMs = null, unchangedSinceMs = sinceMs } = rest;
  const which = group === "" ? "" : ` for group "${group}"`;
  return {
    item,
    unchangedSinceMs,
    finding: {
      kind: KIND_OF[problem],
      problem,
      service: service.name,
      box: item.box,
      other,
      id: item.id,
      group,
      name: item.message.name,
      state: item.state,
      count: 1,
      sinceMs,
      text: `"${item.message.name}" (${item.id})${which} ${text}`,
    },
  };
}
