/**
 * Sends messages: one `XADD` each, many in one request.
 *
 * @module
 */
import { bodyBytes, type Message } from "../../../core/message/message.ts";
import { matchesName } from "../../../core/message/name.ts";
import type { AbortSignalLike } from "../../../core/ports/platform.ts";
import type { SendResult } from "../../../core/ports/transport.ts";
import { plainError } from "../plain_error.ts";
import { unlessAborted } from "./abort.ts";
import type { CommandResult } from "./client.ts";
import { fieldsOf } from "./entry.ts";
import type { StreamSettings } from "./options.ts";
import { type Command, runAll } from "./run.ts";
import { readPatterns } from "./streams.ts";
import { namesKey, streamKey } from "./keys.ts";

/** The most commands of one request. */
const MAX_COMMANDS = 500;
/** The bytes around the values of one command in a request, including the key. */
const COMMAND_BYTES = 500;

/** An `XADD` to send. */
interface Adding {
  readonly index: number;
  readonly name: string;
  readonly fields: { h: string; b: string };
  readonly bytes: number;
}

/** Sends messages; results are in their order. */
export async function send(
  settings: StreamSettings,
  messages: readonly Message[],
  signal: AbortSignalLike,
): Promise<SendResult[]> {
  const results: SendResult[] = messages.map(({ name }) => unroutable(name));
  const addings = messages.flatMap((message, index) =>
    carries(settings, message.name) ? [addingOf(message, index)] : []
  );
  for (const some of requestsOf(addings, settings.maxRequestBytes)) {
    try {
      const sent = await unlessAborted(() => addAll(settings, some), signal);
      some.forEach(({ index }, i) => results[index] = sent[i] as SendResult);
    } catch (error) {
      // It is unknown whether it arrived. If it is sent again, the inbox recognises its id.
      const failed = failure(plainError(error), some.length > 1);
      for (const { index } of some) results[index] = failed;
    }
  }
  return results;
}

/** Whether messages of this name are carried. */
export function carries({ names }: StreamSettings, name: string): boolean {
  return names?.has(name) ?? true;
}

async function addAll(
  settings: StreamSettings,
  addings: readonly Adding[],
): Promise<SendResult[]> {
  const { redis } = settings;
  // A stream exists once a group takes its name. `XADD` without creation finds that out at no cost.
  const first = await runAll(redis, "XADD", addings.map(addTo(settings, true)));
  const missing = addings.filter((_, i) => isMissing(first[i]));
  if (missing.length === 0) return addings.map((_, i) => resultOf(first[i]));
  const retries = await addNew(settings, missing);
  return addings.map((adding, i) => retries.get(adding) ?? resultOf(first[i]));
}

/** Adds messages to missing streams: creates those that some group takes by a pattern. */
async function addNew(
  settings: StreamSettings,
  missing: readonly Adding[],
): Promise<Map<Adding, SendResult>> {
  const { redis, keys } = settings;
  const results = new Map(missing.map((adding) => [adding, unread(adding.name)]));
  const patterns = await readPatterns(settings);
  const wanted = missing.filter(({ name }) =>
    patterns.some(({ pattern }) => matchesName(pattern, name))
  );
  const [name, ...others] = new Set(wanted.map(({ name }) => name));
  if (name === undefined) return results;
  // The name is added to the set before the stream exists, so that subscribers find it.
  const made: Command = (pipeline) => pipeline.sadd(namesKey(keys), name, ...others);
  const [, ...added] = await runAll(redis, "XADD", [made, ...wanted.map(addTo(settings, false))]);
  wanted.forEach((adding, i) => results.set(adding, resultOf(added[i])));
  return results;
}

function addTo({ keys }: StreamSettings, onlyIfThere: boolean): (adding: Adding) => Command {
  return ({ name, fields }) => (pipeline) =>
    pipeline.xadd(
      streamKey(keys, name),
      "*",
      fields,
      onlyIfThere ? { nomkStream: true } : undefined,
    );
}

/** There was no such stream, and none was created. */
function isMissing(result: CommandResult | undefined): boolean {
  return result !== undefined && !result.error && result.result === null;
}

function resultOf(result: CommandResult | undefined): SendResult {
  if (result === undefined) return failure("The server gave no answer for it");
  if (!result.error) return { kind: "sent" };
  // The server refused this command, so nothing of it is in the stream.
  return { ...failure(plainError(result.error)), arrived: "no" };
}

/** A message that is too large on its own is too large every time. */
function failure(reason: string, isOneOfMany = true): SendResult & { kind: "failed" } {
  const retryable = isOneOfMany || !/max request size exceeded/i.test(reason);
  return { kind: "failed", reason, retryable };
}

function unroutable(name: string): SendResult {
  return {
    kind: "unroutable",
    reason: `Cannot route ${JSON.stringify(name)}: it is not among the names of this transport`,
  };
}

function unread(name: string): SendResult {
  return {
    kind: "unroutable",
    reason: `Cannot route ${JSON.stringify(name)}: it has no stream, want a subscriber of it ` +
      "that has started once",
  };
}

function addingOf(message: Message, index: number): Adding {
  const fields = fieldsOf(message);
  const bytes = jsonBytes(fields.h) + jsonBytes(fields.b) + COMMAND_BYTES;
  return { index, name: message.name, fields, bytes };
}

/** How many bytes a text takes in the request. */
function jsonBytes(text: string): number {
  return bodyBytes(JSON.stringify(text));
}

/** Sorts commands into as few requests as the limits allow; a command over the limit gets a request of its own. */
function requestsOf(addings: readonly Adding[], maxBytes: number): Adding[][] {
  const requests: Adding[][] = [];
  let bytes = Infinity;
  for (const adding of addings) {
    const open = requests.at(-1);
    bytes += adding.bytes;
    if (open === undefined || bytes > maxBytes || open.length >= MAX_COMMANDS) {
      requests.push([adding]);
      bytes = adding.bytes;
    } else open.push(adding);
  }
  return requests;
}
