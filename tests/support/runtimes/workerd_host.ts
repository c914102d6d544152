/**
 * A program that runs a Worker on workerd: the line `tick` on its standard input calls its
 * `scheduled()`. Argument: the folder of its wrangler.jsonc. Environment: `WORKER_VARIABLES`.
 *
 * @module
 */
import { Miniflare } from "miniflare";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [folder = ""] = Deno.args;
const { DATABASE_URL = "", ...bindings }: Record<string, string> = JSON.parse(
  Deno.env.get("WORKER_VARIABLES") ?? "{}",
);
// JSON with comments is an expression of JavaScript.
const wrangler = new Function(`return ${readFileSync(join(folder, "wrangler.jsonc"), "utf8")}`)();

const miniflare = new Miniflare({
  modules: [{ type: "ESModule", path: "worker.js", contents: await bundle() }],
  compatibilityDate: wrangler.compatibility_date,
  compatibilityFlags: wrangler.compatibility_flags,
  bindings,
  hyperdrives: { HYPERDRIVE: withPassword(DATABASE_URL) },
});
console.log(`Listening on port ${(await miniflare.ready).port}`);

Deno.addSignalListener("SIGTERM", end);

// Its own types want those of the Workers platform, which would take the place of Deno's.
const worker = await miniflare.getWorker() as unknown as Scheduled;
const [cron] = wrangler.triggers.crons;
for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  for (const _ of text.matchAll(/^tick$/gm)) {
    const { outcome } = await worker.scheduled({ cron });
    if (outcome !== "ok") console.log(`scheduled: ${outcome}`);
    console.log("ticked");
  }
}
// Whoever started it is gone.
await end();

async function end(): Promise<void> {
  await miniflare.dispose();
  Deno.exit();
}

interface Scheduled {
  scheduled(event: { readonly cron: string }): Promise<{ readonly outcome: string }>;
}

/** The Worker in one file; made once, whatever the number of hosts. */
async function bundle(): Promise<string> {
  const path = join(folder, "worker.bundle.js");
  if (!existsSync(path)) {
    const own = `${path}.${Deno.pid}`;
    writeFileSync(own, await bundled());
    renameSync(own, path);
  }
  return readFileSync(path, "utf8");
}

/** As wrangler bundles it. */
async function bundled(): Promise<string> {
  const { build } = await import("esbuild");
  const { outputFiles: [file] } = await build({
    entryPoints: [join(folder, wrangler.main)],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    mainFields: ["browser", "module", "main"],
    external: ["cloudflare:*", "node:*"],
    logLevel: "error",
  });
  return file!.text;
}

/** Miniflare insists on a password, also for a database that trusts us. */
function withPassword(url: string): string {
  const whole = new URL(url);
  whole.password ||= "none";
  return whole.href;
}
