/**
 * `deno task test`: runs every check, the cheapest first, and then all tests. Stops at the first check that
 * fails. The last line is `N passed, N failed, N skipped`, counted from the report of the test run.
 *
 * With arguments only the tests run: paths and flags go to `deno test`, anything else filters by name.
 *
 * @module
 */
import {
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import deno from "../deno.json" with { type: "json" };
import { countTests, readReport, type TestCase } from "./report.ts";

/** One check: its name, and the arguments for `deno`. */
interface Step {
  readonly name: string;
  readonly args: readonly string[];
}

const IN_CI = process.env["CI"] === "true";
const REPORT = ".tmp/junit.xml";
const UNDER_WAY = ".tmp/tests-under-way";
/** After how long without a line a test run hangs, in milliseconds. The longest step takes a quarter of that. */
const SILENT_MS = 10 * 60_000;
const USER_CONFIG = ".tmp/user.json";
/** Tests run in a time zone with an odd offset and summer time, so that none depends on the zone of the machine. */
const TEST_ZONE = "Pacific/Chatham";
/** The form of the reason of a skipped suite; see tests/support/skip.ts. */
const SKIP_LINE = /^skip: (.*)$/gm;

process.chdir(new URL("..", import.meta.url).pathname);
process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  if (args.length === 0) {
    for (const step of steps()) {
      console.log(`\n== ${step.name}: deno ${shortened(step.args)}`);
      const { code } = await run(step.args);
      if (code !== 0) {
        console.log(`\nStopped: ${step.name} failed, so the tests did not run`);
        return code;
      }
    }
  }
  console.log("\n== tests");
  return await runTests(args);
}

function steps(): Step[] {
  const entries = Object.values(deno.exports);
  return [
    // With a lock file that does not match deno.json, the tests would run other versions than the committed
    // ones.
    ...(IN_CI ? [{ name: "lock file", args: ["ci"] }] : []),
    { name: "format", args: ["fmt", "--check"] },
    { name: "lint", args: ["lint"] },
    { name: "types", args: ["check", "."] },
    {
      name: "purity of core",
      args: ["check", "--config", "tests/config/pure.json", ...globSync("core/**/*.ts").sort()],
    },
    {
      name: "types in a project of a user's",
      args: ["check", "--no-lock", "--config", writeUserConfig(), ...entries],
    },
    { name: "docs", args: ["doc", "--lint", ...entries] },
    { name: "examples in docs", args: ["check", "--doc-only", ...shippedFiles(), ...pages()] },
    {
      name: "package",
      // Packing requires a committed tree, which is rare during work.
      args: ["publish", "--dry-run", ...(IN_CI ? [] : ["--allow-dirty"])],
    },
  ];
}

/** Writes a configuration without our compiler options: users of the sources have only Deno's default ones. */
function writeUserConfig(): string {
  const imports = Object.entries(deno.imports)
    .map(([name, target]) => [name, target.replace(/^\.\//, "../")]);
  mkdirSync(dirname(USER_CONFIG), { recursive: true });
  writeFileSync(USER_CONFIG, JSON.stringify({ imports: Object.fromEntries(imports) }));
  return USER_CONFIG;
}

/** The arguments for display: a long list of files is shortened. */
function shortened(args: readonly string[]): string {
  return args.length <= 6 ? args.join(" ") : `${args.slice(0, 4).join(" ")} … (${args.length})`;
}

function shippedFiles(): string[] {
  return [
    "mod.ts",
    "ports.ts",
    ...globSync("{core,bus,http,adapters,edge,client,devtools}/**/*.ts").sort(),
  ];
}

/** The pages whose programs are checked, except those marked `ts ignore`. */
function pages(): string[] {
  return ["README.md", ...globSync("docs/**/*.md").sort()];
}

async function runTests(args: readonly string[]): Promise<number> {
  mkdirSync(".tmp", { recursive: true });
  rmSync(REPORT, { force: true });
  rmSync(UNDER_WAY, { recursive: true, force: true });
  mkdirSync(UNDER_WAY);
  const isForDeno = (arg: string): boolean => arg.startsWith("-") || existsSync(arg);
  const { code, output } = await run([
    "test",
    "--allow-all",
    "--parallel",
    "--preload=tests/support/strict.ts",
    `--junit-path=${REPORT}`,
    ...args.filter(isForDeno),
    ...args.filter((arg) => !isForDeno(arg)).map((filter) => `--filter=${filter}`),
    ...(args.some((arg) => existsSync(arg)) ? [] : ["tests/"]),
  ], {
    env: { TZ: TEST_ZONE, ATLAST_TESTS_UNDER_WAY: resolve(UNDER_WAY) },
    silent: { forMs: SILENT_MS, report: reportUnderWay },
  });
  const cases = existsSync(REPORT) ? readReport(readFileSync(REPORT, "utf8")) : [];
  reportSkips(cases, output);
  const { passed, failed, skipped } = countTests(cases);
  // A file that cannot be loaded has no test in the report, but the run still failed.
  const failures = code === 0 ? failed : Math.max(failed, 1);
  console.log(`\n${passed} passed, ${failures} failed, ${skipped} skipped`);
  return code !== 0 ? code : failures > 0 ? 1 : 0;
}

function reportUnderWay(): void {
  console.log(`\nStopped: no test has ended for ${SILENT_MS / 60_000} minutes. Under way:`);
  for (const file of readdirSync(UNDER_WAY)) {
    console.log(`- ${readFileSync(join(UNDER_WAY, file), "utf8")}`);
  }
}

function reportSkips(cases: readonly TestCase[], output: string): void {
  const skipped = cases.filter((test) => test.outcome === "skipped");
  if (skipped.length === 0) return;
  const reasons = new Set(Array.from(output.matchAll(SKIP_LINE), (found) => found[1]));
  console.log("\nSkipped, because:");
  for (const reason of reasons) console.log(`  ${reason}`);
  for (const { name } of skipped) console.log(`- ${name}`);
}

/** How a command is run. */
interface RunOptions {
  readonly env?: Record<string, string>;
  /** What happens when it prints nothing for a while: it is reported, and killed. */
  readonly silent?: { readonly forMs: number; readonly report: () => void };
}

/** Runs the same Deno, shows its output, and returns it. */
async function run(
  args: readonly string[],
  { env = {}, silent }: RunOptions = {},
): Promise<{ code: number; output: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    env,
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const stop = () => {
    silent?.report();
    child.kill("SIGKILL");
  };
  let timer = silent === undefined ? undefined : setTimeout(stop, silent.forMs);
  let output = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    process.stdout.write(text);
    output += text;
    if (timer === undefined) continue;
    clearTimeout(timer);
    timer = setTimeout(stop, silent?.forMs);
  }
  clearTimeout(timer);
  return { code: (await child.status).code, output };
}
