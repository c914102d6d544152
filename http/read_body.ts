/**
 * Reads a body up to a limit, at a cost that does not depend on how it is divided into chunks.
 *
 * @module
 */

/** The least pace of a body. */
export interface BodyPace {
  /** The least average from the start, in bytes per second. */
  readonly bytesPerSecond: number;
  /** For how long any pace is allowed, in milliseconds. */
  readonly graceMs: number;
}

/**
 * The pace for bodies of requests. Working networks are faster, and a slower sender would occupy a
 * connection.
 */
export const REQUEST_PACE: BodyPace = { bytesPerSecond: 1024, graceMs: 10_000 };

/** The options of {@linkcode readBytes}. */
interface ReadBytesOptions {
  /** The expected number of bytes, from `content-length`. It is only a hint. */
  readonly expected?: number;
  /**
   * The least pace.
   *
   * @default any pace
   */
  readonly pace?: BodyPace;
  /**
   * Whether to return the first bytes of a body that exceeds the limit, and not null.
   *
   * @default false
   */
  readonly truncates?: boolean;
}

/** Thrown when a body arrives too slowly or in too many chunks. */
export class CostlyBody extends Error {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "CostlyBody";
  /** The problem. */
  readonly kind: "too_slow" | "too_fragmented";

  /** Creates an error. */
  constructor(kind: "too_slow" | "too_fragmented") {
    super(`A body is ${kind.replace("_", " ")}`);
    this.kind = kind;
  }
}

/**
 * The most chunks of a body whose limit is not above 4 MiB. Each costs 5 to 10 microseconds,
 * regardless of its size. A network packet has a thousand bytes and more, so an ordinary body has
 * far fewer chunks.
 */
export const MAX_CHUNKS: number = 64 * 1024;
/** With a higher limit, the least average size of a chunk, in bytes. */
const LEAST_CHUNK_BYTES = 64;
/** The size of the first buffer, in bytes. Many bodies fit in it. */
const FIRST_BYTES = 4 * 1024;
/**
 * The largest first buffer for an announced size. A larger buffer is only created when that many
 * bytes arrive.
 */
const MAX_FIRST_BYTES = 64 * 1024;
/** How often the pace is checked, in milliseconds. */
const LOOK_MS = 1_000;

/**
 * Reads the bytes of a body; null when there are more than the limit. The rest stays unread, and
 * the body is not cancelled, because on some servers that would close the connection before the
 * response is sent.
 *
 * Each chunk is copied, because a chunk of one byte may be a view of a buffer of 64 KiB.
 *
 * @throws {CostlyBody} When the body arrives more slowly than `pace` allows, or in too many chunks.
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

/** Reads chunks. A chunk must be copied before the next one is read. */
interface ChunkReader {
  read(): Promise<ReadableStreamReadResult<Uint8Array>>;
  releaseLock(): void;
}

/**
 * A reader that reuses one buffer, if the stream supports that. Otherwise Deno creates a buffer of
 * 64 KiB for each chunk.
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
      // The buffer was transferred to the stream, and is returned with the result.
      if (!result.done) view = new Uint8Array(result.value.buffer);
      return result as ReadableStreamReadResult<Uint8Array>;
    },
    releaseLock: () => reader.releaseLock(),
  };
}

/** The size of the read buffer for a body of unknown length, and the least size, in bytes. */
const DEFAULT_VIEW_BYTES = 16 * 1024;
const MIN_VIEW_BYTES = 1024;

/** A buffer that doubles its size when it is full, up to a limit. */
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

  /** Adds a chunk; false when that would exceed the limit. */
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

  /** The next size: twice as large, or the announced size when a good part of it has arrived. */
  #next(length: number): number {
    const doubled = Math.max(2 * this.#bytes.length, length);
    return this.#expected >= length && this.#expected <= 2 * doubled ? this.#expected : doubled;
  }

  /** All bytes, in a buffer of exactly that size. */
  whole(): Uint8Array<ArrayBuffer> {
    return this.length === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.length);
  }
}

/** Rejects a pending read when the body is too slow. */
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

  /** Settles like `read`, or rejects when the body is too slow. */
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
