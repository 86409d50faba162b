import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { LoadResult } from './clients/load.ts'
import { cpuOf } from './measure/process-usage.ts'
import type { Section } from './measure/section.ts'
import { type Spread, spreadOf } from './measure/statistics.ts'
import { describeSpread, table } from './measure/table.ts'
import { baseline, onKafka, type Scenario, withoutKafka } from './scenarios.ts'
import { type ServerProcess, startServer } from './server-process.ts'

const execute = promisify(execFile)

/** One scenario at one concurrency: medians over the rounds. */
export interface AcceptResult {
  scenario: string
  connections: number
  requestsPerSecond: Spread
  /** Requests per second over those of the baseline in the same round. */
  ratio: Spread
  /** Microseconds of CPU for each request, of the server's process. */
  cpu: Spread
  /** That over the baseline's in the same round. */
  cpuRatio: Spread
  /** Microseconds of CPU for each request, of the processes that it started: PostgreSQL. */
  cpuOfOthers: Spread
  /** Milliseconds of an answer. */
  p50: Spread
  p99: Spread
}

interface Sample {
  scenario: string
  connections: number
  round: number
  requestsPerSecond: number
  cpu: number
  cpuOfOthers: number
  p50: number
  p99: number
}

const connections = [64, 256] as const
/** Seconds until a server's hot code is compiled. */
const warmUp = 3

/** How fast requests are accepted. */
export const accept: Section<AcceptResult[]> = {
  name: 'accept',
  parts: [...withoutKafka, ...onKafka('')].map(({ name }) => name),

  async measure({ rounds, seconds, asked, kafka, report }) {
    const wantsKafka = onKafka('').some(({ name }) => asked(name))
    const address = wantsKafka ? await kafka() : undefined
    const others = [...withoutKafka, ...(address === undefined ? [] : onKafka(address))]
    const scenarios = [baseline, ...others.filter(({ name }) => asked(name))]
    const samples = await measureRounds(scenarios, rounds, seconds, report)
    return connections.flatMap((count) =>
      scenarios.map(({ name }) =>
        summarise(
          name,
          count,
          samples.filter((sample) => sample.connections === count),
        ),
      ),
    )
  },

  describe(results) {
    const rows = results.map((result) => [
      result.scenario,
      String(result.connections),
      describeSpread(result.requestsPerSecond, 0),
      describeSpread(result.ratio, 2),
      describeSpread(result.cpu, 0),
      describeSpread(result.cpuRatio, 1),
      result.cpuOfOthers.median.toFixed(0),
      `${result.p50.median.toFixed(1)} / ${result.p99.median.toFixed(1)}`,
    ])
    const head = ['accept', 'conns', 'requests/s', 'to bare', 'CPU us', 'to bare', 'others', 'p50 / p99 ms']
    return table([head, ...rows])
  },

  ratios: (results) =>
    Object.fromEntries(
      results
        .filter(({ scenario }) => scenario !== baseline.name)
        .flatMap(({ scenario, connections, ratio, cpuRatio }) => [
          [`accept ${scenario} ${connections}: requests/s to bare`, ratio],
          [`accept ${scenario} ${connections}: CPU to bare`, cpuRatio],
        ]),
    ),
}

/**
 * All servers run from the beginning to the end, one of them under load at a time; each round visits all of them, so that what else the
 * machine does falls on all alike.
 */
async function measureRounds(
  scenarios: readonly Scenario[],
  rounds: number,
  seconds: number,
  report: (line: string) => void,
): Promise<Sample[]> {
  const servers: [Scenario, ServerProcess][] = []
  const samples: Sample[] = []
  try {
    for (const scenario of scenarios) {
      report(`starting ${scenario.name}: ${scenario.about}`)
      const server = await startServer(scenario.server, scenario.args)
      servers.push([scenario, server])
      await load(server, scenario, connections[0], warmUp)
    }
    for (let round = 1; round <= rounds; round++) {
      report(`accept: round ${round} of ${rounds}`)
      for (const count of connections) {
        for (const [scenario, server] of servers) {
          const sample = await measure(server, scenario, count, seconds)
          samples.push({ scenario: scenario.name, connections: count, round, ...sample })
        }
      }
    }
  } finally {
    await Promise.all(servers.map(([, server]) => server.stop()))
  }
  return samples
}

async function measure(server: ServerProcess, scenario: Scenario, connections: number, seconds: number) {
  const before = cpuOf(server.pid)
  const { accepted, refused, seconds: took, p50, p99 } = await load(server, scenario, connections, seconds)
  const after = cpuOf(server.pid)
  if (refused > 0) throw new Error(`${refused} requests were not accepted`)
  return {
    requestsPerSecond: accepted / took,
    cpu: (after.own - before.own) / accepted,
    cpuOfOthers: (after.others - before.others) / accepted,
    p50,
    p99,
  }
}

async function load(
  { url }: ServerProcess,
  { keyed }: Scenario,
  connections: number,
  seconds: number,
): Promise<LoadResult> {
  const script = join(import.meta.dirname, 'clients', 'load.ts')
  const args = [url, String(connections), String(seconds), ...(keyed ? ['keyed'] : [])]
  const { stdout } = await execute(process.execPath, [script, ...args])
  return JSON.parse(stdout) as LoadResult
}

function summarise(scenario: string, connections: number, samples: readonly Sample[]): AcceptResult {
  const own = samples.filter((sample) => sample.scenario === scenario)
  const bare = new Map(
    samples.filter((sample) => sample.scenario === baseline.name).map((sample) => [sample.round, sample]),
  )
  const ratioOf = (field: 'requestsPerSecond' | 'cpu') =>
    spreadOf(own.map((sample) => sample[field] / bare.get(sample.round)![field]))
  return {
    scenario,
    connections,
    requestsPerSecond: spreadOf(own.map((sample) => sample.requestsPerSecond)),
    ratio: ratioOf('requestsPerSecond'),
    cpu: spreadOf(own.map(({ cpu }) => cpu)),
    cpuRatio: ratioOf('cpu'),
    cpuOfOthers: spreadOf(own.map(({ cpuOfOthers }) => cpuOfOthers)),
    p50: spreadOf(own.map(({ p50 }) => p50)),
    p99: spreadOf(own.map(({ p99 }) => p99)),
  }
}
