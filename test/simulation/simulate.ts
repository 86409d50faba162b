import { checkCommit, checkEnd, isSettled } from './invariants.ts'
import type { Disruption } from './process.ts'
import type { Scenario } from './scenario.ts'
import { type Mutation, World } from './world.ts'

/** What one run came to. */
export interface Report {
  /** Every port call, in order. */
  calls: string[]
  /** Guarantees that did not hold. */
  problems: string[]
  /** Messages that arrived again, each with a stated cause. */
  duplicates: number
  log: string[]
}

export interface RunOptions {
  scenario: Scenario
  seed: number
  disruption?: Disruption
  mutation?: Mutation
}

/** Virtual milliseconds within which everything must have ended. */
const patience = 120_000
/** Virtual milliseconds in which whatever may come late, comes. */
const calm = 10_000

/** Lives through a scenario, ends every process in order, starts them once more, and looks at what became of it. */
async function run({ scenario, seed, disruption, mutation }: RunOptions): Promise<Report> {
  const world: World = new World({
    scenario,
    seed,
    disruption,
    mutation,
    onCommit: (group, partition, offset) => checkCommit(world, group, partition, offset),
  })
  const { time, problems } = world
  world.start()
  const last = Math.max(
    0,
    ...[...scenario.requests, ...scenario.events].map((entry) => ('at' in entry ? entry.at : 0)),
  )
  await time.runUntil(() => false, last)
  if (!(await time.runUntil(() => isSettled(world), patience))) problems.add('not settled in time')
  await time.runUntil(() => false, calm)
  world.stopAll()
  if (!(await time.runUntil(() => world.stopped, patience))) problems.add('not stopped in time')
  const calls = [...world.calls]
  world.startAll()
  await time.runUntil(() => false, calm)
  const { duplicates } = checkEnd(world, disruption !== undefined)
  return { calls, problems: [...problems], duplicates, log: world.log }
}

/** One of the runs of a scenario: undisturbed, or with the disruption that is named. */
export interface Run extends Report {
  what: string
}

/** Runs a scenario once, and then twice for each of its port calls: disturbed before the effect, and after it. */
export async function* runAll(
  options: Omit<RunOptions, 'disruption'>,
  kind: Disruption['kind'],
): AsyncGenerator<Run> {
  const first = await run(options)
  yield { ...first, what: 'undisturbed' }
  for (const [call, name] of first.calls.entries()) {
    for (const when of ['before', 'after'] as const) {
      const report = await run({ ...options, disruption: { call, when, kind } })
      yield { ...report, what: `${kind} ${when} call ${call}, ${name}` }
    }
  }
}
