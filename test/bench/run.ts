/**
 * `make bench`: measures and prints how the ratios moved since `baseline.json`. Kafka is measured when it is there (`make real-parts`).
 * ARGS: `--rounds 5`, `--seconds 3` of each load, `--only kafka` (may be repeated), `--save` makes the result the new baseline.
 */
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type KafkaCluster, startKafka } from '../harness/kafka.ts'
import { part } from '../harness/parts.ts'
import { measureAccept } from './accept.ts'
import { measureDev } from './dev.ts'
import { type BenchResult, compare, describe } from './report.ts'
import { baseline, onKafka, type Scenario, withoutKafka } from './scenarios.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    only: { type: 'string', multiple: true, default: [] },
    save: { type: 'boolean', default: false },
  },
})
const { only } = values
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
const baselineFile = join(import.meta.dirname, 'baseline.json')
const resultFile = join(import.meta.dirname, '../../.carillon/bench.json')
const print = (text: string) => void process.stdout.write(`${text}\n`)

const asked = ({ name }: Scenario) => only.length === 0 || only.includes(name)
const kafka = await startKafkaIfAsked()
let result: BenchResult
try {
  const others = [...withoutKafka, ...(kafka === undefined ? [] : onKafka(kafka.bootstrapServers[0]!))]
  const scenarios = [baseline, ...others.filter(asked)]
  result = {
    node: process.version,
    processor: cpus()[0]!.model,
    processors: availableParallelism(),
    rounds,
    seconds,
    accept: await measureAccept({ rounds, seconds, connections: [64, 256], scenarios, report: print }),
  }
} finally {
  await kafka?.stop()
}
if (only.length === 0) {
  print('carillon dev: idle, then end to end')
  result.dev = await measureDev({ rounds, seconds })
}

print(`\n${describe(result)}`)
if (existsSync(baselineFile)) {
  print(`\n${compare(JSON.parse(readFileSync(baselineFile, 'utf8')) as BenchResult, result)}`)
}
await mkdir(dirname(resultFile), { recursive: true })
for (const file of values.save ? [resultFile, baselineFile] : [resultFile]) {
  await writeFile(file, `${JSON.stringify(result, rounded, 2)}\n`)
}

async function startKafkaIfAsked(): Promise<KafkaCluster | undefined> {
  if (!onKafka('').some(asked)) return undefined
  const found = part('kafka')
  if (found.available && !found.path.includes(':')) return startKafka({ jars: found.path })
  print(`without Kafka: ${found.available ? 'the bench starts its own, from jars' : found.reason}`)
  return undefined
}

/** Three digits after the point: more is noise. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Math.round(value * 1000) / 1000 : value
}
