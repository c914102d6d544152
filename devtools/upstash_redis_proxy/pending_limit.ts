/**
 * Upstash's limit of pending entries for one consumer of a stream.
 *
 * @module
 */
import { type Argument, argumentText, type RestCommand } from "./command.ts";
import type { RedisCall } from "./permissions.ts";
import type { Reply } from "./reply.ts";

/** The parsed arguments of an `XREADGROUP` for new entries. */
interface Reading {
  readonly group: Argument;
  readonly consumer: Argument;
  /** Null for all entries. */
  readonly count: number | null;
  /** The streams that it reads new entries of. */
  readonly keys: readonly Argument[];
}

/**
 * The error for an `XREADGROUP` after which its consumer could reach the limit; null for one that cannot, and
 * for every other command.
 */
export async function pendingProblem(
  command: RestCommand,
  limit: number,
  call: RedisCall,
): Promise<string | null> {
  const reading = readingOf(command);
  if (reading === null) return null;
  for (const key of reading.keys) {
    const pending = await pendingOf(key, reading, call);
    const requested = reading.count ?? Number(await call({ name: "XLEN", args: [key] }));
    if (pending + requested <= limit) continue;
    return "ERR XReadGroup is cancelled. Pending Entries List limit per consumer is about to be " +
      `reached. Limit: ${limit}, Current PEL size: ${pending}, Requested Read: ${requested}, ` +
      `Key: ${text(key)}, Group: ${text(reading.group)}, Consumer: ${text(reading.consumer)}`;
  }
  return null;
}

function readingOf({ name, args }: RestCommand): Reading | null {
  const [, group, consumer] = args;
  if (name !== "XREADGROUP" || group === undefined || consumer === undefined) return null;
  const options = args.map(argumentText);
  const streams = options.indexOf("STREAMS", 3);
  if (streams < 0 || options.slice(3, streams).includes("NOACK")) return null;
  const rest = args.slice(streams + 1);
  const half = rest.length / 2;
  const count = options.slice(0, streams).indexOf("COUNT", 3);
  return {
    group,
    consumer,
    count: count < 0 ? null : Number(options[count + 1]),
    keys: rest.slice(0, half).filter((_, at) => argumentText(rest[half + at]) === ">"),
  };
}

/** `XPENDING` sums up by consumer: `[total, first, last, [[consumer, count], …]]`. */
async function pendingOf(
  key: Argument,
  { group, consumer }: Reading,
  call: RedisCall,
): Promise<number> {
  const summary = await call({ name: "XPENDING", args: [key, group] });
  const consumers = Array.isArray(summary) ? (summary as readonly Reply[])[3] : null;
  if (!Array.isArray(consumers)) return 0;
  const own = (consumers as readonly Reply[][]).find(([name]) => text(name) === text(consumer));
  return own === undefined ? 0 : Number(text(own[1]));
}

function text(value: Argument | Reply | undefined): string {
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value);
}
