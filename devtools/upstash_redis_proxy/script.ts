/**
 * Adapts Upstash's scripts to a Redis server, which rejects the flag `allow-key-locking`. The proxy removes
 * the flag, and the hash of the original text still finds the script.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { type Argument, argumentText, type RestCommand } from "./command.ts";

const RUNS = new Set(["EVAL", "EVAL_RO", "EVALSHA", "EVALSHA_RO", "FCALL", "FCALL_RO"]);
const FLAG = "allow-key-locking";

/** Whether a command runs a script or a function, whose calls are billed. */
export function runsScript({ name }: RestCommand): boolean {
  return RUNS.has(name);
}

/** A command on its way to Redis. */
export interface OnItsWay {
  /** The form for a Redis server. */
  readonly command: RestCommand;
  /** The hash for the user, in place of the one that `SCRIPT LOAD` answers. */
  readonly hash?: string;
}

/** The scripts whose text was changed, by the hash of the original text. */
export class ChangedScripts {
  readonly #hashes = new Map<string, string>();

  /** The command in the form for a Redis server. */
  async forRedis(command: RestCommand): Promise<OnItsWay> {
    const { name, args: [first, second, ...rest] } = command;
    if (first === undefined) return { command };
    const others = second === undefined ? [] : [second, ...rest];
    if (name === "EVAL" || name === "EVAL_RO") {
      const { script } = await this.#withoutFlag(first);
      return { command: { name, args: [script, ...others] } };
    }
    if (name === "EVALSHA" || name === "EVALSHA_RO") {
      return { command: { name, args: [this.#kept(first), ...others] } };
    }
    if (name === "SCRIPT" && argumentText(first) === "EXISTS") {
      return { command: { name, args: [first, ...others.map((hash) => this.#kept(hash))] } };
    }
    if (name === "SCRIPT" && argumentText(first) === "LOAD" && second !== undefined) {
      const { script, hash } = await this.#withoutFlag(second);
      const changed = { name, args: [first, script, ...rest] };
      return hash === undefined ? { command: changed } : { command: changed, hash };
    }
    if (name === "FUNCTION" && argumentText(first) === "LOAD") {
      return { command: { name, args: [first, ...others.map(withoutFlagOfFunctions)] } };
    }
    return { command };
  }

  #kept(hash: Argument): Argument {
    return this.#hashes.get(argumentText(hash).toLowerCase()) ?? hash;
  }

  async #withoutFlag(script: Argument): Promise<{ script: Argument; hash?: string }> {
    const text = typeof script === "string" ? script : Buffer.from(script).toString("utf8");
    const changed = withoutFlag(text);
    if (changed === text) return { script };
    const hash = await sha1(text);
    this.#hashes.set(hash, await sha1(changed));
    return { script: changed, hash };
  }
}

/** Removes the flag from the first line, and also `flags=` when no other flag is left. */
function withoutFlag(script: string): string {
  const [line] = script.split("\n", 1);
  if (!line!.startsWith("#!") || !line!.includes(FLAG)) return script;
  const changed = line!.replace(/\s+flags=(\S+)/, (_, list: string) => {
    const flags = list.split(",").filter((flag) => flag !== FLAG);
    return flags.length === 0 ? "" : ` flags=${flags.join(",")}`;
  });
  return changed + script.slice(line!.length);
}

/** The same for a library, whose functions have the flag in a table such as `{'allow-key-locking'}`. */
function withoutFlagOfFunctions(part: Argument): Argument {
  return typeof part === "string" ? part.replace(/(['"])allow-key-locking\1\s*,?/g, "") : part;
}

async function sha1(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return Buffer.from(hash).toString("hex");
}
