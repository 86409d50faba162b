import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { startScriptedServer } from '../conformance/smtp-script.ts'
import { until } from '../harness/balance/load.ts'
import type { MailSample } from './clients/mail.ts'
import { cpuOf } from './measure/process-usage.ts'
import type { Section } from './measure/section.ts'
import { type Spread, spreadOf } from './measure/statistics.ts'
import { describeSpread, table } from './measure/table.ts'
import { type Roles, startRoles } from './role-processes.ts'

const execute = promisify(execFile)

/** Mails a second and microseconds of CPU for each: of our worker, of a bare pool, and ours over the pool's in the same round. */
type MailResult = Record<keyof MailSample, { worker: Spread; pool: Spread; ratio: Spread }>

const connections = 64
/** Mails of a round. */
const count = 1_500
const labels = { mailsPerSecond: 'mails/s', cpu: 'CPU us/mail' } as const
const figures = ['mailsPerSecond', 'cpu'] as const

/** Our worker with its ledger, from a backlog on Kafka, against a bare pool of nodemailer: both to one server on loopback. */
export const mail: Section<MailResult> = {
  name: 'mail',
  parts: [],

  async measure({ rounds, kafka, report }) {
    const address = await kafka()
    if (address === undefined) return undefined
    // A server that does as it should: 220 is the usual greeting.
    const sink = await startScriptedServer('connect', { reply: '220 ready' })
    const { port } = sink
    const roles = await startRoles(address, channel(port, false))
    const samples: { worker: MailSample; pool: MailSample }[] = []
    try {
      // The first round is not counted: it compiles the worker's code.
      for (let round = 0; round <= rounds; round++) {
        report(`mail: round ${round} of ${rounds}`)
        const worker = await drain(roles, port, sink.arrivals)
        const script = join(import.meta.dirname, 'clients', 'mail.ts')
        const { stdout } = await execute(process.execPath, [
          script,
          ...[port, connections, count].map(String),
        ])
        if (round > 0) samples.push({ worker, pool: JSON.parse(stdout) as MailSample })
      }
    } finally {
      await roles.stop()
      await sink.close()
    }
    const summarise = (figure: keyof MailSample) => ({
      worker: spreadOf(samples.map(({ worker }) => worker[figure])),
      pool: spreadOf(samples.map(({ pool }) => pool[figure])),
      ratio: spreadOf(samples.map(({ worker, pool }) => worker[figure] / pool[figure])),
    })
    return { mailsPerSecond: summarise('mailsPerSecond'), cpu: summarise('cpu') }
  },

  describe: (result) =>
    table([
      ['mail, 64 connections', 'worker', 'bare pool', 'ratio'],
      ...figures.map((figure) => {
        const { worker, pool, ratio } = result[figure]
        return [labels[figure], describeSpread(worker, 0), describeSpread(pool, 0), describeSpread(ratio, 2)]
      }),
    ]),

  ratios: (result) =>
    Object.fromEntries(
      figures.map((figure) => [`mail ${labels[figure]}: to a bare pool`, result[figure].ratio]),
    ),
}

/** Fills the channel while it is suspended, resumes it, and looks how its worker empties it. */
async function drain(
  { api, worker, install, postgres }: Roles,
  port: number,
  arrivals: readonly unknown[],
): Promise<MailSample> {
  const declare = async (suspend: boolean) => {
    await install.declare(channel(port, suspend))
    const { code, output } = await install.apply()
    if (code !== 0) throw new Error(`carillon apply failed:\n${output}`)
  }
  const stops = () => worker.output().split('has drained and stopped').length
  const stopsBefore = stops()
  await declare(true)
  await until(() => stops() > stopsBefore, 'the worker has stopped consuming')
  await fill(api.url()!, postgres.url)
  const before = arrivals.length
  const cpuBefore = cpuOf(worker.process.pid!).own
  await declare(false)
  await until(() => arrivals.length > before, 'the first mail has arrived')
  const startedAt = performance.now()
  const first = arrivals.length - before
  await until(() => arrivals.length === before + count, 'the last mail has arrived')
  const seconds = (performance.now() - startedAt) / 1000
  return {
    mailsPerSecond: (count - first) / seconds,
    cpu: (cpuOf(worker.process.pid!).own - cpuBefore) / count,
  }
}

/** Has the mails of a round accepted and planned. */
async function fill(api: string, databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const planned = async () => {
      const { rows } = await client.query<{ count: string }>('SELECT count(*) FROM deliveries')
      return Number(rows[0]!.count)
    }
    const before = await planned()
    let sent = 0
    const sendAll = async () => {
      while (sent < count) {
        const to = [{ email: `user-${sent++}@example.com` }]
        const response = await fetch(`${api}/v1/notifications`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ to, content: { subject: 'Your order', text: 'It is on its way.' } }),
        })
        if (response.status !== 202) throw new Error(`a request was answered with ${response.status}`)
        await response.arrayBuffer()
      }
    }
    await Promise.all(Array.from({ length: 16 }, sendAll))
    await until(async () => (await planned()) === before + count, 'all mails are planned')
  } finally {
    await client.end()
  }
}

const channel = (port: number, suspend: boolean) => `
apiVersion: carillon.dev/v1alpha1
kind: NotificationChannel
metadata: {name: hooks, namespace: default}
spec:
  type: email
  suspend: ${suspend}
  providers:
  - name: primary
    type: smtp
    smtp: {host: 127.0.0.1, port: ${port}, tls: None, from: Shop <shop@example.com>}
    maxConcurrent: ${connections}
  delivery: {concurrency: ${connections}}
  topic: {partitions: 3}
`
