/**
 * The permissions of the read-only token: commands that Redis itself marks as reading.
 *
 * @module
 */
import { argumentText, type RestCommand } from "./command.ts";
import { lacksCommand } from "./local_redis.ts";
import type { Reply } from "./reply.ts";

/** Runs a command and returns the reply. */
export type RedisCall = (command: RestCommand) => Promise<Reply>;

/** Reading commands that Upstash refuses to this token, because they scan all keys. */
const TOO_WIDE = new Set(["KEYS", "SCAN"]);
/** Commands without keys, which Redis does not mark as reading. */
const HARMLESS = new Set(["PING", "ECHO", "TIME", "COMMAND"]);

/** The commands of a server, in upper case; subcommands as `XINFO|STREAM`. */
interface Commands {
  readonly all: ReadonlySet<string>;
  readonly reading: ReadonlySet<string>;
}

/** The reading commands; the proxy fetches the list from the server once. */
export class Permissions {
  #commands: Promise<Commands> | null = null;
  readonly #call: RedisCall;

  constructor(call: RedisCall) {
    this.#call = call;
  }

  /** The error for a command that the read-only token may not run; null when it may. */
  async problemOf({ name, args }: RestCommand): Promise<string | null> {
    const { all, reading } = await this.#known();
    if (!all.has(name)) return lacksCommand(name);
    const isReading = reading.has(name) || reading.has(`${name}|${argumentText(args[0])}`);
    if (HARMLESS.has(name) || (isReading && !TOO_WIDE.has(name))) return null;
    return `NOPERM this user has no permissions to run the '${name.toLowerCase()}' ` +
      "command or its subcommand";
  }

  #known(): Promise<Commands> {
    this.#commands ??= this.#call({ name: "COMMAND", args: [] }).then(commandsOf).catch((error) => {
      this.#commands = null;
      throw error;
    });
    return this.#commands;
  }
}

function commandsOf(reply: Reply): Commands {
  const all = new Set<string>();
  const reading = new Set<string>();
  const add = (commands: Reply): void => {
    for (const command of listOf(commands)) {
      const [text, , flags, , , , , , , subcommands] = listOf(command);
      const name = textOf(text).toUpperCase();
      all.add(name);
      if (listOf(flags).some((flag) => textOf(flag) === "readonly")) reading.add(name);
      add(subcommands ?? null);
    }
  };
  add(reply);
  return { all, reading };
}

function listOf(reply: Reply | undefined): readonly Reply[] {
  return Array.isArray(reply) ? reply : [];
}

function textOf(reply: Reply | undefined): string {
  return reply instanceof Uint8Array ? new TextDecoder().decode(reply) : "";
}
