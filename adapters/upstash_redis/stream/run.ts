/**
 * Runs commands. Errors contain no message.
 *
 * @module
 */
import { AtlastError } from "../../../core/errors.ts";
import { plainError } from "../plain_error.ts";
import type { CommandResult, StreamClient, StreamPipeline } from "./client.ts";

/** The most commands of one pipeline: the client's own limit. */
const MAX_COMMANDS = 1000;

/** One command of a pipeline. */
export type Command = (pipeline: StreamPipeline) => unknown;

/**
 * Runs one command unchanged.
 *
 * @throws {AtlastError} `unreachable`, with the text of the server.
 */
export async function runOne(
  redis: StreamClient,
  command: [command: string, ...args: (string | number)[]],
): Promise<unknown> {
  try {
    return await redis.exec<unknown>(command);
  } catch (error) {
    throw unreachable(command[0], plainError(error));
  }
}

/**
 * Runs commands in as few requests as possible. An error of one does not affect the others.
 *
 * @throws {AtlastError} `unreachable` when a request as a whole fails.
 */
export async function runAll(
  redis: StreamClient,
  what: string,
  commands: readonly Command[],
): Promise<CommandResult[]> {
  const results: CommandResult[] = [];
  for (let start = 0; start < commands.length; start += MAX_COMMANDS) {
    const pipeline = redis.pipeline();
    for (const command of commands.slice(start, start + MAX_COMMANDS)) command(pipeline);
    try {
      results.push(...await pipeline.exec({ keepErrors: true }));
    } catch (error) {
      throw unreachable(what, plainError(error));
    }
  }
  return results;
}

/** The results of commands all of which must succeed. */
export function valuesOf(what: string, results: readonly CommandResult[]): unknown[] {
  return results.map(({ result, error }) => {
    if (error) throw unreachable(what, plainError(error));
    return result;
  });
}

/** A list of the server's answer; empty for anything else. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A map that the server returned as alternating names and values; values that look like numbers may be numbers. */
export function mapOf(value: unknown): ReadonlyMap<string, unknown> {
  const items = listOf(value);
  const map = new Map<string, unknown>();
  for (let i = 0; i + 1 < items.length; i += 2) map.set(String(items[i]), items[i + 1]);
  return map;
}

function unreachable(what: string, said: string): AtlastError {
  return new AtlastError("unreachable", `Cannot run ${what}: got ${JSON.stringify(said)}`);
}
