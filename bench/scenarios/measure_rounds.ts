/**
 * Measures a scenario for each subject, as many rounds as the amounts say.
 *
 * @module
 */
import type { Environment } from "../fixtures/fixture.ts";
import { UnmeasurableError } from "../measurements/measurement.ts";
import { SCENARIOS } from "../plan.ts";
import { formatNumber } from "../results/format.ts";
import type { Run, ScenarioRuns } from "../results/results.ts";
import type { Scenario } from "../scenario.ts";
import { loadSubject, ON_REDIS, PEERS, type SubjectName } from "../subjects/registry.ts";
import { measureScenario } from "./measure_scenario.ts";

/** Measures those of the subjects that the scenario names. */
export async function measureRounds(
  environment: Environment,
  scenario: Scenario,
  subjects: readonly SubjectName[],
): Promise<ScenarioRuns> {
  const names = scenario.subjects.filter((name) =>
    subjects.includes(name) && (!ON_REDIS.includes(name) || environment.redis !== null)
  );
  const runs = new Map<SubjectName, Run[]>(names.map((name) => [name, []]));
  // Subjects alternate within a round, so that other load on the machine affects all of them.
  for (let round = 1; round <= environment.amounts.runs; round++) {
    const measure = async (name: SubjectName) => {
      const run = await measureRun(environment, scenario, name, round);
      if (run !== null) runs.get(name)?.push(run);
    };
    // Idle workers do not slow each other down, so they are measured at the same time.
    if (scenario.workload.kind === "idle") await Promise.all(names.map(measure));
    else for (const name of names) await measure(name);
  }
  return { scenario, runs };
}

/** Measures one subject once, after its control. Null, with a message printed, if a peer fails. */
async function measureRun(
  environment: Environment,
  scenario: Scenario,
  name: SubjectName,
  round: number,
): Promise<Run | null> {
  const subject = await loadSubject(name);
  const control = SCENARIOS.find((other) => other.name === scenario.control);
  try {
    const controlMeasurement = control === undefined
      ? null
      : await measureScenario(environment, control, name, subject);
    const measurement = await measureScenario(environment, scenario, name, subject);
    const { value, second } = measurement;
    const values = [value, ...(second === null ? [] : [second])].map(formatNumber).join(" / ");
    console.log(`${scenario.name}  round ${round}  ${name}: ${values} ${scenario.unit}`);
    return { round, measurement, control: controlMeasurement };
  } catch (error) {
    // A failure of Atlast or `ref` is a bug of ours and ends the bench. One of a peer is left out.
    if (!PEERS.includes(name) && !(error instanceof UnmeasurableError)) throw error;
    console.error(`${scenario.name}  round ${round}  ${name}: ${error}`);
    return null;
  }
}
