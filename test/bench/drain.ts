import { setTimeout as sleep } from 'node:timers/promises'
import { openBacklog } from './backlog.ts'
import { arrivalsOf, rateOf, webhookChannel } from './deliver.ts'
import { residentOf } from './measure/process-usage.ts'
import type { Section } from './measure/section.ts'
import { table } from './measure/table.ts'
import { startInstall } from './role-processes.ts'
import { startServer } from './server-process.ts'

interface DrainResult {
  records: number
  /** Deliveries a second over the whole backlog. */
  rate: number
  /** At the end of each tenth of the backlog: deliveries a second in it, and MiB of the worker's memory. */
  tenths: { rate: number; resident: number }[]
}

const concurrency = 64
const interval = 100
const parts = 10
/** Milliseconds without one more delivery after which it is given up. */
const patience = 60_000

/** One worker and a backlog that was there before it: how fast it is emptied, and whether memory grows meanwhile. */
export const drain: Section<DrainResult> = {
  name: 'drain',
  parts: [],
  ratios: () => ({}),

  async measure({ records, kafka, report }) {
    const address = await kafka()
    if (address === undefined) return undefined
    const sink = await startServer('webhook-sink.ts', [])
    const { install, postgres, start, stop } = await startInstall(address, webhookChannel(concurrency))
    try {
      const backlog = await openBacklog({ kafka: address, databaseUrl: postgres.url, prefix: install.prefix })
      report(`drain: putting ${records} deliveries on a channel`)
      await backlog.fill(`hooks-${concurrency}`, `${sink.url}/drain/0`, records)
      await backlog.close()
      const { process } = await start('worker', '--channel', `default/hooks-${concurrency}`)
      report('drain: emptying it')
      const tenths = await watch(sink.url, records, () => residentOf(process.pid!) / 1024 ** 2)
      return { records, rate: rateOf(await arrivalsOf(sink.url, 'drain')), tenths }
    } finally {
      await stop()
      await sink.stop()
    }
  },

  describe: ({ records, rate, tenths }) =>
    table([
      [`drain: ${records} at ${rate.toFixed(0)}/s, by tenths`, ...tenths.map((_, index) => `${index + 1}`)],
      ['deliveries/s', ...tenths.map((tenth) => tenth.rate.toFixed(0))],
      ['MiB', ...tenths.map(({ resident }) => resident.toFixed(0))],
    ]),
}

async function watch(sink: string, records: number, resident: () => number): Promise<DrainResult['tenths']> {
  const tenths: DrainResult['tenths'] = []
  let last: { count: number; lastAt: number } | undefined
  let movedAt = performance.now()
  let seen = 0
  while (seen < records) {
    await sleep(interval)
    const { count, firstAt, lastAt } = await arrivalsOf(sink, 'drain')
    if (count > seen) movedAt = performance.now()
    if (performance.now() - movedAt > patience)
      throw new Error(`the worker stands still at ${count} deliveries`)
    seen = count
    if (count === 0 || count < ((tenths.length + 1) * records) / parts) continue
    const from = last ?? { count: 0, lastAt: firstAt }
    tenths.push({ rate: ((count - from.count) / (lastAt - from.lastAt)) * 1000, resident: resident() })
    last = { count, lastAt }
  }
  return tenths
}
