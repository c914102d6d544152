/**
 * A program that runs on workerd the very bundle whose size is held. Its variables are in the environment,
 * as JSON in `WORKER_VARIABLES`.
 *
 * @module
 */
import { Miniflare } from "miniflare";
import { bundled } from "../../../tools/bundle/bundle.ts";
import { ownPackages } from "../../../tools/bundle/packages.ts";
import { SUBSCRIBER } from "../../../tools/bundle/programs.ts";

const { text } = bundled(SUBSCRIBER.source, ownPackages());
const miniflare = new Miniflare({
  modules: [{ type: "ESModule", path: "worker.js", contents: text }],
  compatibilityDate: "2026-04-01",
  bindings: JSON.parse(Deno.env.get("WORKER_VARIABLES") ?? "{}"),
});
console.log(`Listening on port ${(await miniflare.ready).port}`);

Deno.addSignalListener("SIGTERM", async () => {
  await miniflare.dispose();
  Deno.exit();
});
