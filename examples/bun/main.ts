/**
 * A service of the shop on Bun: one process that stays. Bun serves what a program exports.
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
