import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { LoadResult } from './load.ts'
import { cpuOf } from './process-cpu.ts'
import { baseline, type Scenario } from './scenarios.ts'
import { type ServerProcess, startServer } from './server-process.ts'
import { type Spread, spreadOf } from './statistics.ts'

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

export interface AcceptOptions {
  rounds: number
  /** Seconds of each load. */
  seconds: number
  connections: readonly number[]
  /** The baseline is one of them. */
  scenarios: readonly Scenario[]
  report: (line: string) => void
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

/** Seconds until a server's hot code is compiled. */
const warmUp = 3

/**
 * How fast requests are accepted. All servers run from the beginning to the end, one of them under load at a time; each round visits all
 * of them, so that what else the machine does falls on all alike.
 */
export async function measureAccept(options: AcceptOptions): Promise<AcceptResult[]> {
  const { rounds, seconds, connections, scenarios, report } = options
  const servers: [Scenario, ServerProcess][] = []
  const samples: Sample[] = []
  try {
    for (const scenario of scenarios) {
      report(`starting ${scenario.name}: ${scenario.about}`)
      const server = await startServer(scenario.server, scenario.args)
      servers.push([scenario, server])
      await load(server, connections[0]!, warmUp)
    }
    for (let round = 1; round <= rounds; round++) {
      report(`round ${round} of ${rounds}`)
      for (const count of connections) {
        for (const [{ name }, server] of servers) {
          const sample = await measure(server, count, seconds)
          samples.push({ scenario: name, connections: count, round, ...sample })
        }
      }
    }
  } finally {
    await Promise.all(servers.map(([, server]) => server.stop()))
  }
  return connections.flatMap((count) =>
    scenarios.map(({ name }) =>
      summarise(
        name,
        count,
        samples.filter((sample) => sample.connections === count),
      ),
    ),
  )
}

async function measure(server: ServerProcess, connections: number, seconds: number) {
  const before = cpuOf(server.pid)
  const { accepted, refused, seconds: took, p50, p99 } = await load(server, connections, seconds)
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

async function load({ url }: ServerProcess, connections: number, seconds: number): Promise<LoadResult> {
  const script = join(import.meta.dirname, 'load.ts')
  const { stdout } = await execute(process.execPath, [script, url, String(connections), String(seconds)])
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
