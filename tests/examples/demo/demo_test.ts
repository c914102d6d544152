import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { describe, test } from "node:test";
import { connect, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { redisProblem } from "../../support/redis_server.ts";
import { ROOT } from "../../support/repository.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
const problem = redisProblem();
const ORDERS = 60;

describe("the demo", () => {
  test("adds up on PGlite", async () => checkRun(await demo()));

  test(
    "adds up on Postgres, and leaves no schema there",
    url === null ? { skip: skipFor(NO_POSTGRES) } : {},
    async () => {
      const { code, output } = await demo("--database-url", url as string);
      checkRun({ code, output });
      const schemas = [...output.matchAll(/atlast_demo_\w+/g)].map(([schema]) => schema);
      assert.equal(schemas.length, 3);
      const sql = connect(url as string, { max: 1 });
      try {
        const left = await sql`select from pg_namespace where nspname in ${sql(schemas)}`;
        assert.equal(left.length, 0);
      } finally {
        await sql.end();
      }
    },
  );

  test(
    "adds up on Upstash Redis, which is killed in the middle",
    problem === null ? {} : { skip: skipFor(problem) },
    async () => {
      const { code, output } = await demo("--store", "upstash-redis");
      checkRun({ code, output });
      assert.match(output, /redis +SIGKILL of the Redis server/);
      assert.match(output, /would have billed \d+ commands/);
    },
  );

  test("refuses arguments it does not know", async () => {
    const { code, output } = await demo("--twice");
    assert.equal(code, 2);
    assert.equal(output, "");
  });
});

function checkRun({ code, output }: { code: number | null; output: string }): void {
  const last = output.trimEnd().split("\n").at(-1) ?? "";
  const line =
    /^demo: (\d+) orders, (\d+) succeeded, (\d+) compensated, (\d+) redelivered, 0 lost, 0 doubled$/;
  const numbers = line.exec(last)?.slice(1).map(Number);
  assert.ok(code === 0 && numbers !== undefined, `exit code ${code}, and this output:\n${output}`);
  const [orders = 0, succeeded = 0, compensated = 0, redelivered = 0] = numbers;
  assert.equal(orders, ORDERS);
  assert.equal(succeeded + compensated, ORDERS);
  assert.ok(succeeded > 0 && compensated > 0 && redelivered > 0, last);
  assert.match(output, /^seed 7$/m);
  assert.match(output, /SIGKILL, with the deduction of order \d+ written/);
  assert.match(output, /SIGKILL, with the payment of order \d+ prepared and not yet begun/);
  assert.match(output, /SIGKILL, with the payment of order \d+ committed in the bank/);
  assert.match(output, /check-back +.* taken: confirmed/);
  assert.match(output, /check-back +.* no more be taken: cancelled/);
  assert.match(output, /compensated: cannot be paid, goods returned/);
  assert.match(output, /not applied again/);
  assert.match(output, /inventory gave up on/);
  // deno-lint-ignore no-control-regex -- colours are for terminals.
  assert.doesNotMatch(output, /\x1b/);
}

async function demo(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [
    ...["run", "--quiet", "--allow-all", `${ROOT}examples/demo/main.ts`],
    ...["--once", "--orders", String(ORDERS), "--seed", "7", ...args],
  ], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  const [code] = await once(child, "close") as [number | null];
  if (code === 1) output += `\n${errors}`;
  return { code, output };
}
