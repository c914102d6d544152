/**
 * Refuses commands: those that Upstash refuses, that the token may not run, or that are over a limit.
 *
 * @module
 */
import { Command } from "ioredis";
import type { Argument, RestCommand } from "./command.ts";
import type { CheckedOptions } from "./options.ts";
import { pendingProblem } from "./pending_limit.ts";
import { Permissions, type RedisCall } from "./permissions.ts";
import { isMissing, notAvailable, refusalOf } from "./refused.ts";
import type { Ran } from "./redis_link.ts";
import type { Reply } from "./reply.ts";
import { localError } from "./local_redis.ts";

/** Checks each command before it goes to Redis, and its reply. */
export class Gate {
  readonly #options: CheckedOptions;
  readonly #call: RedisCall;
  readonly #permissions: Permissions;

  constructor(options: CheckedOptions, call: RedisCall) {
    this.#options = options;
    this.#call = call;
    this.#permissions = new Permissions(call);
  }

  /** The error for a refused command; null for an allowed one. */
  async problemOf(command: RestCommand, isReadOnly: boolean): Promise<string | null> {
    const { maxKeyBytes, pendingLimit } = this.#options;
    return refusalOf(command) ??
      (isReadOnly ? await this.#permissions.problemOf(command) : null) ??
      keyProblem(command, maxKeyBytes) ??
      (pendingLimit === null ? null : await pendingProblem(command, pendingLimit, this.#call));
  }

  /**
   * The reply of Redis; an error says if the cause is that the server lacks what Upstash has. A script that
   * called a command that Upstash does not have fails too, although Redis has run it.
   */
  replyOf(command: RestCommand, { reply, calls }: Ran): Reply {
    const called = [...calls.keys()].find(isMissing);
    if (called !== undefined) return new Error(notAvailable(called));
    return reply instanceof Error ? new Error(localError(command, reply.message)) : reply;
  }
}

function keyProblem(command: RestCommand, limit: number): string | null {
  for (const key of keysOf(command)) {
    const bytes = typeof key === "string" ? new TextEncoder().encode(key).length : key.length;
    if (bytes > limit) {
      return `ERR max key size exceeded. Limit: ${limit} bytes, Actual: ${bytes} bytes`;
    }
  }
  return null;
}

function keysOf({ name, args }: RestCommand): readonly Argument[] {
  try {
    const keys = new Command(name, [...args] as string[]).getKeys() as (Argument | undefined)[];
    return keys.filter((key) => key !== undefined);
  } catch {
    return []; // Redis itself answers with the error of such a command.
  }
}
