import { setTimeout as delay } from 'node:timers/promises'
import type { Catalog, CatalogEntry } from '../../core/catalog/catalog.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'

/** A worker that runs. */
export interface RunningWorker {
  ready(): boolean
  /** Drains: finishes what is in flight, commits, leaves. */
  stop(): Promise<void>
}

export interface ChannelWorkersOptions {
  catalog: Catalog
  /** Makes the topics of a channel where they are missing, and starts its worker. */
  start(channel: NotificationChannel): Promise<RunningWorker>
  logger: Logger
}

const longestPause = 30_000

/**
 * Keeps one delivery worker running for every channel in the catalog: what the operator does with Deployments. A channel
 * that changes gets a fresh worker once the one before has drained; a suspended or removed one has none. A channel whose worker does not start
 * is tried again and holds up no other.
 */
export class ChannelWorkers {
  readonly #options: ChannelWorkersOptions
  readonly #running = new Map<string, { revision: string; worker: RunningWorker }>()
  readonly #settling = new Map<string, Promise<void>>()
  readonly #stopping = new AbortController()
  #unsubscribe = () => {}

  constructor(options: ChannelWorkersOptions) {
    this.#options = options
  }

  /** Resolves when every channel of the catalog has its worker, or has failed to get one and is being tried again. */
  async start(): Promise<void> {
    this.#unsubscribe = this.#options.catalog.onChange(() => this.#settleAll())
    this.#settleAll()
    await Promise.race([Promise.all(this.#settling.values()), delay(longestPause, undefined, { ref: false })])
  }

  /** Whether every channel that should have a worker has one that is ready. */
  ready(): boolean {
    return this.#wanted().every(([key, { revision }]) => {
      const running = this.#running.get(key)
      return running?.revision === revision && running.worker.ready()
    })
  }

  async stop(): Promise<void> {
    this.#unsubscribe()
    this.#stopping.abort()
    this.#settleAll()
    await Promise.all(this.#settling.values())
  }

  #wanted(): [string, CatalogEntry<NotificationChannel>][] {
    if (this.#stopping.signal.aborted) return []
    return this.#options.catalog
      .channels()
      .filter(({ resource }) => !resource.spec.suspend)
      .map((entry) => [keyOf(entry.resource), entry])
  }

  #settleAll(): void {
    const keys = new Set([...this.#running.keys(), ...this.#wanted().map(([key]) => key)])
    for (const key of keys) {
      if (this.#settling.has(key)) continue
      const settled = this.#settle(key).finally(() => this.#settling.delete(key))
      this.#settling.set(key, settled)
    }
  }

  /** Runs once at a time for a channel, until what runs is what is wanted. */
  async #settle(key: string): Promise<void> {
    const { start, logger } = this.#options
    for (let failures = 0; ; ) {
      const wanted = this.#wanted().find(([other]) => other === key)?.[1]
      const running = this.#running.get(key)
      if (wanted?.revision === running?.revision) return
      try {
        if (running !== undefined) {
          await running.worker.stop()
          this.#running.delete(key)
        } else if (wanted !== undefined) {
          this.#running.set(key, { revision: wanted.revision, worker: await start(wanted.resource) })
        }
        failures = 0
      } catch (error) {
        logger.error(
          { err: error, channel: key },
          `the worker of ${key} cannot be ${running ? 'stopped' : 'started'}`,
        )
        if (this.#stopping.signal.aborted) return
        await this.#pause(Math.min(1000 * 2 ** failures++, longestPause))
      }
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    await delay(milliseconds, undefined, { signal: this.#stopping.signal }).catch(() => {})
  }
}

function keyOf({ metadata }: NotificationChannel): string {
  return `${metadata.namespace}/${metadata.name}`
}
