/**
 * A service of the shop on Bun, in a process that keeps running. Bun serves the default export.
 *
 * @module
 */
import process from "node:process";
import { openService } from "../shop/service.ts";

const service = openService(process.env);
await service.start();

process.once("SIGTERM", async () => {
  await service.close();
  process.exit();
});

export default { port: Number(process.env["PORT"] ?? 3000), fetch: service.fetch };
