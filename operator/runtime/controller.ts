import { randomUUID } from 'node:crypto'
import type { Clock, Timers } from '../../core/clock.ts'
import type { Logger } from '../../core/observability/logger.ts'
import { type ObjectName, parseKey } from './api/resource-kind.ts'
import type { ControllerMetrics } from './metrics.ts'
import { Workqueue } from './workqueue.ts'

/** What a reconciliation gets beside the name of its object. It gets no event: it reads the world and makes it right. */
export interface ReconcileContext {
  logger: Logger
  signal: AbortSignal
}

/** Milliseconds after which the object is to be looked at again, though nothing about it changed. */
export interface ReconcileResult {
  requeueAfter?: number
}

export interface ControllerOptions {
  /** Label of its metrics, such as `notificationchannel`. */
  name: string
  /** Makes one object what it should be. What it throws is logged, counted and tried again after a backoff. */
  reconcile: (name: ObjectName, context: ReconcileContext) => Promise<ReconcileResult>
  /** Objects at a time. */
  workers: number
  clock: Clock & Timers
  logger: Logger
  metrics: ControllerMetrics
}

/** Milliseconds. What fails is Kafka or the API server, and passes: once they are back, nothing waits for long. */
const firstBackoff = 1_000
export const longestBackoff = 60_000
/** Milliseconds for one reconciliation: what hangs must not hold its worker for ever. */
const reconcileTimeout = 120_000

/** Works on the keys of its queue, each by one worker at a time. */
export class Controller {
  readonly queue: Workqueue
  readonly #options: ControllerOptions
  readonly #stopping = new AbortController()
  readonly #settled = Promise.withResolvers<void>()
  /** Keys that were there at the start and have not been worked on in full. */
  #unsettled: Set<string> = new Set()
  #running: Promise<unknown> = Promise.resolve()

  constructor(options: ControllerOptions) {
    this.#options = options
    this.queue = new Workqueue({
      firstBackoff,
      longestBackoff,
      clock: options.clock,
      metrics: options.metrics.queue,
    })
  }

  /** Resolves once every key that was there at the start has been worked on without a failure. */
  get settled(): Promise<void> {
    return this.#settled.promise
  }

  start(): void {
    this.#unsettled = new Set(this.queue.keys)
    if (this.#unsettled.size === 0) this.#settled.resolve()
    this.#running = Promise.all(Array.from({ length: this.#options.workers }, () => this.#work()))
  }

  /** Takes nothing more, and interrupts what is under way. */
  async stop(): Promise<void> {
    this.queue.close()
    this.#stopping.abort()
    await this.#running
  }

  async #work(): Promise<void> {
    for (let key = await this.queue.take(); key !== undefined; key = await this.queue.take()) {
      await this.#reconcile(key)
      this.queue.done(key)
    }
  }

  async #reconcile(key: string): Promise<void> {
    const { name, reconcile, clock, metrics } = this.#options
    const logger = this.#options.logger.child({ controller: name, object: key, reconcileId: randomUUID() })
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(reconcileTimeout)])
    const begun = clock.monotonic()
    const seconds = () => (clock.monotonic() - begun) / 1000
    metrics.active(1)
    try {
      const { requeueAfter } = await reconcile(parseKey(key), { logger, signal })
      this.queue.forget(key)
      if (this.#unsettled.delete(key) && this.#unsettled.size === 0) this.#settled.resolve()
      if (requeueAfter !== undefined) this.queue.addAfter(key, requeueAfter)
      metrics.reconciled(requeueAfter === undefined ? 'success' : 'requeue_after', seconds())
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      logger.error({ err: error }, 'Reconciliation failed; it is tried again')
      metrics.reconciled('error', seconds())
      this.queue.addRateLimited(key)
    } finally {
      metrics.active(-1)
    }
  }
}
