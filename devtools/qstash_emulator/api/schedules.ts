/**
 * Schedules: messages that are published repeatedly.
 *
 * @module
 */
import { Cron } from "croner";
import type { Account } from "../account.ts";
import type { Deduplication } from "../deduplication.ts";
import type { Engine } from "../engine.ts";
import type { ScheduleRecord } from "../records.ts";
import { checkedName, done, json, Refusal } from "../refusal.ts";
import { shownSchedule } from "../views.ts";
import { type Call, notFound } from "./call.ts";
import { commit, prepare } from "./publish.ts";

/** `POST /v2/schedules/<destination>`: creates one, or replaces the one with the same id. */
export async function createSchedule(call: Call, deduplication: Deduplication): Promise<Response> {
  const { account, engine, fields, destination } = call;
  const { limits } = account.settings;
  const cron = fields.get("upstash-cron") ?? "";
  const next = nextTime(cron, account.now());
  const request = fields.get("upstash-schedule-id");
  const id = request === undefined ? account.newId("scd") : checkedName("schedule id", request);
  const body = await call.body(limits.maxMessageBytes);
  const queueName = fields.get("upstash-queue-name");
  const publication = await prepare(account, fields, destination ?? "", body, queueName);
  const known = account.schedules.get(id);
  if (known === undefined && account.schedules.size >= limits.schedules) {
    throw new Refusal(412, "quota maxSchedules exceeded");
  }
  known?.unschedule();
  const schedule: ScheduleRecord = {
    id,
    cron,
    destination: publication.destination,
    ...(queueName === undefined ? {} : { queueName }),
    config: publication.config,
    body,
    createdAtMs: account.now(),
    redacted: publication.redacted,
    paused: false,
    lastStates: new Map(),
    unschedule: () => {},
  };
  account.schedules.set(id, schedule);
  arm(account, engine, deduplication, schedule, next);
  return json({ scheduleId: id });
}

/** `GET /v2/schedules` */
export function listSchedules({ account }: Call): Response {
  return json([...account.schedules.values()].map(shownSchedule));
}

/** `GET /v2/schedules/<id>` */
export function getSchedule(call: Call): Response {
  return json(shownSchedule(find(call)));
}

/** `DELETE /v2/schedules/<id>` */
export function deleteSchedule(call: Call): Response {
  const schedule = find(call);
  schedule.unschedule();
  call.account.schedules.delete(schedule.id);
  call.engine.wake();
  return done();
}

/** `PATCH /v2/schedules/<id>/pause`, and the same by POST */
export function pauseSchedule(call: Call): Response {
  const schedule = find(call);
  schedule.paused = true;
  schedule.unschedule();
  delete schedule.nextMs;
  call.engine.wake();
  return done();
}

/** `PATCH /v2/schedules/<id>/resume`, and the same by POST */
export function resumeSchedule(call: Call, deduplication: Deduplication): Response {
  const schedule = find(call);
  if (schedule.paused) {
    schedule.paused = false;
    const next = nextTime(schedule.cron, call.account.now());
    arm(call.account, call.engine, deduplication, schedule, next);
  }
  return done();
}

/** Publishes the message of a schedule at its time, and then at the next. */
function arm(
  account: Account,
  engine: Engine,
  deduplication: Deduplication,
  schedule: ScheduleRecord,
  nextMs: number | undefined,
): void {
  if (nextMs === undefined) {
    delete schedule.nextMs;
    return;
  }
  schedule.nextMs = nextMs;
  schedule.unschedule = engine.agenda.add(nextMs, () => {
    schedule.lastMs = nextMs;
    trigger(account, engine, deduplication, schedule);
    arm(account, engine, deduplication, schedule, nextTime(schedule.cron, account.now()));
  });
  engine.wake();
}

function trigger(
  account: Account,
  engine: Engine,
  deduplication: Deduplication,
  schedule: ScheduleRecord,
): void {
  const { id, destination, queueName, config, body, redacted } = schedule;
  schedule.lastStates.clear();
  const publication = {
    destination,
    ...(queueName === undefined ? {} : { queueName }),
    scheduleId: id,
    config,
    body,
    redacted,
    deduplicationId: null,
  };
  for (const { messageId } of [commit(account, engine, deduplication, publication)].flat()) {
    schedule.lastStates.set(messageId, "IN_PROGRESS");
  }
}

/**
 * The next time of a cron expression after a time, in Unix milliseconds; undefined if there is none.
 *
 * @throws {Refusal} 400 for anything but five fields, with or without a `CRON_TZ=` before them.
 */
function nextTime(expression: string, afterMs: number): number | undefined {
  const [, timezone = "UTC", pattern = ""] = /^(?:CRON_TZ=(\S+)\s+)?(.*)$/s.exec(expression) ?? [];
  try {
    const cron = new Cron(pattern, { timezone, mode: "5-part", paused: true });
    return cron.nextRun(new Date(afterMs))?.getTime();
  } catch {
    throw new Refusal(400, "invalid cron: want five fields, such as 0 4 * * *");
  }
}

function find({ account, params }: Call): ScheduleRecord {
  const schedule = account.schedules.get(params[0]!);
  if (schedule === undefined) throw notFound("schedule");
  return schedule;
}
