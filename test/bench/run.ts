/**
 * `make bench`: measures and prints how the ratios moved since `baseline.json`. Kafka is measured when it is there (`make real-parts`).
 * ARGS: `--rounds 5`, `--seconds 3` of each load, `--records 20000` of `drain`, `--only roles` (a section or a part of one; may be repeated), `--save` makes the
 * result the new baseline, which keeps the sections that were not measured.
 */
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type KafkaCluster, startKafka } from '../harness/kafka/kafka.ts'
import { part } from '../harness/parts/parts.ts'
import { accept } from './accept.ts'
import { deliver } from './deliver.ts'
import { dev } from './dev.ts'
import { drain } from './drain.ts'
import { latency } from './latency.ts'
import { mail } from './mail.ts'
import { compare } from './measure/report.ts'
import type { BenchContext, Section } from './measure/section.ts'
import type { Spread } from './measure/statistics.ts'
import { operator } from './operator.ts'
import { roles } from './roles.ts'

const sections: readonly Section<unknown>[] = [accept, latency, roles, mail, deliver, drain, dev, operator]

/** Where a section was measured, and what it came to. */
interface Measured {
  node: string
  processor: string
  processors: number
  /** Processes that wanted a processor in the minute before: more than 0 is somebody else's work. */
  loadBefore: number
  rounds: number
  seconds: number
  result: unknown
}

type Results = Record<string, Measured>

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    records: { type: 'string', default: '20000' },
    only: { type: 'string', multiple: true, default: [] },
    save: { type: 'boolean', default: false },
  },
})
const { only } = values
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
const records = Number(values.records)
const baselineFile = join(import.meta.dirname, 'baseline.json')
const resultFile = join(import.meta.dirname, '../../.carillon/bench.json')
const print = (text: string) => void process.stdout.write(`${text}\n`)

const known = sections.flatMap(({ name, parts }) => [name, ...parts])
const unknown = only.find((name) => !known.includes(name))
if (unknown !== undefined) throw new Error(`--only ${unknown}: there are ${known.join(', ')}`)

let cluster: KafkaCluster | undefined
const before = JSON.parse(readFileSync(baselineFile, 'utf8')) as Results
const results: Results = {}
const loadBefore = loadavg()[0]!
try {
  for (const section of sections) await measure(section)
} finally {
  await cluster?.stop()
}

const measured = sections.filter(({ name }) => results[name] !== undefined)
for (const { name, describe } of measured) print(`\n${describe(results[name]!.result)}`)
print(`\n${compare(ratiosOf(before), ratiosOf(results))}`)

async function measure({ name, parts, measure }: Section<unknown>): Promise<void> {
  const whole = only.length === 0 || only.includes(name)
  const asked: BenchContext['asked'] = (wanted) => whole || only.includes(wanted)
  if (!whole && !parts.some(asked)) return
  const result = await measure({ rounds, seconds, records, asked, kafka, report: print })
  if (result === undefined) return
  results[name] = {
    node: process.version,
    processor: cpus()[0]!.model,
    processors: availableParallelism(),
    loadBefore,
    rounds,
    seconds,
    result,
  }
  // At once: a run takes minutes, and what comes later may fail.
  await mkdir(dirname(resultFile), { recursive: true })
  await write(resultFile, results)
  if (values.save) await write(baselineFile, { ...before, ...results })
}

async function kafka(): Promise<string | undefined> {
  const found = part('kafka')
  if (!found.available || found.path.includes(':')) {
    print(`without Kafka: ${found.available ? 'the bench starts its own, from jars' : found.reason}`)
    return undefined
  }
  cluster ??= await startKafka({ jars: found.path })
  return cluster.bootstrapServers[0]
}

function ratiosOf(all: Results): Record<string, Spread> {
  return Object.assign(
    {},
    ...sections.map(({ name, ratios }) => (all[name] === undefined ? {} : ratios(all[name].result))),
  ) as Record<string, Spread>
}

async function write(file: string, all: Results): Promise<void> {
  await writeFile(file, `${JSON.stringify(all, rounded, 2)}\n`)
}

/** Three digits after the point: more is noise. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Math.round(value * 1000) / 1000 : value
}
