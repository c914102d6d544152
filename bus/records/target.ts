/**
 * Who works on records: what loops and processes are woken by.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { NewRecord } from "../../core/ports/record.ts";

/** Who works on records. */
export interface Target {
  /** The box. */
  readonly box: Box;
  /** The group; in the outbox the empty string. */
  readonly group: string;
  /** The name of their messages; null if it is not known. */
  readonly name: string | null;
}

/** Messages of some groups. */
interface Messages {
  readonly box: Box;
  readonly groups: readonly string[];
  readonly messages: readonly { readonly name: string }[];
}

/** Whoever sends: every bus on the store. */
export const SENDING: Target = { box: "outbox", group: "", name: null };

/** Who works on a record. */
export function targetOf(box: Box, { group, message: { name } }: NewRecord): Target {
  return { box, group, name };
}

/** Who works on messages, each target once. */
export function targetsOf(all: readonly Messages[]): Target[] {
  return distinctTargets(
    all.flatMap(({ box, groups, messages }) =>
      groups.flatMap((group) => messages.map(({ name }) => ({ box, group, name })))
    ),
  );
}

/** Each target once. */
export function distinctTargets(targets: readonly Target[]): Target[] {
  return [...new Map(targets.map((target) => [targetKey(target), target])).values()];
}

/** A target as the key of a map. Sending is the same for all names. */
export function targetKey({ box, group, name }: Target): string {
  return box === "outbox" ? box : `${group}\n${name}`;
}
