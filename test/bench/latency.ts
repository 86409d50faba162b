import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { LatencySample } from './clients/latency.ts'
import type { Section } from './measure/section.ts'
import { type Spread, spreadOf } from './measure/statistics.ts'
import { describeSpread, table } from './measure/table.ts'

const execute = promisify(execFile)

/** Milliseconds through Kafka, and microseconds of CPU for a record: ours, kafkajs's, and ours over kafkajs's in the same round. */
type LatencyResult = Record<'p50' | 'p99' | 'cpu', { carillon: Spread; kafkajs: Spread; ratio: Spread }>

const figures = ['p50', 'p99', 'cpu'] as const

/** From produce to consume at 500 records a second: our adapter, against the producer and the consumer of kafkajs. */
export const latency: Section<LatencyResult> = {
  name: 'latency',
  parts: [],

  async measure({ rounds, seconds, kafka, report }) {
    const address = await kafka()
    if (address === undefined) return undefined
    const run = async (subject: string) => {
      const script = join(import.meta.dirname, 'clients', 'latency.ts')
      const { stdout } = await execute(process.execPath, [script, subject, address, String(seconds)])
      return JSON.parse(stdout) as LatencySample
    }
    const samples: { carillon: LatencySample; kafkajs: LatencySample }[] = []
    for (let round = 1; round <= rounds; round++) {
      report(`from produce to consume: round ${round} of ${rounds}`)
      samples.push({ carillon: await run('carillon'), kafkajs: await run('kafkajs') })
    }
    const summarise = (figure: keyof LatencySample) => ({
      carillon: spreadOf(samples.map(({ carillon }) => carillon[figure])),
      kafkajs: spreadOf(samples.map(({ kafkajs }) => kafkajs[figure])),
      ratio: spreadOf(samples.map(({ carillon, kafkajs }) => carillon[figure] / kafkajs[figure])),
    })
    return { p50: summarise('p50'), p99: summarise('p99'), cpu: summarise('cpu') }
  },

  describe: (result) =>
    table([
      ['from produce to consume', 'carillon', 'kafkajs', 'ratio'],
      ...figures.map((figure) => {
        const { carillon, kafkajs, ratio } = result[figure]
        const unit = figure === 'cpu' ? 'CPU us/record' : `${figure} ms`
        return [unit, describeSpread(carillon, 1), describeSpread(kafkajs, 1), describeSpread(ratio, 2)]
      }),
    ]),

  ratios: (result) =>
    Object.fromEntries(figures.map((figure) => [`latency ${figure}: to kafkajs`, result[figure].ratio])),
}
