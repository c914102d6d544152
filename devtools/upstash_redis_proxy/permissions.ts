/**
 * The permissions of the read-only token: commands that Redis itself marks as reading.
 *
 * @module
 */
import { argumentText, type RestCommand } from "./command.ts";
import type { Reply } from "./reply.ts";

/** Runs a command and returns the reply. */
export type RedisCall = (command: RestCommand) => Promise<Reply>;

/** Reading commands that Upstash refuses to this token, because they scan all keys. */
const TOO_WIDE = new Set(["KEYS", "SCAN"]);
/** Commands without keys, which Redis does not mark as reading. */
const HARMLESS = new Set(["PING", "ECHO", "TIME", "COMMAND"]);

/** The reading commands; the proxy fetches the list from the server once. */
export class Permissions {
  #reading: Promise<ReadonlySet<string>> | null = null;
  readonly #call: RedisCall;

  constructor(call: RedisCall) {
    this.#call = call;
  }

  /** The error for a command that the read-only token may not run; null when it may. */
  async problemOf({ name, args }: RestCommand): Promise<string | null> {
    const reading = await this.#known();
    const isReading = reading.has(name) || reading.has(`${name}|${argumentText(args[0])}`);
    if (HARMLESS.has(name) || (isReading && !TOO_WIDE.has(name))) return null;
    return `NOPERM this user has no permissions to run the '${name.toLowerCase()}' ` +
      "command or its subcommand";
  }

  #known(): Promise<ReadonlySet<string>> {
    this.#reading ??= this.#call({ name: "COMMAND", args: [] }).then(readingOf).catch((error) => {
      this.#reading = null;
      throw error;
    });
    return this.#reading;
  }
}

/** The names in upper case, subcommands as `XINFO|STREAM`. */
function readingOf(commands: Reply): Set<string> {
  const names = new Set<string>();
  for (const command of listOf(commands)) {
    const [name, , flags, , , , , , , subcommands] = listOf(command);
    if (listOf(flags).some((flag) => textOf(flag) === "readonly")) {
      names.add(textOf(name).toUpperCase());
    }
    for (const subcommand of readingOf(subcommands ?? null)) names.add(subcommand);
  }
  return names;
}

function listOf(reply: Reply | undefined): readonly Reply[] {
  return Array.isArray(reply) ? reply : [];
}

function textOf(reply: Reply | undefined): string {
  return reply instanceof Uint8Array ? new TextDecoder().decode(reply) : "";
}
