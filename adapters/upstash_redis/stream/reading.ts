/**
 * Reads the new entries of all streams of a group with one command.
 *
 * @module
 */
import { AtlastError } from "../../../core/errors.ts";
import { isInstance } from "../../../core/user_code/thrown.ts";
import type { Command } from "./run.ts";
import { listOf, runAll, runOne, valuesOf } from "./run.ts";
import type { StreamSettings } from "./options.ts";
import { namesKey, requeuedKey, streamKey } from "./keys.ts";

/** An entry of a stream that is pending for this consumer. */
export interface Entry {
  /** The key of its stream. */
  readonly key: string;
  /** Its id there. */
  readonly id: string;
  /** Names and values in turns. */
  readonly fields: readonly string[];
  /** How often it was fetched by any consumer, this time included. */
  readonly deliveries: number;
}

/** The result of a read. */
interface Reading {
  readonly entries: Entry[];
  /** Whether a stream may have more. */
  readonly more: boolean;
  /** The streams in which this consumer has reached its limit. */
  readonly full: readonly string[];
}

/** Reads up to `count` new entries of each stream. Missing groups are created. */
export async function readNew(
  settings: StreamSettings,
  names: readonly string[],
  keys: readonly string[],
  count: number,
): Promise<Reading> {
  const full = new Set<string>();
  for (let hasMadeGroups = false;;) {
    const open = keys.filter((key) => !full.has(key));
    try {
      return { ...await read(settings, open, count), full: [...full] };
    } catch (error) {
      const said = isInstance(error, AtlastError) ? error.message : "";
      const more = fullStreams(said, open);
      if (more.length === 0 && (hasMadeGroups || !said.includes("NOGROUP"))) throw error;
      for (const key of more) full.add(key);
      if (more.length > 0) continue;
      await makeGroups(settings, names);
      hasMadeGroups = true;
    }
  }
}

async function read(
  { redis, group, consumer }: StreamSettings,
  keys: readonly string[],
  count: number,
): Promise<Omit<Reading, "full">> {
  if (keys.length === 0) return { entries: [], more: false };
  const answer = await runOne(redis, [
    ...["XREADGROUP", "GROUP", group, consumer()] as const,
    ...["COUNT", count, "STREAMS"],
    ...keys,
    ...keys.map(() => ">"),
  ]);
  const streams = listOf(answer).map((stream) => {
    const [key, entries] = listOf(stream);
    return entriesOf(String(key), entries);
  });
  return {
    entries: streams.flat(),
    more: streams.some((entries) => entries.length >= count),
  };
}

/** Entries as the server returns them: `[[id, [name, value, …]], …]`. A deleted one has no fields. */
export function entriesOf(key: string, answer: unknown): Entry[] {
  return listOf(answer).flatMap((entry) => {
    const [id, fields] = listOf(entry);
    if (!Array.isArray(fields)) return [];
    return [{ key, id: String(id), fields: fields.map(String), deliveries: 1 }];
  });
}

/** The streams in which this consumer has reached the server's limit. */
function fullStreams(said: string, keys: readonly string[]): string[] {
  if (!/pending entries list limit/i.test(said)) return [];
  const named = keys.filter((key) => said.includes(`Key: ${key},`));
  return named.length > 0 ? named : [...keys];
}

/** Creates the group in each of its streams, and missing streams. Several processes may do so at once. */
async function makeGroups(settings: StreamSettings, names: readonly string[]): Promise<void> {
  const { redis, keys, group, from } = settings;
  const make = (key: string, id: string): Command => (pipeline) =>
    pipeline.xgroup(key, { type: "CREATE", group, id, options: { MKSTREAM: true } });
  const [first = "", ...others] = names;
  const results = await runAll(redis, "XGROUP CREATE", [
    (pipeline) => pipeline.sadd(namesKey(keys), first, ...others),
    make(requeuedKey(keys, group), "0"),
    ...names.map((name) => make(streamKey(keys, name), from)),
  ]);
  valuesOf("XGROUP CREATE", results.filter(({ error }) => !error?.includes("BUSYGROUP")));
}
