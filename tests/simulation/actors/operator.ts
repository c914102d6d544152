/**
 * An operator, or a publisher that changed its mind: cancels, retries, sends now and moves.
 *
 * @module
 */
import { groupsIn, OLD_GROUP, Reminder } from "../contracts.ts";
import type { Entry } from "../ledger.ts";
import type { World } from "../world.ts";
import type { Actor } from "./actor.ts";

/** In how many rounds a message is tried at the most. */
const ROUNDS = 3;

/** Does by hand what the bus offers. */
export const operator: Actor = {
  name: "operator",
  act(world) {
    cancel(world);
    retry(world);
    sendNow(world);
    move(world, (group) => world.faults.happens("operator_moves", null, group));
    if (world.stream("operator")() < 0.3) checkAgain(world);
    if (world.plan.theme === "doubt" && world.stream("operator")() < 0.5) resolve(world);
  },
  /** What parked in doubt is checked again or decided, and what is in a group that nobody handles is moved. */
  settle(world) {
    move(world, () => true);
    if (world.stream("resolving")() < 0.5) resolve(world);
    else checkAgain(world);
  },
};

/** Decides what parked in doubt, by chance: what contradicts the fence is refused. */
function resolve(world: World): void {
  const instance = world.aliveOf(world.orders);
  for (const { record: { id, state } } of world.ledger.open) {
    // The bus lets an operator decide while the operation runs, and then the operator must know.
    const isRunning = world.story.operations.get(id)?.isDead === false;
    if (state !== "in_doubt" || isRunning) continue;
    const decision = world.stream("resolving")() < 0.5 ? "confirm" : "cancel";
    instance?.bus.resolve(id, decision, { by: "operator", reason: "by chance" }).catch(ignore);
  }
}

function checkAgain(world: World): void {
  const instance = world.aliveOf(world.orders);
  for (const { record: { id, state } } of world.ledger.open) {
    if (state === "in_doubt") instance?.bus.checkAgain(id).catch(ignore);
  }
}

function cancel(world: World): void {
  const { faults, story } = world;
  const recent = story.promised.slice(-6).filter((id) => !id.startsWith("half"));
  const id = faults.pick("operator_cancels", recent);
  const instance = world.aliveOf(world.orders);
  if (id === undefined || instance === undefined) return;
  if (!faults.happens("operator_cancels", "orders", id)) return;
  instance.bus.cancel(id).then((answer) => {
    world.event(`cancel of ${id}: ${answer}`);
    if (answer === "cancelled") story.cancelled.add(id);
  }, ignore);
}

function retry(world: World): void {
  const { faults, ledger } = world;
  const entry = faults.pick(
    "operator_retries",
    [...ledger.failed].filter(({ record }) => (record.details?.round ?? 1) < ROUNDS),
  );
  if (entry === undefined) return;
  const instance = world.aliveOf(world[entry.service]);
  if (instance === undefined) return;
  if (!faults.happens("operator_retries", entry.service, entry.record.id)) return;
  instance.bus.retry(keyOf(entry)).catch(ignore);
}

function sendNow(world: World): void {
  const { faults, ledger, time } = world;
  const waiting = [...ledger.open].filter(({ record: { state, dueAtMs, leaseUntilMs } }) =>
    state === "scheduled" && leaseUntilMs === null && dueAtMs > time.nowMs
  );
  const entry = faults.pick("operator_sends", waiting);
  if (entry === undefined) return;
  const instance = world.aliveOf(world[entry.service]);
  if (instance === undefined) return;
  if (!faults.happens("operator_sends", entry.service, entry.record.id)) return;
  world.story.sentNow.add(entry.record.id);
  instance.bus.sendNow(keyOf(entry)).catch(ignore);
}

/** Moves messages of a group that nobody handles any more. */
function move(world: World, wants: (group: string) => boolean): void {
  const { orders, ledger } = world;
  if (orders.instances.some(({ isOld, process }) => isOld && !process.isDead)) return;
  if (![...ledger.open].some(({ record: { group } }) => group === OLD_GROUP)) return;
  const instance = world.aliveOf(orders);
  if (instance === undefined || !wants(OLD_GROUP)) return;
  const [to = ""] = groupsIn("orders", Reminder.name);
  instance.bus.moveToGroup({ name: Reminder.name, from: OLD_GROUP, to }).catch(ignore);
}

function keyOf({ box, record: { id, group } }: Entry) {
  return { box, id, group };
}

/** What an operator is refused is no fault of the bus. */
function ignore(): void {}
