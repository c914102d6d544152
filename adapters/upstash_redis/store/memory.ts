/**
 * The text form of the digests that the inbox keeps of pruned messages.
 *
 * @module
 */
import type { ReturnResult } from "../../../core/ports/store.ts";
import type {
  MemoryEntry,
  RememberedMessage,
  ReturningRecord,
} from "../../../core/ports/inbox_memory.ts";
import type { Recollection } from "../../../core/ports/inspection.ts";
import { fromBase64, toBase64 } from "../../../core/wire/base64.ts";
import type { Script } from "./client.ts";
import { RECALL_SCRIPT } from "./scripts.ts";
import { addResultsOf, type Call, type Keys, writeCall } from "./writes.ts";

/** The number of buckets for the remembered time; a late message costs one call for each. */
const BUCKETS = 8;
/** The shortest bucket: a short time needs no division. */
const LEAST_WIDTH_MS = 60 * 60_000;

/** The bucket of a digest. */
interface Bucket {
  /** Its name. */
  readonly name: string;
  /** The latest possible arrival of its messages, as Redis writes it. */
  readonly ends: string;
}

/** The bucket of a message. */
export function bucketOf(arrivedAtMs: number, nowMs: number, sinceMs: number): Bucket {
  if (sinceMs === -Infinity) return { name: "all", ends: "+inf" };
  const width = Math.max(Math.ceil((nowMs - sinceMs) / BUCKETS), LEAST_WIDTH_MS);
  const index = Math.floor(arrivedAtMs / width);
  return { name: `${width}.${index}`, ends: String((index + 1) * width) };
}

/** Digests as text: the key in 22 characters, the content in 22, `f` or `h`, and the principal, if known. */
export function memoryText({ key, content, principal, hasFailed }: MemoryEntry): string {
  return `${short(key)}${short(content)}${hasFailed ? "f" : "h"}${principal ?? ""}`;
}

/** A call that adds records unless they are known. */
export function returningCall(
  keys: Keys,
  returning: readonly ReturningRecord[],
  nowMs: number,
  token: string,
): Call {
  const additions = additionsOf(returning);
  const call = writeCall(keys, "each", { box: "inbox", list: [] }, additions, nowMs, token);
  const { memory, pruned, totals } = keys.inbox;
  return {
    keys: [memory, pruned, totals, ...call.keys],
    args: [
      String(returning.length),
      String(Math.floor(nowMs)),
      ...returning.flatMap(({ key, sinceMs }) => [
        short(key),
        sinceMs === null ? "-" : String(Math.floor(sinceMs)),
      ]),
      ...call.args,
    ],
  };
}

/** Their results, from the script's answer. */
export function returnResultsOf(
  returning: readonly ReturningRecord[],
  answer: readonly unknown[],
): ReturnResult[] {
  const codes = answer.slice(0, returning.length).map(String);
  const left = returning.filter((_, i) => codes[i] === "-");
  // After the entry for settlements, of which there are none.
  const added = addResultsOf(additionsOf(left), answer.slice(returning.length + 1));
  let next = 0;
  return codes.map((code): ReturnResult => {
    if (code === "!") return { added: false, mayBePruned: true };
    if (code === "-") return added[next++] ?? { added: true };
    return { added: false, remembered: rememberedOf(code.slice(1)) };
  });
}

/** How many digests one script looks up. */
const MAX_RECALLED = 1_000;

/** See `InspectionHints.recall`. */
export async function recall(
  run: (script: Script, call: Call) => Promise<unknown[]>,
  { inbox: { memory, pruned, totals } }: Keys,
  keys: readonly string[],
  nowMs: number,
): Promise<Recollection> {
  const remembered: (RememberedMessage | null)[] = [];
  let [prunedUntilMs, buckets] = [-1, 0];
  for (let from = 0; from === 0 || from < keys.length; from += MAX_RECALLED) {
    const fields = keys.slice(from, from + MAX_RECALLED).map(short);
    const answer = await run(RECALL_SCRIPT, {
      keys: [memory, pruned, totals],
      args: [String(Math.floor(nowMs)), ...fields],
    });
    const [until = "*-1", count = "*0", ...codes] = answer.map(String);
    prunedUntilMs = Math.max(prunedUntilMs, Number(until.slice(1)));
    buckets = Number(count.slice(1));
    remembered.push(...codes.map((code) => code === "-" ? null : rememberedOf(code.slice(1))));
  }
  return {
    remembered,
    prunedUntilMs: prunedUntilMs === -1 ? null : prunedUntilMs,
    hasDigests: buckets > 0,
  };
}

function additionsOf(returning: readonly ReturningRecord[]) {
  return returning.map(({ record }) => ({ box: "inbox", record, with: 0 } as const));
}

function rememberedOf(text: string): RememberedMessage {
  const principal = text.slice(23);
  return {
    content: long(text.slice(0, 22)),
    principal: principal === "" ? null : principal,
    hasFailed: text[22] === "f",
  };
}

/** Sixteen bytes in 22 characters. */
function short(hex: string): string {
  const bytes = Uint8Array.from(
    { length: 16 },
    (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16),
  );
  return toBase64(bytes).slice(0, 22);
}

function long(text: string): string {
  const bytes = fromBase64(`${text}==`) ?? new Uint8Array();
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
