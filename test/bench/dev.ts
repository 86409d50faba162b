import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCarillon } from '../harness/process/carillon.ts'
import { hooksChannel } from '../harness/process/install.ts'
import { type EndToEnd, measureEndToEnd } from './end-to-end.ts'
import { cpuOf } from './measure/process-usage.ts'
import type { Section } from './measure/section.ts'
import { describeSpread } from './measure/table.ts'

/** `carillon dev`, whole: API, planner, workers and PostgreSQL. */
interface DevResult {
  /** Milliseconds of CPU in a second without a request, of the Node process and of PostgreSQL. */
  idleCpu: { node: number; postgres: number }
  endToEnd: EndToEnd
}

/** Seconds until the work of the start is done. */
const settling = 10
const idleSeconds = 10

export const dev: Section<DevResult> = {
  name: 'dev',
  parts: [],
  ratios: () => ({}),

  async measure({ rounds, seconds, report }) {
    report('carillon dev: idle, then end to end')
    const folder = await mkdtemp(join(tmpdir(), 'carillon-bench-dev-'))
    const secrets = join(folder, 'secrets')
    const manifests = join(folder, 'manifests')
    await mkdir(manifests)
    await mkdir(join(secrets, 'hooks'), { recursive: true })
    await writeFile(join(manifests, 'hooks.yaml'), hooksChannel())
    await writeFile(join(secrets, 'hooks', 'secret'), `whsec_${Buffer.alloc(32, 1).toString('base64')}`)
    const carillon = await startCarillon({
      dataDir: join(folder, 'data'),
      manifests,
      env: { CARILLON_SECRETS_DIR: secrets, LOG_LEVEL: 'ERROR' },
    })
    try {
      const idleCpu = await measureIdle(carillon.process.pid!)
      const [endToEnd] = await measureEndToEnd({
        api: carillon.url,
        requestsPerSecond: [100],
        rounds,
        seconds,
      })
      return { idleCpu, endToEnd: endToEnd! }
    } finally {
      await carillon.stop()
      await rm(folder, { recursive: true, force: true })
    }
  },

  describe({ idleCpu, endToEnd: { requestsPerSecond, p50, p99 } }) {
    return [
      'carillon dev',
      `  idle        ${idleCpu.node.toFixed(1)} ms of CPU a second, and PostgreSQL ${idleCpu.postgres.toFixed(1)}`,
      `  end to end  p50 ${describeSpread(p50, 1)} ms, p99 ${describeSpread(p99, 1)} ms, webhooks at ${requestsPerSecond}/s`,
    ].join('\n')
  },
}

async function measureIdle(pid: number): Promise<DevResult['idleCpu']> {
  await sleep(settling * 1000)
  const before = cpuOf(pid)
  await sleep(idleSeconds * 1000)
  const after = cpuOf(pid)
  const perSecond = (microseconds: number) => microseconds / 1000 / idleSeconds
  return {
    node: perSecond(after.own - before.own),
    postgres: perSecond(after.others - before.others),
  }
}
