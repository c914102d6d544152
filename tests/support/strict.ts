/**
 * Makes `node:test` under Deno as strict as a reader takes it to be. Loaded before every test file
 * with `--preload`; `tests/laws/strict_test.ts` holds what it promises.
 *
 * Deno 2.9 registers each test of `node:test` with its leak sanitizers off, whatever the flags and
 * deno.json say, and while such tests are pending it swallows uncaught errors: a file that throws
 * after its first test passes, and so does a test whose timer throws. Both are failures here.
 *
 * A test that does not end within {@linkcode LIMIT_MS} fails, and the run goes on with the next file.
 *
 * It notes which tests are under way in the folder `ATLAST_TESTS_UNDER_WAY`, so that a run that hangs can name them.
 *
 * It also drops what buses log of failures on the console, because most tests expect failures. A test of the log
 * replaces the methods of the console.
 *
 * @module
 */

/** Where Deno looks for the place of a test that is registered on behalf of someone else. */
const LOCATION = Symbol.for("Deno.test.location");

/** How long a test of the top level may take, in milliseconds: several times what the longest needs on a busy machine. */
const LIMIT_MS = Number(Deno.env.get("ATLAST_TEST_LIMIT_MS") ?? 8 * 60_000);
/** Taken before a test can replace them by mocks. */
const { setTimeout: setTimer, clearTimeout: clearTimer } = globalThis;
const register = Deno.test;
const uncaught: unknown[] = [];
const underWay = Deno.env.get("ATLAST_TESTS_UNDER_WAY");

globalThis.addEventListener("error", (event) => uncaught.push(event.error ?? event.message));
globalThis.addEventListener("unhandledrejection", (event) => uncaught.push(event.reason));

for (const level of ["error", "warn"] as const) {
  const print = console[level];
  console[level] = (...args: unknown[]) => {
    const [text] = args;
    if (typeof text !== "string" || !text.startsWith("Atlast: ")) print.apply(console, args);
  };
}

Object.defineProperty(Deno, "test", { value: Object.assign(registerStrictly, register) });

// What comes after the last test has no other test to fail.
register.afterAll(failIfUncaught);

function registerStrictly(...args: unknown[]): void {
  const [definition] = args;
  if (!isDefinition(definition)) {
    return Reflect.apply(register, Deno, args);
  }
  const run = async (context: Deno.TestContext): Promise<void> => {
    const ended = noteUnderWay(definition.name);
    try {
      await withinLimit(definition.fn(context));
    } catch (error) {
      // What else this test left behind is its own, and must not fail the next one.
      await takeUncaught();
      throw error;
    } finally {
      ended();
    }
    await failIfUncaught();
  };
  register({
    ...definition,
    fn: Object.assign(run, { [LOCATION]: callSite() }),
    sanitizeOps: true,
    sanitizeResources: true,
    sanitizeExit: true,
  });
}

/** Rejects if the work does not end in time. It cannot stop the work. */
async function withinLimit(work: void | Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimer> | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimer(() => reject(new Error(`It has not ended after ${LIMIT_MS} ms`)), LIMIT_MS);
  });
  try {
    await Promise.race([work, tooLate]);
  } finally {
    clearTimer(timer);
  }
}

/** Notes that a test has begun; the returned function notes that it has ended. */
function noteUnderWay(name: string): () => void {
  if (underWay === undefined) return () => {};
  const file = `${underWay}/${crypto.randomUUID()}`;
  Deno.writeTextFileSync(file, name);
  return () => Deno.removeSync(file);
}

async function takeUncaught(): Promise<unknown[]> {
  // Rejections are reported a turn after they happen.
  await new Promise((resolve) => setTimer(resolve, 0));
  return uncaught.splice(0);
}

async function failIfUncaught(): Promise<void> {
  const errors = await takeUncaught();
  if (errors.length === 0) return;
  const messages = errors.map((error) => error instanceof Error ? error.stack : String(error));
  throw new AggregateError(errors, `Uncaught outside the flow of a test:\n${messages.join("\n")}`);
}

function isDefinition(value: unknown): value is Deno.TestDefinition {
  return typeof value === "object" && value !== null && "fn" in value && "name" in value;
}

/** The first frame outside this file and Deno's own, so that reports name the test's file. */
function callSite(): string | undefined {
  const frames = new Error().stack?.split("\n") ?? [];
  return frames
    .map((frame) => /(file:\/\/.+:\d+:\d+)\)?$/.exec(frame)?.[1])
    .find((place) => place !== undefined && !place.startsWith(import.meta.url));
}
