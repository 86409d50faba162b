import type { Registry } from 'prom-client'
import { createLogger, type Logger } from '../observability/logger.ts'
import { createMetrics } from '../observability/metrics.ts'
import { startTracing } from '../observability/start-tracing.ts'
import type { ListenAddress, LogLevel } from '../settings/values.ts'
import { StartRefused } from '../settings/start-refused.ts'
import { startHealthServer } from './health-server.ts'
import { awaitTermination } from './signals.ts'
import { Started } from './started.ts'

export interface ProcessOptions {
  /** `component` of its log lines. */
  role: string
  logLevel: LogLevel
  healthListen: ListenAddress
}

/** What a process has before its role starts. */
export interface ProcessParts {
  logger: Logger
  metrics: Registry
  /** What the role starts is added here, and stopped in the opposite order at the end. */
  started: Started
  /** Aborted by SIGTERM or SIGINT. */
  signal: AbortSignal
}

/** What a role has started. */
export interface RunningRole {
  /** Whether it does its work. */
  ready(): boolean
  /** Resolves when it can never go on. Absent for what cannot fail so. */
  failed?: Promise<Error>
}

/** Milliseconds to stop in order after a failure that ends the process: an idle process with a dead consumer would be worse than a hard end. */
const failedStopLimit = 30_000

/**
 * The life of a process: health listener first, so that a supervisor sees it while it still waits for its parts; then the role,
 * until SIGTERM or SIGINT; then everything in the opposite order. Throws StartRefused when the role fails for good: the command ends
 * with exit code 1, and a supervisor starts it again.
 */
export async function runProcess(
  { role, logLevel, healthListen }: ProcessOptions,
  start: (parts: ProcessParts) => Promise<RunningRole>,
): Promise<void> {
  const { signal, requested } = awaitTermination()
  const logger = createLogger({ level: logLevel }).child({ component: role })
  const metrics = createMetrics()
  const started = new Started(logger)
  let running: RunningRole | undefined
  let limit: NodeJS.Timeout | undefined
  try {
    const health = await startHealthServer({
      listen: healthListen,
      registry: metrics,
      isReady: () => !signal.aborted && running?.ready() === true,
    })
    started.add('health', () => health.close())
    const tracing = await startTracing({ service: `carillon-${role}`, logger })
    if (tracing) started.add('traces', () => tracing.stop())
    logger.info({ health: health.url, pid: process.pid }, 'Starting')
    const starting = start({ logger, metrics, started, signal })
    // A start may wait for its parts for ever. When the end is asked for meanwhile, what has been started is stopped under its feet.
    starting.catch(() => {})
    running = await Promise.race([starting, requested.then(() => undefined)])
    if (running === undefined) return
    logger.info('Started')
    const failure = await Promise.race([requested, ...(running.failed ? [running.failed] : [])])
    if (failure !== undefined) throw new StartRefused(`${role}: ${failure.message}`, 1, { cause: failure })
  } catch (error) {
    if (!signal.aborted) {
      limit = setTimeout(() => process.exit(1), failedStopLimit)
      throw error
    }
  } finally {
    await started.stop()
    clearTimeout(limit)
    logger.info('Stopped')
  }
}
