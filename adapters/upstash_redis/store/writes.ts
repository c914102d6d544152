/**
 * Settlements and additions as the arguments of the script that writes them.
 *
 * @module
 */
import type { Box, Patch } from "../../../core/lifecycle/lifecycle.ts";
import type { AddResult, Settlement, SettlementGuard } from "../../../core/ports/store.ts";
import type { NewRecord, StoredRecord } from "../../../core/ports/record.ts";
import { BoxKeys, memberOf } from "./keys.ts";
import {
  messageText,
  patchLine,
  recordOf,
  replyLine,
  standingText,
  timeField,
} from "./record_text.ts";

/**
 * How to treat additions whose key is taken: skip each of them, skip all additions, or require that the
 * existing record is the same message.
 */
export type AddMode = "each" | "all" | "same";

/** A record to add. */
export interface Addition {
  /** Its box. */
  readonly box: Box;
  /** The record. */
  readonly record: NewRecord;
  /** Which settlement must apply for it, counted from 1; 0 for none. */
  readonly with: number;
}

/** The keys and arguments of a script. */
export interface Call {
  /** The keys it uses. */
  readonly keys: string[];
  /** Its arguments after the first, which is the prefix of the keys. */
  readonly args: string[];
}

/** The keys of both boxes. */
export type Keys = Readonly<Record<Box, BoxKeys>>;

/** The keys of both boxes. */
export function keysOf(base: string): Keys {
  return { outbox: new BoxKeys(base, "outbox"), inbox: new BoxKeys(base, "inbox") };
}

/** How the script has each guard. */
const GUARD_CODE: Readonly<Record<SettlementGuard, string>> = {
  "holder": "y",
  "anyone while free": "n",
  "anyone": "e",
};

/**
 * A call that settles and adds.
 *
 * @param token Identifies this call, so that the script recognises a repeated request.
 */
export function writeCall(
  keys: Keys,
  mode: AddMode,
  settlements: { readonly box: Box; readonly list: readonly Settlement[] },
  additions: readonly Addition[],
  nowMs: number,
  token: string,
): Call {
  const used = new UsedKeys(keys);
  const args = [mode, String(settlements.list.length)];
  settlements.list.forEach((settlement, i) => {
    const { key, epoch, guard, from, patch, reply } = settlement;
    const member = memberOf(key);
    used.standing(settlements.box, member, key.group);
    args.push(
      settlements.box,
      member,
      String(epoch),
      GUARD_CODE[guard],
      from,
      ...patchFields(patch),
      reply === undefined ? "=" : `+${replyLine(reply)}`,
      `${token}.${i}`,
    );
  });
  additions.forEach(({ box, record, with: index }, i) => {
    const member = memberOf(record);
    used.standing(box, member, record.group);
    used.message(box, member);
    const message = messageText(record.message);
    args.push(
      box,
      member,
      String(index),
      standingText(record, nowMs, message, `${token}.${settlements.list.length + i}`),
      message,
    );
  });
  return { keys: used.all(), args };
}

/** The results of settlements, from the script's answer. */
export function bitsOf(bits: unknown): boolean[] {
  return [...String(bits).slice(1)].map((bit) => bit === "1");
}

/** The results of additions, from the rest of the answer; null for one that was skipped because of another. */
export function addResultsOf(
  additions: readonly Addition[],
  answer: readonly unknown[],
): (AddResult | null)[] {
  let at = 0;
  return additions.map(({ box, record }) => {
    const code = answer[at++];
    if (code === "+") return { added: true };
    if (code !== "=") return null;
    const [standing, message] = [answer[at++] as string, answer[at++] as string];
    return { added: false, existing: existingOf(box, record, standing, message) };
  });
}

function existingOf(
  box: Box,
  record: NewRecord,
  standing: string,
  message: string,
): StoredRecord {
  return recordOf(box, memberOf(record), standing, message);
}

function patchFields(patch: Patch): string[] {
  return [
    patch.state,
    timeField(patch.dueAtMs),
    String(patch.crashes),
    timeField(patch.expiresAtMs),
    patchLine(patch),
  ];
}

/** The keys that a call uses, each once. */
class UsedKeys {
  readonly #keys: Keys;
  readonly #groups = new Map<Box, Set<string>>();
  readonly #used = new Set<string>();

  constructor(keys: Keys) {
    this.#keys = keys;
  }

  standing(box: Box, member: string, group: string): void {
    this.#used.add(this.#keys[box].standing(member));
    const groups = this.#groups.get(box) ?? new Set();
    this.#groups.set(box, groups.add(group));
  }

  message(box: Box, member: string): void {
    this.#used.add(this.#keys[box].message(member));
  }

  all(): string[] {
    const indexes = [...this.#groups].flatMap(([box, groups]) => this.#keys[box].indexes(groups));
    return [...indexes, ...this.#used];
  }
}
