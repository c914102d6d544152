/**
 * Reading a body, never more of it than a limit, at a cost that does not depend on how it is cut into
 * chunks.
 *
 * @module
 */

/** How slowly a body may come. */
export interface BodyPace {
  /** The least, in bytes per second, as an average from the start. */
  readonly bytesPerSecond: number;
  /** How long a body may come at any pace, in milliseconds. */
  readonly graceMs: number;
}

/** For the bodies of requests: no network that works is slower, and whoever is holds a place for as long. */
export const REQUEST_PACE: BodyPace = { bytesPerSecond: 1024, graceMs: 10_000 };

/** What {@linkcode readBytes} takes. */
interface ReadBytesOptions {
  /** How many bytes there will be, as far as that is known: `content-length`. A hint, and not believed. */
  readonly expected?: number;
  /**
   * How slowly they may come.
   *
   * @default as slowly as they like
   */
  readonly pace?: BodyPace;
  /**
   * Gives the first bytes of a body that has more than the limit.
   *
   * @default null
   */
  readonly truncates?: boolean;
}

/** Thrown when a body costs more than its bytes are worth. */
export class CostlyBody extends Error {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "CostlyBody";
  /** What is wrong with how it comes. */
  readonly kind: "too_slow" | "too_fragmented";

  /** Makes an error. */
  constructor(kind: "too_slow" | "too_fragmented") {
    super(`A body is ${kind.replace("_", " ")}`);
    this.kind = kind;
  }
}

/**
 * The most chunks of a body whose limit is not above 4 MiB. Each costs some 5 to 10 microseconds, whatever
 * is in it. A network packet holds a thousand bytes and more, so an ordinary body has far fewer.
 */
export const MAX_CHUNKS: number = 64 * 1024;
/** Where the limit is higher, this many bytes to a chunk on average are enough for a body that is as large. */
const LEAST_CHUNK_BYTES = 64;
/** A first buffer that many bodies fit into, and that costs little. */
const FIRST_BYTES = 4 * 1024;
/** The largest buffer that is made because a caller announces so much. Beyond it the bytes must come first. */
const MAX_FIRST_BYTES = 64 * 1024;
/** How often the pace is looked at, in milliseconds. */
const LOOK_MS = 1_000;

/**
 * The bytes of a body; null when there are more than the limit. What is over it stays unread, and the body is not
 * cancelled: on some servers that would close the connection before the answer is out.
 *
 * Each chunk is copied and let go: one of a single byte may be a view of a buffer of 64 KiB.
 *
 * @throws {CostlyBody} When the body comes more slowly than `pace` allows, or in too many chunks.
 */
export async function readBytes(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  { expected = 0, pace, truncates = false }: ReadBytesOptions = {},
): Promise<Uint8Array<ArrayBuffer> | null> {
  if (body === null) return new Uint8Array();
  const bytes = new GrowingBytes(maxBytes, expected);
  const chunks = chunkReader(body, expected);
  const watch = pace === undefined ? null : new PaceWatch(pace, () => bytes.length);
  const maxChunks = Math.max(MAX_CHUNKS, maxBytes / LEAST_CHUNK_BYTES);
  try {
    for (let count = 0;; count++) {
      const next = chunks.read();
      const { done, value } = await (watch === null ? next : watch.race(next));
      if (done) return bytes.whole();
      if (!bytes.add(value)) {
        if (!truncates) return null;
        bytes.add(value.subarray(0, maxBytes - bytes.length));
        return bytes.whole();
      }
      if (count >= maxChunks) throw new CostlyBody("too_fragmented");
    }
  } finally {
    watch?.end();
    chunks.releaseLock();
  }
}

/** Reads chunk after chunk. A chunk is to be copied before the next one is read. */
interface ChunkReader {
  read(): Promise<ReadableStreamReadResult<Uint8Array>>;
  releaseLock(): void;
}

/**
 * A reader that fills one buffer again and again, where the stream can do that: Deno makes a new one of
 * 64 KiB for each chunk otherwise.
 */
function chunkReader(body: ReadableStream<Uint8Array>, expected: number): ChunkReader {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = body.getReader({ mode: "byob" });
  } catch {
    return body.getReader();
  }
  const size = expected > 0 ? Math.max(expected, MIN_VIEW_BYTES) : DEFAULT_VIEW_BYTES;
  let view = new Uint8Array(Math.min(size, MAX_FIRST_BYTES));
  return {
    async read() {
      const result = await reader.read(view);
      // The buffer was taken from the view, and comes back with what was read.
      if (!result.done) view = new Uint8Array(result.value.buffer);
      return result as ReadableStreamReadResult<Uint8Array>;
    },
    releaseLock: () => reader.releaseLock(),
  };
}

/** The buffer of a body whose length is not known, and the least one, in bytes. */
const DEFAULT_VIEW_BYTES = 16 * 1024;
const MIN_VIEW_BYTES = 1024;

/** A buffer that doubles when it is full, up to a limit. */
class GrowingBytes {
  readonly #maxBytes: number;
  readonly #expected: number;
  #bytes: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(maxBytes: number, expected: number) {
    this.#maxBytes = maxBytes;
    this.#expected = expected;
    const first = expected > 0 ? Math.min(expected, MAX_FIRST_BYTES) : FIRST_BYTES;
    this.#bytes = new Uint8Array(Math.min(first, maxBytes));
  }

  /** Adds a chunk; false when that would be over the limit. */
  add(chunk: Uint8Array): boolean {
    const length = this.length + chunk.byteLength;
    if (length > this.#maxBytes) return false;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.min(this.#next(length), this.#maxBytes));
      larger.set(this.#bytes.subarray(0, this.length));
      this.#bytes = larger;
    }
    this.#bytes.set(chunk, this.length);
    this.length = length;
    return true;
  }

  /** The next size: twice as large, or what was announced once a good part of that is there. */
  #next(length: number): number {
    const doubled = Math.max(2 * this.#bytes.length, length);
    return this.#expected >= length && this.#expected <= 2 * doubled ? this.#expected : doubled;
  }

  /** All of them, in a buffer that has no room left over. */
  whole(): Uint8Array<ArrayBuffer> {
    return this.length === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.length);
  }
}

/** Rejects what waits for a body once that comes too slowly. */
class PaceWatch {
  readonly #pace: BodyPace;
  readonly #received: () => number;
  readonly #startedAtMs = performance.now();
  #timer: ReturnType<typeof setTimeout>;
  #reject: ((error: unknown) => void) | null = null;

  constructor(pace: BodyPace, received: () => number) {
    this.#pace = pace;
    this.#received = received;
    this.#timer = setTimeout(this.#look, pace.graceMs);
  }

  /** What a read comes to, unless the body is too slow before. */
  race<Result>(read: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      read.then(resolve, reject);
    });
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  readonly #look = (): void => {
    const seconds = (performance.now() - this.#startedAtMs) / 1_000;
    if (this.#received() < seconds * this.#pace.bytesPerSecond) {
      return this.#reject?.(new CostlyBody("too_slow"));
    }
    this.#timer = setTimeout(this.#look, LOOK_MS);
  };
}
